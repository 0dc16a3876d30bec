//===- RuntimeBatchTest.cpp - Packing, generation, pages ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "RuntimeToy.h"

#include "runtime/Batch.h"

#include <numeric>
#include <set>

using namespace fk;
using namespace fk::toy;

namespace {

struct BatchTest : testing::Test {
  TempFolder folder;
  Checkpoint checkpoint = makeCheckpoint(folder);
  Plan plan = makePlan();

  NamedTensors forward(const NamedTensors &inputs) {
    auto session = makeSession(plan, limitsFor(plan, inputs), checkpoint);
    return runForward(*session, inputs);
  }

  void expectForwardError(const NamedTensors &inputs,
                          std::initializer_list<const char *> parts) {
    expectError([&] { forward(inputs); }, parts);
  }
};

using GenerateTest = BatchTest;

/// What the toy's step answers.
std::vector<int32_t> continueToy(const std::vector<int32_t> &prompt,
                                 int64_t count) {
  int64_t sum = std::accumulate(prompt.begin(), prompt.end(), int64_t(0));
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<int32_t>(sum % 32));
    sum += tokens.back();
    if (tokens.back() == 2)
      break;
  }
  return tokens;
}

} // namespace

TEST_F(BatchTest, PacksAndPadsBack) {
  NamedTensors outputs =
      forward({{"input_ids", ints({3, 3}, {5, 6, 7, 8, 0, 0, 9, 10, 0})},
               {"attention_mask", ints({3, 3}, {1, 1, 1, 1, 0, 0, 1, 1, 0})}});
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(outputs[0].first, "hidden");
  EXPECT_EQ(outputs[0].second.shape, (std::vector<int64_t>{3, 3, 2}));
  std::vector<float> wanted;
  for (auto [id, position] : {std::pair(5, 0),
                              {6, 1},
                              {7, 2},
                              {8, 0},
                              {-1, 0},
                              {-1, 0},
                              {9, 0},
                              {10, 1},
                              {-1, 0}})
    for (float value :
         id < 0 ? std::vector<float>{0, 0} : expectHidden(id, position))
      wanted.push_back(value);
  EXPECT_EQ(floats(outputs[0].second), wanted);
  EXPECT_EQ(outputs[1].second.shape, (std::vector<int64_t>{3, 2}));
  auto last = floats(outputs[1].second);
  EXPECT_EQ(std::vector<float>(last.begin() + 2, last.begin() + 4),
            expectHidden(8, 0));
}

TEST_F(BatchTest, LeftPaddingKeepsTheColumnAsPosition) {
  NamedTensors outputs = forward(
      {{"attention_mask", tensor<int32_t>(DType::I32, {1, 3}, {0, 1, 1})},
       {"input_ids", tensor<int32_t>(DType::I32, {1, 3}, {0, 4, 5})}});
  std::vector<float> wanted = {0, 0};
  for (int i : {1, 2})
    for (float value : expectHidden(3 + i, i))
      wanted.push_back(value);
  EXPECT_EQ(floats(outputs[0].second), wanted);
}

TEST_F(BatchTest, GivenPositionsWin) {
  NamedTensors outputs = forward({{"input_ids", ints({2, 1}, {4, 5})},
                                  {"position_ids", ints({1, 1}, {9})}});
  auto hidden = floats(outputs[0].second);
  EXPECT_EQ(std::vector<float>(hidden.begin(), hidden.begin() + 2),
            expectHidden(4, 9));
  EXPECT_EQ(std::vector<float>(hidden.begin() + 2, hidden.end()),
            expectHidden(5, 9));
}

TEST_F(BatchTest, PositionsByPaddingIds) {
  Role &role = plan.functions[1].values[1].role;
  role.rule = "non_padding";
  role.paddingIdx = 1;
  NamedTensors outputs = forward(
      {{"input_ids", ints({1, 4}, {7, 1, 8, 1})}}); // 1 is padding, unmasked
  auto hidden = floats(outputs[0].second);
  std::vector<float> wanted;
  for (auto [id, position] : {std::pair(7, 2), {1, 1}, {8, 3}, {1, 1}})
    for (float value : expectHidden(id, position))
      wanted.push_back(value);
  EXPECT_EQ(hidden, wanted);
}

TEST_F(BatchTest, DefaultWhereNoneIsGiven) {
  plan.functions[1].values[0].role = role("packed", "type_ids");
  plan.functions[1].values[0].role.defaultValue = 3;
  NamedTensors outputs = forward({{"attention_mask", ints({1, 2}, {1, 1})}});
  EXPECT_EQ(floats(outputs[1].second), expectHidden(3, 1));
}

TEST_F(BatchTest, LimitsFit) {
  SessionLimits limits = limitsFor(
      plan, NamedTensors{{"input_ids", ints({2, 3}, {5, 6, 7, 8, 0, 0})},
                         {"attention_mask", ints({2, 3}, {1, 1, 1, 1, 0, 0})}});
  EXPECT_EQ(limits.maxTokens, 4);
  EXPECT_EQ(limits.maxSeqs, 2);
  EXPECT_EQ(limits.maxPositions, 3);
  EXPECT_EQ(limits.pages, 0);
}

TEST_F(BatchTest, BadMasks) {
  HostTensor ids = ints({2, 3}, {1, 2, 3, 4, 5, 6});
  auto mask = [&](std::vector<int64_t> values) -> NamedTensors {
    return {{"input_ids", ids}, {"attention_mask", ints({2, 3}, values)}};
  };
  expectForwardError(mask({1, 1, 1, 1, 0, 1}),
                     {"has a hole", "row 1", "column 2"});
  expectForwardError(mask({1, 1, 1, 0, 0, 0}), {"hides everything", "row 1"});
  expectForwardError(mask({1, 1, 2, 1, 1, 1}),
                     {"more than 0 and 1", "row 0, column 2", "got 2"});
  expectForwardError(
      {{"input_ids", ids}, {"attention_mask", ints({2, 2}, {1, 1, 1, 1})}},
      {"wrong shape", "[2, 3]", "[2, 2]"});
  expectForwardError({{"input_ids", ids},
                      {"attention_mask", tensor<float>(DType::F32, {2, 3},
                                                       {1, 1, 0.5f, 1, 1, 1})}},
                     {"row 0, column 2", "no integer"});
}

TEST_F(BatchTest, BadInputs) {
  expectForwardError({}, {"no inputs", "input_ids"});
  expectForwardError({{"pixel_values", ints({1, 1}, {1})}},
                     {"an unknown input",
                      "input_ids, position_ids, attention_mask",
                      "'pixel_values'"});
  expectForwardError({{"attention_mask", ints({1, 1}, {1})}},
                     {"an input is missing", "'input_ids'"});
  expectForwardError({{"position_ids", ints({1, 1}, {1})}},
                     {"positions alone"});
  expectForwardError({{"input_ids", ints({3}, {1, 2, 3})}},
                     {"wrong rank", "[3]"});
  expectForwardError({{"input_ids", ints({0, 3}, {})}}, {"is empty", "[0, 3]"});
  expectForwardError(
      {{"input_ids", ints({1, 2}, {1, 32})}},
      {"'input_ids' is out of range", "row 0, column 1", "0 to 31", "got 32"});
  expectForwardError({{"input_ids", ints({1, 2}, {1, -1})}}, {"got -1"});
  expectForwardError({{"input_ids", ints({1, 2}, {1, int64_t(1) << 40})}},
                     {"got 1099511627776"});
  expectForwardError({{"input_ids", ints({1, 2}, {1, 2})},
                      {"position_ids", ints({1, 2}, {0, -5})}},
                     {"'position_ids' is out of range", "got -5"});
  expectForwardError({{"input_ids", tensor<double>(DType::F64, {1, 1}, {1})}},
                     {"wrong element type", "f64"});
  expectForwardError(
      {{"input_ids", ints({1, 1}, {1})}, {"input_ids", ints({1, 1}, {1})}},
      {"given twice"});
}

TEST_F(BatchTest, MaskedIdsAreNotLookedAt) {
  // Some tokenizers pad with an id outside the vocabulary.
  NamedTensors outputs = forward({{"input_ids", ints({1, 2}, {1, -100})},
                                  {"attention_mask", ints({1, 2}, {1, 0})}});
  EXPECT_EQ(floats(outputs[1].second), expectHidden(1, 0));
}

TEST_F(GenerateTest, ContinuesPromptsOfUnequalLength) {
  GenerateRequest request;
  request.prompts = {{1, 4, 3}, {5}, {9, 9, 9, 9, 9, 9, 9}};
  request.maxNewTokens = 10;
  auto session = makeSession(plan, limitsFor(plan, request), checkpoint);
  GenerateResult result = generate(*session, request);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(result.tokens[i], continueToy(request.prompts[i], 10)) << i;
  EXPECT_EQ(result.decodeMilliseconds.size(), 9u);
}

TEST_F(GenerateTest, StopsAtTheEndOfSequence) {
  GenerateRequest request;
  request.prompts = {{1}, {3, 31}, {5}}; // the second answers 2 at once
  request.maxNewTokens = 6;
  std::vector<std::pair<size_t, int32_t>> streamed;
  request.onToken = [&](size_t prompt, int32_t token) {
    streamed.emplace_back(prompt, token);
  };
  auto session = makeSession(plan, limitsFor(plan, request), checkpoint);
  GenerateResult result = generate(*session, request);
  EXPECT_EQ(result.tokens[1], (std::vector<int32_t>{2}));
  EXPECT_EQ(result.stopReasons[1], StopReason::EndOfSequence);
  EXPECT_EQ(result.tokens[0], continueToy({1}, 6)); // 1, 2
  EXPECT_EQ(result.tokens[2], continueToy({5}, 6));
  EXPECT_EQ(result.stopReasons[2], StopReason::Length);
  std::vector<std::vector<int32_t>> byPrompt(3);
  for (auto [prompt, token] : streamed)
    byPrompt[prompt].push_back(token);
  EXPECT_EQ(byPrompt, result.tokens);
}

TEST_F(GenerateTest, GoesOnPastTheEndWhereAsked) {
  GenerateRequest request;
  request.prompts = {{3, 31}};
  request.maxNewTokens = 4;
  request.stopAtEos = false;
  auto session = makeSession(plan, limitsFor(plan, request), checkpoint);
  EXPECT_EQ(generate(*session, request).tokens[0],
            (std::vector<int32_t>{2, 4, 8, 16}));
}

TEST_F(GenerateTest, PrefillsInPieces) {
  GenerateRequest request;
  request.prompts = {{1, 4, 3, 7, 7}, {5}, {9, 9, 9, 9, 9, 9, 9}};
  request.maxNewTokens = 5;
  SessionLimits limits = limitsFor(plan, request);
  for (int64_t maxTokens = 3; maxTokens <= 13; ++maxTokens) {
    limits.maxTokens = maxTokens;
    auto session = makeSession(plan, limits, checkpoint);
    GenerateResult result = generate(*session, request);
    for (size_t i = 0; i < 3; ++i)
      EXPECT_EQ(result.tokens[i], continueToy(request.prompts[i], 5))
          << maxTokens << " " << i;
  }
}

TEST_F(GenerateTest, PagesAreUsedAgain) {
  GenerateRequest request;
  request.prompts = {{1, 1, 1, 1, 1}, {3, 3}};
  request.maxNewTokens = 3;
  SessionLimits limits = limitsFor(plan, request);
  EXPECT_EQ(limits.pages, 2 + 1);
  EXPECT_EQ(limits.maxPositions, 7);
  auto session = makeSession(plan, limits, checkpoint);
  for (int round = 0; round < 5; ++round)
    EXPECT_EQ(generate(*session, request).tokens[1], continueToy({3, 3}, 3));
}

TEST_F(GenerateTest, BadRequests) {
  GenerateRequest good;
  good.prompts = {{1, 2}};
  auto session = makeSession(plan, limitsFor(plan, good), checkpoint);
  auto expectBad = [&](auto change, std::initializer_list<const char *> parts) {
    GenerateRequest request = good;
    change(request);
    expectError([&] { generate(*session, request); }, parts);
  };
  expectBad([](GenerateRequest &r) { r.prompts.clear(); },
            {"nothing to continue"});
  expectBad([](GenerateRequest &r) { r.prompts.push_back({}); },
            {"a prompt is empty", "prompt 1"});
  expectBad([](GenerateRequest &r) { r.prompts[0][1] = 32; },
            {"prompt 0, token 1", "0 to 31", "got 32"});
  expectBad([](GenerateRequest &r) { r.maxNewTokens = 0; },
            {"number of new tokens"});
  expectBad([](GenerateRequest &r) { r.sampling.resize(2); },
            {"do not fit the prompts"});
  expectBad([](GenerateRequest &r) { r.sampling = {{-1, 0, 1, 0}}; },
            {"temperature"});
  expectBad([](GenerateRequest &r) { r.prompts.push_back({1}); },
            {"too small", "maxSeqs"});
  expectBad([](GenerateRequest &r) { r.maxNewTokens = 100; },
            {"too small", "maxPositions"});
  Plan encoder = plan;
  encoder.functions.pop_back();
  expectError([&] { limitsFor(encoder, good); }, {"does not generate"});
}

TEST(PageAllocatorTest, CountsEveryPage) {
  PageAllocator allocator(3);
  std::set<int32_t> pages;
  for (int i = 0; i < 3; ++i)
    pages.insert(allocator.take());
  EXPECT_EQ(pages, (std::set<int32_t>{0, 1, 2}));
  expectError([&] { allocator.take(); }, {"no free page", "all 3 in use"});
  allocator.give(1);
  EXPECT_EQ(allocator.getFreePages(), 1);
  expectError([&] { allocator.give(1); }, {"nobody holds", "got 1"});
  expectError([&] { allocator.give(3); }, {"nobody holds"});
  EXPECT_EQ(allocator.take(), 1);
}
