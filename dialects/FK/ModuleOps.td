//===- ModuleOps.td - Weights, states, candidates ----------*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_MODULEOPS_TD
#define FK_DIALECTS_FK_MODULEOPS_TD

include "dialects/FK/FKBase.td"
include "mlir/IR/SymbolInterfaces.td"

def FK_WeightOp : FK_Op<"weight", [Symbol]> {
  let summary = "Declares a weight by checkpoint name and preparation";
  let description = [{
    The weight is `parts` concatenated along dimension 0, converted to the type's element, or
    what `rope_table` says. Its data never enters the IR.

    Constraints:
    - (C1) The type is a ranked tensor of at least one dimension.
    - (C2) Either `parts` or `rope_table` is there.
    - (C3) A rope table is `tensor<?xRxf32>`, R being its rotary_dim.
    - (C4) Any other weight has static extents.
    - (C5) There is a part; each names a tensor and, if not all of it, rows `begin to end` with
      0 <= begin < end.
    - (C6) The parts' rows add up to the first extent.

    Example:
    ```mlir
    fk.weight @"model.norm.weight" [#fk.part<"model.norm.weight">] : tensor<64xbf16>
    fk.weight @rope.cos_sin rope <"default", rotary_dim = 16, {theta = 1.0e4 : f64}> : tensor<?x16xf32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<ArrayAttr>:$parts,
                       OptionalAttr<FK_RopeTableAttr>:$rope_table, TypeAttr:$type);
  let assemblyFormat = [{ $sym_name ($parts^)? (`rope` $rope_table^)? `:` $type attr-dict }];
  let hasVerifier = 1;
}

def FK_GetWeightOp : FK_Op<"get_weight", [Pure,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "The value of a declared weight";
  let description = [{
    Constraints:
    - (C1) `weight` names an `fk.weight` of the module.
    - (C2) The result has its type.

    Example:
    ```mlir
    fk.weight @norm [#fk.part<"model.norm.weight">] : tensor<64xbf16>
    func.func private @f() {
      %w = fk.get_weight @norm : tensor<64xbf16>
      return
    }
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$weight `:` type($result) attr-dict";
}

def FK_StateOp : FK_Op<"state", [Symbol]> {
  let summary = "Declares a state that lives from one call to the next";
  let description = [{
    Constraints:
    - (C1) The type is `!fk.kv_cache`.

    Example:
    ```mlir
    fk.state @kv.0 : !fk.kv_cache<16 x 2 x 16 x bf16>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
  let hasVerifier = 1;
}

def FK_GetStateOp : FK_Op<"get_state", [Pure,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "The handle of a declared state";
  let description = [{
    Constraints:
    - (C1) `state` names an `fk.state` of the module.
    - (C2) The result has its type.

    Example:
    ```mlir
    fk.state @kv.0 : !fk.kv_cache<16 x 2 x 16 x bf16>
    func.func private @f() {
      %cache = fk.get_state @kv.0 : !fk.kv_cache<16 x 2 x 16 x bf16>
      return
    }
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$state);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$state `:` type($result) attr-dict";
}

def FK_CandidateOp : FK_Op<"candidate", [Symbol]> {
  let summary = "A user's kernel that ops of the module are bound to";
  let description = [{
    `manifest` is the checked, canonical JSON of the candidate (`fk::PlanCandidate`); the image
    is read from `file` again when the plan is written, and must still have the hash `sha256`.
    An op or a call is bound to it by the attribute `fk.candidate = @name`.

    Constraints:
    - (C1) `task` is a name.
    - (C2) `sha256` is 64 lower-case hexadecimal digits.

    Example:
    ```mlir
    fk.candidate @"rms_norm:cand.ptx" for "rms_norm" from "cand.ptx" {manifest = "{}",
        sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$task, StrAttr:$file,
                       StrAttr:$sha256, StrAttr:$manifest);
  let assemblyFormat = "$sym_name `for` $task `from` $file attr-dict";
  let hasVerifier = 1;
}

#endif // FK_DIALECTS_FK_MODULEOPS_TD
