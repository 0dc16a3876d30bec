//===- EmulatorMathTest.cpp - f32, f64 and integers as PTX has them -------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// References are independent of what is tested: the processor's own rounding
// modes for floats, plain loops over bits for integers.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/ExactFloat.h"
#include "runtime/emulator/FloatMath.h"
#include "runtime/emulator/IntegerMath.h"

#include <gtest/gtest.h>

#include <cfenv>
#include <random>
#include <vector>

using namespace fk::emulator;

namespace {

constexpr Rounding directed[] = {Rounding::NearestEven, Rounding::TowardZero,
                                 Rounding::Down, Rounding::Up};

int toHost(Rounding rounding) {
  switch (rounding) {
  case Rounding::TowardZero:
    return FE_TOWARDZERO;
  case Rounding::Down:
    return FE_DOWNWARD;
  case Rounding::Up:
    return FE_UPWARD;
  default:
    return FE_TONEAREST;
  }
}

/// fn() under the processor's rounding mode. Operands and results of fn are
/// volatile, so that nothing is computed elsewhere.
template <class Fn> auto withHostRounding(Rounding rounding, Fn fn) {
  std::fesetround(toHost(rounding));
  auto result = fn();
  std::fesetround(FE_TONEAREST);
  return result;
}

std::vector<float> floats() {
  std::vector<float> values;
  for (uint32_t bits :
       {0x00000000u, 0x00000001u, 0x00000002u, 0x007fffffu, 0x00800000u,
        0x00800001u, 0x33800000u, 0x33800001u, 0x34000000u, 0x3effffffu,
        0x3f000000u, 0x3f000001u, 0x3f7fffffu, 0x3f800000u, 0x3f800001u,
        0x3fc00000u, 0x40490fdbu, 0x4b000001u, 0x4b7fffffu, 0x4b800000u,
        0x5f000000u, 0x7e800000u, 0x7f000000u, 0x7f7fffffu, 0x7f800000u,
        0x7f800001u, 0x7fc00000u, 0x7fffffffu}) {
    values.push_back(toFloat(bits));
    values.push_back(toFloat(bits | 0x80000000u));
  }
  std::mt19937 random(5);
  for (int i = 0; i < 60; ++i)
    values.push_back(toFloat(static_cast<uint32_t>(random())));
  for (int i = 0; i < 40; ++i) // near each other, so that sums cancel
    values.push_back(
        toFloat((static_cast<uint32_t>(random()) & 0x81ffffffu) | 0x3f000000u));
  return values;
}

std::vector<double> doubles() {
  std::vector<double> values;
  for (uint64_t bits :
       {0x0ull, 0x1ull, 0x000fffffffffffffull, 0x0010000000000000ull,
        0x3ca0000000000000ull, 0x3ca0000000000001ull, 0x3fe0000000000000ull,
        0x3fefffffffffffffull, 0x3ff0000000000000ull, 0x3ff0000000000001ull,
        0x400921fb54442d18ull, 0x4340000000000001ull, 0x5fe0000000000000ull,
        0x7fe0000000000000ull, 0x7fefffffffffffffull, 0x7ff0000000000000ull}) {
    values.push_back(toDouble(bits));
    values.push_back(toDouble(bits | 0x8000000000000000ull));
  }
  std::mt19937_64 random(6);
  for (int i = 0; i < 40; ++i)
    values.push_back(toDouble(random()));
  for (int i = 0; i < 40; ++i)
    values.push_back(
        toDouble((random() & 0x803fffffffffffffull) | 0x3fc0000000000000ull));
  for (int i = 0; i < 16; ++i) // products of these are subnormal
    values.push_back(
        toDouble((random() & 0x801fffffffffffffull) | 0x1fe0000000000000ull));
  return values;
}

uint32_t expectF32(float host) { return host != host ? nanF32 : toBits(host); }

TEST(FloatMath, BinaryF32InEveryRounding) {
  for (Rounding rounding : directed)
    for (float a : floats())
      for (float b : floats()) {
        volatile float x = a, y = b;
        FloatMode mode = {rounding, false, false};
        SCOPED_TRACE(::testing::Message()
                     << std::hex << toBits(a) << ' ' << toBits(b) << " mode "
                     << int(rounding));
        ASSERT_EQ(toBits(addF32(a, b, mode)),
                  expectF32(withHostRounding(rounding, [&]() -> float {
                    volatile float r = x + y;
                    return r;
                  })));
        ASSERT_EQ(toBits(subF32(a, b, mode)),
                  expectF32(withHostRounding(rounding, [&]() -> float {
                    volatile float r = x - y;
                    return r;
                  })));
        ASSERT_EQ(toBits(mulF32(a, b, mode)),
                  expectF32(withHostRounding(rounding, [&]() -> float {
                    volatile float r = x * y;
                    return r;
                  })));
        ASSERT_EQ(toBits(divF32(a, b, mode)),
                  expectF32(withHostRounding(rounding, [&]() -> float {
                    volatile float r = x / y;
                    return r;
                  })));
      }
}

TEST(FloatMath, FmaAndRootF32InEveryRounding) {
  std::vector<float> values = floats();
  for (Rounding rounding : directed) {
    FloatMode mode = {rounding, false, false};
    for (float a : values) {
      volatile float x = a;
      ASSERT_EQ(toBits(sqrtF32(a, mode)),
                expectF32(withHostRounding(rounding, [&]() -> float {
                  volatile float r = std::sqrt(x);
                  return r;
                })));
      for (float b : values)
        for (float c : {values[0], values[1], values[3], values[27], values[28],
                        values[48], toFloat(toBits(a * b) ^ 0x80000000),
                        toFloat(toBits(a * b) ^ 0x80000001), values[70]}) {
          volatile float y = b, z = c;
          ASSERT_EQ(toBits(fmaF32(a, b, c, mode)),
                    expectF32(withHostRounding(rounding,
                                               [&]() -> float {
                                                 volatile float r =
                                                     std::fma(x, y, z);
                                                 return r;
                                               })))
              << std::hex << toBits(a) << ' ' << toBits(b) << ' ' << toBits(c)
              << " mode " << int(rounding);
        }
    }
  }
}

TEST(FloatMath, F64InEveryRounding) {
  std::vector<double> values = doubles();
  auto same = [](double got, double host) {
    return got != got ? host != host : toBits(got) == toBits(host);
  };
  for (Rounding rounding : directed)
    for (double a : values) {
      volatile double x = a;
      ASSERT_TRUE(same(sqrtF64(a, rounding),
                       withHostRounding(rounding,
                                        [&]() -> double {
                                          volatile double r = std::sqrt(x);
                                          return r;
                                        })))
          << a;
      for (double b : values) {
        volatile double y = b;
        SCOPED_TRACE(::testing::Message() << std::hexfloat << a << ' ' << b
                                          << " mode " << int(rounding));
        ASSERT_TRUE(same(addF64(a, b, rounding),
                         withHostRounding(rounding, [&]() -> double {
                           volatile double r = x + y;
                           return r;
                         })));
        ASSERT_TRUE(same(mulF64(a, b, rounding),
                         withHostRounding(rounding, [&]() -> double {
                           volatile double r = x * y;
                           return r;
                         })));
        ASSERT_TRUE(same(divF64(a, b, rounding),
                         withHostRounding(rounding, [&]() -> double {
                           volatile double r = x / y;
                           return r;
                         })));
        for (double c : {0.0, -0.0, 1.0, -a * b, 0x1p-1074, -0x1p1023,
                         toDouble(toBits(-a * b) ^ 1)}) {
          volatile double z = c;
          ASSERT_TRUE(same(fmaF64(a, b, c, rounding),
                           withHostRounding(rounding,
                                            [&]() -> double {
                                              volatile double r =
                                                  std::fma(x, y, z);
                                              return r;
                                            })))
              << c;
        }
      }
    }
}

TEST(FloatMath, NaNsOfF64KeepTheirPayload) {
  double first = toDouble(0x7ff0000000000123),
         second = toDouble(0xfff8000000000456);
  EXPECT_EQ(toBits(addF64(first, second)), 0xfff8000000000456u);
  EXPECT_EQ(toBits(divF64(first, second)), 0x7ff8000000000123u);
  EXPECT_EQ(toBits(fmaF64(first, second, 1.0)), 0xfff8000000000456u);
  EXPECT_EQ(toBits(absF64(second)), 0xfff8000000000456u);
  EXPECT_EQ(toBits(mulF64(1.0, second)), 0xfff8000000000456u);
  EXPECT_EQ(toBits(fmaF64(1.0, 2.0, first)), 0x7ff8000000000123u);
  double infinity = toDouble(0x7ff0000000000000);
  EXPECT_EQ(toBits(subF64(infinity, infinity)), nanF64);
  EXPECT_EQ(toBits(mulF64(infinity, 0.0, Rounding::Up)), nanF64);
  EXPECT_EQ(toBits(sqrtF64(-1.0)), nanF64);
}

TEST(FloatMath, FlushAndSaturate) {
  FloatMode flush = {Rounding::NearestEven, true, false};
  FloatMode saturate = {Rounding::NearestEven, false, true};
  float tiny = toFloat(0x00400000);
  EXPECT_EQ(toBits(addF32(tiny, 0.0f, flush)), 0u);
  EXPECT_EQ(toBits(addF32(-tiny, -0.0f, flush)), 0x80000000u);
  EXPECT_EQ(toBits(mulF32(0x1p-100f, 0x1p-28f, flush)), 0u);
  EXPECT_EQ(toBits(mulF32(-0x1p-100f, 0x1p-26f, flush)), 0x80800000u);
  // Each operand is flushed, not the exact sum.
  EXPECT_EQ(toBits(fmaF32(tiny, 2.0f, 0.0f, flush)), 0u);
  EXPECT_EQ(toBits(fmaF32(tiny, 2.0f, 0.0f)), 0x00800000u);
  EXPECT_EQ(addF32(3.0f, 4.0f, saturate), 1.0f);
  EXPECT_EQ(addF32(0.25f, 0.5f, saturate), 0.75f);
  EXPECT_EQ(toBits(addF32(-3.0f, 1.0f, saturate)), 0u);
  EXPECT_EQ(toBits(mulF32(-0.0f, 1.0f, saturate)), 0u);
  EXPECT_EQ(toBits(mulF32(toFloat(nanF32), 1.0f, saturate)), 0u);
  for (bool f : {false, true})
    for (bool s : {false, true}) {
      FloatMode mode = {Rounding::NearestEven, f, s};
      FloatMode seen = {Rounding::Up, false, false};
      visitFloatMode(mode, [&](auto m) { seen = m; });
      EXPECT_EQ(seen, mode);
    }
}

TEST(FloatMath, MinimumAndMaximum) {
  float nan = toFloat(0xffc00001), tiny = toFloat(1);
  auto bits = [](float a, float b, MinMaxMode mode) {
    return toBits(minMaxF32(a, b, mode));
  };
  MinMaxMode min, max = {.isMax = true};
  EXPECT_EQ(bits(1, 2, min), toBits(1.0f));
  EXPECT_EQ(bits(1, 2, max), toBits(2.0f));
  EXPECT_EQ(bits(0.0f, -0.0f, min), 0x80000000u);
  EXPECT_EQ(bits(-0.0f, 0.0f, min), 0x80000000u);
  EXPECT_EQ(bits(0.0f, -0.0f, max), 0u);
  EXPECT_EQ(bits(-0.0f, 0.0f, max), 0u);
  EXPECT_EQ(bits(nan, 2, min), toBits(2.0f));
  EXPECT_EQ(bits(2, nan, max), toBits(2.0f));
  EXPECT_EQ(bits(nan, nan, min), nanF32);
  EXPECT_EQ(bits(nan, 2, {.propagateNaN = true}), nanF32);
  EXPECT_EQ(bits(2, nan, {.isMax = true, .propagateNaN = true}), nanF32);
  EXPECT_EQ(bits(-tiny, 0.0f, {.isMax = true, .flush = true}), 0u);
  // .xorsign.abs: the larger magnitude under the product's sign.
  EXPECT_EQ(bits(-3, 2, {.isMax = true, .xorSign = true}), toBits(-3.0f));
  EXPECT_EQ(bits(-3, -2, {.isMax = true, .xorSign = true}), toBits(3.0f));
  EXPECT_EQ(bits(-3, 2, {.xorSign = true}), toBits(-2.0f));
  EXPECT_EQ(bits(nan, -2, {.xorSign = true}), toBits(2.0f));
  EXPECT_EQ(toBits(minMaxF64(0.0, -0.0, false)), 0x8000000000000000u);
  EXPECT_EQ(minMaxF64(toDouble(nanF64), 1.0, true), 1.0);
  EXPECT_TRUE(isNaN(minMaxF64(toDouble(nanF64), toDouble(nanF64), true)));
}

TEST(FloatMath, SignsAndProperties) {
  EXPECT_EQ(toBits(absF32(-0.0f)), 0u);
  EXPECT_EQ(toBits(negF32(toFloat(1), true)), 0x80000000u);
  EXPECT_EQ(toBits(negF32(toFloat(0x7f800001))), nanF32);
  EXPECT_EQ(copySignF32(-1.0f, 5.0f), -5.0f);
  EXPECT_EQ(copySignF64(1.0, -5.0), 5.0);
  EXPECT_EQ(toBits(negF64(0.0)), 0x8000000000000000u);
  using P = TestProperty;
  struct {
    float value;
    bool finite, infinite, number, nan, normal, subnormal;
  } rows[] = {{0.0f, 1, 0, 1, 0, 1, 0},
              {-1.5f, 1, 0, 1, 0, 1, 0},
              {toFloat(0x80000001), 1, 0, 1, 0, 0, 1},
              {toFloat(0xff800000), 0, 1, 1, 0, 0, 0},
              {toFloat(0x7f800001), 0, 0, 0, 1, 0, 0}};
  for (auto &row : rows) {
    EXPECT_EQ(testProperty(row.value, P::Finite), row.finite);
    EXPECT_EQ(testProperty(row.value, P::Infinite), row.infinite);
    EXPECT_EQ(testProperty(row.value, P::Number), row.number);
    EXPECT_EQ(testProperty(row.value, P::NotANumber), row.nan);
    EXPECT_EQ(testProperty(row.value, P::Normal), row.normal);
    EXPECT_EQ(testProperty(row.value, P::Subnormal), row.subnormal);
  }
  EXPECT_TRUE(testProperty(0x1p-1074, P::Subnormal));
  EXPECT_TRUE(testProperty(0x1p-1022, P::Normal));
}

TEST(FloatMath, ComparisonsWithNaN) {
  using C = FloatCompare;
  float nan = toFloat(nanF32);
  for (C c : {C::EQ, C::NE, C::LT, C::LE, C::GT, C::GE, C::Num})
    EXPECT_FALSE(compareFloat(1.0f, nan, c)) << int(c);
  for (C c : {C::EQU, C::NEU, C::LTU, C::LEU, C::GTU, C::GEU, C::NaN})
    EXPECT_TRUE(compareFloat(nan, 1.0f, c)) << int(c);
  for (C c : {C::EQ, C::LE, C::GE, C::EQU, C::LEU, C::GEU, C::Num})
    EXPECT_TRUE(compareFloat(0.0f, -0.0f, c)) << int(c);
  for (C c : {C::NE, C::LT, C::GT, C::NEU, C::LTU, C::GTU, C::NaN})
    EXPECT_FALSE(compareFloat(0.0f, -0.0f, c)) << int(c);
}

//===-- Integers ----------------------------------------------------------===//

/// The ISA's loop over bits.
template <class T> T referenceExtract(T a, uint32_t b, uint32_t c) {
  unsigned msb = sizeof(T) * 8 - 1, position = b & 0xff, length = c & 0xff;
  using U = std::make_unsigned_t<T>;
  auto bits = static_cast<U>(a);
  bool sign = std::is_signed_v<T> && length &&
              (bits >> std::min(position + length - 1, msb) & 1);
  U result = 0;
  for (unsigned i = 0; i <= msb; ++i) {
    bool bit =
        i < length && position + i <= msb ? bits >> (position + i) & 1 : sign;
    result |= static_cast<U>(bit) << i;
  }
  return static_cast<T>(result);
}
template <class T> T referenceInsert(T a, T b, uint32_t c, uint32_t d) {
  unsigned msb = sizeof(T) * 8 - 1, position = c & 0xff, length = d & 0xff;
  T result = b;
  for (unsigned i = 0; i < length && position + i <= msb; ++i) {
    result &= ~(T(1) << (position + i));
    result |= (a >> i & 1) << (position + i);
  }
  return result;
}

TEST(IntegerMath, BitFields) {
  std::mt19937_64 random(7);
  for (uint32_t position = 0; position < 70; ++position)
    for (uint32_t length = 0; length < 70; ++length) {
      uint64_t a = random(), b = random();
      uint32_t p = position | 0x100, l = length | 0xff00;
      ASSERT_EQ(bitExtract<uint32_t>(a, p, l),
                referenceExtract<uint32_t>(a, p, l));
      ASSERT_EQ(bitExtract<int32_t>(a, p, l),
                referenceExtract<int32_t>(a, p, l));
      ASSERT_EQ(bitExtract<uint64_t>(a, position, length),
                referenceExtract<uint64_t>(a, position, length));
      ASSERT_EQ(bitExtract<int64_t>(a, position, length),
                referenceExtract<int64_t>(a, position, length));
      ASSERT_EQ(bitInsert<uint32_t>(a, b, p, l),
                referenceInsert<uint32_t>(a, b, p, l));
      ASSERT_EQ(bitInsert<uint64_t>(a, b, position, length),
                referenceInsert<uint64_t>(a, b, position, length));
    }
  EXPECT_EQ(bitExtract<int32_t>(-1, 255, 1), -1);
  EXPECT_EQ(bitExtract<uint32_t>(~0u, 255, 255), 0u);
  // 64-bit words take every bit of position and length.
  EXPECT_EQ(bitExtract<uint64_t>(~uint64_t(0), 0x100, 8), 0u);
  EXPECT_EQ(bitExtract<uint32_t>(~0u, 0x100, 8), 0xffu);
  EXPECT_EQ(bitInsert<uint64_t>(0, ~uint64_t(0), 8, 0x100), 0xffu);
}

TEST(IntegerMath, Products) {
  EXPECT_EQ(mulHi<uint32_t>(0xffffffff, 0xffffffff), 0xfffffffeu);
  EXPECT_EQ(mulHi<int32_t>(-1, 2), -1);
  EXPECT_EQ(mulHi<uint16_t>(0xffff, 0xffff), 0xfffe);
  EXPECT_EQ(mulHi<int16_t>(-32768, -32768), 0x4000);
  EXPECT_EQ(mulLo<uint16_t>(0xffff, 0xffff), 1);
  EXPECT_EQ(mulHi<uint64_t>(~0ull, ~0ull), ~1ull);
  EXPECT_EQ(mulHi<int64_t>(INT64_MIN, -1), 0);
  EXPECT_EQ(mulWide<uint16_t>(0xffff, 0xffff), 0xfffe0001u);
  EXPECT_EQ(mulWide<int16_t>(-32768, -32768), 0x40000000);
  EXPECT_EQ(mulWide<int32_t>(INT32_MIN, INT32_MIN), int64_t(1) << 62);
  EXPECT_EQ(madLo<int32_t>(INT32_MAX, 2, 3), 1);
  EXPECT_EQ(madHi<uint32_t>(0x80000000, 4, 0xffffffff), 1u);
  EXPECT_EQ(madWide<uint32_t>(0xffffffff, 0xffffffff, 0xffffffffffffffff),
            0xfffffffe00000000u);
  EXPECT_EQ(madHiSat(INT32_MAX, INT32_MAX, INT32_MAX), INT32_MAX);
  EXPECT_EQ(mul24Lo<uint32_t>(0xff123456, 0xff000010), 0x01234560u * 1u);
  EXPECT_EQ(mul24Hi<uint32_t>(0xffffff, 0xffffff), 0xfffffe00u);
  EXPECT_EQ(mul24Lo<int32_t>(0x00ffffff, 5), -5);
  EXPECT_EQ(mul24Hi<int32_t>(0x00800000, 0x00800000), 1 << 30);
  EXPECT_EQ(mad24HiSat(0x007fffff, 0x007fffff, INT32_MAX), INT32_MAX);
}

TEST(IntegerMath, SumsAndCarries) {
  EXPECT_EQ(addSat(INT32_MAX, 1), INT32_MAX);
  EXPECT_EQ(addSat(INT32_MIN, -1), INT32_MIN);
  EXPECT_EQ(subSat(INT32_MIN, 1), INT32_MIN);
  EXPECT_EQ(subSat(0, INT32_MIN), INT32_MAX);
  EXPECT_EQ(addWrap<int32_t>(INT32_MAX, 1), INT32_MIN);
  EXPECT_EQ(absWrap<int32_t>(INT32_MIN), INT32_MIN);
  EXPECT_EQ(absWrap<int16_t>(-5), 5);
  EXPECT_EQ(negWrap<int64_t>(INT64_MIN), INT64_MIN);
  // A 128-bit sum and difference in 32-bit pieces.
  std::mt19937 random(8);
  for (int i = 0; i < 200; ++i) {
    uint32_t x[4], y[4], sum[4], difference[4];
    unsigned __int128 a = 0, b = 0, s = 0, d = 0;
    bool carry = false, borrow = false;
    for (int j = 0; j < 4; ++j) {
      x[j] = i % 3 ? random() : 0xffffffff;
      y[j] = i % 5 ? random() : x[j];
      auto added = addCarry(x[j], y[j], carry);
      auto taken = subBorrow(x[j], y[j], borrow);
      sum[j] = added.value, carry = added.carry;
      difference[j] = taken.value, borrow = taken.carry;
      a |= static_cast<unsigned __int128>(x[j]) << (32 * j);
      b |= static_cast<unsigned __int128>(y[j]) << (32 * j);
      s |= static_cast<unsigned __int128>(sum[j]) << (32 * j);
      d |= static_cast<unsigned __int128>(difference[j]) << (32 * j);
    }
    ASSERT_TRUE(s == a + b && carry == (a + b < a));
    ASSERT_TRUE(d == a - b && borrow == (a < b));
  }
  EXPECT_EQ(sumAbsDifference<int32_t>(INT32_MIN, INT32_MAX, 1), 0);
  EXPECT_EQ(sumAbsDifference<uint16_t>(3, 10, 65535), 6);
}

TEST(IntegerMath, DivisionNeverTraps) {
  EXPECT_EQ(divide<uint32_t>(7, 0), 0xffffffffu);
  EXPECT_EQ(remainder<uint32_t>(7, 0), 0xffffffffu);
  EXPECT_EQ(divide<int64_t>(7, 0), -1);
  EXPECT_EQ(divide<int32_t>(INT32_MIN, -1), INT32_MIN);
  EXPECT_EQ(remainder<int32_t>(INT32_MIN, -1), 0);
  EXPECT_EQ(divide<int64_t>(INT64_MIN, -1), INT64_MIN);
  EXPECT_EQ(divide<int32_t>(-7, 2), -3);
  EXPECT_EQ(remainder<int32_t>(-7, 2), -1);
  EXPECT_EQ(divide<uint16_t>(9, 0), 0xffff);
}

TEST(IntegerMath, Shifts) {
  EXPECT_EQ(shiftLeft<uint32_t>(1, 31), 0x80000000u);
  EXPECT_EQ(shiftLeft<uint32_t>(1, 32), 0u);
  EXPECT_EQ(shiftLeft<uint64_t>(1, 64), 0u);
  EXPECT_EQ(shiftLeft<uint16_t>(3, 15), 0x8000);
  EXPECT_EQ(shiftLeft<uint16_t>(3, 0xffffffff), 0);
  EXPECT_EQ(shiftRight<int32_t>(-8, 1), -4);
  EXPECT_EQ(shiftRight<int32_t>(-8, 99), -1);
  EXPECT_EQ(shiftRight<uint32_t>(8, 32), 0u);
  EXPECT_EQ(shiftRight<int16_t>(-1, 16), -1);
  for (uint32_t n = 0; n < 70; ++n) {
    uint32_t low = 0x89abcdef, high = 0x01234567;
    uint64_t both = uint64_t(high) << 32 | low;
    uint32_t clamp = std::min(n, 32u), wrap = n % 32;
    EXPECT_EQ(funnelLeft(low, high, n, false), uint32_t((both << clamp) >> 32));
    EXPECT_EQ(funnelLeft(low, high, n, true), uint32_t((both << wrap) >> 32));
    EXPECT_EQ(funnelRight(low, high, n, false), uint32_t(both >> clamp));
    EXPECT_EQ(funnelRight(low, high, n, true), uint32_t(both >> wrap));
  }
}

TEST(IntegerMath, CountingBits) {
  EXPECT_EQ(bitReverse(uint32_t(0x00000001)), 0x80000000u);
  EXPECT_EQ(bitReverse(uint32_t(0x12345678)), 0x1e6a2c48u);
  EXPECT_EQ(bitReverse(uint64_t(0x12345678)), 0x1e6a2c4800000000u);
  EXPECT_EQ(popCount<uint64_t>(~0ull), 64u);
  EXPECT_EQ(countLeadingZeros<uint32_t>(0), 32u);
  EXPECT_EQ(countLeadingZeros<uint64_t>(1), 63u);
  EXPECT_EQ(findLeadingBit<uint32_t>(0, false), ~0u);
  EXPECT_EQ(findLeadingBit<uint32_t>(1, false), 0u);
  EXPECT_EQ(findLeadingBit<uint32_t>(1, true), 31u);
  EXPECT_EQ(findLeadingBit<int32_t>(-1, false), ~0u);
  EXPECT_EQ(findLeadingBit<int32_t>(-2, false), 0u);
  EXPECT_EQ(findLeadingBit<int64_t>(INT64_MIN, false), 62u);
  EXPECT_EQ(findNthSet(0b10110, 0, 1), 1u);
  EXPECT_EQ(findNthSet(0b10110, 0, 3), 4u);
  EXPECT_EQ(findNthSet(0b10110, 0, 4), ~0u);
  EXPECT_EQ(findNthSet(0b10110, 4, -2), 2u);
  EXPECT_EQ(findNthSet(0b10110, 2, 0), 2u);
  EXPECT_EQ(findNthSet(0b10110, 3, 0), ~0u);
  EXPECT_EQ(bitMask(1, 2, false), 6u);
  EXPECT_EQ(bitMask(0, 32, true), ~0u);
  EXPECT_EQ(bitMask(0, 32, false), 0u);
  EXPECT_EQ(bitMask(33, 2, true), 0u);
  EXPECT_EQ(bitMask(33, 2, false), 6u);
  EXPECT_EQ(bitMask(30, 9, true), 0xc0000000u);
  EXPECT_EQ(extend<int32_t>(0x80, 8, true), -128);
  EXPECT_EQ(extend<uint32_t>(0x1ff, 8, true), 0xffu);
  EXPECT_EQ(extend<int32_t>(5, 40, true), 5);
  EXPECT_EQ(extend<int32_t>(5, 32, false), 0);
}

TEST(IntegerMath, LogicTables) {
  for (unsigned table = 0; table < 256; ++table) {
    uint32_t a = 0xf0f0f0f0, b = 0xcccccccc, c = 0xaaaaaaaa;
    ASSERT_EQ(logic3(a, b, c, static_cast<uint8_t>(table)),
              table * 0x01010101u);
  }
  EXPECT_EQ(logicalNot(0u), 1u);
  EXPECT_EQ(logicalNot(7u), 0u);
}

TEST(IntegerMath, Permutations) {
  uint32_t a = 0x83020100, b = 0x87060504;
  auto run = [&](PermuteMode mode, uint32_t c) {
    return permute(a, b, permuteSelectors(mode, c));
  };
  EXPECT_EQ(run(PermuteMode::Index, 0x3210), a);
  EXPECT_EQ(run(PermuteMode::Index, 0xffff7654), b);
  EXPECT_EQ(run(PermuteMode::Index, 0xbf80), 0xffff0000u);
  EXPECT_EQ(run(PermuteMode::F4E, 1), 0x04830201u);
  EXPECT_EQ(run(PermuteMode::F4E, 7), 0x06050483u);
  EXPECT_EQ(run(PermuteMode::B4E, 1), 0x06870001u);
  EXPECT_EQ(run(PermuteMode::RC8, 3), 0x83838383u);
  EXPECT_EQ(run(PermuteMode::ECL, 2), 0x83020202u);
  EXPECT_EQ(run(PermuteMode::ECR, 1), 0x01010100u);
  EXPECT_EQ(run(PermuteMode::RC16, 1), 0x83028302u);
}

TEST(IntegerMath, DotProductsAndPairs) {
  EXPECT_EQ(dotProduct4(0xff020304, true, 0x01020304, true, 10),
            uint32_t(10 - 1 + 4 + 9 + 16));
  EXPECT_EQ(dotProduct4(0xff000000, false, 0xff000000, true, 0),
            uint32_t(-255));
  EXPECT_EQ(dotProduct2(0xffff0002, true, 0x04030201, false, 100, false),
            100u + 2 * 1 - 2);
  EXPECT_EQ(dotProduct2(0xffff0002, false, 0x04030201, false, 0, true),
            2u * 3 + 65535 * 4);
  EXPECT_EQ(addPair(0xffff0001, 0x00010002), 0x00000003u);
  EXPECT_EQ(minPair<int16_t>(0xffff0001, 0x00010002), 0xffff0001u);
  EXPECT_EQ(minPair<uint16_t>(0xffff0001, 0x00010002), 0x00010001u);
  EXPECT_EQ(maxPair<int16_t>(0xffff0001, 0x00010002), 0x00010002u);
  EXPECT_EQ(clampNegativePair(0xffff0001), 0x00000001u);
  EXPECT_EQ(select(1u, 2u, 0), 1u);
  EXPECT_EQ(select(1u, 2u, -1), 2u);
  EXPECT_EQ(selectFloat(1u, 2u, -0.0f, false), 1u);
  EXPECT_EQ(selectFloat(1u, 2u, toFloat(0x80000001), false), 2u);
  EXPECT_EQ(selectFloat(1u, 2u, toFloat(0x80000001), true), 1u);
  EXPECT_EQ(selectFloat(1u, 2u, toFloat(nanF32), true), 2u);
}

} // namespace
