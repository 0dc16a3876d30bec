//===- FKPlanOps.cpp - Buffers, weights, views, calls ---------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FKPlan/FKPlan.h"

#include "dialects/FK/FK.h"
#include "dialects/FK/SymbolicExpr.h"
#include "runtime/support/Error.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace fk;
using namespace fk::fkplan;

//===----------------------------------------------------------------------===//
// Dimensions
//===----------------------------------------------------------------------===//

namespace {

/// Static extents from the type, the others by name, in order.
FailureOr<SmallVector<Expr>> nameDims(MemRefType type, ArrayAttr names) {
  SmallVector<Expr> dims;
  size_t next = 0;
  for (int64_t size : type.getShape()) {
    if (!ShapedType::isDynamic(size)) {
      dims.push_back(Expr(size));
      continue;
    }
    if (!names || next == names.size())
      return failure();
    try {
      dims.push_back(Expr::parse(
          cast<StringAttr>(names[next++]).getValue().str(), "dims"));
    } catch (const Error &) {
      return failure();
    }
  }
  return dims;
}

/// C1 of buffers and views.
LogicalResult verifyDims(Operation *op, StringRef name, Type result,
                         ArrayAttr dims) {
  auto type = dyn_cast<MemRefType>(result);
  if (!type || !type.getLayout().isIdentity())
    return op->emitOpError()
           << name
           << "_c1: type must be a ranked memref of identity layout, got "
           << result;
  if (dims.size() != size_t(type.getNumDynamicDims()))
    return op->emitOpError()
           << name << "_c1: dims must name the " << type.getNumDynamicDims()
           << " dynamic dimensions of " << type << ", got " << dims.size()
           << " names";
  for (Attribute dim : dims) {
    try {
      Expr::parse(cast<StringAttr>(dim).getValue().str(), "dims");
    } catch (const Error &error) {
      return op->emitOpError() << name << "_c1: " << error.what();
    }
  }
  return success();
}

} // namespace

FailureOr<SmallVector<Expr>> fkplan::getDims(Value value) {
  auto type = dyn_cast<MemRefType>(value.getType());
  if (!type)
    return failure();
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    if (!function)
      return failure();
    return nameDims(type, function.getArgAttrOfType<ArrayAttr>(
                              argument.getArgNumber(), fk::attrs::dims));
  }
  Operation *op = value.getDefiningOp();
  Builder builder(op->getContext());
  if (auto buffer = dyn_cast<BufferOp>(op))
    return nameDims(type, buffer.getDims());
  if (auto view = dyn_cast<ViewOp>(op))
    return nameDims(type, view.getDims());
  if (isa<fkplan::WeightOp>(op))
    return nameDims(type, builder.getStrArrayAttr({"max_positions"}));
  if (isa<fkplan::StateOp>(op))
    return nameDims(type, builder.getStrArrayAttr({"pages"}));
  return failure();
}

//===----------------------------------------------------------------------===//
// Buffers and views
//===----------------------------------------------------------------------===//

LogicalResult BufferOp::verify() {
  if (failed(verifyDims(*this, "buffer", getType(), getDims())))
    return failure();
  std::optional<uint64_t> slot = getSlot();
  if (!slot)
    return success();
  auto function = (*this)->getParentOfType<func::FuncOp>();
  auto slots = function
                   ? function->getAttrOfType<ArrayAttr>(fkplan::attrs::slots)
                   : nullptr;
  int64_t count = slots ? slots.size() : 0;
  int64_t index = static_cast<int64_t>(*slot);
  if (index < 0 || index >= count)
    return emitOpError() << "buffer_c2: slot must be below the " << count
                         << " slots of the function, got " << index;
  return success();
}

LogicalResult ViewOp::verify() {
  if (failed(verifyDims(*this, "view", getType(), getDims())))
    return failure();
  auto source = cast<BaseMemRefType>(getSource().getType());
  auto result = cast<BaseMemRefType>(getType());
  if (source.getElementType() != result.getElementType())
    return emitOpError() << "view_c2: element type must be "
                         << source.getElementType() << ", as that of the "
                         << "source, got " << result.getElementType();
  FailureOr<SmallVector<Expr>> from = fkplan::getDims(getSource());
  FailureOr<SmallVector<Expr>> to = fkplan::getDims(getResult());
  if (failed(from) || failed(to))
    return emitOpError()
           << "view_c2: the source's dynamic dimensions must have "
              "names (fk.dims of the argument)";
  Expr fromCount = 1, toCount = 1;
  try {
    for (const Expr &dim : *from)
      fromCount = multiplyExprs(fromCount, dim);
    for (const Expr &dim : *to)
      toCount = multiplyExprs(toCount, dim);
  } catch (const Error &error) {
    return emitOpError() << "view_c2: " << error.what();
  }
  if (!isSame(fromCount, toCount))
    return emitOpError() << "view_c2: must have the source's "
                         << fromCount.str() << " elements, got "
                         << toCount.str();
  return success();
}

//===----------------------------------------------------------------------===//
// Symbol uses
//===----------------------------------------------------------------------===//

namespace {

template <typename DeclT>
LogicalResult verifyDeclared(Operation *op, StringRef name,
                             FlatSymbolRefAttr symbol, Type result,
                             SymbolTableCollection &tables) {
  auto decl = tables.lookupNearestSymbolFrom<DeclT>(op, symbol);
  if (!decl)
    return op->emitOpError() << name << "_c1: " << symbol << " must name an fk."
                             << name << " of the module";
  RankedTensorType tensor = getShapedType(decl.getType());
  auto wanted = MemRefType::get(tensor.getShape(), tensor.getElementType());
  if (result == wanted)
    return success();
  auto diagnostic = op->emitOpError() << name << "_c2: type must be " << wanted
                                      << ", got " << result;
  diagnostic.attachNote(decl.getLoc()) << "declared here";
  return diagnostic;
}

} // namespace

LogicalResult
fkplan::WeightOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  return verifyDeclared<fk::WeightOp>(*this, "weight", getWeightAttr(),
                                      getType(), symbolTable);
}

LogicalResult
fkplan::StateOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  return verifyDeclared<fk::StateOp>(*this, "state", getStateAttr(), getType(),
                                     symbolTable);
}

LogicalResult
fkplan::CallOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto callee =
      symbolTable.lookupNearestSymbolFrom<func::FuncOp>(*this, getCalleeAttr());
  if (!callee)
    return emitOpError() << "call_c1: " << getCalleeAttr()
                         << " must name a function of the module";
  SmallVector<Type> types(getIns().getTypes());
  llvm::append_range(types, getOuts().getTypes());
  if (types.size() != callee.getNumArguments() || callee.getNumResults() != 0)
    return emitOpError() << "call_c2: " << getCalleeAttr() << " takes "
                         << callee.getNumArguments() << " buffers and returns "
                         << callee.getNumResults() << " values, got "
                         << types.size() << " buffers";
  for (auto [index, type] : llvm::enumerate(types)) {
    if (type != callee.getArgumentTypes()[index])
      return emitOpError() << "call_c2: argument " << index << " must be "
                           << callee.getArgumentTypes()[index] << ", got "
                           << type;
    bool isOut = index >= getIns().size();
    if (isOut != bool(callee.getArgAttr(index, fkplan::attrs::result)))
      return emitOpError() << "call_c2: argument " << index << " of "
                           << getCalleeAttr() << " belongs in "
                           << (isOut ? "ins: it is not" : "outs: it is")
                           << " marked fkplan.result";
  }
  return success();
}
