//===- Directive.cpp - The fk.launch comment ------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "lib/Candidate/Declaration.h"
#include "lib/Candidate/Expressions.h"
#include "lib/Candidate/Image.h"

#include <algorithm>
#include <cctype>
#include <map>

using namespace fk;

namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() &&
         std::isspace(static_cast<unsigned char>(text.front())))
    text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.remove_suffix(1);
  return text;
}

bool isNameChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

/// Where a `key=` starts at or behind `from`, outside of parentheses; the
/// length of the text where there is none. `==`, `<=`, `>=` and `!=` are no
/// such thing.
struct KeyAt {
  size_t key, value;
  std::string_view name;
};
KeyAt findKey(std::string_view text, size_t from) {
  int depth = 0;
  for (size_t i = from; i < text.size(); ++i) {
    char c = text[i];
    if (c == '(') {
      ++depth;
    } else if (c == ')') {
      --depth;
    } else if (c == '=' && depth <= 0) {
      bool isComparison = (i + 1 < text.size() && text[i + 1] == '=') ||
                          (i > 0 && std::string_view("=<>!").find(
                                        text[i - 1]) != std::string_view::npos);
      if (isComparison)
        continue;
      size_t end = i;
      while (end > from &&
             std::isspace(static_cast<unsigned char>(text[end - 1])))
        --end;
      size_t start = end;
      while (start > from && isNameChar(text[start - 1]))
        --start;
      return {start, i + 1, text.substr(start, end - start)};
    }
  }
  return {text.size(), text.size(), {}};
}

/// The text behind every `// fk.launch:`, joined by blanks.
std::optional<std::string> collectDirective(std::string_view text) {
  std::optional<std::string> joined;
  for (size_t at = text.find("fk.launch:"); at != std::string_view::npos;
       at = text.find("fk.launch:", at + 1)) {
    size_t line = text.rfind('\n', at);
    line = line == std::string_view::npos ? 0 : line + 1;
    std::string_view before = trim(text.substr(line, at - line));
    if (before != "//")
      continue;
    size_t start = at + std::string_view("fk.launch:").size();
    size_t end = std::min(text.find('\n', start), text.size());
    joined = joined.value_or("") + " " +
             std::string(trim(text.substr(start, end - start)));
  }
  return joined;
}

bool parseFlag(std::string_view text, std::string_view where) {
  if (text != "0" && text != "1")
    failCandidate("pdl is a switch", where, "pdl=1 or pdl=0",
                  "'" + std::string(text) + "'");
  return text == "1";
}

} // namespace

std::optional<VariantDeclaration>
fk::parseDirective(std::string_view text, std::string_view file,
                   const Signature &signature) {
  std::optional<std::string> joined = collectDirective(text);
  if (!joined)
    return std::nullopt;
  std::string_view rest = trim(*joined);
  std::string where = "fk.launch of " + std::string(file);
  std::map<std::string, std::string_view, std::less<>> values;
  KeyAt at = findKey(rest, 0);
  if (at.key != 0 || at.name.empty())
    failCandidate("the directive does not start with a key", where,
                  "grid=(...) block=(...) ...",
                  "'" + std::string(rest.substr(0, 40)) + "'");
  while (at.key < rest.size()) {
    KeyAt following = findKey(rest, at.value);
    std::string_view value =
        trim(rest.substr(at.value, following.key - at.value));
    static constexpr std::string_view known[] = {
        "grid", "block", "smem", "cluster", "workspace", "pdl", "where"};
    if (std::find(std::begin(known), std::end(known), at.name) ==
        std::end(known))
      failCandidate("unknown key '" + std::string(at.name) + "'", where,
                    "grid, block, smem, cluster, workspace, pdl or where");
    if (value.empty())
      failCandidate("'" + std::string(at.name) + "' has no value", where);
    if (!values.emplace(at.name, value).second)
      failCandidate("'" + std::string(at.name) + "' is given twice", where);
    at = following;
  }

  VariantDeclaration variant;
  LaunchDeclaration launch;
  launch.entry = signature.task;
  for (const auto &[key, value] : values) {
    std::string place = key + " of " + where;
    if (key == "grid")
      launch.grid = parseExtents(value, place, signature);
    else if (key == "block")
      launch.block = parseExtents(value, place, signature);
    else if (key == "cluster")
      launch.cluster = parseExtents(value, place, signature);
    else if (key == "smem")
      launch.shared = parseAxisExpr(value, place, signature);
    else if (key == "workspace")
      variant.workspace = parseAxisExpr(value, place, signature);
    else if (key == "pdl")
      launch.pdl = parseFlag(value, place);
    else
      variant.where = parseAxisCondition(value, place, signature);
  }
  if (!launch.grid)
    failCandidate("the launch has no grid", where, "grid=(tokens,1,1) or alike",
                  "'" + std::string(rest.substr(0, 60)) + "'");
  variant.launches.push_back(std::move(launch));
  return variant;
}

std::vector<DType> fk::getFileDTypes(const std::filesystem::path &file) {
  std::string suffix = file.stem().extension().string();
  if (!suffix.empty())
    if (std::optional<DType> type = parseDType(suffix.substr(1)))
      return {*type};
  return {DType::BF16};
}
