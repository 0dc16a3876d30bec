//===- SymbolicExpr.h - Canonical forms of expressions ---------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_SYMBOLICEXPR_H
#define FK_DIALECTS_FK_SYMBOLICEXPR_H

#include "runtime/support/Expr.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace fk {

/// The canonical form of a value: a sum of products with the constant factor in
/// front, terms sorted, `(32 * tokens) / 32` divided out. Two expressions that
/// are the same polynomial get the same text. Conditions, and what would
/// overflow, come back as they are.
Expr simplify(const Expr &expr);

/// Whether two expressions are the same after simplify().
bool isSame(const Expr &lhs, const Expr &rhs);

/// The value of an expression that speaks of no axis.
std::optional<int64_t> getConstant(const Expr &expr);

/// constant + sum of factor * axis.
struct LinearForm {
  std::map<std::string, int64_t> factors;
  int64_t constant = 0;
};

/// nullopt where the expression is not linear in its axes.
std::optional<LinearForm> getLinearForm(const Expr &expr);

/// Canonical arithmetic on expressions.
Expr addExprs(const Expr &lhs, const Expr &rhs);
Expr subtractExprs(const Expr &lhs, const Expr &rhs);
Expr multiplyExprs(const Expr &lhs, const Expr &rhs);
/// Rounds down.
Expr divideExprs(const Expr &lhs, const Expr &rhs);

} // namespace fk

#endif // FK_DIALECTS_FK_SYMBOLICEXPR_H
