// RUN: not fk-opt %s --substitute=rms_norm:%fk_source/examples/candidates/rms_norm.ptx 2>&1 | FileCheck %s
// The candidate's file says nothing of element types, so it serves bf16.
// CHECK: error: {{.*}}fk-substitute: candidate of 'rms_norm': the candidate does not serve the op's element type: {{.*}}rms_norm.ptx: wanted f32, got bf16 (name the file rms_norm.f32.ptx, or say "dtypes" in a manifest, if it does)
func.func @forward(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64xf32>) -> tensor<?x64xf32> {
  %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32> loc("a")
  return %0 : tensor<?x64xf32>
}
