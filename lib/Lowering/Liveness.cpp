//===- Liveness.cpp - When a buffer's bytes matter ------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Liveness.h"

#include "Elements.h"
#include "dialects/FK/SymbolicExpr.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace fk;

Value fk::skipViews(Value value) {
  while (auto view = value.getDefiningOp<fkplan::ViewOp>())
    value = view.getSource();
  return value;
}

SmallVector<BufferLife> fk::computeLives(func::FuncOp func) {
  llvm::MapVector<Operation *, BufferLife> lives;
  int64_t position = 0;
  func.walk([&](Operation *op) {
    if (auto buffer = dyn_cast<fkplan::BufferOp>(op)) {
      lives[op].buffer = buffer;
      return;
    }
    if (!isa<fkplan::LaunchOp, fkplan::CallOp>(op))
      return;
    for (Value operand : op->getOperands()) {
      auto buffer = skipViews(operand).getDefiningOp<fkplan::BufferOp>();
      if (!buffer)
        continue;
      BufferLife &life = lives[buffer];
      if (life.begin < 0)
        life.begin = position;
      life.end = position;
    }
    ++position;
  });
  SmallVector<BufferLife> sorted;
  for (auto &[op, life] : lives)
    sorted.push_back(life);
  llvm::sort(sorted, [](const BufferLife &lhs, const BufferLife &rhs) {
    return lhs.begin != rhs.begin ? lhs.begin < rhs.begin
                                  : lhs.buffer->isBeforeInBlock(rhs.buffer);
  });
  return sorted;
}

Expr fk::getByteSize(fkplan::BufferOp buffer) {
  Expr bytes = getSizeInBytes(*getDType(buffer.getType()));
  auto dims = fkplan::getDims(buffer);
  for (const Expr &extent : *dims)
    bytes = multiplyExprs(bytes, extent);
  return bytes;
}
