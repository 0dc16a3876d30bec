//===- ScheduleEmitter.cpp - One function becomes a kernel ---------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The kernel is emitted twice: first aside, one element a thread, to learn what
// it reads and reduces; then with the vectors and the team that follow from it.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/FK.h"
#include "lib/Codegen/KernelEmitter.h"
#include "lib/Codegen/KernelFunction.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace fk;

LogicalResult fk::scheduleKernel(func::FuncOp func,
                                 const ScheduleOptions &options) {
  return KernelEmitter(func, options).run();
}

LogicalResult KernelEmitter::run() {
  if (failed(collectGroups()) || failed(survey()))
    return failure();
  createKernel();
  LogicalResult emitted = reduces  ? emitRows()
                          : isFlat ? emitFlat()
                                   : emitPointwise();
  if (failed(emitted))
    return failure();
  b.setInsertionPointToEnd(body);
  gpu::ReturnOp::create(b, loc);
  kernel.setKnownBlockSize(ArrayRef<int32_t>{int32_t(blockThreads), 1, 1});
  kernel->setAttr(attrs::launch, b.getStringAttr(describeLaunch()));
  return success();
}

LogicalResult KernelEmitter::collectGroups() {
  Operation *terminator = func.getBody().front().getTerminator();
  if (func.getNumResults() == 0)
    return func.emitError("is no kernel: it has no results");
  for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
    FailureOr<SmallVector<Expr>> extents =
        getExtents(func, value.getType(),
                   func.getResultAttrOfType<ArrayAttr>(i, attrs::dims));
    if (failed(extents))
      return failure();
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getRank() == 0 || type.isDynamicDim(type.getRank() - 1))
      return func.emitError("has a result whose last dimension is not static: ")
             << type << " (specialise the kernel for its width)";
    Group &group = findGroup(ArrayRef(*extents).drop_back(), type.getShape());
    addParts(group, i, value, 0);
  }
  return success();
}

Group &KernelEmitter::findGroup(ArrayRef<Expr> rows, ArrayRef<int64_t> shape) {
  for (Group &group : groups)
    if (llvm::equal(group.extents, rows, [](const Expr &lhs, const Expr &rhs) {
          return lhs.str() == rhs.str();
        }))
      return group;
  groups.push_back({SmallVector<Expr>(rows), SmallVector<int64_t>(shape), {}});
  return groups.back();
}

/// A concatenation of columns is written piece by piece.
void KernelEmitter::addParts(Group &group, unsigned result, Value value,
                             int64_t offset) {
  auto type = cast<RankedTensorType>(value.getType());
  auto concat = value.getDefiningOp<tensor::ConcatOp>();
  if (!concat || int64_t(concat.getDim()) + 1 != type.getRank()) {
    group.parts.push_back({result, value, offset, type.getShape().back()});
    return;
  }
  for (Value input : concat.getInputs()) {
    addParts(group, result, input, offset);
    offset += cast<RankedTensorType>(input.getType()).getShape().back();
  }
}

void KernelEmitter::createKernel() {
  b.setInsertionPoint(func);
  module = gpu::GPUModuleOp::create(b, loc, (func.getName() + "_module").str());
  b.setInsertionPointToStart(module.getBody());
  SmallVector<Type> types;
  Type pointer = LLVM::LLVMPointerType::get(func.getContext(), 1);
  types.append(func.getNumResults(), pointer);
  for (Type type : func.getArgumentTypes())
    types.push_back(isa<TensorType>(type) ? pointer : type);
  kernel = gpu::GPUFuncOp::create(b, loc, func.getName(),
                                  b.getFunctionType(types, {}));
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  body = &kernel.getBody().front();
  b.setInsertionPointToStart(body);
  mapArguments(body->getArguments());
  if (options.pdl) {
    NVVM::GriddepcontrolOp::create(b, loc,
                                   NVVM::GridDepActionKind::launch_dependents);
    NVVM::GriddepcontrolOp::create(b, loc, NVVM::GridDepActionKind::wait);
  }
}

void KernelEmitter::mapArguments(ValueRange values) {
  mapping = IRMapping();
  results.assign(values.begin(), values.begin() + func.getNumResults());
  for (auto [from, to] : llvm::zip_equal(
           func.getArguments(), values.drop_front(func.getNumResults())))
    mapping.map(from, to);
}

FailureOr<Value> KernelEmitter::emitExtent(const Expr &expr) {
  auto names = func->getAttrOfType<ArrayAttr>(attrs::codegenAxes);
  Value value = emitExpr(b, loc, expr, [&](StringRef axis) -> Value {
    for (auto [i, name] : llvm::enumerate(names ? names : b.getArrayAttr({})))
      if (cast<StringAttr>(name).getValue() == axis) {
        Value argument = mapping.lookup(
            func.getArgument(func.getNumArguments() - names.size() + i));
        return arith::IndexCastUIOp::create(b, loc, b.getIndexType(), argument);
      }
    return {};
  });
  if (!value)
    return func.emitError("has rows of extent '")
           << expr.str() << "', which its axes do not give";
  return value;
}

/// The coordinates of row number `row`, whose inner extents are static.
FailureOr<Evaluator::Coords> KernelEmitter::getRowCoords(const Group &group,
                                                         Value row) {
  Evaluator::Coords coords(group.extents.size());
  for (size_t i = group.extents.size(); i-- > 0;) {
    if (i == 0) {
      coords[i].index = row;
      break;
    }
    if (ShapedType::isDynamic(group.shape[i]))
      return func.emitError(
          "has a dynamic dimension that is not the first of a result");
    coords[i].index = remainder(row, group.shape[i]);
    row = divide(row, group.shape[i]);
  }
  return coords;
}

LogicalResult KernelEmitter::survey() {
  // A function beside the module's others, erased when all is known.
  b.setInsertionPoint(func);
  SmallVector<Type> types(func.getNumResults(),
                          LLVM::LLVMPointerType::get(b.getContext(), 1));
  for (Type type : func.getArgumentTypes())
    types.push_back(isa<TensorType>(type) ? types[0] : type);
  auto scratch =
      func::FuncOp::create(b, loc, "survey", b.getFunctionType(types, {}));
  scratch.setPrivate();
  Block *block = scratch.addEntryBlock();
  b.setInsertionPointToStart(block);
  mapArguments(block->getArguments());
  LogicalResult surveyed = surveyGroups();
  scratch.erase();
  return surveyed;
}

LogicalResult KernelEmitter::surveyGroups() {
  isFlat = groups.size() == 1;
  std::vector<Access> accesses;
  for (const Group &group : groups) {
    EvaluatorHooks hooks;
    std::vector<std::unique_ptr<Columns>> all;
    hooks.getColumns = [&](int64_t extent) {
      reduces = true;
      rowExtent = std::max(rowExtent, extent);
      extents.push_back(extent);
      all.push_back(
          std::make_unique<Columns>(Columns{extent, {constant(0)}, {Value()}}));
      return all.back().get();
    };
    hooks.combineThreads = [](Combine, Value value) { return value; };
    Evaluator evaluator(b, mapping, 1, hooks);
    FailureOr<Evaluator::Coords> coords = getRowCoords(group, constant(0));
    if (failed(coords))
      return failure();
    // Distinct values, so that an access tells which dimension it follows.
    for (Coord &coord : *coords) {
      coord.index = arith::ConstantIndexOp::create(b, loc, 0);
      evaluator.rowIndices.push_back(coord.index);
    }
    evaluator.resultShape = group.shape;
    for (const Part &part : group.parts) {
      Columns columns = {part.extent, {constant(0)}, {Value()}};
      extents.push_back(part.extent);
      rowExtent = std::max(rowExtent, part.extent);
      Evaluator::Coords at = *coords;
      at.push_back({Value(), &columns, 0});
      FailureOr<Lanes> lanes = evaluator.eval(part.value, at);
      if (failed(lanes))
        return failure();
      at.back().offset = part.offset;
      if (failed(evaluator.store(loc, results[part.result], getResultType(part),
                                 at, *lanes, {})))
        return failure();
      evaluator.forget();
    }
    isFlat &= !evaluator.usesRow;
    for (const Access &access : evaluator.accesses)
      accesses.push_back(access);
  }
  int64_t narrowest = 16;
  for (const Access &access : accesses) {
    narrowest = std::min(narrowest, access.bytes);
    isFlat &= access.isFlat;
  }
  width = widest = 16 / narrowest;
  auto divides = [&] {
    return llvm::all_of(extents,
                        [&](int64_t extent) { return extent % width == 0; }) &&
           llvm::all_of(accesses, [&](const Access &access) {
             return llvm::all_of(access.multiples, [&](int64_t multiple) {
               return multiple % width == 0;
             });
           });
  };
  while (!divides())
    width /= 2;
  return success();
}

std::string KernelEmitter::describeLaunch() {
  std::string text = "grid=(" + grid.str() + ", 1, 1) block=(" +
                     std::to_string(blockThreads) + ", 1, 1)";
  if (options.pdl)
    text += " pdl=1";
  std::string where;
  if (auto fixed = func->getAttrOfType<DictionaryAttr>(attrs::codegenStatic))
    for (NamedAttribute axis : fixed)
      where += (where.empty() ? "" : " && ") + axis.getName().str() + " == " +
               std::to_string(cast<IntegerAttr>(axis.getValue()).getInt());
  return where.empty() ? text : text + " where=(" + where + ")";
}
