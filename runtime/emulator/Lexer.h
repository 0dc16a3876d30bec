//===- Lexer.h - PTX text as tokens ----------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A word after a dot is one token with its dot, `::` and all that follows kept
// inside (`.shared::cluster`, `.L2::128B`, `.1d`): directives, types and
// modifiers are told apart by the parser.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_LEXER_H
#define FK_RUNTIME_EMULATOR_LEXER_H

#include "runtime/emulator/Ptx.h"

namespace fk::ptx {

/// What is wrong with a text, up to the number of errors that anybody reads.
class Diagnostics {
public:
  static constexpr size_t maxErrors = 20;

  /// Returns false, so that a failing parse is one statement.
  bool error(Location location, std::string message) {
    if (!isFull())
      list.push_back({location, std::move(message)});
    return false;
  }
  bool isFull() const { return list.size() >= maxErrors; }
  bool isEmpty() const { return list.empty(); }
  /// By place in the text.
  std::vector<Diagnostic> take();

private:
  std::vector<Diagnostic> list;
};

enum class TokenKind : uint8_t {
  End,
  Word,     ///< an identifier, `%` and `$` included
  Dotted,   ///< `.word`
  Signed,   ///< an integer that fits int64_t
  Unsigned, ///< an integer with U, or too large for int64_t
  Double,   ///< 0d... or a decimal with a point or an exponent
  Single,   ///< 0f...
  String,   ///< with its quotes
  Punctuation,
};

struct Token {
  TokenKind kind = TokenKind::End;
  std::string_view text;
  uint64_t bits = 0; ///< of a number; of punctuation: its characters
  Location location;

  bool isNumber() const {
    return kind >= TokenKind::Signed && kind <= TokenKind::Single;
  }
  bool isInteger() const {
    return kind == TokenKind::Signed || kind == TokenKind::Unsigned;
  }
  bool is(char c) const {
    return kind == TokenKind::Punctuation &&
           bits == static_cast<unsigned char>(c);
  }
  bool is(const char (&two)[3]) const {
    return kind == TokenKind::Punctuation && text == two;
  }
  bool isDotted(std::string_view wanted) const {
    return kind == TokenKind::Dotted && text == wanted;
  }
};

class Lexer {
public:
  Lexer(std::string_view text, Diagnostics &diagnostics)
      : text(text), diagnostics(diagnostics) {}

  /// End again and again at the end.
  Token next();

private:
  void skipBlank();
  bool isLineMarker() const;
  Token lexNumber(Token token);
  Token lexString(Token token);
  Token finish(Token token, TokenKind kind, size_t end);
  Location getLocation(size_t at) const {
    return {line, static_cast<uint32_t>(at - lineStart + 1)};
  }
  char at(size_t i) const { return i < text.size() ? text[i] : '\0'; }

  std::string_view text;
  Diagnostics &diagnostics;
  size_t pos = 0, lineStart = 0;
  uint32_t line = 1;
};

} // namespace fk::ptx

#endif // FK_RUNTIME_EMULATOR_LEXER_H
