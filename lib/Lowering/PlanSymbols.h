//===- PlanSymbols.h - The symbols of a plan -------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_LOWERING_PLANSYMBOLS_H
#define FK_LIB_LOWERING_PLANSYMBOLS_H

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace fk {

/// What the runtime gives values to: the symbols in the extents of public
/// functions' parameters, then those of states and rotary tables. In order of
/// appearance.
std::vector<std::string> collectSymbols(mlir::ModuleOp module);

} // namespace fk

#endif // FK_LIB_LOWERING_PLANSYMBOLS_H
