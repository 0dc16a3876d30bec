//===- HalfMath.h - PTX arithmetic of f16 and bf16 -------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Values are bits (uint16_t), pairs are uint32_t and go through mapHalfPair().
// Results are rounded once, to nearest even, and a NaN is 0x7fff:
//
//   add, sub, mul  in float. Its 24 bits are at least 2 * 11 + 2, so that
//                  rounding its result again gives the half nearest to the
//                  exact one; products and sums in the subnormal range are
//                  exact in float, or below half of the last half.
//   fma            the product is exact in double; the sum is rounded to odd
//                  there, then in float, then once to nearest.
//
// The functions are branch-free, so that a loop over a warp's lanes vectorises.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_HALFMATH_H
#define FK_RUNTIME_EMULATOR_HALFMATH_H

#include "runtime/emulator/Convert.h"

#include <cstdint>

namespace fk::emulator {

/// The format as a type: HalfTraits<HalfType::F16>.
enum class HalfType : uint8_t { F16, BF16 };

template <HalfType H> struct HalfTraits {
  static constexpr uint16_t infinity = 0x7c00;
  static constexpr uint16_t smallestNormal = 0x0400;
  static constexpr uint16_t one = 0x3c00;
  static constexpr float toFloat(uint16_t x) { return f16ToF32(x); }
  static constexpr uint16_t fromFloat(float x) { return f32ToF16(x); }
  static constexpr uint16_t fromDouble(double x) { return f64ToF16(x); }
};
template <> struct HalfTraits<HalfType::BF16> {
  static constexpr uint16_t infinity = 0x7f80;
  static constexpr uint16_t smallestNormal = 0x0080;
  static constexpr uint16_t one = 0x3f80;
  static constexpr float toFloat(uint16_t x) { return bf16ToF32(x); }
  static constexpr uint16_t fromFloat(float x) { return f32ToBF16(x); }
  static constexpr uint16_t fromDouble(double x) { return f64ToBF16(x); }
};

constexpr uint16_t nanHalf = 0x7fff; ///< of both formats

/// Modifiers of a half-precision instruction.
struct HalfMode {
  bool flush = false;         ///< .ftz
  bool saturate = false;      ///< .sat: [+0, 1], NaN gives +0
  bool relu = false;          ///< .relu: negative results become +0
  bool isOutOfBounds = false; ///< .oob: 0xffff among the operands gives 0
  bool operator==(const HalfMode &) const = default;
};

template <HalfType H> constexpr bool isHalfNaN(uint16_t x) {
  return (x & 0x7fff) > HalfTraits<H>::infinity;
}
template <HalfType H> constexpr uint16_t flushHalf(uint16_t x) {
  bool isSubnormal = (x & 0x7fff) < HalfTraits<H>::smallestNormal;
  return static_cast<uint16_t>(isSubnormal ? x & 0x8000 : x);
}
template <HalfType H> constexpr uint16_t flushHalfIf(bool flush, uint16_t x) {
  return flush ? flushHalf<H>(x) : x;
}
/// What every instruction does to its result at last.
template <HalfType H> constexpr uint16_t finishHalf(uint16_t x, HalfMode mode) {
  if (mode.flush)
    x = flushHalf<H>(x);
  if (mode.relu)
    x = x & 0x8000 ? 0 : x; // the canonical NaN is positive
  if (mode.saturate) {
    x = x & 0x8000 || isHalfNaN<H>(x) ? 0 : x;
    x = x > HalfTraits<H>::one ? HalfTraits<H>::one : x;
  }
  return x;
}

template <HalfType H>
FK_LANE constexpr uint16_t addHalf(uint16_t a, uint16_t b, HalfMode mode = {}) {
  using T = HalfTraits<H>;
  float x = T::toFloat(flushHalfIf<H>(mode.flush, a));
  float y = T::toFloat(flushHalfIf<H>(mode.flush, b));
  return finishHalf<H>(T::fromFloat(x + y), mode);
}
template <HalfType H>
FK_LANE constexpr uint16_t subHalf(uint16_t a, uint16_t b, HalfMode mode = {}) {
  using T = HalfTraits<H>;
  float x = T::toFloat(flushHalfIf<H>(mode.flush, a));
  float y = T::toFloat(flushHalfIf<H>(mode.flush, b));
  return finishHalf<H>(T::fromFloat(x - y), mode);
}
template <HalfType H>
FK_LANE constexpr uint16_t mulHalf(uint16_t a, uint16_t b, HalfMode mode = {}) {
  using T = HalfTraits<H>;
  float x = T::toFloat(flushHalfIf<H>(mode.flush, a));
  float y = T::toFloat(flushHalfIf<H>(mode.flush, b));
  return finishHalf<H>(T::fromFloat(x * y), mode);
}
template <HalfType H>
FK_LANE constexpr uint16_t fmaHalf(uint16_t a, uint16_t b, uint16_t c,
                                   HalfMode mode = {}) {
  using T = HalfTraits<H>;
  double x = T::toFloat(flushHalfIf<H>(mode.flush, a));
  double y = T::toFloat(flushHalfIf<H>(mode.flush, b));
  double z = T::toFloat(flushHalfIf<H>(mode.flush, c));
  double product = x * y, sum = product + z;
  double odd = roundToOdd(sum, sumError(product, z, sum));
  uint16_t result = finishHalf<H>(T::fromDouble(odd), mode);
  if (mode.isOutOfBounds)
    result = a == 0xffff || b == 0xffff || c == 0xffff ? 0 : result;
  return result;
}

/// Change the sign bit; a NaN becomes canonical.
template <HalfType H>
constexpr uint16_t negHalf(uint16_t a, bool flush = false) {
  uint16_t x = flushHalfIf<H>(flush, static_cast<uint16_t>(a ^ 0x8000));
  return isHalfNaN<H>(a) ? nanHalf : x;
}
template <HalfType H>
constexpr uint16_t absHalf(uint16_t a, bool flush = false) {
  uint16_t x = flushHalfIf<H>(flush, static_cast<uint16_t>(a & 0x7fff));
  return isHalfNaN<H>(a) ? nanHalf : x;
}

/// min and max with every modifier (MinMaxMode), as minMaxF32.
template <HalfType H>
FK_LANE constexpr uint16_t minMaxHalf(uint16_t a, uint16_t b, MinMaxMode mode) {
  a = flushHalfIf<H>(mode.flush, a);
  b = flushHalfIf<H>(mode.flush, b);
  auto sign = static_cast<uint16_t>((a ^ b) & 0x8000);
  if (mode.xorSign || mode.isAbsolute) {
    a &= 0x7fff;
    b &= 0x7fff;
  }
  // Ordered as integers: a negative number's bits count downwards.
  auto order = [](uint16_t x) {
    return x & 0x8000 ? -int32_t(x & 0x7fff) - 1 : int32_t(x);
  };
  bool isBelow = order(a) < order(b);
  uint16_t result = isBelow == mode.isMax ? b : a;
  bool isNaNA = isHalfNaN<H>(a), isNaNB = isHalfNaN<H>(b);
  result = isNaNA ? b : isNaNB ? a : result;
  if (mode.xorSign)
    result = static_cast<uint16_t>((result & 0x7fff) | sign);
  bool isNaNResult = mode.propagateNaN ? isNaNA || isNaNB : isNaNA && isNaNB;
  return isNaNResult ? nanHalf : result;
}

/// setp on halves: flush first where the instruction says so.
template <HalfType H>
constexpr bool compareHalf(uint16_t a, uint16_t b, FloatCompare compare,
                           bool flush = false) {
  using T = HalfTraits<H>;
  return compareFloat(T::toFloat(flushHalfIf<H>(flush, a)),
                      T::toFloat(flushHalfIf<H>(flush, b)), compare);
}

/// An instruction on pairs: `fn` on the lower halves and on the upper ones,
/// inlined, so that a loop over pairs vectorises.
template <class Fn, class... Pairs>
constexpr uint32_t mapHalfPair(Fn fn, Pairs... pairs) {
  uint16_t high, low;
  FK_INLINE_CALL high = fn(highHalf(pairs)...);
  FK_INLINE_CALL low = fn(lowHalf(pairs)...);
  return packPair(high, low);
}

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_HALFMATH_H
