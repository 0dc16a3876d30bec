// RUN: fk-opt %s --fk-rotate-residuals --split-input-file | FileCheck %s
// RUN: fk-opt %s --fk-rotate-residuals --fk-fuse --split-input-file | FileCheck %s --check-prefix=FUSED
// RUN: fk-opt %s --fk-rotate-residuals --split-input-file --remarks-filter=fk-rotate-residuals --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// The first layer gets no sum, so that it keeps its one argument.
// CHECK-LABEL: func.func private @layer(
// CHECK-SAME: %[[H:.*]]: tensor<?x64xf32> {fk.dims = ["tokens"]}, %[[W:.*]]: tensor<64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>)
// CHECK-NEXT: %[[N:.*]] = fk.rms_norm %[[H]]
// CHECK-NEXT: %[[S:.*]] = fk.silu %[[N]]
// CHECK-NEXT: %[[A:.*]] = fk.add %[[H]], %[[S]]
// CHECK-NEXT: %[[T:.*]] = fk.tanh %[[A]]
// CHECK-NEXT: return %[[A]], %[[T]]

// CHECK-LABEL: func.func private @layer.residual(
// CHECK-SAME: %[[L:.*]]: tensor<?x64xf32> {fk.dims = ["tokens"]}, %[[R:.*]]: tensor<?x64xf32> {fk.dims = ["tokens"]}, %{{.*}}: tensor<64xf32>)
// CHECK-NEXT: %[[H:.*]] = fk.add %[[L]], %[[R]]
// CHECK-NEXT: fk.rms_norm %[[H]]
// CHECK-NEXT: fk.silu
// CHECK-NEXT: fk.add %[[H]]

// CHECK-LABEL: func.func @forward
// CHECK: %[[ONE:.*]]:2 = call @layer(%
// CHECK-NEXT: %[[TWO:.*]]:2 = call @layer.residual(%[[ONE]]#0, %[[ONE]]#1, %
// CHECK-NEXT: %[[THREE:.*]]:2 = call @layer.residual(%[[TWO]]#0, %[[TWO]]#1, %
// CHECK-NEXT: %[[SUM:.*]] = fk.add %[[THREE]]#0, %[[THREE]]#1
// CHECK-NEXT: fk.rms_norm %[[SUM]]

// FUSED-LABEL: func.func private @layer.residual(
// FUSED-NEXT: fk.add_rms_norm
// FUSED-LABEL: func.func @forward
// FUSED: fk.add_rms_norm
// FUSED-NOT: fk.add
// FUSED: // -----

// REMARK: [Passed] add_rms_norm | Category:fk-rotate-residuals
// REMARK-SAME: the sum at the end of @layer moves to where it is normed
func.func private @layer(%h: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64xf32>) -> tensor<?x64xf32>
    attributes {fk.task = #fk.task<"decoder_layer", L3>} {
  %0 = fk.rms_norm %h, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  %1 = fk.silu %0 : (tensor<?x64xf32>) -> tensor<?x64xf32>
  %2 = fk.add %h, %1 : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %3 = fk.tanh %2 : (tensor<?x64xf32>) -> tensor<?x64xf32>
  %4 = fk.add %2, %3 : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  return %4 : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64xf32>) -> tensor<?x64xf32> {
  %0 = call @layer(%x, %w) : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  %1 = call @layer(%0, %w) : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  %2 = call @layer(%1, %w) : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  %3 = fk.rms_norm %2, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  return %3 : tensor<?x64xf32>
}

// -----

// The sum is returned by the model too: one op gives both.
// CHECK-LABEL: func.func private @layer(
// CHECK: return %{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<?x64xf32>
// FUSED-LABEL: func.func @needed
// FUSED: %[[N:.*]], %[[S:.*]] = fk.add_rms_norm
// FUSED: return %[[S]], %[[N]]
func.func private @layer(%h: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64xf32>) -> tensor<?x64xf32>
    attributes {fk.task = #fk.task<"decoder_layer", L3>} {
  %0 = fk.rms_norm %h, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  %1 = fk.silu %0 : (tensor<?x64xf32>) -> tensor<?x64xf32>
  %2 = fk.add %0, %1 : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  return %2 : tensor<?x64xf32>
}
func.func @needed(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %0 = call @layer(%x, %w) : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  %1 = fk.rms_norm %0, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  return %0, %1 : tensor<?x64xf32>, tensor<?x64xf32>
}

// -----

// Nobody norms the sum.
// CHECK-LABEL: func.func private @layer(
// CHECK: %[[S:.*]] = fk.add
// CHECK-NEXT: return %[[S]] : tensor<?x64xf32>
func.func private @layer(%h: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64xf32>) -> tensor<?x64xf32>
    attributes {fk.task = #fk.task<"decoder_layer", L3>} {
  %0 = fk.tanh %h : (tensor<?x64xf32>) -> tensor<?x64xf32>
  %1 = fk.silu %0 : (tensor<?x64xf32>) -> tensor<?x64xf32>
  %2 = fk.add %0, %1 : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  return %2 : tensor<?x64xf32>
}
func.func @unnormed(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64xf32>) -> tensor<?x64xf32> {
  %0 = call @layer(%x, %w) : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// REMARK: [Missed] add_rms_norm | Category:fk-rotate-residuals
// REMARK-SAME: add is bound to candidate 'add:a.ptx', which is opaque to fusion
fk.candidate @"add:a.ptx" for "add" from "a.ptx" {sha256 = "0000000000000000000000000000000000000000000000000000000000000000", manifest = "{}"}
func.func private @layer(%h: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64xf32>) -> tensor<?x64xf32>
    attributes {fk.task = #fk.task<"decoder_layer", L3>} {
  %0 = fk.rms_norm %h, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  %1 = fk.silu %0 : (tensor<?x64xf32>) -> tensor<?x64xf32>
  %2 = fk.add %0, %1 {fk.candidate = @"add:a.ptx"} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  return %2 : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64xf32>) -> tensor<?x64xf32> {
  %0 = call @layer(%x, %w) : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  %1 = fk.rms_norm %0, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  return %1 : tensor<?x64xf32>
}
