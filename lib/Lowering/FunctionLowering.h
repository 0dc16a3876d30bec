//===- FunctionLowering.h - One function of fk-lower-to-plan ---*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_LOWERING_FUNCTIONLOWERING_H
#define FK_LIB_LOWERING_FUNCTIONLOWERING_H

#include "dialects/FK/FK.h"
#include "dialects/FKPlan/FKPlan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

namespace fk {

/// Builds the plan-level twin of a function, beside it. The function itself
/// stays as it is, since others' extents are checked against it.
class FunctionLowering {
public:
  FunctionLowering(mlir::func::FuncOp func, const SymbolicDims &dims,
                   mlir::SymbolTable &symbols)
      : func(func), dims(dims), symbols(symbols), builder(func) {}

  mlir::LogicalResult run();

private:
  mlir::LogicalResult createFunction();
  /// Lets the values that are returned be written into the result buffers.
  mlir::LogicalResult placeResults();
  mlir::LogicalResult lower(mlir::Operation *op);
  mlir::LogicalResult lowerTask(TaskOpInterface op);
  mlir::LogicalResult lowerCall(mlir::func::CallOp call);
  mlir::LogicalResult lowerBoundCall(mlir::func::CallOp call,
                                     mlir::func::FuncOp callee);

  /// The buffer of a value that an op writes.
  mlir::Value getDestination(mlir::Value value, mlir::Location loc);
  mlir::Value createView(mlir::Value source, mlir::MemRefType type,
                         llvm::ArrayRef<Expr> shape, mlir::Location loc);
  mlir::Value lookup(mlir::Value value) { return buffers.lookup(value); }

  mlir::func::FuncOp func;
  const SymbolicDims &dims;
  mlir::SymbolTable &symbols;
  mlir::OpBuilder builder;
  mlir::func::FuncOp lowered;
  /// By tensor or state, its memref.
  llvm::DenseMap<mlir::Value, mlir::Value> buffers;
};

} // namespace fk

#endif // FK_LIB_LOWERING_FUNCTIONLOWERING_H
