//===- Scales.h - The size of the terms behind each result ------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_SCALES_H
#define FK_RUNTIME_REFERENCE_SCALES_H

#include "runtime/reference/Budget.h"

namespace fk {

/// Error of one float operation, and what sums of n terms may add to it; see
/// Budget.h.
constexpr double floatRoundoff = 0x1p-24;
double getGrowth(double terms);

/// The scales of every result; `values` are the results. An empty vector where
/// the result's budget needs none.
std::vector<std::vector<double>>
computeScales(const BoundLaunch &launch,
              const std::vector<std::vector<double>> &values);

} // namespace fk

#endif // FK_RUNTIME_REFERENCE_SCALES_H
