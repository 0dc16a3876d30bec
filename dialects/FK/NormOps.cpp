//===- NormOps.cpp - Constraints of the normalisation tasks ---------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/Verify.h"

using namespace mlir;
using namespace fk;

LogicalResult RMSNormOp::verify() {
  return verifyEpsilon(*this, 3, getEpsilon());
}

LogicalResult LayerNormOp::verify() {
  return verifyEpsilon(*this, 3, getEpsilon());
}

LogicalResult L2NormOp::verify() {
  return verifyEpsilon(*this, 3, getEpsilon());
}

LogicalResult AddRMSNormOp::verify() {
  return verifyEpsilon(*this, 3, getEpsilon());
}
