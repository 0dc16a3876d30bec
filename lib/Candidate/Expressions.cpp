//===- Expressions.cpp - Expressions over a task's axes -------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "lib/Candidate/Expressions.h"
#include "lib/Candidate/Image.h"

#include <algorithm>

using namespace fk;

namespace {

const Expr &checkAxes(const Expr &expr, std::string_view where,
                      const Signature &signature) {
  for (const std::string &axis : expr.getAxes()) {
    const std::vector<std::string> &axes = signature.axes;
    if (std::find(axes.begin(), axes.end(), axis) != axes.end())
      continue;
    std::string list;
    for (const std::string &known : axes)
      list += (list.empty() ? "" : ", ") + known;
    failCandidate("unknown axis '" + axis + "'", where,
                  list.empty() ? "a number; the task has no axes"
                               : "an axis of " + signature.task + ": " + list);
  }
  return expr;
}

} // namespace

Expr fk::parseAxisExpr(std::string_view text, std::string_view where,
                       const Signature &signature) {
  return checkAxes(Expr::parse(text, where), where, signature);
}

Expr fk::parseAxisCondition(std::string_view text, std::string_view where,
                            const Signature &signature) {
  return checkAxes(Expr::parseCondition(text, where), where, signature);
}

Extents fk::parseExtents(std::string_view text, std::string_view where,
                         const Signature &signature) {
  // A tuple is one pair of parentheses around everything; `(tokens + 7) / 8` is
  // not one.
  bool isTuple = text.size() >= 2 && text.front() == '(' && text.back() == ')';
  int depth = 0;
  for (size_t i = 0; isTuple && i < text.size(); ++i) {
    depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    if (depth == 0 && i + 1 < text.size())
      isTuple = false;
  }
  std::vector<std::string_view> parts;
  if (isTuple) {
    text = text.substr(1, text.size() - 2);
    size_t start = 0;
    depth = 0;
    for (size_t i = 0; i <= text.size(); ++i) {
      if (i == text.size() || (text[i] == ',' && depth == 0)) {
        parts.push_back(text.substr(start, i - start));
        start = i + 1;
      } else {
        depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
      }
    }
  } else {
    parts.push_back(text);
  }
  if (parts.size() > 3)
    failCandidate("there are too many extents", where, "one to three",
                  std::to_string(parts.size()));
  Extents extents = {1, 1, 1};
  for (size_t i = 0; i < parts.size(); ++i)
    extents[i] = parseAxisExpr(parts[i], where, signature);
  return extents;
}

std::optional<int64_t> fk::evaluateKnown(const Expr &expr,
                                         const AxisValues &values) {
  for (const std::string &axis : expr.getAxes())
    if (!values.count(axis))
      return std::nullopt;
  return expr.evaluate(values);
}

std::string fk::describeAxes(const AxisValues &values) {
  std::string text;
  for (const auto &[axis, value] : values)
    text += (text.empty() ? "" : ", ") + axis + " = " + std::to_string(value);
  return text;
}

Expr fk::conjoin(const Expr &lhs, const Expr &rhs) {
  if (!lhs || !rhs)
    return lhs ? lhs : rhs;
  return Expr::parseCondition("(" + lhs.str() + ") && (" + rhs.str() + ")",
                              "where");
}
