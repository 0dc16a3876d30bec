//===- TaskModule.cpp - A module of one task ------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Codegen/Codegen.h"

#include "dialects/FK/FK.h"
#include "dialects/FK/TaskTable.h"
#include "runtime/support/Error.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace fk;

namespace {

class TaskModuleBuilder {
public:
  TaskModuleBuilder(MLIRContext &context, const TaskRequest &request)
      : b(&context), request(request), loc(UnknownLoc::get(&context)) {}

  OwningOpRef<ModuleOp> build() {
    const TaskDescription *task = lookupTask(request.task);
    if (!task)
      throw Error({"there is no such task", request.task, "", "",
                   "fk list prints them"});
    signature = Signature::parse(task->signature.str());
    checkNames();
    SmallVector<NamedAttribute> attributes = getAttributes();
    SmallVector<Type> operands, results;
    for (const TensorParam &operand : signature.operands) {
      bool isThere = llvm::is_contained(request.operands, operand.name);
      if (!operand.optional || isThere)
        operands.push_back(getType(operand));
    }
    for (const TensorParam &result : signature.results)
      results.push_back(getType(result));

    OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
    b.setInsertionPointToStart(module->getBody());
    auto func = func::FuncOp::create(b, loc, request.task,
                                     b.getFunctionType(operands, results));
    Block *block = func.addEntryBlock();
    b.setInsertionPointToStart(block);
    OperationState state(loc, "fk." + request.task);
    state.addOperands(block->getArguments());
    state.addTypes(results);
    state.addAttributes(attributes);
    Operation *op = b.create(state);
    func::ReturnOp::create(b, loc, op->getResults());
    std::string text;
    ScopedDiagnosticHandler handler(
        b.getContext(), [&](Diagnostic &diagnostic) {
          text += (text.empty() ? "" : "; ") + diagnostic.str();
        });
    if (failed(verify(op)))
      throw Error({"the request does not make a valid op", "fk." + request.task,
                   "", text, "see 'fk show " + request.task + "'"});
    return module;
  }

private:
  void checkNames() {
    auto list = [](auto &&range, auto name) {
      std::string text;
      for (const auto &each : range)
        text += (text.empty() ? "" : ", ") + name(each);
      return text.empty() ? std::string("none") : text;
    };
    for (const auto &[axis, value] : request.axes)
      if (!llvm::is_contained(signature.axes, axis))
        throw Error(
            {"the task has no such axis", request.task,
             list(signature.axes, [](const std::string &name) { return name; }),
             axis});
      else if (value < 1)
        throw Error({"an axis must be positive", request.task, axis + " >= 1",
                     std::to_string(value)});
    for (const std::string &name : request.operands)
      if (llvm::none_of(signature.operands, [&](const TensorParam &operand) {
            return operand.optional && operand.name == name;
          }))
        throw Error(
            {"the task has no such optional operand", request.task, "", name});
    for (const auto &[name, value] : request.attributes)
      if (!findScalar(name))
        throw Error(
            {"the task has no such scalar", request.task,
             list(signature.scalars,
                  [](const ScalarParam &scalar) { return scalar.name; }) +
                 "; " +
                 list(signature.variants,
                      [](const ScalarParam &scalar) { return scalar.name; }),
             name});
  }

  const ScalarParam *findScalar(StringRef name) {
    for (const auto *scalars : {&signature.scalars, &signature.variants})
      for (const ScalarParam &scalar : *scalars)
        if (scalar.name == name)
          return &scalar;
    return nullptr;
  }

  /// Scalars are parameters, whose value here only has to be valid; variants
  /// are at their default where they are not given.
  SmallVector<NamedAttribute> getAttributes() {
    SmallVector<NamedAttribute> attributes;
    for (const auto *scalars : {&signature.scalars, &signature.variants})
      for (const ScalarParam &scalar : *scalars) {
        double value = scalar.type == DType::F32 ? 1 : 0;
        if (auto it = request.attributes.find(scalar.name);
            it != request.attributes.end()) {
          value = it->second;
        } else if (!scalar.defaultValue.empty()) {
          Expr text = Expr::parse(scalar.defaultValue, scalar.name);
          if (text.getAxes().empty()) {
            value = double(text.evaluate({}));
          } else if (auto axis = request.axes.find(text.getAxes().front());
                     axis != request.axes.end()) {
            value = double(axis->second);
          } else {
            throw Error({"the width of '" + scalar.name + "' is not known",
                         request.task, "--axes " + text.str() + "=<number>"});
          }
        }
        values[scalar.name] = value;
        Attribute attribute = b.getF32FloatAttr(float(value));
        if (scalar.type == DType::I32)
          attribute = b.getI32IntegerAttr(int32_t(value));
        else if (scalar.type == DType::I64)
          attribute = b.getI64IntegerAttr(int64_t(value));
        attributes.push_back(b.getNamedAttr(scalar.name, attribute));
      }
    return attributes;
  }

  Type getElement(DType type) {
    switch (type) {
    case DType::F64:
      return b.getF64Type();
    case DType::F32:
      return b.getF32Type();
    case DType::F16:
      return b.getF16Type();
    case DType::BF16:
      return b.getBF16Type();
    case DType::I64:
      return b.getI64Type();
    case DType::I32:
      return b.getI32Type();
    default:
      throw Error({"an element type that kernels do not have", request.task, "",
                   std::string(fk::getName(type))});
    }
  }

  Type getType(const TensorParam &tensor) {
    SmallVector<int64_t> shape;
    for (const Expr &extent : tensor.shape) {
      bool isKnown =
          extent &&
          llvm::all_of(extent.getAxes(), [&](const std::string &axis) {
            return request.axes.contains(axis);
          });
      // The one extent that is no axis and is a width: that of the rotary
      // table.
      bool isRotary = !extent && &extent == &tensor.shape.back() &&
                      values.contains("rotary_dim");
      shape.push_back(isKnown    ? extent.evaluate(request.axes)
                      : isRotary ? int64_t(values["rotary_dim"])
                                 : ShapedType::kDynamic);
    }
    return RankedTensorType::get(
        shape, getElement(tensor.element.value_or(request.dtype)));
  }

  OpBuilder b;
  const TaskRequest &request;
  Location loc;
  Signature signature;
  std::map<std::string, double> values;
};

} // namespace

/// A text without locations: the same task at another place is the same kernel.
static std::string printModule(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, OpPrintingFlags().useLocalScope());
  return text + "\n";
}

std::string fk::buildTaskModule(const TaskRequest &request) {
  DialectRegistry registry;
  registerCodegenDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadDialect<FKDialect, func::FuncDialect>();
  return printModule(*TaskModuleBuilder(context, request).build());
}

std::string fk::isolateTask(TaskOpInterface op) {
  Location loc = UnknownLoc::get(op.getContext());
  OpBuilder b(op.getContext());
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  b.setInsertionPointToStart(module->getBody());
  auto func = func::FuncOp::create(
      b, loc, op.getTaskName(),
      b.getFunctionType(op->getOperandTypes(), op->getResultTypes()));
  Block *block = func.addEntryBlock();
  b.setInsertionPointToStart(block);
  Operation *copy = b.clone(*op.getOperation());
  copy->setOperands(block->getArguments());
  copy->removeAttr(attrs::kernels);
  copy->removeAttr(attrs::candidate);
  func::ReturnOp::create(b, loc, copy->getResults());
  return printModule(*module);
}
