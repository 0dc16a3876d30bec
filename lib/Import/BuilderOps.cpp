//===- BuilderOps.cpp - One method a task ---------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "BuilderFrame.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace fk;
using namespace mlir;

static constexpr int64_t dynamic = ShapedType::kDynamic;

Value ModelBuilder::embedding(Value ids, llvm::StringRef name, int64_t rows,
                              int64_t hidden, double scale) {
  Value table = weight((name + ".weight").str(), {rows, hidden});
  Value y = EmbeddingOp::create(builder, loc(name), tensor({dynamic, hidden}),
                                ids, table, builder.getF32FloatAttr(scale));
  return named(y, symbol(ids));
}

Value ModelBuilder::makeLinear(Value x, llvm::StringRef name, Value weight,
                               Value bias) {
  int64_t out = cast<RankedTensorType>(weight.getType()).getDimSize(0);
  Value y = LinearOp::create(builder, loc(name), tensor({dynamic, out}), x,
                             weight, bias);
  return named(y, symbol(x));
}

Value ModelBuilder::linear(Value x, llvm::StringRef name, int64_t outFeatures,
                           bool bias) {
  Value w = weight((name + ".weight").str(), {outFeatures, width(x)});
  Value b = bias ? weight((name + ".bias").str(), {outFeatures}) : Value();
  return makeLinear(x, name, w, b);
}

Value ModelBuilder::linearPart(Value x, llvm::StringRef name,
                               llvm::StringRef fused, int64_t begin,
                               int64_t outFeatures, int64_t rows) {
  Value w = weight({(name + ".weight").str(),
                    (fused + ".weight").str(),
                    begin,
                    begin + outFeatures,
                    {rows, width(x)},
                    tensor({outFeatures, width(x)})});
  return makeLinear(x, name, w, Value());
}

Value ModelBuilder::linearTied(Value x, llvm::StringRef name,
                               llvm::StringRef weightName,
                               int64_t outFeatures) {
  WeightRequest request = {weightName.str(),
                           weightName.str(),
                           0,
                           -1,
                           {outFeatures, width(x)},
                           tensor({outFeatures, width(x)})};
  request.absolute = true;
  return makeLinear(x, name, weight(std::move(request)), Value());
}

Value ModelBuilder::rmsNorm(Value x, llvm::StringRef name, double epsilon,
                            double weightOffset) {
  Value w = weight((name + ".weight").str(), {width(x)});
  Value y = RMSNormOp::create(builder, loc(name), x.getType(), x, w,
                              builder.getF32FloatAttr(epsilon),
                              builder.getF32FloatAttr(weightOffset));
  return named(y, symbol(x));
}

Value ModelBuilder::headNorm(Value x, llvm::StringRef name, double epsilon) {
  auto type = cast<RankedTensorType>(x.getType());
  int64_t heads = type.getDimSize(1), headDim = type.getDimSize(2);
  llvm::SmallVector<ReassociationIndices> groups = {{0, 1}, {2}};
  Value rows = tensor::CollapseShapeOp::create(
      builder, loc(name), tensor({dynamic, headDim}), x, groups);
  named(rows, (symbol(x) + " * " + std::to_string(heads)).str());
  Value y = rmsNorm(rows, name, epsilon);
  llvm::SmallVector<OpFoldResult> shape = {
      rowCount(x), builder.getIndexAttr(heads), builder.getIndexAttr(headDim)};
  y = tensor::ExpandShapeOp::create(builder, loc(name), type, y, groups, shape);
  return named(y, symbol(x));
}

Value ModelBuilder::layerNorm(Value x, llvm::StringRef name, double epsilon,
                              bool bias) {
  Value w = weight((name + ".weight").str(), {width(x)});
  Value b = bias ? weight((name + ".bias").str(), {width(x)}) : Value();
  Value y = LayerNormOp::create(builder, loc(name), x.getType(), x, w, b,
                                builder.getF32FloatAttr(epsilon));
  return named(y, symbol(x));
}

Value ModelBuilder::l2Norm(Value x, llvm::StringRef name, double epsilon) {
  Value y = L2NormOp::create(builder, loc(name), x.getType(), x,
                             builder.getF32FloatAttr(epsilon));
  return named(y, symbol(x));
}

Value ModelBuilder::splitHeads(Value x, int64_t heads) {
  int64_t headDim = width(x) / heads;
  llvm::SmallVector<ReassociationIndices> groups = {{0}, {1, 2}};
  llvm::SmallVector<OpFoldResult> shape = {
      rowCount(x), builder.getIndexAttr(heads), builder.getIndexAttr(headDim)};
  Value y = tensor::ExpandShapeOp::create(
      builder, x.getLoc(), tensor({dynamic, heads, headDim}), x, groups, shape);
  return named(y, symbol(x));
}

Value ModelBuilder::mergeHeads(Value x) {
  auto type = cast<RankedTensorType>(x.getType());
  llvm::SmallVector<ReassociationIndices> groups = {{0}, {1, 2}};
  Value y = tensor::CollapseShapeOp::create(
      builder, x.getLoc(),
      tensor({dynamic, type.getDimSize(1) * type.getDimSize(2)}), x, groups);
  return named(y, symbol(x));
}

std::pair<Value, Value> ModelBuilder::rope(Value query, Value key) {
  Value positions = input("positions");
  Value cosSin = ropeValue();
  auto op = RopeOp::create(builder, loc("rotary_emb"), query.getType(),
                           key.getType(), query, key, positions, cosSin,
                           builder.getI32IntegerAttr(ropeTable->rotaryDim));
  return {named(op.getQueryOut(), symbol(query)),
          named(op.getKeyOut(), symbol(key))};
}

Value ModelBuilder::attention(Value query, Value key, Value value,
                              const AttentionOptions &options) {
  auto keyType = cast<RankedTensorType>(key.getType());
  int64_t kvHeads = keyType.getDimSize(1), headDim = keyType.getDimSize(2);
  FloatAttr scale = builder.getF32FloatAttr(
      options.scale ? options.scale : 1.0 / std::sqrt(double(headDim)));
  IntegerAttr causal = builder.getI32IntegerAttr(options.causal);
  IntegerAttr window = builder.getI32IntegerAttr(options.window);
  FloatAttr softcap = builder.getF32FloatAttr(0.0);
  Value y;
  if (paged) {
    Value cache = state("kv", cacheType(kvHeads, headDim));
    Value slots = input("slots");
    KVCacheWriteOp::create(builder, loc("kv"), cache, key, value, slots);
    Value cuSeqlens = input("cu_seqlens");
    Value seqLens = input("seq_lens");
    Value blockTable = input("block_table");
    y = PagedAttentionOp::create(builder, loc("attn"), query.getType(), query,
                                 cache, cuSeqlens, seqLens, blockTable, Value(),
                                 scale, causal, window, softcap);
  } else {
    y = AttentionOp::create(builder, loc("attn"), query.getType(), query, key,
                            value, input("cu_seqlens"), Value(), scale, causal,
                            window, softcap);
  }
  return named(y, symbol(query));
}

Value ModelBuilder::add(Value lhs, Value rhs, llvm::StringRef name) {
  Value y = AddOp::create(builder, loc(name), lhs.getType(), lhs, rhs);
  return named(y, symbol(lhs));
}

Value ModelBuilder::mul(Value lhs, Value rhs, llvm::StringRef name) {
  Value y = MulOp::create(builder, loc(name), lhs.getType(), lhs, rhs);
  return named(y, symbol(lhs));
}

Value ModelBuilder::activation(Value x, Activation kind, llvm::StringRef name) {
  Value y;
  if (kind == Activation::Silu)
    y = SiluOp::create(builder, loc(name), x.getType(), x);
  else
    y = GeluOp::create(builder, loc(name), x.getType(), x,
                       builder.getI32IntegerAttr(kind == Activation::GeluTanh));
  return named(y, symbol(x));
}

Value ModelBuilder::tanh(Value x, llvm::StringRef name) {
  Value y = TanhOp::create(builder, loc(name), x.getType(), x);
  return named(y, symbol(x));
}

Value ModelBuilder::gatherLastTokens(Value x) {
  Value y = GatherLastTokensOp::create(builder, loc("last_tokens"), x.getType(),
                                       x, input("cu_seqlens"));
  return named(y, "seqs");
}

Value ModelBuilder::pool(Value x, llvm::StringRef name, bool mean) {
  Value y =
      PoolOp::create(builder, loc(name), x.getType(), x, input("cu_seqlens"),
                     builder.getI32IntegerAttr(mean));
  return named(y, "seqs");
}
