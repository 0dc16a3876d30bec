//===- EmulatorAsyncFixture.h - Bodies of asynchronous kernels -*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TEST_UNIT_EMULATORASYNCFIXTURE_H
#define FK_TEST_UNIT_EMULATORASYNCFIXTURE_H

#include "test/unit/EmulatorFixture.h"

#include <numeric>

namespace fk::test {

/// A kernel f(u32 *out, const u32 *in, parameters). The thread's number is in
/// %r1; out + 4 * it in %rd2, in + 4 * it in %rd4 (the arrays in %rd1 and
/// %rd3); shared memory has `data` (its address in %r2, + 4 * the thread in
/// %r3) and `bars`.
inline std::string makeAsyncKernel(const std::string &body,
                                   const std::string &parameters = "") {
  return getPtxHeader() + ".visible .entry f(.param .u64 out, .param .u64 in" +
         parameters + R"()
{
  .reg .pred %p<10>, p, q;
  .reg .b16 %h<10>;
  .reg .b32 %r<80>;
  .reg .f32 %f<40>;
  .reg .f64 %fd<20>;
  .reg .b64 %rd<20>;
  .shared .align 1024 .b8 data[8192];
  .shared .align 8 .b64 bars[4];
  ld.param.u64 %rd1, [out];
  cvta.to.global.u64 %rd1, %rd1;
  ld.param.u64 %rd3, [in];
  cvta.to.global.u64 %rd3, %rd3;
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd5, %r1, 4;
  add.u64 %rd2, %rd1, %rd5;
  add.u64 %rd4, %rd3, %rd5;
  mov.u32 %r2, data;
  shl.b32 %r3, %r1, 2;
  add.u32 %r3, %r2, %r3;
)" + body +
         "\n  ret;\n}\n";
}

inline std::vector<uint32_t> makeIota(size_t n) {
  std::vector<uint32_t> values(n);
  std::iota(values.begin(), values.end(), 1u);
  return values;
}

struct AsyncLaunch {
  uint32_t threads = 32, blocks = 1;
  bool isCluster = false;
  emulator::Options options = {};
  size_t outBytes = 0; ///< 0: a word a thread
  std::vector<uint32_t> in = makeIota(512);
};

/// Runs `body` with `in` as its input.
inline EmulatorRun runAsync(const std::string &body, AsyncLaunch launch) {
  EmulatorRun run(makeAsyncKernel(body));
  run.addOutput("out", launch.outBytes
                           ? launch.outBytes
                           : size_t(launch.threads) * launch.blocks * 4);
  run.addInput("in", launch.in);
  run.launch("f", {launch.blocks, 1, 1}, {launch.threads, 1, 1}, launch.options,
             0, {launch.isCluster ? launch.blocks : 1, 1, 1});
  return run;
}

inline void expectFinding(const EmulatorRun &run, emulator::FindingKind kind,
                          const std::string &text) {
  for (const emulator::Finding &finding : run.getReport().findings)
    if (finding.kind == kind && finding.text.find(text) != std::string::npos)
      return;
  ADD_FAILURE() << "no " << getName(kind) << " with '" << text << "' among:\n"
                << run.getFindings();
}

/// The first error of a kernel with `instruction`.
inline std::string getLoadError(const std::string &instruction) {
  try {
    emulator::Module::load(makeAsyncKernel(instruction), "test.ptx");
  } catch (const ptx::PtxError &error) {
    return error.getLines().at(0);
  }
  return "";
}

} // namespace fk::test

#define EXPECT_CLEAN(run) EXPECT_EQ((run).getFindings(), "")

#endif // FK_TEST_UNIT_EMULATORASYNCFIXTURE_H
