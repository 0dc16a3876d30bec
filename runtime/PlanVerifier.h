//===- PlanVerifier.h - What the runtime demands of a plan -----*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Behind Plan::verify; nobody else includes this.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_PLANVERIFIER_H
#define FK_RUNTIME_PLANVERIFIER_H

#include "runtime/Plan.h"
#include "runtime/support/Error.h"

namespace fk {

std::string formatDims(const Dims &dims);
bool isIdentifier(std::string_view name);

class PlanVerifier {
public:
  PlanVerifier(const Plan &plan, std::string_view where);
  void run();

  [[noreturn]] void fail(std::string what, std::string wanted = {},
                         std::string got = {}) const;

private:
  void verifyWeights();
  void verifyStates();
  void verifyCandidates();
  void verifyRopeTable(const PlanWeight &weight, const std::string &what) const;
  void verifyFunction(const PlanFunction &function);
  void verifyValue(const PlanFunction &function, size_t index,
                   const std::string &what) const;
  void verifyRole(const Role &role, bool isPublic, bool isResult,
                  const std::string &what) const;
  void verifyCall(const PlanFunction &function, const Call &call,
                  const std::string &what) const;
  void verifyLaunch(const PlanFunction &function, const Launch &launch,
                    const std::string &what) const;
  void verifyCandidateUse(const PlanFunction &function, const Launch &launch,
                          const PlanCandidate &candidate,
                          const AxisValues &axes,
                          const std::string &what) const;
  /// Launches that one run of `function` comes to; finds recursion.
  int64_t countLaunches(const PlanFunction &function, int depth);

  /// `expr` is there and speaks of nothing but `known`.
  void verifyAxes(const Expr &expr, const AxisValues &known,
                  const std::string &what) const;
  /// An extent or a size over the plan's symbols: 0 or more wherever tried.
  void verifyExtent(const Expr &expr, const std::string &what) const;
  void verifyShape(const Dims &dims, const std::string &what) const;
  int64_t evaluate(const Expr &expr, const AxisValues &values,
                   const std::string &what) const;
  int64_t countElements(const Dims &dims, const AxisValues &values,
                        const std::string &what) const;
  bool areEqual(const Dims &a, const Dims &b) const;

  const Plan &plan;
  std::string_view where;
  /// Values of the plan's symbols at which expressions are tried.
  AxisValues ones, alike, different;
  std::map<std::string, size_t, std::less<>> weightIndex, stateIndex,
      candidateIndex, functionIndex;
  std::map<const PlanFunction *, int64_t> launchCounts; ///< -1: being counted
};

} // namespace fk

#endif // FK_RUNTIME_PLANVERIFIER_H
