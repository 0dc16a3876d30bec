//===- EmulatorAsyncTest.cpp - Asynchronous copies and mbarriers ----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "test/unit/EmulatorAsyncFixture.h"

using namespace fk;
using namespace fk::emulator;
using fk::test::EmulatorRun;
using fk::test::expectFinding;

namespace {

EmulatorRun runBody(const std::string &body, uint32_t threads) {
  return test::runAsync(body, {.threads = threads});
}

//===----------------------------------------------------------------------===//
// cp.async
//===----------------------------------------------------------------------===//

TEST(EmulatorAsync, CopiesWhatIsWaitedFor) {
  EmulatorRun run = runBody(R"(
  cp.async.ca.shared.global [%r3], [%rd4], 4;
  cp.async.commit_group;
  cp.async.wait_group 0;
  bar.sync 0;
  xor.b32 %r4, %r3, 4;
  ld.shared.u32 %r5, [%r4];
  st.global.u32 [%rd2], %r5;
)",
                            64);
  EXPECT_CLEAN(run);
  std::vector<uint32_t> out = run.get<uint32_t>("out");
  EXPECT_EQ(out[0], 2u);
  EXPECT_EQ(out[63], 63u);
}

TEST(EmulatorAsync, FillsWithZeros) {
  EmulatorRun run = runBody(R"(
  shl.b32 %r4, %r1, 4;
  add.u32 %r4, %r2, %r4;
  mul.wide.u32 %rd6, %r1, 16;
  add.u64 %rd6, %rd3, %rd6;
  and.b32 %r5, %r1, 15;
  setp.ge.u32 p, %r1, 16;
  @!p cp.async.cg.shared.global.L2::128B [%r4], [%rd6], 16, %r5;
  @p cp.async.cg.shared.global [%r4], [%rd6], 16, p;
  cp.async.wait_all;
  ld.shared.v4.u32 {%r6, %r7, %r8, %r9}, [%r4];
  add.u32 %r6, %r6, %r7;
  add.u32 %r6, %r6, %r8;
  add.u32 %r6, %r6, %r9;
  st.global.u32 [%rd2], %r6;
)",
                            32);
  EXPECT_CLEAN(run);
  std::vector<uint32_t> out = run.get<uint32_t>("out");
  EXPECT_EQ(out[0], 0u);
  EXPECT_EQ(out[4], 17u);            // 4 bytes of the 5th 16
  EXPECT_EQ(out[8], 33u + 34u);      // 8 bytes
  EXPECT_EQ(out[16], 0u);            // ignored
  EXPECT_EQ(out[12], 49u + 50 + 51); // 12 bytes
}

TEST(EmulatorAsync, FindsAMissingWaitGroup) {
  EmulatorRun run = runBody(R"(
  cp.async.ca.shared.global [%r3], [%rd4], 4;
  cp.async.commit_group;
  bar.sync 0;
  ld.shared.u32 %r5, [%r3];
  st.global.u32 [%rd2], %r5;
)",
                            64);
  expectFinding(run, FindingKind::UninitializedMemory, "stored to out");
}

TEST(EmulatorAsync, WaitsForAllButTheNewestGroups) {
  const std::string body = R"(
  cp.async.ca.shared.global [%r3], [%rd4], 4;
  cp.async.commit_group;
  cp.async.ca.shared.global [%r3+256], [%rd4+256], 4;
  cp.async.commit_group;
  cp.async.wait_group 1;
  bar.sync 0;
)";
  EmulatorRun right = runBody(
      body + "ld.shared.u32 %r5, [%r3];\nst.global.u32 [%rd2], %r5;", 64);
  EXPECT_CLEAN(right);
  EXPECT_EQ(right.get<uint32_t>("out")[7], 8u);
  EmulatorRun wrong = runBody(
      body + "ld.shared.u32 %r5, [%r3+256];\nst.global.u32 [%rd2], %r5;", 64);
  expectFinding(wrong, FindingKind::UninitializedMemory, "stored to out");
}

TEST(EmulatorAsync, FindsAMissingBarrierBehindTheWait) {
  // The barrier that all pass is before the wait: a copy is complete for the
  // thread that waited, not yet for the others.
  EmulatorRun run = runBody(R"(
  cp.async.ca.shared.global [%r3], [%rd4], 4;
  cp.async.commit_group;
  bar.sync 0;
  cp.async.wait_group 0;
  sub.u32 %r4, 252, %r1;
  xor.b32 %r4, %r3, 128;
  ld.shared.u32 %r5, [%r4];
  st.global.u32 [%rd2], %r5;
)",
                            64);
  EXPECT_FALSE(run.getReport().findings.empty());
  expectFinding(run, FindingKind::SharedRace, "unordered");
}

TEST(EmulatorAsync, FindsACopyOverWhatOthersRead) {
  // A two-stage pipeline whose last barrier is missing: the next copy writes
  // while others still read.
  const std::string body = R"(
  mov.u32 %r10, 0;
  mov.u32 %r11, 0;
LOOP:
  cp.async.ca.shared.global [%r3], [%rd4], 4;
  cp.async.commit_group;
  cp.async.wait_group 0;
  bar.sync 0;
  xor.b32 %r4, %r3, 128;
  ld.shared.u32 %r5, [%r4];
  add.u32 %r11, %r11, %r5;
  BARRIER
  add.u32 %r10, %r10, 1;
  setp.lt.u32 p, %r10, 3;
  @p bra LOOP;
  st.global.u32 [%rd2], %r11;
)";
  auto with = [&](const std::string &barrier) {
    std::string text = body;
    text.replace(text.find("BARRIER"), 7, barrier);
    return runBody(text, 64);
  };
  EmulatorRun right = with("bar.sync 0;");
  EXPECT_CLEAN(right);
  EXPECT_EQ(right.get<uint32_t>("out")[0], 3 * 33u);
  expectFinding(with(""), FindingKind::SharedRace, "unordered");
}

TEST(EmulatorAsync, CompletesCopiesOnAnMBarrier) {
  EmulatorRun run = runBody(R"(
  setp.eq.u32 p, %r1, 0;
  @p mbarrier.init.shared.b64 [bars], 64;
  bar.sync 0;
  cp.async.ca.shared.global [%r3], [%rd4], 4;
  cp.async.mbarrier.arrive.noinc.shared.b64 [bars];
WAIT:
  mbarrier.try_wait.parity.shared.b64 q, [bars], 0;
  @!q bra WAIT;
  xor.b32 %r4, %r3, 128;
  ld.shared.u32 %r5, [%r4];
  st.global.u32 [%rd2], %r5;
)",
                            64);
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<uint32_t>("out")[0], 33u);
}

TEST(EmulatorAsync, CountsTheArrivalOfCopiesTwiceWithoutNoinc) {
  // The arrival of the copies is one more than the program's own.
  EmulatorRun run = runBody(R"(
  setp.eq.u32 p, %r1, 0;
  @p mbarrier.init.shared.b64 [bars], 64;
  bar.sync 0;
  cp.async.ca.shared.global [%r3], [%rd4], 4;
  cp.async.mbarrier.arrive.shared.b64 [bars];
  mbarrier.arrive.shared.b64 %rd6, [bars];
WAIT:
  mbarrier.test_wait.shared.b64 q, [bars], %rd6;
  @!q bra WAIT;
  xor.b32 %r4, %r3, 128;
  ld.shared.u32 %r5, [%r4];
  st.global.u32 [%rd2], %r5;
)",
                            64);
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<uint32_t>("out")[0], 33u);
}

TEST(EmulatorAsync, ChecksTheBoundsOfACopyWhereItIsIssued) {
  EmulatorRun run = runBody(R"(
  cp.async.ca.shared.global [%r3], [%rd4+1800], 4;
  cp.async.wait_all;
)",
                            64);
  expectFinding(run, FindingKind::OutOfBounds, "in (2048 bytes)");
  EmulatorRun misaligned = runBody(R"(
  cp.async.cg.shared.global [%r3], [%rd3], 16;
)",
                                   2);
  expectFinding(misaligned, FindingKind::Misaligned, "not aligned to 16");
}

//===----------------------------------------------------------------------===//
// mbarrier
//===----------------------------------------------------------------------===//

/// Thread 0 initialises bars[0] for 64 arrivals.
const char *const initialise = R"(
  setp.eq.u32 p, %r1, 0;
  @p mbarrier.init.shared.b64 [bars], 64;
  bar.sync 0;
)";

TEST(EmulatorMBarrier, OrdersWhatItsArrivalsDid) {
  EmulatorRun run = runBody(std::string(initialise) + R"(
  st.shared.u32 [%r3], %r1;
  mbarrier.arrive.shared::cta.b64 %rd6, [bars];
WAIT:
  mbarrier.try_wait.shared::cta.b64 q, [bars], %rd6, 1000;
  @!q bra WAIT;
  xor.b32 %r4, %r3, 128;
  ld.shared.u32 %r5, [%r4];
  st.global.u32 [%rd2], %r5;
)",
                            64);
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<uint32_t>("out")[0], 32u);
}

TEST(EmulatorMBarrier, OrdersNothingWhereItIsRelaxed) {
  EmulatorRun run = runBody(std::string(initialise) + R"(
  st.shared.u32 [%r3], %r1;
  mbarrier.arrive.relaxed.cta.shared::cta.b64 %rd6, [bars];
WAIT:
  mbarrier.try_wait.shared::cta.b64 q, [bars], %rd6;
  @!q bra WAIT;
  xor.b32 %r4, %r3, 128;
  ld.shared.u32 %r5, [%r4];
  st.global.u32 [%rd2], %r5;
)",
                            64);
  expectFinding(run, FindingKind::SharedRace, "unordered");
}

TEST(EmulatorMBarrier, FindsAReadWithoutTheWait) {
  EmulatorRun run = runBody(std::string(initialise) + R"(
  st.shared.u32 [%r3], %r1;
  mbarrier.arrive.shared.b64 %rd6, [bars];
  xor.b32 %r4, %r3, 128;
  ld.shared.u32 %r5, [%r4];
  st.global.u32 [%rd2], %r5;
)",
                            64);
  EXPECT_FALSE(run.getReport().findings.empty());
}

TEST(EmulatorMBarrier, GoesThroughPhases) {
  // One warp produces, one consumes; full and empty barriers of 32.
  EmulatorRun run = runBody(R"(
  setp.eq.u32 p, %r1, 0;
  @p mbarrier.init.shared.b64 [bars], 32;
  @p mbarrier.init.shared.b64 [bars+8], 32;
  bar.sync 0;
  mov.u32 %r10, 0;
  mov.u32 %r11, 0;
  and.b32 %r13, %r1, 31;
  shl.b32 %r14, %r13, 2;
  add.u32 %r14, %r2, %r14;
  setp.ge.u32 p, %r1, 32;
  @p bra CONSUMER;
PRODUCER:
  and.b32 %r12, %r10, 1;
  xor.b32 %r12, %r12, 1;
EMPTY:
  mbarrier.try_wait.parity.shared.b64 q, [bars+8], %r12;
  @!q bra EMPTY;
  add.u32 %r5, %r10, %r13;
  st.shared.u32 [%r14], %r5;
  mbarrier.arrive.shared.b64 _, [bars];
  add.u32 %r10, %r10, 1;
  setp.lt.u32 p, %r10, 5;
  @p bra PRODUCER;
  bra DONE;
CONSUMER:
  and.b32 %r12, %r10, 1;
FULL:
  mbarrier.try_wait.parity.shared.b64 q, [bars], %r12;
  @!q bra FULL;
  xor.b32 %r15, %r14, 4;
  ld.shared.u32 %r5, [%r15];
  add.u32 %r11, %r11, %r5;
  mbarrier.arrive.shared.b64 _, [bars+8];
  add.u32 %r10, %r10, 1;
  setp.lt.u32 p, %r10, 5;
  @p bra CONSUMER;
DONE:
  st.global.u32 [%rd2], %r11;
)",
                            64);
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<uint32_t>("out")[32], 0 + 1 + 2 + 3 + 4 + 5u);
  EXPECT_EQ(run.get<uint32_t>("out")[33], 0 + 1 + 2 + 3 + 4u);
}

TEST(EmulatorMBarrier, FindsMisuse) {
  expectFinding(runBody("mbarrier.arrive.shared.b64 %rd6, [bars];", 1),
                FindingKind::InvalidOperation,
                "no mbarrier at shared variable bars + 0");
  expectFinding(runBody("mbarrier.init.shared.b64 [bars], 0;", 1),
                FindingKind::InvalidOperation, "for 0 arrivals");
  expectFinding(runBody("mbarrier.init.shared.b64 [bars+4], 1;", 1),
                FindingKind::Misaligned, "not aligned to 8");
  expectFinding(runBody("mbarrier.init.shared.b64 [bars], 1;\n"
                        "mbarrier.arrive.shared.b64 %rd6, [bars], 2;",
                        1),
                FindingKind::InvalidOperation, "2 arrivals");
  expectFinding(runBody("mbarrier.init.shared.b64 [bars], 1;\n"
                        "mbarrier.arrive.noComplete.shared.b64 %rd6, [bars], "
                        "1;",
                        1),
                FindingKind::InvalidOperation, ".noComplete");
  expectFinding(runBody("mbarrier.init.shared.b64 [bars], 1;\n"
                        "mbarrier.inval.shared.b64 [bars];\n"
                        "mbarrier.arrive.shared.b64 %rd6, [bars];",
                        1),
                FindingKind::InvalidOperation, "no mbarrier");
  expectFinding(runBody("mbarrier.init.shared.b64 [bars], 1;\n"
                        "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 "
                        "[bars], 2000000;",
                        1),
                FindingKind::InvalidOperation, "beyond the limit");
  expectFinding(runBody("mbarrier.init.shared.b64 [bars], 1;\n"
                        "mov.u64 %rd6, 5;\n"
                        "mbarrier.test_wait.shared.b64 q, [bars], %rd6;",
                        1),
                FindingKind::InvalidOperation, "no arrival gave");
}

TEST(EmulatorMBarrier, FindsAnInitialisationNobodyWaitedFor) {
  EmulatorRun run = runBody(R"(
  setp.eq.u32 p, %r1, 0;
  @p mbarrier.init.shared.b64 [bars], 64;
  setp.ge.u32 p, %r1, 32;
  @p mbarrier.arrive.shared.b64 _, [bars], 1;
)",
                            64);
  expectFinding(run, FindingKind::SharedRace, "unordered");
}

TEST(EmulatorMBarrier, DropsArrivals) {
  EmulatorRun run = runBody(std::string(initialise) + R"(
  setp.ge.u32 p, %r1, 32;
  @p bra DROP;
  mbarrier.arrive.shared.b64 %rd6, [bars];
FIRST:
  mbarrier.test_wait.shared.b64 q, [bars], %rd6;
  @!q bra FIRST;
  mbarrier.arrive.shared.b64 %rd6, [bars];
  mbarrier.pending_count.b64 %r6, %rd6;
SECOND:
  mbarrier.test_wait.shared.b64 q, [bars], %rd6;
  @!q bra SECOND;
  st.global.u32 [%rd2], %r6;
  ret;
DROP:
  mbarrier.arrive_drop.shared.b64 %rd6, [bars];
  st.global.u32 [%rd2], 0;
)",
                            64);
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<uint32_t>("out")[0], 32u);
  EXPECT_EQ(run.get<uint32_t>("out")[31], 1u);
}

TEST(EmulatorMBarrier, FindsADeadlock) {
  EmulatorRun run = runBody(std::string(initialise) + R"(
  setp.lt.u32 p, %r1, 63;
  @p mbarrier.arrive.shared.b64 _, [bars];
WAIT:
  mbarrier.try_wait.parity.shared.b64 q, [bars], 0;
  @!q bra WAIT;
  st.global.u32 [%rd2], 1;
)",
                            64);
  expectFinding(run, FindingKind::Deadlock,
                "wait for the mbarrier at shared variable bars + 0, whose "
                "phase 0 lacks 1 of 64 arrivals and 0 bytes");
}

TEST(EmulatorMBarrier, WaitsForAnotherBlockBesides) {
  // Block 0 looks at an mbarrier and at a flag that block 1 sets: its polls in
  // vain are no deadlock.
  EmulatorRun run = test::runAsync(R"(
  mbarrier.init.shared.b64 [bars], 1;
  mov.u32 %r6, %ctaid.x;
  setp.eq.u32 p, %r6, 1;
  @p bra SET;
LOOK:
  mbarrier.test_wait.parity.shared.b64 q, [bars], 0;
  @q bra DONE;
  ld.acquire.gpu.global.u32 %r7, [%rd1];
  setp.ne.u32 q, %r7, 9;
  @q bra LOOK;
  bra DONE;
SET:
  st.release.gpu.global.u32 [%rd1], 9;
DONE:
)",
                                   {.threads = 1, .blocks = 2});
  for (const Finding &finding : run.getReport().findings)
    EXPECT_NE(finding.kind, FindingKind::Deadlock) << run.getFindings();
  EXPECT_EQ(run.get<uint32_t>("out")[0], 9u);
}

TEST(EmulatorMBarrier, LetsLanesOfAJoinArriveForOneThatPolls) {
  // Lane 0 polls for arrivals of the lanes that wait for it at the join.
  EmulatorRun run = runBody(R"(
  setp.eq.u32 p, %r1, 0;
  @p mbarrier.init.shared.b64 [bars], 31;
  bar.sync 0;
  @!p bra OTHERS;
WAIT:
  mbarrier.try_wait.parity.shared.b64 q, [bars], 0;
  @!q bra WAIT;
OTHERS:
  @!p mbarrier.arrive.shared.b64 _, [bars];
  st.global.u32 [%rd2], %r1;
)",
                            32);
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<uint32_t>("out")[5], 5u);
}

//===----------------------------------------------------------------------===//
// Proxies and errors
//===----------------------------------------------------------------------===//

TEST(EmulatorAsync, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(test::getLoadError("cp.async.ca.shared.global [%r3], [%rd4], 12;"),
            "test.ptx:25:42: error: cp.async.ca copies 4, 8 or 16 bytes");
  EXPECT_EQ(test::getLoadError("cp.async.cg.shared.global [%r3], [%rd4], 8;"),
            "test.ptx:25:42: error: cp.async.cg copies 16 bytes");
  EXPECT_EQ(test::getLoadError("cp.async.ca.global.shared [%rd4], [%r3], 4;")
                .find("test.ptx:25:1: error: "),
            0u);
  EXPECT_NE(
      test::getLoadError("mbarrier.arrive.acquire.cta.shared.b64 %rd6, [bars];")
          .find("that order here"),
      std::string::npos);
  EXPECT_NE(
      test::getLoadError("mbarrier.arrive.shared::cluster.b64 %rd6, [%r3];")
          .find("gives no state"),
      std::string::npos);
  EXPECT_NE(
      test::getLoadError("mbarrier.try_wait.parity.shared.b32 p, [bars], 0;")
          .find("it wants .b64"),
      std::string::npos);
  EXPECT_NE(test::getLoadError("fence.acq_rel;").find("names no scope"),
            std::string::npos);
  EXPECT_NE(test::getLoadError("fence.proxy.texture;").find("that proxy"),
            std::string::npos);
  EXPECT_NE(test::getLoadError(
                "clusterlaunchcontrol.try_cancel.async.b128 [%r3], [%r3];")
                .find("sm_100"),
            std::string::npos);
}

} // namespace
