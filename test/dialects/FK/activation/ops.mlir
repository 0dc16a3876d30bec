// RUN: fk-opt %s | fk-opt | FileCheck %s

// CHECK-LABEL: func.func @pointwise
func.func @pointwise(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  // CHECK: fk.silu %{{.*}} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %0 = fk.silu %x : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  // CHECK: fk.tanh %{{.*}} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %1 = fk.tanh %0 : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  // CHECK: fk.gelu %{{.*}} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %2 = fk.gelu %1 : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  // CHECK: fk.gelu %{{.*}} {approximate = 1 : i32} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %3 = fk.gelu %2 {approximate = 1 : i32} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  // CHECK: fk.add %{{.*}}, %{{.*}} : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %4 = fk.add %3, %x : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  // CHECK: fk.mul %{{.*}}, %{{.*}} : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %5 = fk.mul %4, %x : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  // CHECK: fk.softmax %{{.*}} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %6 = fk.softmax %5 : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %6 : tensor<?x64xbf16>
}

// CHECK-LABEL: func.func @gated
func.func @gated(%x: tensor<?x128xf16>) -> tensor<?x64xf16> {
  // CHECK: fk.silu_and_mul %{{.*}} : (tensor<?x128xf16>) -> tensor<?x64xf16>
  %0 = fk.silu_and_mul %x : (tensor<?x128xf16>) -> tensor<?x64xf16>
  // CHECK: fk.gelu_and_mul %{{.*}} {approximate = 1 : i32} : (tensor<?x128xf16>) -> tensor<?x64xf16>
  %1 = fk.gelu_and_mul %x {approximate = 1 : i32} : (tensor<?x128xf16>) -> tensor<?x64xf16>
  %2 = fk.add %0, %1 : (tensor<?x64xf16>, tensor<?x64xf16>) -> tensor<?x64xf16>
  return %2 : tensor<?x64xf16>
}
