//===- Liveness.h - When a buffer's bytes matter ---------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_LOWERING_LIVENESS_H
#define FK_LIB_LOWERING_LIVENESS_H

#include "dialects/FKPlan/FKPlan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace fk {

/// The life of a buffer, in positions of the launches and calls of its
/// function: from the first that touches it to the last, both included. -1:
/// never.
struct BufferLife {
  fkplan::BufferOp buffer;
  int64_t begin = -1, end = -1;
};

/// The lives of all buffers of a function, by begin.
llvm::SmallVector<BufferLife> computeLives(mlir::func::FuncOp func);

/// The value whose bytes `value` is a view of, or itself.
mlir::Value skipViews(mlir::Value value);

/// Bytes of a buffer, over the symbols.
Expr getByteSize(fkplan::BufferOp buffer);

} // namespace fk

#endif // FK_LIB_LOWERING_LIVENESS_H
