// RUN: split-file %s %t
// RUN: fk-opt %t/model.mlir --substitute=rms_norm:%fk_source/test/Codegen/Inputs/rms_norm.mlir | FileCheck %s
// RUN: not fk-opt %t/model.mlir --substitute=rms_norm:%fk_source/test/Codegen/Inputs/silu.mlir 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not fk-opt %t/model.mlir --substitute=silu:%fk_source/test/Codegen/Inputs/silu.mlir 2>&1 | FileCheck %s --check-prefix=DTYPE
// RUN: not fk-opt %t/model.mlir --substitute=rms_norm:%t/broken.mlir 2>&1 | FileCheck %s --check-prefix=BROKEN
// RUN: not fk-opt %t/model.mlir --substitute=rms_norm:%t/width.mlir 2>&1 | FileCheck %s --check-prefix=WIDTH

// CHECK: fk.candidate @"rms_norm:rms_norm.mlir" for "rms_norm"
// CHECK-SAME: .visible .entry rms_norm
// CHECK: fk.rms_norm {{.*}}fk.candidate = @"rms_norm:rms_norm.mlir"
// NAME: error: {{.*}}the function has another name than the task: {{.*}}silu.mlir: wanted rms_norm, got silu (rename the function)
// DTYPE: error: {{.*}}the candidate does not serve the op's element type: {{.*}}silu.mlir: wanted f32, got bf16
// BROKEN: error: {{.*}}no kernel can be generated: {{.*}}broken.mlir: wanted one function, or one gpu.module, of fk, linalg or gpu ops, got {{.*}}broken.mlir:2:3: custom op 'nonsense' is unknown
// WIDTH: error: {{.*}}the candidate serves none of the shapes: {{.*}}width.mlir: wanted {{.*}}hidden = 64{{.*}}, got where hidden == 32

//--- model.mlir
func.func @f(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %w: tensor<64xbf16>, %y: tensor<?x64xf32> {fk.dims = ["tokens"]}) -> (tensor<?x64xbf16>, tensor<?x64xf32>) {
  %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  %1 = fk.silu %y : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0, %1 : tensor<?x64xbf16>, tensor<?x64xf32>
}

//--- broken.mlir
func.func @rms_norm() {
  nonsense
}
//--- width.mlir
func.func @rms_norm(%x: tensor<?x32xbf16>, %w: tensor<32xbf16>) -> tensor<?x32xbf16> {
  %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x32xbf16>, tensor<32xbf16>) -> tensor<?x32xbf16>
  return %0 : tensor<?x32xbf16>
}
