//===- Convert.cpp - Arrays between element types -------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/Convert.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

using namespace fk;

uint16_t fk::floatToBFloat16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
  // A NaN whose payload lies in the lower half would become infinite.
  bool isNaN = (bits & 0x7fffffff) > 0x7f800000;
  return static_cast<uint16_t>((isNaN ? bits | 0x400000 : rounded) >> 16);
}

float fk::halfToFloat(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  uint32_t magnitude = bits & 0x7fff;
  if (magnitude >= 0x7c00) // infinity, NaN
    return std::bit_cast<float>(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  // Moved into place with the half's exponent, then scaled by 2^(127 - 15);
  // this renders the subnormal halves too.
  float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(scaled));
}

uint16_t fk::floatToHalf(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t sign = (bits >> 16) & 0x8000;
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return static_cast<uint16_t>(sign | 0x7e00);
  if (magnitude >= 0x477ff000) // 65520 and more round to infinity
    return static_cast<uint16_t>(sign | 0x7c00);
  if (magnitude < 0x38800000) {
    // Below 2^-14 the float adder rounds at 2^-24, the last subnormal bit.
    float sum = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(
        sign | (std::bit_cast<uint32_t>(sum) - std::bit_cast<uint32_t>(0.5f)));
  }
  uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
  return static_cast<uint16_t>(sign | ((rounded - (112u << 23)) >> 13));
}

bool fk::canConvert(DType from, DType to) {
  return from == to || (isFloat(from) && isFloat(to));
}

namespace {

/// Pieces go through float (through double never: no checkpoint holds f64 that
/// a kernel reads).
constexpr size_t piece = 2048;

void readFloats(const std::byte *src, DType from, float *dst, size_t count) {
  switch (from) {
  case DType::F64:
    for (size_t i = 0; i < count; ++i) {
      double value;
      std::memcpy(&value, src + 8 * i, 8);
      dst[i] = static_cast<float>(value);
    }
    return;
  case DType::F32:
    std::memcpy(dst, src, 4 * count);
    return;
  case DType::BF16:
    for (size_t i = 0; i < count; ++i) {
      uint16_t bits;
      std::memcpy(&bits, src + 2 * i, 2);
      dst[i] = std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
    }
    return;
  default:
    for (size_t i = 0; i < count; ++i) {
      uint16_t bits;
      std::memcpy(&bits, src + 2 * i, 2);
      dst[i] = halfToFloat(bits);
    }
  }
}

void writeFloats(const float *src, std::byte *dst, DType to, size_t count) {
  switch (to) {
  case DType::F64:
    for (size_t i = 0; i < count; ++i) {
      double value = src[i];
      std::memcpy(dst + 8 * i, &value, 8);
    }
    return;
  case DType::F32:
    std::memcpy(dst, src, 4 * count);
    return;
  case DType::BF16:
    for (size_t i = 0; i < count; ++i) {
      uint16_t bits = floatToBFloat16(src[i]);
      std::memcpy(dst + 2 * i, &bits, 2);
    }
    return;
  default:
    for (size_t i = 0; i < count; ++i) {
      uint16_t bits = floatToHalf(src[i]);
      std::memcpy(dst + 2 * i, &bits, 2);
    }
  }
}

} // namespace

void fk::convertElements(const void *src, DType from, void *dst, DType to,
                         size_t count) {
  size_t fromBytes = static_cast<size_t>(getSizeInBytes(from));
  size_t toBytes = static_cast<size_t>(getSizeInBytes(to));
  if (from == to) {
    if (count)
      std::memcpy(dst, src, count * fromBytes);
    return;
  }
  if (!canConvert(from, to))
    throw Error({.what = "element types do not convert",
                 .wanted = std::string(getName(to)),
                 .got = std::string(getName(from))});
  auto *in = static_cast<const std::byte *>(src);
  auto *out = static_cast<std::byte *>(dst);
  float buffer[piece];
  for (size_t begin = 0; begin < count; begin += piece) {
    size_t length = std::min(piece, count - begin);
    readFloats(in + begin * fromBytes, from, buffer, length);
    writeFloats(buffer, out + begin * toBytes, to, length);
  }
}
