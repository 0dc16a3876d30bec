//===- Evaluator.cpp - Elements of linalg where they are needed -----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "lib/Codegen/Evaluator.h"
#include "lib/Codegen/EvaluatorBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace fk;

//===----------------------------------------------------------------------===//
// Values and coordinates
//===----------------------------------------------------------------------===//

Type Evaluator::vectorize(Type type) {
  return width == 1 ? type : VectorType::get({width}, type);
}

Lanes Evaluator::spread(Location loc, const Lanes &lanes, Columns *columns) {
  if (lanes.columns || !columns)
    return lanes;
  Value value = lanes.pieces[0];
  if (width > 1)
    value =
        vector::BroadcastOp::create(b, loc, vectorize(value.getType()), value);
  return {SmallVector<Value>(columns->starts.size(), value), columns};
}

FailureOr<Evaluator::Coords> Evaluator::mapCoords(Operation *op, AffineMap map,
                                                  ArrayRef<Coord> loops) {
  Coords coords;
  for (AffineExpr expr : map.getResults()) {
    int64_t offset = 0;
    AffineExpr base = expr;
    if (auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
        sum && sum.getKind() == AffineExprKind::Add)
      if (auto constant = dyn_cast<AffineConstantExpr>(sum.getRHS())) {
        offset = constant.getValue();
        base = sum.getLHS();
      }
    if (auto constant = dyn_cast<AffineConstantExpr>(expr);
        constant && !constant.getValue()) {
      coords.push_back({});
      continue;
    }
    auto dim = dyn_cast<AffineDimExpr>(base);
    if (!dim || (offset && !loops[dim.getPosition()].columns))
      return op->emitError(
                 "has an indexing map that code generation does not "
                 "know: wanted loops, and constants added to the last, got ")
             << AffineMapAttr::get(map);
    Coord coord = loops[dim.getPosition()];
    coord.offset += offset;
    coords.push_back(coord);
  }
  return coords;
}

FailureOr<Evaluator::Coords> Evaluator::getLoops(linalg::GenericOp op,
                                                 unsigned result,
                                                 const Coords &coords) {
  AffineMap map = op.getIndexingMapMatchingResult(op->getResult(result));
  Coords loops(map.getNumDims());
  if (!map.isProjectedPermutation())
    return op.emitError(
        "writes its result by a map that is no permutation of loops");
  for (auto [expr, coord] : llvm::zip_equal(map.getResults(), coords))
    loops[cast<AffineDimExpr>(expr).getPosition()] = coord;
  return loops;
}

Evaluator::Coords Evaluator::shiftCoords(Operation *op, const Coords &coords) {
  auto slice = cast<tensor::ExtractSliceOp>(op);
  Coords shifted;
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  size_t next = 0;
  for (auto [i, offset] : llvm::enumerate(slice.getMixedOffsets())) {
    Coord coord = dropped[i] ? Coord() : coords[next++];
    int64_t shift = *getConstantIntValue(offset);
    if (shift && coord.columns)
      coord.offset += shift;
    else if (shift) {
      Value constant = arith::ConstantIndexOp::create(b, op->getLoc(), shift);
      coord.index = coord.index ? arith::AddIOp::create(b, op->getLoc(),
                                                        coord.index, constant)
                                : constant;
    }
    shifted.push_back(coord);
  }
  return shifted;
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

FailureOr<Lanes> Evaluator::eval(Value tensor, const Coords &coords) {
  Key key = {tensor.getAsOpaquePointer(), {coords.begin(), coords.end()}};
  if (auto it = memo.find(key); it != memo.end())
    return it->second;
  FailureOr<Lanes> lanes = evalUncached(tensor, coords);
  if (succeeded(lanes))
    memo[key] = *lanes;
  return lanes;
}

/// Whether every offset is known and every stride one.
static bool isPlainSlice(tensor::ExtractSliceOp slice) {
  return llvm::all_of(slice.getMixedOffsets(),
                      [](OpFoldResult fold) {
                        return getConstantIntValue(fold).has_value();
                      }) &&
         llvm::all_of(slice.getMixedStrides(), [](OpFoldResult fold) {
           return getConstantIntValue(fold) == 1;
         });
}

FailureOr<Lanes> Evaluator::evalUncached(Value tensor, const Coords &coords) {
  if (isa<BlockArgument>(tensor))
    return load(tensor.getLoc(), tensor, coords);
  Operation *op = tensor.getDefiningOp();
  if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
    if (generic.getNumReductionLoops() > 0)
      return evalReduction(generic, coords);
    return evalGeneric(generic, cast<OpResult>(tensor).getResultNumber(),
                       coords);
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
      slice && isPlainSlice(slice))
    return eval(slice.getSource(), shiftCoords(op, coords));
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return eval(cast.getSource(), coords);
  if (auto fill = dyn_cast<linalg::FillOp>(op)) {
    FailureOr<Value> value = lookUpOuter(fill.value());
    return failed(value) ? FailureOr<Lanes>(failure()) : Lanes::uniform(*value);
  }
  if (auto splat = dyn_cast<tensor::SplatOp>(op)) {
    FailureOr<Value> value = lookUpOuter(splat.getInput());
    return failed(value) ? FailureOr<Lanes>(failure()) : Lanes::uniform(*value);
  }
  DenseElementsAttr elements;
  if (matchPattern(tensor, m_Constant(&elements)) && elements.isSplat())
    return Lanes::uniform(arith::ConstantOp::create(
        b, op->getLoc(), elements.getSplatValue<TypedAttr>()));
  return op->emitError(
      "code generation does not know this op as a producer of elements");
}

FailureOr<Lanes> Evaluator::evalGeneric(linalg::GenericOp op, unsigned result,
                                        const Coords &coords) {
  FailureOr<Coords> loops = getLoops(op, result, coords);
  if (failed(loops))
    return failure();
  Body body(*loops);
  if (failed(evalInputs(op, body)) || failed(evalBlock(*op.getBody(), body)))
    return failure();
  return lookUp(op.getBody()->getTerminator()->getOperand(result), body);
}

FailureOr<Lanes> Evaluator::evalInputs(linalg::GenericOp op, Body &body) {
  for (OpOperand *input : op.getDpsInputOperands()) {
    BlockArgument arg = op.getMatchingBlockArgument(input);
    if (arg.use_empty())
      continue;
    if (!isa<ShapedType>(input->get().getType())) {
      FailureOr<Value> value = lookUpOuter(input->get());
      if (failed(value))
        return failure();
      body.values[arg] = Lanes::uniform(*value);
      continue;
    }
    FailureOr<Coords> at =
        mapCoords(op, op.getMatchingIndexingMap(input), body.loops);
    if (failed(at))
      return failure();
    FailureOr<Lanes> lanes = eval(input->get(), *at);
    if (failed(lanes))
      return failure();
    body.values[arg] = *lanes;
  }
  return Lanes();
}

LogicalResult Evaluator::prepare(Value tensor, const Coords &coords,
                                 bool loads) {
  bool isVarying =
      llvm::any_of(coords, [](const Coord &coord) { return coord.columns; });
  if (!isVarying)
    return loads ? success() : LogicalResult(eval(tensor, coords));
  if (isa<BlockArgument>(tensor))
    return loads ? LogicalResult(eval(tensor, coords)) : success();
  Operation *op = tensor.getDefiningOp();
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
      slice && isPlainSlice(slice))
    return prepare(slice.getSource(), shiftCoords(op, coords), loads);
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return prepare(cast.getSource(), coords, loads);
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || generic.getNumReductionLoops() > 0)
    return success();
  FailureOr<Coords> loops =
      getLoops(generic, cast<OpResult>(tensor).getResultNumber(), coords);
  if (failed(loops))
    return failure();
  for (OpOperand *input : generic.getDpsInputOperands()) {
    if (!isa<ShapedType>(input->get().getType()) ||
        generic.getMatchingBlockArgument(input).use_empty())
      continue;
    FailureOr<Coords> at =
        mapCoords(generic, generic.getMatchingIndexingMap(input), *loops);
    if (failed(at) || failed(prepare(input->get(), *at, loads)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

void Evaluator::noteAccess(RankedTensorType type, const Coords &coords) {
  Access access = {type.getElementTypeBitWidth() / 8, {}, true};
  int64_t stride = 1;
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    const Coord &coord = coords[i];
    if (coord.columns) {
      access.multiples.push_back(coord.offset);
      access.multiples.push_back(coord.columns->extent);
    } else if (coord.index) {
      access.multiples.push_back(stride);
    }
    bool isRow = i + 1 == type.getRank() ? coord.columns && coord.offset == 0
                                         : size_t(i) < rowIndices.size() &&
                                               coord.index == rowIndices[i];
    access.isFlat &= isRow;
    if (type.isDynamicDim(i))
      break;
    stride *= type.getDimSize(i);
  }
  access.isFlat &= llvm::equal(type.getShape(), resultShape);
  accesses.push_back(access);
}

Value Evaluator::addIndex(Location loc, Value pointer, Type element,
                          Value index, int64_t offset) {
  if (index) {
    Value wide = arith::IndexCastOp::create(b, loc, b.getI64Type(), index);
    pointer = LLVM::GEPOp::create(b, loc, pointer.getType(), element, pointer,
                                  ArrayRef<LLVM::GEPArg>{wide});
  }
  if (offset)
    pointer = LLVM::GEPOp::create(b, loc, pointer.getType(), element, pointer,
                                  ArrayRef<LLVM::GEPArg>{int32_t(offset)});
  return pointer;
}

FailureOr<Value> Evaluator::getRowPointer(Location loc, Value pointer,
                                          RankedTensorType type,
                                          const Coords &coords) {
  int64_t stride = 1;
  Value offset;
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    const Coord &coord = coords[i];
    if (coord.columns && i + 1 != type.getRank())
      return emitError(
                 loc,
                 "columns of a row index a dimension that is not the last of ")
             << type;
    if (coord.index) {
      Value part = coord.index;
      if (stride != 1)
        part = arith::MulIOp::create(
            b, loc, part, arith::ConstantIndexOp::create(b, loc, stride));
      offset = offset ? arith::AddIOp::create(b, loc, offset, part) : part;
    }
    if (type.isDynamicDim(i) && i > 0)
      return emitError(
                 loc,
                 "only the first dimension of a tensor may be dynamic, got ")
             << type;
    stride *= type.isDynamicDim(i) ? 1 : type.getDimSize(i);
  }
  return addIndex(loc, pointer, type.getElementType(), offset, 0);
}

FailureOr<Lanes> Evaluator::load(Location loc, Value argument,
                                 const Coords &coords) {
  auto type = cast<RankedTensorType>(argument.getType());
  Value pointer = mapping.lookup(argument);
  FailureOr<Value> row = getRowPointer(loc, pointer, type, coords);
  if (failed(row))
    return failure();
  Type element = type.getElementType();
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  Columns *columns = type.getRank() ? coords.back().columns : nullptr;
  if (!columns) {
    usesRow = true;
    return Lanes::uniform(
        LLVM::LoadOp::create(b, loc, element, *row, unsigned(bytes)));
  }
  noteAccess(type, coords);
  Lanes lanes = {{}, columns};
  for (Value start : columns->starts) {
    Value at = addIndex(loc, *row, element, start, coords.back().offset);
    lanes.pieces.push_back(
        LLVM::LoadOp::create(b, loc, vectorize(element), at,
                             unsigned(std::min<int64_t>(16, bytes * width))));
  }
  return lanes;
}

LogicalResult Evaluator::store(Location loc, Value pointer,
                               RankedTensorType type, const Coords &coords,
                               const Lanes &value, Value rowValid) {
  noteAccess(type, coords);
  FailureOr<Value> row = getRowPointer(loc, pointer, type, coords);
  if (failed(row))
    return failure();
  Columns *columns = coords.back().columns;
  Lanes lanes = spread(loc, value, columns);
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  for (auto [i, start] : llvm::enumerate(columns->starts)) {
    Value valid = columns->valid[i];
    if (rowValid)
      valid = valid ? arith::AndIOp::create(b, loc, valid, rowValid) : rowValid;
    OpBuilder::InsertionGuard guard(b);
    if (valid) {
      auto branch = scf::IfOp::create(b, loc, TypeRange(), valid, false);
      b.setInsertionPointToStart(branch.thenBlock());
    }
    Value at =
        addIndex(loc, *row, type.getElementType(), start, coords.back().offset);
    LLVM::StoreOp::create(b, loc, lanes.pieces[i], at,
                          unsigned(std::min<int64_t>(16, bytes * width)));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

Value Evaluator::identityOf(Location loc, Combine combine, Type type) {
  auto element = cast<FloatType>(getElementTypeOrSelf(type));
  const llvm::fltSemantics &semantics = element.getFloatSemantics();
  llvm::APFloat value = llvm::APFloat::getZero(semantics);
  if (combine == Combine::Mul)
    value = llvm::APFloat(semantics, 1);
  else if (combine != Combine::Add)
    value = llvm::APFloat::getInf(semantics, combine == Combine::Max);
  TypedAttr attr = FloatAttr::get(element, value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, cast<FloatAttr>(attr).getValue());
  return arith::ConstantOp::create(b, loc, attr);
}

Value Evaluator::combineValues(Location loc, Combine combine, Value lhs,
                               Value rhs) {
  switch (combine) {
  case Combine::Add:
    return arith::AddFOp::create(b, loc, lhs, rhs);
  case Combine::Mul:
    return arith::MulFOp::create(b, loc, lhs, rhs);
  case Combine::Max:
    return arith::MaxNumFOp::create(b, loc, lhs, rhs);
  case Combine::Min:
    return arith::MinNumFOp::create(b, loc, lhs, rhs);
  }
  llvm_unreachable("all kinds are handled");
}

/// A tree over the elements: shorter chains than one by one.
Value Evaluator::foldVector(Location loc, Combine combine, Value vector) {
  auto type = dyn_cast<VectorType>(vector.getType());
  if (!type)
    return vector;
  SmallVector<Value> values;
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    values.push_back(vector::ExtractOp::create(b, loc, vector, i));
  while (values.size() > 1) {
    SmallVector<Value> halved;
    for (size_t i = 0; i + 1 < values.size(); i += 2)
      halved.push_back(combineValues(loc, combine, values[i], values[i + 1]));
    values = halved;
  }
  return values[0];
}

/// yield combine(term, accumulator): which op that is, and the term.
static FailureOr<std::pair<Combine, Value>>
matchReduction(linalg::GenericOp op) {
  Value yielded = op.getBody()->getTerminator()->getOperand(0);
  BlockArgument accumulator = op.getRegionOutputArgs()[0];
  Operation *last = yielded.getDefiningOp();
  std::optional<Combine> combine;
  if (isa_and_nonnull<arith::AddFOp>(last))
    combine = Combine::Add;
  else if (isa_and_nonnull<arith::MulFOp>(last))
    combine = Combine::Mul;
  else if (isa_and_nonnull<arith::MaxNumFOp, arith::MaximumFOp>(last))
    combine = Combine::Max;
  else if (isa_and_nonnull<arith::MinNumFOp, arith::MinimumFOp>(last))
    combine = Combine::Min;
  if (combine && accumulator.hasOneUse())
    for (unsigned i = 0; i < 2; ++i)
      if (last->getOperand(i) == accumulator)
        return std::pair(*combine, last->getOperand(1 - i));
  return op.emitError(
      "is a reduction that code generation does not know: wanted a "
      "floating sum, product, maximum or minimum of a term with the "
      "accumulator");
}

FailureOr<Lanes> Evaluator::evalReduction(linalg::GenericOp op,
                                          const Coords &coords) {
  if (op.getNumResults() != 1 || op.getNumReductionLoops() != 1)
    return op.emitError("reduces over ")
           << op.getNumReductionLoops() << " loops into " << op.getNumResults()
           << " results: code generation wants one of each";
  auto matched = matchReduction(op);
  FailureOr<Coords> loops = getLoops(op, 0, coords);
  if (failed(matched) || failed(loops))
    return failure();
  auto [kind, term] = *matched;
  Location loc = op.getLoc();
  if (llvm::any_of(coords, [](const Coord &coord) { return coord.columns; }))
    return op.emitError(
        "reduces a tensor whose last dimension is not the reduced one");
  auto iterators = op.getIteratorTypesArray();
  size_t reduced =
      llvm::find(iterators, utils::IteratorType::reduction) - iterators.begin();
  int64_t extent = op.getStaticLoopRanges()[reduced];
  if (ShapedType::isDynamic(extent))
    return op.emitError("reduces over an extent that is not static");
  Columns *columns = hooks.getColumns(extent);

  // The combination of the pieces of `piece` with `partial`, vector by vector.
  auto accumulate = [&, kind = kind, term = term](
                        Columns *piece, Value partial) -> FailureOr<Value> {
    Coords at = *loops;
    at[reduced] = {Value(), piece, 0};
    Body body(at);
    if (failed(evalInputs(op, body)))
      return failure();
    body.skipped = op.getBody()->getTerminator()->getOperand(0).getDefiningOp();
    if (failed(evalBlock(*op.getBody(), body)))
      return failure();
    FailureOr<Lanes> found = lookUp(term, body);
    if (failed(found))
      return failure();
    Lanes lanes = spread(loc, *found, piece);
    for (auto [value, valid] : llvm::zip_equal(lanes.pieces, piece->valid)) {
      Value counted = value;
      if (valid)
        counted = arith::SelectOp::create(
            b, loc, valid, counted, identityOf(loc, kind, counted.getType()));
      partial = partial ? combineValues(loc, kind, partial, counted) : counted;
    }
    return partial;
  };

  FailureOr<Value> partial;
  if (!columns->loopPieces) {
    partial = accumulate(columns, {});
  } else {
    Coords at = *loops;
    at[reduced] = {Value(), columns, 0};
    for (OpOperand *input : op.getDpsInputOperands()) {
      FailureOr<Coords> inner =
          mapCoords(op, op.getMatchingIndexingMap(input), at);
      if (failed(inner) ||
          failed(prepare(input->get(), *inner, /*loads=*/false)))
        return failure();
    }
    auto saved = memo;
    bool isBroken = false;
    Type element = getElementTypeOrSelf(op->getResult(0).getType());
    Value init = identityOf(loc, kind, vectorize(element));
    SmallVector<Value> results = hooks.loop(
        columns, ValueRange{init}, [&](Columns *piece, ValueRange carried) {
          FailureOr<Value> next = accumulate(piece, carried[0]);
          isBroken |= failed(next);
          return SmallVector<Value>{isBroken ? carried[0] : *next};
        });
    memo = saved;
    partial =
        isBroken ? FailureOr<Value>(failure()) : FailureOr<Value>(results[0]);
  }
  if (failed(partial))
    return failure();
  Value total = hooks.combineThreads(kind, foldVector(loc, kind, *partial));
  FailureOr<Lanes> init = eval(op.getDpsInits()[0], coords);
  if (failed(init))
    return failure();
  Value start = init->pieces[0];
  FloatAttr given, neutral;
  bool isIdentity = matchPattern(start, m_Constant(&given)) &&
                    matchPattern(identityOf(loc, kind, start.getType()),
                                 m_Constant(&neutral)) &&
                    given == neutral;
  return Lanes::uniform(isIdentity ? total
                                   : combineValues(loc, kind, start, total));
}
