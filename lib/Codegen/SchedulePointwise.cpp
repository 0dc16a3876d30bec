//===- SchedulePointwise.cpp - Vectors in any order ----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "lib/Codegen/KernelEmitter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace fk;

/// Evaluates parts of a group at one vector of one row.
LogicalResult KernelEmitter::evaluateAt(const Group &group,
                                        ArrayRef<Part> parts, Value row,
                                        Value start, Value valid,
                                        int64_t vectorWidth,
                                        SmallVectorImpl<Stored> &stored) {
  FailureOr<Evaluator::Coords> coords = getRowCoords(group, row);
  if (failed(coords))
    return failure();
  auto evaluator =
      std::make_shared<Evaluator>(b, mapping, vectorWidth, EvaluatorHooks());
  auto columns =
      std::make_unique<Columns>(Columns{parts[0].extent, {start}, {Value()}});
  SmallVector<Lanes> values;
  Evaluator::Coords at = *coords;
  at.push_back({Value(), columns.get(), 0});
  for (const Part &part : parts) {
    FailureOr<Lanes> lanes = evaluator->eval(part.value, at);
    if (failed(lanes))
      return failure();
    Evaluator::Coords to = at;
    to.back().offset = part.offset;
    stored.push_back({part, to, *lanes, valid, nullptr, evaluator});
  }
  stored.back().columns = std::move(columns);
  return success();
}

LogicalResult KernelEmitter::storeAll(SmallVectorImpl<Stored> &stored) {
  for (Stored &each : stored)
    if (failed(each.evaluator->store(loc, results[each.part.result],
                                     getResultType(each.part), each.coords,
                                     each.lanes, each.valid)))
      return failure();
  return success();
}

/// Emits `body(first)` in a loop over tiles of `tile` things, `first` being
/// the thread's first of the tile.
LogicalResult
KernelEmitter::emitTiles(Value total, int64_t tile,
                         llvm::function_ref<LogicalResult(Value)> emit) {
  Value start = mul(blockId(), constant(tile));
  Value blocks = gpu::GridDimOp::create(b, loc, gpu::Dimension::x);
  Value step = mul(blocks, constant(tile));
  auto loop = scf::ForOp::create(b, loc, start, total, step);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  return emit(add(loop.getInductionVar(), threadId()));
}

void KernelEmitter::setPointwiseGrid(const Expr &total, int64_t tile) {
  grid = Expr::binary(ExprOp::CeilDiv, total, Expr(tile));
  grid = Expr::binary(ExprOp::Min, grid, Expr(options.blocks));
}

/// Rows and columns of all results in one list of vectors.
LogicalResult KernelEmitter::emitPointwise() {
  blockThreads = options.threads ? options.threads : 256;
  struct Set {
    const Group *group;
    SmallVector<Part> parts;
    int64_t vectors; ///< of a row
  };
  SmallVector<Set> sets;
  Expr total = 0;
  for (const Group &group : groups) {
    size_t first = sets.size();
    for (const Part &part : group.parts) {
      auto set =
          llvm::find_if(llvm::drop_begin(sets, first), [&](const Set &set) {
            return set.parts[0].extent == part.extent;
          });
      if (set != sets.end()) {
        set->parts.push_back(part);
        continue;
      }
      sets.push_back({&group, {part}, part.extent / width});
      total = Expr::binary(ExprOp::Add, total,
                           Expr::binary(ExprOp::Mul, group.getRows(),
                                        Expr(part.extent / width)));
    }
  }
  int64_t unroll = options.vectors ? options.vectors : 2;
  if (sets.size() > 1)
    unroll = 1;
  setPointwiseGrid(total, blockThreads * unroll);
  FailureOr<Value> count = emitExtent(total);
  if (failed(count))
    return failure();
  SmallVector<Value> counts;
  for (const Set &set : sets) {
    FailureOr<Value> rows = emitExtent(set.group->getRows());
    if (failed(rows))
      return failure();
    counts.push_back(mul(*rows, constant(set.vectors)));
  }
  auto evaluate = [&](const Set &set, Value vector, Value valid,
                      SmallVectorImpl<Stored> &stored) {
    Value start = mul(remainder(vector, set.vectors), constant(width));
    return evaluateAt(*set.group, set.parts, divide(vector, set.vectors), start,
                      valid, width, stored);
  };
  return emitTiles(
      *count, blockThreads * unroll, [&](Value first) -> LogicalResult {
        if (sets.size() == 1) {
          SmallVector<Stored> stored;
          Value last = arith::SubIOp::create(b, loc, *count, constant(1));
          for (int64_t i = 0; i < unroll; ++i) {
            Value vector = add(first, constant(i * blockThreads));
            if (failed(evaluate(sets[0], least(vector, last),
                                less(vector, *count), stored)))
              return failure();
          }
          return storeAll(stored);
        }
        OpBuilder::InsertionGuard guard(b);
        Value rest = first;
        for (auto [set, size] : llvm::zip_equal(sets, counts)) {
          auto branch =
              scf::IfOp::create(b, loc, TypeRange(), less(rest, size), true);
          b.setInsertionPointToStart(branch.thenBlock());
          SmallVector<Stored> stored;
          if (failed(evaluate(set, rest, {}, stored)) ||
              failed(storeAll(stored)))
            return failure();
          b.setInsertionPointToStart(branch.elseBlock());
          rest = arith::SubIOp::create(b, loc, rest, size);
        }
        return success();
      });
}

/// All tensors as one array: vectors, then the last elements one by one.
LogicalResult KernelEmitter::emitFlat() {
  blockThreads = options.threads ? options.threads : 256;
  width = widest;
  int64_t unroll = options.vectors ? options.vectors : 2;
  Group flat = groups[0];
  Expr elements =
      Expr::binary(ExprOp::Mul, flat.getRows(), Expr(flat.shape.back()));
  bool hasTail = flat.shape.back() % width != 0;
  int64_t tile = blockThreads * unroll;
  setPointwiseGrid(Expr::binary(ExprOp::CeilDiv, elements, Expr(width)), tile);
  FailureOr<Value> count = emitExtent(elements);
  if (failed(count))
    return failure();
  Value vectors = divide(*count, width);
  auto evaluate = [&](Value start, Value valid, int64_t vectorWidth,
                      SmallVectorImpl<Stored> &stored) {
    // The whole offset is in the columns; rows add nothing.
    Group one = flat;
    auto evaluator =
        std::make_shared<Evaluator>(b, mapping, vectorWidth, EvaluatorHooks());
    auto columns = std::make_unique<Columns>(Columns{0, {start}, {Value()}});
    Evaluator::Coords at(flat.extents.size());
    at.push_back({Value(), columns.get(), 0});
    for (const Part &part : flat.parts) {
      FailureOr<Lanes> lanes = evaluator->eval(part.value, at);
      if (failed(lanes))
        return failure();
      stored.push_back({part, at, *lanes, valid, nullptr, evaluator});
    }
    stored.back().columns = std::move(columns);
    return success();
  };
  LogicalResult emitted =
      emitTiles(vectors, tile, [&](Value first) -> LogicalResult {
        SmallVector<Stored> stored;
        Value last = arith::SubIOp::create(b, loc, vectors, constant(1));
        for (int64_t i = 0; i < unroll; ++i) {
          Value vector = add(first, constant(i * blockThreads));
          if (failed(evaluate(mul(least(vector, last), constant(width)),
                              less(vector, vectors), width, stored)))
            return failure();
        }
        return storeAll(stored);
      });
  if (failed(emitted) || !hasTail)
    return emitted;
  // The first threads of the grid take one each.
  Value thread = add(mul(blockId(), constant(blockThreads)), threadId());
  Value element = add(mul(vectors, constant(width)), thread);
  auto branch =
      scf::IfOp::create(b, loc, TypeRange(), less(element, *count), false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  SmallVector<Stored> stored;
  if (failed(evaluate(element, {}, 1, stored)))
    return failure();
  return storeAll(stored);
}
