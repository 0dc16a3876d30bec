//===- Generate.cpp - Kernels made by the compiler ------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Codegen/Codegen.h"

#include "lib/Codegen/ImageCache.h"
#include "lib/Codegen/KernelFunction.h"
#include "runtime/support/Error.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Config/llvm-config.h"

using namespace mlir;
using namespace fk;

/// Counted up where the same input gives another kernel than before.
static constexpr StringLiteral generation = "fk-codegen 1";

static constexpr StringLiteral directive = "// fk.launch: ";

std::string GeneratedKernel::getText() const {
  return (directive + launch + "\n").str() + ptx;
}

/// The kernel in its text; nullopt where the text is none.
static std::optional<GeneratedKernel> parseText(StringRef text) {
  auto [entry, rest] = text.split('\n');
  auto [launch, ptx] = rest.split('\n');
  if (entry.empty() || !launch.consume_front(directive) || ptx.empty())
    return std::nullopt;
  return GeneratedKernel{entry.str(), launch.str(), ptx.str()};
}

static FailureOr<GeneratedKernel> compile(ModuleOp module,
                                          const CodegenOptions &options) {
  PassManager pm(module.getContext());
  buildCodegenPipeline(pm, options);
  if (failed(pm.run(module)))
    return failure();
  auto modules = module.getOps<gpu::GPUModuleOp>();
  if (!llvm::hasSingleElement(modules))
    return module.emitError("gives ")
           << llvm::range_size(modules)
           << " gpu modules: code generation wants one";
  gpu::GPUModuleOp kernels = *modules.begin();
  GeneratedKernel kernel;
  for (auto func : kernels.getOps<LLVM::LLVMFuncOp>()) {
    auto launch = func->getAttrOfType<StringAttr>(attrs::launch);
    if (!launch)
      continue;
    if (!kernel.entry.empty())
      return func.emitError(
          "is a second kernel of the module: code generation wants one");
    kernel.entry = func.getName().str();
    kernel.launch = launch.getValue().str();
  }
  if (kernel.entry.empty())
    return kernels.emitError(
        "has no kernel that says how to launch it: wanted a gpu.func with "
        "kernel_launch = \"grid=(...) block=(...)\"");
  kernel.ptx = kernels->getAttrOfType<StringAttr>(attrs::ptx).getValue().str();
  return kernel;
}

FailureOr<GeneratedKernel> fk::generateKernel(ModuleOp module,
                                              const CodegenOptions &options) {
  std::string source =
      (generation + " LLVM " + LLVM_VERSION_STRING + "\n").str() +
      options.str() + "\n";
  llvm::raw_string_ostream stream(source);
  module->print(stream, OpPrintingFlags().useLocalScope());
  std::optional<ImageCache> cache = ImageCache::getDefault();
  if (cache)
    if (std::optional<std::string> text = cache->find(source))
      if (std::optional<GeneratedKernel> kernel = parseText(*text))
        return *kernel;
  FailureOr<GeneratedKernel> kernel = compile(module, options);
  if (failed(kernel) || !cache)
    return kernel;
  try {
    cache->insert(source, kernel->entry + "\n" + kernel->getText());
  } catch (const Error &error) {
    module.emitWarning("the kernel is made again each time: ") << error.what();
  }
  return kernel;
}
