//===- SubstituteSites.h - Where candidates go -----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_TRANSFORMS_SUBSTITUTESITES_H
#define FK_LIB_TRANSFORMS_SUBSTITUTESITES_H

#include "fk/Candidate/Candidate.h"
#include "runtime/support/Signature.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <string>
#include <vector>

namespace fk {

/// A task at one place: a task op, or the call of a task function. A function
/// that is called once per layer gives its ops one site a call.
struct Site {
  mlir::Operation *op;
  std::string task;
  std::string place;
};

/// Every site of the module, in the order of its public functions. What lies
/// below a call that is bound to a candidate is left out.
std::vector<Site> collectSites(mlir::ModuleOp module);

/// What an op asks of a candidate.
struct SiteNeeds {
  Signature signature;
  DType dtype = DType::F32;
  std::vector<std::string> presentOperands; ///< optional ones it has
  AxisValues staticAxes;
  /// "weight_offset = 1, a candidate serves 0" where a variant attribute is not
  /// at its default; else empty.
  std::string uncovered;
};

/// Fails with a diagnostic where the op has no signature.
mlir::FailureOr<SiteNeeds> getSiteNeeds(mlir::Operation *op);

/// Binds every site for which `decide` names a candidate. A function of which
/// only some calls are concerned is cloned for those.
void bindSites(mlir::ModuleOp module,
               llvm::function_ref<mlir::FlatSymbolRefAttr(mlir::Operation *,
                                                          llvm::StringRef)>
                   decide);

} // namespace fk

#endif // FK_LIB_TRANSFORMS_SUBSTITUTESITES_H
