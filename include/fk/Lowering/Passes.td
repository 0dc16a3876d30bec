//===- Passes.td - Passes from fk to the plan --------------*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LOWERING_PASSES_TD
#define FK_LOWERING_PASSES_TD

include "mlir/Pass/PassBase.td"

def SelectKernelsPass : Pass<"fk-select-kernels", "::mlir::ModuleOp"> {
  let summary = "Puts the kernels that can do it on every task op";
  let description = [{
    1. The candidate an op is bound to comes first.
    2. Then the rows of the kernel catalog for the task, the device and the element type, those
       of preferred providers first, then the largest priority. The `codegen` provider serves only
       ops whose widths are static. A condition that speaks of static axes only is decided here.
    3. The list ends with the first kernel that has no condition. An op without such a kernel
       is an error.

    Before:
    ```mlir
    %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
    ```
    After `device=host`:
    ```mlir
    %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32, fk.kernels = [#fk.kernel<"reference", "rms_norm">]} : ...
    ```
  }];
  let options = [
    Option<"device", "device", "std::string", "\"host\"", "host or cuda">,
    Option<"arch", "arch", "std::string", "\"sm_90a\"", "Of a cuda device">,
    ListOption<"prefer", "prefer", "std::string",
               "Providers whose kernels come before the others', best first">,
  ];
  let dependentDialects = ["::fk::FKDialect"];
}

def LowerToPlanPass : Pass<"fk-lower-to-plan", "::mlir::ModuleOp"> {
  let summary = "Turns tensors into buffers and views, and tasks into launches";
  let description = [{
    1. Results of functions become parameters that the caller provides.
    2. Each task op, and each call that is bound to a candidate, becomes a `fkplan.launch`.
    3. `tensor.expand_shape` and `tensor.collapse_shape` become `fkplan.view`.
    4. A launch writes straight into a result of its function where it can; a result that is
       an argument or a view of one, or is returned twice, is an error.

    Before:
    ```mlir
    func.func @f(%x: tensor<?x64xf32> {fk.dims = ["tokens"], fk.name = "x"})
        -> (tensor<?x64xf32> {fk.dims = ["tokens"], fk.name = "y"}) {
      %0 = fk.silu %x {fk.kernels = [#fk.kernel<"reference", "silu">]} : (tensor<?x64xf32>) -> tensor<?x64xf32>
      return %0 : tensor<?x64xf32>
    }
    ```
    After: a `func.func @f(memref<?x64xf32>, memref<?x64xf32>)` with one `fkplan.launch "silu"`.
  }];
  let dependentDialects = ["::fk::FKDialect", "::fk::FKPlanDialect",
                           "::mlir::func::FuncDialect"];
}

def PlanBuffersPass : Pass<"fk-plan-buffers", "::mlir::ModuleOp"> {
  let summary = "Lets buffers that are never alive together share a slot of the arena";
  let description = [{
    Walks each function once, in order. A buffer takes the free slot that fits it best, or a new
    one; its slot is free again after its last use (that of its views included). The outputs of a
    launch never lie in a slot of its inputs. The size of a slot is the largest of its buffers',
    an expression over the symbols. A remark says the peak with and without reuse.
  }];
  let options = [
    Option<"reuse", "reuse", "bool", "true", "false: a slot for every buffer">,
    ListOption<"symbols", "at", "std::string",
               "name=value of the symbols the remark reckons with">,
  ];
  let dependentDialects = ["::fk::FKPlanDialect"];
}

def GenerateKernelsPass : Pass<"fk-generate-kernels", "::mlir::ModuleOp"> {
  let summary = "Makes the kernels of the codegen provider";
  let description = [{
    Every op that fk-select-kernels gave a kernel of `codegen`, and every call of a cluster
    (fk-grow-clusters), is compiled to PTX by `fk-codegen`, or taken from the image cache. The
    kernel becomes an `fk.candidate` with its PTX and its launch inside, once for all ops that are
    alike, and the op's `#fk.kernel` names it.

    Before:
    ```mlir
    %0 = fk.silu %x {fk.kernels = [#fk.kernel<"codegen", "silu">]} : ...
    ```
    After:
    ```mlir
    fk.candidate @"codegen:silu.bf16" for "silu" from "silu.bf16" {manifest = "...", sha256 = "..."}
    %0 = fk.silu %x {fk.kernels = [#fk.kernel<"codegen", "codegen:silu.bf16">]} : ...
    ```
  }];
  let options = [
    Option<"arch", "arch", "std::string", "\"sm_90a\"", "Architecture of the code">,
  ];
  let dependentDialects = ["::fk::FKDialect"];
}

def VerifyPlanPass : Pass<"fk-verify-plan", "::mlir::ModuleOp"> {
  let summary = "Checks everything the runtime demands of a plan";
  let description = [{
    No tensors are left; every launch has kernels, the last of them unconditional; every extent
    speaks of known symbols; every buffer has a slot and lives alone in it; calls do not recurse.
  }];
}

#endif // FK_LOWERING_PASSES_TD
