//===- Import.h - Hugging Face folders to the fk dialect -------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_IMPORT_IMPORT_H
#define FK_IMPORT_IMPORT_H

#include "runtime/support/DType.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <filesystem>
#include <optional>

namespace fk {

struct ImportOptions {
  /// The dtype of the arithmetic. nullopt: as the checkpoint is stored; where
  /// it mixes dtypes, or without a checkpoint, as the config says.
  std::optional<DType> dtype;
};

/// The folder that holds config.json: `dir` itself, or, for the root of a hub
/// cache entry (`models--owner--name`), the snapshot that refs/main names.
/// Throws Error where there is none.
std::filesystem::path resolveModelFolder(const std::filesystem::path &dir);

/// Builds the module of a model folder as downloaded: config.json,
/// generation_config.json where there is one, and the headers of its
/// safetensors files, against which every weight is checked. No weight is read
/// into the IR. Throws Error.
mlir::OwningOpRef<mlir::ModuleOp>
importModel(mlir::MLIRContext &context, const std::filesystem::path &dir,
            const ImportOptions &options = {});

/// The same from a config.json alone, for weights drawn at random.
mlir::OwningOpRef<mlir::ModuleOp>
importConfig(mlir::MLIRContext &context, const std::filesystem::path &config,
             const ImportOptions &options = {});

} // namespace fk

#endif // FK_IMPORT_IMPORT_H
