//===- EmulatorApproxTest.cpp - Approximations within the ISA's bounds ----===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The reference is libm's long double.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Approx.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace fk::emulator;

namespace {

/// Units of the last place of float that `got` lies from `want`.
double unitsOff(float got, long double want) {
  if (std::isinf(got) || want == 0)
    return got == static_cast<float>(want) ? 0 : 1e9;
  int exponent = std::max(std::ilogb(want), -126);
  return double(std::fabs(got - want) * std::exp2(23.0L - exponent));
}

TEST(Approx, WithinHalfAUnit) {
  std::mt19937 random(9);
  for (int i = 0; i < 300000; ++i) {
    float x = toFloat(static_cast<uint32_t>(random()));
    if (isNaN(x) || std::isinf(x))
      continue;
    float y = std::fabs(x);
    float e = std::fmod(x, 150.0f);
    ASSERT_LE(unitsOff(ex2ApproxF32(e, false), std::exp2((long double)e)),
              0.5001)
        << e;
    ASSERT_LE(unitsOff(lg2ApproxF32(y, false), std::log2((long double)y)),
              0.5001)
        << y;
    ASSERT_LE(
        unitsOff(rsqrtApproxF32(y, false), 1.0L / std::sqrt((long double)y)),
        0.5001)
        << y;
    ASSERT_LE(unitsOff(tanhApproxF32(e / 16), std::tanh((long double)(e / 16))),
              0.5001)
        << e / 16;
    ASSERT_LE(unitsOff(tanhApproxF32(x), std::tanh((long double)x)), 0.5001);
  }
  for (int i = 0; i <= 20000; ++i) { // where log2 is small
    float x = 0.75f + float(i) * 0x1p-15f;
    ASSERT_LE(unitsOff(lg2ApproxF32(x, true), std::log2((long double)x)),
              0.5001);
  }
}

TEST(Approx, SineAndCosineWithinTheBound) {
  for (int i = -200000; i <= 200000; ++i) {
    float x = float(i) * 3.1415e-5f; // [-2pi, 2pi]
    ASSERT_LE(std::fabs(sinApproxF32(x, false) - std::sin((long double)x)),
              std::exp2(-20.5L))
        << x;
    ASSERT_LE(std::fabs(cosApproxF32(x, true) - std::cos((long double)x)),
              std::exp2(-20.5L))
        << x;
    float far = x * 50;
    ASSERT_LE(std::fabs(sinApproxF32(far, true) - std::sin((long double)far)),
              std::exp2(-14.7L))
        << far;
    ASSERT_LE(std::fabs(cosApproxF32(far, false) - std::cos((long double)far)),
              std::exp2(-14.7L))
        << far;
  }
}

TEST(Approx, Quotients) {
  std::mt19937 random(10);
  for (int i = 0; i < 200000; ++i) {
    float a =
        toFloat((static_cast<uint32_t>(random()) & 0x9fffffff) + 0x28000000);
    float b =
        toFloat((static_cast<uint32_t>(random()) & 0x9fffffff) + 0x28000000);
    long double want = (long double)a / b;
    ASSERT_LE(unitsOff(divApproxF32(a, b, i & 1), want), 2.0) << a << ' ' << b;
    ASSERT_LE(unitsOff(divFullF32(a, b, i & 1), want), 2.0) << a << ' ' << b;
  }
  float infinity = toFloat(0x7f800000), huge = 0x1.8p126f;
  EXPECT_EQ(toBits(divApproxF32(2.0f, -huge, true)), 0x80000000u);
  EXPECT_EQ(toBits(divApproxF32(infinity, huge, false)), nanF32);
  EXPECT_EQ(divFullF32(huge, huge, true), 1.0f);
  EXPECT_EQ(divApproxF32(0x1p-130f, 0x1p-130f, false), 1.0f);
  EXPECT_EQ(toBits(divApproxF32(1.0f, 0x1p-130f, true)), 0x7f800000u);
  EXPECT_EQ(toBits(rcpApproxF32(-0.0f, true)), 0xff800000u);
  EXPECT_EQ(toBits(rcpApproxF32(0x1.8p127f, true)), 0u);
  EXPECT_EQ(rcpApproxF32(0x1p127f, false), 0x1p-127f);
}

TEST(Approx, SpecialValues) {
  float infinity = toFloat(0x7f800000), nan = toFloat(0xffc12345);
  float subnormal = toFloat(0x00400000);
  auto bits = [](float x) { return toBits(x); };
  for (bool flush : {false, true}) {
    EXPECT_EQ(ex2ApproxF32(-infinity, flush), 0.0f);
    EXPECT_EQ(ex2ApproxF32(infinity, flush), infinity);
    EXPECT_EQ(ex2ApproxF32(-subnormal, flush), 1.0f);
    EXPECT_EQ(bits(ex2ApproxF32(nan, flush)), nanF32);
    EXPECT_EQ(ex2ApproxF32(-127.0f, flush), flush ? 0.0f : 0x1p-127f);
    EXPECT_EQ(ex2ApproxF32(128.0f, flush), infinity);
    EXPECT_EQ(lg2ApproxF32(0.0f, flush), -infinity);
    EXPECT_EQ(lg2ApproxF32(-0.0f, flush), -infinity);
    EXPECT_EQ(lg2ApproxF32(infinity, flush), infinity);
    EXPECT_EQ(bits(lg2ApproxF32(-1.0f, flush)), nanF32);
    EXPECT_EQ(bits(lg2ApproxF32(-infinity, flush)), nanF32);
    EXPECT_EQ(lg2ApproxF32(subnormal, flush), flush ? -infinity : -127.0f);
    EXPECT_EQ(bits(lg2ApproxF32(-subnormal, flush)),
              flush ? 0xff800000u : nanF32);
    EXPECT_EQ(bits(rsqrtApproxF32(-0.0f, flush)), 0xff800000u);
    EXPECT_EQ(rsqrtApproxF32(infinity, flush), 0.0f);
    EXPECT_EQ(bits(rsqrtApproxF32(-1.0f, flush)), nanF32);
    EXPECT_EQ(bits(rsqrtApproxF32(-subnormal, flush)),
              flush ? 0xff800000u : nanF32);
    EXPECT_EQ(bits(sqrtApproxF32(-0.0f, flush)), 0x80000000u);
    EXPECT_EQ(bits(sqrtApproxF32(-subnormal, flush)),
              flush ? 0x80000000u : nanF32);
    EXPECT_EQ(bits(sinApproxF32(-0.0f, flush)), 0x80000000u);
    EXPECT_EQ(bits(sinApproxF32(infinity, flush)), nanF32);
    EXPECT_EQ(cosApproxF32(subnormal, flush), 1.0f);
    EXPECT_EQ(bits(cosApproxF32(nan, flush)), nanF32);
  }
  EXPECT_EQ(bits(tanhApproxF32(-0.0f)), 0x80000000u);
  EXPECT_EQ(tanhApproxF32(subnormal), subnormal);
  EXPECT_EQ(tanhApproxF32(-infinity), -1.0f);
  EXPECT_EQ(bits(tanhApproxF32(nan)), nanF32);
}

TEST(Approx, HalvesAndDoubles) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    auto x = static_cast<uint16_t>(i);
    float value = f16ToF32(x), wide = bf16ToF32(x);
    if (!isNaN(value)) {
      ASSERT_EQ(ex2ApproxHalf<HalfType::F16>(x, false),
                f64ToF16(std::exp2(double(value))));
      ASSERT_EQ(tanhApproxHalf<HalfType::F16>(x),
                f64ToF16(std::tanh(double(value))));
    }
    if (!isNaN(wide))
      ASSERT_EQ(tanhApproxHalf<HalfType::BF16>(x),
                f64ToBF16(std::tanh(double(wide))));
  }
  EXPECT_EQ(ex2ApproxHalf<HalfType::BF16>(0xc2fe, true), 0); // -127
  EXPECT_EQ(ex2ApproxHalf<HalfType::F16>(0x7e01, false), 0x7fff);
  EXPECT_EQ(rcpApproxF64(4.0), 0.25);
  EXPECT_EQ(toBits(rcpApproxF64(3.0)), 0x3fd5555500000000u);
  EXPECT_EQ(toBits(rcpApproxF64(-0x1p-1030)), 0xfff0000000000000u);
  EXPECT_EQ(toBits(rcpApproxF64(0x1.8p1023)), 0u);
  EXPECT_EQ(rsqrtApproxFtzF64(4.0), 0.5);
  EXPECT_TRUE(isNaN(rsqrtApproxFtzF64(-4.0)));
  EXPECT_EQ(rsqrtApproxF64(0.0), toDouble(0x7ff0000000000000));
}

} // namespace
