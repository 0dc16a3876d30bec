//===- DialectAttributes.cpp - Attributes on functions, values and ops ----===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/FK.h"

#include "runtime/support/Error.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace fk;

namespace {

bool isSnakeCase(StringRef name) {
  return !name.empty() && llvm::isAlpha(name[0]) &&
         llvm::all_of(name, [](char c) {
           return llvm::isDigit(c) || c == '_' || (c >= 'a' && c <= 'z');
         });
}

LogicalResult verifyTask(Operation *op, Attribute value) {
  if (!isa<FunctionOpInterface>(op))
    return op->emitOpError() << "fk.task belongs on a function";
  auto task = dyn_cast<TaskAttr>(value);
  if (!task)
    return op->emitOpError()
           << "fk.task must be #fk.task<\"name\", level>, got " << value;
  if (!isSnakeCase(task.getName()))
    return op->emitOpError()
           << "fk.task must have a snake_case name, got " << task;
  if (task.getLevel() == Level::L1)
    return op->emitOpError() << "fk.task on a function must be of level L2, L3 "
                                "or L4, got L1 (an L1 task is an op)";
  return success();
}

LogicalResult verifyKernels(Operation *op, Attribute value) {
  auto task = dyn_cast<TaskOpInterface>(op);
  if (!task)
    return op->emitOpError() << "fk.kernels belongs on a task op";
  auto kernels = dyn_cast<ArrayAttr>(value);
  if (!kernels || kernels.empty())
    return op->emitOpError()
           << "fk.kernels must be an array of at least one #fk.kernel, got "
           << value;
  const std::vector<std::string> &axes = getSignature(task).axes;
  for (Attribute element : kernels) {
    auto kernel = dyn_cast<KernelAttr>(element);
    if (!kernel || kernel.getProvider().empty() || kernel.getName().empty())
      return op->emitOpError()
             << "fk.kernels must hold #fk.kernel<\"provider\","
                " \"name\">, got "
             << element;
    if (kernel.getWhere().empty())
      continue;
    try {
      Expr where = Expr::parseCondition(kernel.getWhere().str(),
                                        "where of " + kernel.getName().str());
      for (const std::string &axis : where.getAxes())
        if (!llvm::is_contained(axes, axis))
          return op->emitOpError()
                 << "fk.kernels: the condition \"" << kernel.getWhere()
                 << "\" must speak of the axes " << llvm::join(axes, ", ")
                 << ", got '" << axis << "'";
    } catch (const Error &error) {
      return op->emitOpError() << "fk.kernels: " << error.what();
    }
  }
  return success();
}

LogicalResult verifyCandidate(Operation *op, Attribute value) {
  std::string task;
  if (auto taskOp = dyn_cast<TaskOpInterface>(op)) {
    task = taskOp.getTaskName().str();
  } else if (auto call = dyn_cast<func::CallOp>(op)) {
    auto callee =
        SymbolTable::lookupNearestSymbolFrom(op, call.getCalleeAttr());
    auto attr = callee ? callee->getAttrOfType<TaskAttr>(attrs::task) : nullptr;
    if (!attr)
      return op->emitOpError() << "fk.candidate on a call needs a callee with "
                                  "an fk.task attribute";
    task = attr.getName().str();
  } else {
    return op->emitOpError() << "fk.candidate belongs on a task op or a call "
                                "of a function with fk.task";
  }
  auto symbol = dyn_cast<FlatSymbolRefAttr>(value);
  auto candidate =
      symbol ? SymbolTable::lookupNearestSymbolFrom<CandidateOp>(op, symbol)
             : nullptr;
  if (!candidate)
    return op->emitOpError()
           << "fk.candidate must name an fk.candidate of the module, got "
           << value;
  if (candidate.getTask() != task)
    return op->emitOpError()
           << "fk.candidate " << symbol << " must be for the task " << task
           << ", got one for " << candidate.getTask();
  return success();
}

/// Module: the fields of fk::ModelInfo.
LogicalResult verifyModel(Operation *op, Attribute value) {
  if (!isa<ModuleOp>(op))
    return op->emitOpError() << "fk.model belongs on a module";
  auto model = dyn_cast<DictionaryAttr>(value);
  if (!model)
    return op->emitOpError() << "fk.model must be a dictionary, got " << value;
  for (NamedAttribute field : model) {
    StringRef name = field.getName();
    Attribute got = field.getValue();
    if (name == "architecture" || name == "family" || name == "checkpoint") {
      if (!isa<StringAttr>(got))
        return op->emitOpError()
               << "fk.model: " << name << " must be a string, got " << got;
    } else if (name == "vocab_size" || name == "max_positions" ||
               name == "pad_token_id" || name == "page_size") {
      if (!isa<IntegerAttr>(got))
        return op->emitOpError()
               << "fk.model: " << name << " must be an integer, got " << got;
    } else if (name == "eos_token_ids") {
      auto ids = dyn_cast<ArrayAttr>(got);
      if (!ids ||
          !llvm::all_of(ids, [](Attribute id) { return isa<IntegerAttr>(id); }))
        return op->emitOpError()
               << "fk.model: eos_token_ids must be an array of integers, got "
               << got;
    } else {
      return op->emitOpError()
             << "fk.model: knows architecture, family, checkpoint, vocab_size, "
                "max_positions, pad_token_id, eos_token_ids and page_size, got "
             << field.getName();
    }
  }
  for (StringRef name : {"architecture", "family"})
    if (!model.get(name))
      return op->emitOpError() << "fk.model: wants '" << name << "'";
  return success();
}

/// One string per dynamic dimension of a tensor or memref.
LogicalResult verifyDims(Operation *op, const Twine &what, Type type,
                         Attribute value) {
  auto tensor = dyn_cast<ShapedType>(type);
  if (!tensor || !tensor.hasRank())
    return op->emitOpError()
           << what << ": fk.dims belongs on a ranked tensor or memref, got "
           << type;
  auto names = dyn_cast<ArrayAttr>(value);
  if (!names || !llvm::all_of(names, [](Attribute name) {
        return isa<StringAttr>(name);
      }))
    return op->emitOpError()
           << what << ": fk.dims must be an array of strings, got " << value;
  if (names.size() != size_t(tensor.getNumDynamicDims()))
    return op->emitOpError()
           << what << ": fk.dims must name the " << tensor.getNumDynamicDims()
           << " dynamic dimensions of " << type << ", got " << names.size()
           << " names";
  for (Attribute name : names) {
    try {
      Expr::parse(cast<StringAttr>(name).getValue().str(), "fk.dims");
    } catch (const Error &error) {
      return op->emitOpError() << what << ": " << error.what();
    }
  }
  return success();
}

/// The dictionary form of fk::Role.
LogicalResult verifyRole(Operation *op, const Twine &what, bool isResult,
                         Attribute value) {
  static constexpr StringRef argKinds[] = {
      "packed", "positions", "cu_seqlens",  "seq_lens",
      "slots",  "sampling",  "block_table",
  };
  static constexpr StringRef resultKinds[] = {"rows", "sequences"};
  auto role = dyn_cast<DictionaryAttr>(value);
  auto kind = role ? role.getAs<StringAttr>("kind") : nullptr;
  ArrayRef<StringRef> kinds =
      isResult ? ArrayRef(resultKinds) : ArrayRef(argKinds);
  if (!kind || !llvm::is_contained(kinds, kind.getValue()))
    return op->emitOpError()
           << what << ": fk.role must be a dictionary whose kind is one of "
           << llvm::join(kinds, ", ") << ", got " << value;
  for (NamedAttribute field : role) {
    StringRef name = field.getName();
    bool text = name == "kind" || name == "from" || name == "rule";
    if (!text && name != "padding_idx" && name != "default_value")
      return op->emitOpError()
             << what
             << ": fk.role knows kind, from, rule, padding_idx and "
                "default_value, got "
             << field.getName();
    if (text ? !isa<StringAttr>(field.getValue())
             : !isa<IntegerAttr>(field.getValue()))
      return op->emitOpError() << what << ": fk.role: " << name << " must be "
                               << (text ? "a string" : "an integer") << ", got "
                               << field.getValue();
  }
  if (auto rule = role.getAs<StringAttr>("rule"))
    if (rule.getValue() != "index" && rule.getValue() != "non_padding")
      return op->emitOpError()
             << what << ": fk.role: rule must be index or non_padding, got "
             << rule;
  return success();
}

LogicalResult verifyValueAttribute(Operation *op, const Twine &what, Type type,
                                   bool isResult, NamedAttribute attribute) {
  if (attribute.getName() == attrs::dims)
    return verifyDims(op, what, type, attribute.getValue());
  if (attribute.getName() == attrs::role)
    return verifyRole(op, what, isResult, attribute.getValue());
  if (attribute.getName() == attrs::name) {
    auto name = dyn_cast<StringAttr>(attribute.getValue());
    if (!name || name.empty())
      return op->emitOpError() << what << ": fk.name must be a name, got "
                               << attribute.getValue();
    return success();
  }
  return op->emitOpError() << what
                           << ": knows fk.dims, fk.name and fk.role, got "
                           << attribute.getName();
}

} // namespace

LogicalResult FKDialect::verifyOperationAttribute(Operation *op,
                                                  NamedAttribute attribute) {
  StringRef name = attribute.getName();
  if (name == attrs::task)
    return verifyTask(op, attribute.getValue());
  if (name == attrs::kernels)
    return verifyKernels(op, attribute.getValue());
  if (name == attrs::candidate)
    return verifyCandidate(op, attribute.getValue());
  if (name == attrs::model)
    return verifyModel(op, attribute.getValue());
  return op->emitOpError() << "knows fk.task, fk.kernels, fk.candidate and "
                              "fk.model, got "
                           << attribute.getName();
}

LogicalResult FKDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                  unsigned argIndex,
                                                  NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return op->emitOpError() << attribute.getName() << " belongs on a function";
  // In a plan, results are arguments too.
  bool isResult = bool(function.getArgAttr(argIndex, "fkplan.result"));
  return verifyValueAttribute(op, "argument " + Twine(argIndex),
                              function.getArgumentTypes()[argIndex], isResult,
                              attribute);
}

LogicalResult FKDialect::verifyRegionResultAttribute(Operation *op, unsigned,
                                                     unsigned resultIndex,
                                                     NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return op->emitOpError() << attribute.getName() << " belongs on a function";
  return verifyValueAttribute(op, "result " + Twine(resultIndex),
                              function.getResultTypes()[resultIndex],
                              /*isResult=*/true, attribute);
}
