//===- LaunchArguments.cpp - A kernel's launch as a user types it ---------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/LaunchArguments.h"

#include "runtime/reference/Scalar.h"
#include "runtime/support/Error.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>

using namespace fk;
using namespace fk::bench;

/// What a kernel's parameters may take at most (sm_70 and later, CUDA 12.1).
static constexpr size_t maxParameterBytes = 32764;

static std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// Sign and magnitude of a decimal or hexadecimal integer of at most 64 bits.
struct Integer {
  bool isNegative = false;
  uint64_t magnitude = 0;
};

static std::optional<Integer> readInteger(std::string_view text) {
  Integer value;
  if (text.starts_with('-') || text.starts_with('+')) {
    value.isNegative = text[0] == '-';
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  const char *last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, value.magnitude, base);
  if (text.empty() || error != std::errc() || end != last)
    return std::nullopt;
  return value;
}

template <typename T> static std::vector<std::byte> toBytes(T value) {
  std::vector<std::byte> bytes(sizeof(T));
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

namespace {

[[noreturn]] void fail(std::string what, std::string_view argument,
                       std::string wanted, std::string got,
                       std::string mend = "") {
  throw Error({std::move(what), "--args, '" + std::string(argument) + "'",
               std::move(wanted), std::move(got), std::move(mend)});
}

template <typename T>
std::vector<std::byte> parseInteger(std::string_view argument,
                                    std::string_view text) {
  using Limits = std::numeric_limits<T>;
  auto range = [] {
    return std::to_string(Limits::min()) + " to " +
           std::to_string(Limits::max());
  };
  std::optional<Integer> value = readInteger(text);
  if (!value)
    fail("this is no integer", argument, range() + ", decimal or 0x...",
         "'" + std::string(text) + "'");
  // The magnitude of the least value is one more than that of the largest.
  uint64_t most = uint64_t(Limits::max()) +
                  (std::is_signed_v<T> && value->isNegative ? 1 : 0);
  if (value->magnitude > most ||
      (value->isNegative && !std::is_signed_v<T> && value->magnitude))
    fail("the value does not fit its type", argument, range(),
         std::string(text));
  uint64_t bits = value->isNegative ? 0 - value->magnitude : value->magnitude;
  return toBytes(static_cast<T>(bits));
}

/// `round` gives the bits of the type and says whether they are infinite.
template <typename Round>
std::vector<std::byte> parseFloat(std::string_view argument,
                                  std::string_view text, Round round) {
  const std::string copy(text);
  char *end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  if (copy.empty() || *end || std::isspace(static_cast<unsigned char>(copy[0])))
    fail("this is no number", argument, "such as 0.5, 1e-6, 0x1p-3, inf or nan",
         "'" + copy + "'");
  auto [bits, isInfinite] = round(value);
  // strtod itself makes an infinity of 1e999.
  const bool asked = copy.find_first_of("iI") != std::string::npos;
  if ((isInfinite || std::isinf(value)) && !asked)
    fail("the value does not fit its type", argument, "a finite number", copy,
         "write inf where infinity is meant");
  return toBytes(bits);
}

std::vector<std::byte> parseHex(std::string_view argument,
                                std::string_view text) {
  if (text.empty() || text.size() % 2)
    fail("hex: wants whole bytes", argument, "an even number of digits, not 0",
         std::to_string(text.size()));
  if (text.size() / 2 > maxParameterBytes)
    fail("the struct is too large for a parameter", argument,
         "at most " + std::to_string(maxParameterBytes) + " bytes",
         std::to_string(text.size() / 2));
  std::vector<std::byte> bytes;
  for (size_t i = 0; i < text.size(); i += 2) {
    unsigned value = 0;
    auto [end, error] =
        std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
    if (error != std::errc() || end != text.data() + i + 2)
      fail("hex: wants hexadecimal digits", argument, "0 to 9 and a to f",
           "'" + std::string(text.substr(i, 2)) + "'");
    bytes.push_back(std::byte(value));
  }
  return bytes;
}

/// nullopt where `type` is no type's name.
std::optional<std::vector<std::byte>> parseTyped(std::string_view argument,
                                                 std::string_view type,
                                                 std::string_view text) {
  if (type == "i8")
    return parseInteger<int8_t>(argument, text);
  if (type == "i16")
    return parseInteger<int16_t>(argument, text);
  if (type == "i32")
    return parseInteger<int32_t>(argument, text);
  if (type == "i64")
    return parseInteger<int64_t>(argument, text);
  if (type == "u8")
    return parseInteger<uint8_t>(argument, text);
  if (type == "u16")
    return parseInteger<uint16_t>(argument, text);
  if (type == "u32")
    return parseInteger<uint32_t>(argument, text);
  if (type == "u64")
    return parseInteger<uint64_t>(argument, text);
  using Rounded16 = std::pair<uint16_t, bool>;
  if (type == "f16")
    return parseFloat(argument, text, [](double value) {
      const uint16_t bits = reference::roundToF16(float(value)).bits;
      return Rounded16(bits, (bits & 0x7fff) == 0x7c00);
    });
  if (type == "bf16")
    return parseFloat(argument, text, [](double value) {
      const uint16_t bits = reference::roundToBF16(float(value)).bits;
      return Rounded16(bits, (bits & 0x7fff) == 0x7f80);
    });
  if (type == "f32")
    return parseFloat(argument, text, [](double value) {
      return std::pair(float(value), std::isinf(float(value)));
    });
  if (type == "f64")
    return parseFloat(argument, text, [](double value) {
      return std::pair(value, std::isinf(value));
    });
  if (type == "hex")
    return parseHex(argument, text);
  return std::nullopt;
}

LaunchArgument parseArgument(std::string_view text) {
  if (text.empty())
    fail("an argument is empty", text,
         "a tensor's name, <type>:<value>, hex:<bytes> or null", "nothing",
         "separate arguments by one comma each");
  LaunchArgument argument;
  argument.text = text;
  if (text == "null") {
    argument.bytes.resize(8);
    return argument;
  }
  if (size_t colon = text.find(':'); colon != std::string_view::npos)
    if (auto bytes =
            parseTyped(text, text.substr(0, colon), text.substr(colon + 1))) {
      argument.bytes = std::move(*bytes);
      return argument;
    }
  // A tensor's name may have a colon too; whether there is such a tensor is
  // known when the inputs are read.
  argument.tensor = text;
  return argument;
}

} // namespace

std::vector<LaunchArgument> bench::parseLaunchArguments(std::string_view text) {
  std::vector<LaunchArgument> arguments;
  if (text.empty())
    return arguments;
  size_t bytes = 0;
  for (std::string_view part : split(text)) {
    arguments.push_back(parseArgument(part));
    const LaunchArgument &last = arguments.back();
    bytes += last.tensor.empty() ? last.bytes.size() : 8;
  }
  if (bytes > maxParameterBytes)
    throw Error({"the arguments are too large for a kernel", "--args",
                 "at most " + std::to_string(maxParameterBytes) + " bytes",
                 std::to_string(bytes), "pass them in a tensor"});
  return arguments;
}

Extent3 bench::parseExtents(std::string_view text, const std::string &option,
                            const std::array<uint32_t, 3> &most) {
  const std::vector<std::string_view> parts = split(text);
  if (parts.size() > 3)
    throw Error({"too many extents", option, "one to three, such as 4,1,1",
                 "'" + std::string(text) + "'", ""});
  Extent3 extents = {1, 1, 1};
  for (size_t i = 0; i < parts.size(); ++i)
    extents[i] = uint32_t(parseNumber(parts[i], option, 1, most[i]));
  return extents;
}

int64_t bench::parseNumber(std::string_view text, const std::string &option,
                           int64_t least, int64_t most) {
  const std::optional<Integer> value = readInteger(text);
  const bool fits = value && value->magnitude <=
                                 uint64_t(std::numeric_limits<int64_t>::max());
  const int64_t number = !fits               ? 0
                         : value->isNegative ? -int64_t(value->magnitude)
                                             : int64_t(value->magnitude);
  if (!fits || number < least || number > most)
    throw Error({"the number is out of range", option,
                 std::to_string(least) + " to " + std::to_string(most),
                 "'" + std::string(text) + "'", ""});
  return number;
}
