//===- EmulatorTest.cpp - Warps, barriers, memory and what is wrong -------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "test/unit/EmulatorFixture.h"

#include <numeric>

using namespace fk;
using namespace fk::emulator;
using fk::test::EmulatorRun;

namespace {

/// The kernel's tid.x in %r1 and the address of out[tid] in %rd9.
const char *const prologue = R"(
  ld.param.u64 %rd8, [out];
  cvta.to.global.u64 %rd8, %rd8;
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd7, %r1, 4;
  add.u64 %rd9, %rd8, %rd7;
)";

/// Runs `body` as kernel f(u32 *out, const u32 *in), one block of `threads`.
EmulatorRun runBody(const std::string &body, uint32_t threads,
                    std::vector<uint32_t> in = std::vector<uint32_t>(64),
                    Options options = {}, const std::string &globals = "",
                    std::array<uint32_t, 3> grid = {1, 1, 1}) {
  std::string text = test::getPtxHeader() + globals + R"(
.visible .entry f(.param .u64 out, .param .u64 in)
{
  .reg .pred %p<10>;
  .reg .b16 %h<10>;
  .reg .b32 %r<40>;
  .reg .f32 %f<10>;
  .reg .b64 %rd<20>;
)" + prologue + body +
                     "\n  ret;\n}\n";
  EmulatorRun run(text);
  run.addOutput("out", size_t(threads) * grid[0] * 4);
  run.addInput("in", in);
  run.launch("f", grid, {threads, 1, 1}, options);
  return run;
}

TEST(Emulator, KeepsLanesOfABranchApartAndJoinsThem) {
  EmulatorRun run = runBody(R"(
  and.b32 %r2, %r1, 1;
  setp.eq.u32 %p1, %r2, 0;
  @%p1 bra EVEN;
  mov.u32 %r3, 100;
  bra JOIN;
EVEN:
  mov.u32 %r3, 200;
JOIN:
  activemask.b32 %r4;
  setp.eq.u32 %p2, %r4, 0xffffffff;
  selp.u32 %r5, 1, 0, %p2;
  add.u32 %r3, %r3, %r5;
  st.global.u32 [%rd9], %r3;)",
                            32);
  EXPECT_EQ(run.getFindings(), "");
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(run.get<uint32_t>("out")[i], i % 2 ? 101u : 201u) << i;
}

TEST(Emulator, RunsALoopOfDifferentLengths) {
  EmulatorRun run = runBody(R"(
  mov.u32 %r2, 0;
  mov.u32 %r3, 0;
LOOP:
  add.u32 %r3, %r3, %r2;
  add.u32 %r2, %r2, 1;
  setp.le.u32 %p1, %r2, %r1;
  @%p1 bra LOOP;
  activemask.b32 %r4;
  setp.ne.u32 %p2, %r4, 0xffffffff;
  @%p2 mov.u32 %r3, 9999;
  st.global.u32 [%rd9], %r3;)",
                            64);
  EXPECT_EQ(run.getFindings(), "");
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(run.get<uint32_t>("out")[i], i * (i + 1) / 2) << i;
}

TEST(Emulator, JumpsThroughATable) {
  EmulatorRun run = runBody(R"(
  and.b32 %r2, %r1, 3;
  TABLE: .branchtargets L0, L1, L2, L0;
  brx.idx %r2, TABLE;
L0:
  mov.u32 %r3, 10;
  bra DONE;
L1:
  mov.u32 %r3, 11;
  bra DONE;
L2:
  mov.u32 %r3, 12;
DONE:
  activemask.b32 %r4;
  st.global.u32 [%rd9], %r3;
  setp.ne.u32 %p1, %r4, 0xffffffff;
  @%p1 st.global.u32 [%rd9], %r4;)",
                            32);
  EXPECT_EQ(run.getFindings(), "");
  const uint32_t wanted[] = {10, 11, 12, 10};
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(run.get<uint32_t>("out")[i], wanted[i % 4]) << i;
}

const char *const recursive = R"(
.func (.param .b32 result) sum(.param .b32 n)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  ld.param.u32 %r1, [n];
  setp.eq.u32 %p1, %r1, 0;
  mov.u32 %r2, 0;
  @%p1 bra DONE;
  sub.u32 %r3, %r1, 1;
  {
    .param .b32 a;
    .param .b32 b;
    st.param.b32 [a], %r3;
    call.uni (b), sum, (a);
    ld.param.b32 %r4, [b];
  }
  add.u32 %r2, %r4, %r1;
DONE:
  st.param.b32 [result], %r2;
  ret;
}
)";

TEST(Emulator, RecursesToADepthOfEachLane) {
  EmulatorRun run = runBody(R"(
  {
    .param .b32 a;
    .param .b32 b;
    st.param.b32 [a], %r1;
    call.uni (b), sum, (a);
    ld.param.b32 %r3, [b];
  }
  activemask.b32 %r4;
  setp.ne.u32 %p1, %r4, 0xffffffff;
  @%p1 mov.u32 %r3, 9999;
  st.global.u32 [%rd9], %r3;)",
                            32, {1}, {}, recursive);
  EXPECT_EQ(run.getFindings(), "");
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(run.get<uint32_t>("out")[i], i * (i + 1) / 2) << i;
}

TEST(Emulator, ReportsAStackWithoutEnd) {
  EmulatorRun run = runBody(R"(
  {
    .param .b32 a;
    .param .b32 b;
    mov.u32 %r3, 0x7fffffff;
    st.param.b32 [a], %r3;
    call.uni (b), sum, (a);
  })",
                            32, {1}, {}, recursive);
  EXPECT_NE(run.getFindings().find("the stack exceeds 512 KB"),
            std::string::npos)
      << run.getFindings();
}

TEST(Emulator, CallsThroughAPointer) {
  const char *functions = R"(
.func (.reg .b32 %out) plus(.reg .b32 %in)
{
  add.u32 %out, %in, 1;
  ret;
}
.func (.reg .b32 %out) twice(.reg .b32 %in)
{
  add.u32 %out, %in, %in;
  ret;
}
)";
  EmulatorRun run = runBody(R"(
  and.b32 %r2, %r1, 1;
  setp.eq.u32 %p1, %r2, 0;
  mov.u64 %rd1, plus;
  mov.u64 %rd2, twice;
  selp.b64 %rd3, %rd1, %rd2, %p1;
  P: .callprototype (.reg .b32 _) _ (.reg .b32 _);
  call (%r3), %rd3, (%r1), P;
  st.global.u32 [%rd9], %r3;)",
                            32, {1}, {}, functions);
  EXPECT_EQ(run.getFindings(), "");
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(run.get<uint32_t>("out")[i], i % 2 ? 2 * i : i + 1) << i;
}

//===----------------------------------------------------------------------===//
// Shared memory and barriers
//===----------------------------------------------------------------------===//

std::string reverse(const char *barrier) {
  return std::string(R"(
  shl.b32 %r2, %r1, 2;
  mov.u32 %r3, tile;
  add.u32 %r4, %r3, %r2;
  st.shared.u32 [%r4], %r1;
)") + barrier +
         R"(
  sub.u32 %r5, 127, %r1;
  shl.b32 %r5, %r5, 2;
  add.u32 %r5, %r3, %r5;
  ld.shared.u32 %r6, [%r5];
  st.global.u32 [%rd9], %r6;)";
}

const char *const tile = ".shared .align 4 .b8 tile[512];\n";

TEST(Emulator, OrdersSharedMemoryByABarrier) {
  EmulatorRun run = runBody(reverse("  bar.sync 0;"), 128, {1}, {}, tile);
  EXPECT_EQ(run.getFindings(), "");
  for (uint32_t i = 0; i < 128; ++i)
    EXPECT_EQ(run.get<uint32_t>("out")[i], 127 - i);
}

TEST(Emulator, SeesAMissingBarrier) {
  EmulatorRun run = runBody(reverse(""), 128, {1}, {}, tile);
  EXPECT_NE(run.getFindings().find("shared variable tile"), std::string::npos)
      << run.getFindings();
}

TEST(Emulator, TakesAWarpBarrierForNoBlockBarrier) {
  EmulatorRun run =
      runBody(reverse("  bar.warp.sync 0xffffffff;"), 128, {1}, {}, tile);
  EXPECT_NE(run.getFindings().find("shared memory"), std::string::npos);
}

TEST(Emulator, NamesADivergentBarrier) {
  EmulatorRun run = runBody(R"(
  setp.lt.u32 %p1, %r1, 16;
  @%p1 bra SKIP;
  bar.sync 0;
SKIP:
  st.global.u32 [%rd9], %r1;)",
                            64);
  EXPECT_NE(run.getFindings().find("divergent barrier: only 16 of the 32"),
            std::string::npos)
      << run.getFindings();
}

TEST(Emulator, NamesWhoWaitsInADeadlock) {
  EmulatorRun run = runBody(R"(
  setp.lt.u32 %p1, %r1, 32;
  @%p1 bra FIRST;
  bar.sync 1;
  bra DONE;
FIRST:
  bar.sync 2;
DONE:
  st.global.u32 [%rd9], %r1;)",
                            64);
  std::string findings = run.getFindings();
  EXPECT_NE(findings.find("deadlock: 32 lanes of warp 1 wait for barrier 1"),
            std::string::npos)
      << findings;
  EXPECT_NE(findings.find("deadlock: 32 lanes of warp 0 wait for barrier 2"),
            std::string::npos)
      << findings;
}

TEST(Emulator, LetsAProducerArriveAndAConsumerWait) {
  EmulatorRun run = runBody(R"(
  setp.ge.u32 %p1, %r1, 32;
  mov.u32 %r3, tile;
  @%p1 bra CONSUME;
  shl.b32 %r2, %r1, 2;
  add.u32 %r4, %r3, %r2;
  add.u32 %r5, %r1, 7;
  st.shared.u32 [%r4], %r5;
  bar.arrive 3, 64;
  st.global.u32 [%rd9], %r1;
  ret;
CONSUME:
  bar.sync 3, 64;
  sub.u32 %r2, %r1, 32;
  shl.b32 %r2, %r2, 2;
  add.u32 %r4, %r3, %r2;
  ld.shared.u32 %r5, [%r4];
  st.global.u32 [%rd9], %r5;)",
                            64, {1}, {}, tile);
  EXPECT_EQ(run.getFindings(), "");
  EXPECT_EQ(run.get<uint32_t>("out")[32], 7u);
  EXPECT_EQ(run.get<uint32_t>("out")[63], 38u);
}

TEST(Emulator, ReducesAtABarrier) {
  EmulatorRun run = runBody(R"(
  setp.lt.u32 %p1, %r1, 40;
  bar.red.popc.u32 %r2, 0, %p1;
  bar.red.and.pred %p2, 0, %p1;
  bar.red.or.pred %p3, 0, !%p1;
  selp.u32 %r3, 1000, 0, %p2;
  selp.u32 %r4, 2000, 0, %p3;
  add.u32 %r2, %r2, %r3;
  add.u32 %r2, %r2, %r4;
  st.global.u32 [%rd9], %r2;)",
                            64);
  EXPECT_EQ(run.getFindings(), "");
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(run.get<uint32_t>("out")[i], 2040u) << i;
}

TEST(Emulator, LetsThreadsThatExitedPassABarrier) {
  EmulatorRun run = runBody(R"(
  st.global.u32 [%rd9], %r1;
  setp.ge.u32 %p1, %r1, 32;
  @%p1 ret;
  bar.sync 0;)",
                            64);
  EXPECT_EQ(run.getFindings(), "");
}

//===----------------------------------------------------------------------===//
// Lanes that exchange values
//===----------------------------------------------------------------------===//

TEST(Emulator, Shuffles) {
  EmulatorRun run = runBody(R"(
  shfl.sync.bfly.b32 %r2, %r1, 1, 0x1f, 0xffffffff;
  shfl.sync.down.b32 %r3|%p1, %r1, 4, 0x1f, 0xffffffff;
  shfl.sync.up.b32 %r4, %r1, 3, 0, 0xffffffff;
  shfl.sync.idx.b32 %r5, %r1, 2, 0x181f, 0xffffffff;
  selp.u32 %r6, 1, 0, %p1;
  mad.lo.u32 %r7, %r3, 64, %r2;
  mad.lo.u32 %r7, %r4, 4096, %r7;
  mad.lo.u32 %r7, %r5, 262144, %r7;
  mad.lo.u32 %r7, %r6, 16777216, %r7;
  st.global.u32 [%rd9], %r7;)",
                            32);
  EXPECT_EQ(run.getFindings(), "");
  for (uint32_t i = 0; i < 32; ++i) {
    uint32_t down = i + 4 < 32 ? i + 4 : i, up = i >= 3 ? i - 3 : i;
    EXPECT_EQ(run.get<uint32_t>("out")[i], (i ^ 1) + down * 64 + up * 4096 +
                                               (i / 8 * 8 + 2) * 262144 +
                                               (i + 4 < 32) * 16777216)
        << i;
  }
}

TEST(Emulator, NamesALaneOutsideItsMask) {
  EmulatorRun run = runBody(R"(
  shfl.sync.bfly.b32 %r2, %r1, 1, 0x1f, 0x0000ffff;
  st.global.u32 [%rd9], %r2;)",
                            32);
  EXPECT_NE(run.getFindings().find("invalid mask: lane 16 is not in the mask"),
            std::string::npos)
      << run.getFindings();
}

TEST(Emulator, MeetsLanesOfDifferentBranches) {
  // Each half shuffles among itself; then all wait for all.
  EmulatorRun run = runBody(R"(
  setp.lt.u32 %p1, %r1, 16;
  @%p1 bra LOW;
  shfl.sync.bfly.b32 %r2, %r1, 1, 0x1f, 0xffff0000;
  bar.warp.sync 0xffffffff;
  bra DONE;
LOW:
  shfl.sync.bfly.b32 %r2, %r1, 2, 0x1f, 0x0000ffff;
  bar.warp.sync 0xffffffff;
DONE:
  st.global.u32 [%rd9], %r2;)",
                            32);
  EXPECT_EQ(run.getFindings(), "");
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(run.get<uint32_t>("out")[i], i < 16 ? i ^ 2 : i ^ 1);
}

TEST(Emulator, VotesAndMatches) {
  EmulatorRun run = runBody(R"(
  setp.lt.u32 %p1, %r1, 5;
  vote.sync.ballot.b32 %r2, %p1, 0xffffffff;
  vote.sync.any.pred %p2, !%p1, 0xffffffff;
  and.b32 %r3, %r1, 7;
  match.any.sync.b32 %r4, %r3, 0xffffffff;
  redux.sync.add.u32 %r5, %r1, 0xffffffff;
  popc.b32 %r4, %r4;
  selp.u32 %r6, 1, 0, %p2;
  add.u32 %r2, %r2, %r4;
  add.u32 %r2, %r2, %r5;
  add.u32 %r2, %r2, %r6;
  st.global.u32 [%rd9], %r2;)",
                            32);
  EXPECT_EQ(run.getFindings(), "");
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(run.get<uint32_t>("out")[i], 0x1fu + 4 + 496 + 1);
}

TEST(Emulator, LetsLanesOfOneWarpSpinOnEachOther) {
  // Lane 0 sets the flag that the others wait for, and comes second in the
  // text: independent thread scheduling.
  EmulatorRun run = runBody(R"(
  mov.u32 %r3, tile;
  setp.eq.u32 %p1, %r1, 0;
  @%p1 st.shared.u32 [%r3], 0;
  bar.sync 0;
  @%p1 bra SET;
SPIN:
  ld.volatile.shared.u32 %r4, [%r3];
  setp.eq.u32 %p2, %r4, 0;
  @%p2 bra SPIN;
  bra DONE;
SET:
  st.volatile.shared.u32 [%r3], 5;
  mov.u32 %r4, 5;
DONE:
  st.global.u32 [%rd9], %r4;)",
                            32, {1}, {}, tile);
  EXPECT_EQ(run.getFindings(), "");
  EXPECT_EQ(run.get<uint32_t>("out")[31], 5u);
}

//===----------------------------------------------------------------------===//
// Atomics, blocks
//===----------------------------------------------------------------------===//

TEST(Emulator, AddsAtomicallyAcrossBlocks) {
  const char *counter = ".global .align 4 .u32 counter = 5;\n";
  EmulatorRun run = runBody(R"(
  mov.u64 %rd1, counter;
  atom.global.add.u32 %r2, [%rd1], 1;
  mov.u32 %r3, %ctaid.x;
  mad.lo.u32 %r3, %r3, 32, %r1;
  mul.wide.u32 %rd2, %r3, 4;
  add.u64 %rd2, %rd8, %rd2;
  st.global.u32 [%rd2], %r2;)",
                            32, {1}, {}, counter, {3, 1, 1});
  EXPECT_EQ(run.getFindings(), "");
  auto out = run.get<uint32_t>("out");
  std::sort(out.begin(), out.end());
  for (uint32_t i = 0; i < 96; ++i)
    EXPECT_EQ(out[i], i + 5);
}

TEST(Emulator, OrdersBlocksByFenceAndFlag) {
  const char *flags = ".global .align 4 .u32 flag;\n";
  std::string body = R"(
  mov.u64 %rd1, flag;
  mov.u32 %r2, %ctaid.x;
  setp.ne.u32 %p1, %r2, 0;
  @%p1 bra READ;
  mov.u32 %r3, 77;
  st.global.u32 [%rd8], %r3;
  FENCE
  st.relaxed.gpu.global.u32 [%rd1], 1;
  ret;
READ:
  ld.relaxed.gpu.global.u32 %r4, [%rd1];
  setp.eq.u32 %p2, %r4, 0;
  @%p2 bra READ;
  FENCE
  ld.global.u32 %r5, [%rd8];
  st.global.u32 [%rd8+4], %r5;)";
  auto with = [&](const std::string &fence) {
    std::string text = body;
    for (size_t at; (at = text.find("FENCE")) != std::string::npos;)
      text.replace(at, 5, fence);
    return runBody(text, 1, {1}, {}, flags, {2, 1, 1});
  };
  EmulatorRun good = with("fence.acq_rel.gpu;");
  EXPECT_EQ(good.getFindings(), "");
  EXPECT_EQ(good.get<uint32_t>("out")[1], 77u);
  EXPECT_NE(with("").getFindings().find("global memory race"),
            std::string::npos);
}

TEST(Emulator, SeesBlocksWriteTheSameWord) {
  EmulatorRun run = runBody(R"(
  mov.u32 %r2, %ctaid.x;
  st.global.u32 [%rd9], %r2;)",
                            32, {1}, {}, "", {2, 1, 1});
  EXPECT_NE(run.getFindings().find("global memory race"), std::string::npos);
}

TEST(Emulator, HoldsAllBlocksThatWaitForEachOther) {
  const char *flags = ".global .align 4 .u32 arrived;\n";
  EmulatorRun run = runBody(R"(
  mov.u64 %rd1, arrived;
  atom.global.add.u32 %r2, [%rd1], 1;
WAIT:
  ld.relaxed.gpu.global.u32 %r3, [%rd1];
  setp.lt.u32 %p1, %r3, 100;
  @%p1 bra WAIT;
  mov.u32 %r4, %ctaid.x;
  mul.wide.u32 %rd2, %r4, 4;
  add.u64 %rd2, %rd8, %rd2;
  st.global.u32 [%rd2], %r3;)",
                            1, {1}, {}, flags, {100, 1, 1});
  EXPECT_EQ(run.getFindings(), "");
  EXPECT_EQ(run.get<uint32_t>("out")[99], 100u);
}

TEST(Emulator, EndsALoopWithoutEnd) {
  Options options;
  options.instructionBudget = 100000;
  EmulatorRun run = runBody("LOOP:\n  bra LOOP;", 32, {1}, options);
  EXPECT_NE(run.getFindings().find("endless: still running after 100000"),
            std::string::npos)
      << run.getFindings();
}

//===----------------------------------------------------------------------===//
// Addresses and undefined values
//===----------------------------------------------------------------------===//

TEST(Emulator, NamesTheBufferMissed) {
  EmulatorRun run = runBody(R"(
  ld.param.u64 %rd1, [in];
  add.u64 %rd2, %rd1, %rd7;
  ld.global.u32 %r2, [%rd2+4];
  st.global.u32 [%rd9], %r2;)",
                            32, std::vector<uint32_t>(32));
  EXPECT_EQ(run.getFindings(),
            "test.ptx:21:3: out of bounds: read of 4 bytes at 0x100200000080, "
            "just past the end of in (128 bytes) (kernel f, block 0,0,0, "
            "thread 31,0,0)\n");
}

TEST(Emulator, NamesAMisalignedAccess) {
  EmulatorRun run = runBody("  st.global.u32 [%rd9+2], %r1;", 32);
  EXPECT_NE(run.getFindings().find("misaligned: write of 4 bytes"),
            std::string::npos);
}

TEST(Emulator, RefusesAWriteToAnOperand) {
  EmulatorRun run = runBody(R"(
  ld.param.u64 %rd1, [in];
  st.global.u32 [%rd1], %r1;)",
                            1, {1});
  EXPECT_NE(run.getFindings().find("write to a read-only operand: write of 4 "
                                   "bytes at in + 0, which is read-only"),
            std::string::npos)
      << run.getFindings();
}

TEST(Emulator, CopiesUndefinedValuesInSilence) {
  // As Triton loads: under a predicate, into registers that nothing set.
  EmulatorRun run = runBody(R"(
  ld.param.u64 %rd1, [in];
  add.u64 %rd2, %rd1, %rd7;
  setp.lt.u32 %p1, %r1, 8;
  @%p1 ld.global.u32 %r2, [%rd2];
  add.u32 %r3, %r2, 1;
  mov.b32 {%h1, %h2}, %r3;
  mov.b32 %r4, {%h1, %h2};
  selp.u32 %r5, %r4, 9, %p1;
  st.global.u32 [%rd9], %r5;)",
                            32, std::vector<uint32_t>(8, 3));
  EXPECT_EQ(run.getFindings(), "");
  EXPECT_EQ(run.get<uint32_t>("out")[7], 4u);
  EXPECT_EQ(run.get<uint32_t>("out")[8], 9u);
}

TEST(Emulator, ReportsUndefinedValuesWhereTheyMatter) {
  auto finding = [](const std::string &body) {
    return runBody(body, 32, {1}, {}, tile).getFindings();
  };
  EXPECT_NE(finding("  st.global.u32 [%rd9], %r9;")
                .find("undefined value: what is stored to out is undefined"),
            std::string::npos);
  EXPECT_NE(
      finding("  ld.global.u32 %r2, [%rd11];").find("the address is undefined"),
      std::string::npos);
  EXPECT_NE(
      finding("  @%p7 bra L;\nL:\n").find("the guard predicate is undefined"),
      std::string::npos);
  EXPECT_NE(
      finding("  bar.warp.sync %r9;").find("the mask of lanes is undefined"),
      std::string::npos);
  std::string load = finding("  mov.u32 %r2, tile;\n  ld.shared.u32 %r3, "
                             "[%r2+8];\n  st.global.u32 [%rd9], %r3;");
  EXPECT_NE(load.find("uninitialized memory: what is stored to out is "
                      "undefined (bytes nobody wrote were last read at line"),
            std::string::npos)
      << load;
}

TEST(Emulator, KnowsWhichBytesAreUndefined) {
  EmulatorRun run = runBody(R"(
  mov.b32 %r2, {%h1, %h2};
  mov.u16 %h3, 5;
  mov.b32 %r3, {%h3, %h4};
  mov.b32 {%h5, %h6}, %r3;
  cvt.u32.u16 %r4, %h5;
  st.global.u32 [%rd9], %r4;)",
                            32);
  EXPECT_EQ(run.getFindings(), "");
}

//===----------------------------------------------------------------------===//
// Schedules, launches
//===----------------------------------------------------------------------===//

TEST(Emulator, RepeatsASeededSchedule) {
  // Warps take tickets in the order of the schedule.
  const char *body = R"(
  mov.u32 %r3, tile;
  setp.eq.u32 %p1, %r1, 0;
  @%p1 st.shared.u32 [%r3], 0;
  bar.sync 0;
  atom.shared.add.u32 %r2, [%r3], 1;
  st.global.u32 [%rd9], %r2;)";
  auto order = [&](uint64_t seed) {
    Options options;
    options.scheduleSeed = seed;
    EmulatorRun run = runBody(body, 256, {1}, options, tile);
    EXPECT_EQ(run.getFindings(), "");
    return run.get<uint32_t>("out");
  };
  EXPECT_EQ(order(3), order(3));
  EXPECT_NE(order(3), order(4));
}

TEST(Emulator, RefusesALaunchThatCannotBe) {
  std::string text = test::getPtxHeader() +
                     ".visible .entry f(.param .u32 n) .reqntid 64, 1, 1\n"
                     "{\n ret;\n}\n";
  auto message = [&](LaunchConfig config) -> std::string {
    auto module = Module::load(text, "test.ptx");
    Memory memory;
    try {
      launch(*module, config, memory);
    } catch (const Error &error) {
      return error.what();
    }
    return "";
  };
  std::vector<std::byte> four(4);
  EXPECT_NE(message({.entry = "g"}).find("no entry 'g'"), std::string::npos);
  EXPECT_NE(message({.entry = "f", .block = {32, 1, 1}, .args = {four}})
                .find(".reqntid 64,1,1"),
            std::string::npos);
  EXPECT_NE(message({.entry = "f", .block = {64, 1, 1}})
                .find("wrong number of arguments"),
            std::string::npos);
  EXPECT_NE(message({.entry = "f",
                     .block = {64, 1, 1},
                     .dynamicShared = 300000,
                     .args = {four}})
                .find("too much shared memory"),
            std::string::npos);
  EXPECT_EQ(message({.entry = "f", .block = {64, 1, 1}, .args = {four}}), "");
}

TEST(Emulator, SaysWhatItDoesNotExecute) {
  std::string text = test::getPtxHeader() + R"(
.visible .entry f()
{
  .reg .b32 %r<4>;
  add.u32.sat.odd %r1, %r2, %r3;
  frobnicate.b32 %r1, %r2;
  ret;
}
)";
  try {
    Module::load(text, "k.ptx");
    FAIL() << "it loaded";
  } catch (const ptx::PtxError &error) {
    EXPECT_NE(error.getLines().at(0).find("k.ptx:"), std::string::npos);
  }
}

} // namespace
