//===- TaskFunctions.cpp - Functions that are tasks -----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Transforms/TaskFunctions.h"
#include "fk/Transforms/Places.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace fk;

/// `place` as an identifier.
static std::string toIdentifier(StringRef place) {
  std::string name;
  for (char c : place)
    name += llvm::isAlnum(c) ? c : '_';
  if (!name.empty() && llvm::isDigit(name.front()))
    name.insert(name.begin(), '_');
  return name;
}

static std::string getArgumentName(func::FuncOp func, unsigned index) {
  if (auto name = func.getArgAttrOfType<StringAttr>(index, attrs::name))
    return name.getValue().str();
  std::string name = toIdentifier(getPlace(func.getArgument(index).getLoc()));
  return name.empty() ? "arg" + std::to_string(index) : name;
}

FailureOr<Signature> fk::getTaskSignature(func::FuncOp func) {
  auto task = func->getAttrOfType<TaskAttr>(attrs::task);
  if (!task || func.isExternal())
    return func.emitError("'@")
           << func.getSymName() << "' is no task: wanted a function with a "
           << "body and #fk.task";
  auto dims = SymbolicDims::compute(func);
  if (failed(dims))
    return failure();

  Signature signature;
  signature.task = task.getName().str();
  std::optional<Type> elementT;
  auto add = [&](std::vector<TensorParam> &params, std::string name,
                 Value value) -> LogicalResult {
    RankedTensorType type = getShapedType(value.getType());
    if (!type)
      return func.emitError("'")
             << name << "' of task function '@" << func.getSymName()
             << "' is no parameter of a kernel: got " << value.getType();
    TensorParam param;
    param.name = name;
    // Names are unique in a signature.
    auto taken = [&](StringRef wanted) {
      auto bears = [&](const TensorParam &other) {
        return other.name == wanted;
      };
      return llvm::any_of(signature.results, bears) ||
             llvm::any_of(signature.operands, bears);
    };
    for (int i = 1; taken(param.name); ++i)
      param.name = name + "_" + std::to_string(i);
    param.state = !isa<RankedTensorType>(value.getType());
    Type element = type.getElementType();
    if (isa<FloatType>(element) && !elementT)
      elementT = element;
    if (element != elementT) {
      std::string text;
      llvm::raw_string_ostream(text) << element;
      param.element = parseDType(text);
    }
    for (const Expr &extent : dims->getDims(value)) {
      param.shape.push_back(extent);
      for (const std::string &axis : extent.getAxes())
        if (!llvm::is_contained(signature.axes, axis))
          signature.axes.push_back(axis);
    }
    params.push_back(std::move(param));
    return success();
  };
  Operation *exit = func.getBody().front().getTerminator();
  for (auto [index, value] : llvm::enumerate(exit->getOperands()))
    if (failed(add(signature.results,
                   exit->getNumOperands() == 1
                       ? "result"
                       : "result" + std::to_string(index),
                   value)))
      return failure();
  for (BlockArgument argument : func.getArguments())
    if (failed(add(signature.operands,
                   getArgumentName(func, argument.getArgNumber()), argument)))
      return failure();
  return signature;
}
