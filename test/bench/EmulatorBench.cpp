//===- EmulatorBench.cpp - Lane instructions a second ---------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The emulator on one core of the host, with every check on. The counter is
// instructions of lanes a second: 32 for an instruction of a whole warp.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Emulator.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

using namespace fk;

namespace {

/// `body` in a loop of 1000 trips, eight warps, over a buffer of 256 words that
/// is read and one that is written.
void runLoop(benchmark::State &state, const std::string &body) {
  const std::string text = R"(
.version 8.4
.target sm_90a
.address_size 64
.visible .entry f(.param .u64 out, .param .u64 in)
{
  .reg .pred %p<4>;
  .reg .b32 %r<16>;
  .reg .f32 %f<16>;
  .reg .b64 %rd<8>;
  .shared .align 16 .b8 tile[1024];
  ld.param.u64 %rd1, [out];
  ld.param.u64 %rd2, [in];
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd3, %r1, 4;
  add.u64 %rd4, %rd1, %rd3;
  add.u64 %rd5, %rd2, %rd3;
  mov.u32 %r4, tile;
  shl.b32 %r5, %r1, 2;
  add.u32 %r4, %r4, %r5;
  mov.u32 %r2, 0;
  mov.f32 %f1, 0f3F800000;
  mov.f32 %f2, 0f3F000000;
  mov.u32 %r3, 7;
LOOP:
)" + body + R"(
  add.u32 %r2, %r2, 1;
  setp.lt.u32 %p1, %r2, 1000;
  @%p1 bra LOOP;
  st.global.f32 [%rd4], %f1;
  ret;
}
)";
  auto module = emulator::Module::load(text, "bench.ptx");
  std::vector<float> in(256, 0.25f), out(256);
  emulator::Memory memory;
  emulator::LaunchConfig config;
  config.entry = "f";
  config.block = {256, 1, 1};
  for (uint64_t address :
       {memory.addRegion("out", out.data(), out.size() * 4),
        memory.addRegion("in", in.data(), in.size() * 4,
                         {.isWritable = false})}) {
    std::vector<std::byte> bytes(8);
    std::memcpy(bytes.data(), &address, 8);
    config.args.push_back(std::move(bytes));
  }
  emulator::Options options;
  options.threads = 1;
  double lanes = 0;
  for (auto _ : state) {
    emulator::Report report = launch(*module, config, memory, options);
    if (!report.findings.empty())
      state.SkipWithError(report.findings[0].str("bench.ptx").c_str());
    lanes += double(report.laneInstructions);
  }
  state.counters["lane instructions"] =
      benchmark::Counter(lanes, benchmark::Counter::kIsRate);
}

/// `line` eight times.
std::string repeat(const std::string &line) {
  std::string text;
  for (int i = 0; i < 8; ++i)
    text += line;
  return text;
}

void integerAdd(benchmark::State &state) {
  runLoop(state, repeat("  add.u32 %r3, %r3, %r1;\n"));
}
void floatFma(benchmark::State &state) {
  runLoop(state, repeat("  fma.rn.f32 %f1, %f1, %f2, %f2;\n"));
}
void globalLoad(benchmark::State &state) {
  runLoop(state, repeat("  ld.global.f32 %f3, [%rd5];\n"
                        "  add.rn.f32 %f1, %f1, %f3;\n"));
}
void sharedStoreLoad(benchmark::State &state) {
  runLoop(state, repeat("  st.shared.f32 [%r4], %f1;\n"
                        "  ld.shared.f32 %f3, [%r4];\n"
                        "  add.rn.f32 %f1, %f1, %f3;\n"));
}
void globalStore(benchmark::State &state) {
  runLoop(state, repeat("  st.global.f32 [%rd4], %f1;\n"
                        "  add.rn.f32 %f1, %f1, %f2;\n"));
}
void divergentBranch(benchmark::State &state) {
  runLoop(state, R"(
  and.b32 %r6, %r1, 1;
  setp.eq.u32 %p2, %r6, 0;
  @%p2 bra EVEN;
  add.u32 %r3, %r3, 3;
  bra JOIN;
EVEN:
  add.u32 %r3, %r3, 5;
JOIN:
)");
}

BENCHMARK(integerAdd);
BENCHMARK(floatFma);
BENCHMARK(globalLoad);
BENCHMARK(globalStore);
BENCHMARK(sharedStoreLoad);
BENCHMARK(divergentBranch);

} // namespace

BENCHMARK_MAIN();
