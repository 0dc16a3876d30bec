// A Triton candidate is its PTX and the metadata that Triton wrote beside it: it
// needs no other file.
// RUN: rm -rf %t && mkdir %t
// RUN: cp %fk_source/test/emulator/triton/rms_norm.ptx %fk_source/test/emulator/triton/rms_norm.json %t
// RUN: fk-opt %s --substitute=rms_norm:%t/rms_norm.ptx --mlir-print-local-scope | FileCheck %s
// RUN: rm %t/rms_norm.json
// RUN: not fk-opt %s --substitute=rms_norm:%t/rms_norm.ptx 2>&1 | FileCheck %s --check-prefix=ALONE

// CHECK: fk.candidate @"rms_norm:rms_norm.ptx"
// CHECK-SAME: grid\22:[\22tokens\22
// CHECK-SAME: block\22:[\22128\22
// CHECK-SAME: smem\22:\221024\22
// CHECK-SAME: \22workspace\22,\22workspace\22]
// CHECK: fk.candidate = @"rms_norm:rms_norm.ptx"

// ALONE: the file does not say how to launch it
func.func @forward(%x: tensor<?x33xbf16>, %w: tensor<33xbf16>) -> tensor<?x33xbf16> {
  %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x33xbf16>, tensor<33xbf16>) -> tensor<?x33xbf16>
  return %0 : tensor<?x33xbf16>
}
