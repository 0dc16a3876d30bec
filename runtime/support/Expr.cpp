//===- Expr.cpp - Integer expressions over the axes of a task -------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/support/Expr.h"
#include "runtime/support/Error.h"

#include <limits>
#include <optional>
#include <set>

using namespace fk;

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

/// nullopt where the result does not fit or does not exist.
static std::optional<int64_t> apply(ExprOp op, int64_t a, int64_t b) {
  int64_t result;
  bool overflows = false;
  switch (op) {
  case ExprOp::Add:
    overflows = __builtin_add_overflow(a, b, &result);
    break;
  case ExprOp::Sub:
    overflows = __builtin_sub_overflow(a, b, &result);
    break;
  case ExprOp::Mul:
    overflows = __builtin_mul_overflow(a, b, &result);
    break;
  case ExprOp::FloorDiv:
  case ExprOp::CeilDiv: {
    if (b == 0 || (a == std::numeric_limits<int64_t>::min() && b == -1))
      return std::nullopt;
    result = a / b;
    bool negative = (a % b < 0) != (b < 0);
    if (a % b != 0 && op == ExprOp::FloorDiv && negative)
      --result;
    if (a % b != 0 && op == ExprOp::CeilDiv && !negative)
      ++result;
    break;
  }
  case ExprOp::Mod:
    if (b == 0)
      return std::nullopt;
    if (b == -1)
      return 0;
    result = a % b;
    if (result != 0 && (result < 0) != (b < 0))
      result += b;
    break;
  case ExprOp::Min:
    result = a < b ? a : b;
    break;
  case ExprOp::Max:
    result = a > b ? a : b;
    break;
  case ExprOp::Eq:
    return a == b;
  case ExprOp::Ne:
    return a != b;
  case ExprOp::Lt:
    return a < b;
  case ExprOp::Le:
    return a <= b;
  case ExprOp::Gt:
    return a > b;
  case ExprOp::Ge:
    return a >= b;
  case ExprOp::And:
    return a && b;
  case ExprOp::Or:
    return a || b;
  case ExprOp::Constant:
  case ExprOp::Axis:
    return std::nullopt;
  }
  if (overflows)
    return std::nullopt;
  return result;
}

static bool divides(ExprOp op) {
  return op == ExprOp::FloorDiv || op == ExprOp::CeilDiv || op == ExprOp::Mod;
}

static bool isCondition(const Expr &expr) {
  return expr.getNode()->op >= ExprOp::Eq;
}

static std::optional<int64_t> getConstant(const Expr &expr) {
  if (expr && expr.getNode()->op == ExprOp::Constant)
    return expr.getNode()->constant;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Construction
//===----------------------------------------------------------------------===//

Expr::Expr(int64_t constant)
    : node(std::make_shared<ExprNode>(
          ExprNode{ExprOp::Constant, constant, {}, {}, {}})) {}

Expr Expr::axis(std::string_view name) {
  Expr expr;
  expr.node = std::make_shared<ExprNode>(
      ExprNode{ExprOp::Axis, 0, std::string(name), {}, {}});
  return expr;
}

Expr Expr::binary(ExprOp op, Expr lhs, Expr rhs) {
  auto left = getConstant(lhs), right = getConstant(rhs);
  // Comparisons are never folded: a condition must stay one when it is printed.
  if (op < ExprOp::Eq && left && right)
    if (auto folded = apply(op, *left, *right))
      return *folded;
  if (op == ExprOp::Sub && right)
    if (auto negated = apply(ExprOp::Sub, 0, *right))
      return binary(ExprOp::Add, std::move(lhs), *negated);
  if ((op == ExprOp::Add || op == ExprOp::Mul) && left && !right) {
    std::swap(lhs, rhs);
    std::swap(left, right);
  }
  if (right && ((op == ExprOp::Add && *right == 0) ||
                ((op == ExprOp::Mul || op == ExprOp::FloorDiv ||
                  op == ExprOp::CeilDiv) &&
                 *right == 1)))
    return lhs;
  // (x + 1) + 2 is x + 3.
  if (right && (op == ExprOp::Add || op == ExprOp::Mul) && lhs.node->op == op) {
    const Expr inner = lhs.node->lhs;
    if (auto constant = getConstant(lhs.node->rhs))
      if (auto folded = apply(op, *constant, *right))
        return binary(op, inner, *folded);
  }
  Expr expr;
  expr.node = std::make_shared<ExprNode>(
      ExprNode{op, 0, {}, std::move(lhs), std::move(rhs)});
  return expr;
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

namespace {

/// Limits that no honest expression meets; they bound the recursion over a
/// tree.
constexpr int maxNesting = 64;
constexpr int maxOperators = 512;

/// Recursive descent, lowest precedence first. Values and conditions share the
/// grammar, since `(` may open either; each operator checks what it was given.
class Parser {
public:
  Parser(std::string_view text, std::string_view where)
      : text(text), where(where) {}

  Expr parseAll(bool wantCondition) {
    skipSpace();
    size_t start = position;
    if (position == text.size())
      fail("an expression", position);
    Expr expr = parseOr();
    if (position != text.size())
      fail("an operator or the end", position);
    check(expr, wantCondition, start);
    return expr;
  }

private:
  [[noreturn]] void fail(const std::string &wanted, size_t at) {
    std::string got = at < text.size()
                          ? "'" + std::string(text.substr(at, 24)) + "'"
                          : "the end";
    throw Error({.what = "expression '" + std::string(text.substr(0, 200)) +
                         "' is malformed at column " + std::to_string(at + 1),
                 .where = std::string(where),
                 .wanted = wanted,
                 .got = got});
  }

  void check(const Expr &expr, bool wantCondition, size_t at) {
    if (isCondition(expr) == wantCondition)
      return;
    fail(wantCondition ? "a condition (such as 'hidden % 8 == 0')"
                       : "a value, not a condition",
         at);
  }

  void skipSpace() {
    while (position < text.size() &&
           (text[position] == ' ' || text[position] == '\t' ||
            text[position] == '\n'))
      ++position;
  }

  bool accept(std::string_view token) {
    if (text.substr(position, token.size()) != token)
      return false;
    position += token.size();
    skipSpace();
    return true;
  }

  Expr combine(ExprOp op, Expr lhs, size_t lhsAt, Expr rhs, size_t rhsAt,
               size_t operatorAt) {
    if (++operators > maxOperators)
      fail("at most " + std::to_string(maxOperators) + " operators",
           operatorAt);
    bool wantCondition = op == ExprOp::And || op == ExprOp::Or;
    check(lhs, wantCondition, lhsAt);
    check(rhs, wantCondition, rhsAt);
    auto left = getConstant(lhs), right = getConstant(rhs);
    if (divides(op) && right == 0)
      fail("a divisor that is not 0", rhsAt);
    if (op < ExprOp::Eq && left && right && !apply(op, *left, *right))
      fail("a result that fits in 64 bits", operatorAt);
    return Expr::binary(op, std::move(lhs), std::move(rhs));
  }

  Expr parseOr() {
    size_t start = position;
    Expr lhs = parseAnd();
    for (size_t at = position; accept("||"); at = position) {
      size_t rhsAt = position;
      lhs = combine(ExprOp::Or, lhs, start, parseAnd(), rhsAt, at);
    }
    return lhs;
  }

  Expr parseAnd() {
    size_t start = position;
    Expr lhs = parseComparison();
    for (size_t at = position; accept("&&"); at = position) {
      size_t rhsAt = position;
      lhs = combine(ExprOp::And, lhs, start, parseComparison(), rhsAt, at);
    }
    return lhs;
  }

  Expr parseComparison() {
    static constexpr std::pair<std::string_view, ExprOp> table[] = {
        {"==", ExprOp::Eq}, {"!=", ExprOp::Ne}, {"<=", ExprOp::Le},
        {">=", ExprOp::Ge}, {"<", ExprOp::Lt},  {">", ExprOp::Gt}};
    size_t start = position;
    Expr lhs = parseSum();
    for (auto [token, op] : table) {
      size_t at = position;
      if (accept(token)) {
        size_t rhsAt = position;
        return combine(op, lhs, start, parseSum(), rhsAt, at);
      }
    }
    return lhs;
  }

  Expr parseSum() {
    size_t start = position;
    Expr lhs = parseProduct();
    for (;;) {
      size_t at = position;
      ExprOp op;
      if (accept("+"))
        op = ExprOp::Add;
      else if (accept("-"))
        op = ExprOp::Sub;
      else
        return lhs;
      size_t rhsAt = position;
      lhs = combine(op, lhs, start, parseProduct(), rhsAt, at);
    }
  }

  Expr parseProduct() {
    size_t start = position;
    Expr lhs = parseAtom();
    for (;;) {
      size_t at = position;
      ExprOp op;
      if (accept("*"))
        op = ExprOp::Mul;
      else if (accept("/"))
        op = ExprOp::FloorDiv;
      else if (accept("%"))
        op = ExprOp::Mod;
      else
        return lhs;
      size_t rhsAt = position;
      lhs = combine(op, lhs, start, parseAtom(), rhsAt, at);
    }
  }

  Expr parseAtom() {
    size_t start = position;
    if (++nesting > maxNesting)
      fail("at most " + std::to_string(maxNesting) + " nested parentheses",
           start);
    Expr expr = parseNestedAtom(start);
    --nesting;
    return expr;
  }

  Expr parseNestedAtom(size_t start) {
    if (accept("(")) {
      Expr expr = parseOr();
      expect(")");
      return expr;
    }
    if (accept("-")) {
      if (position < text.size() && isDigit(text[position]))
        return parseInteger(/*negative=*/true);
      size_t at = position;
      return combine(ExprOp::Sub, 0, start, parseAtom(), at, start);
    }
    if (position < text.size() && isDigit(text[position]))
      return parseInteger(/*negative=*/false);
    std::string_view name = parseName();
    if (name.empty())
      fail("an integer, an axis or '('", start);
    if (!accept("("))
      return Expr::axis(name);
    ExprOp op;
    if (name == "ceildiv")
      op = ExprOp::CeilDiv;
    else if (name == "min")
      op = ExprOp::Min;
    else if (name == "max")
      op = ExprOp::Max;
    else
      fail("ceildiv, min or max", start);
    size_t lhsAt = position;
    Expr lhs = parseOr();
    expect(",");
    size_t rhsAt = position;
    Expr rhs = parseOr();
    expect(")");
    return combine(op, lhs, lhsAt, rhs, rhsAt, start);
  }

  void expect(std::string_view token) {
    if (!accept(token))
      fail("'" + std::string(token) + "'", position);
  }

  static bool isDigit(char c) { return c >= '0' && c <= '9'; }
  static bool isNameChar(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           isDigit(c);
  }

  std::string_view parseName() {
    size_t start = position;
    while (position < text.size() && isNameChar(text[position]))
      ++position;
    std::string_view name = text.substr(start, position - start);
    skipSpace();
    return name;
  }

  Expr parseInteger(bool negative) {
    size_t start = position;
    int64_t value = 0;
    // Summed on the negative side, which has one value more.
    for (; position < text.size() && isDigit(text[position]); ++position)
      if (__builtin_mul_overflow(value, int64_t(10), &value) ||
          __builtin_sub_overflow(value, int64_t(text[position] - '0'), &value))
        fail("an integer of 64 bits", start);
    if (position < text.size() && isNameChar(text[position]))
      fail("an operator after the integer", position);
    if (!negative && __builtin_sub_overflow(int64_t(0), value, &value))
      fail("an integer of 64 bits", start);
    skipSpace();
    return value;
  }

  std::string_view text, where;
  size_t position = 0;
  int nesting = 0, operators = 0;
};

} // namespace

Expr Expr::parse(std::string_view text, std::string_view where) {
  return Parser(text, where).parseAll(/*wantCondition=*/false);
}

Expr Expr::parseCondition(std::string_view text, std::string_view where) {
  return Parser(text, where).parseAll(/*wantCondition=*/true);
}

//===----------------------------------------------------------------------===//
// Use
//===----------------------------------------------------------------------===//

int64_t Expr::evaluate(const AxisValues &axes) const {
  if (!node)
    throw Error({.what = "an empty expression has no value"});
  switch (node->op) {
  case ExprOp::Constant:
    return node->constant;
  case ExprOp::Axis: {
    auto it = axes.find(node->axis);
    if (it != axes.end())
      return it->second;
    std::string known;
    for (const auto &[name, value] : axes)
      known += (known.empty() ? "" : ", ") + name;
    throw Error({.what = "unknown axis '" + node->axis + "'",
                 .wanted = known.empty() ? "a constant" : "one of " + known});
  }
  case ExprOp::And:
    return node->lhs.evaluate(axes) != 0 && node->rhs.evaluate(axes) != 0;
  case ExprOp::Or:
    return node->lhs.evaluate(axes) != 0 || node->rhs.evaluate(axes) != 0;
  default:
    break;
  }
  int64_t left = node->lhs.evaluate(axes), right = node->rhs.evaluate(axes);
  if (auto result = apply(node->op, left, right))
    return *result;
  bool byZero = divides(node->op) && right == 0;
  std::string values;
  for (const std::string &name : getAxes())
    values += (values.empty() ? "" : ", ") + name + " = " +
              std::to_string(axes.find(name)->second);
  throw Error({.what = (byZero ? "division by zero in '" : "overflow in '") +
                       str() + "'",
               .wanted = byZero ? "a divisor that is not 0"
                                : "a result that fits in 64 bits",
               .got = values.empty() ? "constants" : values});
}

static void collectAxes(const Expr &expr, std::set<std::string> &axes) {
  if (!expr)
    return;
  const ExprNode *node = expr.getNode();
  if (node->op == ExprOp::Axis)
    axes.insert(node->axis);
  collectAxes(node->lhs, axes);
  collectAxes(node->rhs, axes);
}

std::vector<std::string> Expr::getAxes() const {
  std::set<std::string> axes;
  collectAxes(*this, axes);
  return {axes.begin(), axes.end()};
}

Expr Expr::substitute(const std::function<Expr(std::string_view)> &map) const {
  if (!node || node->op == ExprOp::Constant)
    return *this;
  if (node->op == ExprOp::Axis) {
    Expr replacement = map(node->axis);
    return replacement ? replacement : *this;
  }
  return binary(node->op, node->lhs.substitute(map), node->rhs.substitute(map));
}

static int getPrecedence(ExprOp op) {
  switch (op) {
  case ExprOp::Or:
    return 1;
  case ExprOp::And:
    return 2;
  case ExprOp::Eq:
  case ExprOp::Ne:
  case ExprOp::Lt:
  case ExprOp::Le:
  case ExprOp::Gt:
  case ExprOp::Ge:
    return 3;
  case ExprOp::Add:
  case ExprOp::Sub:
    return 4;
  case ExprOp::Mul:
  case ExprOp::FloorDiv:
  case ExprOp::Mod:
    return 5;
  default:
    return 6;
  }
}

static std::string_view getSpelling(ExprOp op) {
  static constexpr std::string_view spellings[] = {
      "",    "",   "+",  "-", "*",  "/", "%",  "ceildiv", "min",
      "max", "==", "!=", "<", "<=", ">", ">=", "&&",      "||"};
  return spellings[static_cast<int>(op)];
}

std::string Expr::str() const {
  if (!node)
    return "";
  ExprOp op = node->op;
  if (op == ExprOp::Constant)
    return std::to_string(node->constant);
  if (op == ExprOp::Axis)
    return node->axis;
  std::string spelling(getSpelling(op));
  if (getPrecedence(op) == 6)
    return spelling + "(" + node->lhs.str() + ", " + node->rhs.str() + ")";
  auto print = [](const Expr &expr, bool parenthesize) {
    return parenthesize ? "(" + expr.str() + ")" : expr.str();
  };
  int precedence = getPrecedence(op);
  std::string lhs =
      print(node->lhs, getPrecedence(node->lhs.node->op) < precedence);
  // x + -3 reads x - 3; the smallest integer has no positive twin.
  auto right = getConstant(node->rhs);
  if (op == ExprOp::Add && right && *right < 0 &&
      *right != std::numeric_limits<int64_t>::min())
    return lhs + " - " + std::to_string(-*right);
  return lhs + " " + spelling + " " +
         print(node->rhs, getPrecedence(node->rhs.node->op) <= precedence);
}
