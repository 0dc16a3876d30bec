// RUN: fk-opt %s --fk-hoist-weights | FileCheck %s

// Parts that follow one another in one tensor become one part.
// CHECK-DAG: fk.weight @"mlp.gate+up" [#fk.part<"mlp.gate_up_proj.weight", 0 to 16>] : tensor<16x4xf32>
// CHECK-DAG: fk.weight @"layers.0.q+k.weight" [#fk.part<"layers.0.q.weight", 0 to 8>, #fk.part<"layers.0.k.weight", 0 to 8>] : tensor<16x4xf32>
// CHECK-DAG: fk.weight @tied [#fk.part<"tied">] : tensor<8x4xf32>
// CHECK-NOT: fk.weight @unused
// CHECK-NOT: fk.weight @layers.0.q.weight
fk.weight @layers.0.q.weight [#fk.part<"layers.0.q.weight">] : tensor<8x4xf32>
fk.weight @layers.0.k.weight [#fk.part<"layers.0.k.weight">] : tensor<8x4xf32>
fk.weight @tied [#fk.part<"tied">] : tensor<8x4xf32>
fk.weight @mlp.gate [#fk.part<"mlp.gate_up_proj.weight", 0 to 8>] : tensor<8x4xf32>
fk.weight @mlp.up [#fk.part<"mlp.gate_up_proj.weight", 8 to 16>] : tensor<8x4xf32>
fk.weight @unused [#fk.part<"unused">] : tensor<8x4xf32>

// CHECK-LABEL: func.func private @layer
// CHECK-SAME: (%{{.*}}: tensor<?x4xf32> {fk.dims = ["tokens"]}, %[[W:.*]]: tensor<16x4xf32>)
// CHECK-NEXT: fk.linear %{{.*}}, %[[W]]
func.func private @layer(%x: tensor<?x4xf32> {fk.dims = ["tokens"]}, %q: tensor<8x4xf32>, %k: tensor<8x4xf32>) -> tensor<?x16xf32>
    attributes {fk.task = #fk.task<"decoder_layer", L3>} {
  %w = tensor.concat dim(0) %q, %k : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<16x4xf32>
  %0 = fk.linear %x, %w : (tensor<?x4xf32>, tensor<16x4xf32>) -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// An argument that is used elsewhere too stays beside the joined one.
// CHECK-LABEL: func.func private @shares
// CHECK-SAME: (%{{.*}}: tensor<?x4xf32> {fk.dims = ["tokens"]}, %[[Q:.*]]: tensor<8x4xf32>, %[[W:.*]]: tensor<16x4xf32>)
// CHECK-NEXT: fk.linear %{{.*}}, %[[W]]
// CHECK-NEXT: fk.linear %{{.*}}, %[[Q]]
func.func private @shares(%x: tensor<?x4xf32> {fk.dims = ["tokens"]}, %q: tensor<8x4xf32>, %k: tensor<8x4xf32>) -> (tensor<?x16xf32>, tensor<?x8xf32>)
    attributes {fk.task = #fk.task<"other_layer", L3>} {
  %w = tensor.concat dim(0) %q, %k : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<16x4xf32>
  %0 = fk.linear %x, %w : (tensor<?x4xf32>, tensor<16x4xf32>) -> tensor<?x16xf32>
  %1 = fk.linear %x, %q : (tensor<?x4xf32>, tensor<8x4xf32>) -> tensor<?x8xf32>
  return %0, %1 : tensor<?x16xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: func.func @forward
// CHECK: %[[QK:.*]] = fk.get_weight @"layers.0.q+k.weight" : tensor<16x4xf32>
// CHECK: call @layer(%{{.*}}, %[[QK]])
// CHECK-NOT: tensor.concat
func.func @forward(%x: tensor<?x4xf32> {fk.dims = ["tokens"]}) -> (tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x8xf32>) {
  %q = fk.get_weight @layers.0.q.weight : tensor<8x4xf32>
  %k = fk.get_weight @layers.0.k.weight : tensor<8x4xf32>
  %t = fk.get_weight @tied : tensor<8x4xf32>
  %0 = call @layer(%x, %q, %k) : (tensor<?x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<?x16xf32>
  %1, %2 = call @shares(%x, %t, %k) : (tensor<?x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>) -> (tensor<?x16xf32>, tensor<?x8xf32>)
  return %0, %1, %2 : tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: func.func @parts
// CHECK: fk.get_weight @"mlp.gate+up"
func.func @parts(%x: tensor<?x4xf32> {fk.dims = ["tokens"]}) -> tensor<?x16xf32> {
  %g = fk.get_weight @mlp.gate : tensor<8x4xf32>
  %u = fk.get_weight @mlp.up : tensor<8x4xf32>
  %w = tensor.concat dim(0) %g, %u : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<16x4xf32>
  %0 = fk.linear %x, %w : (tensor<?x4xf32>, tensor<16x4xf32>) -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}
