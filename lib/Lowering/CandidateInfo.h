//===- CandidateInfo.h - What an fk.candidate says -------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_LOWERING_CANDIDATEINFO_H
#define FK_LIB_LOWERING_CANDIDATEINFO_H

#include "dialects/FK/FK.h"

#include <string>

namespace fk {

/// The condition under which a candidate serves a shape; empty: always. Fails,
/// with a diagnostic, where the manifest cannot be read.
mlir::FailureOr<std::string> getCandidateWhere(CandidateOp candidate);

/// Whether fk-grow-clusters made the function: only a generated kernel does it.
inline bool isCluster(mlir::Operation *func) {
  return func->hasAttr("cluster");
}

} // namespace fk

#endif // FK_LIB_LOWERING_CANDIDATEINFO_H
