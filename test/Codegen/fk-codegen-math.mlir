// RUN: fk-opt %s --fk-codegen-math | FileCheck %s

// CHECK-LABEL: func @exp
// CHECK: arith.mulf %{{.*}} : vector<8xf32>
// CHECK: math.exp2 %{{.*}} fastmath<afn> : vector<8xf32>
func.func @exp(%x: vector<8xf32>) -> vector<8xf32> {
  %0 = math.exp %x : vector<8xf32>
  return %0 : vector<8xf32>
}

// CHECK-LABEL: func @tanh
// CHECK-COUNT-5: math.fma
// CHECK: math.exp2
// CHECK: arith.divf {{.*}} fastmath<afn>
// CHECK: math.copysign
// CHECK: arith.select
func.func @tanh(%x: f32) -> f32 {
  %0 = math.tanh %x : f32
  return %0 : f32
}

// CHECK-LABEL: func @erf
// CHECK: math.exp2
// CHECK-NOT: math.erf
func.func @erf(%x: f32) -> f32 {
  %0 = math.erf %x : f32
  return %0 : f32
}

// CHECK-LABEL: func @rsqrt
// CHECK: math.sqrt
// CHECK: arith.divf
func.func @rsqrt(%x: f32) -> f32 {
  %0 = math.rsqrt %x : f32
  return %0 : f32
}
