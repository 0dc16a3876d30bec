//===- Approx.h - PTX's approximate functions ------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Each is computed in double to about 1e-13 and rounded once, so that it lies
// within half a unit of the true value (or as its comment says), well inside
// the ISA's bound. Zeros, infinities, NaN and subnormals are as the ISA's
// tables have them. Nothing calls libm but sqrt, which is exact: results do not
// depend on the host.
//
//   function      bound of the ISA                       here
//   rcp.approx    1 ulp                                  0.5 ulp
//   div.approx    2 ulp for |b| in [2^-126, 2^126]       1.5 ulp
//   div.full      2 ulp                                  1.5 ulp
//   sqrt.approx   relative 2^-23                         0.5 ulp
//   rsqrt.approx  relative 2^-22.9                       0.5 ulp
//   ex2.approx    2 ulp; relative 2^-22.5 (ISA 8)        0.5 ulp
//   lg2.approx    absolute 2^-22 in [0.5, 2],
//                 relative 2^-22 elsewhere               0.5 ulp
//   sin, cos      absolute 2^-20.5 in [-2pi, 2pi],
//                 2^-14.7 in [-100pi, 100pi]             the GPU's own
//                 reduction
//   tanh.approx   relative 2^-11                         0.5 ulp
//   ex2 f16       relative 2^-9.9                        0.5 ulp of f16
//   ex2 bf16      relative 2^-7                          0.5 ulp of bf16
//   tanh f16      absolute 2^-10.987                     0.5 ulp of f16
//   tanh bf16     absolute 2^-8                          0.5 ulp of bf16
//   rcp, rsqrt .approx.ftz.f64
//                 upper 32 bits of operand and result    0.5 of bit 32
//   rsqrt.approx.f64  none stated                        1 ulp
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_APPROX_H
#define FK_RUNTIME_EMULATOR_APPROX_H

#include "runtime/emulator/HalfMath.h"

#include <cstdint>

namespace fk::emulator {

//===-- In double ---------------------------------------------------------===//

/// 2^x for |x| < 1000, clamped there; NaN gives some NaN.
FK_LANE constexpr double exp2Core(double x) {
  x = x > 1000.0 ? 1000.0 : x;
  x = x < -1000.0 ? -1000.0 : x;
  // Adding 1.5 * 2^52 leaves the nearest integer in the low bits.
  double shifted = x + 0x1.8p52;
  double whole = shifted - 0x1.8p52;
  double r = (x - whole) * 0.69314718055994530942; // |r| < 0.347
  double p = 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  return toDouble(toBits(p) + (toBits(shifted) << 52));
}

/// log2 of a positive, finite, normal x.
FK_LANE constexpr double log2Core(double x) {
  // x = 2^k * m with m in [sqrt(1/2), sqrt(2)).
  uint64_t biased = toBits(x) - 0x3fe6a09e667f3bcd + (uint64_t(1024) << 52);
  uint64_t k = biased >> 52; // the exponent + 1024
  double exponent = toDouble(0x4330000000000000 | k) - (0x1p52 + 1024);
  double m = toDouble(toBits(x) - ((k - 1024) << 52));
  double s = (m - 1.0) / (m + 1.0); // |s| < 0.1716
  double z = s * s;
  double p = 1.0 / 19;
  p = p * z + 1.0 / 17;
  p = p * z + 1.0 / 15;
  p = p * z + 1.0 / 13;
  p = p * z + 1.0 / 11;
  p = p * z + 1.0 / 9;
  p = p * z + 1.0 / 7;
  p = p * z + 1.0 / 5;
  p = p * z + 1.0 / 3;
  p = p * z + 1.0;
  return exponent + 2.8853900817779268147 * s * p; // 2 / ln 2
}

/// The sine of `turns` whole turns, a quarter turn later where isCosine.
FK_LANE inline double sinTurnsCore(double turns, bool isCosine) {
  double quarters = turns * 4.0;
  double nearest = __builtin_roundeven(quarters);
  double r = (quarters - nearest) * 1.57079632679489661923; // |r| < pi / 4
  double quadrant = nearest + (isCosine ? 1.0 : 0.0);
  quadrant -= 4.0 * __builtin_floor(quadrant * 0.25); // 0, 1, 2, 3
  double z = r * r;
  double s = -1.0 / 1307674368000;
  s = s * z + 1.0 / 6227020800;
  s = s * z - 1.0 / 39916800;
  s = s * z + 1.0 / 362880;
  s = s * z - 1.0 / 5040;
  s = s * z + 1.0 / 120;
  s = s * z - 1.0 / 6;
  s = s * z * r + r;
  double c = 1.0 / 20922789888000;
  c = c * z - 1.0 / 87178291200;
  c = c * z + 1.0 / 479001600;
  c = c * z - 1.0 / 3628800;
  c = c * z + 1.0 / 40320;
  c = c * z - 1.0 / 720;
  c = c * z + 1.0 / 24;
  c = c * z - 0.5;
  c = c * z + 1.0;
  bool isOdd = (quadrant == 1.0) | (quadrant == 3.0);
  double value = isOdd ? c : s;
  return quadrant >= 2.0 ? -value : value;
}

FK_LANE constexpr double tanhCore(double x) {
  double y = x * x;
  double small = x * (((y + 378.0) * y + 17325.0) * y + 135135.0) /
                 (((28.0 * y + 3150.0) * y + 62370.0) * y + 135135.0);
  double e = exp2Core(x * 2.8853900817779268147); // e^(2x)
  double large = (e - 1.0) / (e + 1.0);
  return y < 0.25 ? small : large;
}

//===-- f32 ---------------------------------------------------------------===//

FK_LANE inline float rcpApproxF32(float x, bool flush) {
  return rcpF32(x, {Rounding::NearestEven, flush, false});
}
FK_LANE inline float sqrtApproxF32(float x, bool flush) {
  return sqrtF32(x, {Rounding::NearestEven, flush, false});
}
/// -0 and, flushed, negative subnormals give -inf; other negatives NaN.
FK_LANE inline float rsqrtApproxF32(float x, bool flush) {
  double root = hostRoot(static_cast<double>(flushIf(flush, x)));
  return finish(static_cast<float>(1.0 / root), {.flush = flush});
}

/// a times the reciprocal of b, which is zero from 2^126 on: the quotient is 0
/// there, and NaN for an infinite a.
FK_LANE inline float divApproxF32(float a, float b, bool flush) {
  if (!flush) {
    // A subnormal divisor is scaled to a normal one, together with a.
    bool isSubnormal = (toBits(b) & 0x7f800000) == 0;
    float scale = isSubnormal ? 0x1p24f : 1.0f;
    b *= scale;
    a *= scale;
  }
  FloatMode mode = {.flush = flush};
  return mulF32(a, rcpF32(b, {.flush = true}), mode);
}
FK_LANE inline float divFullF32(float a, float b, bool flush) {
  a = flushIf(flush, a);
  b = flushIf(flush, b);
  float magnitude = toFloat(toBits(b) & 0x7fffffff);
  float scale = magnitude > 0x1p126f ? 0.25f : 1.0f;
  scale = !flush && magnitude < 0x1p-126f ? 0x1p24f : scale;
  FloatMode mode = {.flush = flush};
  return mulF32(a * scale, rcpF32(b * scale, {.flush = true}), mode);
}

FK_LANE constexpr float ex2ApproxF32(float x, bool flush) {
  return finish(static_cast<float>(exp2Core(x)), {.flush = flush});
}

FK_LANE constexpr float lg2ApproxF32(float x, bool flush) {
  x = flushIf(flush, x);
  float infinity = toFloat(0x7f800000);
  float result = static_cast<float>(log2Core(x));
  result = x == 0 ? -infinity : result;
  result = x == infinity ? infinity : result;
  return x < 0 || isNaN(x) ? toFloat(nanF32) : result;
}

/// As the GPU does: the argument in turns is a float, rounded toward zero.
FK_LANE inline float sinCosApproxF32(float x, bool flush, bool isCosine) {
  x = flushIf(flush, x);
  float turns =
      mulF32(x, 0.15915493667125701904f, {Rounding::TowardZero, flush, false});
  auto result = static_cast<float>(sinTurnsCore(turns, isCosine));
  result = turns == 0 && !isCosine ? turns : result; // -0 stays
  return finish(result, {.flush = flush});
}
FK_LANE inline float sinApproxF32(float x, bool flush) {
  return sinCosApproxF32(x, flush, false);
}
FK_LANE inline float cosApproxF32(float x, bool flush) {
  return sinCosApproxF32(x, flush, true);
}

FK_LANE constexpr float tanhApproxF32(float x) {
  return finish(static_cast<float>(tanhCore(x)), {});
}

//===-- f16, bf16 ---------------------------------------------------------===//

/// ex2.approx.f16 (no .ftz) and ex2.approx.ftz.bf16.
template <HalfType H>
FK_LANE constexpr uint16_t ex2ApproxHalf(uint16_t x, bool flush) {
  using T = HalfTraits<H>;
  double result = exp2Core(T::toFloat(flushHalfIf<H>(flush, x)));
  return finishHalf<H>(T::fromDouble(result), {.flush = flush});
}
template <HalfType H> FK_LANE constexpr uint16_t tanhApproxHalf(uint16_t x) {
  using T = HalfTraits<H>;
  return T::fromDouble(tanhCore(T::toFloat(x)));
}

//===-- f64 ---------------------------------------------------------------===//

/// Rounds to the upper 32 bits; subnormals become zero.
constexpr double upperWordF64(double x) {
  uint64_t bits = toBits(x) & 0x7fffffffffffffff;
  uint64_t sign = toBits(x) & 0x8000000000000000;
  if (bits > 0x7ff0000000000000)
    return toDouble(0x7fffffff00000000);
  if (bits < 0x0010000000000000)
    return toDouble(sign);
  if (bits < 0x7ff0000000000000)
    bits += 0x7fffffff + (bits >> 32 & 1);
  return toDouble(sign | (bits & 0xffffffff00000000));
}
/// The operand's upper word; a subnormal one is zero.
constexpr double upperOperandF64(double x) {
  uint64_t bits = toBits(x) & 0xffffffff00000000;
  bool isSubnormal = (bits & 0x7ff0000000000000) == 0;
  return toDouble(isSubnormal ? bits & 0x8000000000000000 : bits);
}
constexpr double rcpApproxF64(double x) {
  double operand = upperOperandF64(x);
  return upperWordF64(isNaN(x) ? x : 1.0 / operand);
}
inline double rsqrtApproxFtzF64(double x) {
  double operand = upperOperandF64(x);
  return upperWordF64(isNaN(x) ? x : 1.0 / hostRoot(operand));
}
inline double rsqrtApproxF64(double x) {
  return finishF64(1.0 / hostRoot(x), x, x);
}

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_APPROX_H
