//===- Lexer.cpp - PTX text as tokens -------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Lexer.h"

#include <algorithm>
#include <bit>
#include <charconv>

using namespace fk::ptx;

// The C locale's answers, without the locale.
static bool isDigit(char c) { return c >= '0' && c <= '9'; }
static bool isLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool isFollow(char c) {
  return isLetter(c) || isDigit(c) || c == '_' || c == '$';
}

/// Neither printable ASCII nor a blank.
static bool isForeign(char c) {
  auto byte = static_cast<unsigned char>(c);
  return byte > 0x7e || byte < 0x09 || (byte > 0x0d && byte < 0x20);
}

std::vector<Diagnostic> Diagnostics::take() {
  std::sort(list.begin(), list.end(),
            [](const Diagnostic &a, const Diagnostic &b) {
              return std::pair(a.location.line, a.location.column) <
                     std::pair(b.location.line, b.location.column);
            });
  return std::move(list);
}

/// Blanks, comments and the line markers of a C preprocessor.
void Lexer::skipBlank() {
  while (pos < text.size()) {
    char c = text[pos];
    if (c == '\n') {
      lineStart = ++pos;
      ++line;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
      ++pos;
    } else if (c == '/' && at(pos + 1) == '/') {
      pos = std::min(text.find('\n', pos), text.size());
    } else if (c == '/' && at(pos + 1) == '*') {
      Location start = getLocation(pos);
      size_t end = text.find("*/", pos + 2);
      if (end == std::string_view::npos) {
        diagnostics.error(start, "a comment is not closed: wanted '*/'");
        end = text.size();
      } else {
        end += 2;
      }
      for (; pos < end; ++pos)
        if (text[pos] == '\n') {
          lineStart = pos + 1;
          ++line;
        }
    } else if (c == '#' && isLineMarker()) {
      pos = std::min(text.find('\n', pos), text.size());
    } else {
      return;
    }
  }
}

/// At a '#': whether `# 12 "file"` or `#line` stands here, first in its line.
bool Lexer::isLineMarker() const {
  for (size_t i = lineStart; i < pos; ++i)
    if (text[i] != ' ' && text[i] != '\t')
      return false;
  size_t i = pos + 1;
  while (at(i) == ' ' || at(i) == '\t')
    ++i;
  return isDigit(at(i)) ||
         (text.substr(i, 4) == "line" && !isFollow(at(i + 4)));
}

Token Lexer::finish(Token token, TokenKind kind, size_t end) {
  token.kind = kind;
  token.text = text.substr(pos, end - pos);
  pos = end;
  return token;
}

Token Lexer::lexString(Token token) {
  size_t end = pos + 1;
  while (end < text.size() && text[end] != '"' && text[end] != '\n')
    end += text[end] == '\\' && at(end + 1) != '\n' ? 2 : 1;
  if (at(end) == '"')
    return finish(token, TokenKind::String, end + 1);
  diagnostics.error(token.location, "a string is not closed: wanted '\"'");
  return finish(token, TokenKind::String, std::min(end, text.size()));
}

Token Lexer::lexNumber(Token token) {
  // 0f3F800000, 0d...
  char mark = at(pos + 1);
  bool isZero = text[pos] == '0';
  if (isZero && (mark == 'f' || mark == 'F' || mark == 'd' || mark == 'D')) {
    bool isSingle = mark == 'f' || mark == 'F';
    size_t end = pos + 2, digits = isSingle ? 8 : 16;
    while (isFollow(at(end)))
      ++end;
    std::string_view hex = text.substr(pos + 2, end - pos - 2);
    auto [stop, status] =
        std::from_chars(hex.data(), hex.data() + hex.size(), token.bits, 16);
    if (hex.size() != digits || status != std::errc() ||
        stop != hex.data() + hex.size()) {
      diagnostics.error(token.location,
                        "'" + std::string(text.substr(pos, end - pos)) +
                            "' is no floating-point literal: wanted " +
                            std::to_string(digits) +
                            " hexadecimal digits after '" +
                            std::string(text.substr(pos, 2)) + "'");
      token.bits = 0;
    }
    return finish(token, isSingle ? TokenKind::Single : TokenKind::Double, end);
  }

  // 1.5, 1., .5, 1e3, 1.5e-3
  size_t end = pos;
  while (isDigit(at(end)))
    ++end;
  bool isFloat = false;
  if (at(end) == '.') {
    isFloat = true;
    ++end;
    while (isDigit(at(end)))
      ++end;
  }
  if (at(end) == 'e' || at(end) == 'E') {
    size_t exponent = end + 1;
    if (at(exponent) == '+' || at(exponent) == '-')
      ++exponent;
    if (isDigit(at(exponent))) {
      isFloat = true;
      end = exponent;
      while (isDigit(at(end)))
        ++end;
    }
  }
  size_t numberEnd = end;
  while (isFollow(at(end)))
    ++end;
  std::string_view whole = text.substr(pos, end - pos);
  if (isFloat) {
    double value = 0;
    std::string_view digits = text.substr(pos, numberEnd - pos);
    auto [stop, status] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (numberEnd != end)
      diagnostics.error(token.location, "'" + std::string(whole) +
                                            "' is no floating-point literal");
    else if (status == std::errc::result_out_of_range)
      diagnostics.error(token.location,
                        "'" + std::string(whole) + "' does not fit a double");
    token.bits = std::bit_cast<uint64_t>(value);
    return finish(token, TokenKind::Double, end);
  }

  // 12, 0x1F, 017, 0b101, each with U or without
  std::string_view digits = whole;
  int base = 10;
  if (isZero && (mark == 'x' || mark == 'X')) {
    base = 16;
    digits.remove_prefix(2);
  } else if (isZero && (mark == 'b' || mark == 'B')) {
    base = 2;
    digits.remove_prefix(2);
  } else if (isZero && digits.size() > 1 && digits[1] != 'U') {
    base = 8;
    digits.remove_prefix(1);
  }
  bool isUnsigned = digits.ends_with('U');
  if (isUnsigned)
    digits.remove_suffix(1);
  auto [stop, status] = std::from_chars(
      digits.data(), digits.data() + digits.size(), token.bits, base);
  if (digits.empty() || status == std::errc::invalid_argument ||
      stop != digits.data() + digits.size()) {
    std::string_view kind = base == 16  ? "hexadecimal number"
                            : base == 2 ? "binary number"
                            : base == 8 ? "octal number"
                                        : "number";
    diagnostics.error(token.location, "'" + std::string(whole) + "' is no " +
                                          std::string(kind));
    token.bits = 0;
  } else if (status == std::errc::result_out_of_range) {
    diagnostics.error(token.location,
                      "'" + std::string(whole) + "' does not fit 64 bits");
    token.bits = 0;
  }
  isUnsigned |= token.bits >> 63 != 0;
  return finish(token, isUnsigned ? TokenKind::Unsigned : TokenKind::Signed,
                end);
}

Token Lexer::next() {
  for (;;) {
    skipBlank();
    Token token;
    token.location = getLocation(pos);
    if (pos >= text.size())
      return token;
    char c = text[pos];
    size_t end = pos + 1;
    if (isLetter(c) ||
        ((c == '_' || c == '$' || c == '%') && isFollow(at(end))) || c == '_') {
      while (isFollow(at(end)))
        ++end;
      return finish(token, TokenKind::Word, end);
    }
    if (isDigit(c))
      return lexNumber(token);
    if (c == '.' && isFollow(at(end))) {
      // `.5` after a blank or a comma is a number; `.1d` is a modifier.
      if (isDigit(at(end)) && (pos == 0 || !isFollow(text[pos - 1]))) {
        size_t last = end;
        while (isDigit(at(last)))
          ++last;
        if (!isFollow(at(last)) || at(last) == 'e' || at(last) == 'E')
          return lexNumber(token);
      }
      for (;;) {
        while (isFollow(at(end)))
          ++end;
        if (at(end) != ':' || at(end + 1) != ':' || !isFollow(at(end + 2)))
          break;
        end += 2;
      }
      return finish(token, TokenKind::Dotted, end);
    }
    if (c == '"')
      return lexString(token);
    std::string_view two = text.substr(pos, 2);
    for (std::string_view known :
         {"<<", ">>", "<=", ">=", "==", "!=", "&&", "||"})
      if (two == known) {
        token.bits = static_cast<unsigned char>(two[0]) << 8 |
                     static_cast<unsigned char>(two[1]);
        return finish(token, TokenKind::Punctuation, pos + 2);
      }
    if (std::string_view("()[]{}<>,;:|!@+-*/%&^~?=.").find(c) !=
        std::string_view::npos) {
      token.bits = static_cast<unsigned char>(c);
      return finish(token, TokenKind::Punctuation, end);
    }
    if (c == '#') {
      diagnostics.error(token.location,
                        "'#' has no meaning in PTX: wanted text that a "
                        "preprocessor has been through");
      pos = std::min(text.find('\n', pos), text.size());
      continue;
    }
    auto byte = static_cast<unsigned char>(c);
    static const char digits[] = "0123456789abcdef";
    std::string shown =
        byte > 0x20 && byte < 0x7f
            ? std::string("'") + c + "'"
            : std::string("byte 0x") + digits[byte >> 4] + digits[byte & 15];
    diagnostics.error(token.location,
                      shown + " has no meaning in PTX outside comments");
    // A run of them is one mistake, and most likely a name.
    end = pos;
    while (end < text.size() && (isForeign(text[end]) || isFollow(text[end])))
      ++end;
    return finish(token, TokenKind::Word, std::max(end, pos + 1));
  }
}
