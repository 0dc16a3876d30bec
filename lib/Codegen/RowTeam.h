//===- RowTeam.h - The threads that share a row ----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CODEGEN_ROWTEAM_H
#define FK_LIB_CODEGEN_ROWTEAM_H

#include "lib/Codegen/Evaluator.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include <memory>

namespace fk {

/// How many threads have a row.
struct RowTeam {
  int64_t threads = 32;
  int64_t rowsPerBlock = 1; ///< > 1 only where threads <= 32

  /// For rows of `vectors` vectors of `width` elements. `held`: the elements a
  /// thread may keep; `wanted`: the threads asked for, or 0.
  static RowTeam choose(int64_t vectors, int64_t width, int64_t held,
                        int64_t wanted);
};

/// Emits what the threads of a row do together.
class TeamEmitter {
public:
  /// `lane` is the thread's number in its team.
  TeamEmitter(mlir::OpBuilder &builder, mlir::Location loc,
              mlir::gpu::GPUModuleOp module, llvm::StringRef name,
              const RowTeam &team, mlir::Value lane, int64_t width,
              int64_t held)
      : b(builder), loc(loc), module(module), name(name), team(team),
        lane(lane), width(width), held(held) {}

  /// Columns are emitted anew where a row begins.
  void startRow() { columns.clear(); }
  Columns *getColumns(int64_t extent);
  EvaluatorHooks getHooks();

private:
  void addPiece(Columns &to, mlir::Value number, int64_t vectors,
                bool isPartial);
  mlir::Value combineThreads(Combine combine, mlir::Value value);
  mlir::Value shuffle(Combine combine, mlir::Value value, int64_t lanes);
  mlir::Value combineValues(Combine combine, mlir::Value lhs, mlir::Value rhs);
  mlir::Value constant(int64_t value);
  mlir::Value constant32(int64_t value);

  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::gpu::GPUModuleOp module;
  llvm::StringRef name;
  RowTeam team;
  mlir::Value lane;
  int64_t width, held;
  int64_t reductions = 0;
  std::map<int64_t, Columns *> columns;
  std::vector<std::unique_ptr<Columns>> all;
};

} // namespace fk

#endif // FK_LIB_CODEGEN_ROWTEAM_H
