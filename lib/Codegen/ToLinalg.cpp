//===- ToLinalg.cpp - Task ops become linalg ------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Codegen/Passes.h"

#include "dialects/FK/FK.h"
#include "dialects/FK/TaskTable.h"
#include "lib/Codegen/KernelFunction.h"
#include "lib/Codegen/TaskLinalg.h"
#include "runtime/support/Error.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/StringMap.h"

#include <map>

namespace fk {
#define GEN_PASS_DEF_CODEGENTOLINALGPASS
#include "fk/Codegen/Passes.h.inc"
} // namespace fk

using namespace mlir;
using namespace fk;

namespace {

/// Brings one function to the form of KernelFunction.h.
class KernelSignature {
public:
  explicit KernelSignature(func::FuncOp func)
      : func(func), builder(func.getContext()) {}

  /// The task that the function is, if it is one alone: its operands are the
  /// function's arguments and its results are returned.
  TaskOpInterface findTask() {
    TaskOpInterface found;
    for (Operation &op : func.getBody().front().without_terminator()) {
      auto task = dyn_cast<TaskOpInterface>(op);
      if (!task || found)
        return {};
      found = task;
    }
    if (!found)
      return {};
    Operation *terminator = func.getBody().front().getTerminator();
    bool isWhole = llvm::equal(found->getOperands(), func.getArguments()) &&
                   llvm::equal(found->getResults(), terminator->getOperands());
    return isWhole ? found : TaskOpInterface();
  }

  LogicalResult run(TaskOpInterface task) {
    if (func->hasAttr(attrs::codegenAxes))
      return success();
    if (task)
      return runTask(getSignature(task));
    if (const TaskDescription *named = lookupTask(func.getName()))
      return runTask(Signature::parse(named->signature.str()));
    return runCluster();
  }

  llvm::StringMap<Value> scalars;

private:
  /// A function of a task's signature: its tensors are arguments already, and
  /// scalars and axes may be.
  LogicalResult runTask(const Signature &signature) {
    SmallVector<Type> tensors;
    for (Type type : func.getArgumentTypes())
      if (isa<RankedTensorType>(type))
        tensors.push_back(type);
    size_t required =
        llvm::count_if(signature.operands, [](const TensorParam &param) {
          return !param.optional;
        });
    bool hasOptional = tensors.size() == signature.operands.size();
    if (!hasOptional && tensors.size() != required)
      return func.emitError("takes ")
             << tensors.size() << " tensors: task '" << signature.task
             << "' has " << required << " operands, and with the optional ones "
             << signature.operands.size();
    if (func.getNumResults() != signature.results.size())
      return func.emitError("has ")
             << func.getNumResults() << " results: task '" << signature.task
             << "' has " << signature.results.size();
    for (auto [i, param] : llvm::enumerate(signature.results)) {
      FailureOr<ArrayAttr> dims = nameDims(param, func.getResultTypes()[i]);
      if (failed(dims))
        return failure();
      func.setResultAttr(i, attrs::dims, *dims);
    }
    unsigned arg = 0;
    for (const TensorParam &param : signature.operands) {
      if (param.optional && !hasOptional)
        continue;
      FailureOr<ArrayAttr> dims = nameDims(param, tensors[arg]);
      if (failed(dims))
        return failure();
      func.setArgAttr(arg++, attrs::dims, *dims);
    }
    size_t more = func.getNumArguments() - tensors.size();
    bool hasScalars = more >= signature.scalars.size() && more > 0;
    if (!hasScalars)
      for (const ScalarParam &scalar : signature.scalars)
        addArgument(getScalarType(scalar.type), func.getLoc());
    for (auto [i, scalar] : llvm::enumerate(signature.scalars))
      scalars[scalar.name] = func.getArgument(tensors.size() + i);
    if (!hasScalars || more == signature.scalars.size())
      for (size_t i = 0; i < signature.axes.size(); ++i)
        addArgument(builder.getI32Type(), func.getLoc());
    size_t wanted =
        tensors.size() + signature.scalars.size() + signature.axes.size();
    if (func.getNumArguments() != wanted)
      return func.emitError("takes ")
             << more
             << " arguments behind its tensors: wanted none, the scalars of "
                "task '"
             << signature.task << "', or its scalars and axes";
    setAxes(signature.axes);
    return success();
  }

  /// A cluster's axes are the symbols of `fk.dims`, in the order in which its
  /// results and then its arguments speak of them.
  LogicalResult runCluster() {
    std::vector<std::string> axes;
    auto collect = [&](ArrayAttr dims) {
      for (Attribute dim : dims ? dims : ArrayAttr::get(func.getContext(), {}))
        if (auto text = dyn_cast<StringAttr>(dim))
          for (const std::string &axis :
               Expr::parse(text.getValue().str(), "fk.dims").getAxes())
            if (!llvm::is_contained(axes, axis))
              axes.push_back(axis);
    };
    try {
      for (unsigned i = 0; i < func.getNumResults(); ++i)
        collect(func.getResultAttrOfType<ArrayAttr>(i, attrs::dims));
      for (unsigned i = 0; i < func.getNumArguments(); ++i)
        collect(func.getArgAttrOfType<ArrayAttr>(i, attrs::dims));
    } catch (const Error &error) {
      return func.emitError(error.what());
    }
    for (size_t i = 0; i < axes.size(); ++i)
      addArgument(builder.getI32Type(), func.getLoc());
    setAxes(axes);
    return success();
  }

  /// The names of the dynamic dimensions of a tensor of the task, its static
  /// axes being noted.
  FailureOr<ArrayAttr> nameDims(const TensorParam &param, Type given) {
    auto type = dyn_cast<RankedTensorType>(given);
    if (!type || type.getRank() != int64_t(param.shape.size()))
      return func.emitError("has a wrong type for '")
             << param.name << "' of task '" << func.getName()
             << "': wanted a tensor of rank " << param.shape.size() << ", got "
             << given;
    SmallVector<std::string> texts;
    for (auto [size, extent] : llvm::zip_equal(type.getShape(), param.shape)) {
      if (ShapedType::isDynamic(size))
        texts.push_back(extent ? extent.str() : std::string("_"));
      else if (extent && extent.getNode()->op == ExprOp::Axis)
        known[extent.getNode()->axis] = size;
    }
    SmallVector<StringRef> names(texts.begin(), texts.end());
    return builder.getStrArrayAttr(names);
  }

  Type getScalarType(DType type) {
    if (type == DType::F32)
      return builder.getF32Type();
    return builder.getIntegerType(type == DType::I64 ? 64 : 32);
  }

  void addArgument(Type type, Location loc) {
    (void)func.insertArgument(func.getNumArguments(), type, {}, loc);
  }

  void setAxes(const std::vector<std::string> &axes) {
    SmallVector<StringRef> names(axes.begin(), axes.end());
    SmallVector<NamedAttribute> fixed;
    for (const std::string &axis : axes)
      if (auto it = known.find(axis); it != known.end())
        fixed.push_back(
            builder.getNamedAttr(axis, builder.getI64IntegerAttr(it->second)));
    func->setAttr(attrs::codegenAxes, builder.getStrArrayAttr(names));
    func->setAttr(attrs::codegenStatic, builder.getDictionaryAttr(fixed));
  }

  func::FuncOp func;
  Builder builder;
  std::map<std::string, int64_t> known;
};

class CodegenToLinalgPass
    : public fk::impl::CodegenToLinalgPassBase<CodegenToLinalgPass> {
public:
  using CodegenToLinalgPassBase::CodegenToLinalgPassBase;

  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal() && failed(convert(func)))
        return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseToLinalgConversionPatterns(patterns);
    linalg::populateLinalgNamedOpsGeneralizationPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }

private:
  LogicalResult convert(func::FuncOp func) {
    if (!llvm::hasSingleElement(func.getBody()))
      return func.emitError("a kernel's function must have one block");
    KernelSignature signature(func);
    TaskOpInterface whole = signature.findTask();
    if (failed(signature.run(whole)))
      return failure();
    SmallVector<TaskOpInterface> tasks;
    func.walk([&](TaskOpInterface task) { tasks.push_back(task); });
    for (TaskOpInterface task : tasks) {
      OpBuilder builder(task);
      auto scalar = [&](StringRef name) -> Value {
        if (whole)
          if (auto it = signature.scalars.find(name);
              it != signature.scalars.end())
            return it->second;
        auto value = cast<TypedAttr>(task->getAttr(name));
        return arith::ConstantOp::create(builder, task.getLoc(), value);
      };
      FailureOr<SmallVector<Value>> results = emitTask(builder, task, scalar);
      if (failed(results))
        return failure();
      task->replaceAllUsesWith(*results);
      task->erase();
    }
    return success();
  }
};

} // namespace
