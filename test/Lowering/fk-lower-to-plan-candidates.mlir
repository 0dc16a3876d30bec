// RUN: fk-opt %s --substitute=mlp@*.0.mlp:%S/../Transforms/Inputs/mlp.ptx --fk-inline-tasks --fk-select-kernels --fk-lower-to-plan | FileCheck %s

// A bound call is one launch, with the names of the function's signature; its function goes.
// CHECK: fk.candidate @"mlp:mlp.ptx"
// CHECK-NOT: @mlp(
// CHECK-LABEL: func.func private @layer(
// CHECK-SAME: %[[X:[^:]*]]: memref<?x64xbf16> {fk.dims = ["tokens"]}, %[[W:[^:]*]]: memref<64x64xbf16>, %[[Y:[^:]*]]: memref<?x64xbf16>
// CHECK-NEXT: fkplan.launch "mlp" outs(result = %[[Y]] : memref<?x64xbf16>) ins(arg0 = %[[X]] : memref<?x64xbf16>, arg1 = %[[W]] : memref<64x64xbf16>) scalars() variants() axes(tokens = "tokens") kernels [#fk.kernel<"candidate", "mlp:mlp.ptx">]
// The same function elsewhere is dissolved.
// CHECK-LABEL: func.func private @layer_0(
// CHECK-NEXT: fkplan.launch "linear"

func.func private @mlp(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %w: tensor<64x64xbf16>) -> tensor<?x64xbf16>
    attributes {fk.task = #fk.task<"mlp", L3>} {
  %0 = fk.linear %x, %w : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16> loc("down_proj")
  return %0 : tensor<?x64xbf16>
}
func.func private @layer(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %w: tensor<64x64xbf16>) -> tensor<?x64xbf16>
    attributes {fk.task = #fk.task<"layer", L3>} {
  %0 = call @mlp(%x, %w) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16> loc("mlp")
  return %0 : tensor<?x64xbf16>
}
func.func @forward(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %w: tensor<64x64xbf16>) -> tensor<?x64xbf16> {
  %0 = call @layer(%x, %w) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16> loc("model.layers.0")
  %1 = call @layer(%0, %w) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16> loc("model.layers.1")
  return %1 : tensor<?x64xbf16>
}
