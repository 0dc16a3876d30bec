//===- Generate.cpp - Kernels made by the compiler ------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Codegen/Codegen.h"

#include "lib/Codegen/ImageCache.h"
#include "lib/Codegen/KernelFunction.h"
#include "runtime/support/Error.h"
#include "runtime/support/Safetensors.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
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

/// What the `// fk.launch:` lines of a text say; empty where there is none.
static std::string findDirective(StringRef text) {
  std::string joined;
  for (StringRef line : llvm::split(text, '\n'))
    if (line = line.trim(); line.consume_front(directive.rtrim()))
      joined += (joined.empty() ? "" : " ") + line.trim().str();
  return joined;
}

static FailureOr<GeneratedKernel> compile(ModuleOp module, StringRef launch,
                                          const CodegenOptions &options) {
  PassManager pm(module.getContext());
  buildCodegenPipeline(pm, options);
  if (failed(pm.run(module)))
    return failure();
  auto modules = module.getOps<gpu::GPUModuleOp>();
  if (!llvm::hasSingleElement(modules))
    return module.emitError("gives ")
           << llvm::range_size(modules)
           << " gpu modules: wanted one function, or one gpu.module";
  gpu::GPUModuleOp kernels = *modules.begin();
  GeneratedKernel kernel;
  for (auto func : kernels.getOps<LLVM::LLVMFuncOp>()) {
    if (!func->hasAttr("nvvm.kernel"))
      continue;
    if (!kernel.entry.empty())
      return func.emitError("is a second kernel of the module: wanted one");
    kernel.entry = func.getName().str();
    auto own = func->getAttrOfType<StringAttr>(attrs::launch);
    kernel.launch = launch.empty() && own ? own.getValue().str() : launch.str();
  }
  if (kernel.entry.empty())
    return kernels.emitError("has no kernel: wanted a gpu.func that is one");
  if (kernel.launch.empty())
    return kernels.emitError("does not say how to launch it: wanted a line "
                             "// fk.launch: grid=(tokens,1,1) block=(256,1,1)");
  kernel.ptx = kernels->getAttrOfType<StringAttr>(attrs::ptx).getValue().str();
  return kernel;
}

FailureOr<GeneratedKernel> fk::generateKernel(StringRef module, StringRef where,
                                              const CodegenOptions &options,
                                              std::string &error) {
  std::string source = (generation + " LLVM " + LLVM_VERSION_STRING + "\n" +
                        options.str() + "\n" + module)
                           .str();
  std::optional<ImageCache> cache = ImageCache::getDefault();
  if (cache)
    if (std::optional<std::string> text = cache->find(source))
      if (std::optional<GeneratedKernel> kernel = parseText(*text))
        return *kernel;

  // A context of its own: the caller's has neither the dialects nor, while its
  // passes run, a way to load them.
  DialectRegistry registry;
  registerCodegenDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false);
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Remark)
      return;
    if (!error.empty())
      error += "; ";
    if (auto at = diagnostic.getLocation()->findInstanceOf<FileLineColLoc>())
      error += at.getFilename().str() + ":" + std::to_string(at.getLine()) +
               ":" + std::to_string(at.getColumn()) + ": ";
    error += diagnostic.str();
  });
  auto parsed =
      parseSourceString<ModuleOp>(module, ParserConfig(&context), where);
  if (!parsed)
    return failure();
  FailureOr<GeneratedKernel> kernel =
      compile(*parsed, findDirective(module), options);
  if (failed(kernel) || !cache)
    return kernel;
  try {
    cache->insert(source, kernel->entry + "\n" + kernel->getText());
  } catch (const Error &failure) {
    error = failure.what();
  }
  return kernel;
}

LoadedCandidate fk::loadMlirCandidate(const std::filesystem::path &file,
                                      const Signature &signature,
                                      const CandidateTarget &target) {
  std::string text = readTextFile(file, size_t(64) << 20), error;
  CodegenOptions options;
  options.arch = target.arch;
  FailureOr<GeneratedKernel> kernel =
      generateKernel(text, file.string(), options, error);
  if (failed(kernel))
    throw Error({"no kernel can be generated", file.string(),
                 "one function, or one gpu.module, of fk, linalg or gpu ops",
                 error, "see docs/codegen.md"});
  if (kernel->entry != signature.task)
    throw Error({"the function has another name than the task", file.string(),
                 signature.task, kernel->entry, "rename the function"});
  LoadedCandidate loaded =
      loadGenerated("mlir", file, kernel->getText(), signature, target);
  if (!error.empty())
    loaded.remarks.push_back("not cached: " + error);
  return loaded;
}
