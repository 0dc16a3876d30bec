//===- Pipeline.h - From a task to PTX -------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_CODEGEN_PIPELINE_H
#define FK_CODEGEN_PIPELINE_H

#include "mlir/Pass/PassManager.h"

#include <cstdint>
#include <string>

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace fk {

/// What code generation may vary.
struct CodegenOptions {
  std::string arch = "sm_90a";
  std::string features = "+ptx86"; ///< the PTX version that drivers accept
  int64_t threads = 0;             ///< of a row or a pointwise block; 0: chosen
  int64_t vectors = 0;             ///< a thread at a time, pointwise; 0: chosen
  int64_t held = 32;               ///< elements of a row a thread may hold
  int64_t blocks = 4224;           ///< most blocks of a pointwise kernel
  bool pdl = true;                 ///< griddepcontrol

  /// All of them, for a cache's key.
  std::string str() const;
};

/// Tasks (or linalg) in functions -> linalg -> gpu -> nvvm -> PTX in
/// `kernel_ptx`.
void buildCodegenPipeline(mlir::OpPassManager &pm,
                          const CodegenOptions &options);

/// Registers `--fk-codegen`, with the options above.
void registerCodegenPipeline();

/// The dialects, and what the conversions need of them.
void registerCodegenDialects(mlir::DialectRegistry &registry);

} // namespace fk

#endif // FK_CODEGEN_PIPELINE_H
