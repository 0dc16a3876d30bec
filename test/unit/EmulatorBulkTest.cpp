//===- EmulatorBulkTest.cpp - Bulk copies, tensors, clusters --------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/TensorMemory.h"
#include "test/unit/EmulatorAsyncFixture.h"

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

//===----------------------------------------------------------------------===//
// Into shared memory
//===----------------------------------------------------------------------===//

/// Thread 0 loads 256 bytes; all threads wait and read.
const char *const bulkLoad = R"(
  setp.eq.u32 p, %r1, 0;
  @p mbarrier.init.shared::cta.b64 [bars], 1;
  fence.mbarrier_init.release.cluster;
  bar.sync 0;
  @!p bra WAIT;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [bars], 256;
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [data], [%rd3], 256, [bars];
WAIT:
  mbarrier.try_wait.parity.shared::cta.b64 q, [bars], 0;
  @!q bra WAIT;
  ld.shared.u32 %r5, [%r3];
  st.global.u32 [%rd2], %r5;
)";

TEST(EmulatorBulk, LoadsWhatAnMBarrierWaitsFor) {
  EmulatorRun run = test::runAsync(bulkLoad, {.threads = 64});
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<uint32_t>("out"), test::makeIota(64));
}

TEST(EmulatorBulk, LoadsUnderEverySchedule) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Options options;
    options.scheduleSeed = seed;
    EmulatorRun run =
        test::runAsync(bulkLoad, {.threads = 64, .options = options});
    EXPECT_CLEAN(run);
    EXPECT_EQ(run.get<uint32_t>("out")[63], 64u);
  }
}

TEST(EmulatorBulk, FindsAMissingWait) {
  EmulatorRun run = test::runAsync(replace(bulkLoad, "  @!q bra WAIT;\n", ""),
                                   {.threads = 64});
  expectFinding(run, FindingKind::UninitializedMemory, "stored to out");
  // Without any poll, too: the copy writes when the block has gone.
  EmulatorRun never = test::runAsync(
      replace(replace(bulkLoad, "  @!q bra WAIT;\n", ""),
              "  mbarrier.try_wait.parity.shared::cta.b64 q, [bars], 0;\n",
              "bar.sync 0;\n"),
      {.threads = 64});
  expectFinding(never, FindingKind::UninitializedMemory, "stored to out");
  expectFinding(never, FindingKind::SharedRace, "writes what");
}

TEST(EmulatorBulk, FindsADeadlockWhereTheBytesAreNotThoseExpected) {
  expectFinding(
      test::runAsync(replace(bulkLoad, "[bars], 256;", "[bars], 128;"),
                     {.threads = 64}),
      FindingKind::Deadlock,
      "lacks 0 of 1 arrivals and -128 bytes of transactions");
  expectFinding(
      test::runAsync(replace(bulkLoad, "[bars], 256;", "[bars], 512;"),
                     {.threads = 64}),
      FindingKind::Deadlock,
      "lacks 0 of 1 arrivals and 256 bytes of transactions");
}

TEST(EmulatorBulk, ChecksSizesAndAddresses) {
  expectFinding(
      test::runAsync(replace(bulkLoad, "[%rd3], 256", "[%rd3], 120"), {}),
      FindingKind::InvalidOperation, "120 bytes, which is no multiple of 16");
  expectFinding(
      test::runAsync(replace(bulkLoad, "[%rd3], 256", "[%rd3+8], 256"), {}),
      FindingKind::Misaligned, "not aligned to 16");
  expectFinding(
      test::runAsync(replace(bulkLoad, "[%rd3], 256", "[%rd3+1904], 256"), {}),
      FindingKind::OutOfBounds, "in + 1904, across its end");
  expectFinding(
      test::runAsync(replace(bulkLoad, "256, [bars]", "256, [bars+8]"), {}),
      FindingKind::InvalidOperation, "no mbarrier at shared variable bars + 8");
}

/// A ring of two stages of 64 words: warp 0 loads six pieces, warp 1 sums them.
const char *const ring = R"(
  setp.eq.u32 p, %r1, 0;
  @!p bra READY;
  mbarrier.init.shared::cta.b64 [bars], 1;
  mbarrier.init.shared::cta.b64 [bars+8], 1;
  mbarrier.init.shared::cta.b64 [bars+16], 32;
  mbarrier.init.shared::cta.b64 [bars+24], 32;
  fence.mbarrier_init.release.cluster;
READY:
  bar.sync 0;
  mov.u32 %r10, 0;
  mov.u32 %r11, 0;
  mov.u32 %r20, bars;
  and.b32 %r13, %r1, 31;
  setp.ge.u32 p, %r1, 32;
  @p bra CONSUMER;
  setp.ne.u32 p, %r1, 0;
  @p bra DONE;
PRODUCER:
  and.b32 %r14, %r10, 1;
  shl.b32 %r15, %r14, 3;
  add.u32 %r15, %r20, %r15;
  shr.u32 %r16, %r10, 1;
  and.b32 %r16, %r16, 1;
  xor.b32 %r16, %r16, 1;
EMPTY:
  mbarrier.try_wait.parity.shared::cta.b64 q, [%r15+16], %r16;
  @!q bra EMPTY;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r15], 256;
  shl.b32 %r17, %r14, 8;
  add.u32 %r17, %r2, %r17;
  mul.wide.u32 %rd6, %r10, 256;
  add.u64 %rd6, %rd3, %rd6;
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%r17], [%rd6], 256, [%r15], %rd5;
  add.u32 %r10, %r10, 1;
  setp.lt.u32 p, %r10, 6;
  @p bra PRODUCER;
  bra DONE;
CONSUMER:
  and.b32 %r14, %r10, 1;
  shl.b32 %r15, %r14, 3;
  add.u32 %r15, %r20, %r15;
  shr.u32 %r16, %r10, 1;
  and.b32 %r16, %r16, 1;
FULL:
  mbarrier.try_wait.parity.shared::cta.b64 q, [%r15], %r16;
  @!q bra FULL;
  shl.b32 %r17, %r14, 8;
  shl.b32 %r18, %r13, 2;
  add.u32 %r17, %r17, %r18;
  add.u32 %r17, %r2, %r17;
  EARLY
  ld.shared.u32 %r5, [%r17];
  add.u32 %r11, %r11, %r5;
  LATE
  add.u32 %r10, %r10, 1;
  setp.lt.u32 p, %r10, 6;
  @p bra CONSUMER;
DONE:
  st.global.u32 [%rd2], %r11;
)";
const char *const release = "mbarrier.arrive.shared::cta.b64 _, [%r15+16];";

TEST(EmulatorBulk, RunsARing) {
  std::string body = replace(replace(ring, "EARLY", ""), "LATE", release);
  for (uint64_t seed : {0, 1, 2, 3, 4, 5}) {
    Options options;
    options.scheduleSeed = seed;
    EmulatorRun run = test::runAsync(body, {.threads = 64, .options = options});
    EXPECT_CLEAN(run);
    EXPECT_EQ(run.get<uint32_t>("out")[32], 6 * 1 + 64 * 15u);
  }
}

TEST(EmulatorBulk, FindsAStageReleasedBeforeItIsRead) {
  std::string body = replace(replace(ring, "EARLY", release), "LATE", "");
  EmulatorRun run = test::runAsync(body, {.threads = 64});
  EXPECT_FALSE(run.getReport().findings.empty());
}

TEST(EmulatorBulk, FindsAProducerThatWaitsForNobody) {
  std::string body = replace(replace(ring, "EARLY", ""), "LATE", release);
  EmulatorRun run =
      test::runAsync(replace(body, "  @!q bra EMPTY;\n", ""), {.threads = 64});
  EXPECT_FALSE(run.getReport().findings.empty());
}

//===----------------------------------------------------------------------===//
// Into global memory
//===----------------------------------------------------------------------===//

const char *const bulkStore = R"(
  mul.lo.u32 %r4, %r1, 3;
  st.shared.u32 [%r3], %r4;
  fence.proxy.async.shared::cta;
  bar.sync 0;
  setp.ne.u32 p, %r1, 0;
  @p bra DONE;
  cp.async.bulk.global.shared::cta.bulk_group [%rd1], [data], 256;
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group.read 0;
DONE:
)";

TEST(EmulatorBulk, StoresWhatIsWaitedFor) {
  EmulatorRun run = test::runAsync(bulkStore, {.threads = 64});
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<uint32_t>("out")[63], 189u);
}

TEST(EmulatorBulk, FindsAMissingProxyFence) {
  EmulatorRun run = test::runAsync(
      replace(bulkStore, "  fence.proxy.async.shared::cta;\n", ""),
      {.threads = 64});
  expectFinding(run, FindingKind::SharedRace,
                "reads shared variable data + 0, which thread 0 at line 27 "
                "writes, with no fence.proxy.async behind the write");
}

TEST(EmulatorBulk, FindsAMissingBarrier) {
  EmulatorRun run = test::runAsync(replace(bulkStore, "  bar.sync 0;\n", ""),
                                   {.threads = 64});
  EXPECT_FALSE(run.getReport().findings.empty());
}

TEST(EmulatorBulk, FindsAnExitBeforeTheCopyIsDone) {
  EmulatorRun run = test::runAsync(
      replace(bulkStore, "  cp.async.bulk.wait_group.read 0;\n", ""),
      {.threads = 64});
  expectFinding(run, FindingKind::InvalidOperation,
                "no cp.async.bulk.wait_group");
}

TEST(EmulatorBulk, FindsAWriteOverWhatACopyReads) {
  EmulatorRun run =
      test::runAsync(replace(bulkStore, "  cp.async.bulk.wait_group.read 0;\n",
                             "  st.shared.u32 [data+16], 7;\n"
                             "  cp.async.bulk.wait_group.read 0;\n"),
                     {.threads = 64});
  expectFinding(run, FindingKind::SharedRace, "reads what thread 0");
}

TEST(EmulatorBulk, FindsUndefinedBytesInACopy) {
  EmulatorRun run = test::runAsync(
      replace(bulkStore, "  st.shared.u32 [%r3], %r4;\n",
              "  setp.ne.u32 q, %r1, 9;\n  @q st.shared.u32 [%r3], %r4;\n"),
      {.threads = 64});
  expectFinding(run, FindingKind::UninitializedMemory, "stores to out");
}

TEST(EmulatorBulk, ReducesIntoGlobalMemory) {
  auto reduce = [](const std::string &op, const std::string &store,
                   uint32_t first) {
    std::string body = replace(bulkStore, "  mul.lo.u32 %r4, %r1, 3;\n",
                               store + "\n  st.global.u32 [%rd2], " +
                                   std::to_string(first) + ";\n");
    body = replace(body, "cp.async.bulk.global.shared::cta.bulk_group",
                   "cp.reduce.async.bulk.global.shared::cta.bulk_group." + op);
    EmulatorRun run = test::runAsync(body, {.threads = 64});
    EXPECT_CLEAN(run);
    return run.get<uint32_t>("out")[10];
  };
  EXPECT_EQ(reduce("add.u32", "mov.u32 %r4, %r1;", 100), 110u);
  EXPECT_EQ(reduce("min.s32", "neg.s32 %r4, %r1;", 3), uint32_t(-10));
  EXPECT_EQ(reduce("max.u32", "mov.u32 %r4, %r1;", 11), 11u);
  EXPECT_EQ(reduce("xor.b32", "mov.u32 %r4, %r1;", 3), 9u);
  EXPECT_EQ(reduce("inc.u32", "mov.u32 %r4, %r1;", 10), 0u);
  EXPECT_EQ(reduce("add.f32", "cvt.rn.f32.u32 %f1, %r1;\nmov.b32 %r4, %f1;",
                   0x3f800000),
            0x41300000u); // 1 + 10
  EXPECT_EQ(reduce("add.noftz.bf16", "mov.u32 %r4, 0x3f804000;", 0x40004000),
            0x40404080u); // 2 + 1, 2 + 2
}

TEST(EmulatorBulk, CopiesTheBytesOfAMask) {
  std::string body = replace(
      bulkStore,
      "cp.async.bulk.global.shared::cta.bulk_group [%rd1], [data], "
      "256;",
      "mov.u16 %h1, 0x000f;\n  cp.async.bulk.global.shared::cta.bulk_group.cp_"
      "mask [%rd1], [data], 256, %h1;");
  body =
      replace(body, "  st.shared", "  st.global.u32 [%rd2], 1;\n  st.shared");
  EmulatorRun run = test::runAsync(body, {.threads = 64});
  EXPECT_EQ(run.get<uint32_t>("out")[4], 12u);
  EXPECT_EQ(run.get<uint32_t>("out")[5], 1u);
}

//===----------------------------------------------------------------------===//
// Clusters
//===----------------------------------------------------------------------===//

const char *const exchange = R"(
  mov.u32 %r6, %cluster_ctarank;
  xor.b32 %r7, %r6, 1;
  mad.lo.u32 %r8, %r6, 100, %r1;
  st.shared.u32 [%r3], %r8;
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
  mapa.shared::cluster.u32 %r9, %r3, %r7;
  ld.shared::cluster.u32 %r10, [%r9];
  getctarank.shared::cluster.u32 %r11, %r9;
  mad.lo.u32 %r10, %r11, 1000, %r10;
  mad.lo.u32 %r12, %r6, 32, %r1;
  mul.wide.u32 %rd6, %r12, 4;
  add.u64 %rd6, %rd1, %rd6;
  st.global.u32 [%rd6], %r10;
  barrier.cluster.arrive;
  barrier.cluster.wait;
)";

TEST(EmulatorCluster, ReadsTheMemoryOfAnother) {
  EmulatorRun run =
      test::runAsync(exchange, {.threads = 32, .blocks = 2, .isCluster = true});
  EXPECT_CLEAN(run);
  std::vector<uint32_t> out = run.get<uint32_t>("out");
  EXPECT_EQ(out[5], 1105u);
  EXPECT_EQ(out[37], 5u);
}

TEST(EmulatorCluster, FindsAMissingBarrier) {
  EmulatorRun run =
      test::runAsync(replace(exchange,
                             "  barrier.cluster.arrive.aligned;\n"
                             "  barrier.cluster.wait.aligned;\n",
                             ""),
                     {.threads = 32, .blocks = 2, .isCluster = true});
  EXPECT_FALSE(run.getReport().findings.empty());
}

TEST(EmulatorCluster, FindsAnExitThatOthersStillRead) {
  // Rank 1 writes, leaves, and rank 0 reads what is gone.
  EmulatorRun run = test::runAsync(R"(
  mov.u32 %r6, %cluster_ctarank;
  st.shared.u32 [%r3], %r1;
  barrier.cluster.arrive;
  barrier.cluster.wait;
  setp.eq.u32 p, %r6, 1;
  @p bra DONE;
  mov.u32 %r20, 0;
SPIN:
  add.u32 %r20, %r20, 1;
  setp.lt.u32 q, %r20, 1000;
  @q bra SPIN;
  mapa.shared::cluster.u32 %r9, %r3, 1;
  ld.shared::cluster.u32 %r10, [%r9];
  st.global.u32 [%rd2], %r10;
DONE:
)",
                                   {.blocks = 2, .isCluster = true});
  expectFinding(run, FindingKind::OutOfBounds, "which has exited");
}

TEST(EmulatorCluster, OrdersNothingWhereTheArrivalIsRelaxed) {
  EmulatorRun run = test::runAsync(
      replace(exchange, "arrive.aligned", "arrive.relaxed.aligned"),
      {.threads = 32, .blocks = 2, .isCluster = true});
  expectFinding(run, FindingKind::SharedRace, "unordered");
  EmulatorRun fenced = test::runAsync(
      replace(exchange, "barrier.cluster.arrive.aligned",
              "fence.acq_rel.cluster;\n  barrier.cluster.arrive.relaxed"),
      {.threads = 32, .blocks = 2, .isCluster = true});
  EXPECT_CLEAN(fenced);
}

TEST(EmulatorCluster, FindsMisuseOfItsBarrier) {
  expectFinding(test::runAsync("barrier.cluster.wait;", {}),
                FindingKind::InvalidOperation,
                "without barrier.cluster.arrive");
  expectFinding(
      test::runAsync("barrier.cluster.arrive;\nbarrier.cluster.arrive;", {}),
      FindingKind::InvalidOperation, "a second arrival");
  expectFinding(test::runAsync("setp.lt.u32 p, %r1, 4;\n"
                               "@p barrier.cluster.arrive.aligned;\n"
                               "@!p barrier.cluster.arrive;\n"
                               "barrier.cluster.wait;",
                               {}),
                FindingKind::DivergentBarrier, "only 4 of the 32");
  expectFinding(test::runAsync("mov.u32 %r6, %cluster_ctarank;\n"
                               "setp.eq.u32 p, %r6, 0;\n"
                               "@p barrier.cluster.arrive;\n"
                               "@p barrier.cluster.wait;\n"
                               "SPIN: @!p bar.sync 1, 64;\n",
                               {.blocks = 2, .isCluster = true}),
                FindingKind::Deadlock, "the cluster's barrier");
  expectFinding(test::runAsync("mapa.shared::cluster.u32 %r4, %r2, 1;", {}),
                FindingKind::InvalidOperation, "rank 1 of a cluster of 1");
}

TEST(EmulatorCluster, LanesThatExitCountAsArrived) {
  EmulatorRun run = test::runAsync(R"(
  setp.lt.u32 p, %r1, 16;
  st.global.u32 [%rd2], %r1;
  @p exit;
  barrier.cluster.arrive;
  barrier.cluster.wait;
)",
                                   {.threads = 64});
  EXPECT_CLEAN(run);
}

TEST(EmulatorCluster, MulticastsToItsBlocks) {
  EmulatorRun run = test::runAsync(R"(
  mov.u32 %r6, %cluster_ctarank;
  setp.eq.u32 p, %r1, 0;
  @p mbarrier.init.shared::cta.b64 [bars], 1;
  @p fence.mbarrier_init.release.cluster;
  @p mbarrier.arrive.expect_tx.shared::cta.b64 _, [bars], 128;
  barrier.cluster.arrive;
  barrier.cluster.wait;
  setp.eq.and.u32 p, %r6, 1, p;
  mov.u16 %h1, 5;
  @p cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [data], [%rd3], 128, [bars], %h1;
  setp.eq.u32 p, %r6, 1;
  @p bra DONE;
WAIT:
  mbarrier.try_wait.parity.shared::cta.b64 q, [bars], 0;
  @!q bra WAIT;
  ld.shared.u32 %r5, [%r3];
  mad.lo.u32 %r12, %r6, 32, %r1;
  mul.wide.u32 %rd6, %r12, 4;
  add.u64 %rd6, %rd1, %rd6;
  st.global.u32 [%rd6], %r5;
DONE:
  barrier.cluster.arrive;
  barrier.cluster.wait;
)",
                                   {.blocks = 3, .isCluster = true});
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<uint32_t>("out")[31], 32u);
  EXPECT_EQ(run.get<uint32_t>("out")[64 + 31], 32u);
}

/// Rank 0's lanes send to rank 1, whose mbarrier they complete.
const char *const sendAsync = R"(
  mov.u32 %r6, %cluster_ctarank;
  st.shared.u32 [%r3], 1000;
  setp.eq.u32 p, %r1, 0;
  @p mbarrier.init.shared::cta.b64 [bars], 1;
  @p fence.mbarrier_init.release.cluster;
  @p mbarrier.arrive.expect_tx.shared::cta.b64 _, [bars], 128;
  fence.proxy.async;
  barrier.cluster.arrive;
  barrier.cluster.wait;
  setp.eq.u32 p, %r6, 1;
  @p bra WAIT;
  mapa.shared::cluster.u32 %r9, %r3, 1;
  mov.u32 %r10, bars;
  mapa.shared::cluster.u32 %r10, %r10, 1;
  SEND
  bra DONE;
WAIT:
  mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 q, [bars], 0;
  @!q bra WAIT;
  ld.shared.u32 %r5, [%r3];
  st.global.u32 [%rd2], %r5;
DONE:
  barrier.cluster.arrive;
  barrier.cluster.wait;
)";

TEST(EmulatorCluster, StoresAndReducesAsynchronously) {
  auto send = [](const std::string &instruction) {
    EmulatorRun run =
        test::runAsync(replace(sendAsync, "SEND", instruction),
                       {.blocks = 2, .isCluster = true, .outBytes = 128});
    EXPECT_CLEAN(run);
    return run.get<uint32_t>("out")[7];
  };
  EXPECT_EQ(send("st.async.shared::cluster.mbarrier::complete_tx::bytes.u32 "
                 "[%r9], %r1, [%r10];"),
            7u);
  EXPECT_EQ(send("red.async.relaxed.cluster.shared::cluster.mbarrier::"
                 "complete_tx::bytes.add.u32 [%r9], %r1, [%r10];"),
            1007u);
  EXPECT_EQ(send("red.async.relaxed.cluster.shared::cluster.mbarrier::"
                 "complete_tx::bytes.min.u32 [%r9], %r1, [%r10];"),
            7u);
}

TEST(EmulatorCluster, CopiesBetweenItsBlocks) {
  EmulatorRun run = test::runAsync(
      replace(sendAsync, "SEND",
              "setp.eq.u32 p, %r1, 0;\n"
              "  @p cp.async.bulk.shared::cluster.shared::cta.mbarrier::"
              "complete_tx::bytes [%r9], [data], 128, [%r10];\n"
              "  @p bra DRAIN;\n  bra DONE;\nDRAIN:\n"),
      {.blocks = 2, .isCluster = true, .outBytes = 128});
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<uint32_t>("out")[7], 1000u);
}

TEST(EmulatorCluster, ArrivesAtTheMBarrierOfAnother) {
  EmulatorRun run = test::runAsync(
      replace(sendAsync, "SEND",
              "st.shared::cluster.u32 [%r9], %r1;\n"
              "  fence.acq_rel.cluster;\n"
              "  setp.eq.u32 p, %r1, 0;\n"
              "  bar.sync 0;\n"
              "  @p mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 "
              "[%r10], 128;\n"),
      {.blocks = 2, .isCluster = true, .outBytes = 128});
  EXPECT_EQ(run.get<uint32_t>("out")[7], 7u);
}

TEST(EmulatorCluster, TellsSpacesApart) {
  EmulatorRun run =
      test::runAsync(R"(
  mov.u64 %rd6, data;
  cvta.shared.u64 %rd6, %rd6;
  mapa.u64 %rd7, %rd6, %r1;
  mov.u32 %r10, 0;
  isspacep.shared %p1, %rd7;
  isspacep.shared::cluster %p2, %rd7;
  isspacep.global %p3, %rd1;
  isspacep.local %p4, %rd1;
  isspacep.shared::cta %p5, %rd6;
  getctarank.u64 %r11, %rd7;
  selp.u32 %r10, 1, 0, %p1;
  @%p2 or.b32 %r10, %r10, 2;
  @%p3 or.b32 %r10, %r10, 4;
  @%p4 or.b32 %r10, %r10, 8;
  @%p5 or.b32 %r10, %r10, 16;
  shl.b32 %r11, %r11, 8;
  or.b32 %r10, %r10, %r11;
  mov.u32 %r6, %cluster_ctarank;
  mad.lo.u32 %r12, %r6, 2, %r1;
  mul.wide.u32 %rd9, %r12, 4;
  add.u64 %rd9, %rd1, %rd9;
  st.global.u32 [%rd9], %r10;
)",
                     {.threads = 2, .blocks = 2, .isCluster = true});
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.get<uint32_t>("out"),
            (std::vector<uint32_t>{0x17, 0x116, 0x16, 0x117}));
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// A map of a matrix of u32 with `rows` rows of 32, in boxes of 16 columns and
/// 8 rows.
TensorMap makeMap(uint64_t address, uint64_t rows, Swizzle swizzle) {
  TensorMap map;
  map.rank = 2;
  map.type = TensorMapType::U32;
  map.swizzle = swizzle;
  map.address = address;
  map.dims = {30, rows};
  map.strides = {128};
  map.box = {16, 8};
  return map;
}

/// Where `makeMap`'s tensor is found by a test: buffers come in order.
EmulatorRun runTensor(const std::string &body, const std::string &tensor,
                      Swizzle swizzle, uint32_t threads = 128) {
  EmulatorRun run(
      test::makeAsyncKernel(body, ", .param .align 64 .b8 map[128]"));
  run.addOutput("out", 512 * 4);
  run.addInput("in", test::makeIota(512));
  run.addScalar(makeMap(run.getAddress(tensor), 12, swizzle));
  run.launch("f", {1, 1, 1}, {threads, 1, 1});
  return run;
}

/// The box at column 16, row 8: two columns and four rows are outside.
const char *const tensorLoad = R"(
  mov.b64 %rd8, map;
  cvta.param.u64 %rd8, %rd8;
  setp.eq.u32 p, %r1, 0;
  @p prefetch.tensormap [%rd8];
  @p mbarrier.init.shared::cta.b64 [bars], 1;
  @p fence.mbarrier_init.release.cluster;
  bar.sync 0;
  mov.u32 %r6, 16;
  mov.u32 %r7, 8;
  @p mbarrier.arrive.expect_tx.shared::cta.b64 _, [bars], 512;
  @p cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [data], [%rd8, {%r6, %r7}], [bars];
WAIT:
  mbarrier.try_wait.parity.shared::cta.b64 q, [bars], 0;
  @!q bra WAIT;
  ld.shared.u32 %r5, [%r3];
  st.global.u32 [%rd2], %r5;
)";

TEST(EmulatorTensorCopy, FillsWhatIsOutside) {
  EmulatorRun run = runTensor(tensorLoad, "in", Swizzle::None);
  EXPECT_CLEAN(run);
  std::vector<uint32_t> out = run.get<uint32_t>("out");
  EXPECT_EQ(out[0], 8 * 32 + 16 + 1u);
  EXPECT_EQ(out[13], 8 * 32 + 29 + 1u);
  EXPECT_EQ(out[14], 0u);
  EXPECT_EQ(out[16], 9 * 32 + 16 + 1u);
  EXPECT_EQ(out[64], 0u); // row 12
}

TEST(EmulatorTensorCopy, Swizzles) {
  EmulatorRun run = runTensor(tensorLoad, "in", Swizzle::Bytes64);
  EXPECT_CLEAN(run);
  std::vector<uint32_t> out = run.get<uint32_t>("out");
  // Rows 2 and 3 of the box are the second line of 128 bytes: pieces of 16
  // bytes change places in pairs.
  EXPECT_EQ(out[0], 8 * 32 + 16 + 1u);
  EXPECT_EQ(out[32 + 4], 10 * 32 + 16 + 1u);
  EXPECT_EQ(out[32], 10 * 32 + 20 + 1u);
}

TEST(EmulatorTensorCopy, Stores) {
  const std::string body = R"(
  st.shared.u32 [%r3], %r1;
  fence.proxy.async.shared::cta;
  bar.sync 0;
  setp.ne.u32 p, %r1, 0;
  @p bra DONE;
  mov.u32 %r6, 16;
  mov.u32 %r7, 8;
  COPY.2d.global.shared::cta.ADD tile.bulk_group [map, {%r6, %r7}], [data];
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group 0;
DONE:
)";
  EmulatorRun run = runTensor(
      replace(replace(body, "COPY", "cp.async.bulk.tensor"), "ADD ", ""), "out",
      Swizzle::None);
  EXPECT_CLEAN(run);
  std::vector<uint32_t> out = run.get<uint32_t>("out");
  EXPECT_EQ(out[8 * 32 + 16], 0u);
  EXPECT_EQ(out[9 * 32 + 29], 16 + 13u);
  EXPECT_EQ(out[9 * 32 + 30], 0xeeeeeeeeu); // outside: left alone
  EXPECT_EQ(out[12 * 32 + 16], 0xeeeeeeeeu);

  std::string reduction = replace(
      replace(body, "COPY", "cp.reduce.async.bulk.tensor"), "ADD ", "add.");
  reduction = "  mul.wide.u32 %rd6, %r1, 16;\n  add.u64 %rd6, %rd1, %rd6;\n"
              "  st.global.v4.u32 [%rd6], {1, 1, 1, 1};\n"
              "  fence.proxy.async;\n" +
              reduction;
  EmulatorRun sum = runTensor(reduction, "out", Swizzle::None);
  EXPECT_CLEAN(sum);
  EXPECT_EQ(sum.get<uint32_t>("out")[9 * 32 + 29], 16 + 13 + 1u);
}

TEST(EmulatorTensorCopy, ChecksTheMapAndTheTile) {
  expectFinding(
      runTensor(replace(tensorLoad, "[data], [%rd8", "[data+64], [%rd8"), "in",
                Swizzle::None),
      FindingKind::Misaligned, "not aligned to 128");
  expectFinding(
      runTensor(replace(tensorLoad, "mov.b64 %rd8, map;",
                        "mov.b64 %rd8, data;\n  cvta.shared.u64 %rd8, %rd8;"),
                "in", Swizzle::None),
      FindingKind::OutOfBounds, "");
  std::string three = replace(replace(tensorLoad, "tensor.2d", "tensor.3d"),
                              "{%r6, %r7}", "{%r6, %r7, %r7}");
  expectFinding(runTensor(three, "in", Swizzle::None),
                FindingKind::InvalidOperation,
                "it describes 2 dimensions, the instruction has 3");
}

TEST(EmulatorTensorCopy, FindsATensorLargerThanItsBuffer) {
  EmulatorRun run(
      test::makeAsyncKernel(tensorLoad, ", .param .align 64 .b8 map[128]"));
  run.addOutput("out", 512 * 4);
  run.addInput("in", test::makeIota(256));
  run.addScalar(makeMap(run.getAddress("in"), 12, Swizzle::None));
  run.launch("f", {1, 1, 1}, {128, 1, 1});
  expectFinding(run, FindingKind::OutOfBounds, "in (1024 bytes)");
}

TEST(EmulatorBulk, RefusesWhatItDoesNotKnow) {
  auto has = [](const std::string &instruction, const std::string &text) {
    std::string error = test::getLoadError(instruction);
    EXPECT_NE(error.find(text), std::string::npos) << error;
  };
  has("cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::"
      "complete_tx::bytes [data], [%rd1, {%r1, %r1, %r1}], [bars], {%h1};",
      "only the .tile mode");
  has("cp.async.bulk.shared::cluster.global.bulk_group [data], [%rd3], 16, "
      "[bars];",
      "wants .mbarrier::complete_tx::bytes");
  has("cp.async.bulk.global.global.bulk_group [%rd1], [%rd3], 16;",
      "that direction");
  has("cp.reduce.async.bulk.global.shared::cta.bulk_group.min.f32 [%rd1], "
      "[data], 16;",
      "that operation on that type");
  has("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_"
      "tx::bytes [data], [%rd1, {%r1}], [bars];",
      "2 coordinates");
  has("st.async.shared::cluster.u32 [%r1], %r1, [%r1];",
      "wants .mbarrier::complete_tx::bytes");
  has("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.foo "
      "[data], [%rd3], 16, [bars];",
      "the modifier '.foo' here");
}

} // namespace
