// RUN: fk-opt %s --fk-compile="device=cuda prefer=codegen" --dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=PIPELINE
// RUN: fk-opt %s --fk-compile="device=cuda prefer=codegen" | FileCheck %s
// RUN: fk-opt %s --fk-compile="device=cuda prefer=codegen grow-clusters=false" | FileCheck %s --check-prefix=APART

// PIPELINE: fk-hoist-weights,
// PIPELINE-NEXT: fk-grow-clusters{max-reductions=1 max-tensors=8},
// PIPELINE-NEXT: fk-select-kernels{arch=sm_90a device=cuda prefer={codegen}},
// PIPELINE-NEXT: fk-generate-kernels{arch=sm_90a},

// A cluster is one launch, and its function is gone.
// CHECK: fk.candidate @"codegen:cluster_add_layer_norm.bf16"
// CHECK-NOT: func.func private
// CHECK: fkplan.launch "cluster_add_layer_norm"
// CHECK-SAME: axes(tokens = "tokens") kernels [#fk.kernel<"codegen", "codegen:cluster_add_layer_norm.bf16">]
// CHECK-NOT: fkplan.launch
// APART: fkplan.launch "add"
// APART: fkplan.launch "layer_norm"
func.func @forward(%x: tensor<?x64xbf16> {fk.dims = ["tokens"], fk.name = "x", fk.role = {kind = "packed", from = "x"}}, %r: tensor<?x64xbf16> {fk.dims = ["tokens"], fk.name = "r", fk.role = {kind = "packed", from = "r"}}) -> (tensor<?x64xbf16> {fk.name = "y", fk.dims = ["tokens"], fk.role = {kind = "rows"}}) {
  %w = fk.get_weight @w : tensor<64xbf16>
  %0 = fk.add %x, %r : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %1 = fk.layer_norm %0, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  return %1 : tensor<?x64xbf16>
}
fk.weight @w [#fk.part<"w">] : tensor<64xbf16>
