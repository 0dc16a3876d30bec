//===- RuntimeTest.cpp - Sessions, programs, devices ----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "RuntimeToy.h"

#include "runtime/cuda/Driver.h"

#include <thread>

using namespace fk;
using namespace fk::toy;

namespace {

HostTensor int32s(const std::vector<int32_t> &values) {
  return tensor<int32_t>(DType::I32, {static_cast<int64_t>(values.size())},
                         values);
}

std::map<std::string, HostTensor> makeInputs(const std::vector<int32_t> &ids) {
  std::vector<int32_t> positions;
  for (size_t i = 0; i < ids.size(); ++i)
    positions.push_back(static_cast<int32_t>(i));
  return {{"input_ids", int32s(ids)},
          {"positions", int32s(positions)},
          {"cu_seqlens", int32s({0, static_cast<int32_t>(ids.size())})}};
}

AxisValues one(int64_t tokens) { return {{"tokens", tokens}, {"seqs", 1}}; }

struct RuntimeTest : testing::Test {
  TempFolder folder;
  Checkpoint checkpoint = makeCheckpoint(folder);
  SessionLimits limits{/*maxTokens=*/8, /*maxSeqs=*/3, /*maxPositions=*/16,
                       /*pages=*/4};
};

using SessionTest = RuntimeTest;

} // namespace

TEST_F(SessionTest, RunsCallsInOrder) {
  auto session = makeSession(makePlan(), limits, checkpoint);
  session->run("forward", one(3), makeInputs({5, 0, 31}));
  std::vector<float> wanted;
  for (auto [id, position] : {std::pair(5, 0), {0, 1}, {31, 2}})
    for (float value : expectHidden(id, position))
      wanted.push_back(value);
  HostTensor hidden = session->getResult("hidden");
  EXPECT_EQ(hidden.shape, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(floats(hidden), wanted);
  EXPECT_EQ(floats(session->getResult("last")), expectHidden(31, 2));
}

TEST_F(SessionTest, NamesPlacesThroughCalls) {
  auto session = makeSession(makePlan(), limits, checkpoint);
  session->run("forward", one(1), makeInputs({1}));
  std::vector<std::string> places;
  for (const LaunchRecord &record : session->getLaunches())
    places.push_back(record.place);
  EXPECT_EQ(places,
            (std::vector<std::string>{"embed", "layers.0.add", "layers.0.scale",
                                      "layers.1.add", "layers.1.scale",
                                      "positions", "last"}));
}

TEST_F(SessionTest, ShapesComeAndGo) {
  auto session = makeSession(makePlan(), limits, checkpoint);
  for (int round = 0; round < 3; ++round)
    for (int32_t tokens = 1; tokens <= 8; ++tokens) {
      std::vector<int32_t> ids(static_cast<size_t>(tokens), 7);
      session->run("forward", one(tokens), makeInputs(ids));
      EXPECT_EQ(floats(session->getResult("last")),
                expectHidden(7, tokens - 1));
    }
}

TEST_F(SessionTest, MoreShapesThanProgramsKept) {
  limits.maxTokens = 100;
  limits.maxPositions = 100;
  auto session = makeSession(makePlan(), limits, checkpoint);
  for (int32_t tokens = 1; tokens <= 100; ++tokens) {
    session->run("forward", one(tokens),
                 makeInputs(std::vector<int32_t>(size_t(tokens), 3)));
    EXPECT_EQ(floats(session->getResult("last")), expectHidden(3, tokens - 1));
  }
}

TEST_F(SessionTest, WorkspaceIsApartFromTheArena) {
  auto session =
      makeSession(makePlan(), limits, checkpoint, /*workspace=*/4096);
  session->run("forward", one(2), makeInputs({5, 6}));
  EXPECT_EQ(floats(session->getResult("last")), expectHidden(6, 1));
  EXPECT_EQ(session->getMemory().workspace, 4096u);
}

TEST_F(SessionTest, MemoryAddsUp) {
  auto session = makeSession(makePlan(), limits, checkpoint);
  MemoryReport before = session->getMemory();
  EXPECT_EQ(before.weights, 512u); // 256 + 8, each aligned
  EXPECT_EQ(before.states, 2u * 4 * 4 * 4);
  EXPECT_EQ(before.arena, 0u);
  session->run("forward", one(1), makeInputs({1}));
  MemoryReport after = session->getMemory();
  EXPECT_EQ(after.arena, 3u * 256); // two slots and the callee's behind them
  EXPECT_EQ(after.total(), session->getDevice().getBytesInUse() -
                               /*staged inputs=*/3 * 256);
}

TEST_F(SessionTest, ObserverSeesEveryLaunchTwice) {
  auto session = makeSession(makePlan(), limits, checkpoint);
  std::vector<std::string> seen;
  session->setObserver([&](const BoundLaunch &launch, bool after) {
    seen.push_back(launch.place + (after ? " after" : " before"));
    if (launch.place == "last" && after) {
      EXPECT_EQ(*static_cast<const float *>(launch.result("result").data),
                expectHidden(4, 0)[0]);
    }
  });
  session->run("forward", one(1), makeInputs({4}), /*useGraph=*/true);
  ASSERT_EQ(seen.size(), 14u);
  EXPECT_EQ(seen.front(), "embed before");
  EXPECT_EQ(seen.back(), "last after");
}

TEST_F(SessionTest, ProfilesEveryLaunch) {
  auto session = makeSession(makePlan(), limits, checkpoint);
  auto records = session->profile("forward", one(1), makeInputs({4}));
  ASSERT_EQ(records.size(), 7u);
  EXPECT_EQ(records[1].task, "add_row");
  for (const LaunchRecord &record : records)
    EXPECT_GE(record.milliseconds, 0);
  EXPECT_EQ(floats(session->getResult("last")), expectHidden(4, 0));
}

TEST_F(SessionTest, TakesTheFirstKernelThatHolds) {
  Plan plan = makePlan();
  auto &launch = std::get<Launch>(plan.functions[1].steps[0].action);
  launch.kernels = {
      {"toy", "embedding", Expr::parseCondition("tokens > 2", "toy")},
      {"other", "embedding", Expr()}};
  auto session = makeSession(plan, limits, checkpoint);
  session->addProvider(std::make_unique<ToyProvider>("other"));
  session->run("forward", one(3), makeInputs({1, 2, 3}));
  EXPECT_EQ(session->getLaunches()[0].provider, "toy");
  session->run("forward", one(2), makeInputs({1, 2}));
  EXPECT_EQ(session->getLaunches()[0].provider, "other");
}

TEST_F(SessionTest, ReportsShapesACandidateDoesNotServe) {
  Plan plan = makePlan();
  PlanCandidate candidate;
  candidate.name = "embedding:mine.ptx";
  candidate.task = "embedding";
  CandidateVariant variant;
  variant.where = Expr::parseCondition("tokens % 2 == 0", "mine.ptx");
  candidate.variants = {variant};
  plan.candidates = {candidate};
  auto &launch = std::get<Launch>(plan.functions[1].steps[0].action);
  launch.kernels.insert(launch.kernels.begin(),
                        {"candidate", candidate.name, Expr()});
  auto session = makeSession(plan, limits, checkpoint);
  session->run("forward", one(3), makeInputs({1, 2, 3}));
  EXPECT_EQ(session->getLaunches()[0].provider, "toy");
  EXPECT_EQ(session->getLaunches()[0].uncovered, "embedding:mine.ptx");
}

TEST_F(SessionTest, NoKernelServes) {
  Plan plan = makePlan();
  auto &launch = std::get<Launch>(plan.functions[1].steps[0].action);
  launch.kernels = {
      {"toy", "embedding", Expr::parseCondition("tokens > 2", "toy")}};
  auto session = makeSession(plan, limits, checkpoint);
  expectError([&] { session->run("forward", one(1), makeInputs({1})); },
              {"no kernel serves task 'embedding'", "embed", "tokens > 2",
               "tokens = 1"});
}

TEST_F(SessionTest, MissingProvider) {
  Plan plan = makePlan();
  auto &launch = std::get<Launch>(plan.functions[1].steps[0].action);
  launch.kernels = {{"vaporware", "embedding", Expr()}};
  auto session = makeSession(plan, limits, checkpoint);
  expectError([&] { session->run("forward", one(1), makeInputs({1})); },
              {"lacks a provider", "vaporware"});
}

TEST_F(SessionTest, WrongDevice) {
  Plan plan = makePlan();
  plan.device = "cuda";
  expectError([&] { makeSession(plan, limits, checkpoint); },
              {"another device", "cuda", "host"});
}

TEST_F(SessionTest, ImpossibleLimits) {
  limits.maxTokens = 0;
  expectError([&] { makeSession(makePlan(), limits, checkpoint); },
              {"maxTokens", "got 0"});
  limits.maxTokens = 8;
  limits.pages = int64_t(1) << 30;
  expectError([&] { makeSession(makePlan(), limits, checkpoint); },
              {"pages * page size"});
}

TEST_F(SessionTest, WeightsNotLoaded) {
  Session session(std::make_shared<const Plan>(makePlan()), createHostDevice(),
                  limits);
  expectError([&] { session.run("forward", one(1), makeInputs({1})); },
              {"no weights yet"});
}

TEST_F(SessionTest, BadCalls) {
  auto session = makeSession(makePlan(), limits, checkpoint);
  auto inputs = makeInputs({1, 2});
  expectError([&] { session->run("backward", one(2), inputs); },
              {"no such function", "forward, step", "'backward'"});
  expectError([&] { session->run("layer", one(2), inputs); },
              {"no such function"});
  expectError([&] { session->run("forward", one(9), inputs); },
              {"'tokens' is out of range", "1 to 8", "got 9"});
  expectError([&] { session->run("forward", {{"tokens", 2}}, inputs); },
              {"a symbol is missing", "'seqs'"});
  expectError(
      [&] {
        session->run("forward", {{"tokens", 2}, {"seqs", 1}, {"rows", 2}},
                     inputs);
      },
      {"unknown symbol", "'rows'"});
  expectError(
      [&] {
        session->run("forward", {{"tokens", 2}, {"seqs", 1}, {"pages", 3}},
                     inputs);
      },
      {"'pages' is out of range", "wanted 4", "got 3"});
  expectError([&] { session->getResult("hidden"); }, {"a run that succeeded"});
  session->run("forward", one(2), inputs);
  expectError([&] { session->getResult("hiddens"); },
              {"unknown result", "hidden, last"});
}

TEST_F(SessionTest, BadInputs) {
  auto session = makeSession(makePlan(), limits, checkpoint);
  auto run = [&](const std::map<std::string, HostTensor> &inputs) {
    session->run("forward", one(2), inputs);
  };
  auto inputs = makeInputs({1, 2});
  inputs.erase("positions");
  expectError([&] { run(inputs); }, {"an input is missing", "'positions'"});
  inputs = makeInputs({1, 2});
  inputs["mask"] = int32s({1, 1});
  expectError([&] { run(inputs); }, {"an unknown input", "'mask'"});
  inputs = makeInputs({1, 2, 3});
  expectError([&] { run(inputs); },
              {"'input_ids' does not fit", "i32 [2]", "i32 [3]"});
  inputs = makeInputs({1, 2});
  inputs["input_ids"] = ints({2}, {1, 2});
  expectError([&] { run(inputs); }, {"'input_ids' does not fit", "got i64"});
  inputs = makeInputs({1, 32});
  expectError([&] { run(inputs); }, {"'input_ids' is out of range", "element 1",
                                     "0 to 31", "got 32"});
  inputs = makeInputs({1, 2});
  inputs["positions"] = int32s({0, 16});
  expectError([&] { run(inputs); }, {"'positions' is out of range", "0 to 15"});
  inputs = makeInputs({1, 2});
  inputs["cu_seqlens"] = int32s({0, 3});
  expectError([&] { run(inputs); }, {"'cu_seqlens' does not cut the tokens"});
  inputs = makeInputs({1, 2});
  inputs["input_ids"].bytes.resize(4);
  expectError([&] { run(inputs); }, {"'input_ids' lacks data", "8 bytes"});
}

TEST_F(SessionTest, StepNeedsPages) {
  limits.pages = 0;
  auto session = makeSession(makePlan(), limits, checkpoint);
  // Without a cache the forward runs all the same.
  session->run("forward", one(1), makeInputs({1}));
  std::map<std::string, HostTensor> inputs = makeInputs({1});
  inputs["seq_lens"] = int32s({1});
  inputs["slots"] = int32s({0});
  inputs["block_table"] = tensor<int32_t>(DType::I32, {1, 4}, {0, 0, 0, 0});
  inputs["seed"] = ints({1}, {0});
  inputs["position"] = int32s({1});
  expectError([&] { session->run("step", one(1), inputs); }, {"no pages"});
}

TEST_F(SessionTest, CallsInACircle) {
  Plan plan = makePlan();
  plan.functions[0].steps.push_back({"again", Call{"layer", {0, 1}, {3}}});
  auto session = makeSession(plan, limits, checkpoint);
  expectError([&] { session->run("forward", one(1), makeInputs({1})); },
              {"call in a circle"});
}

TEST_F(SessionTest, TwoAtOnce) {
  auto loop = [&](int32_t id, int *wrong) {
    auto session = makeSession(makePlan(), limits, checkpoint);
    for (int round = 0; round < 200; ++round) {
      int32_t tokens = 1 + round % 8;
      session->run("forward", one(tokens),
                   makeInputs(std::vector<int32_t>(size_t(tokens), id)));
      *wrong +=
          floats(session->getResult("last")) != expectHidden(id, tokens - 1);
    }
  };
  int wrong[2] = {0, 0};
  std::thread first(loop, 3, &wrong[0]), second(loop, 30, &wrong[1]);
  first.join();
  second.join();
  EXPECT_EQ(wrong[0], 0);
  EXPECT_EQ(wrong[1], 0);
}

TEST(DeviceTest, HostAccounting) {
  auto device = createHostDevice();
  {
    DeviceBuffer a(*device, 1000), b(*device, 24);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data()) % 256, 0u);
    EXPECT_EQ(device->getBytesInUse(), 1024u);
    DeviceBuffer c = std::move(a);
    a = DeviceBuffer();
    EXPECT_EQ(device->getBytesInUse(), 1024u);
    b = std::move(c);
    EXPECT_EQ(device->getBytesInUse(), 1000u);
  }
  EXPECT_EQ(device->getBytesInUse(), 0u);
  EXPECT_EQ(device->getPeakBytes(), 1024u);
  device->resetPeak();
  EXPECT_EQ(device->getPeakBytes(), 0u);
}

TEST(DeviceTest, HostOutOfMemory) {
  auto device = createHostDevice();
  expectError([&] { device->allocate(SIZE_MAX - 1); }, {"out of memory"});
  EXPECT_EQ(device->getBytesInUse(), 0u);
}

TEST(DeviceTest, UnknownNames) {
  for (const char *name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x"})
    expectError([&] { createDevice(name); }, {"unknown device"});
}

TEST(DeviceTest, DriverTypesHaveTheDriversSizes) {
  // Of cuda.h, on every 64-bit platform.
  EXPECT_EQ(sizeof(cuda::LaunchAttribute), 72u);
  EXPECT_EQ(offsetof(cuda::LaunchAttribute, value), 8u);
  EXPECT_EQ(sizeof(cuda::LaunchConfig), 56u);
  EXPECT_EQ(offsetof(cuda::LaunchConfig, stream), 32u);
  EXPECT_EQ(offsetof(cuda::LaunchConfig, numAttributes), 48u);
  EXPECT_EQ(sizeof(cuda::TensorMap), 128u);
}

TEST(DeviceTest, CudaWithoutADriverSaysSo) {
  try {
    createCudaDevice();
  } catch (const Error &error) {
    EXPECT_EQ(error.getKind(), ErrorKind::Infrastructure);
    EXPECT_NE(std::string(error.what()).find("CUDA"), std::string::npos)
        << error.what();
  }
}
