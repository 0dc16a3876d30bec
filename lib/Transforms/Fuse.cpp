//===- Fuse.cpp - Forms fused tasks ---------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "FusePatterns.h"

#include "dialects/FK/FK.h"
#include "fk/Transforms/Passes.h"
#include "fk/Transforms/Remarks.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace fk {
#define GEN_PASS_DEF_FUSEPASS
#include "fk/Transforms/Passes.h.inc"
} // namespace fk

using namespace mlir;
using namespace fk;

static constexpr StringLiteral passName = "fk-fuse";

static constexpr StringLiteral fusedTasks[] = {"add_rms_norm", "gate_up_linear",
                                               "gelu_and_mul", "qk_norm_rope",
                                               "qkv_linear",   "silu_and_mul"};

bool fk::isFusedTask(StringRef task) {
  return llvm::is_contained(fusedTasks, task);
}

LogicalResult fk::checkUnbound(PatternRewriter &rewriter, StringRef fusion,
                               ArrayRef<Operation *> members) {
  for (Operation *member : members) {
    auto bound = member->getAttrOfType<FlatSymbolRefAttr>(attrs::candidate);
    if (!bound)
      continue;
    StringRef task = cast<TaskOpInterface>(member).getTaskName();
    reportMissed(member, passName, fusion,
                 task + " is bound to candidate '" + bound.getValue() +
                     "', which is opaque to fusion");
    return rewriter.notifyMatchFailure(member, "bound to a candidate");
  }
  return success();
}

void fk::reportFused(Operation *fused, StringRef fusion) {
  SmallVector<StringRef> parts;
  cast<TaskOpInterface>(fused).getDecompositionText().split(parts, ',');
  reportApplied(fused, passName, fusion,
                "formed of " + llvm::join(parts, " + "));
}

LogicalResult fk::makeAvailable(PatternRewriter &rewriter, ValueRange values,
                                Operation *point) {
  for (Value value : values) {
    Operation *def = value ? value.getDefiningOp() : nullptr;
    if (!def ||
        (def->getBlock() == point->getBlock() && def->isBeforeInBlock(point)))
      continue;
    if (def->getBlock() != point->getBlock() ||
        !isa<GetWeightOp, tensor::ConcatOp>(def) ||
        failed(makeAvailable(rewriter, def->getOperands(), point)))
      return rewriter.notifyMatchFailure(def, "defined after the fused op");
    rewriter.moveOpBefore(def, point);
  }
  return success();
}

Value fk::skipReshapes(Value value) {
  while (Operation *def = value.getDefiningOp()) {
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(def))
      break;
    value = def->getOperand(0);
  }
  return value;
}

namespace {
struct FuseAddRMSNorm : OpRewritePattern<RMSNormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RMSNormOp norm,
                                PatternRewriter &rewriter) const override {
    auto add = norm.getInput().getDefiningOp<AddOp>();
    if (!add || add->getBlock() != norm->getBlock())
      return rewriter.notifyMatchFailure(norm, "input is no sum");
    if (failed(checkUnbound(rewriter, "add_rms_norm", {norm, add})))
      return failure();
    // The sum must be there for its other users, so the fused op stands where
    // the sum stood.
    if (failed(makeAvailable(rewriter, norm.getWeight(), add)))
      return failure();
    rewriter.setInsertionPoint(add);
    Type type = norm.getType();
    auto fused =
        AddRMSNormOp::create(rewriter, norm.getLoc(), TypeRange{type, type},
                             add.getLhs(), add.getRhs(), norm.getWeight(),
                             norm.getEpsilonAttr(), norm.getWeightOffsetAttr());
    rewriter.replaceOp(norm, fused.getResult());
    rewriter.replaceOp(add, fused.getResidualOut());
    reportFused(fused, "add_rms_norm");
    return success();
  }
};

/// A norm of every head: `value`, of [tokens, heads, head_dim], is a reshaped
/// rms_norm of the reshaped `source` of the same type.
struct HeadNorm {
  RMSNormOp norm;
  Value source;
};

HeadNorm matchHeadNorm(Value value) {
  auto norm = skipReshapes(value).getDefiningOp<RMSNormOp>();
  if (!norm || !norm->hasOneUse() ||
      norm.getWeight().getType().getShape().back() !=
          cast<RankedTensorType>(value.getType()).getShape().back())
    return {};
  // Somewhere behind the norm's input lies the value with the heads apart.
  Value source = norm.getInput();
  while (source.getType() != value.getType()) {
    Operation *def = source.getDefiningOp();
    if (!isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(def))
      return {};
    source = def->getOperand(0);
  }
  return {norm, source};
}

struct FuseQKNormRope : OpRewritePattern<RopeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RopeOp rope,
                                PatternRewriter &rewriter) const override {
    HeadNorm query = matchHeadNorm(rope.getQuery());
    HeadNorm key = matchHeadNorm(rope.getKey());
    if (!query.norm || !key.norm)
      return rewriter.notifyMatchFailure(rope, "query or key is not normed");
    if (query.norm.getEpsilon() != key.norm.getEpsilon() ||
        query.norm.getWeightOffset() != key.norm.getWeightOffset())
      return rewriter.notifyMatchFailure(rope, "the norms differ");
    if (failed(checkUnbound(rewriter, "qk_norm_rope",
                            {query.norm, key.norm, rope})))
      return failure();
    auto fused = QKNormRopeOp::create(
        rewriter, rope.getLoc(), rope.getResultTypes(), query.source,
        key.source, query.norm.getWeight(), key.norm.getWeight(),
        rope.getPositions(), rope.getCosSin(), query.norm.getEpsilonAttr(),
        rope.getRotaryDimAttr(), query.norm.getWeightOffsetAttr());
    Value dead[] = {rope.getQuery(), rope.getKey()};
    rewriter.replaceOp(rope, fused.getResults());
    for (Value value : dead)
      while (Operation *def = value.getDefiningOp()) {
        if (!isOpTriviallyDead(def))
          break;
        value = def->getOperand(0);
        rewriter.eraseOp(def);
      }
    reportFused(fused, "qk_norm_rope");
    return success();
  }
};

class FusePass : public fk::impl::FusePassBase<FusePass> {
public:
  using FusePassBase::FusePassBase;

  void runOnOperation() override {
    for (StringRef task : llvm::concat<const std::string>(disabled, only))
      if (task != "all" && !isFusedTask(task)) {
        getOperation().emitError("fk-fuse: unknown fused task '")
            << task << "': wanted one of "
            << llvm::join(ArrayRef(fusedTasks), ", ") << " or all";
        return signalPassFailure();
      }
    auto wanted = [&](ArrayRef<StringRef> tasks) {
      auto names = [&](auto &list) {
        return llvm::is_contained(list, "all") ||
               llvm::any_of(tasks, [&](StringRef task) {
                 return llvm::is_contained(list, task);
               });
      };
      return !names(disabled) && (only.empty() || names(only));
    };
    RewritePatternSet patterns(&getContext());
    addNormPatterns(patterns, wanted);
    addLinearPatterns(patterns, wanted);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace

void fk::addNormPatterns(RewritePatternSet &patterns, WantedFn wanted) {
  if (wanted({"add_rms_norm"}))
    patterns.add<FuseAddRMSNorm>(patterns.getContext());
  if (wanted({"qk_norm_rope"}))
    patterns.add<FuseQKNormRope>(patterns.getContext());
}
