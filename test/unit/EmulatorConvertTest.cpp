//===- EmulatorConvertTest.cpp - cvt and halves ---------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The reference for a rounding is a search: of the target's numbers, decoded
// with ldexp, the neighbours of the source value, and the mode's choice of the
// two. It shares nothing with what is tested.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Convert.h"
#include "runtime/emulator/HalfMath.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

using namespace fk::emulator;

namespace {

/// A format's finite magnitudes in order: numbers[bits] is the value.
std::vector<double> makeNumbers(int exponentBits, int mantissaBits,
                                uint32_t maxFinite) {
  std::vector<double> numbers;
  int bias = (1 << (exponentBits - 1)) - 1;
  for (uint32_t bits = 0; bits <= maxFinite; ++bits) {
    int field = int(bits >> mantissaBits);
    double mantissa = bits & ((1u << mantissaBits) - 1);
    if (field)
      mantissa += 1 << mantissaBits;
    numbers.push_back(
        std::ldexp(mantissa, std::max(field, 1) - bias - mantissaBits));
  }
  return numbers;
}

struct Format {
  FloatType type;
  std::vector<double> numbers;
  int mantissaBits;
  uint32_t sign;
  bool hasInfinity;
};

const Format &getFormat(FloatType type) {
  static const Format f16 = {FloatType::F16, makeNumbers(5, 10, 0x7bff), 10,
                             0x8000, true};
  static const Format bf16 = {FloatType::BF16, makeNumbers(8, 7, 0x7f7f), 7,
                              0x8000, true};
  static const Format e5m2 = {FloatType::E5M2, makeNumbers(5, 2, 0x7b), 2, 0x80,
                              true};
  static const Format e4m3 = {FloatType::E4M3, makeNumbers(4, 3, 0x7e), 3, 0x80,
                              false};
  switch (type) {
  case FloatType::F16:
    return f16;
  case FloatType::BF16:
    return bf16;
  case FloatType::E5M2:
    return e5m2;
  default:
    return e4m3;
  }
}

/// `x` (no NaN) in the format. The grid is thought to go on past the largest
/// number for one step, as rounding's definition wants.
uint32_t referenceRound(double x, const Format &format, Rounding rounding,
                        bool satFinite) {
  bool isNegative = std::signbit(x);
  double magnitude = std::fabs(x);
  auto max = uint32_t(format.numbers.size() - 1);
  uint32_t infinity = format.hasInfinity ? max + 1 : max;
  uint32_t sign = isNegative ? format.sign : 0;
  if (std::isinf(x))
    return sign | (satFinite ? max : infinity);
  double step = format.numbers[max] - format.numbers[max - 1];
  auto value = [&](uint32_t i) {
    return i <= max ? format.numbers[i] : format.numbers[max] + step;
  };
  auto above = std::upper_bound(format.numbers.begin(), format.numbers.end(),
                                magnitude) -
               format.numbers.begin();
  auto low = uint32_t(above - 1), high = uint32_t(above);
  bool isUp = false;
  if (magnitude != value(low)) {
    bool isBeyond = magnitude >= value(high); // only past the last
    double toLow = magnitude - value(low), toHigh = value(high) - magnitude;
    switch (rounding) {
    case Rounding::NearestEven:
      isUp = isBeyond || toLow > toHigh || (toLow == toHigh && (low & 1));
      break;
    case Rounding::NearestAway:
      isUp = isBeyond || toLow >= toHigh;
      break;
    case Rounding::TowardZero:
      break;
    case Rounding::Down:
      isUp = isNegative;
      break;
    case Rounding::Up:
      isUp = !isNegative;
      break;
    }
  }
  uint32_t result = isUp ? high : low;
  if (result > max)
    result = satFinite ? max : infinity;
  return sign | result;
}

constexpr Rounding allRoundings[] = {Rounding::NearestEven,
                                     Rounding::TowardZero, Rounding::Down,
                                     Rounding::Up, Rounding::NearestAway};

/// Every half's value and its surroundings as floats: the halves, the points
/// midway, and what lies one float beside each.
std::vector<float> floatsAround(const Format &format) {
  std::vector<float> values;
  for (size_t i = 0; i < format.numbers.size(); ++i) {
    double next = i + 1 < format.numbers.size() ? format.numbers[i + 1]
                                                : format.numbers[i] * 1.125;
    for (double x : {format.numbers[i], (format.numbers[i] + next) / 2}) {
      auto y = static_cast<float>(x);
      values.insert(values.end(), {y, std::nextafter(y, 0.0f),
                                   std::nextafter(y, toFloat(0x7f7fffff))});
    }
  }
  for (uint32_t bits : {0x00000001u, 0x007fffffu, 0x7f7fffffu, 0x7f800000u,
                        0x477fefffu, 0x477ff000u, 0x477fffffu, 0x33000000u,
                        0x33000001u, 0x387fe000u, 0x387fffffu})
    values.push_back(toFloat(bits));
  return values;
}

TEST(Convert, FloatsToNarrowTypesInEveryRounding) {
  for (FloatType type :
       {FloatType::F16, FloatType::BF16, FloatType::E5M2, FloatType::E4M3}) {
    const Format &format = getFormat(type);
    for (float positive : floatsAround(format))
      for (float x : {positive, -positive})
        for (Rounding rounding : allRoundings)
          for (bool satFinite : {false, true}) {
            ConvertMode mode = {.rounding = rounding, .satFinite = satFinite};
            ASSERT_EQ(convertFloat(toBits(x), FloatType::F32, type, mode),
                      referenceRound(x, format, rounding, satFinite))
                << std::hexfloat << x << " type " << int(type) << " mode "
                << int(rounding);
            if (type == FloatType::F16 || type == FloatType::BF16)
              ASSERT_EQ(
                  convertFloat(toBits(double(x)), FloatType::F64, type, mode),
                  referenceRound(x, format, rounding, satFinite));
          }
  }
}

TEST(Convert, FastFunctionsAgreeOnEveryHalf) {
  for (FloatType type : {FloatType::F16, FloatType::BF16}) {
    const Format &format = getFormat(type);
    bool isF16 = type == FloatType::F16;
    for (float positive : floatsAround(format))
      for (float x : {positive, -positive}) {
        uint32_t want = referenceRound(x, format, Rounding::NearestEven, false);
        ASSERT_EQ(isF16 ? f32ToF16(x) : f32ToBF16(x), want) << x;
        // A double that lies between floats, on either side.
        for (double y : {double(x) * (1 + 0x1p-50), double(x) * (1 - 0x1p-50)})
          ASSERT_EQ(isF16 ? f64ToF16(y) : f64ToBF16(y),
                    referenceRound(y, format, Rounding::NearestEven, false))
              << std::hexfloat << y;
      }
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      auto half = static_cast<uint16_t>(bits);
      float got = isF16 ? f16ToF32(half) : bf16ToF32(half);
      uint32_t magnitude = bits & 0x7fff;
      if (magnitude < format.numbers.size()) {
        double want = format.numbers[magnitude];
        ASSERT_EQ(toBits(double(got)), toBits(bits & 0x8000 ? -want : want));
      } else if (magnitude == format.numbers.size()) {
        ASSERT_EQ(toBits(got), bits & 0x8000 ? 0xff800000u : 0x7f800000u);
      } else {
        ASSERT_EQ(toBits(got), isF16 ? nanF32 : bits << 16);
      }
      // And back: the same half, but for NaN.
      uint16_t back = isF16 ? f32ToF16(got) : f32ToBF16(got);
      ASSERT_EQ(back, magnitude > format.numbers.size() ? 0x7fff : half);
    }
  }
}

TEST(Convert, BetweenNarrowTypesForEveryValue) {
  for (FloatType from : {FloatType::F16, FloatType::BF16})
    for (FloatType to :
         {FloatType::F16, FloatType::BF16, FloatType::E5M2, FloatType::E4M3})
      for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        auto half = static_cast<uint16_t>(bits);
        float x = from == FloatType::F16 ? f16ToF32(half) : bf16ToF32(half);
        ConvertMode mode = {.satFinite = to >= FloatType::E5M2};
        uint32_t want =
            isNaN(x) ? (to >= FloatType::E5M2 ? 0x7f : 0x7fff)
                     : referenceRound(x, getFormat(to), Rounding::NearestEven,
                                      mode.satFinite);
        ASSERT_EQ(convertFloat(bits, from, to, mode), want) << std::hex << bits;
      }
}

TEST(Convert, PackedFp8) {
  EXPECT_EQ(packF8(1.0f, -2.0f, FloatType::E4M3, false), 0x38c0);
  EXPECT_EQ(packF8(1.0f, -2.0f, FloatType::E4M3, true), 0x3800);
  EXPECT_EQ(packF8(1e9f, toFloat(0xff800000), FloatType::E4M3, false), 0x7efe);
  EXPECT_EQ(packF8(1e9f, toFloat(0xffc00000), FloatType::E5M2, false), 0x7b7f);
  EXPECT_EQ(packF8(448.0f, 464.0f, FloatType::E4M3, false), 0x7e7e);
  EXPECT_EQ(f16PairToF8(0x3c00c000, FloatType::E5M2, false), 0x3cc0);
  EXPECT_EQ(f16PairToF8(0x7fff7c00, FloatType::E4M3, false), 0x7f7e);
  for (FloatType type : {FloatType::E4M3, FloatType::E5M2}) {
    const Format &format = getFormat(type);
    for (uint32_t bits = 0; bits < 256; ++bits) {
      uint32_t magnitude = bits & 0x7f;
      auto pair = f8ToF16Pair(static_cast<uint16_t>(bits << 8), type, false);
      ASSERT_EQ(lowHalf(pair), 0);
      float got = f16ToF32(highHalf(pair));
      if (magnitude < format.numbers.size()) {
        double want = format.numbers[magnitude];
        ASSERT_EQ(double(got), bits & 0x80 ? -want : want);
        ASSERT_EQ(packF8(0.0f, got, type, false), bits);
      } else if (magnitude == format.numbers.size() && format.hasInfinity) {
        ASSERT_EQ(highHalf(pair), bits & 0x80 ? 0xfc00 : 0x7c00);
      } else {
        ASSERT_EQ(highHalf(pair), 0x7fff);
      }
    }
  }
  EXPECT_EQ(f8ToF16Pair(0xb838, FloatType::E4M3, true), 0x00003c00u);
}

TEST(Convert, Modifiers) {
  auto f32 = [](float x, FloatType to, ConvertMode mode) {
    return convertFloat(toBits(x), FloatType::F32, to, mode);
  };
  EXPECT_EQ(f32(-2.0f, FloatType::F16, {.relu = true}), 0u);
  EXPECT_EQ(f32(-0.0f, FloatType::F16, {.relu = true}), 0u);
  EXPECT_EQ(f32(toFloat(0xffc00000), FloatType::F16, {.relu = true}), 0x7fffu);
  EXPECT_EQ(f32(2.0f, FloatType::F16, {.saturate = true}), 0x3c00u);
  EXPECT_EQ(f32(-2.0f, FloatType::BF16, {.saturate = true}), 0u);
  EXPECT_EQ(f32(toFloat(nanF32), FloatType::F16, {.saturate = true}), 0u);
  EXPECT_EQ(f32(toFloat(0x7f800000), FloatType::F16, {.satFinite = true}),
            0x7bffu);
  EXPECT_EQ(f32(toFloat(0x007fffff), FloatType::F64, {.flush = true}), 0u);
  EXPECT_EQ(convertFloat(toBits(-1e-40), FloatType::F64, FloatType::F32,
                         {.flush = true}),
            0x80000000u);
  EXPECT_EQ(packF32(1.0f, -1.0f, FloatType::BF16, {}), 0x3f80bf80u);
  EXPECT_EQ(packF32(1.0f, -1.0f, FloatType::F16, {.relu = true}), 0x3c000000u);
  // Integral values between float types.
  ConvertMode nearest = {.toIntegral = true};
  EXPECT_EQ(f32(2.5f, FloatType::F32, nearest), toBits(2.0f));
  EXPECT_EQ(f32(-0.25f, FloatType::F32, nearest), 0x80000000u);
  EXPECT_EQ(f32(0.25f, FloatType::F32,
                {.rounding = Rounding::Up, .toIntegral = true}),
            toBits(1.0f));
  for (float x : {2.5f, -3.5f, 0x1.8p22f, -0.75f, 1e30f, 0.0f, -0.0f})
    for (Rounding rounding : {Rounding::NearestEven, Rounding::TowardZero,
                              Rounding::Down, Rounding::Up})
      EXPECT_EQ(
          toBits(integralF32(x, {.rounding = rounding})),
          f32(x, FloatType::F32, {.rounding = rounding, .toIntegral = true}))
          << x;
}

TEST(Convert, TensorFloat) {
  auto convert = [](uint32_t bits, Rounding rounding, bool satFinite = false) {
    return f32ToTF32(toFloat(bits),
                     {.rounding = rounding, .satFinite = satFinite});
  };
  EXPECT_EQ(convert(0x3f801000, Rounding::NearestAway), 0x3f802000u);
  EXPECT_EQ(convert(0x3f801000, Rounding::NearestEven), 0x3f800000u);
  EXPECT_EQ(convert(0x3f803000, Rounding::NearestEven), 0x3f804000u);
  EXPECT_EQ(convert(0xbf801fff, Rounding::TowardZero), 0xbf800000u);
  EXPECT_EQ(convert(0x00001000, Rounding::NearestAway), 0x00002000u);
  EXPECT_EQ(convert(0x7f7fffff, Rounding::NearestAway), 0x7f800000u);
  EXPECT_EQ(convert(0x7f7fffff, Rounding::NearestAway, true), 0x7f7fe000u);
  EXPECT_EQ(convert(0xff800000, Rounding::NearestAway), 0xff800000u);
  EXPECT_EQ(convert(0x7fffffff, Rounding::NearestAway), 0x7fffe000u);
  EXPECT_EQ(convert(0x7f800001, Rounding::NearestAway), 0x7f800000u);
  EXPECT_EQ(convert(0x7f800001, Rounding::NearestEven), 0x7fffe000u);
  EXPECT_EQ(convert(0xffc00000, Rounding::NearestAway, true), 0xffbfe000u);
}

TEST(Convert, SinglesAndDoubles) {
  EXPECT_EQ(toBits(f32ToF64(toFloat(0xff812345))), 0xfff82468a0000000u);
  EXPECT_EQ(toBits(f32ToF64(toFloat(1))), toBits(0x1p-149));
  EXPECT_EQ(toBits(f32ToF64(toFloat(0x80000001), true)), 0x8000000000000000u);
  EXPECT_EQ(toBits(f64ToF32(toDouble(0xfff0000060000000))), 0xffc00003u);
  EXPECT_EQ(toBits(f32ToF64(toFloat(0xff812345), true)), 0x7fffffffe0000000u);
  double between = 1.0 + 0x1p-30;
  EXPECT_EQ(f64ToF32(between), 1.0f);
  EXPECT_EQ(f64ToF32(between, {Rounding::Up, false, false}), 1.0f + 0x1p-23f);
  EXPECT_EQ(f64ToF32(-between, {Rounding::Up, false, false}), -1.0f);
  EXPECT_EQ(f64ToF32(1e300, {Rounding::TowardZero, false, false}),
            toFloat(0x7f7fffff));
  EXPECT_EQ(toBits(f64ToF32(1e-300, {Rounding::Up, false, false})), 1u);
  for (double x :
       {between, -between, 1e300, 1e-300, -1e-42, 3.0, 0x1.fffffffp0})
    for (Rounding rounding : {Rounding::NearestEven, Rounding::TowardZero,
                              Rounding::Down, Rounding::Up})
      EXPECT_EQ(toBits(f64ToF32(x, {rounding, false, false})),
                convertFloat(toBits(x), FloatType::F64, FloatType::F32,
                             {.rounding = rounding}))
          << x;
}

template <class To, class From> void checkFloatToInt() {
  constexpr __int128 low = std::numeric_limits<To>::min();
  constexpr __int128 high = std::numeric_limits<To>::max();
  std::vector<From> values = {0.0,  -0.0, 0.5,  1.5,   2.5,   -0.5, -1.5,
                              0.99, -0.3, 1e30, -1e30, 127.5, 255.5};
  for (int power : {7, 8, 15, 16, 31, 32, 63, 64})
    for (From x : {std::ldexp(From(1), power), -std::ldexp(From(1), power)})
      values.insert(values.end(), {x, std::nextafter(x, From(0)), x - From(0.5),
                                   x + From(0.5), x - 1, x + 1});
  auto infinity = std::numeric_limits<From>::infinity();
  values.insert(values.end(), {infinity, -infinity});
  for (From x : values)
    for (Rounding rounding : {Rounding::NearestEven, Rounding::TowardZero,
                              Rounding::Down, Rounding::Up}) {
      long double y = x, r = std::floor(y);
      long double rest = y - r;
      bool isUp = rounding == Rounding::Up           ? rest > 0
                  : rounding == Rounding::TowardZero ? y < 0 && rest > 0
                  : rounding == Rounding::NearestEven
                      ? rest > 0.5L || (rest == 0.5L && std::fmod(r, 2.0L) != 0)
                      : false;
      r += isUp;
      To want = r < static_cast<long double>(low)    ? To(low)
                : r > static_cast<long double>(high) ? To(high)
                                                     : static_cast<To>(r);
      ASSERT_EQ(floatToInt<To>(x, rounding), want)
          << double(x) << " mode " << int(rounding) << " size " << sizeof(To);
    }
  bool isWide = sizeof(To) == 8 || sizeof(From) == 8;
  To nan =
      isWide ? static_cast<To>(uint64_t(1) << (8 * sizeof(To) - 1)) : To(0);
  EXPECT_EQ(floatToInt<To>(std::numeric_limits<From>::quiet_NaN(),
                           Rounding::TowardZero),
            nan);
}

TEST(Convert, FloatsToIntegers) {
  checkFloatToInt<int8_t, float>();
  checkFloatToInt<uint8_t, float>();
  checkFloatToInt<int16_t, float>();
  checkFloatToInt<uint16_t, float>();
  checkFloatToInt<int32_t, float>();
  checkFloatToInt<uint32_t, float>();
  checkFloatToInt<int64_t, float>();
  checkFloatToInt<uint64_t, float>();
  checkFloatToInt<int8_t, double>();
  checkFloatToInt<uint16_t, double>();
  checkFloatToInt<int32_t, double>();
  checkFloatToInt<uint32_t, double>();
  checkFloatToInt<int64_t, double>();
  checkFloatToInt<uint64_t, double>();
  EXPECT_EQ(floatToInt<int32_t>(toFloat(0x007fffff), Rounding::Up, true), 0);
  EXPECT_EQ(floatToInt<int32_t>(toFloat(0x007fffff), Rounding::Up, false), 1);
}

TEST(Convert, IntegersToFloats) {
  EXPECT_EQ(intToF32<int32_t>(0x7fffffff), 0x1p31f);
  EXPECT_EQ(intToF32<int32_t>(0x7fffffff, Rounding::TowardZero),
            0x1.fffffep30f);
  EXPECT_EQ(intToF32<int32_t>(-0x7fffffff, Rounding::Down), -0x1p31f);
  EXPECT_EQ(intToF32<int64_t>(INT64_MAX, Rounding::Down), 0x1.fffffep62f);
  EXPECT_EQ(intToF32<int64_t>(INT64_MIN, Rounding::Up), -0x1p63f);
  EXPECT_EQ(intToF32<uint64_t>(~0ull), 0x1p64f);
  EXPECT_EQ(intToF32<uint64_t>(~0ull, Rounding::TowardZero), 0x1.fffffep63f);
  EXPECT_EQ(intToF64<uint64_t>(~0ull, Rounding::Down), 0x1.fffffffffffffp63);
  EXPECT_EQ(intToF64<int64_t>(INT64_MAX), 0x1p63);
  EXPECT_EQ(intToHalf<int32_t>(65519, FloatType::F16), 0x7bff);
  EXPECT_EQ(intToHalf<int32_t>(65520, FloatType::F16), 0x7c00);
  EXPECT_EQ(intToHalf<int32_t>(-1, FloatType::F16), 0xbc00);
  EXPECT_EQ(intToHalf<uint32_t>(~0u, FloatType::BF16), 0x4f80);
  EXPECT_EQ(intToHalf<uint64_t>(~0ull, FloatType::BF16, Rounding::TowardZero),
            0x5f7f);
  EXPECT_EQ(intToHalf<int64_t>(INT64_MIN, FloatType::BF16), 0xdf00);
  // 2049 and one bit far below: nearest of halves is 2050, by way of float too.
  EXPECT_EQ(intToHalf<int32_t>(2049, FloatType::F16), 0x6800);
  EXPECT_EQ(intToHalf<int32_t>(2051, FloatType::F16), 0x6802);
}

TEST(Convert, IntegersToIntegers) {
  EXPECT_EQ((intToInt<int8_t, int32_t>(300, true)), 127);
  EXPECT_EQ((intToInt<int8_t, int32_t>(-300, true)), -128);
  EXPECT_EQ((intToInt<uint8_t, int32_t>(-1, true)), 0);
  EXPECT_EQ((intToInt<uint8_t, int32_t>(0x1ff, false)), 255);
  EXPECT_EQ((intToInt<int32_t, uint32_t>(~0u, true)), INT32_MAX);
  EXPECT_EQ((intToInt<uint64_t, int64_t>(-1, true)), 0u);
  EXPECT_EQ((intToInt<int64_t, uint64_t>(~0ull, true)), INT64_MAX);
  EXPECT_EQ((intToInt<int64_t, int8_t>(-3, false)), -3);
  EXPECT_EQ(packInt16(70000, -70000, true), 0x7fff8000u);
  EXPECT_EQ(packInt16(70000, -70000, false), 0xffff0000u);
  EXPECT_EQ(packIntSmall(300, -300, 0x00001234, 8, true), 0x12347f80u);
  EXPECT_EQ(packIntSmall(300, 3, 0x1, 4, false), 0x1f3u);
}

//===-- Halves ------------------------------------------------------------===//

std::vector<uint16_t> someHalves(HalfType type) {
  std::vector<uint16_t> values = {
      0x0000, 0x0001, 0x0002, 0x03ff, 0x0400, 0x0401, 0x3c00, 0x3c01, 0x3bff,
      0x3f80, 0x3f81, 0x7bff, 0x7c00, 0x7c01, 0x7f7f, 0x7f80, 0x7f81, 0x7fff,
      0x0080, 0x007f, 0x1400, 0x1401, 0x2401, 0x6801, 0x5bff};
  std::mt19937 random(type == HalfType::F16 ? 1 : 2);
  for (int i = 0; i < 60; ++i)
    values.push_back(static_cast<uint16_t>(random()));
  size_t count = values.size();
  for (size_t i = 0; i < count; ++i)
    values.push_back(static_cast<uint16_t>(values[i] ^ 0x8000));
  return values;
}

/// The exact value of a * b + c, rounded by the search. `long double` has 64
/// bits; a rest below them only ever breaks a tie, so it is handed on as one
/// last bit.
template <HalfType H>
uint16_t referenceFma(uint16_t a, uint16_t b, uint16_t c) {
  const Format &format =
      getFormat(H == HalfType::F16 ? FloatType::F16 : FloatType::BF16);
  auto value = [&](uint16_t x) {
    return double(H == HalfType::F16 ? f16ToF32(x) : bf16ToF32(x));
  };
  double x = value(a), y = value(b), z = value(c);
  double product = x * y;
  double sum = product + z;
  if (sum != sum)
    return 0x7fff;
  if (std::isinf(sum))
    return static_cast<uint16_t>(
        referenceRound(sum, format, Rounding::NearestEven, false));
  // Which side of `sum` the exact value lies on, by integers: scaled by 2^300
  // the terms are whole, and 128-bit pieces suffice where they overlap.
  double larger = std::fabs(product) > std::fabs(z) ? product : z;
  double smaller = std::fabs(product) > std::fabs(z) ? z : product;
  double rest = smaller - (sum - larger); // exact: Dekker
  double nudged = rest > 0   ? std::nextafter(sum, INFINITY)
                  : rest < 0 ? std::nextafter(sum, -INFINITY)
                             : sum;
  // A sum that is inexact lies strictly between; no half and no midpoint is so
  // finely placed that the nudge passes it.
  return static_cast<uint16_t>(
      referenceRound(nudged, format, Rounding::NearestEven, false));
}

template <HalfType H> void checkHalves() {
  std::vector<uint16_t> values = someHalves(H);
  constexpr uint16_t one = HalfTraits<H>::one;
  for (uint16_t a : values)
    for (uint16_t b : values) {
      SCOPED_TRACE(::testing::Message() << std::hex << a << ' ' << b);
      ASSERT_EQ(addHalf<H>(a, b), referenceFma<H>(a, one, b));
      auto minus = static_cast<uint16_t>(b ^ 0x8000);
      ASSERT_EQ(subHalf<H>(a, b), referenceFma<H>(a, one, minus));
      auto zero = static_cast<uint16_t>((a ^ b) & 0x8000); // keeps -0
      ASSERT_EQ(mulHalf<H>(a, b), referenceFma<H>(a, b, zero));
      for (uint16_t c : values)
        ASSERT_EQ(fmaHalf<H>(a, b, c), referenceFma<H>(a, b, c))
            << std::hex << c;
    }
}

TEST(HalfMath, F16) { checkHalves<HalfType::F16>(); }
TEST(HalfMath, BF16) { checkHalves<HalfType::BF16>(); }

TEST(HalfMath, OneRounding) {
  // 65504 * 1 + 15.99: below the midpoint to infinity.
  EXPECT_EQ(fmaHalf<HalfType::F16>(0x7bff, 0x3c00, 0x4bff), 0x7bff);
  EXPECT_EQ(fmaHalf<HalfType::F16>(0x7bff, 0x3c00, 0x4c00), 0x7c00);
  // (1 + 2^-7) * (1 + 2^-7) is just above a bf16 midpoint's tie at 2^-14; a
  // term of 2^-133 beside 2^100 decides a tie that double cannot see.
  uint16_t big = 0x7181, tie = 0x3f81; // 1.0078125 * 2^100
  uint16_t up = fmaHalf<HalfType::BF16>(big, tie, 0x0001);
  uint16_t down = fmaHalf<HalfType::BF16>(big, tie, 0x8001);
  EXPECT_EQ(up, referenceFma<HalfType::BF16>(big, tie, 0x0001));
  EXPECT_EQ(down, referenceFma<HalfType::BF16>(big, tie, 0x8001));
  uint16_t half = 0x3f00; // 1.5 * 2^100 * 1.0078125: a tie of 8 bits
  EXPECT_EQ(fmaHalf<HalfType::BF16>(0x7201, half, 0x0001),
            referenceFma<HalfType::BF16>(0x7201, half, 0x0001));
}

TEST(HalfMath, Modifiers) {
  constexpr HalfType F = HalfType::F16, B = HalfType::BF16;
  EXPECT_EQ(addHalf<F>(0x03ff, 0x0000, {.flush = true}), 0x0000);
  EXPECT_EQ(addHalf<F>(0x83ff, 0x8000, {.flush = true}), 0x8000);
  EXPECT_EQ(mulHalf<F>(0x0400, 0x3800, {.flush = true}), 0x0000);
  EXPECT_EQ(addHalf<F>(0x4000, 0x4000, {.saturate = true}), 0x3c00);
  EXPECT_EQ(addHalf<F>(0xc000, 0x3c00, {.saturate = true}), 0x0000);
  EXPECT_EQ(addHalf<F>(0x7e00, 0x3c00, {.saturate = true}), 0x0000);
  EXPECT_EQ(fmaHalf<B>(0x3f80, 0xbf80, 0x0000, {.relu = true}), 0x0000);
  EXPECT_EQ(fmaHalf<B>(0xffc0, 0xbf80, 0x0000, {.relu = true}), 0x7fff);
  EXPECT_EQ(fmaHalf<F>(0xffff, 0x3c00, 0x3c00, {.isOutOfBounds = true}), 0);
  EXPECT_EQ(fmaHalf<F>(0xfffe, 0x3c00, 0x3c00, {.isOutOfBounds = true}),
            0x7fff);
  EXPECT_EQ(negHalf<F>(0x3c00), 0xbc00);
  EXPECT_EQ(negHalf<F>(0xfe00), 0x7fff);
  EXPECT_EQ(absHalf<B>(0xbf80), 0x3f80);
  EXPECT_EQ(minMaxHalf<F>(0x0000, 0x8000, {}), 0x8000);
  EXPECT_EQ(minMaxHalf<F>(0x0000, 0x8000, {.isMax = true}), 0x0000);
  EXPECT_EQ(minMaxHalf<F>(0xbc00, 0xc000, {}), 0xc000);
  EXPECT_EQ(minMaxHalf<B>(0x7fc0, 0xc000, {}), 0xc000);
  EXPECT_EQ(minMaxHalf<B>(0x7fc0, 0xc000, {.propagateNaN = true}), 0x7fff);
  EXPECT_EQ(minMaxHalf<B>(0xc040, 0x4000, {.isMax = true, .xorSign = true}),
            0xc040);
  EXPECT_TRUE(compareHalf<F>(0x3c00, 0x4000, FloatCompare::LT));
  EXPECT_FALSE(compareHalf<F>(0x7e00, 0x4000, FloatCompare::LT));
  EXPECT_EQ(mapHalfPair([](uint16_t a, uint16_t b) { return addHalf<F>(a, b); },
                        0x3c004000u, 0x3c003c00u),
            0x40004200u);
}

} // namespace
