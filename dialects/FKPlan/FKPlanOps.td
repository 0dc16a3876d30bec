//===- FKPlanOps.td - The launch-level dialect -------------*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FKPLAN_FKPLANOPS_TD
#define FK_DIALECTS_FKPLAN_FKPLANOPS_TD

include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def FKPlan_Dialect : Dialect {
  let name = "fkplan";
  let cppNamespace = "::fk::fkplan";
  let summary = "Launches over buffers: what becomes an fk::Plan";
  let description = [{
    A function of a plan is a `func.func` without results: its parameters come first, then the
    buffers its results go to, marked `{fkplan.result}`. Its body is a straight line of these
    ops. Values are memrefs of identity layout; a dynamic dimension is an expression
    (runtime/support/Expr.h) over the module's symbols, one string each, in `fk.dims` of an
    argument and in `dims` of a buffer or view.

    `fkplan.slots` on a function lists the bytes of each slot of its arena; fk-plan-buffers
    puts every buffer into one. The location of a launch or call is its place.
  }];
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
}

class FKPlan_Op<string mnemonic, list<Trait> traits = []>
    : Op<FKPlan_Dialect, mnemonic, traits>;

def FKPlan_BufferOp : FKPlan_Op<"buffer"> {
  let summary = "A buffer of the function's arena";
  let description = [{
    Without a slot it has no memory yet; fk-plan-buffers gives it one, and buffers whose lives
    do not meet may share it.

    Constraints:
    - (C1) `dims` names the dynamic dimensions of a memref of identity layout.
    - (C2) `slot`, if there, is an index into the function's `fkplan.slots`.

    Example:
    ```mlir
    func.func private @f() attributes {fkplan.slots = ["tokens * 128"]} {
      %0 = fkplan.buffer ["tokens"] slot 0 : memref<?x64xbf16>
      return
    }
    ```
  }];
  let arguments = (ins StrArrayAttr:$dims, OptionalAttr<I64Attr>:$slot);
  let results = (outs Res<AnyMemRef, "", [MemAlloc]>:$result);
  let assemblyFormat = "$dims (`slot` $slot^)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def FKPlan_WeightOp : FKPlan_Op<"weight", [Pure,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "A weight on the device";
  let description = [{
    Constraints:
    - (C1) `weight` names an `fk.weight` of the module.
    - (C2) The memref has the weight's shape and element type.

    Example:
    ```mlir
    fk.weight @norm [#fk.part<"model.norm.weight">] : tensor<64xbf16>
    func.func private @f() {
      %0 = fkplan.weight @norm : memref<64xbf16>
      return
    }
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def FKPlan_StateOp : FKPlan_Op<"state", [Pure,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "A state on the device";
  let description = [{
    A KV cache is `[2, pages, page_size, kv_heads, head_dim]`.

    Constraints:
    - (C1) `state` names an `fk.state` of the module.
    - (C2) The memref has the state's shape and element type.

    Example:
    ```mlir
    fk.state @kv : !fk.kv_cache<16 x 2 x 16 x bf16>
    func.func private @f() {
      %0 = fkplan.state @kv : memref<2x?x16x2x16xbf16>
      return
    }
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$state);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$state attr-dict `:` type($result)";
}

def FKPlan_ViewOp : FKPlan_Op<"view", [Pure]> {
  let summary = "The same bytes by another shape";
  let description = [{
    Constraints:
    - (C1) `dims` names the dynamic dimensions of a memref of identity layout.
    - (C2) Source and result have the same element type and number of elements.

    Example:
    ```mlir
    func.func private @f() {
      %0 = fkplan.buffer ["tokens"] : memref<?x64xbf16>
      %1 = fkplan.view %0 ["tokens"] : memref<?x64xbf16> to memref<?x4x16xbf16>
      return
    }
    ```
  }];
  let arguments = (ins AnyMemRef:$source, StrArrayAttr:$dims);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$source $dims attr-dict `:` type($source) `to` type($result)";
  let hasVerifier = 1;
}

def FKPlan_LaunchOp : FKPlan_Op<"launch", [AttrSizedOperandSegments]> {
  let summary = "One launch of a task's kernel";
  let description = [{
    Carries an fk::Launch: tensors and scalars by the names of the task's signature and in its
    order (an absent optional operand is `none`), every axis as an expression over the module's
    symbols, and the kernels that can do it; the runtime takes the first whose condition holds.

    Constraints:
    - (C1) One name per tensor, scalar, variant and axis, none twice.
    - (C2) For a task of the `fk` dialect: the names, scalar types, element types and ranks of
      its signature.
    - (C3) Axes are expressions.
    - (C4) At least one kernel; conditions speak of the launch's axes.

    Example:
    ```mlir
    fkplan.launch "rms_norm"
        outs(result = %y : memref<?x64xbf16>)
        ins(input = %x : memref<?x64xbf16>, weight = %w : memref<64xbf16>)
        scalars(epsilon = 1.0e-5 : f32) variants(weight_offset = 0.0 : f32)
        axes(tokens = "tokens", hidden = "64")
        kernels [#fk.kernel<"reference", "rms_norm">]
    ```
  }];
  let arguments = (ins StrAttr:$task, Variadic<AnyMemRef>:$outs, Variadic<AnyMemRef>:$ins,
                       StrArrayAttr:$out_names, StrArrayAttr:$in_names,
                       DenseBoolArrayAttr:$in_present,
                       StrArrayAttr:$scalar_names, ArrayAttr:$scalar_values,
                       StrArrayAttr:$variant_names, ArrayAttr:$variant_values,
                       StrArrayAttr:$axis_names, StrArrayAttr:$axis_values,
                       ArrayAttr:$kernels);
  let assemblyFormat = [{
    $task
    `outs` `` custom<NamedOuts>($outs, type($outs), $out_names)
    `ins` `` custom<NamedIns>($ins, type($ins), $in_names, $in_present)
    `scalars` `` custom<NamedValues>($scalar_names, $scalar_values)
    `variants` `` custom<NamedValues>($variant_names, $variant_values)
    `axes` `` custom<NamedAxes>($axis_names, $axis_values)
    `kernels` $kernels attr-dict
  }];
  let skipDefaultBuilders = 1;
  let builders = [
    /// A null value in `ins` is an absent optional operand.
    OpBuilder<(ins "::llvm::StringRef":$task,
                   "::llvm::ArrayRef<std::pair<std::string, ::mlir::Value>>":$outs,
                   "::llvm::ArrayRef<std::pair<std::string, ::mlir::Value>>":$ins,
                   "::llvm::ArrayRef<std::pair<std::string, ::mlir::Attribute>>":$scalars,
                   "::llvm::ArrayRef<std::pair<std::string, ::mlir::Attribute>>":$variants,
                   "::llvm::ArrayRef<std::pair<std::string, ::fk::Expr>>":$axes,
                   "::mlir::ArrayAttr":$kernels)>,
  ];
  let extraClassDeclaration = [{
    /// Results and operands by name; a null value where one is absent.
    ::llvm::SmallVector<std::pair<::llvm::StringRef, ::mlir::Value>> getNamedOuts();
    ::llvm::SmallVector<std::pair<::llvm::StringRef, ::mlir::Value>> getNamedIns();
    ::llvm::SmallVector<std::pair<::llvm::StringRef, ::mlir::Attribute>> getNamedScalars();
    ::llvm::SmallVector<std::pair<::llvm::StringRef, ::mlir::Attribute>> getNamedVariants();
    /// Axes with their expressions' text.
    ::llvm::SmallVector<std::pair<::llvm::StringRef, ::llvm::StringRef>> getNamedAxes();
  }];
  let hasVerifier = 1;
}

def FKPlan_CallOp : FKPlan_Op<"call", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Calls a function of the plan";
  let description = [{
    `ins` are the callee's parameters, `outs` the buffers of its results.

    Constraints:
    - (C1) `callee` names a function of the module.
    - (C2) The types are those of the callee's arguments, `ins` first; `outs` are its
      `fkplan.result` arguments.

    Example:
    ```mlir
    func.func private @layer(%x: memref<?x64xbf16> {fk.dims = ["tokens"]},
        %y: memref<?x64xbf16> {fk.dims = ["tokens"], fkplan.result}) {
      return
    }
    func.func @forward(%x: memref<?x64xbf16> {fk.dims = ["tokens"]},
        %y: memref<?x64xbf16> {fk.dims = ["tokens"], fkplan.result}) {
      fkplan.call @layer outs(%y : memref<?x64xbf16>) ins(%x : memref<?x64xbf16>)
      return
    }
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Variadic<AnyMemRef>:$outs,
                       Variadic<AnyMemRef>:$ins);
  let assemblyFormat = [{
    $callee `outs` `(` ($outs^ `:` type($outs))? `)` `ins` `(` ($ins^ `:` type($ins))? `)`
    attr-dict
  }];
}

#endif // FK_DIALECTS_FKPLAN_FKPLANOPS_TD
