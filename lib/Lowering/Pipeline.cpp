//===- Pipeline.cpp - The compile pipeline --------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Lowering/Pipeline.h"
#include "dialects/FK/FK.h"
#include "fk/Lowering/Passes.h"
#include "fk/Transforms/Passes.h"

#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace fk;

void fk::buildCompilePipeline(OpPassManager &pm,
                              const CompileOptions &options) {
  addSubstitutePasses(pm, options.substitutes, options.arch,
                      options.rotateResiduals);
  pm.addPass(createInlineTasksPass({.keepLayers = options.keepLayers}));
  if (options.fuse) {
    if (options.rotateResiduals &&
        !llvm::is_contained(options.disabledFusions, "add_rms_norm"))
      pm.addPass(createRotateResidualsPass());
    FusePassOptions fuse;
    fuse.disabled.assign(options.disabledFusions.begin(),
                         options.disabledFusions.end());
    pm.addPass(createFusePass(std::move(fuse)));
  }
  pm.addPass(createHoistWeightsPass());
  bool generates = llvm::is_contained(options.prefer, "codegen");
  if (options.growClusters && generates)
    pm.addPass(createGrowClustersPass());
  SelectKernelsPassOptions select;
  select.device = options.device;
  select.arch = options.arch;
  select.prefer.assign(options.prefer.begin(), options.prefer.end());
  pm.addPass(createSelectKernelsPass(std::move(select)));
  GenerateKernelsPassOptions generate;
  generate.arch = options.arch;
  pm.addPass(createGenerateKernelsPass(std::move(generate)));
  pm.addPass(createLowerToPlanPass());
  PlanBuffersPassOptions buffers;
  buffers.reuse = options.reuseBuffers;
  pm.addPass(createPlanBuffersPass(std::move(buffers)));
  pm.addPass(createVerifyPlanPass());
}

namespace {
struct PipelineOptions : PassPipelineOptions<PipelineOptions> {
  Option<std::string> device{*this, "device", llvm::cl::desc("host or cuda"),
                             llvm::cl::init("host")};
  Option<std::string> arch{*this, "arch", llvm::cl::desc("of a cuda device"),
                           llvm::cl::init("sm_90a")};
  ListOption<std::string> substitutes{
      *this, "substitute",
      llvm::cl::desc("<task>[@<place>]:<file> of each candidate")};
  Option<bool> fuse{*this, "fuse", llvm::cl::desc("form fused tasks"),
                    llvm::cl::init(true)};
  ListOption<std::string> disabledFusions{
      *this, "disable-fusion", llvm::cl::desc("fused tasks not to form")};
  Option<bool> rotateResiduals{
      *this, "rotate-residuals",
      llvm::cl::desc("form add_rms_norm across layers too"),
      llvm::cl::init(true)};
  Option<bool> keepLayers{*this, "keep-layers",
                          llvm::cl::desc("compile a layer once"),
                          llvm::cl::init(true)};
  ListOption<std::string> prefer{
      *this, "prefer", llvm::cl::desc("providers whose kernels come first")};
  Option<bool> growClusters{
      *this, "grow-clusters",
      llvm::cl::desc("with codegen preferred: join tasks into one kernel"),
      llvm::cl::init(true)};
  Option<bool> reuseBuffers{*this, "reuse-buffers",
                            llvm::cl::desc("let buffers share slots"),
                            llvm::cl::init(true)};
};
} // namespace

void fk::registerCompilePipeline() {
  PassPipelineRegistration<PipelineOptions>(
      "fk-compile", "The whole way from a module of tasks to a plan",
      [](OpPassManager &pm, const PipelineOptions &given) {
        CompileOptions options;
        options.device = given.device;
        options.arch = given.arch;
        options.substitutes.assign(given.substitutes.begin(),
                                   given.substitutes.end());
        options.fuse = given.fuse;
        options.disabledFusions.assign(given.disabledFusions.begin(),
                                       given.disabledFusions.end());
        options.rotateResiduals = given.rotateResiduals;
        options.keepLayers = given.keepLayers;
        options.prefer.assign(given.prefer.begin(), given.prefer.end());
        options.growClusters = given.growClusters;
        options.reuseBuffers = given.reuseBuffers;
        buildCompilePipeline(pm, options);
      });
}
