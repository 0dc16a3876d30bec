// The whole way: bare-pointer entry of the task's signature, 16-byte accesses, shuffles,
// no call of a device library.
// RUN: fk-opt %s --fk-codegen | FileCheck %s

// CHECK: gpu.module @rms_norm_module attributes {kernel_ptx = "
// CHECK-SAME: .target sm_90a
// CHECK-SAME: .visible .entry rms_norm(
// CHECK-SAME: rms_norm_param_5
// CHECK-NOT: __nv_
// CHECK-SAME: ld.global.v4
// CHECK-SAME: shfl.sync.bfly
// CHECK-SAME: bar.sync
// CHECK-SAME: st.global.v4
// CHECK: llvm.func @rms_norm
// CHECK-SAME: kernel_launch = "grid=(tokens, 1, 1) block=(256, 1, 1) pdl=1 where=(hidden == 4096)"
func.func @rms_norm(%x: tensor<?x4096xbf16>, %w: tensor<4096xbf16>) -> tensor<?x4096xbf16> {
  %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x4096xbf16>, tensor<4096xbf16>) -> tensor<?x4096xbf16>
  return %0 : tensor<?x4096xbf16>
}
