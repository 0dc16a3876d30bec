//===- LaunchOp.cpp - fkplan.launch ---------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FKPlan/FKPlan.h"

#include "dialects/FK/FK.h"
#include "runtime/support/Error.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace fk;
using namespace fk::fkplan;

//===----------------------------------------------------------------------===//
// Assembly: (name = value, ...)
//===----------------------------------------------------------------------===//

namespace {

using Names = SmallVector<Attribute>;
using UnresolvedOperands = SmallVectorImpl<OpAsmParser::UnresolvedOperand>;

/// Parses `name = ` and appends the name.
ParseResult parseName(OpAsmParser &parser, Names &names) {
  std::string name;
  if (parser.parseKeywordOrString(&name) || parser.parseEqual())
    return failure();
  names.push_back(parser.getBuilder().getStringAttr(name));
  return success();
}

ParseResult parseTypedOperand(OpAsmParser &parser, UnresolvedOperands &operands,
                              SmallVectorImpl<Type> &types) {
  return failure(parser.parseOperand(operands.emplace_back()) ||
                 parser.parseColonType(types.emplace_back()));
}

/// Prints `(name = value, ...)`, the value by `printValue(index)`.
void printList(OpAsmPrinter &printer, ArrayAttr names,
               function_ref<void(size_t)> printValue) {
  printer << "(";
  for (auto [index, name] : llvm::enumerate(names)) {
    if (index)
      printer << ", ";
    printer.printKeywordOrString(cast<StringAttr>(name).getValue());
    printer << " = ";
    printValue(index);
  }
  printer << ")";
}

ParseResult parseNamedOuts(OpAsmParser &parser, UnresolvedOperands &operands,
                           SmallVectorImpl<Type> &types, ArrayAttr &names) {
  Names parsed;
  auto parseElement = [&]() -> ParseResult {
    return failure(parseName(parser, parsed) ||
                   parseTypedOperand(parser, operands, types));
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseElement))
    return failure();
  names = parser.getBuilder().getArrayAttr(parsed);
  return success();
}

void printNamedOuts(OpAsmPrinter &printer, Operation *, OperandRange operands,
                    TypeRange types, ArrayAttr names) {
  printList(printer, names, [&](size_t index) {
    printer << operands[index] << " : " << types[index];
  });
}

ParseResult parseNamedIns(OpAsmParser &parser, UnresolvedOperands &operands,
                          SmallVectorImpl<Type> &types, ArrayAttr &names,
                          DenseBoolArrayAttr &present) {
  Names parsed;
  SmallVector<bool> flags;
  auto parseElement = [&]() -> ParseResult {
    if (parseName(parser, parsed))
      return failure();
    flags.push_back(failed(parser.parseOptionalKeyword("none")));
    return flags.back() ? parseTypedOperand(parser, operands, types)
                        : success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseElement))
    return failure();
  names = parser.getBuilder().getArrayAttr(parsed);
  present = parser.getBuilder().getDenseBoolArrayAttr(flags);
  return success();
}

void printNamedIns(OpAsmPrinter &printer, Operation *, OperandRange operands,
                   TypeRange types, ArrayAttr names,
                   DenseBoolArrayAttr present) {
  size_t next = 0;
  printList(printer, names, [&](size_t index) {
    if (!present[index]) {
      printer << "none";
      return;
    }
    printer << operands[next] << " : " << types[next];
    ++next;
  });
}

ParseResult parseNamedValues(OpAsmParser &parser, ArrayAttr &names,
                             ArrayAttr &values) {
  Names parsedNames, parsedValues;
  auto parseElement = [&]() -> ParseResult {
    return failure(parseName(parser, parsedNames) ||
                   parser.parseAttribute(parsedValues.emplace_back()));
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseElement))
    return failure();
  names = parser.getBuilder().getArrayAttr(parsedNames);
  values = parser.getBuilder().getArrayAttr(parsedValues);
  return success();
}

void printNamedValues(OpAsmPrinter &printer, Operation *, ArrayAttr names,
                      ArrayAttr values) {
  printList(printer, names, [&](size_t index) { printer << values[index]; });
}

ParseResult parseNamedAxes(OpAsmParser &parser, ArrayAttr &names,
                           ArrayAttr &values) {
  return parseNamedValues(parser, names, values);
}

void printNamedAxes(OpAsmPrinter &printer, Operation *op, ArrayAttr names,
                    ArrayAttr values) {
  printNamedValues(printer, op, names, values);
}

} // namespace

#define GET_OP_CLASSES
#include "dialects/FKPlan/FKPlanOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Building and reading
//===----------------------------------------------------------------------===//

void LaunchOp::build(OpBuilder &builder, OperationState &state, StringRef task,
                     ArrayRef<std::pair<std::string, Value>> outs,
                     ArrayRef<std::pair<std::string, Value>> ins,
                     ArrayRef<std::pair<std::string, Attribute>> scalars,
                     ArrayRef<std::pair<std::string, Attribute>> variants,
                     ArrayRef<std::pair<std::string, Expr>> axes,
                     ArrayAttr kernels) {
  auto getNames = [&](const auto &list) {
    Names names;
    for (const auto &entry : list)
      names.push_back(builder.getStringAttr(entry.first));
    return builder.getArrayAttr(names);
  };
  auto getValues = [&](const auto &list) {
    Names values;
    for (const auto &entry : list)
      values.push_back(entry.second);
    return builder.getArrayAttr(values);
  };
  Properties &properties = state.getOrAddProperties<Properties>();
  properties.task = builder.getStringAttr(task);
  properties.out_names = getNames(outs);
  properties.in_names = getNames(ins);
  properties.scalar_names = getNames(scalars);
  properties.scalar_values = getValues(scalars);
  properties.variant_names = getNames(variants);
  properties.variant_values = getValues(variants);
  properties.axis_names = getNames(axes);
  Names texts;
  for (const auto &axis : axes)
    texts.push_back(builder.getStringAttr(axis.second.str()));
  properties.axis_values = builder.getArrayAttr(texts);
  properties.kernels = kernels;

  SmallVector<bool> present;
  for (const auto &out : outs)
    state.addOperands(out.second);
  int32_t inCount = 0;
  for (const auto &in : ins) {
    present.push_back(bool(in.second));
    if (!in.second)
      continue;
    state.addOperands(in.second);
    ++inCount;
  }
  properties.in_present = builder.getDenseBoolArrayAttr(present);
  properties.operandSegmentSizes = {static_cast<int32_t>(outs.size()), inCount};
}

SmallVector<std::pair<StringRef, Value>> LaunchOp::getNamedOuts() {
  SmallVector<std::pair<StringRef, Value>> named;
  for (auto [name, value] :
       llvm::zip_equal(getOutNames().getAsValueRange<StringAttr>(), getOuts()))
    named.push_back({name, value});
  return named;
}

SmallVector<std::pair<StringRef, Value>> LaunchOp::getNamedIns() {
  SmallVector<std::pair<StringRef, Value>> named;
  size_t next = 0;
  for (auto [name, present] : llvm::zip_equal(
           getInNames().getAsValueRange<StringAttr>(), getInPresent()))
    named.push_back({name, present ? Value(getIns()[next++]) : Value()});
  return named;
}

namespace {

SmallVector<std::pair<StringRef, Attribute>> zipNamed(ArrayAttr names,
                                                      ArrayAttr values) {
  SmallVector<std::pair<StringRef, Attribute>> named;
  for (auto [name, value] :
       llvm::zip_equal(names.getAsValueRange<StringAttr>(), values))
    named.push_back({name, value});
  return named;
}

} // namespace

SmallVector<std::pair<StringRef, Attribute>> LaunchOp::getNamedScalars() {
  return zipNamed(getScalarNames(), getScalarValues());
}

SmallVector<std::pair<StringRef, Attribute>> LaunchOp::getNamedVariants() {
  return zipNamed(getVariantNames(), getVariantValues());
}

SmallVector<std::pair<StringRef, StringRef>> LaunchOp::getNamedAxes() {
  SmallVector<std::pair<StringRef, StringRef>> named;
  for (auto [name, value] :
       llvm::zip_equal(getAxisNames().getAsValueRange<StringAttr>(),
                       getAxisValues().getAsValueRange<StringAttr>()))
    named.push_back({name, value});
  return named;
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

namespace {

LogicalResult verifyNames(LaunchOp op, StringRef what, ArrayAttr names,
                          size_t count, llvm::StringSet<> &seen) {
  if (names.size() != count)
    return op.emitOpError() << "launch_c1: wants one name per " << what
                            << ", got " << names.size() << " for " << count;
  for (StringRef name : names.getAsValueRange<StringAttr>())
    if (!seen.insert(name).second)
      return op.emitOpError()
             << "launch_c1: the name '" << name << "' is given twice";
  return success();
}

/// C2 for one list of names.
template <typename ListT>
LogicalResult verifyListed(LaunchOp op, StringRef what, ArrayAttr names,
                           const ListT &params) {
  SmallVector<std::string> wanted, got;
  for (const auto &param : params) {
    if constexpr (std::is_same_v<std::decay_t<decltype(param)>, std::string>)
      wanted.push_back(param);
    else
      wanted.push_back(param.name);
  }
  for (StringRef name : names.getAsValueRange<StringAttr>())
    got.push_back(name.str());
  if (wanted == got)
    return success();
  return op.emitOpError() << "launch_c2: " << what << " of " << op.getTask()
                          << " must be (" << llvm::join(wanted, ", ")
                          << "), got (" << llvm::join(got, ", ") << ")";
}

bool hasType(Attribute value, DType type) {
  auto typed = dyn_cast<TypedAttr>(value);
  if (!typed || !isa<FloatAttr, IntegerAttr>(value))
    return false;
  switch (type) {
  case DType::F32:
    return typed.getType().isF32();
  case DType::I32:
    return typed.getType().isSignlessInteger(32);
  case DType::I64:
    return typed.getType().isSignlessInteger(64);
  default:
    return false;
  }
}

std::string getElementName(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// C2: what the signature says of tensors and scalars.
LogicalResult verifySignature(LaunchOp op, const Signature &signature) {
  if (failed(verifyListed(op, "outs", op.getOutNames(), signature.results)) ||
      failed(verifyListed(op, "ins", op.getInNames(), signature.operands)) ||
      failed(verifyListed(op, "scalars", op.getScalarNames(),
                          signature.scalars)) ||
      failed(verifyListed(op, "variants", op.getVariantNames(),
                          signature.variants)) ||
      failed(verifyListed(op, "axes", op.getAxisNames(), signature.axes)))
    return failure();

  auto verifyScalars = [&](const std::vector<ScalarParam> &params,
                           ArrayAttr values) -> LogicalResult {
    for (auto [param, value] : llvm::zip_equal(params, values))
      if (!hasType(value, param.type))
        return op.emitOpError()
               << "launch_c2: " << param.name << " must be "
               << StringRef(getName(param.type)) << ", got " << value;
    return success();
  };
  if (failed(verifyScalars(signature.scalars, op.getScalarValues())) ||
      failed(verifyScalars(signature.variants, op.getVariantValues())))
    return failure();

  Type elementT;
  auto verifyTensor = [&](const TensorParam &param,
                          Value value) -> LogicalResult {
    if (!value) {
      if (param.optional)
        return success();
      return op.emitOpError()
             << "launch_c2: " << param.name << " must be given, got none";
    }
    auto type = dyn_cast<MemRefType>(value.getType());
    if (!type || type.getRank() != int64_t(param.shape.size()))
      return op.emitOpError()
             << "launch_c2: " << param.name << " must be a memref of "
             << param.shape.size() << " dimensions, got " << value.getType();
    std::string wanted;
    if (param.element) {
      wanted = std::string(getName(*param.element));
    } else {
      if (!elementT)
        elementT = type.getElementType();
      wanted = getElementName(elementT);
    }
    if (getElementName(type.getElementType()) == wanted)
      return success();
    return op.emitOpError()
           << "launch_c2: " << param.name << " must have elements of type "
           << wanted << ", got " << type;
  };
  for (auto [param, out] :
       llvm::zip_equal(signature.results, op.getNamedOuts()))
    if (failed(verifyTensor(param, out.second)))
      return failure();
  for (auto [param, in] : llvm::zip_equal(signature.operands, op.getNamedIns()))
    if (failed(verifyTensor(param, in.second)))
      return failure();
  return success();
}

/// C3 and C4.
LogicalResult verifyExpressions(LaunchOp op) {
  for (auto [name, text] : op.getNamedAxes()) {
    try {
      Expr::parse(text.str(), "axis " + name.str());
    } catch (const Error &error) {
      return op.emitOpError() << "launch_c3: " << error.what();
    }
  }
  if (op.getKernels().empty())
    return op.emitOpError() << "launch_c4: wants at least one kernel";
  for (Attribute attribute : op.getKernels()) {
    auto kernel = dyn_cast<KernelAttr>(attribute);
    if (!kernel)
      return op.emitOpError()
             << "launch_c4: a kernel must be #fk.kernel<\"provider\", "
                "\"name\">, got "
             << attribute;
    if (kernel.getWhere().empty())
      continue;
    try {
      Expr where = Expr::parseCondition(kernel.getWhere().str(),
                                        "where of " + kernel.getName().str());
      for (const std::string &axis : where.getAxes())
        if (!llvm::is_contained(op.getAxisNames().getAsValueRange<StringAttr>(),
                                axis))
          return op.emitOpError()
                 << "launch_c4: the condition \"" << kernel.getWhere()
                 << "\" must speak of the launch's axes, got '" << axis << "'";
    } catch (const Error &error) {
      return op.emitOpError() << "launch_c4: " << error.what();
    }
  }
  return success();
}

} // namespace

LogicalResult LaunchOp::verify() {
  llvm::StringSet<> seen;
  if (failed(verifyNames(*this, "result", getOutNames(), getOuts().size(),
                         seen)) ||
      failed(verifyNames(*this, "operand", getInNames(), getInPresent().size(),
                         seen)) ||
      failed(verifyNames(*this, "scalar", getScalarNames(),
                         getScalarValues().size(), seen)) ||
      failed(verifyNames(*this, "variant", getVariantNames(),
                         getVariantValues().size(), seen)) ||
      failed(verifyNames(*this, "axis", getAxisNames(), getAxisValues().size(),
                         seen)))
    return failure();
  if (static_cast<size_t>(llvm::count(getInPresent(), true)) != getIns().size())
    return emitOpError() << "launch_c1: in_present must mark "
                         << getIns().size() << " operands as present";
  if (const Signature *signature = lookupSignature(getTask()))
    if (failed(verifySignature(*this, *signature)))
      return failure();
  return verifyExpressions(*this);
}
