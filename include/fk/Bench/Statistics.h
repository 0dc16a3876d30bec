//===- Statistics.h - From samples to a judgement --------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_BENCH_STATISTICS_H
#define FK_BENCH_STATISTICS_H

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace fk::bench {

double median(std::vector<double> samples);

/// What a comparison of two sets of times says.
enum class Judgement { Fast, Slow, Same, Unsure };
std::string_view getName(Judgement judgement);

/// Baseline over candidate: above 1 the candidate is faster.
struct Comparison {
  double baseline = 0, candidate = 0;  ///< medians, milliseconds
  double ratio = 1, low = 1, high = 1; ///< 95 % interval of the ratio
  Judgement judgement = Judgement::Unsure;
};

/// The smallest relative difference that counts as one: below it two kernels
/// are the same, however narrow the interval.
inline constexpr double smallestEffect = 0.005;

/// Compares medians; the interval is a percentile bootstrap (2000 resamples, a
/// fixed seed, so that the same samples give the same verdict). Fast or Slow
/// where the interval lies on one side of 1 and the ratio beyond
/// `smallestEffect`; Same where the ratio lies within it and the interval
/// within three times that; Unsure else. Needs at least 5 samples on each side,
/// or is Unsure.
Comparison compare(const std::vector<double> &baseline,
                   const std::vector<double> &candidate);

/// Samples of two measurements taken A B B A A B B A ..., so that drift of
/// clocks and temperature hits both alike.
struct PairedSamples {
  std::vector<double> baseline, candidate;
};
PairedSamples interleave(const std::function<double()> &baseline,
                         const std::function<double()> &candidate, int samples);

} // namespace fk::bench

#endif // FK_BENCH_STATISTICS_H
