//===- SymbolicDims.cpp - The extents of every value by name --------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Extents start at the arguments (`fk.dims`), weights (`max_positions`) and
// states
// (`pages`) and follow the ops in order. Matching what a signature or callee
// says against what is there binds its axes: `seqs + 1` against `n + 1` gives
// seqs = n.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/FK.h"
#include "dialects/FK/SymbolicExpr.h"
#include "dialects/FK/TaskTable.h"

#include "runtime/support/Error.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace fk;

namespace {

using Dims = SmallVector<Expr>;

/// Axes of a signature, or symbols of a callee, by what they are here.
using Bindings = std::map<std::string, Expr, std::less<>>;

/// `formal` with the bound axes replaced.
Expr replaceAxes(const Bindings &bindings, const Expr &formal) {
  return simplify(formal.substitute([&](std::string_view axis) {
    auto it = bindings.find(axis);
    return it == bindings.end() ? Expr() : it->second;
  }));
}

/// Whether every axis of `formal` is bound.
bool isBound(const Bindings &bindings, const Expr &formal) {
  return llvm::all_of(formal.getAxes(), [&](const std::string &axis) {
    return bindings.count(axis) != 0;
  });
}

/// Binds the one unknown axis of a linear `formal` so that it equals `actual`.
bool bindAxis(Bindings &bindings, const Expr &formal, const Expr &actual) {
  std::optional<LinearForm> form = getLinearForm(formal);
  if (!form)
    return false;
  const std::string *unknown = nullptr;
  Expr rest = subtractExprs(actual, Expr(form->constant));
  for (const auto &[axis, factor] : form->factors) {
    auto it = bindings.find(axis);
    if (it != bindings.end()) {
      rest = subtractExprs(rest, multiplyExprs(Expr(factor), it->second));
      continue;
    }
    if (unknown)
      return false;
    unknown = &axis;
  }
  if (!unknown)
    return false;
  int64_t factor = form->factors[*unknown];
  bindings[*unknown] = factor == 1 ? rest : divideExprs(rest, Expr(factor));
  return true;
}

/// An extent as declared, beside the one that is there, and whose it is.
struct Pairing {
  Expr formal, actual;
  std::string what;
};

/// Binds what can be bound; fails, saying why in `reason`, where a fully bound
/// extent differs from what is there.
LogicalResult unify(Bindings &bindings, ArrayRef<Pairing> pairings,
                    std::string &reason) {
  bool changed = true;
  while (changed) {
    changed = false;
    for (const Pairing &pairing : pairings)
      changed |= bindAxis(bindings, pairing.formal, pairing.actual);
  }
  for (const Pairing &pairing : pairings) {
    if (!isBound(bindings, pairing.formal))
      continue;
    Expr wanted = replaceAxes(bindings, pairing.formal);
    if (isSame(wanted, pairing.actual))
      continue;
    reason = pairing.what + " must be " + wanted.str() + " (" +
             pairing.formal.str() + "), got " + pairing.actual.str();
    return failure();
  }
  return success();
}

/// Static extents from the type, dynamic ones from `names` in order.
FailureOr<Dims> nameDims(Type type, ArrayAttr names) {
  RankedTensorType tensor = getShapedType(type);
  if (!tensor)
    return Dims();
  bool isState = isa<KVCacheType>(type);
  Dims dims;
  size_t next = 0;
  for (int64_t size : tensor.getShape()) {
    if (!ShapedType::isDynamic(size))
      dims.push_back(Expr(size));
    else if (isState)
      dims.push_back(Expr::parse("pages", "a kv cache"));
    else if (names && next < names.size())
      dims.push_back(simplify(Expr::parse(
          cast<StringAttr>(names[next++]).getValue().str(), "fk.dims")));
    else
      return failure();
  }
  return dims;
}

/// What the actual extents of `op`'s tensors say of its axes. Results take part
/// with their static extents only, unless their dims are known already.
LogicalResult
unifyTask(TaskOpInterface op,
          function_ref<std::optional<ArrayRef<Expr>>(Value)> getKnown,
          Bindings &bindings, std::string &reason) {
  SmallVector<Pairing> operands, results;
  for (const TaskTensor &tensor : getTaskTensors(op)) {
    if (!tensor.value)
      continue;
    bool isResult = tensor.value.getDefiningOp() == op.getOperation();
    RankedTensorType type = getShapedType(tensor.value.getType());
    std::optional<ArrayRef<Expr>> known = getKnown(tensor.value);
    for (auto [index, formal] : llvm::enumerate(tensor.param->shape)) {
      if (!formal)
        continue;
      Expr actual;
      if (known)
        actual = (*known)[index];
      else if (!type.isDynamicDim(index))
        actual = Expr(type.getDimSize(index));
      else
        continue;
      (isResult ? results : operands)
          .push_back({formal, actual,
                      "dimension " + std::to_string(index) + " of " +
                          tensor.param->name});
    }
  }
  operands.append(results);
  return unify(bindings, operands, reason);
}

} // namespace

/// Walks one function; callees it meets are walked once each.
class fk::SymbolicDimsBuilder {
public:
  SymbolicDimsBuilder(SymbolicDims &result,
                      DenseMap<Operation *, SmallVector<Dims>> &callees)
      : dims(result.dims), callees(callees) {}

  LogicalResult visitFunction(FunctionOpInterface function);

  /// The extents of the function's results, in its own symbols.
  FailureOr<SmallVector<Dims>> getResultDims(FunctionOpInterface function);

private:
  LogicalResult visit(Operation *op);
  LogicalResult visitTask(TaskOpInterface op);
  LogicalResult visitCall(func::CallOp op);
  LogicalResult visitExpand(tensor::ExpandShapeOp op);
  LogicalResult visitCollapse(tensor::CollapseShapeOp op);
  LogicalResult visitConcat(tensor::ConcatOp op);
  LogicalResult visitSlice(tensor::ExtractSliceOp op);
  LogicalResult visitEmpty(tensor::EmptyOp op);
  LogicalResult visitSameShape(Operation *op);
  LogicalResult visitOther(Operation *op);
  std::optional<Expr> getIndex(Value value);
  std::optional<Expr> getIndex(OpFoldResult value);

  const Dims &at(Value value) { return dims[value]; }
  LogicalResult set(Value value, Dims extents) {
    dims[value] = std::move(extents);
    return success();
  }
  LogicalResult emitUnnamed(Operation *op) {
    return op->emitOpError(
        "has a dynamic dimension that no symbol names: name "
        "it by fk.dims on the argument it comes from, or use "
        "a reshape, concatenation or slice of named ones");
  }

  DenseMap<Value, Dims> &dims;
  DenseMap<Operation *, SmallVector<Dims>> &callees;
};

LogicalResult SymbolicDimsBuilder::visitFunction(FunctionOpInterface function) {
  for (BlockArgument argument : function.getArguments()) {
    FailureOr<Dims> extents =
        nameDims(argument.getType(), function.getArgAttrOfType<ArrayAttr>(
                                         argument.getArgNumber(), attrs::dims));
    if (failed(extents))
      return function->emitOpError()
             << "argument " << argument.getArgNumber() << " of type "
             << argument.getType() << " must name its dynamic dimensions by "
             << attrs::dims;
    dims[argument] = std::move(*extents);
  }
  for (Block &block : function.getFunctionBody())
    for (Operation &op : block)
      if (failed(visit(&op)))
        return failure();
  return success();
}

LogicalResult SymbolicDimsBuilder::visit(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](TaskOpInterface task) { return visitTask(task); })
      .Case([&](func::CallOp call) { return visitCall(call); })
      .Case([&](GetWeightOp weight) {
        Builder builder(op->getContext());
        FailureOr<Dims> extents = nameDims(
            weight.getType(), builder.getStrArrayAttr({"max_positions"}));
        return failed(extents) ? emitUnnamed(op) : set(weight, *extents);
      })
      .Case([&](GetStateOp state) {
        return set(state.getResult(),
                   *nameDims(state.getResult().getType(), nullptr));
      })
      .Case([&](tensor::ExpandShapeOp expand) { return visitExpand(expand); })
      .Case([&](tensor::CollapseShapeOp collapse) {
        return visitCollapse(collapse);
      })
      .Case([&](tensor::ConcatOp concat) { return visitConcat(concat); })
      .Case([&](tensor::ExtractSliceOp slice) { return visitSlice(slice); })
      .Case([&](tensor::EmptyOp empty) { return visitEmpty(empty); })
      .Case([&](tensor::CastOp cast) { return visitSameShape(cast); })
      .Default([&](Operation *other) { return visitOther(other); });
}

LogicalResult SymbolicDimsBuilder::visitTask(TaskOpInterface op) {
  Bindings bindings;
  std::string reason;
  auto getKnown = [&](Value value) -> std::optional<ArrayRef<Expr>> {
    auto it = dims.find(value);
    if (it == dims.end())
      return std::nullopt;
    return ArrayRef<Expr>(it->second);
  };
  if (failed(unifyTask(op, getKnown, bindings, reason)))
    return op->emitOpError() << reason;
  const Signature &signature = getSignature(op);
  for (auto [param, result] :
       llvm::zip_equal(signature.results, op->getResults())) {
    Dims extents;
    for (const Expr &formal : param.shape) {
      if (!formal || !isBound(bindings, formal))
        return emitUnnamed(op);
      extents.push_back(replaceAxes(bindings, formal));
    }
    dims[result] = std::move(extents);
  }
  return success();
}

FailureOr<SmallVector<Dims>>
SymbolicDimsBuilder::getResultDims(FunctionOpInterface function) {
  auto it = callees.find(function);
  if (it != callees.end())
    return it->second;

  // What the function says of its results needs no walk.
  SmallVector<Dims> results;
  bool declared = true;
  for (auto [index, type] : llvm::enumerate(function.getResultTypes())) {
    FailureOr<Dims> extents = nameDims(
        type, function.getResultAttrOfType<ArrayAttr>(index, attrs::dims));
    declared &= succeeded(extents);
    results.push_back(succeeded(extents) ? *extents : Dims());
  }
  if (!declared) {
    if (function.isExternal())
      return function->emitOpError()
             << "must name the dynamic dimensions of its "
                "results by "
             << attrs::dims;
    // A recursive call would find these, and fail on its own extents.
    callees[function] = {};
    SymbolicDims inner;
    SymbolicDimsBuilder builder(inner, callees);
    if (failed(builder.visitFunction(function)))
      return failure();
    results.clear();
    Operation *terminator = function.getFunctionBody().front().getTerminator();
    for (Value value : terminator->getOperands())
      results.push_back(Dims(inner.getDims(value)));
  }
  callees[function] = results;
  return results;
}

LogicalResult SymbolicDimsBuilder::visitCall(func::CallOp op) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<FunctionOpInterface>(
      op, op.getCalleeAttr());
  if (!callee)
    return op.emitOpError()
           << "calls " << op.getCalleeAttr() << ", which the module has not";
  FailureOr<SmallVector<Dims>> results = getResultDims(callee);
  if (failed(results))
    return failure();
  if (results->size() != op.getNumResults())
    return op.emitOpError()
           << "calls " << op.getCalleeAttr() << ", which calls itself";

  SmallVector<Pairing> pairings;
  for (auto [index, operand] : llvm::enumerate(op.getOperands())) {
    FailureOr<Dims> formals =
        nameDims(operand.getType(),
                 callee.getArgAttrOfType<ArrayAttr>(index, attrs::dims));
    if (failed(formals))
      return callee->emitOpError()
             << "argument " << index << " of type " << operand.getType()
             << " must name its dynamic dimensions by " << attrs::dims;
    for (auto [dim, formal] : llvm::enumerate(*formals))
      pairings.push_back({formal, at(operand)[dim],
                          "dimension " + std::to_string(dim) + " of argument " +
                              std::to_string(index)});
  }
  Bindings bindings;
  std::string reason;
  if (failed(unify(bindings, pairings, reason)))
    return op.emitOpError() << reason;
  for (auto [value, formals] : llvm::zip_equal(op.getResults(), *results)) {
    Dims extents;
    for (const Expr &formal : formals)
      extents.push_back(replaceAxes(bindings, formal));
    dims[value] = std::move(extents);
  }
  return success();
}

LogicalResult SymbolicDimsBuilder::visitExpand(tensor::ExpandShapeOp op) {
  RankedTensorType type = op.getResultType();
  Dims extents;
  for (auto [source, group] : llvm::enumerate(op.getReassociationIndices())) {
    int64_t known = 1;
    int64_t unknown = -1;
    for (int64_t dim : group) {
      if (!type.isDynamicDim(dim)) {
        known *= type.getDimSize(dim);
        continue;
      }
      // With two dynamic ones in a group, nothing says how they share.
      if (unknown != -1)
        return emitUnnamed(op);
      unknown = dim;
    }
    for (int64_t dim : group)
      extents.push_back(dim == unknown
                            ? divideExprs(at(op.getSrc())[source], Expr(known))
                            : Expr(type.getDimSize(dim)));
  }
  return set(op.getResult(), std::move(extents));
}

LogicalResult SymbolicDimsBuilder::visitCollapse(tensor::CollapseShapeOp op) {
  Dims extents;
  for (const auto &group : op.getReassociationIndices()) {
    Expr product = 1;
    for (int64_t dim : group)
      product = multiplyExprs(product, at(op.getSrc())[dim]);
    extents.push_back(product);
  }
  return set(op.getResult(), std::move(extents));
}

LogicalResult SymbolicDimsBuilder::visitConcat(tensor::ConcatOp op) {
  Dims extents = at(op.getInputs().front());
  uint64_t dim = op.getDim();
  for (Value input : op.getInputs().drop_front())
    extents[dim] = addExprs(extents[dim], at(input)[dim]);
  return set(op.getResult(), std::move(extents));
}

LogicalResult SymbolicDimsBuilder::visitSlice(tensor::ExtractSliceOp op) {
  llvm::SmallBitVector dropped = op.getDroppedDims();
  Dims extents;
  for (auto [dim, size] : llvm::enumerate(op.getMixedSizes())) {
    if (dropped.test(dim))
      continue;
    std::optional<Expr> extent = getIndex(size);
    if (!extent)
      return emitUnnamed(op);
    extents.push_back(*extent);
  }
  return set(op.getResult(), std::move(extents));
}

LogicalResult SymbolicDimsBuilder::visitEmpty(tensor::EmptyOp op) {
  Dims extents;
  for (OpFoldResult size : op.getMixedSizes()) {
    std::optional<Expr> extent = getIndex(size);
    if (!extent)
      return emitUnnamed(op);
    extents.push_back(*extent);
  }
  return set(op.getResult(), std::move(extents));
}

/// Results that have the shape of the first tensor operand.
LogicalResult SymbolicDimsBuilder::visitSameShape(Operation *op) {
  for (Value operand : op->getOperands()) {
    if (!isa<RankedTensorType>(operand.getType()))
      continue;
    for (Value result : op->getResults()) {
      auto type = dyn_cast<RankedTensorType>(result.getType());
      if (!type)
        continue;
      Dims extents = at(operand);
      for (auto [dim, extent] : llvm::enumerate(extents))
        if (!type.isDynamicDim(dim))
          extent = Expr(type.getDimSize(dim));
      dims[result] = std::move(extents);
    }
    return success();
  }
  return emitUnnamed(op);
}

LogicalResult SymbolicDimsBuilder::visitOther(Operation *op) {
  bool isDynamic = llvm::any_of(op->getResultTypes(), [](Type type) {
    RankedTensorType tensor = getShapedType(type);
    return tensor && !tensor.hasStaticShape();
  });
  if (isDynamic) {
    if (op->hasTrait<OpTrait::Elementwise>() ||
        op->hasTrait<OpTrait::SameOperandsAndResultShape>() ||
        op->hasTrait<OpTrait::SameOperandsAndResultType>())
      return visitSameShape(op);
    return emitUnnamed(op);
  }
  for (Value result : op->getResults())
    if (isa<RankedTensorType>(result.getType()))
      dims[result] = *nameDims(result.getType(), nullptr);
  return success();
}

std::optional<Expr> SymbolicDimsBuilder::getIndex(OpFoldResult value) {
  if (auto attribute = dyn_cast<Attribute>(value))
    return Expr(cast<IntegerAttr>(attribute).getInt());
  return getIndex(cast<Value>(value));
}

/// An index that is computed from constants and extents.
std::optional<Expr> SymbolicDimsBuilder::getIndex(Value value) {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return Expr(constant.getSExtValue());
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> index = dim.getConstantIndex();
    auto it = dims.find(dim.getSource());
    if (!index || it == dims.end() || *index >= int64_t(it->second.size()))
      return std::nullopt;
    return it->second[*index];
  }
  auto combine =
      [&](Expr (*with)(const Expr &, const Expr &)) -> std::optional<Expr> {
    std::optional<Expr> lhs = getIndex(op->getOperand(0));
    std::optional<Expr> rhs = getIndex(op->getOperand(1));
    if (!lhs || !rhs)
      return std::nullopt;
    return with(*lhs, *rhs);
  };
  if (isa<arith::AddIOp>(op))
    return combine(addExprs);
  if (isa<arith::SubIOp>(op))
    return combine(subtractExprs);
  if (isa<arith::MulIOp>(op))
    return combine(multiplyExprs);
  if (isa<arith::DivUIOp, arith::DivSIOp, arith::FloorDivSIOp>(op))
    return combine(divideExprs);
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// SymbolicDims
//===----------------------------------------------------------------------===//

FailureOr<SymbolicDims> SymbolicDims::compute(Operation *func) {
  SymbolicDims result;
  DenseMap<Operation *, SmallVector<Dims>> callees;
  try {
    SymbolicDimsBuilder builder(result, callees);
    if (failed(builder.visitFunction(cast<FunctionOpInterface>(func))))
      return failure();
  } catch (const Error &error) {
    // Extents beyond 64 bits.
    func->emitOpError() << error.what();
    return failure();
  }
  return result;
}

ArrayRef<Expr> SymbolicDims::getDims(Value value) const {
  auto it = dims.find(value);
  return it == dims.end() ? ArrayRef<Expr>() : ArrayRef<Expr>(it->second);
}

FailureOr<SmallVector<std::pair<std::string, Expr>>>
SymbolicDims::getAxes(TaskOpInterface op) const {
  Bindings bindings;
  std::string reason;
  auto getKnown = [&](Value value) -> std::optional<ArrayRef<Expr>> {
    auto it = dims.find(value);
    if (it == dims.end())
      return std::nullopt;
    return ArrayRef<Expr>(it->second);
  };
  try {
    if (failed(unifyTask(op, getKnown, bindings, reason)))
      return op->emitOpError() << reason;
  } catch (const Error &error) {
    return op->emitOpError() << error.what();
  }
  SmallVector<std::pair<std::string, Expr>> axes;
  for (const std::string &axis : getSignature(op).axes) {
    auto it = bindings.find(axis);
    if (it == bindings.end())
      return op->emitOpError()
             << "leaves the axis " << axis << " of its signature open";
    axes.push_back({axis, it->second});
  }
  return axes;
}
