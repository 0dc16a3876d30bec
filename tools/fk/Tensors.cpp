//===- Tensors.cpp - Named tensors from and to safetensors ----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "tools/fk/Tensors.h"

using namespace fk;

NamedTensors tool::readTensors(const std::filesystem::path &path) {
  auto file = SafetensorsFile::open(path);
  NamedTensors tensors;
  for (const auto &[name, view] : file->getTensors())
    tensors.emplace_back(name,
                         HostTensor{view.dtype,
                                    view.shape,
                                    {view.bytes.begin(), view.bytes.end()}});
  return tensors;
}

void tool::writeTensors(const std::filesystem::path &path,
                        const NamedTensors &tensors) {
  std::vector<TensorToWrite> writes;
  for (const auto &[name, tensor] : tensors)
    writes.push_back({name, tensor.dtype, tensor.shape, tensor.bytes});
  writeSafetensors(path, writes);
}
