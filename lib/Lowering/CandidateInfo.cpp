//===- CandidateInfo.cpp - What an fk.candidate says ----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "CandidateInfo.h"

#include "fk/Candidate/Candidate.h"
#include "runtime/support/Error.h"

using namespace mlir;
using namespace fk;

FailureOr<std::string> fk::getCandidateWhere(CandidateOp candidate) {
  try {
    Expr where = getCoverage(parseManifestText(candidate.getManifest().str(),
                                               candidate.getSymName().str()));
    return where ? where.str() : std::string();
  } catch (const Error &error) {
    return candidate.emitError(error.what());
  }
}
