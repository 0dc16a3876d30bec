//===- Evaluator.h - Elements of linalg where they are needed --*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Emits the computation of a tensor's elements at given coordinates, following
// the linalg that defines it back to the kernel's arguments. Nothing is stored
// in between: the whole function fuses into the place where a result is
// written.
//
// A coordinate is one number for a thread (of its row), or the columns that the
// thread has: some vectors of consecutive elements. A value is likewise one
// number, or one vector for each piece.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CODEGEN_EVALUATOR_H
#define FK_LIB_CODEGEN_EVALUATOR_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <functional>
#include <map>
#include <vector>

namespace fk {

/// The columns of a row that a thread has.
struct Columns {
  int64_t extent = 0;                    ///< of the whole row
  llvm::SmallVector<mlir::Value> starts; ///< first element of each piece
  llvm::SmallVector<mlir::Value> valid;  ///< i1, or null: always
  int64_t loopPieces = 0;                ///< > 0: visited one by one in a loop
};

struct Coord {
  mlir::Value index;          ///< of type index; null: the first
  Columns *columns = nullptr; ///< instead of `index`
  int64_t offset = 0;         ///< added to the columns

  bool operator<(const Coord &other) const {
    return std::tuple(index.getAsOpaquePointer(), columns, offset) <
           std::tuple(other.index.getAsOpaquePointer(), other.columns,
                      other.offset);
  }
  bool operator==(const Coord &other) const {
    return index == other.index && columns == other.columns &&
           offset == other.offset;
  }
};

/// One number, or one vector a piece.
struct Lanes {
  llvm::SmallVector<mlir::Value> pieces;
  Columns *columns = nullptr;

  static Lanes uniform(mlir::Value value) { return {{value}, nullptr}; }
};

/// How values are combined in a reduction.
enum class Combine { Add, Mul, Max, Min };

/// A tensor that is read or written along its columns: what vectors it admits.
struct Access {
  int64_t bytes;                        ///< of an element
  llvm::SmallVector<int64_t> multiples; ///< a vector's length divides each
  bool isFlat;                          ///< its layout is that of the results
};

/// What the evaluator asks of the schedule.
struct EvaluatorHooks {
  /// The thread's columns of a row of `extent` elements.
  std::function<Columns *(int64_t extent)> getColumns;
  /// The combination of one number of every thread of the row.
  std::function<mlir::Value(Combine, mlir::Value)> combineThreads;
  /// Emits `body` for every piece of looped columns, `values` being carried.
  std::function<llvm::SmallVector<mlir::Value>(
      Columns *, mlir::ValueRange values,
      llvm::function_ref<llvm::SmallVector<mlir::Value>(Columns *,
                                                        mlir::ValueRange)>)>
      loop;
};

class Evaluator {
public:
  /// `mapping` has the kernel's values for the function's arguments.
  Evaluator(mlir::OpBuilder &builder, mlir::IRMapping &mapping, int64_t width,
            EvaluatorHooks hooks)
      : b(builder), mapping(mapping), width(width), hooks(std::move(hooks)) {}

  using Coords = llvm::SmallVector<Coord, 4>;

  /// The elements of `tensor` at `coords`. Fails with a diagnostic.
  mlir::FailureOr<Lanes> eval(mlir::Value tensor, const Coords &coords);
  /// Emits what of `tensor` does not depend on the columns, and with
  /// `loads` what is read from the arguments, ahead of the rest.
  mlir::LogicalResult prepare(mlir::Value tensor, const Coords &coords,
                              bool loads);
  /// Writes `value` to the tensor behind `pointer`.
  mlir::LogicalResult store(mlir::Location loc, mlir::Value pointer,
                            mlir::RankedTensorType type, const Coords &coords,
                            const Lanes &value, mlir::Value rowValid);

  /// Forgets what was evaluated: columns of before are gone.
  void forget() { memo.clear(); }

  /// The coordinates of the row, to tell flat accesses.
  llvm::SmallVector<mlir::Value> rowIndices;
  llvm::SmallVector<int64_t> resultShape;
  std::vector<Access> accesses;
  bool usesRow = false; ///< something depends on which row it is

private:
  using Key = std::pair<void *, std::vector<Coord>>;
  struct Body;

  mlir::FailureOr<Lanes> evalUncached(mlir::Value tensor, const Coords &coords);
  mlir::FailureOr<Lanes> evalGeneric(mlir::linalg::GenericOp op,
                                     unsigned result, const Coords &coords);
  mlir::FailureOr<Lanes> evalReduction(mlir::linalg::GenericOp op,
                                       const Coords &coords);
  mlir::FailureOr<Lanes> evalInputs(mlir::linalg::GenericOp op, Body &body);
  mlir::LogicalResult evalBlock(mlir::Block &block, Body &body);
  mlir::LogicalResult evalOp(mlir::Operation &op, Body &body);
  mlir::LogicalResult evalIf(mlir::Operation &op, Body &body);
  mlir::LogicalResult evalExtract(mlir::Operation &op, Body &body);
  mlir::LogicalResult evalIndexAdd(mlir::Operation &op, Body &body, bool &done);
  mlir::FailureOr<Lanes> lookUp(mlir::Value value, Body &body);
  mlir::FailureOr<mlir::Value> lookUpOuter(mlir::Value value);
  mlir::FailureOr<Lanes> load(mlir::Location loc, mlir::Value argument,
                              const Coords &coords);
  mlir::FailureOr<Coords> mapCoords(mlir::Operation *op, mlir::AffineMap map,
                                    llvm::ArrayRef<Coord> loops);
  mlir::FailureOr<Coords> getLoops(mlir::linalg::GenericOp op, unsigned result,
                                   const Coords &coords);
  Coords shiftCoords(mlir::Operation *slice, const Coords &coords);
  mlir::FailureOr<mlir::Value> getRowPointer(mlir::Location loc,
                                             mlir::Value pointer,
                                             mlir::RankedTensorType type,
                                             const Coords &coords);
  void noteAccess(mlir::RankedTensorType type, const Coords &coords);
  mlir::Value addIndex(mlir::Location loc, mlir::Value pointer,
                       mlir::Type element, mlir::Value index, int64_t offset);
  mlir::Type vectorize(mlir::Type type);
  Lanes spread(mlir::Location loc, const Lanes &lanes, Columns *columns);
  mlir::Value identityOf(mlir::Location loc, Combine combine, mlir::Type type);
  mlir::Value combineValues(mlir::Location loc, Combine combine,
                            mlir::Value lhs, mlir::Value rhs);
  mlir::Value foldVector(mlir::Location loc, Combine combine,
                         mlir::Value vector);

  mlir::OpBuilder &b;
  mlir::IRMapping &mapping;
  int64_t width;
  EvaluatorHooks hooks;
  std::map<Key, Lanes> memo;

public:
  /// For the schedule: the shared arithmetic of reductions.
  mlir::Value combine(mlir::Location loc, Combine kind, mlir::Value lhs,
                      mlir::Value rhs) {
    return combineValues(loc, kind, lhs, rhs);
  }
  mlir::Value identity(mlir::Location loc, Combine kind, mlir::Type type) {
    return identityOf(loc, kind, type);
  }
};

} // namespace fk

#endif // FK_LIB_CODEGEN_EVALUATOR_H
