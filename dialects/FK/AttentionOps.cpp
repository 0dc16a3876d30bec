//===- AttentionOps.cpp - Constraints of the attention tasks --------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/Verify.h"

using namespace mlir;
using namespace fk;

namespace {

/// Heads of a `[tokens, heads, head_dim]` value, or of a cache.
int64_t getHeads(Value value) {
  RankedTensorType type = getShapedType(value.getType());
  return type.getDimSize(type.getRank() - 2);
}

LogicalResult verifyGroups(TaskOpInterface op, int number, Value query,
                           Value key) {
  int64_t queryHeads = getHeads(query), keyHeads = getHeads(key);
  if (ShapedType::isDynamic(queryHeads) || ShapedType::isDynamic(keyHeads) ||
      (keyHeads > 0 && queryHeads % keyHeads == 0))
    return success();
  return emitConstraint(op, number)
         << "q_heads must be a multiple of kv_heads, got " << queryHeads
         << " and " << keyHeads;
}

/// C4 and C5 of the rotary tasks.
LogicalResult verifyRotary(TaskOpInterface op, Value query, Value table,
                           int64_t rotaryDim) {
  int64_t headDim = getShapedType(query.getType()).getDimSize(2);
  if (rotaryDim <= 0 || rotaryDim % 2 != 0 ||
      (!ShapedType::isDynamic(headDim) && rotaryDim > headDim)) {
    auto diagnostic = emitConstraint(op, 4)
                      << "rotary_dim must be even, positive and at most "
                         "head_dim";
    if (!ShapedType::isDynamic(headDim))
      diagnostic << " = " << headDim;
    return diagnostic << ", got " << rotaryDim;
  }
  int64_t columns = getShapedType(table.getType()).getDimSize(1);
  if (columns != rotaryDim)
    return emitConstraint(op, 5)
           << "cos_sin must have rotary_dim = " << rotaryDim << " columns, got "
           << table.getType();
  return success();
}

/// C3 to C7 of both attention tasks.
template <typename OpT> LogicalResult verifyAttention(OpT op, Value key) {
  if (failed(verifyGroups(op, 3, op.getQuery(), key)))
    return failure();
  if (!isFinitePositive(op.getScale()))
    return emitConstraint(op, 4) << "scale must be finite and positive, got "
                                 << op.getScale().convertToDouble();
  if (failed(verifyFlag(op, 5, "causal", op.getCausal())))
    return failure();
  if (static_cast<int32_t>(op.getWindow()) < 0)
    return emitConstraint(op, 6) << "window must be 0 (none) or positive, got "
                                 << static_cast<int32_t>(op.getWindow());
  const llvm::APFloat &softcap = op.getSoftcap();
  if (!softcap.isFinite() || (softcap.isNegative() && !softcap.isZero()))
    return emitConstraint(op, 7)
           << "softcap must be 0 (none) or finite and positive, got "
           << softcap.convertToDouble();
  return success();
}

} // namespace

LogicalResult RopeOp::verify() {
  if (failed(verifyGroups(*this, 3, getQuery(), getKey())))
    return failure();
  return verifyRotary(*this, getQuery(), getCosSin(),
                      static_cast<int32_t>(getRotaryDim()));
}

LogicalResult QKNormRopeOp::verify() {
  if (failed(verifyGroups(*this, 3, getQuery(), getKey())) ||
      failed(verifyRotary(*this, getQuery(), getCosSin(),
                          static_cast<int32_t>(getRotaryDim()))))
    return failure();
  return verifyEpsilon(*this, 6, getEpsilon());
}

LogicalResult AttentionOp::verify() { return verifyAttention(*this, getKey()); }

LogicalResult PagedAttentionOp::verify() {
  return verifyAttention(*this, getCache());
}
