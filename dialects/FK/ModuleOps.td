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
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$weight `:` type($result) attr-dict";
}

def FK_StateOp : FK_Op<"state", [Symbol]> {
  let summary = "Declares a state that lives from one call to the next";
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
  let hasVerifier = 1;
}

def FK_GetStateOp : FK_Op<"get_state", [Pure,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "The handle of a declared state";
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
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$task, StrAttr:$file,
                       StrAttr:$sha256, StrAttr:$manifest);
  let assemblyFormat = "$sym_name `for` $task `from` $file attr-dict";
  let hasVerifier = 1;
}

#endif // FK_DIALECTS_FK_MODULEOPS_TD
