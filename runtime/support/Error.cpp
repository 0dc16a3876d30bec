//===- Error.cpp - The one kind of failure a user sees --------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/support/Error.h"

#include <string_view>

using namespace fk;

/// Appends `text` so that it stays on one line and cannot drive a terminal:
/// names in messages come from files that nobody vouches for.
static void appendSafely(std::string &out, std::string_view text) {
  static const char digits[] = "0123456789abcdef";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '\n' || c == '\t') {
      out += ' ';
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
}

std::string fk::formatError(const ErrorText &text) {
  std::string out;
  auto append = [&](std::string_view separator, std::string_view lead,
                    const std::string &part) {
    if (part.empty())
      return false;
    if (!out.empty())
      out += separator;
    out += lead;
    appendSafely(out, part);
    return true;
  };
  append("", "", text.what);
  append(": ", "", text.where);
  bool wanted = append(": ", "wanted ", text.wanted);
  append(wanted ? ", " : ": ", "got ", text.got);
  if (append(" (", "", text.mend))
    out += ')';
  return out;
}
