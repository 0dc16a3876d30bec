//===- Verify.h - Constraints that several tasks share ---------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_VERIFY_H
#define FK_DIALECTS_FK_VERIFY_H

#include "dialects/FK/FK.h"

namespace fk {

/// Starts the message of constraint `number` of the op's task:
/// "'fk.rope' op rope_c3: ".
inline mlir::InFlightDiagnostic emitConstraint(TaskOpInterface op, int number) {
  return op->emitOpError() << op.getTaskName() << "_c" << number << ": ";
}

inline bool isFinitePositive(const llvm::APFloat &value) {
  return value.isFinite() && !value.isNegative() && !value.isZero();
}

inline mlir::LogicalResult verifyEpsilon(TaskOpInterface op, int number,
                                         const llvm::APFloat &epsilon) {
  if (isFinitePositive(epsilon))
    return mlir::success();
  return emitConstraint(op, number)
         << "epsilon must be finite and positive, got "
         << epsilon.convertToDouble();
}

/// An attribute that is 0 or 1.
inline mlir::LogicalResult verifyFlag(TaskOpInterface op, int number,
                                      llvm::StringRef name, uint32_t value) {
  if (value == 0 || value == 1)
    return mlir::success();
  return emitConstraint(op, number)
         << name << " must be 0 or 1, got " << static_cast<int32_t>(value);
}

} // namespace fk

#endif // FK_DIALECTS_FK_VERIFY_H
