//===- Passes.h - Passes from fk to fk -------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TRANSFORMS_PASSES_H
#define FK_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

#include <memory>
#include <string>
#include <vector>

namespace fk {

#define GEN_PASS_DECL
#include "fk/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "fk/Transforms/Passes.h.inc"

/// Whether `task` is one that fk-fuse forms.
bool isFusedTask(llvm::StringRef task);

/// Splits `task[@place]:file,...` at its commas.
std::vector<std::string> splitSubstitutes(llvm::StringRef text);

/// Binds candidates: where a spec names a task that only arises by fusion, that
/// fusion comes first, across layers too if `rotateResiduals`.
void addSubstitutePasses(mlir::OpPassManager &pm,
                         const std::vector<std::string> &substitutes,
                         const std::string &arch = "sm_90a",
                         bool rotateResiduals = true);

/// Registers `--substitute=<task>[@<place>]:<file>[,...]`.
void registerSubstitutePipeline();

} // namespace fk

#endif // FK_TRANSFORMS_PASSES_H
