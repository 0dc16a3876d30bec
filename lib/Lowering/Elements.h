//===- Elements.h - MLIR types and fk's element types ----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_LOWERING_ELEMENTS_H
#define FK_LIB_LOWERING_ELEMENTS_H

#include "dialects/FK/FK.h"
#include "runtime/support/DType.h"

#include <optional>

namespace fk {

/// The element type of a tensor, memref or state; nullopt where a plan has none
/// for it.
std::optional<DType> getDType(mlir::Type type);

/// T of a task op: the element type of its first result or operand that the
/// signature does not fix.
std::optional<DType> getTaskDType(TaskOpInterface op);

} // namespace fk

#endif // FK_LIB_LOWERING_ELEMENTS_H
