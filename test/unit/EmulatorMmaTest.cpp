//===- EmulatorMmaTest.cpp - Matrix instructions in kernels ---------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The arithmetic is tested in EmulatorMatrixTest.cpp; here it is what the
// instructions do with registers and memory. Small integers make every sum
// exact.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/TensorMemory.h"
#include "test/unit/EmulatorAsyncFixture.h"

#include <bit>

using namespace fk;
using namespace fk::emulator;
using fk::test::EmulatorRun;
using fk::test::expectFinding;

namespace {

std::string replace(std::string text, const std::string &from,
                    const std::string &to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// The bits of small integers as bf16, of which floats are the upper half.
uint16_t toBF16(int value) {
  return static_cast<uint16_t>(
      std::bit_cast<uint32_t>(static_cast<float>(value)) >> 16);
}

/// Two matrices of 16-bit elements, A in rows of k and B in rows of k too (that
/// is, B's columns), as the words of a buffer: A first.
struct Matrices {
  unsigned m, n, k;
  int a(unsigned i, unsigned l) const { return int(i * 3 + l * 5) % 7 - 3; }
  int b(unsigned l, unsigned j) const { return int(j * 2 + l * 3) % 5 - 2; }
  int product(unsigned i, unsigned j) const {
    int sum = 0;
    for (unsigned l = 0; l < k; ++l)
      sum += a(i, l) * b(l, j);
    return sum;
  }
  std::vector<uint32_t> pack() const {
    std::vector<uint16_t> halves;
    for (unsigned i = 0; i < m; ++i)
      for (unsigned l = 0; l < k; ++l)
        halves.push_back(toBF16(a(i, l)));
    for (unsigned j = 0; j < n; ++j)
      for (unsigned l = 0; l < k; ++l)
        halves.push_back(toBF16(b(l, j)));
    std::vector<uint32_t> words(halves.size() / 2);
    std::memcpy(words.data(), halves.data(), halves.size() * 2);
    return words;
  }
};

//===----------------------------------------------------------------------===//
// mma and ldmatrix
//===----------------------------------------------------------------------===//

/// A of 16x16 and B of 16x8 (in columns) through shared memory. D's rows are
/// stored as the ISA lays them out: rows lane / 4 and 8 below, columns
/// lane % 4 * 2 and the next.
const char *const mma = R"(
  COPY
  bar.warp.sync 0xffffffff;
  and.b32 %r10, %r1, 15;
  shl.b32 %r10, %r10, 5;
  and.b32 %r11, %r1, 16;
  add.u32 %r10, %r10, %r11;
  add.u32 %r10, %r2, %r10;
  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r20, %r21, %r22, %r23}, [%r10];
  and.b32 %r12, %r1, 7;
  shl.b32 %r12, %r12, 5;
  and.b32 %r13, %r1, 8;
  shl.b32 %r13, %r13, 1;
  add.u32 %r12, %r12, %r13;
  add.u32 %r12, %r2, %r12;
  ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r24, %r25}, [%r12+512];
  mov.f32 %f1, 0f3f800000;
  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f4, %f5, %f6, %f7}, {%r20, %r21, %r22, %r23}, {%r24, %r25}, {%f1, %f1, %f1, %f1};
  shr.u32 %r14, %r1, 2;
  shl.b32 %r14, %r14, 5;
  and.b32 %r15, %r1, 3;
  shl.b32 %r15, %r15, 3;
  add.u32 %r14, %r14, %r15;
  cvt.u64.u32 %rd6, %r14;
  add.u64 %rd6, %rd1, %rd6;
  st.global.v2.f32 [%rd6], {%f4, %f5};
  st.global.v2.f32 [%rd6+256], {%f6, %f7};
)";
/// 24 rows of 32 bytes.
const char *const copyAll = R"(
  setp.lt.u32 p, %r1, 24;
  shl.b32 %r4, %r1, 5;
  cvt.u64.u32 %rd6, %r4;
  add.u64 %rd6, %rd3, %rd6;
  add.u32 %r4, %r2, %r4;
  @p ld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%rd6];
  @p st.shared.v4.u32 [%r4], {%r5, %r6, %r7, %r8};
  @p ld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%rd6+16];
  @p st.shared.v4.u32 [%r4+16], {%r5, %r6, %r7, %r8};
)";

TEST(EmulatorMma, MultipliesWhatLdmatrixLoads) {
  Matrices matrices = {16, 8, 16};
  EmulatorRun run = test::runAsync(replace(mma, "COPY", copyAll),
                                   {.outBytes = 512, .in = matrices.pack()});
  EXPECT_CLEAN(run);
  std::vector<float> out = run.get<float>("out");
  for (unsigned i = 0; i < 16; ++i)
    for (unsigned j = 0; j < 8; ++j)
      EXPECT_EQ(out[i * 8 + j], float(matrices.product(i, j) + 1))
          << i << ", " << j;
}

TEST(EmulatorMma, SpreadsUndefinedElementsAlongRowsAndColumns) {
  Matrices matrices = {16, 8, 16};
  // Without row 3 of A only row 3 of D is undefined: 4 lanes' first pair.
  EmulatorRun row =
      test::runAsync(replace(mma, "COPY",
                             replace(copyAll, "setp.lt.u32 p, %r1, 24;",
                                     "setp.lt.u32 p, %r1, 24;\n"
                                     "  setp.ne.and.u32 p, %r1, 3, p;")),
                     {.outBytes = 512, .in = matrices.pack()});
  expectFinding(row, FindingKind::UninitializedMemory, "stored to out");
  ASSERT_EQ(row.getReport().findings.size(), 1u) << row.getFindings();
  EXPECT_EQ(row.getReport().findings[0].thread[0], 12u);
  EXPECT_EQ(row.get<float>("out")[4 * 8], float(matrices.product(4, 0) + 1));
  // Without column 6 of B every row is, in its last pair but for column 7.
  EmulatorRun column =
      test::runAsync(replace(mma, "COPY",
                             replace(copyAll, "setp.lt.u32 p, %r1, 24;",
                                     "setp.lt.u32 p, %r1, 24;\n"
                                     "  setp.ne.and.u32 p, %r1, 22, p;")),
                     {.outBytes = 512, .in = matrices.pack()});
  ASSERT_EQ(column.getReport().findings.size(), 2u) << column.getFindings();
  EXPECT_EQ(column.getReport().findings[0].thread[0], 3u);
}

TEST(EmulatorMma, WantsAllLanes) {
  EmulatorRun run = test::runAsync(
      "mov.u32 %r4, 0;\nmov.f32 %f1, 0f00000000;\n"
      "setp.lt.u32 p, %r1, 16;\n"
      "@p mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f4, %f5, %f6, "
      "%f7}, {%r4, %r4}, {%r4}, {%f1, %f1, %f1, %f1};",
      {});
  expectFinding(run, FindingKind::DivergentBarrier,
                "only 16 of the 32 running lanes");
}

TEST(EmulatorMma, MultipliesIntegers) {
  // Every element of A is 2, of B -3: 16 products and the sum of 5.
  EmulatorRun run = test::runAsync(R"(
  mov.u32 %r4, 0x02020202;
  mov.u32 %r5, 0xfdfdfdfd;
  mov.u32 %r6, 5;
  mma.sync.aligned.m8n8k16.row.col.satfinite.s32.s8.s8.s32 {%r7, %r8}, {%r4}, {%r5}, {%r6, %r6};
  st.global.u32 [%rd2], %r8;
)",
                                   {});
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<int32_t>("out")[17], 16 * 2 * -3 + 5);
}

TEST(EmulatorMma, MultipliesDoubles) {
  EmulatorRun run = test::runAsync(R"(
  mov.f64 %fd1, 0d4000000000000000;
  mov.f64 %fd2, 0d4008000000000000;
  mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%fd3, %fd4}, {%fd1}, {%fd2}, {%fd1, %fd2};
  cvt.rzi.u32.f64 %r4, %fd4;
  st.global.u32 [%rd2], %r4;
)",
                                   {});
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<uint32_t>("out")[9], 27u);
}

TEST(EmulatorMma, TransposesThroughStmatrixAndMovmatrix) {
  // Lane l's word holds elements (l / 4, l % 4 * 2) and the next of an 8x8
  // matrix whose element (i, j) is 8 * i + j.
  const std::string make = R"(
  shl.b32 %r4, %r1, 1;
  add.u32 %r5, %r4, 1;
  shl.b32 %r5, %r5, 16;
  or.b32 %r4, %r4, %r5;
)";
  EmulatorRun moved =
      test::runAsync(make + "movmatrix.sync.aligned.m8n8.trans.b16 %r6, %r4;\n"
                            "st.global.u32 [%rd2], %r6;",
                     {});
  EXPECT_CLEAN(moved);
  // Row 1 of the transpose: 1, 9, 17, ...
  EXPECT_EQ(moved.get<uint32_t>("out")[4], 9u << 16 | 1);
  EmulatorRun stored = test::runAsync(make + R"(
  and.b32 %r7, %r1, 7;
  shl.b32 %r7, %r7, 4;
  add.u32 %r7, %r2, %r7;
  stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%r7], {%r4};
  bar.warp.sync 0xffffffff;
  ld.shared.u32 %r6, [%r3];
  st.global.u32 [%rd2], %r6;
)",
                                      {});
  EXPECT_CLEAN(stored);
  EXPECT_EQ(stored.get<uint32_t>("out"), moved.get<uint32_t>("out"));
}

TEST(EmulatorMma, FindsARowOutOfBoundsAndARace) {
  expectFinding(
      test::runAsync("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r4}, "
                     "[%r2+10000];",
                     {}),
      FindingKind::OutOfBounds, "16 bytes at shared memory + 10000");
  EmulatorRun race =
      test::runAsync("st.shared.u32 [%r3], %r1;\n"
                     "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r4}, [%r2];\n"
                     "st.global.u32 [%rd2], %r4;",
                     {.threads = 32});
  expectFinding(race, FindingKind::SharedRace, "unordered");
}

TEST(EmulatorMma, RefusesWhatSm90DoesNotHave) {
  auto has = [](const std::string &instruction, const std::string &text) {
    std::string error = test::getLoadError(instruction);
    EXPECT_NE(error.find(text), std::string::npos) << error;
  };
  has("mma.sync.aligned.m16n8k32.row.col.f32.bf16.bf16.f32 {%f1,%f2,%f3,%f4}, "
      "{%r1,%r1,%r1,%r1}, {%r1,%r1}, {%f1,%f2,%f3,%f4};",
      "these types with that shape");
  has("mma.sp.sync.aligned.m16n8k32.row.col.f32.bf16.bf16.f32 {%f1,%f2,%f3,"
      "%f4}, {%r1,%r1,%r1,%r1}, {%r1,%r1,%r1,%r1}, {%f1,%f2,%f3,%f4}, %r1, 0;",
      "sparse");
  has("mma.sync.aligned.m16n8k16.row.row.f32.bf16.bf16.f32 {%f1,%f2,%f3,%f4}, "
      "{%r1,%r1,%r1,%r1}, {%r1,%r1}, {%f1,%f2,%f3,%f4};",
      "only .row.col");
  has("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f1,%f2,%f3,%f4}, "
      "{%r1,%r1}, {%r1,%r1}, {%f1,%f2,%f3,%f4};",
      "a fragment of 4 registers is wanted, got 2");
  has("ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8 {%r4}, [%r2];",
      ".m8n8 alone");
  has("wgmma.mma_async.sync.aligned.m64n12k16.f32.bf16.bf16 {%f1,%f2,%f3,%f4}, "
      "%rd1, %rd1, 1, 1, 1, 0, 0;",
      "these types with that shape");
  has("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f1,%f2,%f3,%f4}, "
      "%rd1, %rd1, 1, 2, 1, 0, 0;",
      "imm-scale-a cannot be 2");
}

//===----------------------------------------------------------------------===//
// wmma
//===----------------------------------------------------------------------===//

TEST(EmulatorWmma, LoadsMultipliesAndStores) {
  Matrices matrices = {16, 16, 16};
  EmulatorRun run = test::runAsync(R"(
  wmma.load.a.sync.aligned.row.m16n16k16.global.bf16 {%r10, %r11, %r12, %r13}, [%rd3], 16;
  wmma.load.b.sync.aligned.col.m16n16k16.global.bf16 {%r14, %r15, %r16, %r17}, [%rd3+512];
  mov.f32 %f1, 0f00000000;
  wmma.mma.sync.aligned.row.col.m16n16k16.f32.bf16.bf16.f32 {%f10, %f11, %f12, %f13, %f14, %f15, %f16, %f17}, {%r10, %r11, %r12, %r13}, {%r14, %r15, %r16, %r17}, {%f1, %f1, %f1, %f1, %f1, %f1, %f1, %f1};
  wmma.store.d.sync.aligned.col.m16n16k16.global.f32 [%rd1], {%f10, %f11, %f12, %f13, %f14, %f15, %f16, %f17}, 16;
)",
                                   {.outBytes = 1024, .in = matrices.pack()});
  EXPECT_CLEAN(run);
  std::vector<float> out = run.get<float>("out");
  for (unsigned i = 0; i < 16; ++i)
    for (unsigned j = 0; j < 16; ++j)
      EXPECT_EQ(out[j * 16 + i], float(matrices.product(i, j)));
}

TEST(EmulatorWmma, FindsATileOutOfBounds) {
  EmulatorRun run = test::runAsync(
      "wmma.load.a.sync.aligned.row.m16n16k16.global.bf16 {%r10, %r11, %r12, "
      "%r13}, [%rd3], 80;",
      {});
  expectFinding(run, FindingKind::OutOfBounds, "in (2048 bytes)");
}

//===----------------------------------------------------------------------===//
// wgmma
//===----------------------------------------------------------------------===//

/// A of 64x16 and B of 16x8 without a swizzle: groups of 8 rows of 16 bytes,
/// 128 bytes apart along k, 256 along the rows. B behind A, at 2048.
std::vector<uint32_t> packWgmma(const Matrices &matrices) {
  std::vector<uint16_t> halves((64 + 8) * 16);
  auto place = [&](unsigned row, unsigned l) -> uint16_t & {
    return halves[row / 8 * 128 + l / 8 * 64 + row % 8 * 8 + l % 8];
  };
  for (unsigned i = 0; i < 64; ++i)
    for (unsigned l = 0; l < 16; ++l)
      place(i, l) = toBF16(matrices.a(i, l));
  for (unsigned j = 0; j < 8; ++j)
    for (unsigned l = 0; l < 16; ++l)
      place(64 + j, l) = toBF16(matrices.b(l, j));
  std::vector<uint32_t> words(halves.size() / 2);
  std::memcpy(words.data(), halves.data(), halves.size() * 2);
  return words;
}

const char *const wgmma = R"(
  mov.u32 %r10, %r1;
COPY:
  shl.b32 %r11, %r10, 2;
  cvt.u64.u32 %rd6, %r11;
  add.u64 %rd6, %rd3, %rd6;
  ld.global.u32 %r12, [%rd6];
  add.u32 %r11, %r2, %r11;
  st.shared.u32 [%r11], %r12;
  add.u32 %r10, %r10, 128;
  setp.lt.u32 p, %r10, 576;
  @p bra COPY;
  fence.proxy.async;
  bar.sync 0;
  cvt.u64.u32 %rd7, %r2;
  shr.u64 %rd7, %rd7, 4;
  or.b64 %rd7, %rd7, 0x0000001000080000;
  add.u64 %rd8, %rd7, 128;
  mov.f32 %f4, 0f40000000;
  mov.f32 %f5, %f4;
  mov.f32 %f6, %f4;
  mov.f32 %f7, %f4;
  setp.eq.u32 q, %r1, %r1;
  wgmma.fence.sync.aligned;
  wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f4, %f5, %f6, %f7}, %rd7, %rd8, q, 1, 1, 0, 0;
  wgmma.commit_group.sync.aligned;
  wgmma.wait_group.sync.aligned 0;
  LATER
  shr.u32 %r14, %r1, 5;
  shl.b32 %r14, %r14, 9;
  and.b32 %r15, %r1, 31;
  shr.u32 %r16, %r15, 2;
  shl.b32 %r16, %r16, 5;
  and.b32 %r15, %r1, 3;
  shl.b32 %r15, %r15, 3;
  add.u32 %r14, %r14, %r15;
  add.u32 %r14, %r14, %r16;
  cvt.u64.u32 %rd6, %r14;
  add.u64 %rd6, %rd1, %rd6;
  st.global.v2.f32 [%rd6], {%f4, %f5};
  st.global.v2.f32 [%rd6+256], {%f6, %f7};
)";

EmulatorRun runWgmma(const std::string &body) {
  return test::runAsync(
      body, {.threads = 128, .outBytes = 2048, .in = packWgmma({64, 8, 16})});
}

TEST(EmulatorWgmma, MultipliesFromSharedMemory) {
  Matrices matrices = {64, 8, 16};
  for (bool scales : {true, false}) {
    std::string body = replace(wgmma, "LATER", "");
    if (!scales)
      body = replace(body, "setp.eq.u32 q", "setp.ne.u32 q");
    EmulatorRun run = runWgmma(body);
    EXPECT_CLEAN(run);
    std::vector<float> out = run.get<float>("out");
    for (unsigned i = 0; i < 64; ++i)
      for (unsigned j = 0; j < 8; ++j)
        EXPECT_EQ(out[i * 8 + j],
                  float(matrices.product(i, j) + (scales ? 2 : 0)))
            << i << ", " << j;
  }
}

TEST(EmulatorWgmma, Negates) {
  Matrices matrices = {64, 8, 16};
  EmulatorRun run = runWgmma(
      replace(replace(wgmma, "LATER", ""), "q, 1, 1, 0, 0", "q, -1, 1, 0, 0"));
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<float>("out")[9 * 8 + 5],
            float(2 - matrices.product(9, 5)));
}

TEST(EmulatorWgmma, TakesAFromRegisters) {
  // A is all ones: each column's sum.
  Matrices matrices = {64, 8, 16};
  EmulatorRun run =
      runWgmma(replace(replace(wgmma, "LATER", ""), "%rd7, %rd8, q, 1, 1, 0, 0",
                       "{%r20, %r20, %r20, %r20}, %rd8, q, 1, 1, 0"));
  expectFinding(run, FindingKind::UndefinedValue, "stored to out");
  EmulatorRun right = runWgmma(
      replace(replace(replace(wgmma, "LATER", ""), "%rd7, %rd8, q, 1, 1, 0, 0",
                      "{%r20, %r20, %r20, %r20}, %rd8, q, 1, 1, 0"),
              "wgmma.fence", "mov.u32 %r20, 0x3f803f80;\n  wgmma.fence"));
  EXPECT_CLEAN(right);
  int sum = 0;
  for (unsigned l = 0; l < 16; ++l)
    sum += matrices.b(l, 3);
  EXPECT_EQ(right.get<float>("out")[20 * 8 + 3], float(sum + 2));
}

TEST(EmulatorWgmma, FindsAMissingProxyFence) {
  EmulatorRun run = runWgmma(
      replace(replace(wgmma, "LATER", ""), "  fence.proxy.async;\n", ""));
  expectFinding(run, FindingKind::SharedRace, "no fence.proxy.async");
}

TEST(EmulatorWgmma, FindsAMissingWait) {
  EmulatorRun run = runWgmma(replace(
      replace(wgmma, "LATER", ""), "  wgmma.wait_group.sync.aligned 0;\n", ""));
  expectFinding(run, FindingKind::InvalidOperation, "no wgmma.wait_group");
}

TEST(EmulatorWgmma, FindsAWriteOverItsOperands) {
  const std::string overwrite = "  st.shared.u32 [%r3], 0;\n";
  EmulatorRun early = runWgmma(replace(
      replace(wgmma, "LATER", ""), "  wgmma.wait_group.sync.aligned 0;\n",
      overwrite + "  wgmma.wait_group.sync.aligned 0;\n"));
  expectFinding(early, FindingKind::SharedRace, "unordered");
  // Behind the wait it is another warp's operand still.
  EmulatorRun apart = runWgmma(replace(wgmma, "LATER", overwrite));
  expectFinding(apart, FindingKind::SharedRace, "writes what");
  EXPECT_CLEAN(runWgmma(replace(wgmma, "LATER", "bar.sync 0;\n" + overwrite)));
}

TEST(EmulatorWgmma, FindsABadDescriptorAndAPartOfAWarpgroup) {
  EmulatorRun run =
      runWgmma(replace(replace(wgmma, "LATER", ""), "add.u64 %rd8, %rd7, 128;",
                       "add.u64 %rd8, %rd7, 800;"));
  expectFinding(run, FindingKind::OutOfBounds, "the descriptor of B");
  EmulatorRun part = test::runAsync(
      replace(wgmma, "LATER", ""),
      {.threads = 64, .outBytes = 2048, .in = packWgmma({64, 8, 16})});
  expectFinding(part, FindingKind::InvalidOperation, "no whole warpgroup");
}

} // namespace
