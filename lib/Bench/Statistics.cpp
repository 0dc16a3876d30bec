//===- Statistics.cpp - From samples to a judgement -----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/Statistics.h"

#include <algorithm>
#include <random>

using namespace fk::bench;

double fk::bench::median(std::vector<double> samples) {
  if (samples.empty())
    return 0;
  const size_t middle = samples.size() / 2;
  std::nth_element(samples.begin(), samples.begin() + middle, samples.end());
  const double upper = samples[middle];
  if (samples.size() % 2 == 1)
    return upper;
  return (upper +
          *std::max_element(samples.begin(), samples.begin() + middle)) /
         2;
}

std::string_view fk::bench::getName(Judgement judgement) {
  switch (judgement) {
  case Judgement::Fast:
    return "FAST";
  case Judgement::Slow:
    return "SLOW";
  case Judgement::Same:
    return "SAME";
  case Judgement::Unsure:
    return "UNSURE";
  }
  return "UNSURE";
}

static std::vector<double> resample(const std::vector<double> &samples,
                                    std::mt19937_64 &generator) {
  std::uniform_int_distribution<size_t> index(0, samples.size() - 1);
  std::vector<double> drawn(samples.size());
  for (double &value : drawn)
    value = samples[index(generator)];
  return drawn;
}

Comparison fk::bench::compare(const std::vector<double> &baseline,
                              const std::vector<double> &candidate) {
  Comparison result;
  result.baseline = median(baseline);
  result.candidate = median(candidate);
  if (baseline.size() < 5 || candidate.size() < 5 || result.candidate <= 0)
    return result;
  result.ratio = result.baseline / result.candidate;

  constexpr int resamples = 2000;
  std::mt19937_64 generator(0x666b);
  std::vector<double> ratios(resamples);
  for (double &ratio : ratios)
    ratio = median(resample(baseline, generator)) /
            median(resample(candidate, generator));
  std::sort(ratios.begin(), ratios.end());
  result.low = ratios[resamples * 25 / 1000];
  result.high = ratios[resamples * 975 / 1000];

  const double effect = smallestEffect;
  if (result.low > 1 && result.ratio > 1 + effect)
    result.judgement = Judgement::Fast;
  else if (result.high < 1 && result.ratio < 1 - effect)
    result.judgement = Judgement::Slow;
  else if (result.ratio >= 1 - effect && result.ratio <= 1 + effect &&
           result.low >= 1 - 3 * effect && result.high <= 1 + 3 * effect)
    result.judgement = Judgement::Same;
  return result;
}

PairedSamples fk::bench::interleave(const std::function<double()> &baseline,
                                    const std::function<double()> &candidate,
                                    int samples) {
  PairedSamples result;
  for (int i = 0; i < samples; ++i) {
    const bool baselineFirst = i % 2 == 0;
    if (baselineFirst)
      result.baseline.push_back(baseline());
    result.candidate.push_back(candidate());
    if (!baselineFirst)
      result.baseline.push_back(baseline());
  }
  return result;
}
