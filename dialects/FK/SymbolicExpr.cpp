//===- SymbolicExpr.cpp - Canonical forms of expressions ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// An expression becomes a polynomial with integer coefficients over atoms:
// axes, and whatever is not a polynomial (a division that does not come out,
// min, max) by its canonical text. Nothing here throws: what overflows is left
// alone.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/SymbolicExpr.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <vector>

using namespace fk;

namespace {

/// A product of atoms, sorted. Longer products come first in the printed sum.
using Monomial = std::vector<std::string>;

struct MonomialOrder {
  bool operator()(const Monomial &lhs, const Monomial &rhs) const {
    if (lhs.size() != rhs.size())
      return lhs.size() > rhs.size();
    return lhs < rhs;
  }
};

/// Coefficients by monomial; the empty monomial is the constant. No zeros.
using Polynomial = std::map<Monomial, int64_t, MonomialOrder>;

/// nullopt: overflow.
using MaybePolynomial = std::optional<Polynomial>;

bool accumulate(Polynomial &sum, const Monomial &monomial, int64_t value) {
  int64_t &coefficient = sum[monomial];
  if (__builtin_add_overflow(coefficient, value, &coefficient))
    return false;
  if (coefficient == 0)
    sum.erase(monomial);
  return true;
}

MaybePolynomial add(const Polynomial &lhs, const Polynomial &rhs,
                    int64_t sign) {
  Polynomial sum = lhs;
  for (const auto &[monomial, value] : rhs) {
    int64_t scaled;
    if (__builtin_mul_overflow(value, sign, &scaled) ||
        !accumulate(sum, monomial, scaled))
      return std::nullopt;
  }
  return sum;
}

MaybePolynomial multiply(const Polynomial &lhs, const Polynomial &rhs) {
  Polynomial product;
  for (const auto &[left, leftValue] : lhs) {
    for (const auto &[right, rightValue] : rhs) {
      Monomial monomial;
      std::merge(left.begin(), left.end(), right.begin(), right.end(),
                 std::back_inserter(monomial));
      int64_t value;
      if (__builtin_mul_overflow(leftValue, rightValue, &value) ||
          !accumulate(product, monomial, value))
        return std::nullopt;
    }
  }
  return product;
}

std::optional<int64_t> asConstant(const Polynomial &polynomial) {
  if (polynomial.empty())
    return 0;
  if (polynomial.size() == 1 && polynomial.begin()->first.empty())
    return polynomial.begin()->second;
  return std::nullopt;
}

std::string print(const Polynomial &polynomial) {
  if (polynomial.empty())
    return "0";
  std::string text;
  for (const auto &[monomial, value] : polynomial) {
    // The language has no unary minus.
    if (value < 0 && text.empty())
      text = "0";
    bool negative = value < 0 && value != INT64_MIN;
    if (!text.empty())
      text += negative ? " - " : " + ";
    int64_t magnitude = negative ? -value : value;
    bool first = true;
    if (magnitude != 1 || monomial.empty()) {
      text += std::to_string(magnitude);
      first = false;
    }
    for (const std::string &atom : monomial) {
      if (!first)
        text += " * ";
      text += atom;
      first = false;
    }
  }
  return text;
}

MaybePolynomial convert(const Expr &expr);

/// floor or ceil of numerator / denominator, where it comes out: the divisible
/// terms are divided, a constant rest is rounded.
MaybePolynomial divideOut(const Polynomial &numerator, int64_t denominator,
                          bool up) {
  Polynomial quotient;
  for (const auto &[monomial, value] : numerator) {
    if (value == INT64_MIN)
      return std::nullopt;
    int64_t part = value / denominator;
    if (value % denominator != 0) {
      if (!monomial.empty())
        return std::nullopt;
      if (up ? value > 0 : value < 0)
        part += up ? 1 : -1;
    }
    if (!accumulate(quotient, monomial, part))
      return std::nullopt;
  }
  return quotient;
}

Polynomial makeAtom(std::string text) { return {{{std::move(text)}, 1}}; }

MaybePolynomial convertDivision(const ExprNode &node, const Polynomial &lhs,
                                const Polynomial &rhs) {
  std::optional<int64_t> denominator = asConstant(rhs);
  if (denominator && *denominator > 0) {
    if (node.op == ExprOp::Mod) {
      bool divisible = std::ranges::all_of(lhs, [&](const auto &term) {
        return term.second % *denominator == 0;
      });
      if (divisible)
        return Polynomial();
    } else if (MaybePolynomial quotient =
                   divideOut(lhs, *denominator, node.op == ExprOp::CeilDiv)) {
      return quotient;
    }
  }
  std::string left = print(lhs), right = print(rhs);
  if (node.op == ExprOp::CeilDiv)
    return makeAtom("ceildiv(" + left + ", " + right + ")");
  return makeAtom("((" + left + ")" + (node.op == ExprOp::Mod ? " % " : " / ") +
                  "(" + right + "))");
}

MaybePolynomial convertNode(const ExprNode &node) {
  if (node.op == ExprOp::Constant) {
    Polynomial constant;
    if (node.constant)
      constant[{}] = node.constant;
    return constant;
  }
  if (node.op == ExprOp::Axis)
    return makeAtom(node.axis);
  MaybePolynomial lhs = convert(node.lhs), rhs = convert(node.rhs);
  if (!lhs || !rhs)
    return std::nullopt;
  switch (node.op) {
  case ExprOp::Add:
    return add(*lhs, *rhs, 1);
  case ExprOp::Sub:
    return add(*lhs, *rhs, -1);
  case ExprOp::Mul:
    return multiply(*lhs, *rhs);
  case ExprOp::FloorDiv:
  case ExprOp::CeilDiv:
  case ExprOp::Mod:
    return convertDivision(node, *lhs, *rhs);
  case ExprOp::Min:
  case ExprOp::Max: {
    if (*lhs == *rhs)
      return lhs;
    std::string left = print(*lhs), right = print(*rhs);
    if (right < left)
      std::swap(left, right);
    return makeAtom((node.op == ExprOp::Min ? "min(" : "max(") + left + ", " +
                    right + ")");
  }
  default:
    return std::nullopt;
  }
}

MaybePolynomial convert(const Expr &expr) {
  return expr ? convertNode(*expr.getNode()) : std::nullopt;
}

Expr combine(const Expr &lhs, const Expr &rhs, const char *op) {
  return simplify(Expr::parse(
      "(" + lhs.str() + ")" + op + "(" + rhs.str() + ")", "a symbolic extent"));
}

} // namespace

Expr fk::simplify(const Expr &expr) {
  MaybePolynomial polynomial = convert(expr);
  if (!polynomial)
    return expr;
  try {
    return Expr::parse(print(*polynomial), "a symbolic extent");
  } catch (const Error &) {
    // A constant beyond what the parser takes: the input is as good.
    return expr;
  }
}

bool fk::isSame(const Expr &lhs, const Expr &rhs) {
  if (!lhs || !rhs)
    return !lhs && !rhs;
  return simplify(lhs).str() == simplify(rhs).str();
}

std::optional<int64_t> fk::getConstant(const Expr &expr) {
  MaybePolynomial polynomial = convert(expr);
  return polynomial ? asConstant(*polynomial) : std::nullopt;
}

std::optional<LinearForm> fk::getLinearForm(const Expr &expr) {
  MaybePolynomial polynomial = convert(expr);
  if (!polynomial)
    return std::nullopt;
  std::vector<std::string> axes = expr.getAxes();
  LinearForm form;
  for (const auto &[monomial, value] : *polynomial) {
    if (monomial.empty()) {
      form.constant = value;
    } else if (monomial.size() == 1 &&
               std::ranges::find(axes, monomial[0]) != axes.end()) {
      form.factors[monomial[0]] = value;
    } else {
      return std::nullopt;
    }
  }
  return form;
}

Expr fk::addExprs(const Expr &lhs, const Expr &rhs) {
  return combine(lhs, rhs, " + ");
}

Expr fk::subtractExprs(const Expr &lhs, const Expr &rhs) {
  return combine(lhs, rhs, " - ");
}

Expr fk::multiplyExprs(const Expr &lhs, const Expr &rhs) {
  return combine(lhs, rhs, " * ");
}

Expr fk::divideExprs(const Expr &lhs, const Expr &rhs) {
  return combine(lhs, rhs, " / ");
}
