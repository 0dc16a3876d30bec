//===- Convert.h - cvt -----------------------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every conversion of PTX's cvt, one lane at a time. The pairs that kernels are
// full of (f32 with f16, bf16, f64 and 32-bit integers, nearest-even) are
// branch-free functions here; convertFloat() takes any pair in any mode.
//
// Half-precision values are their bits: uint16_t. Pairs are uint32_t; the
// first operand of a packing cvt goes to the upper half.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_CONVERT_H
#define FK_RUNTIME_EMULATOR_CONVERT_H

#include "runtime/emulator/FloatMath.h"

#include <cstdint>
#include <limits>
#include <type_traits>

namespace fk::emulator {

enum class FloatType : uint8_t { F64, F32, F16, BF16, TF32, E5M2, E4M3 };

/// Modifiers of a cvt to a floating-point type.
struct ConvertMode {
  Rounding rounding = Rounding::NearestEven;
  bool toIntegral = false; ///< .rni, .rzi, .rmi, .rpi between float types
  bool flush = false;      ///< .ftz: of f32, source and result
  bool saturate = false;   ///< .sat
  bool relu = false;       ///< negative results become +0
  bool satFinite = false;  ///< the largest finite number for infinity
};

/// The bits of `bits` (of type `from`, in the low bits; tf32 fills a register)
/// converted to `to`.
uint64_t convertFloat(uint64_t bits, FloatType from, FloatType to,
                      ConvertMode mode);

constexpr uint16_t nanF16 = 0x7fff;
constexpr uint16_t nanBF16 = 0x7fff;

//===-- f16, bf16 <-> f32, nearest-even
//------------------------------------===//

/// NaN becomes 0x7fffffff.
constexpr float f16ToF32(uint16_t bits) {
  uint32_t magnitude = bits & 0x7fff;
  // Moved into place with the half's exponent, then scaled by 2^(127 - 15);
  // this renders the subnormal halves too.
  uint32_t scaled = toBits(toFloat(magnitude << 13) * 0x1p112f);
  uint32_t special = magnitude > 0x7c00 ? nanF32 : 0x7f800000;
  uint32_t sign = magnitude > 0x7c00 ? 0 : uint32_t(bits & 0x8000) << 16;
  return toFloat((magnitude < 0x7c00 ? scaled : special) | sign);
}
/// A NaN keeps its payload: the GPU moves the bits.
constexpr float bf16ToF32(uint16_t bits) {
  return toFloat(static_cast<uint32_t>(bits) << 16);
}

constexpr uint16_t f32ToF16(float x) {
  uint32_t bits = toBits(x), magnitude = bits & 0x7fffffff;
  uint32_t sign = (bits >> 16) & 0x8000;
  // Below 2^-14 the float adder rounds at 2^-24, the last subnormal bit.
  uint32_t small = toBits(toFloat(magnitude) + 0.5f) - toBits(0.5f);
  uint32_t normal =
      (magnitude + 0xfff + ((magnitude >> 13) & 1) - (112u << 23)) >> 13;
  uint32_t result = magnitude < 0x38800000 ? small : normal;
  result = magnitude >= 0x477ff000 ? 0x7c00 : result; // 65520 and more
  return static_cast<uint16_t>(magnitude > 0x7f800000 ? uint32_t(nanF16)
                                                      : result | sign);
}
constexpr uint16_t f32ToBF16(float x) {
  uint32_t bits = toBits(x);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return static_cast<uint16_t>(isNaN(x) ? uint32_t(nanBF16) : rounded);
}

/// double to float with the last bit set where it is inexact: a later rounding
/// to 22 bits or fewer is then right.
constexpr float f64ToF32Odd(double x) {
  float nearest = static_cast<float>(x);
  double back = nearest;
  uint32_t bits = toBits(nearest);
  bool isTooLarge = x < 0 ? back < x : back > x;
  bool isInexact = back < x || back > x;
  return toFloat((bits - isTooLarge) | isInexact);
}
constexpr uint16_t f64ToF16(double x) { return f32ToF16(f64ToF32Odd(x)); }
constexpr uint16_t f64ToBF16(double x) { return f32ToBF16(f64ToF32Odd(x)); }

//===-- f32 <-> f64 -------------------------------------------------------===//

/// A NaN keeps its sign and the upper bits of its payload, and becomes quiet.
constexpr float f64ToF32(double x, FloatMode mode = {}) {
  uint64_t bits = toBits(x);
  auto nan = static_cast<uint32_t>((bits >> 32 & 0x80000000) | 0x7fc00000 |
                                   (bits >> 29 & 0x7fffff));
  float result = finish(roundToFloat(x, mode.rounding), mode);
  return isNaN(x) && !mode.saturate ? toFloat(nan) : result;
}
/// A NaN's payload moves to the upper bits, and it becomes quiet; canonical
/// first where it is flushed.
constexpr double f32ToF64(float x, bool flush = false) {
  x = flush ? flushSubnormal(canonical(x)) : x;
  uint32_t bits = toBits(x);
  uint64_t nan = static_cast<uint64_t>(bits & 0x80000000) << 32 |
                 0x7ff8000000000000 |
                 static_cast<uint64_t>(bits & 0x7fffff) << 29;
  return isNaN(x) ? toDouble(nan) : static_cast<double>(x);
}

//===-- To an integral value ----------------------------------------------===//

inline float roundToIntegral(float x, Rounding rounding) {
  switch (rounding) {
  case Rounding::TowardZero:
    return __builtin_truncf(x);
  case Rounding::Down:
    return __builtin_floorf(x);
  case Rounding::Up:
    return __builtin_ceilf(x);
  default:
    return __builtin_roundevenf(x);
  }
}
inline double roundToIntegral(double x, Rounding rounding) {
  switch (rounding) {
  case Rounding::TowardZero:
    return __builtin_trunc(x);
  case Rounding::Down:
    return __builtin_floor(x);
  case Rounding::Up:
    return __builtin_ceil(x);
  default:
    return __builtin_roundeven(x);
  }
}
/// cvt.rni.f32.f32 and its like.
inline float integralF32(float x, FloatMode mode) {
  return finish(roundToIntegral(flushIf(mode.flush, x), mode.rounding), mode);
}
inline double integralF64(double x, FloatMode mode) {
  double result = isNaN(x) ? quiet(x) : roundToIntegral(x, mode.rounding);
  return mode.saturate ? saturate(result) : result;
}

//===-- Floats to integers ------------------------------------------------===//

/// cvt.rzi.s32.f32 and its like: clamps to To's range. NaN gives zero, but the
/// top bit where f64 or a 64-bit integer takes part. f16 and bf16 come as
/// float.
template <class To, class From>
FK_LANE inline To floatToInt(From x, Rounding rounding, bool flush = false) {
  static_assert(std::is_floating_point_v<From>);
  if constexpr (sizeof(From) == 4)
    x = flushIf(flush, x);
  constexpr To low = std::numeric_limits<To>::min();
  constexpr To high = std::numeric_limits<To>::max();
  // Powers of two, so exact in both types; the first value past the range.
  constexpr From end =
      static_cast<From>(uint64_t(1) << (std::numeric_limits<To>::digits - 1)) *
      2;
  constexpr From begin = static_cast<From>(low);
  constexpr bool isWide = sizeof(From) == 8 || sizeof(To) == 8;
  constexpr To nan =
      isWide ? static_cast<To>(uint64_t(1) << (sizeof(To) * 8 - 1)) : To(0);
  From rounded = roundToIntegral(x, rounding);
  bool isInside = rounded >= begin && rounded < end;
  To inside = static_cast<To>(isInside ? rounded : From(0));
  To clamped = rounded < begin ? low : rounded >= end ? high : inside;
  return isNaN(x) ? nan : clamped;
}

//===-- Integers to floats ------------------------------------------------===//

/// Any 64-bit integer in any mode; `isSigned` says how to read it.
uint64_t convertInt(uint64_t value, bool isSigned, FloatType to,
                    ConvertMode mode);

template <class From>
inline float intToF32(From x, Rounding rounding = Rounding::NearestEven) {
  if (rounding == Rounding::NearestEven)
    return static_cast<float>(x);
  if constexpr (sizeof(From) < 8)
    return roundToFloat(static_cast<double>(x), rounding);
  else
    return toFloat(static_cast<uint32_t>(
        convertInt(static_cast<uint64_t>(x), std::is_signed_v<From>,
                   FloatType::F32, {.rounding = rounding})));
}
template <class From>
inline double intToF64(From x, Rounding rounding = Rounding::NearestEven) {
  if (sizeof(From) < 8 || rounding == Rounding::NearestEven)
    return static_cast<double>(x);
  return toDouble(convertInt(static_cast<uint64_t>(x), std::is_signed_v<From>,
                             FloatType::F64, {.rounding = rounding}));
}
/// To f16 or bf16; a number too large becomes infinite.
template <class From>
inline uint16_t intToHalf(From x, FloatType to,
                          Rounding rounding = Rounding::NearestEven) {
  return static_cast<uint16_t>(
      convertInt(static_cast<uint64_t>(static_cast<int64_t>(x)),
                 std::is_signed_v<From>, to, {.rounding = rounding}));
}

//===-- Integers to integers ----------------------------------------------===//

/// cvt.To.From, with .sat: clamped to To's range.
template <class To, class From> constexpr To intToInt(From x, bool isSat) {
  if (!isSat)
    return static_cast<To>(x);
  // Compared in 128 bits, where every pair is at home.
  auto wide = static_cast<__int128>(x);
  __int128 low = std::numeric_limits<To>::min();
  __int128 high = std::numeric_limits<To>::max();
  return static_cast<To>(wide < low ? low : wide > high ? high : wide);
}

//===-- Packed ------------------------------------------------------------===//

constexpr uint32_t packPair(uint16_t high, uint16_t low) {
  return static_cast<uint32_t>(high) << 16 | low;
}
constexpr uint16_t lowHalf(uint32_t pair) {
  return static_cast<uint16_t>(pair);
}
constexpr uint16_t highHalf(uint32_t pair) {
  return static_cast<uint16_t>(pair >> 16);
}

/// cvt.{f16x2,bf16x2}.f32 d, a, b: a above b. `to` is F16 or BF16.
uint32_t packF32(float a, float b, FloatType to, ConvertMode mode);
/// cvt.rn.satfinite.{e4m3x2,e5m2x2}.f32 d, a, b: a in the upper byte.
uint16_t packF8(float a, float b, FloatType to, bool relu);
/// cvt.rn.satfinite.{e4m3x2,e5m2x2}.f16x2 d, a.
uint16_t f16PairToF8(uint32_t pair, FloatType to, bool relu);
/// cvt.rn.f16x2.{e4m3x2,e5m2x2} d, a. Exact; NaN becomes 0x7fff.
uint32_t f8ToF16Pair(uint16_t bytes, FloatType from, bool relu);
/// One fp8 number.
float f8ToF32(uint8_t bits, FloatType from);
/// cvt.{rna,rn,rz}.tf32.f32: the low 13 bits of the result are zero. A NaN is
/// 0x7fffe000, but keeps its upper bits under .rna.
uint32_t f32ToTF32(float x, ConvertMode mode);

/// cvt.pack.sat.{u16,s16}.s32 d, a, b: a above b, each clamped.
uint32_t packInt16(int32_t a, int32_t b, bool isSigned);
/// cvt.pack.sat.{u8,s8,u4,s4,u2,s2}.s32.b32 d, a, b, c: a above b in the low
/// bits, c moved up behind them. `bits` is 8, 4 or 2.
uint32_t packIntSmall(int32_t a, int32_t b, uint32_t c, unsigned bits,
                      bool isSigned);

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_CONVERT_H
