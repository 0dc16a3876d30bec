//===- EmulatorPipelineTest.cpp - A compiled Hopper pipeline --------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// test/emulator/async/tma_matmul.cu, compiled by nvcc: tensor copies, mbarriers
// and wgmma together, right, and wrong in the ways such kernels are.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/TensorMemory.h"
#include "test/unit/EmulatorAsyncFixture.h"

#include <bit>
#include <fstream>
#include <sstream>

using namespace fk;
using namespace fk::emulator;
using fk::test::EmulatorRun;
using fk::test::expectFinding;

namespace {

constexpr unsigned m = 100, n = 96, k = 328;

int elementA(unsigned i, unsigned l) { return int(i * 7 + l * 5) % 3 - 1; }
int elementB(unsigned j, unsigned l) { return int(j * 3 + l * 11) % 3 - 1; }

uint16_t toBF16(int value) {
  return static_cast<uint16_t>(
      std::bit_cast<uint32_t>(static_cast<float>(value)) >> 16);
}

std::string readKernel() {
  std::ifstream file(FK_SOURCE_DIR "/test/emulator/async/tma_matmul.ptx");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_GT(text.str().size(), 1000u);
  return text.str();
}

std::string replaceAll(std::string text, const std::string &from,
                       const std::string &to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  for (; at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

TensorMap makeMap(uint64_t address, uint64_t rows, uint64_t columns) {
  TensorMap map;
  map.rank = 2;
  map.type = TensorMapType::BF16;
  map.swizzle = Swizzle::Bytes128;
  map.address = address;
  map.dims = {columns, rows};
  map.strides = {columns * 2};
  map.box = {64, 64};
  return map;
}

EmulatorRun runMatmul(const std::string &text, uint64_t seed = 0) {
  EmulatorRun run(text);
  std::vector<uint16_t> a, b;
  for (unsigned i = 0; i < m; ++i)
    for (unsigned l = 0; l < k; ++l)
      a.push_back(toBF16(elementA(i, l)));
  for (unsigned j = 0; j < n; ++j)
    for (unsigned l = 0; l < k; ++l)
      b.push_back(toBF16(elementB(j, l)));
  // The buffers' addresses are not parameters of their own here.
  run.addInput("a", a, /*isParameter=*/false);
  run.addInput("b", b, /*isParameter=*/false);
  run.addOutput("d", m * n * 2, /*isParameter=*/false);
  run.addScalar(makeMap(run.getAddress("a"), m, k));
  run.addScalar(makeMap(run.getAddress("b"), n, k));
  run.addScalar(makeMap(run.getAddress("d"), m, n));
  run.addScalar(int(k));
  Options options;
  options.scheduleSeed = seed;
  run.launch("tma_matmul", {2, 2, 1}, {160, 1, 1}, options, 60000);
  return run;
}

void expectProduct(const EmulatorRun &run) {
  std::vector<uint16_t> d = run.get<uint16_t>("d");
  for (unsigned i = 0; i < m; ++i)
    for (unsigned j = 0; j < n; ++j) {
      int sum = 0;
      for (unsigned l = 0; l < k; ++l)
        sum += elementA(i, l) * elementB(j, l);
      ASSERT_EQ(d[i * n + j], toBF16(sum)) << i << ", " << j;
    }
}

TEST(EmulatorPipeline, Multiplies) {
  EmulatorRun run = runMatmul(readKernel());
  EXPECT_CLEAN(run);
  expectProduct(run);
}

TEST(EmulatorPipeline, MultipliesUnderOtherSchedules) {
  for (uint64_t seed : {1, 2, 3}) {
    EmulatorRun run = runMatmul(readKernel(), seed);
    EXPECT_CLEAN(run);
    expectProduct(run);
  }
}

TEST(EmulatorPipeline, FindsAStageReleasedWhileItIsMultiplied) {
  // The newest product may still read the stage that is given back.
  EmulatorRun run =
      runMatmul(replaceAll(readKernel(), "wgmma.wait_group.sync.aligned 0;",
                           "wgmma.wait_group.sync.aligned 1;"));
  expectFinding(run, FindingKind::SharedRace, "unordered");
  expectFinding(run, FindingKind::InvalidOperation, "no wgmma.wait_group");
}

TEST(EmulatorPipeline, FindsAMissingProxyFence) {
  EmulatorRun run =
      runMatmul(replaceAll(readKernel(), "fence.proxy.async.shared::cta;", ""));
  expectFinding(run, FindingKind::SharedRace, "no fence.proxy.async");
}

TEST(EmulatorPipeline, FindsAMissingBarrierBeforeTheStore) {
  EmulatorRun run = runMatmul(replaceAll(readKernel(), "bar.sync 1, 128;", ""));
  EXPECT_FALSE(run.getReport().findings.empty());
}

TEST(EmulatorPipeline, FindsAWaitThatIsNotRepeated) {
  EmulatorRun run = runMatmul(replaceAll(readKernel(), "bra AGAIN;", ""));
  EXPECT_FALSE(run.getReport().findings.empty());
}

TEST(EmulatorPipeline, FindsBytesThatNobodyExpects) {
  EmulatorRun run = runMatmul(replaceAll(readKernel(), "16384", "8192"));
  EXPECT_FALSE(run.getReport().findings.empty());
}

} // namespace
