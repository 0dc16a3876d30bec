// RUN: fk-opt %s --fk-inline-tasks --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s
// RUN: fk-opt %s --fk-inline-tasks=keep-layers=false --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s --check-prefix=FLAT
// RUN: fk-opt %s --fk-inline-tasks --remarks-filter=fk-inline-tasks --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// An L3 function inside another one dissolves; its ops get the path of its call.
// CHECK-NOT: @mlp
// CHECK-LABEL: func.func private @decoder_layer
// CHECK: fk.linear {{.*}} loc(callsite("down_proj" at "mlp"))
// CHECK-NOT: call

// FLAT-NOT: @decoder_layer
// FLAT: func.func @forward
// FLAT: fk.linear {{.*}} loc(callsite(callsite("down_proj" at "mlp") at "model.layers.0"))
// FLAT: fk.linear {{.*}} loc(callsite(callsite("down_proj" at "mlp") at "model.layers.1"))

// REMARK: [Passed] mlp | Category:fk-inline-tasks
// REMARK-SAME: Place=model.layers.*.mlp,
// REMARK-SAME: Text="dissolved into @decoder_layer"
// REMARK-NOT: decoder_layer | Category

func.func private @mlp(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64x64xf32>) -> tensor<?x64xf32>
    attributes {fk.task = #fk.task<"mlp", L3>} {
  %0 = fk.linear %x, %w : (tensor<?x64xf32>, tensor<64x64xf32>) -> tensor<?x64xf32> loc("down_proj")
  return %0 : tensor<?x64xf32>
}

func.func private @decoder_layer(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64x64xf32>) -> tensor<?x64xf32>
    attributes {fk.task = #fk.task<"decoder_layer", L3>} {
  %0 = call @mlp(%x, %w) : (tensor<?x64xf32>, tensor<64x64xf32>) -> tensor<?x64xf32> loc("mlp")
  return %0 : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @forward
// CHECK: call @decoder_layer{{.*}} loc("model.layers.0")
// CHECK: call @decoder_layer{{.*}} loc("model.layers.1")
func.func @forward(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64x64xf32>) -> tensor<?x64xf32> {
  %0 = call @decoder_layer(%x, %w) : (tensor<?x64xf32>, tensor<64x64xf32>) -> tensor<?x64xf32> loc("model.layers.0")
  %1 = call @decoder_layer(%0, %w) : (tensor<?x64xf32>, tensor<64x64xf32>) -> tensor<?x64xf32> loc("model.layers.1")
  return %1 : tensor<?x64xf32>
}
