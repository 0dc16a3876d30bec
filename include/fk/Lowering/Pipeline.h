//===- Pipeline.h - The compile pipeline -----------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LOWERING_PIPELINE_H
#define FK_LOWERING_PIPELINE_H

#include "mlir/Pass/PassManager.h"

#include <string>
#include <vector>

namespace fk {

/// What a compilation may vary.
struct CompileOptions {
  std::string device = "host";          ///< "host" or "cuda"
  std::string arch = "sm_90a";          ///< of a cuda device
  std::vector<std::string> substitutes; ///< "task[@place]:file"
  bool fuse = true;
  std::vector<std::string> disabledFusions; ///< fused tasks, "add_rms_norm"
  bool rotateResiduals = true;              ///< add_rms_norm across layers too
  bool keepLayers = true;                   ///< false: every layer is inlined
  std::vector<std::string> prefer; ///< providers whose kernels come first
  /// Clusters of tasks as one generated kernel; only where codegen is
  /// preferred.
  bool growClusters = true;
  bool reuseBuffers = true; ///< false: a slot for every buffer
};

/// Substitution, inlining, fusion, kernel selection, lowering, buffers, checks.
void buildCompilePipeline(mlir::OpPassManager &pm,
                          const CompileOptions &options);

/// Registers `--fk-compile`, with the options above.
void registerCompilePipeline();

} // namespace fk

#endif // FK_LOWERING_PIPELINE_H
