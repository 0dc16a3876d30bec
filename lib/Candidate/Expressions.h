//===- Expressions.h - Expressions over a task's axes ----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CANDIDATE_EXPRESSIONS_H
#define FK_LIB_CANDIDATE_EXPRESSIONS_H

#include "lib/Candidate/Declaration.h"

namespace fk {

/// Parses a value or a condition and throws Error for an axis that the task
/// does not have.
Expr parseAxisExpr(std::string_view text, std::string_view where,
                   const Signature &signature);
Expr parseAxisCondition(std::string_view text, std::string_view where,
                        const Signature &signature);

/// `(tokens, 1, 1)`, `(tokens)`, `tokens`; what is left out is 1.
Extents parseExtents(std::string_view text, std::string_view where,
                     const Signature &signature);

/// `expr` without an axis that `values` knows; nullopt where it speaks of
/// others.
std::optional<int64_t> evaluateKnown(const Expr &expr,
                                     const AxisValues &values);

/// "hidden = 4096, tokens = 1".
std::string describeAxes(const AxisValues &values);

/// Both conditions, either of which may be empty.
Expr conjoin(const Expr &lhs, const Expr &rhs);

} // namespace fk

#endif // FK_LIB_CANDIDATE_EXPRESSIONS_H
