//===- GenerateKernels.cpp - Makes the kernels of codegen -----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Lowering/Passes.h"

#include "CandidateInfo.h"
#include "Elements.h"
#include "dialects/FK/FK.h"
#include "dialects/FK/TaskTable.h"
#include "fk/Codegen/Codegen.h"
#include "fk/Transforms/Places.h"
#include "fk/Transforms/Remarks.h"
#include "fk/Transforms/TaskFunctions.h"
#include "runtime/support/Error.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

namespace fk {
#define GEN_PASS_DEF_GENERATEKERNELSPASS
#include "fk/Lowering/Passes.h.inc"
} // namespace fk

using namespace mlir;
using namespace fk;

static constexpr StringLiteral passName = "fk-generate-kernels";

namespace {
class GenerateKernelsPass
    : public fk::impl::GenerateKernelsPassBase<GenerateKernelsPass> {
public:
  using GenerateKernelsPassBase::GenerateKernelsPassBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<TaskOpInterface, func::CallOp>(op))
        ops.push_back(op);
    });
    bool failedAny = false;
    for (Operation *op : ops) {
      if (auto task = dyn_cast<TaskOpInterface>(op))
        failedAny |= failed(generateTask(task, symbols));
      else
        failedAny |= failed(generateCluster(cast<func::CallOp>(op), symbols));
    }
    if (failedAny)
      signalPassFailure();
  }

private:
  LogicalResult generateTask(TaskOpInterface op, SymbolTable &symbols) {
    auto kernels = op->getAttrOfType<ArrayAttr>(attrs::kernels);
    if (!kernels)
      return success();
    SmallVector<Attribute> named;
    for (Attribute attribute : kernels) {
      auto kernel = cast<KernelAttr>(attribute);
      if (kernel.getProvider() == "codegen" &&
          !isGenerated(std::string_view(kernel.getName()))) {
        CandidateTarget target;
        target.arch = arch;
        target.dtype = *getTaskDType(op);
        for (const TaskTensor &tensor : getTaskTensors(op))
          if (tensor.param->optional && tensor.value)
            target.presentOperands.push_back(tensor.param->name);
        FailureOr<StringRef> symbol =
            generate(op, isolateTask(op), getSignature(op), target, symbols);
        if (failed(symbol))
          return failure();
        kernel = KernelAttr::get(&getContext(), "codegen", *symbol,
                                 kernel.getWhere());
      }
      named.push_back(kernel);
    }
    op->setAttr(attrs::kernels, ArrayAttr::get(&getContext(), named));
    return success();
  }

  LogicalResult generateCluster(func::CallOp call, SymbolTable &symbols) {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    if (!callee || !isCluster(callee) || call->hasAttr(attrs::candidate))
      return success();
    auto signature = getTaskSignature(callee);
    if (failed(signature))
      return failure();
    CandidateTarget target;
    target.arch = arch;
    for (Type type : llvm::reverse(call.getResultTypes()))
      if (auto dtype = getDType(cast<RankedTensorType>(type).getElementType()))
        target.dtype = *dtype;
    FailureOr<StringRef> symbol =
        generate(call, isolateFunction(callee), *signature, target, symbols);
    if (failed(symbol))
      return failure();
    call->setAttr(attrs::candidate,
                  FlatSymbolRefAttr::get(&getContext(), *symbol));
    return success();
  }

  /// The text of a module of the function alone.
  static std::string isolateFunction(func::FuncOp func) {
    OwningOpRef<ModuleOp> module =
        ModuleOp::create(UnknownLoc::get(func.getContext()));
    func::FuncOp copy = func.clone();
    module->push_back(copy);
    copy.setPublic();
    copy->removeAttr(attrs::task);
    copy->removeAttr("cluster");
    std::string text;
    llvm::raw_string_ostream stream(text);
    module->print(stream, OpPrintingFlags().useLocalScope());
    return text + "\n";
  }

  /// The symbol of the candidate that `text` becomes.
  FailureOr<StringRef> generate(Operation *op, const std::string &text,
                                const Signature &signature,
                                const CandidateTarget &target,
                                SymbolTable &symbols) {
    if (auto it = made.find(text); it != made.end())
      return it->second;
    CodegenOptions options;
    options.arch = arch;
    std::string error;
    FailureOr<GeneratedKernel> kernel =
        generateKernel(text, signature.task, options, error);
    if (failed(kernel))
      return op->emitError(passName) << ": no kernel can be generated at '"
                                     << describePlace(op) << "': " << error;
    if (!error.empty())
      op->emitWarning("the kernel is made again each time: ") << error;
    std::string name =
        signature.task + "." + std::string(fk::getName(target.dtype));
    LoadedCandidate loaded;
    try {
      loaded =
          loadGenerated("task", name, kernel->getText(), signature, target);
    } catch (const Error &error) {
      return op->emitError(passName)
             << ": the generated kernel is refused: " << error.what();
    }
    std::string unique = std::string(generatedPrefix) + name;
    for (int number = 2; symbols.lookup(unique); ++number)
      unique =
          std::string(generatedPrefix) + name + "#" + std::to_string(number);
    renameCandidate(loaded, unique);
    OpBuilder builder = OpBuilder::atBlockBegin(getOperation().getBody());
    auto candidate = CandidateOp::create(
        builder, getOperation().getLoc(), loaded.info.name, loaded.info.task,
        loaded.info.file, loaded.info.sha256, toManifestText(loaded));
    symbols.insert(candidate);
    reportApplied(op, passName, signature.task, unique + ": " + kernel->launch);
    for (const std::string &remark : loaded.remarks)
      reportApplied(op, passName, signature.task, unique + ": " + remark);
    return made[text] = candidate.getSymName();
  }

  std::map<std::string, StringRef> made;
};
} // namespace
