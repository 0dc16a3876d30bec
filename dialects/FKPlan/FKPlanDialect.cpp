//===- FKPlanDialect.cpp - The launch-level dialect -----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FKPlan/FKPlan.h"

#include "runtime/support/Error.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace fk;
using namespace fk::fkplan;

#include "dialects/FKPlan/FKPlanDialect.cpp.inc"

void FKPlanDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/FKPlan/FKPlanOps.cpp.inc"
      >();
}

LogicalResult
FKPlanDialect::verifyOperationAttribute(Operation *op,
                                        NamedAttribute attribute) {
  if (attribute.getName() != attrs::slots)
    return op->emitOpError()
           << "knows fkplan.slots, got " << attribute.getName();
  if (!isa<FunctionOpInterface>(op))
    return op->emitOpError() << "fkplan.slots belongs on a function";
  auto slots = dyn_cast<ArrayAttr>(attribute.getValue());
  if (!slots || !llvm::all_of(slots, [](Attribute slot) {
        return isa<StringAttr>(slot);
      }))
    return op->emitOpError() << "fkplan.slots must be an array of strings, got "
                             << attribute.getValue();
  for (Attribute slot : slots) {
    try {
      Expr::parse(cast<StringAttr>(slot).getValue().str(), "fkplan.slots");
    } catch (const Error &error) {
      return op->emitOpError() << error.what();
    }
  }
  return success();
}

LogicalResult FKPlanDialect::verifyRegionArgAttribute(
    Operation *op, unsigned, unsigned argIndex, NamedAttribute attribute) {
  auto function = dyn_cast<func::FuncOp>(op);
  if (!function || attribute.getName() != attrs::result)
    return op->emitOpError()
           << "argument " << argIndex
           << ": knows fkplan.result on functions, got " << attribute.getName();
  if (!isa<UnitAttr>(attribute.getValue()))
    return op->emitOpError()
           << "argument " << argIndex << ": fkplan.result must be a unit, got "
           << attribute.getValue();
  for (unsigned later = argIndex + 1; later < function.getNumArguments();
       ++later)
    if (!function.getArgAttr(later, attrs::result))
      return op->emitOpError()
             << "argument " << later
             << " must be marked fkplan.result too, as argument " << argIndex
             << " before it is: results come last";
  return success();
}
