//===- SamplingTest.cpp - Draws, cuts and ties of the sample task ---------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ReferenceCases.h"

#include "runtime/reference/Budget.h"
#include "runtime/reference/Reference.h"
#include "runtime/reference/SamplingReference.h"

#include <gtest/gtest.h>

#include <set>

using namespace fk;
using namespace fk::test;
using namespace fk::reference;

namespace {

using Words = std::vector<uint32_t>;

Words getWords(Words counter, uint32_t key0, uint32_t key1) {
  philox(counter.data(), key0, key1);
  return counter;
}

/// The known answers of Random123.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(getWords({0, 0, 0, 0}, 0, 0),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  uint32_t ones = 0xffffffff;
  EXPECT_EQ(getWords({ones, ones, ones, ones}, ones, ones),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(getWords({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                     0xa4093822, 0x299f31d0),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, UniformIsInTheUnitIntervalAndEven) {
  double sum = 0, squares = 0;
  for (int i = 0; i < 100000; ++i) {
    double value = getUniform(-7, i);
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
  EXPECT_NEAR(squares / 100000, 1 / 3.0, 0.005);
  EXPECT_NE(getUniform(1, 0), getUniform(int64_t(1) << 32, 0));
}

/// The tokens that 4000 draws give, with how often.
std::map<int, int> drawMany(const std::vector<float> &logits, float temperature,
                            int topK, float topP) {
  std::map<int, int> counts;
  for (int position = 0; position < 4000; ++position)
    ++counts[sampleRow(logits.data(), int64_t(logits.size()), temperature, topK,
                       topP, 99, position)];
  return counts;
}

std::set<int> getDrawn(const std::vector<float> &logits, int topK, float topP) {
  std::set<int> tokens;
  for (auto [token, count] : drawMany(logits, 1, topK, topP))
    tokens.insert(token);
  return tokens;
}

TEST(Sample, GreedyTakesTheFirstLargestAndNaNLoses) {
  auto greedy = [](const std::vector<float> &logits) {
    return sampleRow(logits.data(), int64_t(logits.size()), 0, 0, 1, 1, 1);
  };
  EXPECT_EQ(greedy({1, 3, 2, 3}), 1);
  EXPECT_EQ(greedy({NAN, -5, NAN, -4}), 3);
  EXPECT_EQ(greedy({-INFINITY, -INFINITY}), 0);
  EXPECT_EQ(greedy({NAN, NAN}), 0);
  EXPECT_EQ(greedy({-0.0f, 0.0f}), 0);
  EXPECT_EQ(greedy({1, INFINITY, 5}), 1);
}

TEST(Sample, DrawsFollowTheSoftmax) {
  std::vector<float> logits = {std::log(1.0f), std::log(2.0f), std::log(5.0f)};
  std::map<int, int> counts = drawMany(logits, 1, 0, 1);
  EXPECT_NEAR(counts[0] / 4000.0, 0.125, 0.02);
  EXPECT_NEAR(counts[1] / 4000.0, 0.25, 0.025);
  EXPECT_NEAR(counts[2] / 4000.0, 0.625, 0.025);
  // At temperature 0.5 the weights are squared: 1, 4, 25.
  counts = drawMany(logits, 0.5, 0, 1);
  EXPECT_NEAR(counts[0] / 4000.0, 1 / 30.0, 0.01);
  EXPECT_NEAR(counts[2] / 4000.0, 25 / 30.0, 0.02);
}

TEST(Sample, TopKKeepsTheLargestAndOfTiesTheFirst) {
  using Tokens = std::set<int>;
  EXPECT_EQ(getDrawn({1, 3, 2, 3, 2}, 1, 1), Tokens({1}));
  EXPECT_EQ(getDrawn({1, 3, 2, 3, 2}, 2, 1), Tokens({1, 3}));
  EXPECT_EQ(getDrawn({1, 3, 2, 3, 2}, 3, 1), Tokens({1, 2, 3}));
  EXPECT_EQ(getDrawn({1, 3, 2, 3, 2}, 0, 1), Tokens({0, 1, 2, 3, 4}));
  EXPECT_EQ(getDrawn({1, 3, 2, 3, 2}, 9, 1), Tokens({0, 1, 2, 3, 4}));
}

TEST(Sample, TopPKeepsTheFewestThatReachTheMass) {
  using Tokens = std::set<int>;
  std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.2f),
                               std::log(0.3f)};
  EXPECT_EQ(getDrawn(logits, 0, 0), Tokens({1}));
  EXPECT_EQ(getDrawn(logits, 0, 0.39), Tokens({1}));
  EXPECT_EQ(getDrawn(logits, 0, 0.41), Tokens({1, 3}));
  EXPECT_EQ(getDrawn(logits, 0, 0.69), Tokens({1, 3}));
  EXPECT_EQ(getDrawn(logits, 0, 0.71), Tokens({1, 2, 3}));
  // Of equal weights the first ones; top_p is a share of what top_k left.
  EXPECT_EQ(getDrawn({1, 1, 1, 1}, 0, 0.49), Tokens({0, 1}));
  EXPECT_EQ(getDrawn({1, 1, 1, 1}, 0, 0.51), Tokens({0, 1, 2}));
  EXPECT_EQ(getDrawn({1, 1, 1, 1}, 2, 0.49), Tokens({0}));
  EXPECT_EQ(getDrawn({1, 2, 2, 2}, 2, 0.9), Tokens({1, 2}));
}

TEST(Sample, InfiniteLogitsAndNaN) {
  using Tokens = std::set<int>;
  EXPECT_EQ(getDrawn({1, INFINITY, 3, INFINITY}, 0, 1), Tokens({1, 3}));
  EXPECT_EQ(getDrawn({-INFINITY, 1, NAN, 1}, 0, 1), Tokens({1, 3}));
}

/// The cuts against sorting, on rows with many ties.
TEST(Sample, CutsAgreeWithSorting) {
  std::mt19937 random(5);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<float> logits(1 + random() % 60);
    for (float &logit : logits)
      logit = float(int(random() % 9)) * 0.5f;
    auto topK = int64_t(random() % (logits.size() + 2));
    double topP = double(random() % 1000 + 1) / 1000.5;
    std::vector<int> order(logits.size());
    for (size_t i = 0; i < order.size(); ++i)
      order[i] = int(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return logits[a] > logits[b]; });
    if (topK > 0 && topK < int64_t(order.size()))
      order.resize(topK);
    double total = 0, mass = 0;
    for (int token : order)
      total += std::exp(double(logits[token]));
    std::set<int> wanted;
    for (int token : order) {
      if (mass >= topP * total)
        break;
      wanted.insert(token);
      mass += std::exp(double(logits[token]));
    }
    SampleRow<float> sample = {
        logits.data(), int64_t(logits.size()), 1,
        logits[getLargestIndex(logits.data(), int64_t(logits.size()))]};
    TokenCut cut = sample.cutTopP(sample.cutTopK(topK), topP);
    std::set<int> got;
    int64_t ties = cut.ties;
    for (size_t i = 0; i < logits.size(); ++i)
      if (getOrder(logits[i]) > cut.order ||
          (getOrder(logits[i]) == cut.order && ties-- > 0))
        got.insert(int(i));
    EXPECT_EQ(got, wanted) << "trial " << trial;
  }
}

TEST(Sample, TheCheckTakesNeighboursOfTheDrawOnly) {
  Case c("sample", DType::F32);
  // So flat that the draw may move to the next token by one rounding.
  c.axis("seqs", 1).axis("vocab", 50000).result("next", {1}, DType::I32);
  c.normal("logits", {1, 50000}, 1e-3);
  c.values("temperature", {1}, DType::F32, {1}).integers("top_k", {0});
  c.values("top_p", {1}, DType::F32, {1});
  c.values("seed", {1}, DType::I64, {3}).integers("position", {4});
  std::vector<Expected> expected = computeExpected(c.launch);
  auto token = int32_t(expected[0].values[0]);
  for (int32_t distance : {0, 1, -1, 100, -100}) {
    write(c.launch.result("next"), 0, token + distance);
    EXPECT_EQ(checkResults(expected, c.launch)[0].passed,
              std::abs(distance) <= 1)
        << distance;
  }
}

} // namespace
