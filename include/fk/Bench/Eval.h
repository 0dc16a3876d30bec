//===- Eval.h - Does a candidate win in the model? -------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One model, two plans that differ by their candidates, one workload. The
// report says whether each candidate is right where it stands and the model
// with it, and what it is worth alone, in the graph and end to end.
//
//===----------------------------------------------------------------------===//

#ifndef FK_BENCH_EVAL_H
#define FK_BENCH_EVAL_H

#include "fk/Bench/Statistics.h"
#include "fk/Bench/Workload.h"
#include "runtime/Session.h"

#include <optional>
#include <string>
#include <vector>

namespace fk::bench {

/// A candidate's check against the reference at every place it was bound to.
struct PlaceCheck {
  int64_t places = 0, wrong = 0;
  double worstFraction = 0; ///< of the error budget
  std::string worst;        ///< place and element
};

/// What the candidate's plan lost or won against the baseline's.
struct FusionChange {
  std::string fusion, reason;
  int64_t places = 0;
};

struct EvalReport {
  Workload workload;
  std::string device;
  int64_t launchesBaseline = 0, launchesCandidate = 0;
  double bytesBaseline = 0, bytesCandidate = 0; ///< of the steps that differ

  struct Swapped {
    std::string candidate, task;
    int64_t places = 0, uncovered = 0;
    PlaceCheck check;
    bool checked = false;            ///< false: no reference for this task
    std::optional<Comparison> alone; ///< one cold launch, cuda only
    std::string aloneBaseline;       ///< provider:kernel it is compared with
  };
  std::vector<Swapped> swapped;

  double cosine = 1;
  /// Cosines with the same model in float32 arithmetic, where that was run: the
  /// candidate's answer may lie twice as far from it as the baseline's.
  std::optional<double> exactBaseline, exactCandidate;
  int64_t tokensCompared = 0, tokensEqual = 0, tokensWithinMargin = 0;
  bool modelRight = true;

  /// The steps that differ between the plans, in one graph; cuda only.
  std::optional<Comparison> inGraph;
  /// The whole step. On the host too, but then no verdict.
  Comparison endToEnd;
  MemoryReport memoryBaseline, memoryCandidate;
  /// What the device object held at most, and by how much the driver's free
  /// memory shrank; of the baseline alone.
  size_t peakBytes = 0, driverBytes = 0;
  std::vector<FusionChange> lost;

  bool isVerdict = false; ///< measured on a GPU
  /// The sentence at the end.
  std::string sentence;
  /// Wrong somewhere: exit code 1.
  bool isWrong() const;
};

struct EvalOptions {
  int samples = 40;
  int checkedPlaces = 64; ///< at most, per candidate
};

/// The main result of the workload: logits, or the last hidden state.
HostTensor computeAnswer(Session &session, const Workload &workload);

/// Both sessions have their weights. With `candidate` null the baseline alone
/// is measured. `exact` is computeAnswer() of the model in float32; without it
/// the model's answer is compared with the baseline's alone.
EvalReport evaluate(Session &baseline, Session *candidate,
                    const Workload &workload,
                    const std::optional<HostTensor> &exact,
                    const EvalOptions &options);

} // namespace fk::bench

#endif // FK_BENCH_EVAL_H
