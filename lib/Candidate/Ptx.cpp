//===- Ptx.cpp - The header and entries of a PTX text ---------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Reads what a launch depends on and leaves instructions to ptxas: .version,
// .target, .address_size, entries with their parameters and performance
// directives, shared variables, unresolved functions.
//
//===----------------------------------------------------------------------===//

#include "lib/Candidate/Image.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <set>

using namespace fk;

namespace {

/// Words, numbers and punctuation, comments and strings skipped.
/// `.visible.entry` is two tokens; `ld.global` is one.
class PtxLexer {
public:
  PtxLexer(std::string_view text, std::string_view where)
      : text(text), where(where) {}

  /// Empty at the end.
  std::string_view next() {
    skipBlank();
    if (pos >= text.size())
      return {};
    size_t start = pos;
    char c = text[pos];
    if (c == '"') {
      size_t end = pos + 1;
      while (end < text.size() && text[end] != '"')
        end += text[end] == '\\' ? 2 : 1;
      if (end >= text.size())
        failCandidate("a string is not closed", place(start), "'\"'");
      pos = end + 1;
      return text.substr(start, pos - start);
    }
    if (!isWord(c) && c != '.') {
      ++pos;
      return text.substr(start, 1);
    }
    bool isDirective = c == '.';
    ++pos;
    while (pos < text.size() &&
           (isWord(text[pos]) || (text[pos] == '.' && !isDirective)))
      ++pos;
    return text.substr(start, pos - start);
  }

  std::string place(size_t at) const {
    return std::string(where) + ":" +
           std::to_string(
               1 + std::count(text.begin(),
                              text.begin() + std::min(at, text.size()), '\n'));
  }
  std::string place() const { return place(pos); }

private:
  static bool isWord(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' ||
           c == '$' || c == '%';
  }
  void skipBlank() {
    while (pos < text.size()) {
      if (std::isspace(static_cast<unsigned char>(text[pos]))) {
        ++pos;
      } else if (text.substr(pos, 2) == "//") {
        pos = std::min(text.find('\n', pos), text.size());
      } else if (text.substr(pos, 2) == "/*") {
        size_t end = text.find("*/", pos + 2);
        if (end == std::string_view::npos)
          failCandidate("a comment is not closed", place(pos), "'*/'");
        pos = end + 2;
      } else {
        return;
      }
    }
  }

  std::string_view text, where;
  size_t pos = 0;
};

/// Bytes of a fundamental type, 0 where `token` is none.
int64_t getTypeBytes(std::string_view token) {
  static const std::map<std::string_view, int64_t> sizes = {
      {".b8", 1},    {".u8", 1},     {".s8", 1},         {".b16", 2},
      {".u16", 2},   {".s16", 2},    {".f16", 2},        {".bf16", 2},
      {".b32", 4},   {".u32", 4},    {".s32", 4},        {".f32", 4},
      {".b64", 8},   {".u64", 8},    {".s64", 8},        {".f64", 8},
      {".b128", 16}, {".pred", 1},   {".f16x2", 4},      {".bf16x2", 4},
      {".tf32", 4},  {".texref", 8}, {".samplerref", 8}, {".surfref", 8}};
  auto it = sizes.find(token);
  return it == sizes.end() ? 0 : it->second;
}

std::optional<int64_t> parseNumber(std::string_view token) {
  int base = 10;
  if (token.size() > 2 && token[0] == '0' &&
      (token[1] == 'x' || token[1] == 'X')) {
    token.remove_prefix(2);
    base = 16;
  }
  if (!token.empty() && (token.back() == 'U' || token.back() == 'u'))
    token.remove_suffix(1);
  int64_t value = 0;
  auto [end, error] =
      std::from_chars(token.data(), token.data() + token.size(), value, base);
  if (error != std::errc() || end != token.data() + token.size() ||
      token.empty())
    return std::nullopt;
  return value;
}

class PtxParser {
public:
  PtxParser(std::string_view text, std::string_view where)
      : lexer(text, where), where(where) {}

  ImageInfo parse() {
    info.kind = "ptx";
    bool isExtern = false;
    for (std::string_view token = lexer.next(); !token.empty();
         token = lexer.next()) {
      if (token == ".version") {
        parseVersion();
      } else if (token == ".target") {
        if (info.target.empty())
          info.target = lexer.next();
      } else if (token == ".address_size") {
        std::string_view size = lexer.next();
        if (size != "64")
          failCandidate("the PTX is not for 64-bit addresses", lexer.place(),
                        ".address_size 64", std::string(size));
        hasAddressSize = true;
      } else if (token == ".extern" || token == ".weak" ||
                 token == ".visible" || token == ".common") {
        isExtern = token == ".extern";
        continue;
      } else if (token == ".entry") {
        parseEntry();
      } else if (token == ".func") {
        parseFunction(isExtern);
      } else if (token == ".shared") {
        parseShared(isExtern, moduleShared);
      } else if (token == "{") {
        skipBody(nullptr);
      }
      isExtern = false;
    }
    finish();
    return std::move(info);
  }

private:
  struct SharedVariable {
    std::string name;
    int64_t bytes;
  };
  struct Body {
    std::set<std::string, std::less<>> words;
    std::vector<SharedVariable> shared;
    std::vector<std::string_view> externs;
  };

  void parseVersion() {
    std::string token(lexer.next());
    int64_t major = -1, minor = -1;
    size_t dot = token.find('.');
    if (dot != std::string::npos) {
      major = parseNumber(std::string_view(token).substr(0, dot)).value_or(-1);
      minor = parseNumber(std::string_view(token).substr(dot + 1)).value_or(-1);
    }
    if (major < 0 || minor < 0)
      failCandidate("the PTX version is not a version", lexer.place(),
                    "one from 6.0 to 9.0", "'" + token + "'");
    if (major > 9 || (major == 9 && minor > 0))
      failCandidate("the PTX is too new", lexer.place(),
                    "a version up to 9.0 (CUDA 13.0)", "version " + token,
                    "compile it with CUDA 13.0 or older");
    if (major < 6)
      failCandidate("the PTX is too old", lexer.place(),
                    "a version from 6.0 to 9.0", "version " + token,
                    "compile it again with CUDA 9 to 13.0");
    hasVersion = true;
  }

  /// `.param .u64 .ptr .global .align 16 name`, `.param .align 8 .b8 name[24]`.
  void parseParams(ImageEntry &entry) {
    EntryParam param;
    bool isOpen = false;
    for (std::string_view token = lexer.next();; token = lexer.next()) {
      if (token.empty())
        failCandidate("the parameter list of '" + entry.name +
                          "' is not closed",
                      lexer.place(), "')'", "the end of the text");
      if (token == ")" || token == ",") {
        if (isOpen)
          addParam(entry, param);
        else if (token == ",")
          failCandidate("a parameter of '" + entry.name + "' is empty",
                        lexer.place(), ".param <type> <name>");
        isOpen = false;
        param = {};
        if (token == ")")
          return;
      } else if (token == ".param") {
        isOpen = true;
      } else if (token == ".align") {
        lexer.next();
      } else if (int64_t bytes = getTypeBytes(token)) {
        param.type = token;
        param.bytes = bytes;
      } else if (token == "[") {
        std::string_view extent = lexer.next();
        std::optional<int64_t> count = parseNumber(extent);
        if (!count || *count < 0 || *count > 65536)
          failCandidate("a parameter of '" + entry.name +
                            "' has no usable size",
                        lexer.place(), "an array of 0 to 65536 elements",
                        "'" + std::string(extent) + "'");
        param.isArray = true;
        param.bytes *= *count;
        lexer.next();
      }
    }
  }

  void addParam(ImageEntry &entry, const EntryParam &param) {
    if (param.type.empty())
      failCandidate("a parameter of '" + entry.name + "' has no type",
                    lexer.place(), ".param <type> <name>");
    if (entry.params.size() >= 1024)
      failCandidate("'" + entry.name + "' has too many parameters",
                    lexer.place(), "at most 1024");
    entry.params.push_back(param);
  }

  /// Up to three numbers after .reqntid, .maxntid, .reqnctapercluster.
  std::array<int64_t, 3> parseExtents(std::string_view directive,
                                      std::string_view &token) {
    std::array<int64_t, 3> extents = {1, 1, 1};
    for (int i = 0; i < 3; ++i) {
      token = lexer.next();
      std::optional<int64_t> value = parseNumber(token);
      if (!value || *value < 1 || *value > 65536)
        failCandidate(std::string(directive) + " is not a shape", lexer.place(),
                      "one to three numbers", "'" + std::string(token) + "'");
      extents[i] = *value;
      token = lexer.next();
      if (token != ",")
        break;
    }
    return extents;
  }

  void parseEntry() {
    ImageEntry entry;
    entry.name = lexer.next();
    std::string_view token = lexer.next();
    if (token == "(") {
      parseParams(entry);
      token = lexer.next();
    }
    while (token != "{") {
      if (token.empty() || token == ";")
        return; // A declaration; the entry is elsewhere.
      if (token == ".reqntid") {
        entry.requiredBlock = parseExtents(".reqntid", token);
      } else if (token == ".maxntid") {
        auto extents = parseExtents(".maxntid", token);
        entry.maxThreads = extents[0] * extents[1] * extents[2];
      } else if (token == ".reqnctapercluster") {
        entry.requiredCluster = parseExtents(".reqnctapercluster", token);
      } else {
        token = lexer.next();
      }
    }
    Body body;
    skipBody(&body);
    if (info.find(entry.name))
      failCandidate("the entry '" + entry.name + "' is defined twice",
                    lexer.place());
    entry.waitsForDependents = body.words.count("griddepcontrol.wait") != 0;
    info.entries.push_back(std::move(entry));
    bodies.push_back(std::move(body));
  }

  void parseFunction(bool isExtern) {
    // .func (.param .b32 r) name (params) { body } or a declaration.
    std::string_view name;
    int depth = 0;
    for (std::string_view token = lexer.next(); !token.empty();
         token = lexer.next()) {
      if (token == "(") {
        ++depth;
      } else if (token == ")") {
        --depth;
      } else if (depth == 0 && token == ";") {
        if (isExtern)
          externFunctions.emplace(name);
        return;
      } else if (depth == 0 && token == "{") {
        functionBodies.emplace_back();
        skipBody(&functionBodies.back().second);
        functionBodies.back().first = name;
        return;
      } else if (depth == 0 && token[0] != '.' && name.empty()) {
        name = token;
      }
    }
  }

  /// After `.shared`, up to the semicolon: alignment, type, variables.
  void parseShared(bool isExtern, std::vector<SharedVariable> &variables) {
    int64_t elementBytes = 0, lanes = 1;
    SharedVariable variable = {"", 0};
    auto finishVariable = [&] {
      if (!variable.name.empty() && !isExtern)
        variables.push_back(variable);
      variable = {"", 0};
    };
    for (std::string_view token = lexer.next(); token != ";";
         token = lexer.next()) {
      if (token.empty())
        failCandidate("a .shared declaration is not closed", lexer.place(),
                      "';'", "the end of the text");
      if (token == ".align" || token == ".attribute") {
        if (lexer.next() == "(")
          while (!token.empty() && token != ")")
            token = lexer.next();
      } else if (token == ".v2" || token == ".v4") {
        lanes = token == ".v2" ? 2 : 4;
      } else if (int64_t bytes = getTypeBytes(token)) {
        elementBytes = bytes;
      } else if (token == "[") {
        std::string_view extent = lexer.next();
        if (extent == "]") {
          variable.bytes = 0;
          continue;
        }
        std::optional<int64_t> count = parseNumber(extent);
        if (!count || *count < 0 ||
            __builtin_mul_overflow(variable.bytes, *count, &variable.bytes) ||
            variable.bytes > (int64_t(1) << 40))
          failCandidate("a .shared array has no usable size", lexer.place(),
                        "a number of elements",
                        "'" + std::string(extent) + "'");
        lexer.next();
      } else if (token == ",") {
        finishVariable();
      } else if (token[0] != '.' && variable.name.empty()) {
        variable = {std::string(token), elementBytes * lanes};
      }
    }
    finishVariable();
  }

  /// After the opening brace.
  void skipBody(Body *body) {
    size_t depth = 1;
    bool isExtern = false;
    while (depth) {
      std::string_view token = lexer.next();
      if (token.empty())
        failCandidate("a body is not closed", lexer.place(), "'}'",
                      "the end of the text", "the file may be cut off");
      if (token == "{") {
        ++depth;
      } else if (token == "}") {
        --depth;
      } else if (body && token == ".shared") {
        parseShared(isExtern, body->shared);
      } else if (body && token[0] != '.' && token[0] != '%') {
        body->words.emplace(token);
      }
      isExtern = token == ".extern";
    }
  }

  void finish() {
    if (!hasVersion)
      failCandidate("this is no PTX: it has no .version", where,
                    ".version 6.0 to 9.0");
    if (info.target.empty())
      failCandidate("the PTX names no target", where, ".target sm_90a");
    if (!hasAddressSize)
      failCandidate("the PTX is not for 64-bit addresses", where,
                    ".address_size 64", "no .address_size");
    for (size_t i = 0; i < info.entries.size(); ++i)
      finishEntry(info.entries[i], bodies[i]);
  }

  /// Adds shared variables and functions reached through calls.
  void finishEntry(ImageEntry &entry, const Body &own) {
    std::set<std::string_view> reached;
    std::vector<const Body *> work = {&own};
    std::set<std::string_view> shared;
    while (!work.empty()) {
      const Body *body = work.back();
      work.pop_back();
      for (const SharedVariable &variable : body->shared)
        entry.staticShared += variable.bytes;
      if (body->words.count("griddepcontrol.wait"))
        entry.waitsForDependents = true;
      for (const SharedVariable &variable : moduleShared)
        if (body->words.count(variable.name) &&
            shared.insert(variable.name).second)
          entry.staticShared += variable.bytes;
      for (const std::string &name : externFunctions)
        if (body->words.count(name) && !isProvided(name))
          failCandidate(
              "'" + entry.name +
                  "' calls a function that the file "
                  "does not define",
              where, "every function defined in the file", "'" + name + "'",
              name.starts_with("__nv_") ? "link libdevice when compiling it"
                                        : "link it into the PTX");
      for (const auto &[name, callee] : functionBodies)
        if (body->words.count(name) && reached.insert(name).second)
          work.push_back(&callee);
    }
  }

  /// System calls that the driver itself resolves.
  static bool isProvided(std::string_view name) {
    return name == "vprintf" || name == "malloc" || name == "free" ||
           name == "__assertfail";
  }

  PtxLexer lexer;
  std::string_view where;
  ImageInfo info;
  std::vector<Body> bodies;
  std::vector<SharedVariable> moduleShared;
  std::vector<std::pair<std::string_view, Body>> functionBodies;
  std::set<std::string> externFunctions;
  bool hasVersion = false, hasAddressSize = false;
};

struct ArchName {
  int64_t number = 0;
  char suffix = 0; ///< 'a', 'f' or none
};

std::optional<ArchName> parseArch(std::string_view text) {
  if (!text.starts_with("sm_"))
    return std::nullopt;
  text.remove_prefix(3);
  ArchName arch;
  if (!text.empty() && (text.back() == 'a' || text.back() == 'f')) {
    arch.suffix = text.back();
    text.remove_suffix(1);
  }
  std::optional<int64_t> number = parseNumber(text);
  if (!number || *number < 10 || *number > 999)
    return std::nullopt;
  arch.number = *number;
  return arch;
}

} // namespace

ImageInfo fk::parsePtx(std::string_view text, std::string_view where) {
  if (text.find('\0') != std::string_view::npos)
    failCandidate("this is no PTX text: it holds a NUL byte", where, "text",
                  "binary data", "a cubin's name ends in .cubin");
  return PtxParser(text, where).parse();
}

void fk::checkTarget(std::string_view imageKind, std::string_view imageTarget,
                     std::string_view archText, std::string_view where) {
  std::optional<ArchName> image = parseArch(imageTarget);
  std::optional<ArchName> arch = parseArch(archText);
  if (!arch)
    failCandidate("unknown architecture", where, "a name such as sm_90a",
                  "'" + std::string(archText) + "'");
  if (!image)
    failCandidate("the image names no known target", where,
                  "a name such as sm_90a",
                  "'" + std::string(imageTarget) + "'");
  bool fits;
  std::string wanted;
  int64_t major = arch->number / 10;
  if (imageKind == "ptx" && image->suffix == 0) {
    fits = image->number <= arch->number;
    wanted = "sm_" + std::to_string(arch->number) + " or older";
  } else if (image->suffix == 'a') {
    fits = imageTarget == archText;
    wanted = archText;
  } else {
    // Machine code and family targets run on the same major version, from the
    // minor one they name.
    fits = image->number / 10 == major && image->number <= arch->number;
    wanted = "code for " + std::string(archText);
  }
  if (!fits)
    failCandidate("the " + std::string(imageKind) + " is for another GPU",
                  where, wanted, std::string(imageTarget),
                  "compile it for " + std::string(archText));
}
