//===- Kernels.h - Is a kernel right? --------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Runs a candidate alone, at the shapes and values of TaskCases.h, between
// guard zones, over poisoned results, and compares everything that it may write
// with the fp64 reference. On the host the emulator's findings come on top.
//
//===----------------------------------------------------------------------===//

#ifndef FK_BENCH_KERNELS_H
#define FK_BENCH_KERNELS_H

#include "fk/Bench/TaskCases.h"
#include "runtime/Device.h"
#include "runtime/Plan.h"
#include "runtime/emulator/Emulator.h"
#include "runtime/reference/Budget.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fk::bench {

struct KernelsOptions {
  DType dtype = DType::BF16;
  AxisChoices shapes;
  std::vector<std::string> presentOperands;
  unsigned seed = 1;
  /// Host: seeded interleavings beside the deterministic one.
  int schedules = 0;
  /// false: findings alone, nothing is compared (fk sanitize).
  bool compares = true;
  /// Warp instructions of a launch that count as endless; cases are small.
  uint64_t instructionBudget = uint64_t(1) << 24;
};

/// A result compared with the reference.
struct KernelCheck {
  CheckReport report;
  std::vector<int64_t> index; ///< of the worst element
  /// FNV-1a (64 bits) of the result's bytes: two devices gave the same answer.
  std::string digest;
  /// "result[3, 63]: wanted 0.5, got 0.25 (tolerance 1e-3); 2 of 64 elements
  /// wrong"
  std::string str() const;
};

/// A candidate at one shape, one class of values, one set of scalars.
struct KernelCase {
  enum class Status { Right, Wrong, NotCovered };
  std::vector<std::pair<std::string, int64_t>> axes;
  ValueClass values = ValueClass::Normal;
  std::vector<LaunchScalar> scalars;
  Status status = Status::Right;
  std::vector<KernelCheck> checks;
  /// What else is wrong, one line each: guard zones, operands that changed,
  /// faults.
  std::vector<std::string> problems;
  std::vector<emulator::Finding> findings;
  std::vector<std::string> lines; ///< of the findings

  std::string describeAxes() const; ///< "tokens=7 hidden=64"
  double getWorstFraction() const;
};

struct KernelsReport {
  std::vector<KernelCase> cases;
  int right = 0, wrong = 0, notCovered = 0;
  /// Why no further case was run; empty where all were.
  std::string stopped;
};

/// Tries `candidate`, whose images are `images`, at every shape of the options.
/// `each` is called as soon as a case is done. Throws Error for what is
/// malformed.
KernelsReport
testKernel(Device &device, const Signature &signature,
           const PlanCandidate &candidate,
           const std::map<std::string, PlanImage> &images,
           const KernelsOptions &options,
           const std::function<void(const KernelCase &)> &each = {});

} // namespace fk::bench

#endif // FK_BENCH_KERNELS_H
