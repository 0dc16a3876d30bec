//===- ParserConstants.cpp - Constant expressions of PTX ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// C's operators over 64-bit integers and doubles. Integers wrap.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Parser.h"

#include <bit>

using namespace fk;
using namespace fk::ptx;

double Constant::toDouble() const {
  switch (kind) {
  case Kind::Signed:
    return static_cast<double>(static_cast<int64_t>(bits));
  case Kind::Unsigned:
    return static_cast<double>(bits);
  case Kind::Double:
    return std::bit_cast<double>(bits);
  case Kind::Single:
    return std::bit_cast<float>(static_cast<uint32_t>(bits));
  }
  return 0;
}

static Constant makeDouble(double value) {
  return {Constant::Kind::Double, std::bit_cast<uint64_t>(value)};
}

/// Of a binary operator; 0 where the token is none.
static int getPrecedence(const Token &token) {
  if (token.kind != TokenKind::Punctuation)
    return 0;
  if (token.text.size() == 2) {
    if (token.is("||"))
      return 1;
    if (token.is("&&"))
      return 2;
    if (token.is("==") || token.is("!="))
      return 6;
    if (token.is("<=") || token.is(">="))
      return 7;
    return 8; // << >>
  }
  switch (token.text[0]) {
  case '|':
    return 3;
  case '^':
    return 4;
  case '&':
    return 5;
  case '<':
  case '>':
    return 7;
  case '+':
  case '-':
    return 9;
  case '*':
  case '/':
  case '%':
    return 10;
  default:
    return 0;
  }
}

/// `a ? b : c` and all that binds closer.
bool Parser::parseConstant(Constant &value, unsigned depth) {
  if (depth > maxDepth)
    return error(current.location, "the expression is nested too deep");
  if (!parseUnary(value, depth) || !parseBinary(value, 1, depth))
    return false;
  if (!accept('?'))
    return true;
  Constant first, second;
  if (!parseConstant(first, depth + 1) || !expect(':', "after '?'") ||
      !parseConstant(second, depth + 1))
    return false;
  value = value.isTrue() ? first : second;
  return true;
}

/// `left` and what operators of at least `precedence` add to it.
bool Parser::parseBinary(Constant &left, int precedence, unsigned depth) {
  if (depth > maxDepth)
    return error(current.location, "the expression is nested too deep");
  for (;;) {
    int own = getPrecedence(current);
    if (own == 0 || own < precedence)
      return true;
    Token op = take();
    Constant right;
    // Recursion is as deep as there are precedences.
    if (!parseUnary(right, depth) ||
        (getPrecedence(current) > own && !parseBinary(right, own + 1, depth)) ||
        !apply(op, left, right))
      return false;
  }
}

bool Parser::parseUnary(Constant &value, unsigned depth) {
  if (depth > maxDepth)
    return error(current.location, "the expression is nested too deep");
  if (current.is('-') || current.is('+') || current.is('!') ||
      current.is('~')) {
    Token op = take();
    Location location = current.location;
    if (!parseUnary(value, depth + 1))
      return false;
    if (op.is('!')) {
      value = {Constant::Kind::Signed, value.isTrue() ? 0u : 1u};
    } else if (value.kind == Constant::Kind::Single || op.is('~')) {
      if (!value.isInteger())
        return error(location, "'" + std::string(op.text) +
                                   "' before a floating-point literal");
      value.bits = ~value.bits;
    } else if (op.is('-')) {
      if (value.kind == Constant::Kind::Double)
        value = makeDouble(-value.toDouble());
      else
        value.bits = -value.bits;
    }
    return true;
  }
  // A cast: only these two name a type.
  if (current.is('(') &&
      (following.isDotted(".s64") || following.isDotted(".u64"))) {
    take();
    bool isSigned = take().text == ".s64";
    if (!expect(')', "after the type of a cast"))
      return false;
    Location location = current.location;
    if (!parseUnary(value, depth + 1))
      return false;
    if (!value.isInteger())
      return error(location, "a cast of a floating-point literal");
    value.kind = isSigned ? Constant::Kind::Signed : Constant::Kind::Unsigned;
    return true;
  }
  return parsePrimary(value, depth);
}

bool Parser::parsePrimary(Constant &value, unsigned depth) {
  if (accept('('))
    return parseConstant(value, depth + 1) &&
           expect(')', "to close the expression");
  switch (current.kind) {
  case TokenKind::Signed:
    value.kind = Constant::Kind::Signed;
    break;
  case TokenKind::Unsigned:
    value.kind = Constant::Kind::Unsigned;
    break;
  case TokenKind::Double:
    value.kind = Constant::Kind::Double;
    break;
  case TokenKind::Single:
    value.kind = Constant::Kind::Single;
    break;
  case TokenKind::Word:
    if (current.text == "WARP_SZ") {
      take();
      value = {Constant::Kind::Signed, 32};
      return true;
    }
    [[fallthrough]];
  default:
    return error(current.location,
                 "wanted a constant, got " + describe(current));
  }
  value.bits = take().bits;
  return true;
}

static Constant makeBool(bool value) {
  return {Constant::Kind::Signed, value ? 1u : 0u};
}

/// nullopt: not an operator of floating-point numbers.
static std::optional<Constant> applyDoubles(const Token &op, double a,
                                            double b) {
  if (op.is("=="))
    return makeBool(a == b);
  if (op.is("!="))
    return makeBool(a != b);
  if (op.is("<="))
    return makeBool(a <= b);
  if (op.is(">="))
    return makeBool(a >= b);
  if (op.is("&&"))
    return makeBool(a != 0 && b != 0);
  if (op.is("||"))
    return makeBool(a != 0 || b != 0);
  if (op.text.size() != 1)
    return std::nullopt;
  switch (op.text[0]) {
  case '+':
    return makeDouble(a + b);
  case '-':
    return makeDouble(a - b);
  case '*':
    return makeDouble(a * b);
  case '/':
    return makeDouble(a / b);
  case '<':
    return makeBool(a < b);
  case '>':
    return makeBool(a > b);
  default:
    return std::nullopt;
  }
}

/// Neither is zero where the operator divides.
static Constant applyIntegers(const Token &op, Constant left, Constant right) {
  bool isUnsigned = left.kind == Constant::Kind::Unsigned ||
                    right.kind == Constant::Kind::Unsigned;
  Constant::Kind kind =
      isUnsigned ? Constant::Kind::Unsigned : Constant::Kind::Signed;
  uint64_t a = left.bits, b = right.bits;
  auto signedA = static_cast<int64_t>(a), signedB = static_cast<int64_t>(b);
  bool isLess = isUnsigned ? a < b : signedA < signedB;
  if (op.text.size() == 2) {
    if (op.is("<<"))
      return {left.kind, b < 64 ? a << b : 0};
    if (op.is(">>")) {
      if (left.kind == Constant::Kind::Unsigned)
        return {left.kind, b < 64 ? a >> b : 0};
      return {left.kind, static_cast<uint64_t>(signedA >> (b < 64 ? b : 63))};
    }
    if (op.is("=="))
      return makeBool(a == b);
    if (op.is("!="))
      return makeBool(a != b);
    if (op.is("<="))
      return makeBool(isLess || a == b);
    if (op.is(">="))
      return makeBool(!isLess);
    if (op.is("&&"))
      return makeBool(a && b);
    return makeBool(a || b);
  }
  // Signed division by -1 would trap on the least number.
  bool isNegation = !isUnsigned && signedB == -1;
  switch (op.text[0]) {
  case '+':
    return {kind, a + b};
  case '-':
    return {kind, a - b};
  case '*':
    return {kind, a * b};
  case '/':
    return {kind, isNegation   ? -a
                  : isUnsigned ? a / b
                               : static_cast<uint64_t>(signedA / signedB)};
  case '%':
    return {kind, isNegation   ? 0
                  : isUnsigned ? a % b
                               : static_cast<uint64_t>(signedA % signedB)};
  case '<':
    return makeBool(isLess);
  case '>':
    return makeBool(!isLess && a != b);
  case '&':
    return {kind, a & b};
  case '|':
    return {kind, a | b};
  default:
    return {kind, a ^ b};
  }
}

bool Parser::apply(const Token &op, Constant &left, Constant right) {
  if (left.isInteger() && right.isInteger()) {
    if ((op.is('/') || op.is('%')) && right.bits == 0)
      return error(op.location, "a constant is divided by zero");
    left = applyIntegers(op, left, right);
    return true;
  }
  std::optional<Constant> result;
  if (left.kind != Constant::Kind::Single &&
      right.kind != Constant::Kind::Single)
    result = applyDoubles(op, left.toDouble(), right.toDouble());
  if (!result)
    return error(op.location, "'" + std::string(op.text) +
                                  "' between floating-point literals");
  left = *result;
  return true;
}

bool Parser::parseInteger(int64_t &value) {
  Location location = current.location;
  Constant constant;
  if (!parseConstant(constant))
    return false;
  if (!constant.isInteger())
    return error(location, "wanted an integer, got a floating-point number");
  value = static_cast<int64_t>(constant.bits);
  return true;
}
