// REQUIRES: nvcc
// RUN: fk-opt %s --substitute=add_rms_norm:%fk_source/examples/candidates/add_rms_norm.cu --mlir-print-local-scope | FileCheck %s
// RUN: fk-opt %s --substitute=rms_norm:%fk_source/examples/candidates/two.json --mlir-print-local-scope | FileCheck %s --check-prefix=TWO

// A task that only arises by fusion is formed first.
// CHECK: fk.candidate @"add_rms_norm:add_rms_norm.cu" for "add_rms_norm"
// CHECK: fk.add_rms_norm {{.*}}fk.candidate = @"add_rms_norm:add_rms_norm.cu"
// CHECK-NOT: fk.add

// TWO: fk.candidate @"rms_norm:two.json"
// TWO: fk.add
// TWO: fk.rms_norm {{.*}}fk.candidate = @"rms_norm:two.json"
func.func @forward(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %r: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %w: tensor<64xbf16>) -> (tensor<?x64xbf16>, tensor<?x64xbf16>) {
  %0 = fk.add %x, %r : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16> loc("add")
  %1 = fk.rms_norm %0, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16> loc("norm")
  return %1, %0 : tensor<?x64xbf16>, tensor<?x64xbf16>
}
