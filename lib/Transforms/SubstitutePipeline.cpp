//===- SubstitutePipeline.cpp - The --substitute option -------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/FK.h"
#include "fk/Transforms/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

using namespace mlir;

std::vector<std::string> fk::splitSubstitutes(StringRef text) {
  std::vector<std::string> specs;
  SmallVector<StringRef> pieces;
  text.split(pieces, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef piece : pieces)
    specs.push_back(piece.trim().str());
  return specs;
}

void fk::addSubstitutePasses(OpPassManager &pm,
                             const std::vector<std::string> &substitutes,
                             const std::string &arch, bool rotateResiduals) {
  if (substitutes.empty())
    return;
  FusePassOptions fuse;
  for (StringRef spec : substitutes) {
    StringRef task =
        spec.take_until([](char c) { return c == '@' || c == ':'; });
    if (isFusedTask(task))
      fuse.only.push_back(task.str());
  }
  if (rotateResiduals && llvm::is_contained(fuse.only, "add_rms_norm"))
    pm.addPass(createRotateResidualsPass());
  if (!fuse.only.empty())
    pm.addPass(createFusePass(std::move(fuse)));
  SubstitutePassOptions substitute;
  substitute.substitutes.assign(substitutes.begin(), substitutes.end());
  substitute.arch = arch;
  pm.addPass(createSubstitutePass(std::move(substitute)));
}

void fk::registerSubstitutePipeline() {
  registerPassPipeline(
      "substitute",
      "Bind candidates: <task>[@<place>]:<file>[,...], as fk-substitute does",
      [](OpPassManager &pm, StringRef text,
         function_ref<LogicalResult(const Twine &)> error) -> LogicalResult {
        std::vector<std::string> specs = splitSubstitutes(text);
        if (specs.empty())
          return error("--substitute: wanted <task>[@<place>]:<file>, got "
                       "nothing (try --substitute=rms_norm:cand.ptx)");
        addSubstitutePasses(pm, specs);
        return success();
      },
      [](function_ref<void(const mlir::detail::PassOptions &)>) {});
}
