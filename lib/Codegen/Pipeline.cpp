//===- Pipeline.cpp - From a task to PTX ----------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Codegen/Pipeline.h"
#include "fk/Codegen/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace fk;

std::string CodegenOptions::str() const {
  return "arch=" + arch + " features=" + features +
         " threads=" + std::to_string(threads) +
         " vectors=" + std::to_string(vectors) +
         " held=" + std::to_string(held) + " blocks=" + std::to_string(blocks) +
         " pdl=" + std::to_string(pdl);
}

void fk::buildCodegenPipeline(OpPassManager &pm,
                              const CodegenOptions &options) {
  pm.addPass(createCodegenToLinalgPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  CodegenSchedulePassOptions schedule;
  schedule.threads = options.threads;
  schedule.vectors = options.vectors;
  schedule.held = options.held;
  schedule.blocks = options.blocks;
  schedule.pdl = options.pdl;
  pm.addPass(createCodegenSchedulePass(std::move(schedule)));
  pm.addPass(createCSEPass());
  pm.addPass(createCodegenMathPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());

  OpPassManager &module = pm.nest<gpu::GPUModuleOp>();
  module.addPass(createSCFToControlFlowPass());
  module.addPass(createConvertVectorToLLVMPass());
  module.addPass(createCodegenToNVVMPass());
  module.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  CodegenPtxPassOptions ptx;
  ptx.arch = options.arch;
  ptx.features = options.features;
  pm.addPass(createCodegenPtxPass(std::move(ptx)));
}

namespace {
struct PipelineOptions : PassPipelineOptions<PipelineOptions> {
  Option<std::string> arch{*this, "arch", llvm::cl::desc("architecture"),
                           llvm::cl::init("sm_90a")};
  Option<std::string> features{*this, "features",
                               llvm::cl::desc("of the back end"),
                               llvm::cl::init("+ptx86")};
  Option<int64_t> threads{*this, "threads",
                          llvm::cl::desc("of a row or a pointwise block"),
                          llvm::cl::init(0)};
  Option<int64_t> vectors{*this, "vectors",
                          llvm::cl::desc("a thread at a time, pointwise"),
                          llvm::cl::init(0)};
  Option<int64_t> held{*this, "held",
                       llvm::cl::desc("elements of a row a thread may hold"),
                       llvm::cl::init(32)};
  Option<int64_t> blocks{*this, "blocks",
                         llvm::cl::desc("most blocks of a pointwise kernel"),
                         llvm::cl::init(4224)};
  Option<bool> pdl{*this, "pdl",
                   llvm::cl::desc("programmatic dependent launch"),
                   llvm::cl::init(true)};
};
} // namespace

void fk::registerCodegenPipeline() {
  PassPipelineRegistration<PipelineOptions>(
      "fk-codegen", "The whole way from functions of tasks to PTX",
      [](OpPassManager &pm, const PipelineOptions &given) {
        CodegenOptions options;
        options.arch = given.arch;
        options.features = given.features;
        options.threads = given.threads;
        options.vectors = given.vectors;
        options.held = given.held;
        options.blocks = given.blocks;
        options.pdl = given.pdl;
        buildCodegenPipeline(pm, options);
      });
}
