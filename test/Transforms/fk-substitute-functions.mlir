// RUN: fk-opt %s --substitute=mlp:%S/Inputs/mlp.ptx --mlir-print-local-scope | FileCheck %s
// RUN: fk-opt %s --substitute=mlp@*.0.mlp:%S/Inputs/mlp.ptx --mlir-print-local-scope | FileCheck %s --check-prefix=PLACE
// RUN: not fk-opt %s --substitute=mlp:%S/Inputs/mlp.ptx,linear:%S/Inputs/mlp.ptx 2>&1 | FileCheck %s --check-prefix=BELOW

// A task function is replaced whole: the call is bound.
// CHECK: fk.candidate @"mlp:mlp.ptx" for "mlp"
// CHECK-SAME: {{.*}}result{{.*}}arg0{{.*}}arg1{{.*}}tokens
// CHECK-LABEL: func.func private @layer
// CHECK: call @mlp({{.*}}) {fk.candidate = @"mlp:mlp.ptx"}

// The path of calls is cloned down to the call that is bound.
// PLACE: func.func private @mlp(
// PLACE: func.func private @layer(
// PLACE-NEXT: call @mlp({{.*}}) {fk.candidate = @"mlp:mlp.ptx"}
// PLACE: func.func private @layer_0(
// PLACE-NEXT: call @mlp({{[^)]*}}) :
// PLACE: func.func @forward
// PLACE: call @layer(
// PLACE: call @layer_0(

// What lies below a bound call is no place any more.
// BELOW: error: fk-substitute: nothing to substitute: 'linear:{{.*}}': wanted a task of the module (layer, mlp), got 'linear'

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
