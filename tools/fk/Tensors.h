//===- Tensors.h - Named tensors from and to safetensors -------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TOOLS_FK_TENSORS_H
#define FK_TOOLS_FK_TENSORS_H

#include "runtime/Session.h"

#include <filesystem>

namespace fk::tool {

/// Every tensor of a safetensors file, in the order of their names.
NamedTensors readTensors(const std::filesystem::path &path);

/// Writes tensors aside and renames.
void writeTensors(const std::filesystem::path &path,
                  const NamedTensors &tensors);

} // namespace fk::tool

#endif // FK_TOOLS_FK_TENSORS_H
