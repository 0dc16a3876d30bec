//===- EvaluatorBody.cpp - Scalar bodies as vectors -----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The body of a linalg op is scalar. What depends on the columns is emitted
// once for each piece, on vectors; the rest once, as it is.
//
//===----------------------------------------------------------------------===//

#include "lib/Codegen/EvaluatorBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace fk;

FailureOr<Value> Evaluator::lookUpOuter(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (!op || !isPure(op) || op->getNumRegions() > 0 ||
      llvm::any_of(op->getOperandTypes(),
                   [](Type type) { return isa<ShapedType>(type); }))
    return emitError(value.getLoc(),
                     "code generation cannot reach this value of the function");
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    FailureOr<Value> found = lookUpOuter(operand);
    if (failed(found))
      return failure();
    operands.push_back(*found);
  }
  // Not remembered: it may stand in a region that others do not see.
  return clone(b, op, op->getResultTypes(), operands)
      ->getResult(cast<OpResult>(value).getResultNumber());
}

FailureOr<Lanes> Evaluator::lookUp(Value value, Body &body) {
  if (auto it = body.values.find(value); it != body.values.end())
    return it->second;
  if (auto it = body.coords.find(value); it != body.coords.end()) {
    // The numbers of the columns themselves.
    Location loc = value.getLoc();
    Lanes lanes = {{}, it->second.columns};
    for (Value start : it->second.columns->starts) {
      Value first = start;
      if (it->second.offset)
        first = arith::AddIOp::create(
            b, loc, first,
            arith::ConstantIndexOp::create(b, loc, it->second.offset));
      if (width > 1) {
        auto type = cast<VectorType>(vectorize(b.getIndexType()));
        Value step = vector::StepOp::create(b, loc, type);
        first = arith::AddIOp::create(
            b, loc, vector::BroadcastOp::create(b, loc, type, first), step);
      }
      lanes.pieces.push_back(first);
    }
    usesRow = true;
    return lanes;
  }
  FailureOr<Value> outer = lookUpOuter(value);
  if (failed(outer))
    return failure();
  return Lanes::uniform(*outer);
}

LogicalResult Evaluator::evalBlock(Block &block, Body &body) {
  for (Operation &op : block.without_terminator())
    if (&op != body.skipped && failed(evalOp(op, body)))
      return failure();
  return success();
}

LogicalResult Evaluator::evalOp(Operation &op, Body &body) {
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    const Coord &coord = body.loops[index.getDim()];
    if (coord.columns) {
      body.coords[index] = coord;
      return success();
    }
    usesRow = true;
    body.values[index] = Lanes::uniform(
        coord.index ? coord.index
                    : Value(arith::ConstantIndexOp::create(b, op.getLoc(), 0)));
    return success();
  }
  if (isa<tensor::ExtractOp>(op))
    return evalExtract(op, body);
  if (isa<scf::IfOp>(op))
    return evalIf(op, body);
  bool done = false;
  if (failed(evalIndexAdd(op, body, done)) || done)
    return success(done);
  if (op.getNumRegions() > 0 || !isPure(&op) ||
      !(op.hasTrait<OpTrait::Elementwise>() ||
        op.hasTrait<OpTrait::ConstantLike>()))
    return op.emitError(
        "code generation does not know this op in the body of a linalg op");

  SmallVector<Lanes> operands;
  Columns *columns = nullptr;
  for (Value operand : op.getOperands()) {
    FailureOr<Lanes> lanes = lookUp(operand, body);
    if (failed(lanes))
      return failure();
    columns = lanes->columns ? lanes->columns : columns;
    operands.push_back(*lanes);
  }
  for (Lanes &operand : operands)
    operand = spread(op.getLoc(), operand, columns);
  SmallVector<Type> types;
  for (Type type : op.getResultTypes())
    types.push_back(columns ? vectorize(type) : type);
  SmallVector<Lanes> results(op.getNumResults(), Lanes{{}, columns});
  for (size_t piece = 0; piece < (columns ? columns->starts.size() : 1);
       ++piece) {
    SmallVector<Value> values;
    for (const Lanes &operand : operands)
      values.push_back(operand.pieces[piece]);
    Operation *copy = clone(b, &op, types, values);
    for (auto [lanes, result] : llvm::zip_equal(results, copy->getResults()))
      lanes.pieces.push_back(result);
  }
  for (auto [result, lanes] : llvm::zip_equal(op.getResults(), results))
    body.values[result] = lanes;
  return success();
}

/// A column plus a constant is a column.
LogicalResult Evaluator::evalIndexAdd(Operation &op, Body &body, bool &done) {
  auto sum = dyn_cast<arith::AddIOp>(op);
  if (!sum)
    return success();
  for (unsigned i = 0; i < 2; ++i) {
    auto column = body.coords.find(sum->getOperand(i));
    std::optional<int64_t> constant =
        getConstantIntValue(sum->getOperand(1 - i));
    if (column == body.coords.end() || !constant)
      continue;
    Coord coord = column->second;
    coord.offset += *constant;
    body.coords[sum] = coord;
    done = true;
    return success();
  }
  return success();
}

LogicalResult Evaluator::evalExtract(Operation &op, Body &body) {
  auto extract = cast<tensor::ExtractOp>(op);
  Coords coords;
  for (Value index : extract.getIndices()) {
    if (auto it = body.coords.find(index); it != body.coords.end()) {
      coords.push_back(it->second);
      continue;
    }
    FailureOr<Lanes> lanes = lookUp(index, body);
    if (failed(lanes))
      return failure();
    if (lanes->columns)
      return op.emitError(
          "reads elements that do not follow each other along the row: code "
          "generation knows an index that is the column, or a constant more");
    coords.push_back({lanes->pieces[0], nullptr, 0});
  }
  FailureOr<Lanes> lanes = eval(extract.getTensor(), coords);
  if (failed(lanes))
    return failure();
  body.values[extract] = *lanes;
  return success();
}

LogicalResult Evaluator::evalIf(Operation &op, Body &body) {
  auto branch = cast<scf::IfOp>(op);
  Location loc = op.getLoc();
  FailureOr<Lanes> condition = lookUp(branch.getCondition(), body);
  if (failed(condition))
    return failure();
  if (condition->columns || branch.getElseRegion().empty())
    return op.emitError(
        "a condition must be the same for the whole row, and have an else");
  size_t pieces = body.columns ? body.columns->starts.size() : 1;
  SmallVector<Type> types;
  for (Type type : op.getResultTypes())
    types.append(pieces, body.columns ? vectorize(type) : type);
  auto made = scf::IfOp::create(b, loc, types, condition->pieces[0],
                                /*withElseRegion=*/true);
  auto saved = memo;
  for (auto [from, to] : {std::pair(branch.thenBlock(), made.thenBlock()),
                          std::pair(branch.elseBlock(), made.elseBlock())}) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(to);
    if (failed(evalBlock(*from, body)))
      return failure();
    SmallVector<Value> yielded;
    for (Value value : from->getTerminator()->getOperands()) {
      FailureOr<Lanes> lanes = lookUp(value, body);
      if (failed(lanes))
        return failure();
      llvm::append_range(yielded, spread(loc, *lanes, body.columns).pieces);
    }
    scf::YieldOp::create(b, loc, yielded);
    memo = saved;
  }
  for (auto [i, result] : llvm::enumerate(op.getResults()))
    body.values[result] = {
        SmallVector<Value>(made.getResults().slice(i * pieces, pieces)),
        body.columns};
  return success();
}
