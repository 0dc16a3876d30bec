//===- Remarks.h - Compiler decisions, made visible ------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every pass says what it did and what it could not do, through MLIR's remark
// engine: `fk-opt --remarks-filter=fk-fuse` prints the remarks of one pass, and
// compileToPlan keeps them all as the notes of the plan.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TRANSFORMS_REMARKS_H
#define FK_TRANSFORMS_REMARKS_H

#include "runtime/Plan.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Operation.h"

#include <vector>

namespace fk {

/// `pass` (its flag without the dashes) did `name` at `op`.
void reportApplied(mlir::Operation *op, llvm::StringRef pass,
                   llvm::StringRef name, const llvm::Twine &text);

/// `pass` would have done `name` at `op`, but for the reason `text`.
void reportMissed(mlir::Operation *op, llvm::StringRef pass,
                  llvm::StringRef name, const llvm::Twine &text);

/// Collects the remarks of a context while it lives, each once. A context has
/// one remark engine, so nothing else may have set one up.
class NoteCollector {
public:
  NoteCollector(mlir::MLIRContext &context, std::vector<Plan::Note> &notes);
  ~NoteCollector();
  NoteCollector(const NoteCollector &) = delete;
  NoteCollector &operator=(const NoteCollector &) = delete;

private:
  mlir::MLIRContext &context;
};

} // namespace fk

#endif // FK_TRANSFORMS_REMARKS_H
