// RUN: fk-opt %s --fk-codegen-to-linalg --canonicalize --cse --split-input-file | FileCheck %s

// Scalars and axes follow the tensors; extents are named by the axes.
// CHECK-LABEL: func.func @silu
// CHECK-SAME: (%[[X:.*]]: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %{{.*}}: i32, %{{.*}}: i32)
// CHECK-SAME: -> (tensor<?x64xbf16> {fk.dims = ["tokens"]})
// CHECK-SAME: kernel_axes = ["tokens", "features"], kernel_static = {features = 64 : i64}
// CHECK: linalg.generic
// CHECK: arith.extf
// CHECK: math.exp
// CHECK: arith.divf {{.*}} fastmath<afn>
// CHECK: arith.truncf
// CHECK-NOT: fk.silu
func.func @silu(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %0 = fk.silu %x : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %0 : tensor<?x64xbf16>
}

// -----

// epsilon is a parameter of the kernel; one reduction, a number a row, one store.
// CHECK-LABEL: func.func @rms_norm
// CHECK-SAME: %[[EPSILON:[^:]*]]: f32
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK: math.sqrt
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]
func.func @rms_norm(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>) -> tensor<?x64xbf16> {
  %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  return %0 : tensor<?x64xbf16>
}

// -----

// A variant is a constant.
// CHECK-LABEL: func.func @rms_norm
// CHECK: arith.constant 1.500000e+00 : f32
func.func @rms_norm(%x: tensor<?x64xf32>, %w: tensor<64xf32>) -> tensor<?x64xf32> {
  %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32, weight_offset = 1.5 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// A cluster has its attributes inside, and the symbols of fk.dims as axes. Elementwise upstream
// ops are part of it.
// CHECK-LABEL: func.func @cluster
// CHECK-SAME: %{{.*}}: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %{{.*}}: tensor<64xbf16>, %{{.*}}: i32)
// CHECK-SAME: kernel_axes = ["tokens"]
// CHECK: arith.constant 9.99999974E-6 : f32
// CHECK: arith.addf
// CHECK: linalg.generic {{.*}}"reduction"
func.func @cluster(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %r: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %w: tensor<64xbf16>) -> (tensor<?x64xbf16> {fk.dims = ["tokens"]}) {
  %0 = arith.addf %x, %r : tensor<?x64xbf16>
  %1 = fk.rms_norm %0, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  return %1 : tensor<?x64xbf16>
}

// -----

// The rotated halves and the rest are written apart.
// CHECK-LABEL: func.func @rope
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0] [{{.*}}, 2, 4]
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 4] [{{.*}}, 2, 4]
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 8] [{{.*}}, 2, 8]
// CHECK: tensor.extract
// CHECK: tensor.concat dim(2)
func.func @rope(%q: tensor<?x2x16xbf16>, %k: tensor<?x1x16xbf16>, %p: tensor<?xi32>, %t: tensor<?x8xf32>) -> (tensor<?x2x16xbf16>, tensor<?x1x16xbf16>) {
  %0, %1 = fk.rope %q, %k, %p, %t {rotary_dim = 8 : i32} : (tensor<?x2x16xbf16>, tensor<?x1x16xbf16>, tensor<?xi32>, tensor<?x8xf32>) -> (tensor<?x2x16xbf16>, tensor<?x1x16xbf16>)
  return %0, %1 : tensor<?x2x16xbf16>, tensor<?x1x16xbf16>
}
