//===- Signature.h - The kernel signature of a task ------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One line says what a task takes and returns. The dialect's verifier, the
// symbolic shapes, `fk show`, the candidate's ABI check and the launcher all
// read that line; there is no second list.
//
//   rms_norm(result: T[tokens, hidden];                          results
//            input: T[tokens, hidden], weight: T[hidden];        operands
//            epsilon: f32;                                       scalars
//            tokens, hidden;                                     axes
//            weight_offset: f32 = 0)                             variants
//
// T is the element type of the op (that of its first floating tensor); other
// element types are named. `_` is an extent that is no axis. A name with `?` is
// an optional operand. `state` before the type marks a state that the task reads
// or writes through its pointer. Extents are expressions over the axes. Variants
// are attributes that change the meaning but are no parameter: a candidate
// serves only ops whose variants are at their default (a number, or an axis).
//
// The parameters of a kernel are: results, operands (absent optional ones left
// out), scalars, axes as int32_t, and last the workspace if it asked for one.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_SUPPORT_SIGNATURE_H
#define FK_RUNTIME_SUPPORT_SIGNATURE_H

#include "runtime/support/DType.h"
#include "runtime/support/Expr.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fk {

/// A tensor parameter of a task.
struct TensorParam {
  std::string name;
  std::optional<DType> element; ///< nullopt: T
  std::vector<Expr> shape;      ///< an empty Expr: `_`
  bool optional = false;
  bool state = false;
};

/// A scalar parameter or a variant attribute.
struct ScalarParam {
  std::string name;
  DType type = DType::F32;  ///< F32, I32 or I64
  std::string defaultValue; ///< variants only: a number or an axis
};

struct Signature {
  std::string task;
  std::vector<TensorParam> results;
  std::vector<TensorParam> operands;
  std::vector<ScalarParam> scalars;
  std::vector<std::string> axes;
  std::vector<ScalarParam> variants;

  /// Throws Error with the column where the text is not a signature.
  static Signature parse(std::string_view text);

  /// Solves the axes from the concrete shapes of results and operands: an
  /// extent with one unknown axis in it, such as `axis`, `k * axis`, `axis + k`
  /// or `known + 2 * axis`, gives that axis, then every extent must agree. `shapes` runs over results, then operands, an
  /// absent optional operand being nullopt. Throws Error (wanted, got) where
  /// they do not fit.
  AxisValues solve(const std::vector<std::optional<std::vector<int64_t>>>
                       &shapes) const;

  /// The prototype with T, as `fk show` prints it:
  /// "rms_norm (T *result, const T *input, ..., int32_t hidden)". Optional
  /// operands are left out, as where they are absent, unless asked for.
  std::string getPrototype(bool withOptional = false) const;
};

} // namespace fk

#endif // FK_RUNTIME_SUPPORT_SIGNATURE_H
