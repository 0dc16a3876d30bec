//===- CompareTensors.h - An answer against the expected one ---*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_BENCH_COMPARETENSORS_H
#define FK_BENCH_COMPARETENSORS_H

#include "runtime/Session.h"

namespace fk::bench {

struct TensorDifference {
  double relative = 0; ///< largest difference over largest magnitude wanted
  double cosine = 1;   ///< of the two as vectors
  double largest = 0, magnitude = 0;
  int64_t index = 0; ///< of the largest difference, flattened
  double wanted = 0, got = 0;
};

/// Throws Error (Wrong) where the shapes differ. A NaN that is not expected, or
/// one that is missing, is an infinite difference.
TensorDifference compareTensors(const HostTensor &wanted,
                                const HostTensor &got);

std::vector<double> toDoubles(const HostTensor &tensor);

} // namespace fk::bench

#endif // FK_BENCH_COMPARETENSORS_H
