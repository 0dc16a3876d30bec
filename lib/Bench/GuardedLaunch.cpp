//===- GuardedLaunch.cpp - Tensors between guard zones --------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "lib/Bench/GuardedLaunch.h"

#include <algorithm>
#include <cstring>

using namespace fk;
using namespace fk::bench;

/// A multiple of 256, so that tensors stay aligned; kernels that are a row or a
/// block off still land in it.
static constexpr size_t guardBytes = size_t(64) << 10;

GuardedLaunch::GuardedLaunch(const BoundLaunch &host, Device &device,
                             Stream &stream, uint8_t poison)
    : device(device), stream(stream), poison(poison), launch(host),
      fetched(host) {
  for (auto &[name, tensor] : launch.results)
    tensor.data = add(name, nullptr, size_t(tensor.getSizeInBytes()), false);
  for (auto &[name, tensor] : launch.operands)
    if (tensor)
      tensor.data = add(name, tensor.data, size_t(tensor.getSizeInBytes()),
                        !tensor.isState);
}

void *GuardedLaunch::add(const std::string &name, const void *from,
                         size_t bytes, bool isConstant) {
  Piece piece;
  piece.name = name;
  piece.bytes = bytes;
  piece.original = isConstant ? from : nullptr;
  piece.buffer = DeviceBuffer(device, bytes + 2 * guardBytes);
  auto *data = static_cast<uint8_t *>(piece.buffer.data());
  stream.fill(data, poison, bytes + 2 * guardBytes);
  if (from)
    stream.copyToDevice(data + guardBytes, from, bytes);
  pieces.push_back(std::move(piece));
  return data + guardBytes;
}

void *GuardedLaunch::allocateWorkspace(size_t bytes) {
  return add("workspace", nullptr, bytes, false);
}

std::vector<std::string> GuardedLaunch::fetch() {
  std::vector<std::string> problems;
  for (Piece &piece : pieces) {
    piece.contents.resize(piece.bytes + 2 * guardBytes);
    stream.copyToHost(piece.contents.data(), piece.buffer.data(),
                      piece.contents.size());
  }
  stream.synchronize();
  auto isTouched = [&](uint8_t byte) { return byte != poison; };
  for (const Piece &piece : pieces) {
    const uint8_t *data = piece.contents.data() + guardBytes;
    const uint8_t *end = data + piece.bytes;
    auto behind = std::find_if(end, end + guardBytes, isTouched);
    if (behind != end + guardBytes)
      problems.push_back("wrote behind " + piece.name + ", " +
                         std::to_string(behind - end) + " bytes past its end");
    auto before = std::find_if(piece.contents.data(), data, isTouched);
    if (before != data)
      problems.push_back("wrote before " + piece.name + ", " +
                         std::to_string(data - before) +
                         " bytes ahead of its begin");
    if (!piece.original || !piece.bytes)
      continue;
    auto *original = static_cast<const uint8_t *>(piece.original);
    auto changed = std::mismatch(data, end, original).first;
    if (changed != end)
      problems.push_back("changed operand " + piece.name + ", byte " +
                         std::to_string(changed - data));
  }
  size_t next = 0;
  for (auto *list : {&fetched.results, &fetched.operands})
    for (auto &[name, tensor] : *list)
      if (tensor)
        tensor.data = pieces[next++].contents.data() + guardBytes;
  return problems;
}

bool GuardedLaunch::isPoison(const TensorRef &tensor, int64_t element) const {
  const int64_t bytes = getSizeInBytes(tensor.dtype);
  auto *data = static_cast<const uint8_t *>(tensor.data) + element * bytes;
  return std::all_of(data, data + bytes,
                     [&](uint8_t byte) { return byte == poison; });
}
