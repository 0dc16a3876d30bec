//===- Convert.cpp - cvt --------------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Convert.h"

#include "runtime/emulator/ExactFloat.h"

#include <algorithm>
#include <array>

using namespace fk::emulator;

namespace {

const FloatFormat &getFormat(FloatType type) {
  switch (type) {
  case FloatType::F64:
    return formatF64;
  case FloatType::F32:
    return formatF32;
  case FloatType::F16:
    return formatF16;
  case FloatType::BF16:
    return formatBF16;
  case FloatType::TF32:
    return formatTF32;
  case FloatType::E5M2:
    return formatE5M2;
  case FloatType::E4M3:
    break;
  }
  return formatE4M3;
}

/// A tf32 lies in the upper 19 bits of its register.
constexpr int tf32Shift = 13;

/// What a NaN of type `from` becomes. To and from f64 it keeps its sign and
/// what fits of its payload, between the others it is canonical.
uint64_t convertNaN(uint64_t bits, FloatType from, FloatType to, bool flush) {
  const FloatFormat &source = getFormat(from), &target = getFormat(to);
  if (to == FloatType::TF32)
    return target.nan << tf32Shift;
  if (from != FloatType::F64 && to != FloatType::F64)
    return target.nan;
  if (flush && from == FloatType::F32)
    bits = source.nan;
  uint64_t payload = bits & (source.smallestNormal() - 1);
  int shift = target.mantissaBits - source.mantissaBits;
  payload = shift < 0 ? payload >> -shift : payload << shift;
  uint64_t quietBit = target.smallestNormal() >> 1;
  return (bits & source.sign() ? target.sign() : 0) | target.infinity |
         quietBit | payload;
}

/// The end of every conversion to a float: `magnitude` in the format of `to`.
uint64_t finishMagnitude(uint64_t magnitude, bool isNegative, FloatType to,
                         const ConvertMode &mode) {
  const FloatFormat &format = getFormat(to);
  if (mode.flush && to == FloatType::F32 && magnitude < format.smallestNormal())
    magnitude = 0;
  if (isNegative && (mode.relu || mode.saturate))
    return 0;
  if (mode.saturate)
    magnitude = std::min(magnitude, format.one());
  uint64_t bits = magnitude | (isNegative ? format.sign() : 0);
  return to == FloatType::TF32 ? bits << tf32Shift : bits;
}

uint64_t convertExact(Exact x, FloatType to, const ConvertMode &mode) {
  const FloatFormat &format = getFormat(to);
  Rounding rounding = mode.rounding;
  if (mode.toIntegral) {
    if (x.exponent < 0) {
      x.magnitude = shiftRounded(x.magnitude, -x.exponent, x.isInexact,
                                 x.isNegative, rounding);
      x.exponent = 0;
    }
    // An integer too long for a narrower type is rounded to nearest.
    rounding = Rounding::NearestEven;
  }
  uint64_t magnitude = roundMagnitude(x, format, rounding);
  if (magnitude > format.maxFinite)
    magnitude = mode.satFinite
                    ? format.maxFinite
                    : overflowMagnitude(format, x.isNegative, rounding);
  return finishMagnitude(magnitude, x.isNegative, to, mode);
}

std::array<uint16_t, 256> makeF8Table(FloatType from) {
  std::array<uint16_t, 256> table = {};
  for (unsigned i = 0; i < 256; ++i)
    table[i] = static_cast<uint16_t>(convertFloat(i, from, FloatType::F16, {}));
  return table;
}

uint16_t lookUpF8(uint8_t bits, FloatType from) {
  static const std::array<uint16_t, 256> e4m3 = makeF8Table(FloatType::E4M3);
  static const std::array<uint16_t, 256> e5m2 = makeF8Table(FloatType::E5M2);
  return (from == FloatType::E4M3 ? e4m3 : e5m2)[bits];
}

constexpr uint16_t packBytes(uint64_t high, uint64_t low) {
  return static_cast<uint16_t>((high & 0xff) << 8 | (low & 0xff));
}

} // namespace

uint64_t fk::emulator::convertFloat(uint64_t bits, FloatType from, FloatType to,
                                    ConvertMode mode) {
  const FloatFormat &source = getFormat(from);
  if (from == FloatType::TF32)
    bits = (bits & 0xffffffff) >> tf32Shift;
  uint64_t magnitude = bits & (source.sign() - 1);
  bool isNegative = bits & source.sign();
  if (mode.flush && from == FloatType::F32 &&
      magnitude < source.smallestNormal())
    magnitude = 0;
  uint64_t infinity = source.infinity ? source.infinity : source.maxFinite + 1;
  if (magnitude > infinity || (!source.infinity && magnitude == infinity))
    return mode.saturate ? 0 : convertNaN(bits, from, to, mode.flush);
  if (source.infinity && magnitude == infinity) {
    const FloatFormat &format = getFormat(to);
    bool isFinite = mode.satFinite || !format.infinity;
    return finishMagnitude(isFinite ? format.maxFinite : format.infinity,
                           isNegative, to, mode);
  }
  return convertExact(unpackFinite(magnitude, source, isNegative), to, mode);
}

uint64_t fk::emulator::convertInt(uint64_t value, bool isSigned, FloatType to,
                                  ConvertMode mode) {
  bool isNegative = isSigned && static_cast<int64_t>(value) < 0;
  mode.toIntegral = false;
  return convertExact({isNegative, false, 0, isNegative ? 0 - value : value},
                      to, mode);
}

uint32_t fk::emulator::packF32(float a, float b, FloatType to,
                               ConvertMode mode) {
  auto convert = [&](float x) {
    return static_cast<uint16_t>(
        convertFloat(toBits(x), FloatType::F32, to, mode));
  };
  return packPair(convert(a), convert(b));
}

uint16_t fk::emulator::packF8(float a, float b, FloatType to, bool relu) {
  ConvertMode mode = {.relu = relu, .satFinite = true};
  return packBytes(convertFloat(toBits(a), FloatType::F32, to, mode),
                   convertFloat(toBits(b), FloatType::F32, to, mode));
}

uint16_t fk::emulator::f16PairToF8(uint32_t pair, FloatType to, bool relu) {
  ConvertMode mode = {.relu = relu, .satFinite = true};
  return packBytes(convertFloat(highHalf(pair), FloatType::F16, to, mode),
                   convertFloat(lowHalf(pair), FloatType::F16, to, mode));
}

uint32_t fk::emulator::f8ToF16Pair(uint16_t bytes, FloatType from, bool relu) {
  uint16_t high = lookUpF8(static_cast<uint8_t>(bytes >> 8), from);
  uint16_t low = lookUpF8(static_cast<uint8_t>(bytes), from);
  if (relu) { // no NaN of the table is negative
    high = high & 0x8000 ? 0 : high;
    low = low & 0x8000 ? 0 : low;
  }
  return packPair(high, low);
}

float fk::emulator::f8ToF32(uint8_t bits, FloatType from) {
  return f16ToF32(lookUpF8(bits, from));
}

uint32_t fk::emulator::f32ToTF32(float x, ConvertMode mode) {
  // The GPU adds half a unit to the bits of a number and clears the low ones,
  // a NaN's too: one whose payload lies there becomes infinite. .satfinite
  // steps down from whatever is no number then.
  if (mode.rounding == Rounding::NearestAway && isNaN(x)) {
    constexpr uint32_t unit = 1u << tf32Shift;
    return (toBits(x) & ~(unit - 1)) - (mode.satFinite ? unit : 0);
  }
  return static_cast<uint32_t>(
      convertFloat(toBits(x), FloatType::F32, FloatType::TF32, mode));
}

uint32_t fk::emulator::packInt16(int32_t a, int32_t b, bool isSigned) {
  auto clamp = [&](int32_t x) {
    return static_cast<uint16_t>(isSigned ? intToInt<int16_t>(x, true)
                                          : intToInt<uint16_t>(x, true));
  };
  return packPair(clamp(a), clamp(b));
}

uint32_t fk::emulator::packIntSmall(int32_t a, int32_t b, uint32_t c,
                                    unsigned bits, bool isSigned) {
  int32_t low = isSigned ? -(1 << (bits - 1)) : 0;
  int32_t high = isSigned ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
  uint32_t mask = (1u << bits) - 1;
  uint32_t upper = static_cast<uint32_t>(std::clamp(a, low, high)) & mask;
  uint32_t lower = static_cast<uint32_t>(std::clamp(b, low, high)) & mask;
  return c << (2 * bits) | upper << bits | lower;
}
