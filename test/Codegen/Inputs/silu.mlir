// fk.launch: grid=(ceildiv(tokens * features, 256),1,1) block=(256,1,1)
gpu.module @m {
  gpu.func @silu(%y: !llvm.ptr<1>, %x: !llvm.ptr<1>, %tokens: i32, %features: i32) kernel {
    %t = gpu.thread_id x
    %b = gpu.block_id x
    %c256 = arith.constant 256 : index
    %base = arith.muli %b, %c256 : index
    %i = arith.addi %base, %t : index
    %nt = arith.extui %tokens : i32 to i64
    %nf = arith.extui %features : i32 to i64
    %n = arith.muli %nt, %nf : i64
    %ii = arith.index_cast %i : index to i64
    %in = arith.cmpi ult, %ii, %n : i64
    scf.if %in {
      %p = llvm.getelementptr %x[%ii] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, bf16
      %v = llvm.load %p : !llvm.ptr<1> -> bf16
      %f = arith.extf %v : bf16 to f32
      %neg = arith.negf %f : f32
      %e = math.exp %neg : f32
      %one = arith.constant 1.0 : f32
      %d = arith.addf %e, %one : f32
      %q = arith.divf %f, %d : f32
      %h = arith.truncf %q : f32 to bf16
      %po = llvm.getelementptr %y[%ii] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, bf16
      llvm.store %h, %po : bf16, !llvm.ptr<1>
    }
    gpu.return
  }
}
