//===- PtxParserHostileTest.cpp - Texts that mean harm --------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Ptx.h"
#include "runtime/support/Safetensors.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

/// More where a sanitizer runs this by hand.
#ifndef FK_PTX_MUTATIONS
#define FK_PTX_MUTATIONS 1000
#endif

using namespace fk::ptx;

/// "" where the text is PTX.
static std::string getErrors(std::string_view text) {
  try {
    parse(text, "k.ptx");
  } catch (const PtxError &error) {
    return error.what();
  }
  return "";
}

static const std::string header =
    ".version 9.0\n.target sm_90a\n.address_size 64\n";

static std::string repeat(std::string_view text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i)
    result += text;
  return result;
}

TEST(PtxHostile, Nesting) {
  std::string body = header + ".entry k { .reg .b64 r;\n";
  for (const char *open : {"(", "-", "!", "~", "1 ? ", "1 ? 2 : ", "(.s64)"})
    EXPECT_NE(getErrors(body + "mov.b64 r, " + repeat(open, 100000) + "1;}")
                  .find("nested too deep"),
              std::string::npos)
        << open;
  EXPECT_NE(getErrors(body + "mov.b64 " + repeat("{", 100000))
                .find("nested too deep"),
            std::string::npos);
  EXPECT_NE(
      getErrors(body + "call " + repeat("(", 100000)).find("nested too deep"),
      std::string::npos);
  EXPECT_NE(getErrors(body + "ld.b32 r, " + repeat("[r, ", 100000))
                .find("nested too deep"),
            std::string::npos);
  EXPECT_NE(getErrors(body + repeat("{", 100000)).find("nested too deep"),
            std::string::npos);
  EXPECT_NE(getErrors(header + ".global .b32 x" + repeat("[1]", 100) + ";")
                .find("more than 16 dimensions"),
            std::string::npos);
  EXPECT_NE(getErrors(header + ".global .b32 x[2] = " + repeat("{", 100000)),
            "");
  EXPECT_EQ(getErrors(body + repeat("{", 150) + repeat("}", 150) + "}"), "");
}

TEST(PtxHostile, Sizes) {
  EXPECT_NE(getErrors(header + ".global .b64 x[536870912] = {1};")
                .find("at most 64 MiB"),
            std::string::npos);
  EXPECT_NE(getErrors(header + repeat(".global .b64 a[2097152]={1};", 5))
                .find("at most 64 MiB"),
            std::string::npos);
  EXPECT_NE(
      getErrors(header + ".global .b64 x<65537>;").find("at most 65536 in all"),
      std::string::npos);
  EXPECT_NE(getErrors(header + ".global .b64 x<60000>, y<60000>;")
                .find("at most 65536 in all"),
            std::string::npos);
  std::string params = repeat(".param .b8 _,", 2000) + ".param .b8 _";
  EXPECT_NE(getErrors(header + ".func f(" + params + ");")
                .find("too many parameters"),
            std::string::npos);
}

/// Seconds that the text takes, whatever it gives.
static double getSeconds(const std::string &text) {
  auto start = std::chrono::steady_clock::now();
  getErrors(text);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

/// Texts of some megabytes whose time would be minutes if it were quadratic.
TEST(PtxHostile, TimeIsLinear) {
  std::string body = header + ".entry k { .reg .b64 r; .reg .b32 %r<100>;\n";
  std::string scopes = repeat("{", 190);
  std::string labels, jumps, registers;
  for (int i = 0; i < 100000; ++i) {
    std::string number = std::to_string(i);
    labels += "L" + number + ":\n";
    jumps += "bra L" + number + ";\n";
    registers += ".reg .b32 q" + number + "<9>;";
  }
  const std::string texts[] = {
      body + labels + jumps + "}",
      body + scopes + jumps + repeat("}", 190) + labels + "}",
      body + registers + repeat("mov.b32 q99999, q11;", 100000) + "}",
      body + repeat("{.reg .b32 %r<5>; mov.b32 %r11, %r4;}", 100000) + "}",
      body + repeat("{", 1000000),
      body + "mov.b64 r, 1" + repeat("+1", 1000000) + ";}",
      body + "mov.b64 r, {r" + repeat(",r", 1000000) + "};}",
      body + repeat("\n", 4000000) + "}",
      header + repeat("/* */", 500000) + "/*" + repeat("*", 4000000),
      header + ".global .b8 x[] = {1" + repeat(",1", 1000000) + "};",
      header + repeat(".func f;\n", 300000),
      header + repeat("\xff \xff ", 500000),
      std::string(4000000, '9'),
      header + "." + std::string(4000000, 'a'),
      header + ".global .b32 %" + std::string(4000000, '1') + ";",
  };
  for (const std::string &text : texts)
    EXPECT_LT(getSeconds(text), 10.0) << text.substr(46, 60);
}

/// Cuts, copies, swaps and overwrites pieces of PTX, ten times a text.
static std::string mutate(std::string text, std::mt19937 &random) {
  static const std::string pieces[] = {"{",
                                       "}",
                                       "[",
                                       "]",
                                       "(",
                                       ")",
                                       ";",
                                       ",",
                                       ":",
                                       ".",
                                       "@",
                                       "!",
                                       "|",
                                       "?",
                                       "-",
                                       "<",
                                       ">",
                                       "/*",
                                       "*/",
                                       "//",
                                       "\"",
                                       "=",
                                       "_",
                                       "%r1",
                                       "0x",
                                       "0f",
                                       "0d",
                                       "1e",
                                       "99999999999999999999",
                                       ".reg ",
                                       ".b32 ",
                                       ".v4 ",
                                       ".align ",
                                       ".shared ",
                                       ".param ",
                                       ".func ",
                                       ".entry ",
                                       ".visible ",
                                       ".extern ",
                                       "call ",
                                       "bra ",
                                       "L:",
                                       ".branchtargets ",
                                       ".callprototype ",
                                       ".alias ",
                                       ".section ",
                                       "generic(",
                                       "0xFF00(",
                                       "WARP_SZ",
                                       "\xff",
                                       "\n",
                                       "#"};
  auto draw = [&](size_t count) {
    return count ? std::uniform_int_distribution<size_t>(0, count - 1)(random)
                 : 0;
  };
  size_t steps = 1 + draw(10);
  for (size_t step = 0; step < steps; ++step) {
    size_t at = draw(text.size() + 1);
    size_t length = std::min(draw(draw(2) ? 8 : 200), text.size() - at);
    switch (draw(6)) {
    case 0:
      text.erase(at, length);
      break;
    case 1:
      text.insert(draw(text.size() + 1), text.substr(at, length));
      break;
    case 2:
      if (at < text.size())
        text[at] = static_cast<char>(1 + draw(255));
      break;
    case 3:
      if (draw(20) == 0)
        text.resize(at);
      break;
    default:
      text.insert(at, pieces[draw(std::size(pieces))]);
    }
  }
  return text;
}

TEST(PtxHostile, MutatedTexts) {
  std::mt19937 random(5);
  size_t wrong = 0, right = 0;
  for (const char *name :
       {"test/unit/ptx/forms.ptx", "test/unit/ptx/nvcc_line.ptx",
        "test/unit/ptx/clang_small.ptx", "examples/candidates/rms_norm.ptx"}) {
    std::string seed = fk::readTextFile(std::string(FK_SOURCE_DIR "/") + name);
    for (int i = 0; i < FK_PTX_MUTATIONS; ++i) {
      try {
        parse(mutate(seed, random), "k.ptx");
        ++right;
      } catch (const PtxError &error) {
        ++wrong;
        ASSERT_GE(error.getDiagnostics().size(), 1u);
        ASSERT_LE(error.getDiagnostics().size(), 20u);
        for (const Diagnostic &diagnostic : error.getDiagnostics()) {
          ASSERT_GE(diagnostic.location.line, 1u);
          ASSERT_GE(diagnostic.location.column, 1u);
          ASSERT_FALSE(diagnostic.message.empty());
        }
      }
    }
  }
  EXPECT_GT(wrong, 0u);
  EXPECT_GT(right, 0u);
}
