// RUN: fk-opt %s --fk-select-kernels --split-input-file --verify-diagnostics
// RUN: not fk-opt %s --fk-select-kernels=device=tpu 2>&1 | FileCheck %s
// RUN: not fk-opt %s --fk-select-kernels="device=cuda arch=hopper" 2>&1 | FileCheck %s --check-prefix=ARCH

// CHECK: error: fk-select-kernels: unknown device 'tpu': wanted host or cuda
// ARCH: error: fk-select-kernels: unknown architecture 'hopper': wanted one such as sm_90a

// f64 has kernels nowhere.
func.func @f64(%x: tensor<?x64xf64> {fk.dims = ["tokens"]}) -> tensor<?x64xf64> {
  // expected-error@below {{no kernel of task 'silu' for f64 on host serves every shape at '@f64': there is cuda:silu (cuda, bf16,f16,f32)}}
  %0 = fk.silu %x : (tensor<?x64xf64>) -> tensor<?x64xf64>
  return %0 : tensor<?x64xf64>
}
