// RUN: fk-opt %s --fk-fuse --split-input-file | FileCheck %s
// RUN: fk-opt %s --fk-fuse=disable=all --split-input-file | FileCheck %s --check-prefix=OFF
// RUN: fk-opt %s --fk-fuse=only=qkv_linear,qk_norm_rope --split-input-file | FileCheck %s --check-prefix=ONLY

// OFF-NOT: fk.{{add_rms_norm|gate_up_linear|qkv_linear|qk_norm_rope}}
// ONLY-NOT: fk.{{add_rms_norm|gate_up_linear}}

// The sum has another use.
// CHECK-LABEL: func.func @add_rms_norm
// CHECK-SAME: (%[[X:.*]]: tensor<?x64xf32>, %[[R:.*]]: tensor<?x64xf32>, %[[W:.*]]: tensor<64xf32>)
// CHECK-NEXT: %[[Y:.*]], %[[SUM:.*]] = fk.add_rms_norm %[[X]], %[[R]], %[[W]]
// CHECK-SAME: epsilon = 9.99999974E-6
// CHECK-SAME: weight_offset = 1.000000e+00
// CHECK-NEXT: return %[[Y]], %[[SUM]]
func.func @add_rms_norm(%x: tensor<?x64xf32>, %r: tensor<?x64xf32>, %w: tensor<64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %0 = fk.add %x, %r : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %1 = fk.rms_norm %0, %w {epsilon = 1.0e-5 : f32, weight_offset = 1.0 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  return %1, %0 : tensor<?x64xf32>, tensor<?x64xf32>
}

// -----

fk.weight @norm [#fk.part<"norm">] : tensor<64xf32>

// The weight comes after the sum, whose other user comes before the norm.
// CHECK-LABEL: func.func @weight_after_sum
// CHECK: %[[W:.*]] = fk.get_weight @norm
// CHECK: fk.add_rms_norm %{{.*}}, %{{.*}}, %[[W]]
// CHECK: fk.silu
func.func @weight_after_sum(%x: tensor<?x64xf32>, %r: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %0 = fk.add %x, %r : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %1 = fk.silu %0 : (tensor<?x64xf32>) -> tensor<?x64xf32>
  %w = fk.get_weight @norm : tensor<64xf32>
  %2 = fk.rms_norm %0, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  return %1, %2 : tensor<?x64xf32>, tensor<?x64xf32>
}

// -----

// CHECK-LABEL: func.func @silu_and_mul
// CHECK-SAME: (%[[X:.*]]: tensor<?x64xf32>, %[[G:.*]]: tensor<96x64xf32>, %[[U:.*]]: tensor<96x64xf32>)
// CHECK-NEXT: %[[W:.*]] = tensor.concat dim(0) %[[G]], %[[U]]
// CHECK-SAME: -> tensor<192x64xf32>
// CHECK-NEXT: %[[GU:.*]] = fk.gate_up_linear %[[X]], %[[W]] : {{.*}} -> tensor<?x192xf32>
// CHECK-NEXT: %[[Y:.*]] = fk.silu_and_mul %[[GU]] : {{.*}} -> tensor<?x96xf32>
// CHECK-NEXT: return %[[Y]]
func.func @silu_and_mul(%x: tensor<?x64xf32>, %g: tensor<96x64xf32>, %u: tensor<96x64xf32>) -> tensor<?x96xf32> {
  %0 = fk.linear %x, %g : (tensor<?x64xf32>, tensor<96x64xf32>) -> tensor<?x96xf32>
  %1 = fk.silu %0 : (tensor<?x96xf32>) -> tensor<?x96xf32>
  %2 = fk.linear %x, %u : (tensor<?x64xf32>, tensor<96x64xf32>) -> tensor<?x96xf32>
  %3 = fk.mul %1, %2 : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xf32>
  return %3 : tensor<?x96xf32>
}

// -----

// Operands the other way round; the approximation is kept; biases are joined.
// CHECK-LABEL: func.func @gelu_and_mul
// CHECK: tensor.concat dim(0) %{{.*}}, %{{.*}} : (tensor<96x64xf32>, tensor<96x64xf32>)
// CHECK: %[[B:.*]] = tensor.concat dim(0) %{{.*}}, %{{.*}} : (tensor<96xf32>, tensor<96xf32>) -> tensor<192xf32>
// CHECK: fk.gate_up_linear %{{.*}}, %{{.*}}, %[[B]]
// CHECK: fk.gelu_and_mul %{{.*}} {approximate = 1 : i32}
func.func @gelu_and_mul(%x: tensor<?x64xf32>, %g: tensor<96x64xf32>, %u: tensor<96x64xf32>, %gb: tensor<96xf32>, %ub: tensor<96xf32>) -> tensor<?x96xf32> {
  %0 = fk.linear %x, %g, %gb : (tensor<?x64xf32>, tensor<96x64xf32>, tensor<96xf32>) -> tensor<?x96xf32>
  %1 = fk.gelu %0 {approximate = 1 : i32} : (tensor<?x96xf32>) -> tensor<?x96xf32>
  %2 = fk.linear %x, %u, %ub : (tensor<?x64xf32>, tensor<96x64xf32>, tensor<96xf32>) -> tensor<?x96xf32>
  %3 = fk.mul %2, %1 : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xf32>
  return %3 : tensor<?x96xf32>
}

// -----

// Not two linears of one input.
// CHECK-LABEL: func.func @other_input
// CHECK-NOT: gate_up_linear
func.func @other_input(%x: tensor<?x64xf32>, %z: tensor<?x64xf32>, %g: tensor<96x64xf32>) -> tensor<?x96xf32> {
  %0 = fk.linear %x, %g : (tensor<?x64xf32>, tensor<96x64xf32>) -> tensor<?x96xf32>
  %1 = fk.silu %0 : (tensor<?x96xf32>) -> tensor<?x96xf32>
  %2 = fk.linear %z, %g : (tensor<?x64xf32>, tensor<96x64xf32>) -> tensor<?x96xf32>
  %3 = fk.mul %1, %2 : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xf32>
  return %3 : tensor<?x96xf32>
}

// -----

// CHECK-LABEL: func.func @qkv_linear
// CHECK: %[[W:.*]] = tensor.concat dim(0) %{{.*}}, %{{.*}}, %{{.*}} : (tensor<64x64xf32>, tensor<32x64xf32>, tensor<32x64xf32>) -> tensor<128x64xf32>
// CHECK-NEXT: %[[Q:.*]], %[[K:.*]], %[[V:.*]] = fk.qkv_linear %{{.*}}, %[[W]]
// CHECK-SAME: -> (tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>)
// CHECK-NOT: fk.linear
// ONLY-LABEL: func.func @qkv_linear
// ONLY: fk.qkv_linear
func.func @qkv_linear(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %wq: tensor<64x64xf32>, %wk: tensor<32x64xf32>, %wv: tensor<32x64xf32>,
    %p: tensor<?xi32>, %cs: tensor<?x16xf32>, %cu: tensor<?xi32>) -> tensor<?x4x16xf32> {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x64xf32>
  %q = fk.linear %x, %wq : (tensor<?x64xf32>, tensor<64x64xf32>) -> tensor<?x64xf32>
  %k = fk.linear %x, %wk : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %v = fk.linear %x, %wv : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %q3 = tensor.expand_shape %q [[0], [1, 2]] output_shape [%t, 4, 16] : tensor<?x64xf32> into tensor<?x4x16xf32>
  %k3 = tensor.expand_shape %k [[0], [1, 2]] output_shape [%t, 2, 16] : tensor<?x32xf32> into tensor<?x2x16xf32>
  %v3 = tensor.expand_shape %v [[0], [1, 2]] output_shape [%t, 2, 16] : tensor<?x32xf32> into tensor<?x2x16xf32>
  %qr, %kr = fk.rope %q3, %k3, %p, %cs {rotary_dim = 16 : i32} : (tensor<?x4x16xf32>, tensor<?x2x16xf32>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xf32>, tensor<?x2x16xf32>)
  %0 = fk.attention %qr, %kr, %v3, %cu {scale = 0.25 : f32} : (tensor<?x4x16xf32>, tensor<?x2x16xf32>, tensor<?x2x16xf32>, tensor<?xi32>) -> tensor<?x4x16xf32>
  return %0 : tensor<?x4x16xf32>
}

// -----

// Only one of the three has a bias.
// CHECK-LABEL: func.func @qkv_one_bias
// CHECK-NOT: qkv_linear
// CHECK: return
func.func @qkv_one_bias(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>, %wk: tensor<32x32xf32>, %wv: tensor<32x32xf32>, %b: tensor<32xf32>, %cu: tensor<?xi32>) -> tensor<?x2x16xf32> {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x32xf32>
  %q = fk.linear %x, %w, %b : (tensor<?x32xf32>, tensor<32x32xf32>, tensor<32xf32>) -> tensor<?x32xf32>
  %k = fk.linear %x, %wk : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %v = fk.linear %x, %wv : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %q3 = tensor.expand_shape %q [[0], [1, 2]] output_shape [%t, 2, 16] : tensor<?x32xf32> into tensor<?x2x16xf32>
  %k3 = tensor.expand_shape %k [[0], [1, 2]] output_shape [%t, 2, 16] : tensor<?x32xf32> into tensor<?x2x16xf32>
  %v3 = tensor.expand_shape %v [[0], [1, 2]] output_shape [%t, 2, 16] : tensor<?x32xf32> into tensor<?x2x16xf32>
  %0 = fk.attention %q3, %k3, %v3, %cu {scale = 0.25 : f32} : (tensor<?x2x16xf32>, tensor<?x2x16xf32>, tensor<?x2x16xf32>, tensor<?xi32>) -> tensor<?x2x16xf32>
  return %0 : tensor<?x2x16xf32>
}

// -----

// Key and value go through the cache.
// CHECK-LABEL: func.func @paged_qkv
// CHECK: fk.qkv_linear
func.func @paged_qkv(%x: tensor<?x32xf32>, %wq: tensor<32x32xf32>, %wk: tensor<32x32xf32>, %wv: tensor<32x32xf32>,
    %cache: !fk.kv_cache<16 x 2 x 16 x f32>, %slots: tensor<?xi32>, %cu: tensor<?xi32>, %lens: tensor<?xi32>, %table: tensor<?x?xi32>) -> tensor<?x2x16xf32> {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x32xf32>
  %q = fk.linear %x, %wq : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %q3 = tensor.expand_shape %q [[0], [1, 2]] output_shape [%t, 2, 16] : tensor<?x32xf32> into tensor<?x2x16xf32>
  %k = fk.linear %x, %wk : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %k3 = tensor.expand_shape %k [[0], [1, 2]] output_shape [%t, 2, 16] : tensor<?x32xf32> into tensor<?x2x16xf32>
  %v = fk.linear %x, %wv : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %v3 = tensor.expand_shape %v [[0], [1, 2]] output_shape [%t, 2, 16] : tensor<?x32xf32> into tensor<?x2x16xf32>
  fk.kv_cache_write %cache, %k3, %v3, %slots : (!fk.kv_cache<16 x 2 x 16 x f32>, tensor<?x2x16xf32>, tensor<?x2x16xf32>, tensor<?xi32>) -> ()
  %0 = fk.paged_attention %q3, %cache, %cu, %lens, %table {scale = 0.25 : f32} : (tensor<?x2x16xf32>, !fk.kv_cache<16 x 2 x 16 x f32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x2x16xf32>
  return %0 : tensor<?x2x16xf32>
}

// -----

// CHECK-LABEL: func.func @qk_norm_rope
// CHECK-SAME: (%[[Q:.*]]: tensor<?x4x16xf32>, %[[K:.*]]: tensor<?x2x16xf32>, %[[WQ:.*]]: tensor<16xf32>, %[[WK:.*]]: tensor<16xf32>
// CHECK: fk.qk_norm_rope %[[Q]], %[[K]], %[[WQ]], %[[WK]], %{{.*}}, %{{.*}} {epsilon = 9.99999974E-6 : f32, rotary_dim = 8 : i32
// CHECK-NOT: fk.rms_norm
// ONLY-LABEL: func.func @qk_norm_rope
// ONLY: fk.qk_norm_rope
func.func @qk_norm_rope(%q: tensor<?x4x16xf32>, %k: tensor<?x2x16xf32>, %wq: tensor<16xf32>, %wk: tensor<16xf32>, %p: tensor<?xi32>, %cs: tensor<?x8xf32>) -> (tensor<?x4x16xf32>, tensor<?x2x16xf32>) {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %q, %c0 : tensor<?x4x16xf32>
  %q2 = tensor.collapse_shape %q [[0, 1], [2]] : tensor<?x4x16xf32> into tensor<?x16xf32>
  %qn = fk.rms_norm %q2, %wq {epsilon = 1.0e-5 : f32} : (tensor<?x16xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %q3 = tensor.expand_shape %qn [[0, 1], [2]] output_shape [%t, 4, 16] : tensor<?x16xf32> into tensor<?x4x16xf32>
  %k2 = tensor.collapse_shape %k [[0, 1], [2]] : tensor<?x2x16xf32> into tensor<?x16xf32>
  %kn = fk.rms_norm %k2, %wk {epsilon = 1.0e-5 : f32} : (tensor<?x16xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %k3 = tensor.expand_shape %kn [[0, 1], [2]] output_shape [%t, 2, 16] : tensor<?x16xf32> into tensor<?x2x16xf32>
  %0, %1 = fk.rope %q3, %k3, %p, %cs {rotary_dim = 8 : i32} : (tensor<?x4x16xf32>, tensor<?x2x16xf32>, tensor<?xi32>, tensor<?x8xf32>) -> (tensor<?x4x16xf32>, tensor<?x2x16xf32>)
  return %0, %1 : tensor<?x4x16xf32>, tensor<?x2x16xf32>
}

// -----

// The two norms have different epsilons.
// CHECK-LABEL: func.func @qk_norm_differs
// CHECK-NOT: qk_norm_rope
func.func @qk_norm_differs(%q: tensor<?x4x16xf32>, %k: tensor<?x2x16xf32>, %wq: tensor<16xf32>, %wk: tensor<16xf32>, %p: tensor<?xi32>, %cs: tensor<?x16xf32>) -> (tensor<?x4x16xf32>, tensor<?x2x16xf32>) {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %q, %c0 : tensor<?x4x16xf32>
  %q2 = tensor.collapse_shape %q [[0, 1], [2]] : tensor<?x4x16xf32> into tensor<?x16xf32>
  %qn = fk.rms_norm %q2, %wq {epsilon = 1.0e-5 : f32} : (tensor<?x16xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %q3 = tensor.expand_shape %qn [[0, 1], [2]] output_shape [%t, 4, 16] : tensor<?x16xf32> into tensor<?x4x16xf32>
  %k2 = tensor.collapse_shape %k [[0, 1], [2]] : tensor<?x2x16xf32> into tensor<?x16xf32>
  %kn = fk.rms_norm %k2, %wk {epsilon = 1.0e-6 : f32} : (tensor<?x16xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %k3 = tensor.expand_shape %kn [[0, 1], [2]] output_shape [%t, 2, 16] : tensor<?x16xf32> into tensor<?x2x16xf32>
  %0, %1 = fk.rope %q3, %k3, %p, %cs {rotary_dim = 16 : i32} : (tensor<?x4x16xf32>, tensor<?x2x16xf32>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xf32>, tensor<?x2x16xf32>)
  return %0, %1 : tensor<?x4x16xf32>, tensor<?x2x16xf32>
}
