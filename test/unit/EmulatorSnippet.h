//===- EmulatorSnippet.h - A few instructions run in a test ----*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TEST_UNIT_EMULATORSNIPPET_H
#define FK_TEST_UNIT_EMULATORSNIPPET_H

#include "EmulatorFixture.h"

#include <bit>

namespace fk::test {

/// An operand or a result: its bits and how many.
struct Bits {
  uint64_t value = 0;
  unsigned width = 32;
};
inline Bits b16(uint64_t value) { return {value & 0xffff, 16}; }
inline Bits b32(uint64_t value) { return {value & 0xffffffff, 32}; }
inline Bits b64(uint64_t value) { return {value, 64}; }
inline Bits f32(float value) { return b32(std::bit_cast<uint32_t>(value)); }
inline Bits f64(double value) { return b64(std::bit_cast<uint64_t>(value)); }
inline bool operator==(Bits a, Bits b) {
  return a.value == b.value && a.width == b.width;
}
inline std::ostream &operator<<(std::ostream &stream, Bits bits) {
  return stream << "0x" << std::hex << bits.value << std::dec << " ("
                << bits.width << " bits)";
}

/// The kernel around `text`, which reads %a, %b, ... (loaded), may use %p, %q,
/// %t (32 bits), %h, %i (16), %w (64) and the never written %n, %nh, %nw and
/// %np, and leaves its result in %r.
inline std::string makeSnippet(const std::string &text,
                               const std::vector<Bits> &operands,
                               unsigned width) {
  std::string result = getPtxHeader() +
                       ".visible .entry f(.param .u64 in, .param .u64 out)\n"
                       "{\n"
                       ".reg .pred %p, %q, %np;\n"
                       ".reg .b16 %h, %i, %nh;\n"
                       ".reg .b32 %t, %n, %lane;\n"
                       ".reg .b64 %w, %nw, %in, %out;\n"
                       ".reg .b" +
                       std::to_string(width) + " %r;\n";
  std::string loads;
  for (size_t k = 0; k < operands.size(); ++k) {
    std::string name = std::string("%") + static_cast<char>('a' + k);
    std::string type = ".b" + std::to_string(operands[k].width) + " ";
    result += ".reg " + type + name + ";\n";
    loads +=
        "ld.global" + type + name + ", [%in+" + std::to_string(8 * k) + "];\n";
  }
  return result +
         "ld.param.u64 %in, [in];\n"
         "ld.param.u64 %out, [out];\n"
         "mov.u32 %lane, %tid.x;\n"
         "mad.wide.u32 %in, %lane, 64, %in;\n"
         "mad.wide.u32 %out, %lane, 8, %out;\n" +
         loads + text + "\nst.global.b" + std::to_string(width) +
         " [%out], %r;\nret;\n}\n";
}

/// The result of one thread, and what the emulator found.
struct SnippetResult {
  Bits bits;
  std::string findings;
};
inline SnippetResult runSnippet(const std::string &text,
                                const std::vector<Bits> &operands,
                                unsigned width) {
  EmulatorRun run(makeSnippet(text, operands, width));
  std::vector<uint64_t> in(8);
  for (size_t k = 0; k < operands.size(); ++k)
    in[k] = operands[k].value;
  run.addInput("in", in);
  run.addOutput("out", width / 8);
  run.launch("f", {1, 1, 1}, {1, 1, 1});
  uint64_t value = 0;
  std::vector<uint8_t> out = run.get<uint8_t>("out");
  std::memcpy(&value, out.data(), out.size());
  return {{value, width}, run.getFindings()};
}

/// Expects %r after `text` to be `wanted`, and nothing found.
#define EXPECT_SNIPPET(text, wanted, ...)                                      \
  do {                                                                         \
    Bits expected = wanted;                                                    \
    SnippetResult got = runSnippet(text, {__VA_ARGS__}, expected.width);       \
    EXPECT_EQ(got.bits, expected) << (text);                                   \
    EXPECT_EQ(got.findings, "") << (text);                                     \
  } while (false)

} // namespace fk::test

#endif // FK_TEST_UNIT_EMULATORSNIPPET_H
