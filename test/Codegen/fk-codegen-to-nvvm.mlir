// RUN: fk-opt %s --pass-pipeline="builtin.module(gpu.module(fk-codegen-to-nvvm))" | FileCheck %s

// Square roots stay an intrinsic, pointers stay bare.
// CHECK: llvm.func @k(%{{.*}}: !llvm.ptr<1>, %{{.*}}: i32) attributes {gpu.kernel
// CHECK: nvvm.read.ptx.sreg.tid.x
// CHECK: llvm.intr.sqrt
// CHECK-NOT: __nv_
gpu.module @m {
  gpu.func @k(%x: !llvm.ptr<1>, %n: i32) kernel {
    %t = gpu.thread_id x
    %i = arith.index_cast %t : index to i64
    %p = llvm.getelementptr %x[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %v = llvm.load %p : !llvm.ptr<1> -> f32
    %r = math.sqrt %v : f32
    llvm.store %r, %p : f32, !llvm.ptr<1>
    gpu.return
  }
}
