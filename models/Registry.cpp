//===- Registry.cpp - Every architecture fk imports -----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A new architecture is one file beside this one and one line in each list.
//
//===----------------------------------------------------------------------===//

#include "fk/Import/Architecture.h"

namespace fk {

extern const Architecture llama;

llvm::ArrayRef<const Architecture *> getArchitectures() {
  static constexpr const Architecture *all[] = {
      &llama,
  };
  return all;
}

} // namespace fk
