//===- TaskLinalg.h - What each task means, in linalg ----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CODEGEN_TASKLINALG_H
#define FK_LIB_CODEGEN_TASKLINALG_H

#include "dialects/FK/FK.h"

#include "mlir/IR/Builders.h"

namespace fk {

/// The value of a scalar of a task, by its name: an argument of the kernel or a
/// constant.
using ScalarLookup = llvm::function_ref<mlir::Value(llvm::StringRef)>;

/// Emits what `op` means before it and gives its results. Fails with a
/// diagnostic where code generation does not know the task.
mlir::FailureOr<llvm::SmallVector<mlir::Value>>
emitTask(mlir::OpBuilder &builder, TaskOpInterface op, ScalarLookup scalar);

} // namespace fk

#endif // FK_LIB_CODEGEN_TASKLINALG_H
