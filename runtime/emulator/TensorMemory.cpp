//===- TensorMemory.cpp - Swizzles, matrix and tensor descriptors ---------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/TensorMemory.h"

using namespace fk::emulator;

MatrixDescriptor fk::emulator::decodeMatrixDescriptor(uint64_t bits) {
  // Addresses are 18 bits without their lowest four.
  auto field = [&](unsigned low) {
    return static_cast<uint32_t>(bits >> low & 0x3fff) << 4;
  };
  MatrixDescriptor result;
  result.start = field(0);
  result.leading = field(16);
  result.stride = field(32);
  result.phase = static_cast<uint8_t>(bits >> 49 & 7);
  // 1: 128 bytes, 2: 64, 3: 32.
  constexpr Swizzle swizzles[] = {Swizzle::None, Swizzle::Bytes128,
                                  Swizzle::Bytes64, Swizzle::Bytes32};
  result.swizzle = swizzles[bits >> 62];
  return result;
}

uint64_t fk::emulator::encodeMatrixDescriptor(const MatrixDescriptor &d) {
  auto field = [](uint32_t value) {
    return static_cast<uint64_t>(value >> 4 & 0x3fff);
  };
  uint64_t mode =
      d.swizzle == Swizzle::None ? 0 : 4 - static_cast<uint64_t>(d.swizzle);
  return field(d.start) | field(d.leading) << 16 | field(d.stride) << 32 |
         static_cast<uint64_t>(d.phase & 7) << 49 | mode << 62;
}

uint32_t fk::emulator::getElementAddress(const MatrixDescriptor &d, unsigned mn,
                                         unsigned k, unsigned elementBytes,
                                         bool isMNMajor) {
  uint32_t span = getSpan(d.swizzle);
  bool isPlain = d.swizzle == Swizzle::None;
  uint32_t offset = 0;
  if (!isMNMajor) {
    uint32_t byte = k * elementBytes;
    offset = byte / 16 * (isPlain ? d.leading : 16) + byte % 16 +
             mn / 8 * d.stride + mn % 8 * span;
  } else {
    uint32_t byte = mn * elementBytes;
    offset = isPlain ? byte / 16 * d.stride + k / 8 * d.leading
                     : byte % span / 16 * 16 + byte / span * d.leading +
                           k / 8 * d.stride;
    offset += byte % 16 + k % 8 * span;
  }
  return swizzleAddress(d.start + offset, d.swizzle, d.phase);
}

unsigned fk::emulator::getElementBytes(TensorMapType type) {
  switch (type) {
  case TensorMapType::U8:
    return 1;
  case TensorMapType::U16:
  case TensorMapType::F16:
  case TensorMapType::BF16:
    return 2;
  case TensorMapType::U64:
  case TensorMapType::S64:
  case TensorMapType::F64:
    return 8;
  default:
    return 4;
  }
}

uint64_t fk::emulator::getBoxBytes(const TensorMap &map) {
  uint64_t bytes = getElementBytes(map.type);
  for (unsigned d = 0; d < map.rank; ++d)
    bytes *= getBoxSteps(map, d);
  return bytes;
}

std::string fk::emulator::checkTensorMap(const TensorMap &map) {
  auto in = [](const char *what, unsigned d) {
    return what + std::string(" of dimension ") + std::to_string(d) + " is ";
  };
  if (map.magic != TensorMap::validMagic)
    return "its bytes are no tensor map of fk";
  if (map.rank < 1 || map.rank > TensorMap::maxRank)
    return "the rank is " + std::to_string(map.rank) + ", not 1 to 5";
  if (map.type > TensorMapType::TF32Flush)
    return "the element type is unknown";
  if (map.swizzle > Swizzle::Bytes128)
    return "the swizzle is unknown";
  if (map.address % 16)
    return "the tensor's address is no multiple of 16";
  for (unsigned d = 0; d < map.rank; ++d) {
    if (map.dims[d] < 1 || map.dims[d] > uint64_t(1) << 32)
      return in("the size", d) + std::to_string(map.dims[d]) +
             ", not 1 to 2^32";
    if (map.box[d] < 1 || map.box[d] > 256)
      return in("the box", d) + std::to_string(map.box[d]) + ", not 1 to 256";
    if (map.elementStrides[d] < 1 || map.elementStrides[d] > 8)
      return in("the element stride", d) +
             std::to_string(map.elementStrides[d]) + ", not 1 to 8";
    if (d == 0)
      continue;
    uint64_t stride = map.strides[d - 1];
    if (stride % 16 || stride >= uint64_t(1) << 40)
      return in("the stride", d) + std::to_string(stride) +
             " bytes, not a multiple of 16 below 2^40";
  }
  uint32_t row = map.box[0] * getElementBytes(map.type);
  if (row % 16)
    return "a row of the box is " + std::to_string(row) +
           " bytes, no multiple of 16";
  if (map.swizzle != Swizzle::None && row > getSpan(map.swizzle))
    return "a row of the box is " + std::to_string(row) +
           " bytes, more than the swizzle's " +
           std::to_string(getSpan(map.swizzle));
  return {};
}
