//===- Architecture.h - What fk can import ---------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A model file (models/<family>/<Arch>.cpp) defines one Architecture;
// models/Registry.cpp lists it. Nothing else knows of it.
//
//===----------------------------------------------------------------------===//

#ifndef FK_IMPORT_ARCHITECTURE_H
#define FK_IMPORT_ARCHITECTURE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <vector>

namespace fk {

class Config;
class ModelBuilder;

struct Architecture {
  llvm::StringRef name;      ///< in config.json: "LlamaForCausalLM"
  llvm::StringRef modelType; ///< in config.json: "llama"
  llvm::StringRef family;    ///< folder under models/: "llm"
  void (*build)(ModelBuilder &, const Config &);
  /// What checkpoints put before the names that `build` uses, or leave out:
  /// "model." where the base model was saved alone, "bert." where a head was.
  llvm::StringRef basePrefix;
  /// Config keys that cannot change the numbers, beyond those that hold for
  /// every architecture.
  std::vector<llvm::StringRef> harmlessKeys = {};
  /// Checkpoint tensors that may lie unused; one `*` stands for any text.
  std::vector<llvm::StringRef> unusedTensors = {};
};

/// Every architecture, in the order of models/Registry.cpp.
llvm::ArrayRef<const Architecture *> getArchitectures();

} // namespace fk

#endif // FK_IMPORT_ARCHITECTURE_H
