//===- ScheduleRows.cpp - A team of threads has a row --------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "lib/Codegen/KernelEmitter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace fk;

/// Each group has blocks of its own, so that the threads of a block stay
/// together. Threads behind a group's last row do that row again and store
/// nothing.
LogicalResult KernelEmitter::emitRows() {
  RowTeam team =
      RowTeam::choose(rowExtent / width, width, options.held, options.threads);
  blockThreads = team.threads * team.rowsPerBlock;
  Value thread = threadId(), block = blockId();
  Value lane =
      team.rowsPerBlock == 1 ? thread : remainder(thread, team.threads);
  TeamEmitter emitter(b, loc, module, func.getName(), team, lane, width,
                      options.held);
  OpBuilder::InsertionGuard guard(b);
  grid = Expr(0);
  for (const Group &group : groups) {
    Expr blocks =
        Expr::binary(ExprOp::CeilDiv, group.getRows(), Expr(team.rowsPerBlock));
    grid = Expr::binary(ExprOp::Add, grid, blocks);
    FailureOr<Value> rows = emitExtent(group.getRows());
    FailureOr<Value> size = emitExtent(blocks);
    if (failed(rows) || failed(size))
      return failure();
    bool isLast = &group == &groups.back();
    scf::IfOp branch;
    if (!isLast) {
      branch = scf::IfOp::create(b, loc, TypeRange(), less(block, *size), true);
      b.setInsertionPointToStart(branch.thenBlock());
    }
    Value row = block, valid;
    if (team.rowsPerBlock > 1) {
      row = add(mul(block, constant(team.rowsPerBlock)),
                divide(thread, team.threads));
      valid = less(row, *rows);
      row = least(row, arith::SubIOp::create(b, loc, *rows, constant(1)));
    }
    if (failed(emitRow(group, row, valid, emitter)))
      return failure();
    if (!isLast) {
      b.setInsertionPointToStart(branch.elseBlock());
      block = arith::SubIOp::create(b, loc, block, *size);
    }
  }
  return success();
}

LogicalResult KernelEmitter::emitRow(const Group &group, Value row, Value valid,
                                     TeamEmitter &team) {
  FailureOr<Evaluator::Coords> coords = getRowCoords(group, row);
  if (failed(coords))
    return failure();
  team.startRow();
  Evaluator evaluator(b, mapping, width, team.getHooks());
  SmallVector<std::pair<Part, Evaluator::Coords>> parts;
  for (const Part &part : group.parts) {
    Evaluator::Coords at = *coords;
    at.push_back({Value(), team.getColumns(part.extent), 0});
    parts.push_back({part, at});
  }
  // All that is read of memory is asked for first.
  for (bool loads : {true, false})
    for (auto &[part, at] : parts)
      if ((!loads || !at.back().columns->loopPieces) &&
          failed(evaluator.prepare(part.value, at, loads)))
        return failure();
  SmallVector<Lanes> values;
  for (auto &[part, at] : parts) {
    if (at.back().columns->loopPieces)
      continue;
    FailureOr<Lanes> lanes = evaluator.eval(part.value, at);
    if (failed(lanes))
      return failure();
    values.push_back(*lanes);
  }
  size_t next = 0;
  for (auto &[part, at] : parts)
    if (!at.back().columns->loopPieces)
      if (failed(storePart(evaluator, part, at, values[next++], valid)))
        return failure();
  return emitLoopedParts(evaluator, parts, valid, team);
}

LogicalResult KernelEmitter::storePart(Evaluator &evaluator, const Part &part,
                                       Evaluator::Coords at, const Lanes &lanes,
                                       Value valid) {
  at.back().offset += part.offset;
  return evaluator.store(loc, results[part.result], getResultType(part), at,
                         lanes, valid);
}

/// Parts of one extent share a loop over its pieces.
LogicalResult KernelEmitter::emitLoopedParts(
    Evaluator &evaluator, ArrayRef<std::pair<Part, Evaluator::Coords>> parts,
    Value valid, TeamEmitter &team) {
  SmallVector<Columns *> looped;
  for (const auto &[part, at] : parts)
    if (at.back().columns->loopPieces &&
        !llvm::is_contained(looped, at.back().columns))
      looped.push_back(at.back().columns);
  for (Columns *columns : looped) {
    LogicalResult emitted = success();
    team.getHooks().loop(columns, {}, [&](Columns *piece, ValueRange) {
      SmallVector<std::tuple<Part, Evaluator::Coords, Lanes>> values;
      for (const auto &[part, at] : parts) {
        if (at.back().columns != columns)
          continue;
        Evaluator::Coords inner = at;
        inner.back().columns = piece;
        FailureOr<Lanes> lanes = evaluator.eval(part.value, inner);
        if (failed(lanes)) {
          emitted = failure();
          return SmallVector<Value>();
        }
        values.push_back({part, inner, *lanes});
      }
      for (auto &[part, inner, lanes] : values)
        if (failed(storePart(evaluator, part, inner, lanes, valid)))
          emitted = failure();
      return SmallVector<Value>();
    });
    if (failed(emitted))
      return failure();
  }
  return success();
}
