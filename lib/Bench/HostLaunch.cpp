//===- HostLaunch.cpp - A launch's tensors, copied to the host ------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/HostLaunch.h"

using namespace fk;
using namespace fk::bench;

TensorRef HostLaunch::allocate(const TensorRef &tensor) {
  TensorRef copy = tensor;
  if (!tensor)
    return copy;
  // Never empty, so that an empty tensor is not taken for an absent one.
  buffers.emplace_back(tensor.getSizeInBytes() + 1);
  copy.data = buffers.back().data();
  return copy;
}

HostLaunch::HostLaunch(const BoundLaunch &launch, Stream &stream)
    : host(launch) {
  for (auto &[name, tensor] : host.results)
    tensor = allocate(tensor);
  for (size_t i = 0; i < host.operands.size(); ++i) {
    const TensorRef &source = launch.operands[i].second;
    TensorRef &copy = host.operands[i].second;
    copy = allocate(source);
    if (source)
      stream.copyToHost(copy.data, source.data, source.getSizeInBytes());
  }
  stream.synchronize();
}

BoundLaunch HostLaunch::fetchResults(const BoundLaunch &launch,
                                     Stream &stream) {
  BoundLaunch fetched = host;
  auto fetch = [&](const TensorRef &source, TensorRef &copy) {
    copy = allocate(source);
    if (source)
      stream.copyToHost(copy.data, source.data, source.getSizeInBytes());
  };
  for (size_t i = 0; i < fetched.results.size(); ++i)
    fetch(launch.results[i].second, fetched.results[i].second);
  // A task without results writes its state.
  if (fetched.results.empty())
    for (size_t i = 0; i < fetched.operands.size(); ++i)
      fetch(launch.operands[i].second, fetched.operands[i].second);
  stream.synchronize();
  return fetched;
}
