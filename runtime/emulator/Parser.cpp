//===- Parser.cpp - Tokens and module-level statements of PTX -------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Parser.h"

#include <algorithm>
#include <charconv>

using namespace fk;
using namespace fk::ptx;

static Location getLocation(std::string_view text, size_t offset) {
  std::string_view before = text.substr(0, offset);
  size_t lineStart = before.rfind('\n') + 1; // npos + 1 is 0.
  return {static_cast<uint32_t>(1 + std::ranges::count(before, '\n')),
          static_cast<uint32_t>(1 + offset - lineStart)};
}

Module fk::ptx::parse(std::string_view text, std::string_view file) {
  size_t nul = text.substr(0, maxTextBytes).find('\0');
  if (text.size() > maxTextBytes)
    throw PtxError(file, {{{1, 1},
                           "the text is too large: wanted at most " +
                               std::to_string(maxTextBytes >> 20) + " MiB"}});
  if (nul != std::string_view::npos)
    throw PtxError(file, {{getLocation(text, nul),
                           "this is no PTX text: it holds a NUL byte (a "
                           "cubin's name ends in .cubin)"}});
  return Parser(text, file).parse();
}

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

Token Parser::take() {
  Token token = current;
  previousEnd = {token.location.line,
                 token.location.column +
                     static_cast<uint32_t>(token.text.size())};
  current = following;
  following = lexer.next();
  return token;
}

bool Parser::accept(char c) {
  if (!current.is(c))
    return false;
  take();
  return true;
}

bool Parser::accept(std::string_view dotted) {
  if (!current.isDotted(dotted))
    return false;
  take();
  return true;
}

std::string Parser::describe(const Token &token) {
  if (token.kind == TokenKind::End)
    return "the end of the text";
  if (token.kind == TokenKind::String)
    return "a string";
  constexpr size_t most = 80;
  if (token.text.size() > most)
    return "'" + std::string(token.text.substr(0, most)) + "...'";
  return "'" + std::string(token.text) + "'";
}

bool Parser::expect(char c, std::string_view context) {
  if (accept(c))
    return true;
  return error(current.location, std::string("wanted '") + c + "' " +
                                     std::string(context) + ", got " +
                                     describe(current));
}

/// A missing one is reported where it belongs, behind the statement; a
/// statement that starts on the next line is then read as if nothing missed.
bool Parser::expectSemicolon(std::string_view context) {
  if (accept(';'))
    return true;
  error(previousEnd,
        "wanted ';' " + std::string(context) + ", got " + describe(current));
  return current.location.line > previousEnd.line;
}

bool Parser::expectWord(std::string_view &word, std::string_view wanted) {
  if (current.kind != TokenKind::Word)
    return error(current.location, "wanted " + std::string(wanted) + ", got " +
                                       describe(current));
  word = take().text;
  return true;
}

bool Parser::expectNumber(uint64_t &value, uint64_t most,
                          std::string_view wanted) {
  if (!current.isInteger() || current.bits > most)
    return error(current.location, "wanted " + std::string(wanted) + ", got " +
                                       describe(current));
  value = take().bits;
  return true;
}

void Parser::recover() {
  size_t depth = openBraces;
  openBraces = 0;
  while (!isAtEnd()) {
    // A label on a line of its own is used elsewhere.
    if (depth == 0 && current.kind == TokenKind::Word && following.is(':') &&
        current.location.line > previousEnd.line)
      return;
    if (current.is('{'))
      ++depth;
    else if (current.is('}') && depth-- == 0)
      return;
    // Not deeper either: a brace that is never closed must not hide the rest.
    if (take().is(';'))
      return;
  }
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

Module Parser::parse() {
  if (parseHeader())
    while (!isAtEnd()) {
      openBraces = 0;
      if (parseModuleStatement())
        continue;
      recover();
      // Nothing of a module is closed by it.
      accept('}');
    }
  if (!diagnostics.isEmpty())
    throw PtxError(file, diagnostics.take());
  resolveAliases();
  return std::move(module);
}

/// Without it nothing else is worth reading: it is another kind of file.
bool Parser::parseHeader() {
  if (!accept(".version"))
    return error(current.location, "this is no PTX: it has no .version: wanted "
                                   ".version 6.0 to 9.0, got " +
                                       describe(current));
  if (!parseVersion())
    return false;
  if (!accept(".target"))
    return error(current.location, "the PTX names no target: wanted .target "
                                   "sm_90a, got " +
                                       describe(current));
  if (!parseTarget())
    return false;
  if (!accept(".address_size"))
    return error(current.location,
                 "the PTX is not for 64-bit addresses: wanted .address_size "
                 "64, got " +
                     describe(current));
  return parseAddressSize();
}

bool Parser::parseVersion() {
  Token token = take();
  std::string_view text = token.text;
  size_t dot = text.find('.');
  auto parsePart = [](std::string_view part, int &value) {
    auto [stop, status] =
        std::from_chars(part.data(), part.data() + part.size(), value);
    return status == std::errc() && stop == part.data() + part.size();
  };
  if (token.kind != TokenKind::Double || dot == std::string_view::npos ||
      !parsePart(text.substr(0, dot), module.versionMajor) ||
      !parsePart(text.substr(dot + 1), module.versionMinor))
    return error(token.location, "the PTX version is not a version: wanted one "
                                 "from 6.0 to 9.0, got " +
                                     describe(token));
  std::string got = ", got version " + std::string(text);
  if (module.versionMajor > 9 ||
      (module.versionMajor == 9 && module.versionMinor > 0))
    return error(token.location,
                 "the PTX is too new: wanted a version up to 9.0 (CUDA 13.0)" +
                     got + " (compile it with CUDA 13.0 or older)");
  if (module.versionMajor < 6)
    return error(token.location,
                 "the PTX is too old: wanted a version from 6.0 to 9.0" + got +
                     " (compile it again with CUDA 9 to 13.0)");
  return true;
}

bool Parser::parseTarget() {
  do {
    Location location = current.location;
    std::string_view name;
    if (!expectWord(name, "a target such as sm_90a"))
      return false;
    if (name.starts_with("sm_")) {
      if (module.target.empty())
        module.target = name;
    } else if (name != "debug" && name != "texmode_unified" &&
               name != "texmode_independent" && name != "map_f64_to_f32") {
      return error(location, "unknown target '" + std::string(name) +
                                 "': wanted sm_90a or the like, debug, "
                                 "texmode_unified, texmode_independent");
    }
  } while (accept(','));
  if (module.target.empty())
    return error(current.location, "the PTX names no target: wanted .target "
                                   "sm_90a");
  return true;
}

bool Parser::parseAddressSize() {
  if (current.isInteger() && current.bits == 64) {
    take();
    return true;
  }
  return error(current.location, "the PTX is not for 64-bit addresses: wanted "
                                 ".address_size 64, got " +
                                     describe(current));
}

/// Space of a directive that declares variables.
static StateSpace getSpace(std::string_view directive) {
  if (directive == ".global")
    return StateSpace::Global;
  if (directive == ".const")
    return StateSpace::Const;
  if (directive == ".shared")
    return StateSpace::Shared;
  return StateSpace::None;
}

bool Parser::parseModuleStatement() {
  if (current.kind != TokenKind::Dotted)
    return error(current.location,
                 "wanted a directive such as .entry or .global, got " +
                     describe(current));
  if (accept(".file"))
    return parseFile();
  if (accept(".loc"))
    return parseLoc();
  if (accept(".section"))
    return parseSection();
  if (accept(".pragma"))
    return parsePragma();
  if (accept(".alias"))
    return parseAlias();
  if (current.text == ".version" || current.text == ".target" ||
      current.text == ".address_size")
    return error(current.location, "'" + std::string(current.text) +
                                       "' stands once, at the start");
  Linkage linkage;
  if (!parseLinkage(linkage))
    return false;
  if (accept(".entry"))
    return parseFunction(/*isEntry=*/true, linkage);
  if (accept(".func"))
    return parseFunction(/*isEntry=*/false, linkage);
  StateSpace space = getSpace(current.text);
  if (space == StateSpace::None) {
    if (current.text == ".local" || current.text == ".param" ||
        current.text == ".reg")
      return error(current.location,
                   "'" + std::string(current.text) + "' outside a function");
    return error(current.location, "unknown directive " + describe(current));
  }
  take();
  return parseVariables(space, linkage);
}

bool Parser::parseLinkage(Linkage &linkage) {
  Location location = current.location;
  unsigned count = 0;
  for (;; ++count) {
    if (accept(".extern"))
      linkage.isExtern = true;
    else if (accept(".visible"))
      linkage.isVisible = true;
    else if (accept(".weak"))
      linkage.isWeak = true;
    else if (accept(".common"))
      linkage.isCommon = true;
    else
      break;
  }
  if (count > 1)
    return error(location, "more than one of .extern, .visible, .weak and "
                           ".common");
  return true;
}

/// `.file 1 "a.cu"[, timestamp, size]`
bool Parser::parseFile() {
  uint64_t number;
  if (!expectNumber(number, UINT32_MAX, "the number of a file"))
    return false;
  if (current.kind != TokenKind::String)
    return error(current.location,
                 "wanted the name of a file, got " + describe(current));
  take();
  for (int i = 0; i < 2 && accept(','); ++i)
    if (!expectNumber(number, UINT64_MAX, "a number"))
      return false;
  return true;
}

/// `.loc 1 2 3[, function_name L[+n], inlined_at 1 2 3]`. It has no `;`.
bool Parser::parseLoc() {
  auto parsePlace = [&] {
    uint64_t number;
    for (int i = 0; i < 3; ++i)
      if (!expectNumber(number, UINT64_MAX, "a file, a line and a column"))
        return false;
    return true;
  };
  if (!parsePlace())
    return false;
  while (accept(',')) {
    Location location = current.location;
    std::string_view word;
    if (!expectWord(word, "function_name or inlined_at"))
      return false;
    if (word == "inlined_at") {
      if (!parsePlace())
        return false;
    } else if (word == "function_name") {
      uint64_t offset;
      if (!expectWord(word, "a label of the debug information"))
        return false;
      if (accept('+') && !expectNumber(offset, UINT64_MAX, "an offset"))
        return false;
    } else {
      return error(location, "wanted function_name or inlined_at, got '" +
                                 std::string(word) + "'");
    }
  }
  return true;
}

/// `.pragma "nounroll", "...";`
bool Parser::parsePragma() {
  do {
    if (current.kind != TokenKind::String)
      return error(current.location,
                   "wanted a string after .pragma, got " + describe(current));
    take();
  } while (accept(','));
  return expectSemicolon("after .pragma");
}

/// `.section .debug_info { .b8 1, 2 ... }`: for debuggers, not for us.
bool Parser::parseSection() {
  Location location = current.location;
  if (current.kind != TokenKind::Word && current.kind != TokenKind::Dotted)
    return error(current.location,
                 "wanted the name of a section, got " + describe(current));
  take();
  if (!expect('{', "after the name of a section"))
    return false;
  while (!isAtEnd() && !current.is('}')) {
    if (current.is('{') || current.is(';') || current.kind == TokenKind::String)
      return error(current.location,
                   "wanted the data of a section, got " + describe(current));
    take();
  }
  if (!accept('}'))
    return error(location, "the section is not closed: wanted '}'");
  return true;
}

/// `.alias f, g;`: f is another name of g.
bool Parser::parseAlias() {
  uint32_t indices[2];
  for (int i = 0; i < 2; ++i) {
    Location location = current.location;
    std::string_view name;
    if (i == 1 && !expect(',', "between the functions of .alias"))
      return false;
    location = current.location;
    if (!expectWord(name, "the name of a function"))
      return false;
    const Symbol *symbol = lookup(name);
    if (!symbol || symbol->kind != Symbol::Kind::Function)
      return error(location, "unknown function '" + std::string(name) + "'");
    indices[i] = symbol->index;
    const Function &found = module.functions[symbol->index];
    if (found.isEntry)
      return error(location, "'" + std::string(name) +
                                 "' is an entry: .alias is of a .func");
    if (found.isDeclaration != (i == 0))
      return error(location, "'" + std::string(name) +
                                 (i == 0 ? "' has a body: an alias has none"
                                         : "' has no body: wanted a function "
                                           "that an alias can stand for"));
  }
  aliases.push_back({indices[0], indices[1]});
  return expectSemicolon("after .alias");
}

void Parser::resolveAliases() {
  if (aliases.empty())
    return;
  std::unordered_map<uint32_t, uint32_t> targets;
  std::unordered_map<std::string_view, std::string_view> targetNames;
  for (const Alias &alias : aliases) {
    targets[alias.alias] = alias.target;
    targetNames[module.functions[alias.alias].name] =
        module.functions[alias.target].name;
  }
  // Calls stand at the top of an instruction's operands, addresses too.
  for (Function &each : module.functions)
    for (Instruction &instruction : each.instructions)
      for (Operand &operand : instruction.operands)
        if (operand.kind == Operand::Kind::Function)
          if (auto it = targets.find(operand.index); it != targets.end())
            operand.index = it->second;
  for (Variable &variable : module.variables)
    for (Variable::Relocation &relocation : variable.relocations)
      if (auto it = targetNames.find(relocation.symbol);
          it != targetNames.end())
        relocation.symbol = it->second;
}
