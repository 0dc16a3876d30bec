// RUN: fk-opt %s --fk-select-kernels --fk-lower-to-plan --split-input-file | FileCheck %s

fk.weight @norm [#fk.part<"norm.weight">] : tensor<64xf32>

// Results are arguments; the last launch writes into the result, the first into a buffer.
// CHECK-LABEL: func.func private @layer
// CHECK-SAME: %[[X:.*]]: memref<?x64xf32> {fk.dims = ["tokens"]}, %[[W:.*]]: memref<64xf32>, %[[Y:.*]]: memref<?x64xf32> {fk.dims = ["tokens"], fkplan.result})
// CHECK-SAME: attributes {fk.task = #fk.task<"decoder_layer", L3>}
// CHECK-NEXT: %[[B:.*]] = fkplan.buffer ["tokens"] : memref<?x64xf32>
// CHECK-NEXT: fkplan.launch "rms_norm" outs(result = %[[B]] : memref<?x64xf32>) ins(input = %[[X]] : memref<?x64xf32>, weight = %[[W]] : memref<64xf32>)
// CHECK-SAME: scalars(epsilon = {{.*}} : f32) variants(weight_offset = 0.000000e+00 : f32) axes(tokens = "tokens", hidden = "64") kernels [#fk.kernel<"reference", "reference">]
// CHECK-NEXT: fkplan.launch "silu" outs(result = %[[Y]] : memref<?x64xf32>) ins(input = %[[B]] : memref<?x64xf32>)
// CHECK-NEXT: return
func.func private @layer(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64xf32>) -> tensor<?x64xf32>
    attributes {fk.task = #fk.task<"decoder_layer", L3>} {
  %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  %1 = fk.silu %0 : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %1 : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @forward
// CHECK-SAME: fk.name = "hidden"
// CHECK-SAME: %[[Y:.*]]: memref<?x64xf32> {fk.dims = ["tokens"], fk.name = "out", fk.role = {kind = "rows"}, fkplan.result})
// CHECK: %[[W:.*]] = fkplan.weight @norm : memref<64xf32>
// CHECK: %[[B:.*]] = fkplan.buffer ["tokens"]
// CHECK: fkplan.call @layer outs(%[[B]] : memref<?x64xf32>) ins(%{{.*}}, %[[W]] : memref<?x64xf32>, memref<64xf32>)
// CHECK: fkplan.call @layer outs(%[[Y]] : memref<?x64xf32>) ins(%[[B]], %[[W]]
func.func @forward(%x: tensor<?x64xf32> {fk.dims = ["tokens"], fk.name = "hidden", fk.role = {kind = "packed", from = "hidden"}})
    -> (tensor<?x64xf32> {fk.dims = ["tokens"], fk.name = "out", fk.role = {kind = "rows"}}) {
  %w = fk.get_weight @norm : tensor<64xf32>
  %0 = call @layer(%x, %w) : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  %1 = call @layer(%0, %w) : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  return %1 : tensor<?x64xf32>
}

// -----

// What computes extents goes; a result that is another shape of what is written is viewed as that.
// CHECK-LABEL: func.func @views
// CHECK-SAME: %[[X:[^:]*]]: memref<?x64xf32>
// CHECK-SAME: %[[Y:[^:]*]]: memref<?x64xf32> {fk.dims = ["tokens"], fkplan.result}
// CHECK-NEXT: %[[OUT:.*]] = fkplan.view %[[Y]] ["tokens"] : memref<?x64xf32> to memref<?x4x16xf32>
// CHECK-NEXT: %[[Q:.*]] = fkplan.view %[[X]] ["tokens"] : memref<?x64xf32> to memref<?x4x16xf32>
// CHECK-NEXT: fkplan.launch "attention" outs(result = %[[OUT]] : memref<?x4x16xf32>) ins(query = %[[Q]] : memref<?x4x16xf32>, key = %[[Q]] : memref<?x4x16xf32>, value = %[[Q]] : memref<?x4x16xf32>, cu_seqlens = %{{.*}} : memref<?xi32>, sink = none)
// CHECK-SAME: axes(tokens = "tokens", seqs = "seqs", q_heads = "4", kv_heads = "4", head_dim = "16")
func.func @views(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %cu: tensor<?xi32> {fk.dims = ["seqs + 1"]}) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x64xf32>
  %q = tensor.expand_shape %x [[0], [1, 2]] output_shape [%t, 4, 16] : tensor<?x64xf32> into tensor<?x4x16xf32>
  %0 = fk.attention %q, %q, %q, %cu {scale = 0.25 : f32} : (tensor<?x4x16xf32>, tensor<?x4x16xf32>, tensor<?x4x16xf32>, tensor<?xi32>) -> tensor<?x4x16xf32>
  %1 = tensor.collapse_shape %0 [[0], [1, 2]] : tensor<?x4x16xf32> into tensor<?x64xf32>
  return %1 : tensor<?x64xf32>
}

// -----

fk.state @kv.0 : !fk.kv_cache<16 x 2 x 16 x f32>

// CHECK-LABEL: func.func @state
// CHECK: %[[S:.*]] = fkplan.state @kv.0 : memref<2x?x16x2x16xf32>
// CHECK: fkplan.launch "kv_cache_write" outs() ins(cache = %[[S]] : memref<2x?x16x2x16xf32>
// CHECK-SAME: axes(tokens = "tokens", pages = "pages", page_size = "16", kv_heads = "2", head_dim = "16")
func.func @state(%k: tensor<?x2x16xf32> {fk.dims = ["tokens"]}, %slots: tensor<?xi32> {fk.dims = ["tokens"]}) {
  %s = fk.get_state @kv.0 : !fk.kv_cache<16 x 2 x 16 x f32>
  fk.kv_cache_write %s, %k, %k, %slots : (!fk.kv_cache<16 x 2 x 16 x f32>, tensor<?x2x16xf32>, tensor<?x2x16xf32>, tensor<?xi32>) -> ()
  return
}
