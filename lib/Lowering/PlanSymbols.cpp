//===- PlanSymbols.cpp - The symbols of a plan ----------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "PlanSymbols.h"

#include "dialects/FKPlan/FKPlan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace fk;

std::vector<std::string> fk::collectSymbols(ModuleOp module) {
  std::vector<std::string> symbols;
  auto add = [&](Value value) {
    auto dims = fkplan::getDims(value);
    if (failed(dims))
      return;
    for (const Expr &extent : *dims)
      for (const std::string &axis : extent.getAxes())
        if (!llvm::is_contained(symbols, axis))
          symbols.push_back(axis);
  };
  for (auto func : module.getOps<func::FuncOp>())
    if (func.isPublic())
      for (BlockArgument argument : func.getArguments())
        if (!func.getArgAttr(argument.getArgNumber(), fkplan::attrs::result))
          add(argument);
  module.walk([&](Operation *op) {
    if (isa<fkplan::WeightOp, fkplan::StateOp>(op))
      add(op->getResult(0));
  });
  return symbols;
}
