//===- Budget.h - How far a result may be off -------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A result is right where every element satisfies
//
//   |got - wanted| <= relative * |wanted| + absolute * scale + tiny
//
// `wanted` is the reference in double, not rounded. `scale` is the honest size
// of the terms that made the element: sum |x w| + |b| of a product, the
// weights' sum of |v| of attention. `relative` counts the roundings to storage
// that the task admits, `absolute` the error of sums in float. With u = 2^-24,
// R = 1.25 unit roundoffs of the storage type, U = 4 u and g(n) = 4 + sqrt(n) /
// 16:
//
//   task            relative  absolute      scale
//   embedding       R, or 0 where scale is 1
//   linear (all)    R         U g(in)       sum |x w| + |b|
//   rms_norm        2 R       U g(hidden)   |y|; x * rstd may be rounded
//   add_rms_norm    3 R       U g(hidden)   terms of y; and the sum before it
//     residual_out  R         U             |x| + |residual|
//   layer_norm      R         U g(hidden)   |x - mean| rstd |w| E[x^2] / (var +
//                                           eps) + (|x| + |mean|) rstd |w| +
//                                           |b|
//   l2_norm         R         U g(columns)  |y|
//   silu, tanh      R         4 U           |y| (1 + |x| / 4), |y|
//   gelu            R         4 U           |x|
//   add, mul        R         U             |a| + |b|, |y|
//   softmax         R         U g(columns)  y (1 + |x - max|)
//   silu_and_mul    2 R       4 U           as silu, |up|; silu may be rounded
//   gelu_and_mul    2 R       4 U           as gelu, |up|; gelu may be rounded
//   rope            R         U             |x0 cos| + |x1 sin|
//   qk_norm_rope    R         2 R + U g(d)  |x0 cos| + |x1 sin| of the normed
//   attention       R         R + U g(n)    sum (p + h) |v|, more where logits
//                                           are large; p may be rounded to T,
//                                           h is for p below T's normals
//   pool (mean)     R         U g(tokens)   mean |x|
//   gather_last_tokens, pool (first), kv_cache_write: exact
//
// `tiny` is half the smallest value of f16, and the smallest normal of bf16 and
// f32, which a GPU may flush. A token drawn by `sample` is right where the draw
// or top_p moved by 2^-14 gives it; a greedy one must be the reference's.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_BUDGET_H
#define FK_RUNTIME_REFERENCE_BUDGET_H

#include "runtime/Kernel.h"

#include <string>
#include <string_view>
#include <vector>

namespace fk {

struct ErrorBudget {
  double relative = 0; ///< of |wanted|
  double absolute = 0; ///< of the element's scale
  double tiny = 0;     ///< added to every element; 0 where the result is exact
};

/// The budget of one result of a launch; of "cache" for kv_cache_write.
ErrorBudget getErrorBudget(const BoundLaunch &launch, std::string_view result);

/// What a launch on tensors in host memory should give: one for each result, in
/// the signature's order; for kv_cache_write the cache.
struct Expected {
  std::string name;
  DType dtype = DType::F32;
  std::vector<double> values;
  std::vector<double> scales; ///< empty where the budget's absolute is 0
  ErrorBudget budget;
  /// `sample` only: the other tokens that are right, for each sequence.
  std::vector<std::vector<int32_t>> alternatives;

  double getTolerance(size_t element) const;
};

/// Reads the operands, so for tasks that write a state it must be called before
/// they do. Writes nothing and does not look at the results.
std::vector<Expected> computeExpected(const BoundLaunch &launch);

/// The outcome of comparing one result. `fraction` is the error over its
/// tolerance at the worst element: at most 1 where the result is right.
struct CheckReport {
  std::string name;
  bool passed = true;
  int64_t elements = 0, wrong = 0;
  int64_t worst = 0;
  double wanted = 0, got = 0, tolerance = 0, fraction = 0;

  /// "result[12]: wanted 0.5, got 0.25 (tolerance 1e-3); 3 of 64 elements
  /// wrong"
  std::string str() const;
};

/// Compares a result in host memory. Throws Error where its size or element
/// type is not the expected one.
CheckReport checkResult(const Expected &expected, const TensorRef &got);

/// Compares every result of a launch in host memory: `launch.results`, or the
/// cache of kv_cache_write.
std::vector<CheckReport> checkResults(const std::vector<Expected> &expected,
                                      const BoundLaunch &launch);

} // namespace fk

#endif // FK_RUNTIME_REFERENCE_BUDGET_H
