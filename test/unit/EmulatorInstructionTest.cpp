//===- EmulatorInstructionTest.cpp - Values of single instructions --------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// What each family computes, by hand. EmulatorRecordTest.cpp compares every
// instruction with a GPU; here stand the cases that explain themselves.
//
//===----------------------------------------------------------------------===//

#include "EmulatorSnippet.h"

using namespace fk;
using namespace fk::test;

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

TEST(EmulatorInteger, SumsWrap) {
  EXPECT_SNIPPET("add.s32 %r, %a, %b;", b32(0x80000000), b32(0x7fffffff),
                 b32(1));
  EXPECT_SNIPPET("add.sat.s32 %r, %a, %b;", b32(0x7fffffff), b32(0x7fffffff),
                 b32(1));
  EXPECT_SNIPPET("add.u16 %r, %a, %b;", b16(1), b16(0xffff), b16(2));
  EXPECT_SNIPPET("sub.u64 %r, %a, %b;", b64(~uint64_t(0)), b64(0), b64(1));
  EXPECT_SNIPPET("sub.sat.s32 %r, %a, %b;", b32(0x80000000), b32(0x80000000),
                 b32(1));
  EXPECT_SNIPPET("add.s32 %r, %a, -5;", b32(-2), b32(3));
}

TEST(EmulatorInteger, Products) {
  EXPECT_SNIPPET("mul.lo.s32 %r, %a, %b;", b32(-6), b32(-2), b32(3));
  EXPECT_SNIPPET("mul.hi.s32 %r, %a, %b;", b32(-1), b32(-2), b32(3));
  EXPECT_SNIPPET("mul.hi.u32 %r, %a, %b;", b32(2), b32(-2), b32(3));
  EXPECT_SNIPPET("mul.wide.s32 %r, %a, %b;", b64(-6), b32(-2), b32(3));
  EXPECT_SNIPPET("mul.wide.u16 %r, %a, %b;", b32(0xfffe0001), b16(0xffff),
                 b16(0xffff));
  EXPECT_SNIPPET("mul.hi.u64 %r, %a, %b;", b64(~uint64_t(1)), b64(-1), b64(-1));
  EXPECT_SNIPPET("mad.lo.s16 %r, %a, %b, %c;", b16(7), b16(-1), b16(3),
                 b16(10));
  EXPECT_SNIPPET("mad.wide.s32 %r, %a, %b, %c;", b64(-5), b32(-2), b32(3),
                 b64(1));
  EXPECT_SNIPPET("mad.hi.sat.s32 %r, %a, %b, %c;", b32(0x7fffffff),
                 b32(0x7fffffff), b32(4), b32(0x7fffffff));
  EXPECT_SNIPPET("mul24.lo.u32 %r, %a, %b;", b32(6), b32(0xff000002), b32(3));
  EXPECT_SNIPPET("mul24.hi.s32 %r, %a, %b;", b32(-1), b32(0xffffff), b32(1));
  EXPECT_SNIPPET("mad24.lo.s32 %r, %a, %b, %c;", b32(9), b32(0xffffff), b32(1),
                 b32(10));
}

TEST(EmulatorInteger, Quotients) {
  EXPECT_SNIPPET("div.s32 %r, %a, %b;", b32(-3), b32(-7), b32(2));
  EXPECT_SNIPPET("rem.s32 %r, %a, %b;", b32(-1), b32(-7), b32(2));
  EXPECT_SNIPPET("div.u32 %r, %a, %b;", b32(0x7ffffffc), b32(-7), b32(2));
  EXPECT_SNIPPET("div.s32 %r, %a, %b;", b32(0x80000000), b32(0x80000000),
                 b32(-1));
  EXPECT_SNIPPET("rem.u64 %r, %a, %b;", b64(1), b64(10), b64(3));
  EXPECT_SNIPPET("div.u16 %r, %a, %b;", b16(0xffff), b16(10), b16(0));
}

TEST(EmulatorInteger, DistancesSignsAndOrder) {
  EXPECT_SNIPPET("sad.s32 %r, %a, %b, %c;", b32(15), b32(-2), b32(3), b32(10));
  EXPECT_SNIPPET("abs.s64 %r, %a;", b64(5), b64(-5));
  EXPECT_SNIPPET("neg.s16 %r, %a;", b16(-5), b16(5));
  EXPECT_SNIPPET("min.s32 %r, %a, %b;", b32(-1), b32(-1), b32(1));
  EXPECT_SNIPPET("min.u32 %r, %a, %b;", b32(1), b32(-1), b32(1));
  EXPECT_SNIPPET("max.relu.s32 %r, %a, %b;", b32(0), b32(-1), b32(-2));
  EXPECT_SNIPPET("max.s16x2 %r, %a, %b;", b32(0x00010005), b32(0xffff0005),
                 b32(0x0001fffe));
  EXPECT_SNIPPET("max.u16x2 %r, %a, %b;", b32(0xfffffffe), b32(0xffff0005),
                 b32(0x0001fffe));
  EXPECT_SNIPPET("min.relu.s16x2 %r, %a, %b;", b32(0x00000003), b32(0xffff0005),
                 b32(0x00010003));
  EXPECT_SNIPPET("add.u16x2 %r, %a, %b;", b32(0x00020000), b32(0x0001ffff),
                 b32(0x00010001));
}

TEST(EmulatorInteger, CarriesGoOn) {
  EXPECT_SNIPPET("add.cc.u32 %t, %a, %b; addc.u32 %r, %c, 0;", b32(6), b32(-1),
                 b32(1), b32(5));
  EXPECT_SNIPPET("add.cc.u32 %t, %a, %b; addc.u32 %r, %c, 0;", b32(5), b32(-2),
                 b32(1), b32(5));
  EXPECT_SNIPPET("add.cc.u32 %t, %a, %b; addc.cc.u32 %t, %c, -1;"
                 "addc.u32 %r, 0, 0;",
                 b32(1), b32(-1), b32(1), b32(0));
  EXPECT_SNIPPET("sub.cc.u64 %w, %a, %b; subc.u64 %r, %c, 0;", b64(4), b64(0),
                 b64(1), b64(5));
  // A 64-bit product of 32-bit factors: 0xffffffff * 3 + 7.
  EXPECT_SNIPPET("mad.lo.cc.u32 %t, %a, %b, 7; madc.hi.u32 %r, %a, %b, 0;",
                 b32(3), b32(-1), b32(3));
  EXPECT_SNIPPET("mad.lo.cc.u32 %r, %a, %b, 7; madc.hi.u32 %t, %a, %b, 0;",
                 b32(4), b32(-1), b32(3));
  EXPECT_SNIPPET("add.cc.u32 %t, %a, 1; madc.lo.u32 %r, %b, %b, %b;", b32(13),
                 b32(-1), b32(3));
}

TEST(EmulatorInteger, DotProducts) {
  EXPECT_SNIPPET("dp4a.s32.s32 %r, %a, %b, %c;", b32(10 - 2 + 4),
                 b32(0xff010000), b32(0x02040000), b32(10));
  EXPECT_SNIPPET("dp4a.u32.u32 %r, %a, %b, %c;", b32(10 + 510), b32(0xff000000),
                 b32(0x02000000), b32(10));
  EXPECT_SNIPPET("dp2a.lo.s32.u32 %r, %a, %b, %c;", b32(10 - 3 + 14),
                 b32(0x0002ffff), b32(0xffff0703), b32(10));
  EXPECT_SNIPPET("dp2a.hi.s32.s32 %r, %a, %b, %c;", b32(10 + 1 - 2),
                 b32(0x0002ffff), b32(0xffff0703), b32(10));
}

TEST(EmulatorInteger, Logic) {
  EXPECT_SNIPPET("and.b32 %r, %a, 0xff00;", b32(0x5600), b32(0x12345678));
  EXPECT_SNIPPET("or.b16 %r, %a, %b;", b16(0x1ff4), b16(0x1204), b16(0x0ff0));
  EXPECT_SNIPPET("xor.b64 %r, %a, %b;", b64(6), b64(5), b64(3));
  EXPECT_SNIPPET("not.b32 %r, %a;", b32(0xedcba987), b32(0x12345678));
  EXPECT_SNIPPET("cnot.b32 %r, %a;", b32(1), b32(0));
  EXPECT_SNIPPET("cnot.b32 %r, %a;", b32(0), b32(7));
  // The table of a ? b : c is 0xca.
  EXPECT_SNIPPET("lop3.b32 %r, %a, %b, %c, 0xca;", b32(0x1200abcd),
                 b32(0xff000000), b32(0x12345678), b32(0x0000abcd));
  EXPECT_SNIPPET(
      "setp.ne.u32 %q, %a, %a; lop3.or.b32 %t|%p, %a, %b, 0, 0xc0, %q;"
      "selp.u32 %r, 1, 0, %p;",
      b32(1), b32(6), b32(2));
  EXPECT_SNIPPET("setp.ne.u32 %q, %a, %a; "
                 "lop3.and.b32 %t|%p, %a, %b, 0, 0xc0, !%q;"
                 "selp.u32 %r, 1, 0, %p;",
                 b32(1), b32(6), b32(2));
  EXPECT_SNIPPET("setp.eq.u32 %p, %a, 6; setp.eq.u32 %q, %a, 7;"
                 "xor.pred %p, %p, %q; not.pred %q, %p; selp.u32 %r, 1, 0, %q;",
                 b32(0), b32(6));
}

TEST(EmulatorInteger, ShiftsClamp) {
  EXPECT_SNIPPET("shl.b32 %r, %a, %b;", b32(0x80), b32(1), b32(7));
  EXPECT_SNIPPET("shl.b32 %r, %a, %b;", b32(0), b32(1), b32(32));
  EXPECT_SNIPPET("shl.b64 %r, %a, %b;", b64(uint64_t(1) << 63), b64(3),
                 b32(63));
  EXPECT_SNIPPET("shr.s32 %r, %a, %b;", b32(-1), b32(0x80000000), b32(1000));
  EXPECT_SNIPPET("shr.u32 %r, %a, %b;", b32(0), b32(0x80000000), b32(1000));
  EXPECT_SNIPPET("shr.s16 %r, %a, %b;", b16(0xff00), b16(0x8000), b32(7));
  EXPECT_SNIPPET("shf.l.wrap.b32 %r, %a, %b, %c;", b32(0x22222211),
                 b32(0x11111111), b32(0x22222222), b32(8 + 32));
  EXPECT_SNIPPET("shf.r.clamp.b32 %r, %a, %b, %c;", b32(0x22222222),
                 b32(0x11111111), b32(0x22222222), b32(40));
  EXPECT_SNIPPET("shf.r.wrap.b32 %r, %a, %b, %c;", b32(0x22111111),
                 b32(0x11111111), b32(0x22222222), b32(40));
}

TEST(EmulatorInteger, BitsAndFields) {
  EXPECT_SNIPPET("popc.b64 %r, %a;", b32(4), b64(0x8000000000000007));
  EXPECT_SNIPPET("clz.b32 %r, %a;", b32(31), b32(1));
  EXPECT_SNIPPET("clz.b64 %r, %a;", b32(64), b64(0));
  EXPECT_SNIPPET("bfind.u32 %r, %a;", b32(4), b32(0x1f));
  EXPECT_SNIPPET("bfind.s32 %r, %a;", b32(-1), b32(-1));
  EXPECT_SNIPPET("bfind.shiftamt.u32 %r, %a;", b32(27), b32(0x1f));
  EXPECT_SNIPPET("brev.b32 %r, %a;", b32(0x80000000), b32(1));
  EXPECT_SNIPPET("bfe.u32 %r, %a, 8, 8;", b32(0x56), b32(0x12345678));
  EXPECT_SNIPPET("bfe.s32 %r, %a, 4, 4;", b32(-8), b32(0x80));
  EXPECT_SNIPPET("bfi.b32 %r, %a, %b, 8, 8;", b32(0x1234ff78), b32(0xff),
                 b32(0x12345678));
  EXPECT_SNIPPET("bmsk.clamp.b32 %r, %a, %b;", b32(0xff0), b32(4), b32(8));
  EXPECT_SNIPPET("szext.wrap.s32 %r, %a, %b;", b32(-1), b32(0xf), b32(4));
  EXPECT_SNIPPET("szext.wrap.u32 %r, %a, %b;", b32(0xf), b32(0xfff), b32(4));
  EXPECT_SNIPPET("fns.b32 %r, %a, 0, 2;", b32(3), b32(0xa));
  EXPECT_SNIPPET("prmt.b32 %r, %a, %b, 0x7450;", b32(0x77445500 | 0x33),
                 b32(0x00112233), b32(0x77665544));
  EXPECT_SNIPPET("prmt.b32 %r, %a, 0, 0x8881;", b32(0xffffff12), b32(0x1280));
  EXPECT_SNIPPET("prmt.b32.rc16 %r, %a, 0, 1;", b32(0x12341234),
                 b32(0x12345678));
}

//===----------------------------------------------------------------------===//
// f32 and f64
//===----------------------------------------------------------------------===//

TEST(EmulatorFloat, Roundings) {
  // 1 + 2^-24 lies halfway between 1 and its neighbour.
  Bits one = f32(1), half = f32(0x1p-24f), next = f32(1 + 0x1p-23f);
  EXPECT_SNIPPET("add.f32 %r, %a, %b;", one, one, half);
  EXPECT_SNIPPET("add.rp.f32 %r, %a, %b;", next, one, half);
  EXPECT_SNIPPET("add.rm.f32 %r, %a, %b;", one, one, half);
  EXPECT_SNIPPET("add.rz.f64 %r, %a, %b;", f64(1), f64(1), f64(0x1p-53));
  EXPECT_SNIPPET("add.rp.f64 %r, %a, %b;", f64(1 + 0x1p-52), f64(1),
                 f64(0x1p-53));
  EXPECT_SNIPPET("sub.rm.f32 %r, %a, %a;", f32(-0.0f), one);
  EXPECT_SNIPPET("div.rz.f32 %r, %a, %b;", f32(0x1.555554p-2f), one, f32(3));
  EXPECT_SNIPPET("div.rn.f32 %r, %a, %b;", f32(0x1.555556p-2f), one, f32(3));
  EXPECT_SNIPPET("rcp.rn.f64 %r, %a;", f64(0.25), f64(4));
  EXPECT_SNIPPET("sqrt.rp.f32 %r, %a;", f32(0x1.6a09e8p+0f), f32(2));
  EXPECT_SNIPPET("sqrt.rm.f32 %r, %a;", f32(0x1.6a09e6p+0f), f32(2));
}

TEST(EmulatorFloat, FusedOrNot) {
  // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24.
  Bits x = f32(1 + 0x1p-12f), minus = f32(-(1 + 0x1p-11f));
  EXPECT_SNIPPET("fma.rn.f32 %r, %a, %a, %b;", f32(0x1p-24f), x, minus);
  EXPECT_SNIPPET("mul.rn.f32 %t, %a, %a; add.rn.f32 %r, %t, %b;", f32(0), x,
                 minus);
  EXPECT_SNIPPET("mad.rn.f32 %r, %a, %a, %b;", f32(0x1p-24f), x, minus);
  EXPECT_SNIPPET("fma.rn.f64 %r, %a, %b, %c;", f64(7), f64(2), f64(3), f64(1));
}

TEST(EmulatorFloat, FlushAndSaturate) {
  EXPECT_SNIPPET("add.f32 %r, %a, %b;", b32(2), b32(1), b32(1));
  EXPECT_SNIPPET("add.ftz.f32 %r, %a, %b;", b32(0), b32(1), b32(1));
  EXPECT_SNIPPET("mul.ftz.f32 %r, %a, %b;", f32(-0.0f), f32(-0x1p-100f),
                 f32(0x1p-40f));
  EXPECT_SNIPPET("add.sat.f32 %r, %a, %b;", f32(1), f32(1), f32(1));
  EXPECT_SNIPPET("sub.sat.f32 %r, %a, %b;", f32(0), f32(1), f32(2));
  EXPECT_SNIPPET("mul.sat.f32 %r, %a, %b;", f32(0), f32(0), b32(0x7f800000));
}

TEST(EmulatorFloat, NaNs) {
  EXPECT_SNIPPET("add.f32 %r, %a, %b;", b32(0x7fffffff), b32(0xffc12345),
                 f32(1));
  EXPECT_SNIPPET("add.f64 %r, %a, %b;", b64(0x7ff8000000000123),
                 b64(0x7ff0000000000123), f64(1));
  EXPECT_SNIPPET("min.f32 %r, %a, %b;", f32(1), b32(0x7fc00000), f32(1));
  EXPECT_SNIPPET("min.NaN.f32 %r, %a, %b;", b32(0x7fffffff), b32(0x7fc00000),
                 f32(1));
  EXPECT_SNIPPET("max.f64 %r, %a, %b;", f64(1), f64(1),
                 b64(0x7ff8000000000000));
}

TEST(EmulatorFloat, SignsAndOrder) {
  EXPECT_SNIPPET("max.f32 %r, %a, %b;", f32(0), f32(-0.0f), f32(0));
  EXPECT_SNIPPET("min.xorsign.abs.f32 %r, %a, %b;", f32(-2), f32(-2), f32(3));
  EXPECT_SNIPPET("abs.f32 %r, %a;", f32(2), f32(-2));
  EXPECT_SNIPPET("neg.f64 %r, %a;", f64(-2), f64(2));
  EXPECT_SNIPPET("abs.ftz.f32 %r, %a;", f32(0), b32(0x80000001));
  EXPECT_SNIPPET("copysign.f32 %r, %a, %b;", f32(-3), f32(-2), f32(3));
  EXPECT_SNIPPET("testp.subnormal.f32 %p, %a; selp.u32 %r, 1, 0, %p;", b32(1),
                 b32(1));
  EXPECT_SNIPPET("testp.normal.f64 %p, %a; selp.u32 %r, 1, 0, %p;", b32(0),
                 b64(0x7ff0000000000000));
}

TEST(EmulatorFloat, ApproximateFunctionsWhereTheyAreExact) {
  EXPECT_SNIPPET("ex2.approx.f32 %r, %a;", f32(8), f32(3));
  EXPECT_SNIPPET("ex2.approx.ftz.f32 %r, %a;", f32(0), f32(-130));
  EXPECT_SNIPPET("lg2.approx.f32 %r, %a;", f32(3), f32(8));
  EXPECT_SNIPPET("lg2.approx.f32 %r, %a;", b32(0xff800000), f32(-0.0f));
  EXPECT_SNIPPET("rsqrt.approx.f32 %r, %a;", f32(0.5f), f32(4));
  EXPECT_SNIPPET("rcp.approx.ftz.f32 %r, %a;", f32(0.25f), f32(4));
  EXPECT_SNIPPET("sqrt.approx.f32 %r, %a;", f32(3), f32(9));
  EXPECT_SNIPPET("sin.approx.f32 %r, %a;", f32(-0.0f), f32(-0.0f));
  EXPECT_SNIPPET("cos.approx.f32 %r, %a;", f32(1), f32(0));
  EXPECT_SNIPPET("tanh.approx.f32 %r, %a;", f32(1), f32(100));
  EXPECT_SNIPPET("div.full.f32 %r, %a, %b;", f32(2), f32(6), f32(3));
  EXPECT_SNIPPET("div.approx.f32 %r, %a, %b;", f32(0), f32(6), f32(0x1p127f));
  EXPECT_SNIPPET("rcp.approx.ftz.f64 %r, %a;", f64(0.5), f64(2));
  EXPECT_SNIPPET("rsqrt.approx.f64 %r, %a;", f64(0.5), f64(4));
}

//===----------------------------------------------------------------------===//
// Halves
//===----------------------------------------------------------------------===//

TEST(EmulatorHalf, Scalars) {
  // f16: 0x3c00 is 1, 0x4000 is 2; bf16: 0x3f80 and 0x4000.
  EXPECT_SNIPPET("add.f16 %r, %a, %b;", b16(0x4200), b16(0x3c00), b16(0x4000));
  EXPECT_SNIPPET("add.rn.bf16 %r, %a, %b;", b16(0x4040), b16(0x3f80),
                 b16(0x4000));
  EXPECT_SNIPPET("mul.f16 %r, %a, %b;", b16(0x7c00), b16(0x7bff), b16(0x4000));
  EXPECT_SNIPPET("sub.ftz.f16 %r, %a, %b;", b16(0), b16(0x0401), b16(0x0400));
  EXPECT_SNIPPET("add.sat.f16 %r, %a, %b;", b16(0x3c00), b16(0x3c00),
                 b16(0x4000));
  EXPECT_SNIPPET("fma.rn.relu.bf16 %r, %a, %b, %c;", b16(0), b16(0x3f80),
                 b16(0x4000), b16(0xc080));
  EXPECT_SNIPPET("neg.f16 %r, %a;", b16(0xbc00), b16(0x3c00));
  EXPECT_SNIPPET("abs.bf16 %r, %a;", b16(0x3f80), b16(0xbf80));
  EXPECT_SNIPPET("max.NaN.f16 %r, %a, %b;", b16(0x7fff), b16(0x7e01),
                 b16(0x3c00));
  EXPECT_SNIPPET("min.bf16 %r, %a, %b;", b16(0x3f80), b16(0x7fc0), b16(0x3f80));
  EXPECT_SNIPPET("ex2.approx.f16 %r, %a;", b16(0x4000), b16(0x3c00));
  EXPECT_SNIPPET("tanh.approx.bf16 %r, %a;", b16(0), b16(0));
}

TEST(EmulatorHalf, Pairs) {
  EXPECT_SNIPPET("add.f16x2 %r, %a, %b;", b32(0x42004000), b32(0x3c003c00),
                 b32(0x40003c00));
  EXPECT_SNIPPET("fma.rn.bf16x2 %r, %a, %b, %c;", b32(0x40403f80),
                 b32(0x3f800000), b32(0x40003f80), b32(0x3f803f80));
  EXPECT_SNIPPET("max.bf16x2 %r, %a, %b;", b32(0x40003f80), b32(0x3f803f80),
                 b32(0x40000000));
  EXPECT_SNIPPET("neg.f16x2 %r, %a;", b32(0xbc004000), b32(0x3c00c000));
  EXPECT_SNIPPET("ex2.approx.ftz.bf16x2 %r, %a;", b32(0x40003f80),
                 b32(0x3f800000));
}

//===----------------------------------------------------------------------===//
// Comparisons
//===----------------------------------------------------------------------===//

TEST(EmulatorCompare, Predicates) {
  auto setp = [](const char *compare) {
    return std::string("setp.") + compare +
           " %p, %a, %b; selp.u32 %r, 1, 0, %p;";
  };
  EXPECT_SNIPPET(setp("lt.s32"), b32(1), b32(-1), b32(1));
  EXPECT_SNIPPET(setp("lt.u32"), b32(0), b32(-1), b32(1));
  EXPECT_SNIPPET(setp("hs.u16"), b32(1), b16(-1), b16(1));
  EXPECT_SNIPPET(setp("eq.b64"), b32(1), b64(7), b64(7));
  EXPECT_SNIPPET(setp("ne.f32"), b32(0), b32(0x7fc00000), f32(1));
  EXPECT_SNIPPET(setp("neu.f32"), b32(1), b32(0x7fc00000), f32(1));
  EXPECT_SNIPPET(setp("eq.f32"), b32(0), b32(1), b32(2));
  EXPECT_SNIPPET(setp("eq.ftz.f32"), b32(1), b32(1), b32(2));
  EXPECT_SNIPPET(setp("geu.f64"), b32(1), b64(0x7ff8000000000000), f64(1));
  EXPECT_SNIPPET(setp("num.f16"), b32(1), b16(0x3c00), b16(0x3c00));
  EXPECT_SNIPPET(setp("nan.bf16"), b32(1), b16(0x7fc0), b16(0x3f80));
}

TEST(EmulatorCompare, TwoDestinationsAndLogic) {
  EXPECT_SNIPPET("setp.lt.s32 %p|%q, %a, %b; selp.u32 %t, 2, 0, %p;"
                 "selp.u32 %r, 1, 0, %q; add.u32 %r, %r, %t;",
                 b32(2), b32(1), b32(2));
  EXPECT_SNIPPET("setp.eq.s32 %q, %a, %a; setp.lt.xor.s32 %p|%q, %a, %b, %q;"
                 "selp.u32 %t, 2, 0, %p; selp.u32 %r, 1, 0, %q;"
                 "add.u32 %r, %r, %t;",
                 b32(1), b32(1), b32(2));
  EXPECT_SNIPPET("setp.eq.s32 %q, %a, %a; setp.gt.or.s32 %p, %a, %b, !%q;"
                 "selp.u32 %r, 1, 0, %p;",
                 b32(0), b32(1), b32(2));
  EXPECT_SNIPPET("setp.lt.f16x2 %p|%q, %a, %b; selp.u32 %t, 2, 0, %p;"
                 "selp.u32 %r, 1, 0, %q; add.u32 %r, %r, %t;",
                 b32(1), b32(0x3c003c00), b32(0x40003c00));
  EXPECT_SNIPPET("setp.lt.s32 _|%q, %a, %b; selp.u32 %r, 1, 0, %q;", b32(0),
                 b32(1), b32(2));
}

TEST(EmulatorCompare, Values) {
  EXPECT_SNIPPET("set.lt.u32.s32 %r, %a, %b;", b32(-1), b32(-1), b32(1));
  EXPECT_SNIPPET("set.lt.f32.f32 %r, %a, %b;", f32(1), f32(1), f32(2));
  EXPECT_SNIPPET("set.eq.f16.f16 %r, %a, %b;", b16(0x3c00), b16(0),
                 b16(0x8000));
  EXPECT_SNIPPET("set.ge.bf16x2.bf16x2 %r, %a, %b;", b32(0x00003f80),
                 b32(0x3f803f80), b32(0x40003f80));
  EXPECT_SNIPPET("set.ge.u32.f16x2 %r, %a, %b;", b32(0x0000ffff),
                 b32(0x3c003c00), b32(0x40003c00));
  EXPECT_SNIPPET("setp.eq.s32 %p, %a, %a; set.gt.and.u32.f64 %r, %b, %c, %p;",
                 b32(-1), b32(0), f64(2), f64(1));
}

TEST(EmulatorCompare, Selections) {
  EXPECT_SNIPPET("setp.eq.s32 %p, %a, 1; selp.f32 %r, %b, 0f3F800000, %p;",
                 f32(2), b32(1), f32(2));
  EXPECT_SNIPPET("setp.eq.s32 %p, %a, 1; selp.b64 %r, %b, %c, %p;", b64(9),
                 b32(2), b64(8), b64(9));
  EXPECT_SNIPPET("slct.u16.s32 %r, %a, %b, %c;", b16(2), b16(1), b16(2),
                 b32(-1));
  EXPECT_SNIPPET("slct.f64.f32 %r, %a, %b, %c;", f64(1), f64(1), f64(2),
                 f32(-0.0f));
  EXPECT_SNIPPET("slct.b32.f32 %r, %a, %b, %c;", b32(2), b32(1), b32(2),
                 b32(0x7fc00000));
}

//===----------------------------------------------------------------------===//
// Lanes that stand aside
//===----------------------------------------------------------------------===//

TEST(EmulatorInstruction, GuardedLanesKeepTheirValues) {
  EmulatorRun run(getPtxHeader() + R"(
.visible .entry f(.param .u64 out)
{
.reg .pred %p, %q;
.reg .b32 %lane, %r, %s;
.reg .b64 %out;
ld.param.u64 %out, [out];
mov.u32 %lane, %tid.x;
mad.wide.u32 %out, %lane, 4, %out;
setp.lt.u32 %p, %lane, 20;
mov.u32 %r, 1000;
@%p add.u32 %r, %lane, 1;
@!%p shl.b32 %r, %r, 1;
setp.ne.u32 %q, %lane, %lane;
@%p setp.gt.u32 %q, %lane, 9;
@%q selp.u32 %r, 7, 0, %p;
st.global.u32 [%out], %r;
ret;
}
)");
  run.addOutput("out", 32 * 4);
  run.launch("f", {1, 1, 1}, {32, 1, 1});
  EXPECT_EQ(run.getFindings(), "");
  std::vector<uint32_t> out = run.get<uint32_t>("out");
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(out[lane], lane < 10 ? lane + 1 : lane < 20 ? 7 : 2000) << lane;
}
