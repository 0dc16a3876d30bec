//===- Ptx.cpp - gpu modules to PTX text ----------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Codegen/Passes.h"

#include "lib/Codegen/KernelFunction.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

namespace fk {
#define GEN_PASS_DEF_CODEGENPTXPASS
#include "fk/Codegen/Passes.h.inc"

void registerCodegenTranslations(mlir::DialectRegistry &registry) {
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerGPUDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  mlir::registerNVVMDialectTranslation(registry);
}
} // namespace fk

using namespace mlir;
using namespace fk;

// Only NVPTX: the static build has no other back end.
extern "C" void LLVMInitializeNVPTXTargetInfo();
extern "C" void LLVMInitializeNVPTXTarget();
extern "C" void LLVMInitializeNVPTXTargetMC();
extern "C" void LLVMInitializeNVPTXAsmPrinter();

static void initializeTarget() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
}

namespace {

class CodegenPtxPass : public fk::impl::CodegenPtxPassBase<CodegenPtxPass> {
public:
  using CodegenPtxPassBase::CodegenPtxPassBase;

  void runOnOperation() override {
    initializeTarget();
    for (auto module : getOperation().getOps<gpu::GPUModuleOp>()) {
      FailureOr<std::string> text = translate(module);
      if (failed(text))
        return signalPassFailure();
      module->setAttr(attrs::ptx, StringAttr::get(&getContext(), *text));
    }
  }

private:
  std::unique_ptr<llvm::TargetMachine> createMachine(gpu::GPUModuleOp module) {
    llvm::Triple triple("nvptx64-nvidia-cuda");
    std::string error;
    const llvm::Target *target =
        llvm::TargetRegistry::lookupTarget(triple, error);
    if (!target) {
      module.emitError("this build of fk has no NVPTX back end: ") << error;
      return nullptr;
    }
    std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
        triple, arch, features, llvm::TargetOptions(), std::nullopt,
        std::nullopt, llvm::CodeGenOptLevel::Aggressive));
    // An unknown name would only be warned of, and another version taken.
    if (machine && !machine->getMCSubtargetInfo()->isCPUStringValid(arch)) {
      module.emitError("unknown architecture '")
          << arch << "': wanted one such as sm_90a";
      return nullptr;
    }
    return machine;
  }

  FailureOr<std::string> translate(gpu::GPUModuleOp module) {
    std::unique_ptr<llvm::TargetMachine> machine = createMachine(module);
    if (!machine)
      return failure();
    llvm::LLVMContext context;
    std::unique_ptr<llvm::Module> code =
        translateModuleToLLVMIR(module, context, module.getName());
    if (!code)
      return module.emitError("cannot be translated to LLVM IR");
    code->setTargetTriple(machine->getTargetTriple());
    code->setDataLayout(machine->createDataLayout());
    if (failed(checkResolved(module, *code)))
      return failure();
    optimize(*code, *machine);

    llvm::SmallString<0> text;
    llvm::raw_svector_ostream stream(text);
    llvm::legacy::PassManager passes;
    if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                     llvm::CodeGenFileType::AssemblyFile))
      return module.emitError("the back end cannot print PTX");
    passes.run(*code);
    if (failed(checkResolved(module, *code)))
      return failure();
    return std::string(text);
  }

  /// Nothing is linked to PTX later: what it calls must be there.
  LogicalResult checkResolved(gpu::GPUModuleOp module, llvm::Module &code) {
    for (llvm::Function &function : code)
      if (function.isDeclaration() && !function.isIntrinsic() &&
          !function.use_empty())
        return module.emitError("calls '")
               << function.getName().str()
               << "', which it does not define: wanted code without a device "
                  "library";
    return success();
  }

  void optimize(llvm::Module &code, llvm::TargetMachine &machine) {
    llvm::LoopAnalysisManager loops;
    llvm::FunctionAnalysisManager functions;
    llvm::CGSCCAnalysisManager graph;
    llvm::ModuleAnalysisManager modules;
    llvm::PassBuilder builder(&machine);
    builder.registerModuleAnalyses(modules);
    builder.registerCGSCCAnalyses(graph);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, graph, modules);
    builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
        .run(code, modules);
  }
};

} // namespace
