//===- LaunchArgumentsTest.cpp - A launch as a user types it --------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/LaunchArguments.h"
#include "ExpectError.h"

#include <gtest/gtest.h>

using namespace fk;
using namespace fk::bench;

namespace {

/// The bytes of one argument, in hexadecimal, lowest first.
std::string getBytes(std::string_view text) {
  std::string digits;
  for (const LaunchArgument &argument : parseLaunchArguments(text))
    for (std::byte byte : argument.bytes) {
      char hex[3];
      std::snprintf(hex, sizeof hex, "%02x", unsigned(byte));
      digits += hex;
    }
  return digits;
}

TEST(LaunchArguments, Integers) {
  EXPECT_EQ(getBytes("i8:-128"), "80");
  EXPECT_EQ(getBytes("u8:255"), "ff");
  EXPECT_EQ(getBytes("i16:-2"), "feff");
  EXPECT_EQ(getBytes("u16:0x1234"), "3412");
  EXPECT_EQ(getBytes("i32:128"), "80000000");
  EXPECT_EQ(getBytes("i32:-0x80000000"), "00000080");
  EXPECT_EQ(getBytes("u32:4294967295"), "ffffffff");
  EXPECT_EQ(getBytes("i64:-9223372036854775808"), "0000000000000080");
  EXPECT_EQ(getBytes("u64:18446744073709551615"), "ffffffffffffffff");
  EXPECT_EQ(getBytes("u32:-0"), "00000000");
}

TEST(LaunchArguments, Floats) {
  EXPECT_EQ(getBytes("f32:1"), "0000803f");
  EXPECT_EQ(getBytes("f32:0x1p-149"), "01000000");
  EXPECT_EQ(getBytes("f32:-inf"), "000080ff");
  EXPECT_EQ(getBytes("f64:0.5"), "000000000000e03f");
  EXPECT_EQ(getBytes("f16:1.5"), "003e");
  EXPECT_EQ(getBytes("f16:65504"), "ff7b");
  EXPECT_EQ(getBytes("bf16:3.0"), "4040");
  EXPECT_EQ(getBytes("bf16:inf"), "807f");
  // Ties to even.
  EXPECT_EQ(getBytes("bf16:0x1.01p0"), "803f");
  EXPECT_EQ(getBytes("bf16:0x1.03p0"), "823f");
}

TEST(LaunchArguments, Others) {
  EXPECT_EQ(getBytes("hex:00ffA0"), "00ffa0");
  EXPECT_EQ(getBytes("null"), "0000000000000000");
  EXPECT_TRUE(parseLaunchArguments("").empty());
  const auto arguments = parseLaunchArguments("out,layers.0:w,i32:1");
  ASSERT_EQ(arguments.size(), 3u);
  EXPECT_EQ(arguments[0].tensor, "out");
  EXPECT_EQ(arguments[1].tensor, "layers.0:w");
  EXPECT_EQ(arguments[2].tensor, "");
  EXPECT_EQ(arguments[2].text, "i32:1");
}

TEST(LaunchArguments, ErrorsNameTheArgument) {
  auto expect = [](std::string_view text, const std::string &fragment) {
    expectError([&] { parseLaunchArguments(text); }, fragment);
  };
  expect("a,,b", "an argument is empty: --args");
  expect("a,", "an argument is empty");
  expect("i8:128",
         "the value does not fit its type: --args, 'i8:128': wanted -128 to "
         "127, got 128");
  expect("u8:-1", "the value does not fit its type");
  expect("i64:9223372036854775808", "the value does not fit its type");
  expect("u64:18446744073709551616", "this is no integer");
  expect("i32:", "this is no integer");
  expect("i32:1.5", "this is no integer");
  expect("i32:0x", "this is no integer");
  expect("i32: 1", "this is no integer");
  expect("f32:", "this is no number");
  expect("f32:1e", "this is no number");
  expect("f32:1.0f", "this is no number");
  expect("f32: 1", "this is no number");
  expect("f32:1e39", "the value does not fit its type");
  expect("f64:1e999", "the value does not fit its type");
  expect(
      "f16:65520",
      "the value does not fit its type: --args, 'f16:65520': wanted a finite "
      "number, got 65520 (write inf where infinity is meant)");
  expect("bf16:3.4e38", "the value does not fit its type");
  expect("hex:", "hex: wants whole bytes");
  expect("hex:123", "hex: wants whole bytes");
  expect("hex:0g", "hex: wants hexadecimal digits");
  expect("hex:" + std::string(2 * 32765, '0'),
         "the struct is too large for a parameter");
  std::string many = "i64:1";
  for (int i = 0; i < 5000; ++i)
    many += ",i64:1";
  expect(many, "the arguments are too large for a kernel");
}

TEST(LaunchArguments, Extents) {
  const std::array<uint32_t, 3> most = {2147483647, 65535, 64};
  EXPECT_EQ(parseExtents("4", "--grid", most), (Extent3{4, 1, 1}));
  EXPECT_EQ(parseExtents("4,2", "--grid", most), (Extent3{4, 2, 1}));
  EXPECT_EQ(parseExtents("2147483647,65535,64", "--grid", most),
            (Extent3{2147483647, 65535, 64}));
  auto expect = [&](std::string_view text, const std::string &fragment) {
    expectError([&] { parseExtents(text, "--grid", most); }, fragment);
  };
  expect("0", "the number is out of range: --grid: wanted 1 to 2147483647, got "
              "'0'");
  expect("", "the number is out of range");
  expect("1,,1", "the number is out of range");
  expect("1,1,65", "the number is out of range");
  expect("1,65536", "the number is out of range");
  expect("-1", "the number is out of range");
  expect("99999999999999999999", "the number is out of range");
  expect("1,1,1,1", "too many extents");
  expect("1;1", "the number is out of range");
}

} // namespace
