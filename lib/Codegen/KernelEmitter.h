//===- KernelEmitter.h - The kernel of one function ------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Private to the schedule: ScheduleEmitter.cpp has the survey and the frame,
// SchedulePointwise.cpp and ScheduleRows.cpp the two ways to share out the
// work.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CODEGEN_KERNELEMITTER_H
#define FK_LIB_CODEGEN_KERNELEMITTER_H

#include "lib/Codegen/Evaluator.h"
#include "lib/Codegen/RowTeam.h"
#include "lib/Codegen/ScheduleEmitter.h"
#include "runtime/support/Expr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include <memory>

namespace fk {

/// Columns of a result, and where they lie in it.
struct Part {
  unsigned result;
  mlir::Value value;
  int64_t offset, extent;
};

/// Results of the same rows.
struct Group {
  llvm::SmallVector<Expr> extents;  ///< of the rows' dimensions
  llvm::SmallVector<int64_t> shape; ///< of the results
  llvm::SmallVector<Part> parts;

  Expr getRows() const {
    Expr rows = 1;
    for (const Expr &extent : extents)
      rows = Expr::binary(ExprOp::Mul, rows, extent);
    return rows;
  }
};

class KernelEmitter {
public:
  KernelEmitter(mlir::func::FuncOp func, const ScheduleOptions &options)
      : func(func), options(options), b(func.getContext()), loc(func.getLoc()) {
  }

  mlir::LogicalResult run();

private:
  // What there is to do, and the frame: ScheduleEmitter.cpp.
  mlir::LogicalResult collectGroups();
  Group &findGroup(llvm::ArrayRef<Expr> rows, llvm::ArrayRef<int64_t> shape);
  /// A concatenation of columns is written piece by piece.
  void addParts(Group &group, unsigned result, mlir::Value value,
                int64_t offset);
  void createKernel();
  void mapArguments(mlir::ValueRange values);
  mlir::FailureOr<mlir::Value> emitExtent(const Expr &expr);
  /// The coordinates of row number `row`, whose inner extents are static.
  mlir::FailureOr<Evaluator::Coords> getRowCoords(const Group &group,
                                                  mlir::Value row);
  mlir::LogicalResult survey();
  mlir::LogicalResult surveyGroups();
  std::string describeLaunch();

  // SchedulePointwise.cpp.
  struct Stored {
    Part part;
    Evaluator::Coords coords;
    Lanes lanes;
    mlir::Value valid;
    std::unique_ptr<Columns> columns;
    std::shared_ptr<Evaluator> evaluator;
  };

  /// Evaluates parts of a group at one vector of one row.
  mlir::LogicalResult evaluateAt(const Group &group, llvm::ArrayRef<Part> parts,
                                 mlir::Value row, mlir::Value start,
                                 mlir::Value valid, int64_t vectorWidth,
                                 llvm::SmallVectorImpl<Stored> &stored);
  mlir::LogicalResult storeAll(llvm::SmallVectorImpl<Stored> &stored);
  /// Emits `body(first)` in a loop over tiles of `tile` things, `first` being
  /// the thread's first of the tile.
  mlir::LogicalResult
  emitTiles(mlir::Value total, int64_t tile,
            llvm::function_ref<mlir::LogicalResult(mlir::Value)> emit);
  void setPointwiseGrid(const Expr &total, int64_t tile);
  /// Rows and columns of all results in one list of vectors.
  mlir::LogicalResult emitPointwise();
  /// All tensors as one array: vectors, then the last elements one by one.
  mlir::LogicalResult emitFlat();

  // ScheduleRows.cpp.
  /// Each group has blocks of its own, so that the threads of a block stay
  /// together. Threads behind a group's last row do that row again and store
  /// nothing.
  mlir::LogicalResult emitRows();
  mlir::LogicalResult emitRow(const Group &group, mlir::Value row,
                              mlir::Value valid, TeamEmitter &team);
  mlir::LogicalResult storePart(Evaluator &evaluator, const Part &part,
                                Evaluator::Coords at, const Lanes &lanes,
                                mlir::Value valid);
  /// Parts of one extent share a loop over its pieces.
  mlir::LogicalResult
  emitLoopedParts(Evaluator &evaluator,
                  llvm::ArrayRef<std::pair<Part, Evaluator::Coords>> parts,
                  mlir::Value valid, TeamEmitter &team);

  mlir::Value constant(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(b, loc, value);
  }
  mlir::Value add(mlir::Value x, mlir::Value y) {
    return mlir::arith::AddIOp::create(b, loc, x, y);
  }
  mlir::Value mul(mlir::Value x, mlir::Value y) {
    return mlir::arith::MulIOp::create(b, loc, x, y);
  }
  mlir::Value less(mlir::Value x, mlir::Value y) {
    return mlir::arith::CmpIOp::create(b, loc, mlir::arith::CmpIPredicate::ult,
                                       x, y);
  }
  mlir::Value least(mlir::Value x, mlir::Value y) {
    return mlir::arith::MinUIOp::create(b, loc, x, y);
  }
  mlir::Value divide(mlir::Value x, int64_t by) {
    return by == 1 ? x
                   : mlir::Value(
                         mlir::arith::DivUIOp::create(b, loc, x, constant(by)));
  }
  mlir::Value remainder(mlir::Value x, int64_t by) {
    return by == 1 ? constant(0)
                   : mlir::Value(
                         mlir::arith::RemUIOp::create(b, loc, x, constant(by)));
  }
  mlir::Value threadId() {
    return mlir::gpu::ThreadIdOp::create(b, loc, mlir::gpu::Dimension::x);
  }
  mlir::Value blockId() {
    return mlir::gpu::BlockIdOp::create(b, loc, mlir::gpu::Dimension::x);
  }

  mlir::RankedTensorType getResultType(const Part &part) {
    return llvm::cast<mlir::RankedTensorType>(
        func.getResultTypes()[part.result]);
  }

  mlir::func::FuncOp func;
  ScheduleOptions options;
  mlir::OpBuilder b;
  mlir::Location loc;
  std::vector<Group> groups;

  // Of the survey.
  bool reduces = false, isFlat = false;
  int64_t rowExtent = 0, width = 1, widest = 1;
  llvm::SmallVector<int64_t> extents;

  // Of the kernel.
  mlir::gpu::GPUModuleOp module;
  mlir::gpu::GPUFuncOp kernel;
  mlir::Block *body = nullptr;
  mlir::IRMapping mapping;
  llvm::SmallVector<mlir::Value> results;
  int64_t blockThreads = 0;
  Expr grid;
};

} // namespace fk

#endif // FK_LIB_CODEGEN_KERNELEMITTER_H
