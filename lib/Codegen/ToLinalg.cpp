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

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/StringMap.h"

#include <map>
#include <set>

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
    return task ? runTask(task) : runCluster();
  }

  llvm::StringMap<Value> scalars;

private:
  LogicalResult runTask(TaskOpInterface task) {
    const Signature &signature = getSignature(task);
    SmallVector<TaskTensor> tensors = getTaskTensors(task);
    size_t results = task->getNumResults();
    unsigned arg = 0;
    for (auto [i, tensor] : llvm::enumerate(tensors)) {
      if (!tensor.value)
        continue;
      ArrayAttr dims = nameDims(tensor);
      if (i < results)
        func.setResultAttr(i, attrs::dims, dims);
      else
        func.setArgAttr(arg++, attrs::dims, dims);
      noteStatic(tensor);
    }
    for (const ScalarParam &scalar : signature.scalars)
      scalars[scalar.name] =
          addArgument(getScalarType(scalar.type), task.getLoc());
    addAxes(signature.axes);
    return success();
  }

  /// A cluster's axes are the symbols that `fk.dims` speaks of, sorted.
  LogicalResult runCluster() {
    if (func->hasAttr(attrs::codegenAxes))
      return success();
    std::set<std::string> axes;
    auto collect = [&](ArrayAttr dims) {
      for (Attribute dim : dims ? dims : ArrayAttr::get(func.getContext(), {}))
        if (auto text = dyn_cast<StringAttr>(dim))
          for (const std::string &axis :
               Expr::parse(text.getValue().str(), "fk.dims").getAxes())
            axes.insert(axis);
    };
    try {
      for (unsigned i = 0; i < func.getNumArguments(); ++i)
        collect(func.getArgAttrOfType<ArrayAttr>(i, attrs::dims));
      for (unsigned i = 0; i < func.getNumResults(); ++i)
        collect(func.getResultAttrOfType<ArrayAttr>(i, attrs::dims));
    } catch (const std::exception &error) {
      return func.emitError(error.what());
    }
    addAxes({axes.begin(), axes.end()});
    return success();
  }

  ArrayAttr nameDims(const TaskTensor &tensor) {
    SmallVector<StringRef> names;
    SmallVector<std::string> texts;
    auto type = cast<RankedTensorType>(tensor.value.getType());
    for (auto [size, extent] :
         llvm::zip_equal(type.getShape(), tensor.param->shape))
      if (ShapedType::isDynamic(size))
        texts.push_back(extent ? extent.str() : std::string("_"));
    for (const std::string &text : texts)
      names.push_back(text);
    return builder.getStrArrayAttr(names);
  }

  void noteStatic(const TaskTensor &tensor) {
    auto type = cast<RankedTensorType>(tensor.value.getType());
    for (auto [size, extent] :
         llvm::zip_equal(type.getShape(), tensor.param->shape))
      if (!ShapedType::isDynamic(size) && extent &&
          extent.getNode()->op == ExprOp::Axis)
        known[extent.getNode()->axis] = size;
  }

  Type getScalarType(DType type) {
    if (type == DType::F32)
      return builder.getF32Type();
    return builder.getIntegerType(type == DType::I64 ? 64 : 32);
  }

  Value addArgument(Type type, Location loc) {
    (void)func.insertArgument(func.getNumArguments(), type, {}, loc);
    return func.getArguments().back();
  }

  void addAxes(const std::vector<std::string> &axes) {
    SmallVector<StringRef> names;
    SmallVector<NamedAttribute> fixed;
    for (const std::string &axis : axes) {
      addArgument(builder.getI32Type(), func.getLoc());
      names.push_back(axis);
      if (auto it = known.find(axis); it != known.end())
        fixed.push_back(
            builder.getNamedAttr(axis, builder.getI64IntegerAttr(it->second)));
    }
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
