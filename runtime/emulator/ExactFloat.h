//===- ExactFloat.h - Numbers as integers, rounded once --------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A finite number as sign, integer magnitude and exponent, and its one rounding
// to any binary format in any mode. Slow and plain: what is fast elsewhere is
// tested against it.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_EXACTFLOAT_H
#define FK_RUNTIME_EMULATOR_EXACTFLOAT_H

#include "runtime/emulator/FloatMath.h"

#include <bit>
#include <cstdint>
#include <utility>

namespace fk::emulator {

/// A binary interchange format. The values are magnitudes: no sign bit.
struct FloatFormat {
  int exponentBits;
  int mantissaBits;
  uint64_t maxFinite;
  uint64_t infinity; ///< 0: the format has none
  uint64_t nan;      ///< the canonical one

  constexpr int bias() const { return (1 << (exponentBits - 1)) - 1; }
  /// The exponent of the smallest normal number.
  constexpr int minExponent() const { return 1 - bias(); }
  constexpr uint64_t sign() const {
    return uint64_t(1) << (exponentBits + mantissaBits);
  }
  constexpr uint64_t one() const {
    return static_cast<uint64_t>(bias()) << mantissaBits;
  }
  constexpr uint64_t smallestNormal() const {
    return uint64_t(1) << mantissaBits;
  }
};

constexpr FloatFormat formatF64 = {11, 52, 0x7fefffffffffffff,
                                   0x7ff0000000000000, 0x7fffffffffffffff};
constexpr FloatFormat formatF32 = {8, 23, 0x7f7fffff, 0x7f800000, 0x7fffffff};
constexpr FloatFormat formatF16 = {5, 10, 0x7bff, 0x7c00, 0x7fff};
constexpr FloatFormat formatBF16 = {8, 7, 0x7f7f, 0x7f80, 0x7fff};
/// The upper 19 bits of a register.
constexpr FloatFormat formatTF32 = {8, 10, 0x3fbff, 0x3fc00, 0x3ffff};
constexpr FloatFormat formatE5M2 = {5, 2, 0x7b, 0x7c, 0x7f};
constexpr FloatFormat formatE4M3 = {4, 3, 0x7e, 0, 0x7f};

using uint128_t = unsigned __int128;

constexpr int countLeadingZeros128(uint128_t x) {
  auto high = static_cast<uint64_t>(x >> 64);
  return high ? std::countl_zero(high)
              : 64 + std::countl_zero(static_cast<uint64_t>(x));
}

/// magnitude * 2^exponent, and a rest above zero and below one unit of it where
/// isInexact. With a rest the magnitude has 64 bits or more, so that the rest
/// lies far below every format's last bit.
struct Exact {
  bool isNegative = false;
  bool isInexact = false;
  int exponent = 0;
  uint128_t magnitude = 0;
};

/// Where `bits` (a magnitude) is a finite number: that number.
constexpr Exact unpackFinite(uint64_t bits, const FloatFormat &format,
                             bool isNegative) {
  uint64_t field = bits >> format.mantissaBits;
  uint64_t mantissa = bits & (format.smallestNormal() - 1);
  if (field)
    mantissa |= format.smallestNormal();
  else
    field = 1;
  return {isNegative, false,
          static_cast<int>(field) - format.bias() - format.mantissaBits,
          mantissa};
}
constexpr Exact unpackF64(double x) {
  return unpackFinite(toBits(x) & 0x7fffffffffffffff, formatF64, signBit(x));
}

/// Divides by 2^shift; true in the pair where something was lost that rounds
/// away from the result's last bit under `rounding`.
constexpr uint128_t shiftRounded(uint128_t magnitude, int shift, bool isInexact,
                                 bool isNegative, Rounding rounding) {
  if (shift <= 0)
    return magnitude << -shift;
  bool half = shift <= 128 && (magnitude >> (shift - 1) & 1);
  bool rest =
      isInexact ||
      (shift > 128 ? magnitude != 0
                   : (magnitude & ((uint128_t(1) << (shift - 1)) - 1)) != 0);
  uint128_t result = shift < 128 ? magnitude >> shift : 0;
  bool isUp = false;
  switch (rounding) {
  case Rounding::NearestEven:
    isUp = half && (rest || (result & 1));
    break;
  case Rounding::NearestAway:
    isUp = half;
    break;
  case Rounding::TowardZero:
    break;
  case Rounding::Down:
    isUp = isNegative && (half || rest);
    break;
  case Rounding::Up:
    isUp = !isNegative && (half || rest);
    break;
  }
  return result + isUp;
}

/// The magnitude of `x` in `format`, as if its exponents went on for ever: a
/// result above maxFinite has overflowed.
constexpr uint64_t roundMagnitude(const Exact &x, const FloatFormat &format,
                                  Rounding rounding) {
  if (x.magnitude == 0)
    return 0;
  int top = x.exponent + 127 - countLeadingZeros128(x.magnitude);
  int exponent = top < format.minExponent() ? format.minExponent() : top;
  int shift = exponent - format.mantissaBits - x.exponent;
  auto mantissa = static_cast<uint64_t>(
      shiftRounded(x.magnitude, shift, x.isInexact, x.isNegative, rounding));
  // The implicit bit of a normal number, or a carry, adds one to the exponent.
  return (static_cast<uint64_t>(exponent - format.minExponent())
          << format.mantissaBits) +
         mantissa;
}

/// The magnitude that an overflow gives.
constexpr uint64_t overflowMagnitude(const FloatFormat &format, bool isNegative,
                                     Rounding rounding) {
  bool isFinite = rounding == Rounding::TowardZero ||
                  (rounding == Rounding::Down && !isNegative) ||
                  (rounding == Rounding::Up && isNegative);
  return isFinite || !format.infinity ? format.maxFinite : format.infinity;
}

/// `x` in `format` with its sign, as IEEE 754 has it. Zero keeps its sign.
constexpr uint64_t roundExact(const Exact &x, const FloatFormat &format,
                              Rounding rounding) {
  uint64_t magnitude = roundMagnitude(x, format, rounding);
  if (magnitude > format.maxFinite)
    magnitude = overflowMagnitude(format, x.isNegative, rounding);
  return magnitude | (x.isNegative ? format.sign() : 0);
}

/// The sum, with a rest where the smaller term sticks out below. Both
/// magnitudes are below 2^124 and have no rest. An exact zero is negative where
/// both terms are, or where one is and `rounding` is Down.
constexpr Exact addExact(Exact a, Exact b, Rounding rounding) {
  bool isZeroNegative = rounding == Rounding::Down
                            ? a.isNegative || b.isNegative
                            : a.isNegative && b.isNegative;
  if (a.magnitude == 0 || b.magnitude == 0) {
    Exact other = a.magnitude == 0 ? b : a;
    if (other.magnitude == 0)
      other.isNegative = isZeroNegative;
    return other;
  }
  // Both with their top bit at 124, then the smaller moved under the larger.
  for (Exact *x : {&a, &b}) {
    int shift = countLeadingZeros128(x->magnitude) - 3;
    x->magnitude <<= shift;
    x->exponent -= shift;
  }
  if (a.exponent < b.exponent ||
      (a.exponent == b.exponent && a.magnitude < b.magnitude))
    std::swap(a, b);
  int distance = a.exponent - b.exponent;
  uint128_t moved = distance < 128 ? b.magnitude >> distance : 0;
  bool isInexact = distance >= 128 || (moved << distance) != b.magnitude;
  Exact sum = a;
  sum.isInexact = isInexact;
  if (a.isNegative == b.isNegative)
    sum.magnitude = a.magnitude + moved;
  else // the rest is taken away: one unit less, and the rest's complement
    sum.magnitude = a.magnitude - moved - isInexact;
  if (sum.magnitude == 0)
    sum.isNegative = isZeroNegative;
  return sum;
}

constexpr Exact mulExact(const Exact &a, const Exact &b) {
  return {a.isNegative != b.isNegative, false, a.exponent + b.exponent,
          a.magnitude * b.magnitude};
}

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_EXACTFLOAT_H
