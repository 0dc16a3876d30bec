//===- FKBase.td - Dialect, types, attributes, op classes --*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_FKBASE_TD
#define FK_DIALECTS_FK_FKBASE_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def FK_Dialect : Dialect {
  let name = "fk";
  let cppNamespace = "::fk";
  let summary = "Kernel tasks: the ops a production library ships a kernel for";
  let description = [{
    Every op of this dialect that implements `TaskOpInterface` is a benchmark task: a unit
    that a kernel can implement. Tensors are builtin ranked tensors, dense and row-major;
    a dynamic dimension is named by a symbol (`fk.dims`) on the function argument that
    brings it. Reshapes, slices and elementwise arithmetic are upstream ops.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class FK_Type<string name, string typeMnemonic> : TypeDef<FK_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def FK_KVCacheType : FK_Type<"KVCache", "kv_cache"> {
  let summary = "Paged key/value cache of one attention layer";
  let description = [{
    A handle to `[2, pages, page_size, kv_heads, head_dim]` elements in device memory: keys,
    then values. `pages` is a symbol of the module. Token `t` of a sequence lies in page
    `block_table[seq, t / page_size]`, row `t % page_size`.

    Constraints:
    - (C1) page_size, kv_heads and head_dim are positive.
    - (C2) Elements are bf16, f16, f32 or f64.

    Example: `!fk.kv_cache<16 x 8 x 128 x bf16>` (page_size, kv_heads, head_dim, element).
  }];
  let parameters = (ins "int64_t":$pageSize, "int64_t":$kvHeads,
                        "int64_t":$headDim, "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $pageSize `x` $kvHeads `x` $headDim `x` $elementType `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class FK_Attr<string name, string attrMnemonic> : AttrDef<FK_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def FK_Level : I32EnumAttr<"Level", "level of a task", [
    I32EnumAttrCase<"L1", 1>, I32EnumAttrCase<"L2", 2>,
    I32EnumAttrCase<"L3", 3>, I32EnumAttrCase<"L4", 4>]> {
  let cppNamespace = "::fk";
  let genSpecializedAttr = 0;
}

def FK_TaskAttr : FK_Attr<"Task", "task"> {
  let summary = "Marks a function as a task: #fk.task<\"decoder_layer\", L3>";
  let parameters = (ins StringRefParameter<>:$name,
                        EnumParameter<FK_Level>:$level);
  let assemblyFormat = "`<` $name `,` $level `>`";
}

def FK_PartAttr : FK_Attr<"Part", "part"> {
  let summary = "Rows [begin, end) of a checkpoint tensor; end -1: to its last row";
  let parameters = (ins StringRefParameter<>:$tensor,
                        DefaultValuedParameter<"int64_t", "0">:$begin,
                        DefaultValuedParameter<"int64_t", "-1">:$end);
  let assemblyFormat = "`<` $tensor `` custom<PartRange>($begin, $end) `>`";
}

def FK_RopeTableAttr : FK_Attr<"RopeTable", "rope_table"> {
  let summary = "How a table of rotary cosines and sines is made";
  let description = [{
    `settings` holds the config's numbers by the names of `fk::RopeTable` in runtime/Plan.h, in
    snake_case; a type (`default`, `linear`, `dynamic`, `yarn`, `llama3`, `longrope`) needs the
    settings its formula uses (runtime/RopeTable.h).

    Constraints:
    - (C1) `type` is one of the above.
    - (C2) `rotary_dim` is even and positive.
    - (C3) Every setting the type needs is there, and none it does not know.
    - (C4) Settings are numbers; `truncate` is a bool; `short_factor` and `long_factor` are
      `array<f64>` of rotary_dim / 2 numbers.
  }];
  let parameters = (ins StringRefParameter<>:$type, "int64_t":$rotaryDim,
                        "::mlir::DictionaryAttr":$settings);
  let assemblyFormat = "`<` $type `,` `rotary_dim` `=` $rotaryDim `,` $settings `>`";
  let genVerifyDecl = 1;
}

def FK_KernelAttr : FK_Attr<"Kernel", "kernel"> {
  let summary = "A kernel chosen for a task op, tried where its condition holds";
  let parameters = (ins StringRefParameter<>:$provider, StringRefParameter<>:$name,
                        StringRefParameter<"a condition over the task's axes", "\"\"">:$where);
  let assemblyFormat = "`<` $provider `,` $name (`,` `where` `=` $where^)? `>`";
}

//===----------------------------------------------------------------------===//
// Task ops
//===----------------------------------------------------------------------===//

def FK_TaskOpInterface : OpInterface<"TaskOpInterface"> {
  let cppNamespace = "::fk";
  let description = [{
    A unit that a kernel can implement. Everything follows from the signature
    (runtime/support/Signature.h): the verifier, axes, symbolic shapes, the C prototype.
  }];
  let methods = [
    StaticInterfaceMethod<"The task's snake_case name.", "::llvm::StringRef", "getTaskName">,
    StaticInterfaceMethod<"L1 or L2.", "::fk::Level", "getTaskLevel">,
    StaticInterfaceMethod<"The family: norm, linear, attention, ...", "::llvm::StringRef",
                          "getTaskFamily">,
    StaticInterfaceMethod<"The kernel signature's text.", "::llvm::StringRef",
                          "getSignatureText">,
    StaticInterfaceMethod<[{The task's formula, one line, as `fk show` prints it.}],
                          "::llvm::StringRef", "getFormula">,
    StaticInterfaceMethod<[{Floating-point operations, an expression over the axes.}],
                          "::llvm::StringRef", "getFlopsText">,
    StaticInterfaceMethod<[{The tasks a fused task decomposes into, comma-separated; empty
      for L1.}],
                          "::llvm::StringRef", "getDecompositionText">,
    StaticInterfaceMethod<[{Tensors of which a launch moves not the whole, as
      "table: tokens * hidden": the elements that move, semicolons between.}],
                          "::llvm::StringRef", "getTouchedText">,
    StaticInterfaceMethod<"The op's one-line summary.", "::llvm::StringRef", "getTaskSummary">,
    StaticInterfaceMethod<"The op's description, constraints and example.",
                          "::llvm::StringRef", "getTaskDescription">,
  ];
  let verify = [{ return ::fk::verifyTaskOp($_op); }];
}

class FK_Op<string mnemonic, list<Trait> traits = []>
    : Op<FK_Dialect, mnemonic, traits>;

/// An op that is a task. `sig` is its kernel signature without the name, the op's
/// operands, results and scalar attributes being in the same order and of the
/// same names. `touched`: see TaskOpInterface::getTouchedText.
class FK_TaskOp<string mnemonic, string taskLevel, string taskFamily, string sig,
                string formula, string flops, list<Trait> traits = [Pure],
                string decomposition = "", string touched = "">
    : FK_Op<mnemonic, !listconcat([FK_TaskOpInterface], traits)> {
  let assemblyFormat = [{ operands attr-dict `:` functional-type(operands, results) }];
  let extraClassDeclaration = [{
    static ::llvm::StringRef getTaskName() { return "}] # mnemonic # [{"; }
    static ::fk::Level getTaskLevel() { return ::fk::Level::}] # taskLevel # [{; }
    static ::llvm::StringRef getTaskFamily() { return "}] # taskFamily # [{"; }
    static ::llvm::StringRef getSignatureText() { return "}] # mnemonic # [{("}] # "\n        \"" # sig # [{)"; }
    static ::llvm::StringRef getFormula() { return "}] # formula # [{"; }
    static ::llvm::StringRef getFlopsText() { return "}] # flops # [{"; }
    static ::llvm::StringRef getDecompositionText() { return "}] # decomposition # [{"; }
    static ::llvm::StringRef getTouchedText() { return "}] # touched # [{"; }
    static ::llvm::StringRef getTaskSummary() { return R"fk(}] # summary # [{)fk"; }
    static ::llvm::StringRef getTaskDescription() { return R"fk(}] # description # [{)fk"; }
  }];
}

def FK_Tensor : TensorOf<[AnyFloat]>;
def FK_IndexTensor : TensorOf<[I32, I64]>;

#endif // FK_DIALECTS_FK_FKBASE_TD
