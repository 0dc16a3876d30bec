//===- FuseLinears.cpp - Linears of one input become one ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "FusePatterns.h"

#include "dialects/FK/FK.h"
#include "fk/Transforms/Places.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace fk;

/// `values` joined along dimension 0.
static Value concat(PatternRewriter &rewriter, Location loc,
                    ValueRange values) {
  return tensor::ConcatOp::create(rewriter, loc, /*dim=*/0, values);
}

/// Weight and bias of `linears`, joined; the bias is null where none has one.
/// Fails where only some have.
static FailureOr<std::pair<Value, Value>>
joinWeights(PatternRewriter &rewriter, Location loc,
            ArrayRef<LinearOp> linears) {
  SmallVector<Value> weights, biases;
  for (LinearOp linear : linears) {
    weights.push_back(linear.getWeight());
    if (linear.getBias())
      biases.push_back(linear.getBias());
  }
  if (!biases.empty() && biases.size() != weights.size())
    return rewriter.notifyMatchFailure(loc, "only some linears have a bias");
  Operation *point = linears.front();
  for (LinearOp linear : linears)
    if (linear->isBeforeInBlock(point))
      point = linear;
  if (failed(makeAvailable(rewriter, weights, point)) ||
      failed(makeAvailable(rewriter, biases, point)))
    return failure();
  rewriter.setInsertionPoint(point);
  Value weight = concat(rewriter, loc, weights);
  Value bias = biases.empty() ? Value() : concat(rewriter, loc, biases);
  return std::pair(weight, bias);
}

namespace {
/// mul(act(linear(x, gate)), linear(x, up)).
template <typename ActOp, typename ActAndMulOp>
struct FuseGateUp : OpRewritePattern<MulOp> {
  using OpRewritePattern<MulOp>::OpRewritePattern;

  LogicalResult matchAndRewrite(MulOp mul,
                                PatternRewriter &rewriter) const override {
    auto act = mul.getLhs().getDefiningOp<ActOp>();
    Value other = mul.getRhs();
    if (!act) {
      act = mul.getRhs().getDefiningOp<ActOp>();
      other = mul.getLhs();
    }
    if (!act)
      return rewriter.notifyMatchFailure(mul, "no operand is the activation");
    auto gate = act.getInput().template getDefiningOp<LinearOp>();
    auto up = other.getDefiningOp<LinearOp>();
    if (!gate || !up || gate == up || gate.getInput() != up.getInput())
      return rewriter.notifyMatchFailure(mul, "no two linears of one input");
    if (!act->hasOneUse() || !gate->hasOneUse() || !up->hasOneUse() ||
        gate->getBlock() != up->getBlock())
      return rewriter.notifyMatchFailure(mul, "a part is used elsewhere too");
    StringRef fusion = ActAndMulOp::getTaskName();
    if (failed(checkUnbound(rewriter, fusion, {act, mul, gate, up})))
      return failure();

    Location loc = renamePlace(gate.getLoc(), "gate_up_proj");
    auto joined = joinWeights(rewriter, loc, {gate, up});
    if (failed(joined))
      return failure();
    auto type = cast<RankedTensorType>(gate.getType());
    auto wide = RankedTensorType::get(
        {type.getDimSize(0), 2 * type.getDimSize(1)}, type.getElementType());
    auto linear = GateUpLinearOp::create(rewriter, loc, wide, gate.getInput(),
                                         joined->first, joined->second);
    rewriter.setInsertionPoint(mul);
    ActAndMulOp fused;
    if constexpr (std::is_same_v<ActAndMulOp, GeluAndMulOp>)
      fused = ActAndMulOp::create(rewriter, act.getLoc(), mul.getType(),
                                  linear.getGateUp(), act.getApproximateAttr());
    else
      fused = ActAndMulOp::create(rewriter, act.getLoc(), mul.getType(),
                                  linear.getGateUp());
    rewriter.replaceOp(mul, fused.getResult());
    for (Operation *dead :
         {act.getOperation(), gate.getOperation(), up.getOperation()})
      rewriter.eraseOp(dead);
    reportFused(linear, "gate_up_linear");
    reportFused(fused, fusion);
    return success();
  }
};

/// The linear that query, key or value of an attention comes from, through
/// reshapes, rotary embedding and per-head norms.
LinearOp findProjection(Value value) {
  while (true) {
    value = skipReshapes(value);
    Operation *def = value.getDefiningOp();
    if (!def)
      return {};
    if (auto linear = dyn_cast<LinearOp>(def))
      return linear;
    if (auto norm = dyn_cast<RMSNormOp>(def))
      value = norm.getInput();
    else if (isa<RopeOp, QKNormRopeOp>(def))
      // Both take (query, key, ...) and give (query, key).
      value = def->getOperand(cast<OpResult>(value).getResultNumber());
    else
      return {};
  }
}

LogicalResult fuseQKV(Operation *attention, Value queryValue, Value keyValue,
                      Value valueValue, PatternRewriter &rewriter) {
  LinearOp query = findProjection(queryValue), key = findProjection(keyValue),
           value = findProjection(valueValue);
  if (!query || !key || !value)
    return rewriter.notifyMatchFailure(attention, "an operand is no linear's");
  if (query == key || key == value || query == value ||
      query.getInput() != key.getInput() ||
      query.getInput() != value.getInput())
    return rewriter.notifyMatchFailure(attention,
                                       "no three linears of one input");
  if (key.getType() != value.getType() ||
      query->getBlock() != key->getBlock() ||
      query->getBlock() != value->getBlock())
    return rewriter.notifyMatchFailure(attention, "key and value differ");
  if (failed(checkUnbound(rewriter, "qkv_linear", {query, key, value})))
    return failure();
  Location loc = renamePlace(query.getLoc(), "qkv_proj");
  auto joined = joinWeights(rewriter, loc, {query, key, value});
  if (failed(joined))
    return failure();
  auto fused = QKVLinearOp::create(
      rewriter, loc, TypeRange{query.getType(), key.getType(), value.getType()},
      query.getInput(), joined->first, joined->second);
  rewriter.replaceOp(query, fused.getQuery());
  rewriter.replaceOp(key, fused.getKey());
  rewriter.replaceOp(value, fused.getValue());
  reportFused(fused, "qkv_linear");
  return success();
}

struct FuseQKV : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AttentionOp attention,
                                PatternRewriter &rewriter) const override {
    return fuseQKV(attention, attention.getQuery(), attention.getKey(),
                   attention.getValue(), rewriter);
  }
};

/// Key and value go into the cache that the attention reads.
struct FusePagedQKV : OpRewritePattern<PagedAttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(PagedAttentionOp attention,
                                PatternRewriter &rewriter) const override {
    KVCacheWriteOp write;
    for (Operation *user : attention.getCache().getUsers())
      if (auto found = dyn_cast<KVCacheWriteOp>(user)) {
        if (write)
          return rewriter.notifyMatchFailure(attention, "several cache writes");
        write = found;
      }
    if (!write)
      return rewriter.notifyMatchFailure(attention, "the cache is not written");
    return fuseQKV(attention, attention.getQuery(), write.getKey(),
                   write.getValue(), rewriter);
  }
};
} // namespace

void fk::addLinearPatterns(RewritePatternSet &patterns, WantedFn wanted) {
  MLIRContext *context = patterns.getContext();
  if (wanted({"silu_and_mul", "gate_up_linear"}))
    patterns.add<FuseGateUp<SiluOp, SiluAndMulOp>>(context);
  if (wanted({"gelu_and_mul", "gate_up_linear"}))
    patterns.add<FuseGateUp<GeluOp, GeluAndMulOp>>(context);
  if (wanted({"qkv_linear"}))
    patterns.add<FuseQKV, FusePagedQKV>(context);
}
