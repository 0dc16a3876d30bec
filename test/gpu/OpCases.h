//===- OpCases.h - Shapes at which kernels are tested ----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TEST_GPU_OPCASES_H
#define FK_TEST_GPU_OPCASES_H

#include "test/unit/ReferenceCases.h"

#include <functional>
#include <string>
#include <vector>

namespace fk::test {

/// A launch of a task at one shape, made on demand: tensors may be large.
struct OpCase {
  std::string task, label;
  std::function<Case(DType)> make;
};

/// Odd, tiny and model-like shapes of every task, small enough for the fp64
/// reference on the host.
std::vector<OpCase> getCorrectnessCases();

/// A case whose kernel is timed. `bytes` and `flops` are what it must move and
/// do.
struct TimingCase {
  OpCase op;
  double bytes = 0, flops = 0;
};

/// The shapes of Llama-3.1-8B that performance targets name.
std::vector<TimingCase> getTimingCases();

} // namespace fk::test

#endif // FK_TEST_GPU_OPCASES_H
