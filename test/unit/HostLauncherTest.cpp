//===- HostLauncherTest.cpp - Declared launches on the host device --------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ExpectError.h"
#include "runtime/Device.h"
#include "runtime/host/Launcher.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace fk;

namespace {

/// Each kernel takes (result, input, workspace, count) and one thread an
/// element of 4 bytes.
constexpr std::string_view text = R"(
.version 8.0
.target sm_90
.address_size 64

.visible .entry increment(.param .u64 result, .param .u64 input,
                          .param .u32 count) {
  .reg .pred %p<2>;
  .reg .b32 %r<6>;
  .reg .b64 %rd<8>;
  ld.param.u64 %rd1, [result];
  ld.param.u64 %rd2, [input];
  ld.param.u32 %r1, [count];
  mov.u32 %r2, %tid.x;
  setp.ge.u32 %p1, %r2, %r1;
  @%p1 ret;
  mul.wide.u32 %rd3, %r2, 4;
  add.s64 %rd4, %rd2, %rd3;
  ld.global.u32 %r3, [%rd4];
  add.s32 %r4, %r3, 1;
  add.s64 %rd5, %rd1, %rd3;
  st.global.u32 [%rd5], %r4;
  ret;
}

.visible .entry first(.param .u64 to) {
  .reg .b32 %r<2>;
  .reg .b64 %rd<2>;
  ld.param.u64 %rd1, [to];
  mov.u32 %r1, 7;
  st.global.u32 [%rd1], %r1;
  ret;
}
)";

std::shared_ptr<const host::Image> makeImage() {
  auto *bytes = reinterpret_cast<const std::byte *>(text.data());
  return std::make_shared<host::Image>(
      std::span<const std::byte>(bytes, text.size()), "ptx", "k.ptx");
}

DeclaredLaunch declare(const std::string &entry,
                       std::vector<std::string> args) {
  DeclaredLaunch launch;
  launch.entry = entry;
  launch.block[0] = 32;
  launch.args = std::move(args);
  return launch;
}

class HostLauncher : public ::testing::Test {
protected:
  void SetUp() override {
    for (int i = 0; i < 8; ++i)
      input[i] = i * 10;
    launch.task = "task";
    launch.place = "model.place";
    launch.results = {{"result", {result, DType::I32, {8}}}};
    launch.operands = {{"input", {input, DType::I32, {8}}}};
    launch.axes = {{"count", 8}};
  }

  std::unique_ptr<host::EmulatedKernel>
  bind(std::vector<DeclaredLaunch> launches, int64_t workspaceBytes = 0) {
    variant.launches = std::move(launches);
    variant.workspaceBytes = workspaceBytes;
    return host::bindVariant(makeImage(), variant, launch, "task:k.ptx");
  }

  /// The lines of what a launch is found to do.
  std::vector<std::string> getFindings(Kernel &kernel) {
    std::unique_ptr<Device> device = createHostDevice();
    std::unique_ptr<Stream> stream = device->createStream();
    try {
      kernel.launch(*stream, workspace);
    } catch (const host::FindingsError &error) {
      EXPECT_EQ(error.getKind(), ErrorKind::Wrong);
      EXPECT_NE(std::string(error.what()).find("task:k.ptx at model.place"),
                std::string::npos)
          << error.what();
      return error.getLines();
    }
    return {};
  }

  alignas(256) int32_t input[8], result[8] = {}, workspace[8] = {};
  BoundLaunch launch;
  CandidateVariant variant;
};

TEST_F(HostLauncher, RunsALaunch) {
  auto kernel = bind({declare("increment", {"result", "input", "count"})});
  EXPECT_TRUE(getFindings(*kernel).empty());
  EXPECT_EQ(result[7], 71);
}

TEST_F(HostLauncher, RunsASequenceOverItsWorkspace) {
  auto kernel = bind({declare("increment", {"workspace", "input", "count"}),
                      declare("increment", {"result", "workspace", "count"})},
                     32);
  EXPECT_EQ(kernel->getWorkspaceBytes(), 32);
  EXPECT_TRUE(getFindings(*kernel).empty());
  EXPECT_EQ(result[7], 72);
}

TEST_F(HostLauncher, AWorkspaceIsUndefined) {
  auto kernel =
      bind({declare("increment", {"result", "workspace", "count"})}, 32);
  const std::vector<std::string> lines = getFindings(*kernel);
  ASSERT_FALSE(lines.empty());
  EXPECT_NE(lines[0].find("workspace"), std::string::npos) << lines[0];
}

TEST_F(HostLauncher, AnOperandMayLieWhereTheResultDoes) {
  launch.results[0].second.data = input;
  auto kernel = bind({declare("increment", {"result", "input", "count"})});
  EXPECT_TRUE(getFindings(*kernel).empty());
  EXPECT_EQ(input[7], 71);
}

TEST_F(HostLauncher, OperandsAreReadOnly) {
  auto kernel = bind({declare("increment", {"result", "input", "count"}),
                      declare("first", {"input"})});
  const std::vector<std::string> lines = getFindings(*kernel);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].find("k.ptx:31:3: "), 0u) << lines[0];
  EXPECT_NE(lines[0].find("input"), std::string::npos) << lines[0];
}

TEST_F(HostLauncher, AStateIsWritten) {
  launch.operands[0].second.isState = true;
  launch.results.clear();
  auto kernel = bind({declare("first", {"input"})});
  EXPECT_TRUE(getFindings(*kernel).empty());
  EXPECT_EQ(input[0], 7);
}

TEST_F(HostLauncher, WhatNobodyWroteIsFound) {
  auto kernel = bind({declare("first", {"result"})});
  const std::vector<std::string> lines = getFindings(*kernel);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("28 of 32 bytes of result are left undefined, the "
                          "first at result + 4"),
            std::string::npos)
      << lines[0];
}

TEST_F(HostLauncher, AnAbsentOperandIsLeftOut) {
  launch.operands.emplace_back("bias", TensorRef());
  auto kernel =
      bind({declare("increment", {"result", "input", "bias", "count"})});
  EXPECT_TRUE(getFindings(*kernel).empty());
}

TEST_F(HostLauncher, ErrorsOfBinding) {
  expectError([&] { bind({declare("missing", {})}); },
              "no kernel 'missing' in the device image: k.ptx");
  expectError([&] { bind({declare("first", {"other"})}); },
              "a launch names an unknown argument: task:k.ptx");
  DeclaredLaunch wide = declare("first", {"result"});
  wide.block[0] = Expr::parse("count * 1000", "test");
  expectError([&] { bind({wide}); },
              "block x of a launch is out of range: task:k.ptx: wanted 1 to "
              "1024, got 8000 for count = 8");
  DeclaredLaunch cluster = declare("first", {"result"});
  cluster.cluster[0] = 2;
  expectError([&] { bind({cluster}); },
              "the grid is not a multiple of the cluster: task:k.ptx");
  // More arguments than the kernel has parameters.
  auto kernel = bind({declare("first", {"result", "count"})});
  EXPECT_THROW(kernel->run(nullptr, {}), Error);
}

TEST(HostImage, MachineCodeNeedsAGpu) {
  expectError([] { host::Image({}, "cubin", "k.cubin"); },
              "a cubin needs device cuda: k.cubin");
}

TEST(HostImage, FilesAreNamedAsTheUserKnowsThem) {
  EXPECT_EQ(host::getImageFile("/a/b.ptx", "candidate.t:b.ptx"), "b.ptx");
  EXPECT_EQ(host::getImageFile("/a/b.cu", "candidate.t:b.cu/FK_HIDDEN=64"),
            "b.cu.FK_HIDDEN=64.ptx");
  EXPECT_EQ(host::getImageFile("/a/m.json", "candidate.t:m.json/two.cu"),
            "two.cu.ptx");
}

} // namespace
