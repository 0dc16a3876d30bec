//===- ActivationOps.cpp - Constraints of pointwise tasks, pooling --------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/Verify.h"

using namespace mlir;
using namespace fk;

LogicalResult GeluOp::verify() {
  return verifyFlag(*this, 3, "approximate", getApproximate());
}

LogicalResult GeluAndMulOp::verify() {
  return verifyFlag(*this, 3, "approximate", getApproximate());
}

LogicalResult PoolOp::verify() {
  return verifyFlag(*this, 3, "mean", getMean());
}

LogicalResult EmbeddingOp::verify() {
  if (getScale().isFinite())
    return success();
  return emitConstraint(*this, 3)
         << "scale must be finite, got " << getScale().convertToDouble();
}
