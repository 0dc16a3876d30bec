//===- TaskFunctions.h - Functions that are tasks --------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TRANSFORMS_TASKFUNCTIONS_H
#define FK_TRANSFORMS_TASKFUNCTIONS_H

#include "dialects/FK/FK.h"
#include "runtime/support/Signature.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace fk {

/// The kernel signature of a `#fk.task` function, for a candidate that replaces
/// it whole: its results (`result`, or `result0`, `result1`, ...), its
/// arguments and the symbols of their dynamic extents, in order of appearance;
/// static extents are constants. An argument is named by `fk.name`, else by its
/// location with anything but letters and digits as `_`, else `arg<i>`.
mlir::FailureOr<Signature> getTaskSignature(mlir::func::FuncOp func);

} // namespace fk

#endif // FK_TRANSFORMS_TASKFUNCTIONS_H
