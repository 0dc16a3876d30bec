//===- EmulatorInstructionConvertTest.cpp - cvt, undefinedness, errors ----===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "EmulatorSnippet.h"

using namespace fk;
using namespace fk::test;

//===----------------------------------------------------------------------===//
// cvt
//===----------------------------------------------------------------------===//

TEST(EmulatorConvert, Integers) {
  EXPECT_SNIPPET("cvt.s64.s32 %r, %a;", b64(-1), b32(-1));
  EXPECT_SNIPPET("cvt.u64.u32 %r, %a;", b64(0xffffffff), b32(-1));
  EXPECT_SNIPPET("cvt.u16.u32 %r, %a;", b16(0x5678), b32(0x12345678));
  EXPECT_SNIPPET("cvt.sat.u16.s32 %r, %a;", b16(0), b32(-5));
  EXPECT_SNIPPET("cvt.sat.s8.s32 %r, %a;", b32(-128), b32(-500));
}

TEST(EmulatorConvert, RegistersWiderThanTheTypes) {
  EXPECT_SNIPPET("cvt.s32.s8 %r, %a;", b32(-128), b32(0x12345680));
  EXPECT_SNIPPET("cvt.u32.u8 %r, %a;", b32(0x80), b16(0x1280));
  EXPECT_SNIPPET("cvt.u8.u32 %r, %a;", b16(0x78), b32(0x12345678));
  EXPECT_SNIPPET("cvt.s8.s32 %r, %a;", b64(-128), b32(0x80));
  EXPECT_SNIPPET("cvt.u32.u16 %r, %a;", b64(0x5678), b32(0x12345678));
  EXPECT_SNIPPET("cvt.rn.f32.u8 %r, %a;", f32(128), b32(0x12345680));
  EXPECT_SNIPPET("cvt.rzi.s8.f32 %r, %a;", b32(-128), f32(-300));
  EXPECT_SNIPPET("cvt.f32.f16 %r, %a;", f32(1), b32(0xffff3c00));
}

TEST(EmulatorConvert, FloatsToIntegers) {
  EXPECT_SNIPPET("cvt.rzi.s32.f32 %r, %a;", b32(-2), f32(-2.7f));
  EXPECT_SNIPPET("cvt.rni.s32.f32 %r, %a;", b32(2), f32(2.5f));
  EXPECT_SNIPPET("cvt.rpi.s64.f64 %r, %a;", b64(3), f64(2.1));
  EXPECT_SNIPPET("cvt.rmi.s32.f16 %r, %a;", b32(-2), b16(0xbe00));
  EXPECT_SNIPPET("cvt.rzi.u32.f32 %r, %a;", b32(0), f32(-1));
  EXPECT_SNIPPET("cvt.rzi.s32.f32 %r, %a;", b32(0x7fffffff), f32(1e20f));
  EXPECT_SNIPPET("cvt.rzi.s32.f32 %r, %a;", b32(0), b32(0x7fc00000));
  EXPECT_SNIPPET("cvt.rpi.ftz.s32.f32 %r, %a;", b32(0), b32(1));
  EXPECT_SNIPPET("cvt.rni.f32.f32 %r, %a;", f32(4), f32(3.5f));
  EXPECT_SNIPPET("cvt.rzi.f16.f16 %r, %a;", b16(0x3c00), b16(0x3fff));
}

TEST(EmulatorConvert, IntegersToFloats) {
  EXPECT_SNIPPET("cvt.rn.f32.s32 %r, %a;", f32(-5), b32(-5));
  EXPECT_SNIPPET("cvt.rz.f32.u32 %r, %a;", f32(0x1.fffffep31f), b32(-1));
  EXPECT_SNIPPET("cvt.rn.f32.u32 %r, %a;", f32(0x1p32f), b32(-1));
  EXPECT_SNIPPET("cvt.rn.f64.u64 %r, %a;", f64(0x1p63), b64(uint64_t(1) << 63));
  EXPECT_SNIPPET("cvt.rn.f16.s16 %r, %a;", b16(0xbc00), b16(-1));
  EXPECT_SNIPPET("cvt.rn.bf16.u32 %r, %a;", b16(0x4000), b32(2));
  EXPECT_SNIPPET("cvt.rn.sat.f32.s32 %r, %a;", f32(1), b32(77));
}

TEST(EmulatorConvert, FloatsToFloats) {
  EXPECT_SNIPPET("cvt.f32.bf16 %r, %a;", f32(-2), b16(0xc000));
  EXPECT_SNIPPET("cvt.rn.bf16.f32 %r, %a;", b16(0x3f80), b32(0x3f808000));
  EXPECT_SNIPPET("cvt.rz.f16.f32 %r, %a;", b16(0x7bff), f32(1e6f));
  EXPECT_SNIPPET("cvt.rn.f16.f32 %r, %a;", b16(0x7c00), f32(1e6f));
  EXPECT_SNIPPET("cvt.rn.satfinite.f16.f32 %r, %a;", b16(0x7bff), f32(1e6f));
  EXPECT_SNIPPET("cvt.rn.relu.bf16.f32 %r, %a;", b16(0), f32(-1));
  EXPECT_SNIPPET("cvt.rp.f32.f64 %r, %a;", f32(1 + 0x1p-23f), f64(1 + 0x1p-40));
  EXPECT_SNIPPET("cvt.f64.f32 %r, %a;", f64(0.5), f32(0.5f));
  EXPECT_SNIPPET("cvt.sat.f32.f32 %r, %a;", f32(1), f32(3));
  EXPECT_SNIPPET("cvt.rn.f16.bf16 %r, %a;", b16(0x3c00), b16(0x3f80));
  EXPECT_SNIPPET("cvt.rna.tf32.f32 %r, %a;", b32(0x3f802000), b32(0x3f801000));
}

TEST(EmulatorConvert, Packed) {
  EXPECT_SNIPPET("cvt.rn.f16x2.f32 %r, %a, %b;", b32(0x3c004000), f32(1),
                 f32(2));
  EXPECT_SNIPPET("cvt.rn.relu.bf16x2.f32 %r, %a, %b;", b32(0x3f800000), f32(1),
                 f32(-2));
  // e4m3: 0x38 is 1, 0x7e the largest; e5m2: 0x3c is 1.
  EXPECT_SNIPPET("cvt.rn.satfinite.e4m3x2.f32 %r, %a, %b;", b16(0x387e), f32(1),
                 f32(1e9f));
  EXPECT_SNIPPET("cvt.rn.satfinite.e5m2x2.f16x2 %r, %a;", b16(0x3cbc),
                 b32(0x3c00bc00));
  EXPECT_SNIPPET("cvt.rn.f16x2.e4m3x2 %r, %a;", b32(0x3c00bc00), b16(0x38b8));
  EXPECT_SNIPPET("cvt.pack.sat.s16.s32 %r, %a, %b;", b32(0x7fff0005),
                 b32(100000), b32(5));
  EXPECT_SNIPPET("cvt.pack.sat.u8.s32.b32 %r, %a, %b, %c;", b32(0x5678ff00),
                 b32(300), b32(-1), b32(0x12345678));
  EXPECT_SNIPPET("cvt.pack.sat.s4.s32.b32 %r, %a, %b, %c;", b32(0x34567887),
                 b32(-100), b32(100), b32(0x12345678));
}

//===----------------------------------------------------------------------===//
// Undefined values
//===----------------------------------------------------------------------===//

/// Whether the result of `text` is defined, %n, %nh, %nw and %np being not.
/// Operand %a is 0x12345678.
static bool isDefined(const std::string &text, unsigned width = 32) {
  SnippetResult result = runSnippet(text, {b32(0x12345678)}, width);
  if (!result.findings.empty())
    EXPECT_NE(result.findings.find("undefined"), std::string::npos)
        << result.findings;
  return result.findings.empty();
}

TEST(EmulatorUndefined, PassesThroughArithmetic) {
  EXPECT_FALSE(isDefined("add.s32 %r, %a, %n;"));
  EXPECT_FALSE(isDefined("fma.rn.f32 %r, %a, %a, %n;"));
  EXPECT_FALSE(isDefined("mul.wide.u32 %r, %n, %a;", 64));
  EXPECT_FALSE(isDefined("setp.lt.s32 %p, %n, %a; selp.u32 %r, 1, 0, %p;"));
  EXPECT_FALSE(isDefined("cvt.rn.f32.s32 %r, %n;"));
  EXPECT_FALSE(isDefined("addc.u32 %r, %a, %a;"));
  EXPECT_TRUE(isDefined("add.cc.u32 %t, %a, %a; addc.u32 %r, %a, %a;"));
  EXPECT_FALSE(isDefined("add.cc.u32 %t, %n, %a; addc.u32 %r, %a, %a;"));
  EXPECT_TRUE(isDefined("add.s32 %r, %a, %n; mov.u32 %r, 3;"));
}

TEST(EmulatorUndefined, LogicKnowsItsBytes) {
  EXPECT_TRUE(isDefined("and.b32 %r, %n, 0;"));
  EXPECT_FALSE(isDefined("and.b32 %r, %n, 0xff;"));
  EXPECT_TRUE(isDefined("and.b32 %r, %n, 0xff; shr.u32 %r, %r, 8;"));
  EXPECT_FALSE(isDefined("and.b32 %r, %n, 0xff; shr.u32 %r, %r, 7;"));
  EXPECT_TRUE(isDefined("or.b32 %r, %n, -1;"));
  EXPECT_FALSE(isDefined("or.b32 %r, %n, 0;"));
  EXPECT_FALSE(isDefined("xor.b32 %r, %n, %a;"));
  EXPECT_FALSE(isDefined("not.b32 %r, %n;"));
  // a & b does not read c.
  EXPECT_TRUE(isDefined("lop3.b32 %r, %a, %a, %n, 0xc0;"));
  EXPECT_FALSE(isDefined("lop3.b32 %r, %a, %a, %n, 0x80;"));
  EXPECT_TRUE(isDefined("lop3.b32 %r, 0, %a, %n, 0x80;"));
}

TEST(EmulatorUndefined, ShiftsAndFieldsMoveIt) {
  // %t: the lower half defined, the upper not.
  std::string mixed = "cvt.u16.u32 %h, %a; mov.b32 %t, {%h, %nh}; ";
  EXPECT_FALSE(isDefined(mixed + "mov.b32 %r, %t;"));
  EXPECT_TRUE(isDefined(mixed + "shl.b32 %r, %t, 16;"));
  EXPECT_FALSE(isDefined(mixed + "shl.b32 %r, %t, 8;"));
  EXPECT_FALSE(isDefined(mixed + "shr.u32 %r, %t, 16;"));
  EXPECT_FALSE(isDefined(mixed + "shl.b32 %r, %a, %t;"));
  EXPECT_TRUE(isDefined(mixed + "cvt.u16.u32 %r, %t;", 16));
  EXPECT_TRUE(isDefined(mixed + "cvt.u32.u16 %r, %t;"));
  EXPECT_TRUE(isDefined(mixed + "cvt.s64.s16 %r, %t;", 64));
  EXPECT_FALSE(isDefined(mixed + "cvt.u64.u32 %r, %t;", 64));
  EXPECT_TRUE(isDefined(mixed + "cvt.u64.u32 %w, %t; shr.u64 %r, %w, 32;", 64));
  EXPECT_FALSE(
      isDefined(mixed + "cvt.s64.s32 %w, %t; shr.u64 %r, %w, 32;", 64));
  EXPECT_TRUE(isDefined(mixed + "cvt.f32.f16 %r, %t;"));
  EXPECT_TRUE(isDefined(mixed + "prmt.b32 %r, %t, %a, 0x7610;"));
  EXPECT_FALSE(isDefined(mixed + "prmt.b32 %r, %t, %a, 0x7620;"));
  EXPECT_TRUE(isDefined(mixed + "bfe.u32 %r, %t, 4, 12;"));
  EXPECT_FALSE(isDefined(mixed + "bfe.u32 %r, %t, 4, 13;"));
  EXPECT_TRUE(isDefined(mixed + "bfi.b32 %r, %a, %t, 16, 16;"));
  EXPECT_FALSE(isDefined(mixed + "bfi.b32 %r, %t, %a, 8, 24;"));
  EXPECT_TRUE(isDefined(mixed + "shf.l.wrap.b32 %r, %t, %t, 16; "
                                "shl.b32 %r, %r, 16; shf.l.wrap.b32 %t, %n, "
                                "%a, 0; mov.b32 %r, %t;"));
}

TEST(EmulatorUndefined, HalvesAreApart) {
  std::string mixed = "cvt.u16.u32 %h, %a; mov.b32 %t, {%h, %nh}; ";
  EXPECT_TRUE(isDefined(mixed + "add.f16x2 %t, %t, %t; cvt.u32.u16 %r, %t;"));
  EXPECT_FALSE(isDefined(mixed + "add.f16x2 %t, %t, %t; shr.u32 %r, %t, 16;"));
  EXPECT_TRUE(isDefined("cvt.rn.bf16x2.f32 %t, %n, %a; cvt.u32.u16 %r, %t;"));
  EXPECT_FALSE(isDefined("cvt.rn.bf16x2.f32 %t, %a, %n; cvt.u32.u16 %r, %t;"));
  EXPECT_TRUE(isDefined(mixed + "setp.lt.f16x2 %p|%q, %t, %t; "
                                "selp.u32 %r, 1, 0, %p;"));
  EXPECT_FALSE(isDefined(mixed + "setp.lt.f16x2 %p|%q, %t, %t; "
                                 "selp.u32 %r, 1, 0, %q;"));
}

TEST(EmulatorUndefined, SelectionsReadOneOperand) {
  std::string isTrue = "setp.eq.u32 %p, %a, %a; ";
  EXPECT_TRUE(isDefined(isTrue + "selp.b32 %r, %a, %n, %p;"));
  EXPECT_FALSE(isDefined(isTrue + "selp.b32 %r, %n, %a, %p;"));
  EXPECT_FALSE(isDefined("selp.b32 %r, %a, %a, %np;"));
  EXPECT_TRUE(isDefined("slct.b32.s32 %r, %a, %n, 1;"));
  EXPECT_FALSE(isDefined("slct.b32.s32 %r, %a, %n, -1;"));
  EXPECT_FALSE(isDefined("slct.b32.s32 %r, %a, %a, %n;"));
}

TEST(EmulatorUndefined, PredicatesOfKnownOutcome) {
  std::string isFalse = "setp.ne.u32 %p, %a, %a; ";
  std::string select = "selp.u32 %r, 1, 0, %q;";
  EXPECT_TRUE(isDefined(isFalse + "and.pred %q, %p, %np; " + select));
  EXPECT_FALSE(isDefined(isFalse + "or.pred %q, %p, %np; " + select));
  EXPECT_TRUE(isDefined(isFalse + "setp.lt.and.u32 %q, %n, %a, %p; " + select));
  EXPECT_FALSE(isDefined(isFalse + "setp.lt.or.u32 %q, %n, %a, %p; " + select));
  EXPECT_TRUE(isDefined(isFalse + "setp.lt.or.u32 %q, %n, %a, !%p; " + select));
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

static std::string errorOf(const std::string &text, unsigned width = 32) {
  try {
    emulator::Module::load(makeSnippet(text, {b32(0), b32(0), b32(0)}, width),
                           "k.ptx");
  } catch (const ptx::PtxError &error) {
    return error.what();
  }
  return "";
}

#define EXPECT_ERROR(text, wanted)                                             \
  EXPECT_NE(errorOf(text).find(wanted), std::string::npos)                     \
      << (text) << "\n  says: " << errorOf(text)

TEST(EmulatorInstructionError, NamesTheInstructionAndItsPlace) {
  std::string error = errorOf("mul.s32 %r, %a, %b;");
  EXPECT_NE(error.find("k.ptx:"), std::string::npos) << error;
  EXPECT_NE(error.find("error: 'mul.s32' is not supported: it wants .lo, .hi "
                       "or .wide"),
            std::string::npos)
      << error;
}

TEST(EmulatorInstructionError, Types) {
  EXPECT_ERROR("add.b32 %r, %a, %b;", "not .b32");
  EXPECT_ERROR("add.f32x2 %r, %a, %b;", "sm_100");
  EXPECT_ERROR("rem.f32 %r, %a, %b;", "'rem' takes no .f32");
  EXPECT_ERROR("bfind.b32 %r, %a;", "it takes .u32 .s32 .u64 .s64, not .b32");
  EXPECT_ERROR("setp.lo.s32 %p, %a, %b;", "no such comparison of .s32");
  EXPECT_ERROR("setp.lt.b32 %p, %a, %b;", "no such comparison of .b32");
  EXPECT_ERROR("cvt.rn.satfinite.e2m1x2.f32 %r, %a, %b;", "no such pair");
  EXPECT_ERROR("set.lt.s16.s32 %r, %a, %b;", "not .s16");
}

TEST(EmulatorInstructionError, Modifiers) {
  EXPECT_ERROR("fma.f32 %r, %a, %b, %c;", "it wants a rounding");
  EXPECT_ERROR("div.f32 %r, %a, %b;", "it wants a rounding");
  EXPECT_ERROR("ex2.f32 %r, %a;", "it wants .approx");
  EXPECT_ERROR("cvt.f32.s32 %r, %a;", "it wants a rounding");
  EXPECT_ERROR("cvt.s32.f32 %r, %a;", ".rni");
  EXPECT_ERROR("cvt.bf16.f32 %h, %a;", "it wants a rounding");
  EXPECT_ERROR("add.sat.u32 %r, %a, %b;", "the modifier '.sat' here");
  EXPECT_ERROR("and.ftz.b32 %r, %a, %b;", "the modifier '.ftz' here");
  EXPECT_ERROR("shf.l.b32 %r, %a, %b, %c;", ".clamp or .wrap");
  EXPECT_ERROR("min.xorsign.f32 %r, %a, %b;", ".xorsign wants .abs");
  EXPECT_ERROR("testp.f32 %p, %a;", "it wants a property");
  EXPECT_ERROR("fma.rn.sat.relu.f16x2 %r, %a, %b, %c;", "'.relu' here");
}

TEST(EmulatorInstructionError, Operands) {
  EXPECT_ERROR("add.u32 %r, %a;", "takes 3 operands, got 2");
  EXPECT_ERROR("min.f32 %r, %a, %b, %c;", "three inputs need sm_100");
  EXPECT_ERROR("add.u64 %w, %a, %b;", "'%a'");
  EXPECT_ERROR("add.u32 %w, %a, %b;", "'%w'");
  EXPECT_ERROR("lop3.b32 %r, %a, %b, %c, 256;", "0 to 255");
  EXPECT_ERROR("lop3.b32 %r, %a, %b, %c, %a;", "integer constant");
  EXPECT_ERROR("selp.b32 %r, %a, %b, !%p;", "no negated predicate");
  EXPECT_ERROR("setp.lt.f16x2 %p, %a, %b;", "writes p|q");
  EXPECT_ERROR("cvt.u64.u32 %r, %a;", "narrower");
  EXPECT_ERROR("mul.lo.u32 %r, %a, %w;", "'%w'");
}

TEST(EmulatorInstructionError, Kinds) {
  EXPECT_ERROR(
      "add.f32 %r, %a, 1;",
      "an integer is no .f32, which 'add.f32' takes here: write it as 1.0");
  EXPECT_ERROR("add.s32 %r, %a, 1.5;", "a number with a fraction is no .s32");
  EXPECT_ERROR("fma.rn.f16x2 %r, %a, %a, 0;", "an integer is no .f16x2");
  EXPECT_ERROR("selp.b32 %r, 1.5, 0, %p;", "is no .b32");
  EXPECT_ERROR(".reg .f32 %f; mov.f32 %f, 0f00000000; add.s32 %r, %a, %f;",
               "register '%f' is .f32, where 'add.s32' takes .s32");
  EXPECT_ERROR(".reg .u32 %u; mov.u32 %u, 0; add.f32 %r, %a, %u;",
               "register '%u' is .u32, where 'add.f32' takes .f32");
  EXPECT_ERROR(".reg .f16 %f; mov.b16 %f, %h; add.bf16 %h, %h, %f;",
               "register '%f' is .f16");
  EXPECT_EQ(errorOf(".reg .f32 %f; and.b32 %f, %a, 0f80000000; "
                    "add.f32 %r, %f, 0d3FF0000000000000;"),
            "");
}
