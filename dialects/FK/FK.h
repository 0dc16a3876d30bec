//===- FK.h - The task dialect ---------------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_FK_H
#define FK_DIALECTS_FK_FK_H

#include "runtime/support/Signature.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/FK/FKEnums.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/FK/FKTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/FK/FKAttrs.h.inc"

namespace fk {

/// Attribute names that passes and importers put on functions, arguments and
/// ops. Each is verified by the dialect.
namespace attrs {
/// Function: #fk.task<name, level>.
inline constexpr llvm::StringLiteral task = "fk.task";
/// Argument or result of a function: one string per dynamic dimension.
inline constexpr llvm::StringLiteral dims = "fk.dims";
/// Argument or result of a public function: its name in the library's forward.
inline constexpr llvm::StringLiteral name = "fk.name";
/// Argument or result of a public function: dictionary, see Role in Plan.h.
inline constexpr llvm::StringLiteral role = "fk.role";
/// Task op or func.call: the candidate it is bound to, @symbol.
inline constexpr llvm::StringLiteral candidate = "fk.candidate";
/// Task op: array of #fk.kernel, set by fk-select-kernels.
inline constexpr llvm::StringLiteral kernels = "fk.kernels";
/// Module: dictionary of fk::ModelInfo.
inline constexpr llvm::StringLiteral model = "fk.model";
} // namespace attrs

/// The implicit verifier of every task op.
mlir::LogicalResult verifyTaskOp(mlir::Operation *op);

/// The parsed signature of a task, by name; nullptr where no op bears it.
/// Parsed once per context-independent process start-up and shared.
const Signature *lookupSignature(llvm::StringRef task);

} // namespace fk

#include "dialects/FK/FKInterfaces.h.inc"

#include "dialects/FK/FKDialect.h.inc"

#define GET_OP_CLASSES
#include "dialects/FK/FKOps.h.inc"

namespace fk {

/// A value's type as a shaped type: tensors as they are, a state as the tensor
/// that its handle stands for ([2, ?, page_size, kv_heads, head_dim]).
mlir::RankedTensorType getShapedType(mlir::Type type);

/// The signature of a task op.
const Signature &getSignature(TaskOpInterface op);

/// The operand or result of a task op by its name in the signature; null where
/// an optional operand is absent.
mlir::Value getOperandByName(TaskOpInterface op, llvm::StringRef name);

/// The symbolic extents of every tensor value of a function: constants, or
/// expressions over the symbols that `fk.dims` names on the arguments.
class SymbolicDims {
public:
  /// Follows task ops by their signatures, reshapes, concatenation, slices and
  /// calls. Fails (with a diagnostic) where an extent cannot be named, or where
  /// two that must be the same have different names.
  static mlir::FailureOr<SymbolicDims> compute(mlir::Operation *func);

  /// One canonical expression per dimension of `value`; a state's handle has
  /// the dimensions of the tensor it stands for.
  llvm::ArrayRef<Expr> getDims(mlir::Value value) const;

  /// The task's axes in the order of its signature.
  mlir::FailureOr<llvm::SmallVector<std::pair<std::string, Expr>>>
  getAxes(TaskOpInterface op) const;

private:
  friend class SymbolicDimsBuilder;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<Expr>> dims;
};

} // namespace fk

#endif // FK_DIALECTS_FK_FK_H
