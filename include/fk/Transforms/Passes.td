//===- Passes.td - Passes from fk to fk --------------------*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TRANSFORMS_PASSES_TD
#define FK_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def SubstitutePass : Pass<"fk-substitute", "::mlir::ModuleOp"> {
  let summary = "Binds task ops and calls of task functions to candidate kernels";
  let description = [{
    For each `<task>[@<place>]:<file>`:
    1. Reads and checks the candidate against the signature of its task.
    2. Declares it as `fk.candidate`.
    3. Binds every op of the task, or call of a function of that task, whose place the glob
       matches. The op keeps its meaning and becomes opaque to fusion.

    Before:
    ```mlir
    %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
    ```
    After `--substitute=rms_norm:cand.ptx`:
    ```mlir
    %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32, fk.candidate = @"rms_norm:cand.ptx"} : ...
    ```
  }];
  let options = [
    ListOption<"substitutes", "substitute", "std::string",
               "<task>[@<place>]:<file> of each candidate">,
    Option<"arch", "arch", "std::string", "\"sm_90a\"",
           "The GPU that the candidates must run on">,
  ];
  let dependentDialects = ["::fk::FKDialect", "::mlir::func::FuncDialect"];
}

def InlineTasksPass : Pass<"fk-inline-tasks", "::mlir::ModuleOp"> {
  let summary = "Dissolves task functions that no candidate replaces";
  let description = [{
    1. A call of a `#fk.task` function becomes the function's body, with the path of the call
       put before the places of its ops.
    2. A call that is bound to a candidate stays, and its function with it.
    3. A function of level L3 called from a public function stays, so that a layer is compiled
       once; `keep-layers=false` dissolves it too.
    4. Task functions without callers go.

    Before:
    ```mlir
    func.func private @mlp(%x: tensor<?x64xbf16>, %w: tensor<64x64xbf16>) -> tensor<?x64xbf16>
        attributes {fk.task = #fk.task<"mlp", L3>} {
      %0 = fk.linear %x, %w : ... loc("down_proj")
      return %0 : tensor<?x64xbf16>
    }
    func.func private @decoder_layer(...) {
      %1 = call @mlp(%a, %w) : ... loc("mlp")
    ```
    After:
    ```mlir
    func.func private @decoder_layer(...) {
      %1 = fk.linear %a, %w : ... loc(callsite("down_proj" at "mlp"))
    ```
  }];
  let options = [
    Option<"keepLayers", "keep-layers", "bool", "true",
           "Keep L3 functions that a public function calls">,
  ];
  let dependentDialects = ["::fk::FKDialect", "::mlir::func::FuncDialect"];
}

def RotateResidualsPass : Pass<"fk-rotate-residuals", "::mlir::ModuleOp"> {
  let summary = "Moves the sum at a layer's end to the norm of the next";
  let description = [{
    A decoder layer ends in a sum that the next layer, or the model's last norm, starts by
    norming. The two are in different functions, so that fk-fuse cannot join them.

    1. An L3 function that returns a sum, which some caller norms, returns the two sides; the
       callers add.
    2. An L3 function that norms a sum made by its caller takes the two sides and adds at its
       start. The first layer, which gets no sum, keeps the function as it was.

    fk-fuse then forms `add_rms_norm` at every boundary. Nothing happens where a candidate
    replaces the layer or the sum.

    Before:
    ```mlir
    func.func private @layer(%h: ...) { %n = fk.rms_norm %h ... %s = fk.add %a, %b  return %s }
    func.func @forward(...) { %1 = call @layer(%0) %2 = call @layer(%1) %3 = fk.rms_norm %2, %w ... }
    ```
    After:
    ```mlir
    func.func private @layer(%h: ...) { %n = fk.rms_norm %h ... return %a, %b }
    func.func private @layer.residual(%h0: ..., %h1: ...) { %h = fk.add %h0, %h1  %n = fk.rms_norm %h ... return %a, %b }
    func.func @forward(...) { %1:2 = call @layer(%0) %2:2 = call @layer.residual(%1#0, %1#1) %s = fk.add %2#0, %2#1  %3 = fk.rms_norm %s, %w ... }
    ```
  }];
  let dependentDialects = ["::fk::FKDialect", "::mlir::func::FuncDialect"];
}

def FusePass : Pass<"fk-fuse", "::mlir::ModuleOp"> {
  let summary = "Forms fused (L2) tasks of primitive ones";
  let description = [{
    | forms | from |
    |---|---|
    | `add_rms_norm` | `rms_norm` of an `add`; the sum may have other uses |
    | `gate_up_linear` + `silu_and_mul` | `mul` of a `silu` of a `linear` and another `linear` of the same input |
    | `gate_up_linear` + `gelu_and_mul` | likewise with `gelu` |
    | `qkv_linear` | the three `linear`s of one input behind query, key and value of an attention |
    | `qk_norm_rope` | `rope` of two per-head `rms_norm`s |

    Weights of linears that become one are joined by `tensor.concat` (see fk-hoist-weights). An op
    that is bound to a candidate is opaque: where it prevents a fusion, a remark says which one.

    Before:
    ```mlir
    %0 = fk.add %x, %r : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
    %1 = fk.rms_norm %0, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
    ```
    After:
    ```mlir
    %1, %0 = fk.add_rms_norm %x, %r, %w {epsilon = 1.0e-5 : f32} : ... -> (tensor<?x64xbf16>, tensor<?x64xbf16>)
    ```
  }];
  let options = [
    ListOption<"disabled", "disable", "std::string",
               "Fused tasks not to form; `all` turns the pass off">,
    ListOption<"only", "only", "std::string",
               "If given, the only fused tasks to form">,
  ];
  let dependentDialects = ["::fk::FKDialect", "::mlir::tensor::TensorDialect"];
}

def HoistWeightsPass : Pass<"fk-hoist-weights", "::mlir::ModuleOp"> {
  let summary = "Moves concatenation of weights out of functions and into fk.weight";
  let description = [{
    1. `tensor.concat` of arguments of a private function becomes one argument; the callers
       concatenate. An argument that is used elsewhere too stays beside it.
    2. `tensor.concat` of `fk.get_weight`s becomes a `fk.weight` whose parts are theirs.
    3. Weights nobody uses go.

    Before:
    ```mlir
    fk.weight @a [#fk.part<"a">] : tensor<8x4xbf16>
    fk.weight @b [#fk.part<"b">] : tensor<8x4xbf16>
    %a = fk.get_weight @a : tensor<8x4xbf16>
    %b = fk.get_weight @b : tensor<8x4xbf16>
    %0 = tensor.concat dim(0) %a, %b : (tensor<8x4xbf16>, tensor<8x4xbf16>) -> tensor<16x4xbf16>
    ```
    After:
    ```mlir
    fk.weight @"a+b" [#fk.part<"a">, #fk.part<"b">] : tensor<16x4xbf16>
    %0 = fk.get_weight @"a+b" : tensor<16x4xbf16>
    ```
  }];
  let dependentDialects = ["::fk::FKDialect", "::mlir::func::FuncDialect",
                           "::mlir::tensor::TensorDialect"];
}

def GrowClustersPass : Pass<"fk-grow-clusters", "::mlir::ModuleOp"> {
  let summary = "Joins tasks of the same rows into clusters for code generation";
  let description = [{
    A cluster is a private `#fk.task` function, called once, that becomes one generated kernel
    (fk-generate-kernels). It grows from an op to the producers of its operands:

    1. Pointwise tasks, gathers, elementwise `arith` and `math` ops on tensors (casts among them)
       and row reductions (norms, softmax) may join where producer and consumer have the same rows
       and the widths are static. At most `max-reductions` of them reduce.
    2. Each joint saves the producer's store, unless others read it too, and the consumer's load;
       one that saves nothing is not made.
    3. A cluster has at most `max-tensors` tensors with rows as arguments and results: what a
       thread holds in registers.
    4. An op bound to a candidate is opaque, and nothing moves past an op that depends on the
       cluster.

    The remark of a cluster says its tasks and the bytes it saves; where a joint was not made, a
    remark says why. `max-tensors=0` turns the pass off.

    Before:
    ```mlir
    %0 = fk.add %x, %r : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
    %1 = fk.layer_norm %0, %w, %b {epsilon = 1.0e-5 : f32} : ...
    ```
    After:
    ```mlir
    %1 = call @cluster_add_layer_norm(%x, %r, %w, %b) : ...
    ```
  }];
  let options = [
    Option<"maxTensors", "max-tensors", "int64_t", "8", "Tensors with rows of a cluster; 0: none is made">,
    Option<"maxReductions", "max-reductions", "int64_t", "1", "Tasks of a cluster that reduce">,
  ];
  let dependentDialects = ["::fk::FKDialect", "::mlir::func::FuncDialect"];
}

#endif // FK_TRANSFORMS_PASSES_TD
