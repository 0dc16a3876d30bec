// RUN: fk-opt %s --fk-codegen-to-linalg --canonicalize --cse --fk-codegen-schedule --cse --canonicalize --split-input-file | FileCheck %s
// RUN: fk-opt %s --fk-codegen-to-linalg --canonicalize --cse --fk-codegen-schedule="pdl=false threads=64 vectors=1 blocks=7" --split-input-file | FileCheck %s --check-prefix=OPTIONS

// All tensors have one layout: one array, 16 bytes a vector, the last elements singly.
// CHECK-LABEL: gpu.func @silu
// CHECK-SAME: kernel_launch = "grid=(min(ceildiv(ceildiv(tokens * 65, 8), 512), 4224), 1, 1) block=(256, 1, 1) pdl=1 where=(features == 65)"
// CHECK: nvvm.griddepcontrol wait
// CHECK: scf.for
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<8xbf16>
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<8xbf16>
// CHECK: scf.if
// CHECK: llvm.load %{{.*}} {alignment = 2 : i64} : !llvm.ptr<1> -> bf16
// OPTIONS-LABEL: gpu.func @silu
// OPTIONS-SAME: kernel_launch = "grid=(min(ceildiv(ceildiv(tokens * 65, 8), 64), 7), 1, 1) block=(64, 1, 1) where=(features == 65)"
// OPTIONS-NOT: nvvm.griddepcontrol
func.func @silu(%x: tensor<?x65xbf16>) -> tensor<?x65xbf16> {
  %0 = fk.silu %x : (tensor<?x65xbf16>) -> tensor<?x65xbf16>
  return %0 : tensor<?x65xbf16>
}

// -----

// The halves of a row have two layouts: rows of vectors, as wide as both are aligned to.
// CHECK-LABEL: gpu.func @silu_and_mul
// CHECK-SAME: grid=(min(ceildiv(tokens * 3, 512), 4224), 1, 1)
// CHECK: arith.divui
// CHECK: vector<4xbf16>
// CHECK-NOT: vector<8xbf16>
func.func @silu_and_mul(%x: tensor<?x24xbf16>) -> tensor<?x12xbf16> {
  %0 = fk.silu_and_mul %x : (tensor<?x24xbf16>) -> tensor<?x12xbf16>
  return %0 : tensor<?x12xbf16>
}

// -----

// Short rows: several in a block, shuffles alone.
// CHECK-LABEL: gpu.func @softmax
// CHECK-SAME: grid=(ceildiv(rows, 32), 1, 1) block=(256, 1, 1)
// CHECK-COUNT-6: nvvm.shfl.sync bfly
// CHECK-NOT: gpu.barrier
func.func @softmax(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %0 = fk.softmax %x : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %0 : tensor<?x64xbf16>
}

// -----

// A block a row, its pieces in registers: each is read once.
// CHECK: llvm.mlir.global internal @softmax_partials_1() {addr_space = 3 : i32
// CHECK-LABEL: gpu.func @softmax
// CHECK-SAME: grid=(rows, 1, 1) block=(256, 1, 1)
// CHECK-COUNT-2: llvm.load %{{.*}} : !llvm.ptr<1>
// CHECK-NOT: !llvm.ptr<1> ->
// CHECK: gpu.barrier
// CHECK: gpu.barrier
// CHECK-NOT: gpu.barrier
func.func @softmax(%x: tensor<?x4096xbf16>) -> tensor<?x4096xbf16> {
  %0 = fk.softmax %x : (tensor<?x4096xbf16>) -> tensor<?x4096xbf16>
  return %0 : tensor<?x4096xbf16>
}

// -----

// Rows too long for that are read in each of the three passes.
// CHECK-LABEL: gpu.func @softmax
// CHECK-SAME: block=(1024, 1, 1)
// CHECK-COUNT-3: scf.for
func.func @softmax(%x: tensor<?x131072xbf16>) -> tensor<?x131072xbf16> {
  %0 = fk.softmax %x : (tensor<?x131072xbf16>) -> tensor<?x131072xbf16>
  return %0 : tensor<?x131072xbf16>
}

// -----

// Query and key have rows of their own, and blocks of their own.
// CHECK-LABEL: gpu.func @qk_norm_rope
// CHECK-SAME: grid=(ceildiv(tokens * 4, 64) + ceildiv(tokens * 2, 64), 1, 1)
// CHECK: scf.if
// CHECK: nvvm.shfl.sync
// CHECK: } else {
// CHECK: nvvm.shfl.sync
func.func @qk_norm_rope(%q: tensor<?x4x64xbf16>, %k: tensor<?x2x64xbf16>, %qw: tensor<64xbf16>, %kw: tensor<64xbf16>, %p: tensor<?xi32>, %t: tensor<?x64xf32>) -> (tensor<?x4x64xbf16>, tensor<?x2x64xbf16>) {
  %0, %1 = fk.qk_norm_rope %q, %k, %qw, %kw, %p, %t {epsilon = 1.0e-6 : f32, rotary_dim = 64 : i32} : (tensor<?x4x64xbf16>, tensor<?x2x64xbf16>, tensor<64xbf16>, tensor<64xbf16>, tensor<?xi32>, tensor<?x64xf32>) -> (tensor<?x4x64xbf16>, tensor<?x2x64xbf16>)
  return %0, %1 : tensor<?x4x64xbf16>, tensor<?x2x64xbf16>
}
