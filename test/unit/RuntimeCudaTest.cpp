//===- RuntimeCudaTest.cpp - The CUDA device on a fake driver -------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// FakeCuda.c stands in for the driver; it is preloaded by its soname, so that
// fk's own dlopen finds it. What a real GPU does is tested in test/gpu.
//
//===----------------------------------------------------------------------===//

#include "RuntimeToy.h"

#include "runtime/cuda/Driver.h"

#include <atomic>
#include <dlfcn.h>
#include <thread>

using namespace fk;
using namespace fk::toy;

namespace {

int (*getLiveObjects)() = nullptr;

/// A provider whose kernels copy on the stream, so that graphs can hold them.
class CopyProvider : public Provider {
public:
  explicit CopyProvider(int64_t &workspace) : workspace(workspace) {}
  std::string_view getName() const override { return "copy"; }
  std::unique_ptr<Kernel> bind(std::string_view,
                               const BoundLaunch &launch) override {
    return std::make_unique<CopyKernel>(launch, workspace);
  }

private:
  /// result = x, by way of the workspace.
  class CopyKernel : public Kernel {
  public:
    CopyKernel(const BoundLaunch &launch, int64_t workspace)
        : bound(launch), workspace(workspace) {}
    int64_t getWorkspaceBytes() const override { return workspace; }
    void launch(Stream &stream, void *scratch) override {
      const TensorRef &x = bound.operand("x");
      auto bytes = static_cast<size_t>(x.getSizeInBytes());
      stream.copyOnDevice(scratch, x.data, bytes);
      stream.copyOnDevice(bound.result("result").data, scratch, bytes);
      ++launches;
    }
    static inline std::atomic<int> launches = 0;

  private:
    const BoundLaunch &bound;
    int64_t workspace;
  };
  int64_t &workspace;

public:
  static std::atomic<int> &launches() { return CopyKernel::launches; }
};

/// forward(x: f32[tokens]) -> y = x.
std::shared_ptr<const Plan> makeCopyPlan() {
  using Kind = PlanValue::Kind;
  Plan plan;
  plan.device = "cuda";
  plan.arch = "sm_90a";
  plan.symbols = {"tokens", "seqs"};
  PlanFunction forward;
  forward.name = "forward";
  forward.isPublic = true;
  forward.values = {
      value(Kind::Param, "x", DType::F32, dims({"tokens"}),
            role("packed", "x")),
      value(Kind::Result, "y", DType::F32, dims({"tokens"}), role("rows"))};
  forward.params = {0};
  forward.results = {1};
  forward.steps = {launch("copy", "copy", {{"result", 1}}, {{"x", 0}},
                          {{"tokens", expr("tokens")}},
                          {{"copy", "copy", Expr()}})};
  plan.functions = {forward};
  return std::make_shared<const Plan>(plan);
}

} // namespace

TEST(FakeCudaTest, DeviceSaysWhatItIs) {
  auto device = createDevice("cuda:0");
  EXPECT_EQ(device->getKind(), "cuda");
  EXPECT_EQ(device->getArch(), "sm_90a");
  EXPECT_EQ(device->getDescription().substr(0, 9), "Fake H100");
  EXPECT_EQ(device->getL2Bytes(), 50 << 20);
  expectError([] { createDevice("cuda:1"); },
              {"no such GPU", "cuda:1", "below 1", "1 visible"});
}

TEST(FakeCudaTest, EverythingIsGivenBack) {
  int before = getLiveObjects();
  {
    auto device = createCudaDevice();
    auto stream = device->createStream();
    DeviceBuffer buffer(*device, 100);
    void *pinned = device->allocatePinned(100);
    auto event = stream->record();
    auto graph = stream->capture(
        [&] { stream->copyToDevice(buffer.data(), pinned, 100); });
    EXPECT_EQ(device->getBytesInUse(), 100u);
    EXPECT_GT(getLiveObjects(), before);
    device->freePinned(pinned);
  }
  EXPECT_EQ(getLiveObjects(), before);
}

TEST(FakeCudaTest, OutOfMemoryNamesTheSizes) {
  auto device = createCudaDevice();
  expectError(
      [&] { DeviceBuffer(*device, size_t(2) << 30); },
      {"out of GPU memory", "2147483648 bytes", "1073741824 bytes free"});
  EXPECT_EQ(device->getBytesInUse(), 0u);
}

TEST(FakeCudaTest, FailedCallsAreNamed) {
  auto device = createCudaDevice();
  const cuda::Driver &driver = cuda::getDriver();
  cuda::Module module = nullptr;
  expectError(
      [&] {
        FK_CUDA(driver, cuModuleLoadDataEx(&module, "", 0, nullptr, nullptr));
      },
      {"cuModuleLoadDataEx(&module,", "CUDA_ERROR_INVALID_VALUE",
       "invalid argument"});
}

TEST(FakeCudaTest, CaptureThatFailsLeavesTheStreamUsable) {
  int before = getLiveObjects();
  {
    auto device = createCudaDevice();
    auto stream = device->createStream();
    EXPECT_THROW(stream->capture([] { throw std::runtime_error("no"); }),
                 std::runtime_error);
    stream->synchronize();
  }
  EXPECT_EQ(getLiveObjects(), before);
}

TEST(FakeCudaTest, GraphsReplayAndSurviveALargerWorkspace) {
  int64_t workspace = 64;
  Session session(makeCopyPlan(), createCudaDevice(),
                  {/*maxTokens=*/8, /*maxSeqs=*/1, 0, 0});
  session.addProvider(std::make_unique<CopyProvider>(workspace));
  std::atomic<int> &launches = CopyProvider::launches();
  launches = 0;
  auto run = [&](std::vector<float> x) {
    auto tokens = static_cast<int64_t>(x.size());
    session.run("forward", {{"tokens", tokens}, {"seqs", 1}},
                {{"x", tensor<float>(DType::F32, {tokens}, x)}},
                /*useGraph=*/true);
    EXPECT_EQ(floats(session.getResult("y")), x);
  };
  run({1, 2});
  EXPECT_EQ(launches, 2); // once to run, once to capture
  run({3, 4});
  run({5, 6});
  EXPECT_EQ(launches, 2);
  workspace = 1 << 20;
  run({7, 8, 9}); // another shape, with more workspace
  EXPECT_EQ(launches, 4);
  run({1, 2}); // its graph held the old workspace
  EXPECT_EQ(launches, 6);
  run({3, 4});
  EXPECT_EQ(launches, 6);
  EXPECT_EQ(session.getMemory().workspace, size_t(1) << 20);
}

TEST(FakeCudaTest, WeightsGoThroughPinnedMemory) {
  int before = getLiveObjects();
  {
    TempFolder folder;
    std::vector<uint16_t> w(size_t(9) << 20);
    for (size_t i = 0; i < w.size(); ++i)
      w[i] = static_cast<uint16_t>(0x3f80 + i % 64);
    auto rows = static_cast<int64_t>(w.size());
    writeSafetensors(folder.path / "model.safetensors",
                     {{"w", DType::BF16, {rows}, std::as_bytes(std::span(w))}});
    auto plan = std::make_shared<Plan>(*makeCopyPlan());
    plan->weights = {{"w", DType::BF16, {Expr(rows)}, {{"w"}}, {}}};
    PlanFunction &forward = plan->functions[0];
    forward.values[0] =
        value(PlanValue::Kind::Weight, "w", DType::BF16, {Expr(rows)});
    forward.values[1].dtype = DType::BF16;
    forward.values[1].shape = {Expr(rows)};
    forward.params = {};
    int64_t workspace = 2 * rows;
    auto device = std::shared_ptr<Device>(createCudaDevice());
    Session session(plan, device, {1, 1, 0, 0});
    session.addProvider(std::make_unique<CopyProvider>(workspace));
    size_t done = 0;
    session.loadWeights(Checkpoint::open(folder.path),
                        [&](size_t bytes, size_t) { done = bytes; });
    EXPECT_EQ(done, 2 * w.size());
    session.run("forward", {{"tokens", 1}, {"seqs", 1}}, {});
    HostTensor y = session.getResult("y");
    EXPECT_EQ(std::memcmp(y.bytes.data(), w.data(), y.bytes.size()), 0);
  }
  EXPECT_EQ(getLiveObjects(), before);
}

TEST(FakeCudaTest, TwoSessionsOnOneGpu) {
  auto loop = [](float first, int *wrong) {
    int64_t workspace = 64;
    Session session(makeCopyPlan(), createCudaDevice(), {8, 1, 0, 0});
    session.addProvider(std::make_unique<CopyProvider>(workspace));
    for (int64_t round = 0; round < 100; ++round) {
      std::vector<float> x(static_cast<size_t>(1 + round % 8), first);
      auto tokens = static_cast<int64_t>(x.size());
      session.run("forward", {{"tokens", tokens}, {"seqs", 1}},
                  {{"x", tensor<float>(DType::F32, {tokens}, x)}});
      *wrong += floats(session.getResult("y")) != x;
    }
  };
  int wrong[2] = {0, 0};
  std::thread a(loop, 1.0f, &wrong[0]), b(loop, 2.0f, &wrong[1]);
  a.join();
  b.join();
  EXPECT_EQ(wrong[0] + wrong[1], 0);
}

int main(int argc, char **argv) {
  // By its soname the loader then knows it as libcuda.so.1.
  void *fake = dlopen(FK_FAKE_CUDA, RTLD_NOW | RTLD_GLOBAL);
  if (fake)
    getLiveObjects =
        reinterpret_cast<int (*)()>(dlsym(fake, "fakeCudaLiveObjects"));
  testing::InitGoogleTest(&argc, argv);
  if (!getLiveObjects) {
    std::fprintf(stderr, "error: no fake driver: %s\n", dlerror());
    return 3;
  }
  return RUN_ALL_TESTS();
}
