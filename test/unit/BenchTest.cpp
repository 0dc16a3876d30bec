//===- BenchTest.cpp - From samples to a judgement ------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/Statistics.h"

#include <gtest/gtest.h>

#include <random>

using namespace fk::bench;

static std::vector<double> draw(double mean, double spread, int count,
                                int seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal(mean, spread);
  std::vector<double> samples(count);
  for (double &sample : samples)
    sample = normal(generator);
  return samples;
}

TEST(Statistics, MedianOfOddAndEven) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median({}), 0);
}

TEST(Statistics, TellsFasterFromSlower) {
  const auto slow = draw(10, 0.2, 40, 1), fast = draw(9, 0.2, 40, 2);
  EXPECT_EQ(compare(slow, fast).judgement, Judgement::Fast);
  EXPECT_EQ(compare(fast, slow).judgement, Judgement::Slow);
  EXPECT_NEAR(compare(slow, fast).ratio, 10.0 / 9, 0.02);
}

TEST(Statistics, TheSameKernelIsSameAlmostAlways) {
  int same = 0;
  for (int trial = 0; trial < 200; ++trial)
    same +=
        compare(draw(5, 0.02, 40, 2 * trial), draw(5, 0.02, 40, 2 * trial + 1))
            .judgement == Judgement::Same;
  EXPECT_GE(same, 198);
}

TEST(Statistics, FewOrWildSamplesAreUnsure) {
  EXPECT_EQ(compare({1, 1, 1}, {2, 2, 2}).judgement, Judgement::Unsure);
  EXPECT_EQ(compare(draw(5, 2, 8, 1), draw(5, 2, 8, 2)).judgement,
            Judgement::Unsure);
}

TEST(Statistics, InterleavesAsABBA) {
  std::string order;
  const PairedSamples samples = interleave(
      [&] {
        order += 'A';
        return 1.0;
      },
      [&] {
        order += 'B';
        return 2.0;
      },
      4);
  EXPECT_EQ(order, "ABBAABBA");
  EXPECT_EQ(samples.baseline, std::vector<double>({1, 1, 1, 1}));
  EXPECT_EQ(samples.candidate, std::vector<double>({2, 2, 2, 2}));
}
