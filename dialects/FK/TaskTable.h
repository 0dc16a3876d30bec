//===- TaskTable.h - The tasks as a table ----------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_TASKTABLE_H
#define FK_DIALECTS_FK_TASKTABLE_H

#include "dialects/FK/FK.h"

namespace fk {

/// What `fk list` and `fk show` print of a task op. Every text is the op's own,
/// from its ODS definition.
struct TaskDescription {
  llvm::StringRef name;
  llvm::StringRef level; ///< "L1" or "L2"
  llvm::StringRef family;
  llvm::StringRef signature; ///< fk::Signature::parse reads it
  llvm::StringRef formula;
  llvm::StringRef flops;         ///< an expression over the axes
  llvm::StringRef touched;       ///< see TaskOpInterface::getTouchedText
  llvm::StringRef decomposition; ///< task names, comma-separated; L2 only
  llvm::StringRef summary;
  llvm::StringRef description; ///< constraints and example included, indented
};

/// Every task op of the dialect, sorted by name.
llvm::ArrayRef<TaskDescription> getTaskDescriptions();

/// nullptr where no op bears the name.
const TaskDescription *lookupTask(llvm::StringRef name);

/// A tensor of a task op beside its place in the signature; a null value where
/// an optional operand is absent.
struct TaskTensor {
  const TensorParam *param;
  mlir::Value value;
};

/// Results, then operands, in the order of the signature.
llvm::SmallVector<TaskTensor> getTaskTensors(TaskOpInterface op);

} // namespace fk

#endif // FK_DIALECTS_FK_TASKTABLE_H
