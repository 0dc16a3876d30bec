//===- Elements.cpp - MLIR types and fk's element types -------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Elements.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace fk;

std::optional<DType> fk::getDType(Type type) {
  if (RankedTensorType shaped = getShapedType(type))
    type = shaped;
  Type element = getElementTypeOrSelf(type);
  std::string name;
  llvm::raw_string_ostream(name) << element;
  if (name == "i1")
    return DType::Bool;
  return parseDType(name);
}

std::optional<DType> fk::getTaskDType(TaskOpInterface op) {
  const Signature &signature = getSignature(op);
  for (auto [param, result] : llvm::zip(signature.results, op->getResults()))
    if (!param.element)
      return getDType(result.getType());
  for (const TensorParam &param : signature.operands)
    if (Value operand = getOperandByName(op, param.name);
        operand && !param.element)
      return getDType(operand.getType());
  return std::nullopt;
}
