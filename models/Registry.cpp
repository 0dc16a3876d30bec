//===- Registry.cpp - Every architecture fk imports -----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A new architecture is one file under models/, one line in CMakeLists.txt and
// one in each list below.
//
//===----------------------------------------------------------------------===//

#include "fk/Import/Architecture.h"

namespace fk {

extern const Architecture bert, gemma, llama, mistral, phi3, qwen2, qwen3,
    xlmRoberta;

llvm::ArrayRef<const Architecture *> getArchitectures() {
  static constexpr const Architecture *all[] = {
      &llama, &mistral, &qwen2, &qwen3, &gemma, &phi3, &bert, &xlmRoberta,
  };
  return all;
}

} // namespace fk
