// RUN: fk-opt %s --substitute=rms_norm:%fk_source/examples/candidates/rms_norm.ptx --mlir-print-local-scope | FileCheck %s
// RUN: fk-opt %s --fk-substitute=substitute=rms_norm:%fk_source/examples/candidates/rms_norm.ptx --mlir-print-local-scope | FileCheck %s
// RUN: fk-opt %s --substitute=rms_norm@model.layers.1.*:%fk_source/examples/candidates/rms_norm.ptx --mlir-print-local-scope | FileCheck %s --check-prefix=PLACE
// RUN: fk-opt %s --substitute=rms_norm@model.layers.?.first:%fk_source/examples/candidates/rms_norm.ptx,rms_norm@*.second:%fk_source/examples/candidates/rms_norm_fast.ptx --mlir-print-local-scope | FileCheck %s --check-prefix=TWO
// RUN: fk-opt %s --substitute=rms_norm:%fk_source/examples/candidates/rms_norm.ptx --remarks-filter=fk-substitute --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// Everywhere: the candidate is declared once and the ops keep their meaning.
// CHECK: fk.candidate @"rms_norm:rms_norm.ptx" for "rms_norm" from "{{.*}}rms_norm.ptx" {manifest = "{{.*}}", sha256 = "{{[0-9a-f]+}}"}
// CHECK-LABEL: func.func private @layer
// CHECK: fk.rms_norm {{.*}}epsilon = {{.*}}fk.candidate = @"rms_norm:rms_norm.ptx"
// CHECK: fk.silu
// CHECK-NOT: fk.candidate
// CHECK: fk.rms_norm {{.*}}fk.candidate = @"rms_norm:rms_norm.ptx"
// CHECK-LABEL: func.func @forward
// CHECK: call @layer(
// CHECK: call @layer(
// CHECK: call @layer(
// CHECK-NOT: fk.candidate

// One layer of three: it gets a function of its own.
// PLACE-LABEL: func.func private @layer(
// PLACE-NOT: fk.candidate
// PLACE-LABEL: func.func private @layer_0(
// PLACE: fk.rms_norm {{.*}}fk.candidate
// PLACE: fk.rms_norm {{.*}}fk.candidate
// PLACE-LABEL: func.func @forward
// PLACE: call @layer(
// PLACE: call @layer_0(
// PLACE: call @layer(

// Two candidates for one task, told apart by place; no function is cloned.
// TWO-DAG: fk.candidate @"rms_norm:rms_norm.ptx"
// TWO-DAG: fk.candidate @"rms_norm:rms_norm_fast.ptx"
// TWO-LABEL: func.func private @layer(
// TWO: fk.rms_norm {{.*}}fk.candidate = @"rms_norm:rms_norm.ptx"
// TWO: fk.rms_norm {{.*}}fk.candidate = @"rms_norm:rms_norm_fast.ptx"
// TWO-NOT: @layer_0

// REMARK: [Passed] rms_norm | Category:fk-substitute
// REMARK-SAME: Place=model.layers.*.first
// REMARK-SAME: Text="bound to candidate rms_norm:rms_norm.ptx in 3 places"
// REMARK: Text="candidate rms_norm:rms_norm.ptx: 'rms_norm': sm_80

func.func private @layer(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %w: tensor<64xbf16>) -> tensor<?x64xbf16>
    attributes {fk.task = #fk.task<"decoder_layer", L3>} {
  %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16> loc("first")
  %1 = fk.silu %0 : (tensor<?x64xbf16>) -> tensor<?x64xbf16> loc("act")
  %2 = fk.rms_norm %1, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16> loc("second")
  return %2 : tensor<?x64xbf16>
}
func.func @forward(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %w: tensor<64xbf16>) -> tensor<?x64xbf16> {
  %0 = call @layer(%x, %w) : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16> loc("model.layers.0")
  %1 = call @layer(%0, %w) : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16> loc("model.layers.1")
  %2 = call @layer(%1, %w) : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16> loc("model.layers.2")
  return %2 : tensor<?x64xbf16>
}
