//===- Passes.td - Passes from tasks to PTX ----------------*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_CODEGEN_PASSES_TD
#define FK_CODEGEN_PASSES_TD

include "mlir/Pass/PassBase.td"

def CodegenToLinalgPass : Pass<"fk-codegen-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Task ops become linalg, their functions get a kernel's signature";
  let description = [{
    Every function with a body is one kernel.

    1. Scalars and axes become arguments behind the tensors, in the order of the kernel
       signature. A function of one task takes them from that task; one of several tasks (a
       cluster) has no scalars, and its axes are the symbols of `fk.dims`.
    2. Task ops become `linalg.generic` on tensors: float32 inside, one rounding where a result is
       stored. Elementwise `arith` and `math` ops on tensors become `linalg.generic` too.
    3. Values of static axes and of variants are constants. They are noted in
       `kernel_static`.

    Before:
    ```mlir
    func.func @silu(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
      %0 = fk.silu %x : (tensor<?x64xf32>) -> tensor<?x64xf32>
      return %0 : tensor<?x64xf32>
    }
    ```
    After:
    ```mlir
    func.func @silu(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %tokens: i32, %features: i32)
        -> (tensor<?x64xf32> {fk.dims = ["tokens"]}) attributes {...} {
      %0 = linalg.generic {...} ins(%x : tensor<?x64xf32>) ... { exp, add, divide, multiply }
      return %0 : tensor<?x64xf32>
    }
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def CodegenSchedulePass : Pass<"fk-codegen-schedule", "::mlir::ModuleOp"> {
  let summary = "Functions of linalg become kernels: threads, vectors, reductions";
  let description = [{
    Each function becomes a `gpu.func` in a `gpu.module`, with bare pointers for its tensors. The
    whole function is one kernel: elements are computed where they are needed and never stored in
    between.

    1. Without reductions over a row, threads stride over the vectors of the results
       (`pointwise`). A function all of whose tensors have one layout is one flat array, its last
       elements handled singly.
    2. With reductions, a team of threads has a row (`rows`): up to a warp for short rows, several
       of them in a block; a block for long ones. Each thread holds its pieces of the row in
       registers; rows too long for that are read again in each pass. Reductions go by shuffles,
       and between warps through shared memory.
    3. A vector is 16 bytes of the narrowest tensor, or as much as rows are aligned to.

    The launch that the kernel wants is the attribute `kernel_launch`, in the form of a candidate's
    directive.
  }];
  let options = [
    Option<"threads", "threads", "int64_t", "0", "Threads of a row, or of a pointwise block; 0: chosen">,
    Option<"vectors", "vectors", "int64_t", "0", "Vectors a thread takes at a time in pointwise kernels; 0: chosen">,
    Option<"held", "held", "int64_t", "32", "Elements of a row a thread may hold in registers">,
    Option<"blocks", "blocks", "int64_t", "4224", "Most blocks of a pointwise kernel; threads stride over the rest">,
    Option<"pdl", "pdl", "bool", "true", "Wait for the launch before it by griddepcontrol">,
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def CodegenMathPass : Pass<"fk-codegen-math"> {
  let summary = "Replaces mathematical functions by instructions and polynomials";
  let description = [{
    No function of a device library is left. In float32:

    | op | becomes | error |
    |---|---|---|
    | `math.exp` | `ex2.approx(x * log2(e))` | 2 ulp + rounding of the argument |
    | `math.tanh` | a polynomial below 0.55, else `1 - 2 / (exp(2 x) + 1)` | 4 ulp |
    | `math.erf` | two polynomials and one `exp` | 3 ulp |
    | `math.rsqrt` | `1 / sqrt(x)`, both correctly rounded | 1 ulp |

    An op of the math dialect without an entry here, and that the target has no instruction for,
    is an error.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def CodegenToNVVMPass : Pass<"fk-codegen-to-nvvm", "::mlir::gpu::GPUModuleOp"> {
  let summary = "gpu, arith, math, cf and memref become LLVM and NVVM ops";
  let description = [{
    As `convert-gpu-to-nvvm` with bare pointers, but square roots and the like stay the back end's
    instructions: nothing becomes a call of a device library.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect"];
}

def CodegenPtxPass : Pass<"fk-codegen-ptx", "::mlir::ModuleOp"> {
  let summary = "Translates gpu modules to PTX, in the attribute kernel_ptx";
  let description = [{
    Each `gpu.module`, by now of LLVM and NVVM ops, becomes PTX text: the attribute `kernel_ptx` of the
    module. A call of a function that the text does not define (`__nv_expf`) is an error.
  }];
  let options = [
    Option<"arch", "arch", "std::string", "\"sm_90a\"", "Architecture">,
    Option<"features", "features", "std::string", "\"+ptx86\"", "Features of the back end: the PTX version">,
  ];
}

#endif // FK_CODEGEN_PASSES_TD
