//===- FloatMath.h - PTX arithmetic of f32 and f64 -------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One lane of each instruction, bit for bit as the PTX ISA says. Nearest-even
// is plain host arithmetic in branch-free functions, so that a loop over a
// warp's lanes vectorises where `mode` is a constant in it (visitFloatMode).
// The other roundings never touch the host's rounding mode: an f32 result is
// rounded to odd in double and then once more, an f64 result is made of
// integers (ExactFloat.h).
//
// NaN: every f32 result that is one is 0x7fffffff. An f64 result keeps the
// payload of the operand that is NaN (of several: the second operand's, then
// the first's; of a quotient the first's), made quiet; an invalid operation
// gives 0xfff8000000000000.
//
// The including file must be compiled with -ffp-contract=off (the pragma below
// says so to clang as well) and never with -ffast-math. With -mfma it is fast;
// without, as right.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_FLOATMATH_H
#define FK_RUNTIME_EMULATOR_FLOATMATH_H

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#if defined(__FAST_MATH__)
#error "the emulator's arithmetic needs IEEE semantics: no -ffast-math"
#endif
#if defined(__clang__)
#pragma clang fp contract(off)
#endif

/// On a lane's function, that it is inlined into the loop over lanes whatever
/// its size; before a statement, the same for the calls in it.
#define FK_LANE [[gnu::always_inline]]
#if defined(__clang__)
#define FK_INLINE_CALL [[clang::always_inline]]
#else
#define FK_INLINE_CALL
#endif

namespace fk::emulator {

enum class Rounding : uint8_t {
  NearestEven, ///< .rn, .rni
  TowardZero,  ///< .rz, .rzi
  Down,        ///< .rm, .rmi
  Up,          ///< .rp, .rpi
  NearestAway, ///< .rna
};

/// Modifiers of a floating-point instruction.
struct FloatMode {
  Rounding rounding = Rounding::NearestEven;
  bool flush = false;    ///< .ftz
  bool saturate = false; ///< .sat
  bool operator==(const FloatMode &) const = default;
};

/// Calls fn with an integral constant whose value is `mode` for the modes that
/// kernels are made of (rn, with .ftz and .sat), with `mode` itself else:
///   visitFloatMode(mode, [&](auto m) { for (l...) d[l] = addF32(a[l], b[l],
///   m); });
template <FloatMode M> struct FloatModeConstant {
  constexpr operator FloatMode() const { return M; }
};
template <class Fn> void visitFloatMode(FloatMode mode, Fn fn) {
  if (mode.rounding != Rounding::NearestEven)
    fn(mode);
  else if (mode.flush && mode.saturate)
    fn(FloatModeConstant<FloatMode{Rounding::NearestEven, true, true}>());
  else if (mode.flush)
    fn(FloatModeConstant<FloatMode{Rounding::NearestEven, true, false}>());
  else if (mode.saturate)
    fn(FloatModeConstant<FloatMode{Rounding::NearestEven, false, true}>());
  else
    fn(FloatModeConstant<FloatMode{}>());
}

//===-- Bits --------------------------------------------------------------===//

constexpr uint32_t nanF32 = 0x7fffffff;
constexpr uint64_t nanF64 = 0xfff8000000000000;

constexpr uint32_t toBits(float x) { return std::bit_cast<uint32_t>(x); }
constexpr uint64_t toBits(double x) { return std::bit_cast<uint64_t>(x); }
constexpr float toFloat(uint32_t bits) { return std::bit_cast<float>(bits); }
constexpr double toDouble(uint64_t bits) { return std::bit_cast<double>(bits); }

constexpr bool isNaN(float x) { return x != x; }
constexpr bool isNaN(double x) { return x != x; }
constexpr bool signBit(float x) { return toBits(x) >> 31; }
constexpr bool signBit(double x) { return toBits(x) >> 63; }

/// Subnormals become zero of the same sign.
constexpr float flushSubnormal(float x) {
  uint32_t bits = toBits(x);
  uint32_t keep = (bits & 0x7f800000) ? 0xffffffff : 0x80000000;
  return toFloat(bits & keep);
}
constexpr float flushIf(bool flush, float x) {
  return flush ? flushSubnormal(x) : x;
}
/// Clamps to [+0, 1]; NaN gives +0.
constexpr float saturate(float x) {
  x = x > 0.0f ? x : 0.0f;
  return x < 1.0f ? x : 1.0f;
}
constexpr double saturate(double x) {
  x = x > 0.0 ? x : 0.0;
  return x < 1.0 ? x : 1.0;
}
constexpr float canonical(float x) { return isNaN(x) ? toFloat(nanF32) : x; }
constexpr double quiet(double x) {
  return toDouble(toBits(x) | 0x0008000000000000);
}
/// What every f32 instruction does to its result at last.
constexpr float finish(float x, FloatMode mode) {
  x = flushIf(mode.flush, canonical(x));
  return mode.saturate ? saturate(x) : x;
}

/// The root, without a thought of errno.
inline float hostRoot(float x) {
#if defined(__clang__)
  return __builtin_elementwise_sqrt(x);
#else
  return std::sqrt(x);
#endif
}
inline double hostRoot(double x) {
#if defined(__clang__)
  return __builtin_elementwise_sqrt(x);
#else
  return std::sqrt(x);
#endif
}

//===-- Rounding by hand --------------------------------------------------===//

/// `sum` + `error` (an exact, smaller rest) with the last bit set where it is
/// inexact. A later rounding to 51 bits or fewer, in any mode, is then right.
constexpr double roundToOdd(double sum, double error) {
  uint64_t bits = toBits(sum);
  bool isInexact = (error > 0) | (error < 0);
  uint64_t step = (error > 0) == (sum > 0) ? 1 : ~uint64_t(0);
  bool isMoved = isInexact & !(bits & 1);
  return toDouble(isMoved ? bits + step : bits);
}

/// The rest of s = a + b (Knuth); of no value where s is not finite.
constexpr double sumError(double a, double b, double s) {
  double t = s - a;
  return (a - (s - t)) + (b - t);
}

/// One step in the order of numbers, from a value that is not the end of it.
constexpr float nextBelow(float x) {
  return toFloat(signBit(x) ? toBits(x) + 1 : toBits(x) - 1);
}
constexpr float nextAbove(float x) {
  return toFloat(signBit(x) ? toBits(x) - 1 : toBits(x) + 1);
}

/// double to float in any mode but NearestAway; NaN stays some NaN.
FK_LANE constexpr float roundToFloat(double x, Rounding rounding) {
  float nearest = static_cast<float>(x);
  if (rounding == Rounding::NearestEven)
    return nearest;
  bool isDown =
      rounding == Rounding::Down || (rounding == Rounding::TowardZero && x > 0);
  bool isUp =
      rounding == Rounding::Up || (rounding == Rounding::TowardZero && x < 0);
  double back = nearest;
  if (isDown && back > x)
    return nextBelow(nearest);
  if (isUp && back < x)
    return nextAbove(nearest);
  return nearest;
}

/// The zero that a sum of two terms gives where it cancels or both are zero:
/// -0 when rounding down, except for +0 + +0.
constexpr double fixZeroSum(double sum, double a, double b, Rounding rounding) {
  bool isNegative = rounding == Rounding::Down ? signBit(a) || signBit(b)
                                               : signBit(a) && signBit(b);
  // Inexact sums are never zero here: every operand comes from f32.
  return sum == 0 ? (isNegative ? -0.0 : 0.0) : sum;
}

//===-- f32 ---------------------------------------------------------------===//

/// a + b of values that double holds exactly, rounded once.
FK_LANE constexpr float addDirected(double a, double b, Rounding rounding) {
  double sum = a + b;
  double error = sumError(a, b, sum);
  return roundToFloat(fixZeroSum(roundToOdd(sum, error), a, b, rounding),
                      rounding);
}

FK_LANE constexpr float addF32(float a, float b, FloatMode mode = {}) {
  a = flushIf(mode.flush, a);
  b = flushIf(mode.flush, b);
  return finish(mode.rounding == Rounding::NearestEven
                    ? a + b
                    : addDirected(a, b, mode.rounding),
                mode);
}
FK_LANE constexpr float subF32(float a, float b, FloatMode mode = {}) {
  return addF32(a, -b, mode);
}
FK_LANE constexpr float mulF32(float a, float b, FloatMode mode = {}) {
  a = flushIf(mode.flush, a);
  b = flushIf(mode.flush, b);
  return finish(mode.rounding == Rounding::NearestEven
                    ? a * b
                    : roundToFloat(static_cast<double>(a) * b, mode.rounding),
                mode);
}
FK_LANE inline float fmaF32(float a, float b, float c, FloatMode mode = {}) {
  a = flushIf(mode.flush, a);
  b = flushIf(mode.flush, b);
  c = flushIf(mode.flush, c);
#if defined(__FMA__)
  if (mode.rounding == Rounding::NearestEven)
    return finish(__builtin_fmaf(a, b, c), mode);
#endif
  // The product of two f32 is exact in double.
  return finish(addDirected(static_cast<double>(a) * b, c, mode.rounding),
                mode);
}

/// div.rn, .rz, .rm, .rp. The remainder of a nearest quotient is exact, and its
/// sign says on which side the quotient lies.
FK_LANE inline float divF32(float a, float b, FloatMode mode = {}) {
  a = flushIf(mode.flush, a);
  b = flushIf(mode.flush, b);
  if (mode.rounding == Rounding::NearestEven)
    return finish(a / b, mode);
  double quotient = static_cast<double>(a) / b;
  double rest = std::fma(-quotient, static_cast<double>(b), a);
  double error = b < 0 ? -rest : rest;
  return finish(roundToFloat(roundToOdd(quotient, error), mode.rounding), mode);
}
FK_LANE inline float rcpF32(float a, FloatMode mode = {}) {
  return divF32(1.0f, a, mode);
}
/// -0 has the root -0, other negative numbers have none. The roots are taken of
/// magnitudes: clang drops a choice between a NaN and the root of a negative
/// number, and with it which NaN it was.
FK_LANE inline float sqrtF32(float a, FloatMode mode = {}) {
  a = flushIf(mode.flush, a);
  float magnitude = toFloat(toBits(a) & 0x7fffffff), root = 0;
  if (mode.rounding == Rounding::NearestEven) {
    root = hostRoot(magnitude);
  } else {
    double wide = magnitude, nearest = hostRoot(wide);
    double rest = std::fma(-nearest, nearest, wide);
    root = roundToFloat(roundToOdd(nearest, rest), mode.rounding);
  }
  root = toFloat(toBits(root) | (toBits(a) & 0x80000000));
  return finish(a < 0 ? toFloat(nanF32) : root, mode);
}

/// abs.f32 and neg.f32 are additions on the GPU: a NaN becomes canonical.
constexpr float absF32(float a, bool flush = false) {
  return flushIf(flush, canonical(toFloat(toBits(a) & 0x7fffffff)));
}
constexpr float negF32(float a, bool flush = false) {
  return flushIf(flush, canonical(toFloat(toBits(a) ^ 0x80000000)));
}
/// copysign d, a, b: the sign of a, the magnitude of b.
constexpr float copySignF32(float a, float b) {
  return toFloat((toBits(a) & 0x80000000) | (toBits(b) & 0x7fffffff));
}

//===-- Minimum and maximum -----------------------------------------------===//

struct MinMaxMode {
  bool isMax = false;
  bool flush = false;        ///< .ftz
  bool propagateNaN = false; ///< .NaN
  bool xorSign = false;      ///< .xorsign.abs
  bool isAbsolute = false;   ///< .abs of the forms with three inputs
};

/// Of numbers; -0 is below +0.
template <class T> constexpr T pickMinMax(T a, T b, bool isMax) {
  // Equal zeros are told apart by their sign.
  bool isBelow = a < b || (a == b && signBit(a));
  return isBelow == isMax ? b : a;
}
FK_LANE constexpr float minMaxF32(float a, float b, MinMaxMode mode) {
  a = flushIf(mode.flush, a);
  b = flushIf(mode.flush, b);
  uint32_t sign = (toBits(a) ^ toBits(b)) & 0x80000000;
  if (mode.xorSign || mode.isAbsolute) {
    a = toFloat(toBits(a) & 0x7fffffff);
    b = toFloat(toBits(b) & 0x7fffffff);
  }
  float result = pickMinMax(a, b, mode.isMax);
  result = isNaN(a) ? b : isNaN(b) ? a : result;
  if (mode.propagateNaN)
    result = isNaN(a) || isNaN(b) ? toFloat(nanF32) : result;
  if (mode.xorSign)
    result = toFloat((toBits(result) & 0x7fffffff) | sign);
  return canonical(result);
}
/// min and max of f64; NaN only where both are: the second one.
constexpr double minMaxF64(double a, double b, bool isMax) {
  double result = pickMinMax(a, b, isMax);
  result = isNaN(b) ? a : result;
  return isNaN(a) ? (isNaN(b) ? quiet(b) : b) : result;
}

//===-- f64 ---------------------------------------------------------------===//

/// The NaN of an f64 instruction whose host result is `result`.
constexpr double finishF64(double result, double a, double b) {
  double nan = isNaN(b) ? quiet(b) : isNaN(a) ? quiet(a) : toDouble(nanF64);
  return isNaN(result) ? nan : result;
}
constexpr double finishF64(double result, double a, double b, double c) {
  double nan = isNaN(b)   ? quiet(b)
               : isNaN(a) ? quiet(a)
               : isNaN(c) ? quiet(c)
                          : toDouble(nanF64);
  return isNaN(result) ? nan : result;
}

/// Of finite operands, rounded by `rounding` (FloatMath.cpp).
double addDirectedF64(double a, double b, Rounding rounding);
double mulDirectedF64(double a, double b, Rounding rounding);
double fmaDirectedF64(double a, double b, double c, Rounding rounding);
double divDirectedF64(double a, double b, Rounding rounding);
double sqrtDirectedF64(double a, Rounding rounding);

inline double addF64(double a, double b,
                     Rounding rounding = Rounding::NearestEven) {
  return finishF64(rounding == Rounding::NearestEven
                       ? a + b
                       : addDirectedF64(a, b, rounding),
                   a, b);
}
inline double subF64(double a, double b,
                     Rounding rounding = Rounding::NearestEven) {
  return finishF64(rounding == Rounding::NearestEven
                       ? a - b
                       : addDirectedF64(a, -b, rounding),
                   a, b);
}
inline double mulF64(double a, double b,
                     Rounding rounding = Rounding::NearestEven) {
  return finishF64(rounding == Rounding::NearestEven
                       ? a * b
                       : mulDirectedF64(a, b, rounding),
                   a, b);
}
inline double fmaF64(double a, double b, double c,
                     Rounding rounding = Rounding::NearestEven) {
  return finishF64(rounding == Rounding::NearestEven
                       ? __builtin_fma(a, b, c)
                       : fmaDirectedF64(a, b, c, rounding),
                   a, b, c);
}
inline double divF64(double a, double b,
                     Rounding rounding = Rounding::NearestEven) {
  return finishF64(rounding == Rounding::NearestEven
                       ? a / b
                       : divDirectedF64(a, b, rounding),
                   b, a);
}
inline double rcpF64(double a, Rounding rounding = Rounding::NearestEven) {
  return divF64(1.0, a, rounding);
}
inline double sqrtF64(double a, Rounding rounding = Rounding::NearestEven) {
  if (rounding != Rounding::NearestEven)
    return finishF64(sqrtDirectedF64(a, rounding), a, a);
  double root = hostRoot(toDouble(toBits(a) & 0x7fffffffffffffff));
  root = toDouble(toBits(root) | (toBits(a) & 0x8000000000000000));
  return finishF64(a < 0 ? toDouble(nanF64) : root, a, a);
}
/// abs.f64 and neg.f64 change the sign bit; a NaN becomes quiet and keeps it.
constexpr double absF64(double a) {
  double result = toDouble(toBits(a) & 0x7fffffffffffffff);
  return isNaN(a) ? quiet(a) : result;
}
constexpr double negF64(double a) {
  double result = toDouble(toBits(a) ^ 0x8000000000000000);
  return isNaN(a) ? quiet(a) : result;
}
constexpr double copySignF64(double a, double b) {
  return toDouble((toBits(a) & 0x8000000000000000) |
                  (toBits(b) & 0x7fffffffffffffff));
}

//===-- Predicates --------------------------------------------------------===//

enum class TestProperty : uint8_t {
  Finite,
  Infinite,
  Number,
  NotANumber,
  Normal, ///< zero counts
  Subnormal
};
/// testp.
template <class T> constexpr bool testProperty(T x, TestProperty property) {
  bool isSingle = sizeof(T) == 4;
  auto bits = static_cast<uint64_t>(toBits(x));
  bits &= isSingle ? 0x7fffffff : 0x7fffffffffffffff;
  uint64_t infinity = isSingle ? 0x7f800000 : 0x7ff0000000000000;
  uint64_t smallest = isSingle ? 0x00800000 : 0x0010000000000000;
  switch (property) {
  case TestProperty::Finite:
    return bits < infinity;
  case TestProperty::Infinite:
    return bits == infinity;
  case TestProperty::Number:
    return bits <= infinity;
  case TestProperty::NotANumber:
    return bits > infinity;
  case TestProperty::Normal:
    return bits == 0 || (bits >= smallest && bits < infinity);
  case TestProperty::Subnormal:
    return bits != 0 && bits < smallest;
  }
  return false;
}

/// The comparisons of setp, set and slct on floats: ordered ones are false for
/// NaN, the others true.
enum class FloatCompare : uint8_t {
  EQ,
  NE,
  LT,
  LE,
  GT,
  GE,
  EQU,
  NEU,
  LTU,
  LEU,
  GTU,
  GEU,
  Num,
  NaN
};
/// Flush f32 operands first where the instruction says .ftz.
template <class T> constexpr bool compareFloat(T a, T b, FloatCompare compare) {
  bool isUnordered = isNaN(a) || isNaN(b);
  switch (compare) {
  case FloatCompare::EQ:
    return a == b;
  case FloatCompare::NE:
    return !isUnordered && a != b;
  case FloatCompare::LT:
    return a < b;
  case FloatCompare::LE:
    return a <= b;
  case FloatCompare::GT:
    return a > b;
  case FloatCompare::GE:
    return a >= b;
  case FloatCompare::EQU:
    return isUnordered || a == b;
  case FloatCompare::NEU:
    return a != b;
  case FloatCompare::LTU:
    return !(a >= b);
  case FloatCompare::LEU:
    return !(a > b);
  case FloatCompare::GTU:
    return !(a <= b);
  case FloatCompare::GEU:
    return !(a < b);
  case FloatCompare::Num:
    return !isUnordered;
  case FloatCompare::NaN:
    return isUnordered;
  }
  return false;
}

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_FLOATMATH_H
