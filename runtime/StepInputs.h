//===- StepInputs.h - What `step` is given for a batch ---------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_STEPINPUTS_H
#define FK_RUNTIME_STEPINPUTS_H

#include "runtime/Batch.h"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace fk {

/// The part of a sequence that one call of `step` feeds.
struct StepSequence {
  std::span<const int32_t> tokens; ///< the whole sequence so far
  std::span<const int32_t> pages;  ///< its pages, in order, enough for the call
  int64_t cached = 0;              ///< tokens fed by earlier calls
  int64_t count = 0;               ///< tokens fed by this one
  SamplingParams sampling;
};

/// The public function `step` of a plan; Error where it does not generate.
const PlanFunction &getStepFunction(const Plan &plan);

/// Every parameter of `step` for a batch, by its role (runtime/Plan.h).
std::map<std::string, HostTensor>
makeStepInputs(const Plan &plan, const SessionLimits &limits,
               const std::vector<StepSequence> &batch);

} // namespace fk

#endif // FK_RUNTIME_STEPINPUTS_H
