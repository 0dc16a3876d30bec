//===- FKPlan.h - The launch-level dialect ---------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FKPLAN_FKPLAN_H
#define FK_DIALECTS_FKPLAN_FKPLAN_H

#include "runtime/support/Expr.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/FKPlan/FKPlanDialect.h.inc"

#define GET_OP_CLASSES
#include "dialects/FKPlan/FKPlanOps.h.inc"

namespace fk {
using fkplan::FKPlanDialect;
} // namespace fk

namespace fk::fkplan {

namespace attrs {
/// Function: array of strings, the bytes of each slot of its arena.
inline constexpr llvm::StringLiteral slots = "fkplan.slots";
/// Argument: unit, marks the buffer of a result. Such arguments come last.
inline constexpr llvm::StringLiteral result = "fkplan.result";
} // namespace attrs

/// One expression per dimension of a value: what buffers and views say,
/// `fk.dims` of an argument, `max_positions` for a rotary table, `pages` for a
/// KV cache. Fails, without a diagnostic, where a dynamic dimension has no
/// name.
mlir::FailureOr<llvm::SmallVector<Expr>> getDims(mlir::Value value);

} // namespace fk::fkplan

#endif // FK_DIALECTS_FKPLAN_FKPLAN_H
