//===- TaskCases.h - Shapes and values a kernel is tried at ----*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A case of a task follows from its signature: the extents from the axes, the
// integers from what their operand means (lengths, pages, slots), the floats
// from a class of values that kernels go wrong at.
//
//===----------------------------------------------------------------------===//

#ifndef FK_BENCH_TASKCASES_H
#define FK_BENCH_TASKCASES_H

#include "runtime/reference/LaunchCase.h"
#include "runtime/support/Signature.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fk::bench {

enum class ValueClass {
  Normal,     ///< about 1
  Large,      ///< as large as the task's arithmetic in f32 bears
  Small,      ///< so small that an epsilon matters
  Denormal,   ///< below the smallest normal value of the element type
  Cancelling, ///< sums of nearly opposite terms; large offsets
  Zero,
  Constant,  ///< every element alike
  NotFinite, ///< a NaN in one row, infinities in another where they are defined
};
std::string_view getName(ValueClass values);

/// The classes at which the task's reference defines the result, Normal first.
std::vector<ValueClass> getValueClasses(std::string_view task);

/// `axis=1,33;hidden=4096`: the values to try of some axes.
using AxisChoices = std::map<std::string, std::vector<int64_t>, std::less<>>;
/// Throws Error where the text is not of that form, or an axis is none of the
/// task's or follows from others.
AxisChoices parseAxisChoices(const std::vector<std::string> &texts,
                             const Signature &signature);

/// One shape: a value for every axis.
struct TaskShape {
  AxisValues axes;
  size_t widths = 0; ///< which of the sets of static axes
};

/// The static axes (widths, heads) that models have: small ones where `isHost`,
/// some odd.
std::vector<AxisValues> getStaticAxes(const Signature &signature, bool isHost,
                                      const AxisChoices &choices);

/// Every shape that is tried: each set of static axes at tiny, odd and larger
/// dynamic ones.
std::vector<TaskShape> getTaskShapes(const Signature &signature, bool isHost,
                                     const AxisChoices &choices);

struct TaskCaseOptions {
  DType dtype = DType::BF16;
  ValueClass values = ValueClass::Normal;
  /// 0 or 1: the second has other scalars (epsilon, causal, window, ...).
  int variation = 0;
  std::vector<std::string> presentOperands; ///< of the optional ones
  unsigned seed = 1;
};

/// Variants of the signature are at their default.
reference::LaunchCase makeTaskCase(const Signature &signature,
                                   const AxisValues &axes,
                                   const TaskCaseOptions &options);

} // namespace fk::bench

#endif // FK_BENCH_TASKCASES_H
