//===- ParserFunctions.cpp - Functions and their bodies in PTX ------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Parser.h"

using namespace fk;
using namespace fk::ptx;

//===----------------------------------------------------------------------===//
// Headers
//===----------------------------------------------------------------------===//

/// After .entry or .func.
bool Parser::parseFunction(bool isEntry, const Linkage &linkage) {
  function = Function();
  function.isEntry = isEntry;
  function.isVisible = linkage.isVisible;
  function.isWeak = linkage.isWeak;
  function.isExtern = linkage.isExtern;
  labelUses.clear();
  openScope(current.location);
  bool isRight = parseFunctionInScope();
  // Most often one is open; a body that failed leaves more.
  while (!scopes.empty())
    closeScope();
  if (!isRight) {
    skipFunction();
    return true;
  }
  resolveLabels();
  if (functionIndex != UINT32_MAX)
    module.functions[functionIndex] = std::move(function);
  return true;
}

/// Behind the rest of a function whose header is wrong.
void Parser::skipFunction() {
  while (!isAtEnd() && !current.is('{')) {
    if (accept(';'))
      return;
    take();
  }
  size_t depth = 0;
  while (!isAtEnd()) {
    Token token = take();
    if (token.is('{'))
      ++depth;
    else if (token.is('}') && --depth == 0)
      return;
  }
}

bool Parser::parseFunctionInScope() {
  functionIndex = UINT32_MAX;
  if (accept(".attribute") && !parseAttribute())
    return false;
  if (!function.isEntry && current.is('(') &&
      !parseParams(function.returnParams, &function.returnRegisters,
                   Symbol::Kind::ReturnParam))
    return false;
  function.location = current.location;
  std::string_view name;
  if (!expectWord(name, "the name of a function"))
    return false;
  function.name = name;
  if (current.is('(') && !parseParams(function.params, &function.paramRegisters,
                                      Symbol::Kind::Param))
    return false;
  if (!parseFunctionDirectives())
    return false;
  function.isDeclaration = !current.is('{');
  registerFunction(name);
  if (!function.isDeclaration) {
    if (!parseBody())
      // Labels may have stood in what was not read.
      for (Scope &scope : scopes)
        scope.uses.clear();
    return true;
  }
  if (accept(';'))
    return true;
  return error(current.location, "wanted '{' or ';' after the header of '" +
                                     function.name + "', got " +
                                     describe(current));
}

/// Gives the function its place in the module, so that its body can call it.
void Parser::registerFunction(std::string_view name) {
  auto fail = [&](std::string message) {
    error(function.location, std::move(message));
  };
  if (auto it = names.find(name); it != names.end()) {
    const Symbol &symbol = it->second;
    std::string first =
        ": first at line " + std::to_string(symbol.location.line);
    if (symbol.kind != Symbol::Kind::Function)
      return fail("'" + function.name + "' is declared twice" + first);
    Function &known = module.functions[symbol.index];
    if (!known.isDeclaration && !function.isDeclaration)
      return fail("'" + function.name + "' is defined twice" + first);
    if (known.isEntry != function.isEntry ||
        known.params.size() != function.params.size() ||
        known.returnParams.size() != function.returnParams.size())
      return fail("'" + function.name + "' is declared in two ways" + first);
    if (known.isDeclaration && !function.isDeclaration)
      functionIndex = symbol.index;
    return;
  }
  functionIndex = static_cast<uint32_t>(module.functions.size());
  Function placeholder;
  placeholder.name = function.name;
  placeholder.isEntry = function.isEntry;
  placeholder.isDeclaration = function.isDeclaration;
  module.functions.push_back(std::move(placeholder));
  Symbol symbol;
  symbol.kind = Symbol::Kind::Function;
  symbol.index = functionIndex;
  symbol.location = function.location;
  bind(name, symbol);
}

/// `(.param .u64 .ptr .align 16 a, .reg .b32 b)`; `registers` is nullptr for a
/// prototype, which declares nothing.
bool Parser::parseParams(std::vector<Variable> &params,
                         std::vector<uint32_t> *registers, Symbol::Kind kind) {
  if (!expect('(', "before the parameters"))
    return false;
  if (accept(')'))
    return true;
  do {
    Variable param;
    Shape shape;
    bool isRegister = current.isDotted(".reg");
    if ((!isRegister && !current.isDotted(".param")) ||
        (isRegister && function.isEntry && registers))
      return error(current.location,
                   "wanted a parameter such as .param .u64 a, got " +
                       describe(current));
    take();
    param.space = isRegister ? StateSpace::None : StateSpace::Param;
    if (!parseDeclaration(param, shape))
      return false;
    Location location = param.location = current.location;
    std::string_view name;
    if (!expectWord(name, "the name of a parameter") || !parseExtents(shape))
      return false;
    param.name = name;
    if (setSize(param, shape, location) && param.bytes > maxParamBytes)
      error(location, "the parameter is too large: wanted at most 65536 bytes, "
                      "got " +
                          std::to_string(param.bytes));
    if (params.size() >= maxParams)
      return error(location, "too many parameters: wanted at most 1024");
    if (registers) {
      Symbol symbol;
      symbol.location = location;
      symbol.kind = isRegister ? Symbol::Kind::Register : kind;
      symbol.lanes = isRegister ? shape.lanes : 1;
      symbol.index = static_cast<uint32_t>(
          isRegister ? function.registers.size() : params.size());
      registers->push_back(isRegister ? symbol.index : UINT32_MAX);
      if (name == "_" || !declare(name, symbol))
        symbol.lanes = 1;
      if (isRegister)
        addRegisters(name, param.type, symbol.lanes, location);
    }
    params.push_back(std::move(param));
  } while (accept(','));
  return expect(')', "after the parameters");
}

/// Up to three numbers after .reqntid and its like.
bool Parser::parseExtentList(std::array<uint32_t, 3> &extents,
                             std::string_view directive) {
  extents = {1, 1, 1};
  for (int i = 0; i < 3; ++i) {
    if (!current.isInteger() || current.bits < 1 || current.bits > 65536)
      return error(current.location,
                   std::string(directive) +
                       " is not a shape: wanted one to three numbers from 1 to "
                       "65536, got " +
                       describe(current));
    extents[i] = static_cast<uint32_t>(take().bits);
    if (!accept(','))
      break;
  }
  return true;
}

bool Parser::parseFunctionDirectives() {
  while (current.kind == TokenKind::Dotted) {
    Token token = take();
    std::string_view text = token.text;
    std::array<uint32_t, 3> extents;
    uint64_t number;
    if (text == ".reqntid" || text == ".maxntid" ||
        text == ".reqnctapercluster") {
      if (!parseExtentList(extents, text))
        return false;
      (text == ".reqntid"   ? function.requiredBlock
       : text == ".maxntid" ? function.maxBlock
                            : function.requiredCluster) = extents;
    } else if (text == ".minnctapersm" || text == ".maxnctapersm" ||
               text == ".maxnreg" || text == ".maxclusterrank" ||
               text == ".abi_preserve" || text == ".abi_preserve_control") {
      if (!expectNumber(number, UINT32_MAX,
                        "a number after " + std::string(text)))
        return false;
    } else if (text == ".noreturn") {
      function.isNoReturn = true;
    } else if (text == ".explicitcluster") {
      function.isExplicitCluster = true;
    } else if (text == ".pragma") {
      if (!parsePragma())
        return false;
    } else if (text == ".attribute") {
      if (!parseAttribute())
        return false;
    } else if (text != ".blocksareclusters") {
      return error(token.location,
                   "unknown directive " + describe(token) + " of a function");
    }
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

/// At `{`. False where the body has no end, which has been reported.
bool Parser::parseBody() {
  Location start = take().location;
  while (!isAtEnd()) {
    openBraces = 0;
    if (current.is('{')) {
      if (scopes.size() >= maxScopes) {
        isFatal = true;
        error(current.location, "scopes are nested too deep: wanted at most " +
                                    std::to_string(maxScopes));
        return false;
      }
      openScope(take().location);
      continue;
    }
    if (accept('}')) {
      if (scopes.size() == 1)
        return true;
      closeScope();
      continue;
    }
    if (startsFunction()) {
      error(current.location, "the body of '" + function.name +
                                  "' is not closed: wanted '}' before " +
                                  describe(current));
      return false;
    }
    if (!parseStatement())
      recover();
  }
  if (!diagnostics.isFull())
    error(current.location,
          "the body of '" + function.name +
              "' is not closed: wanted '}' for the '{' of line " +
              std::to_string(start.line) + ", got the end of the text");
  return false;
}

bool Parser::startsFunction() const {
  auto isFunction = [](const Token &token) {
    return token.isDotted(".entry") || token.isDotted(".func");
  };
  return isFunction(current) || current.isDotted(".visible") ||
         ((current.isDotted(".weak") || current.isDotted(".extern")) &&
          isFunction(following));
}

bool Parser::parseStatement() {
  if (current.kind == TokenKind::Dotted)
    return parseBodyDirective();
  if (current.kind == TokenKind::Word && following.is(':'))
    return parseLabel();
  return parseInstruction();
}

bool Parser::parseBodyDirective() {
  if (accept(".reg"))
    return parseRegisters();
  if (accept(".loc"))
    return parseLoc();
  if (accept(".pragma"))
    return parsePragma();
  if (accept(".file"))
    return parseFile();
  Linkage linkage;
  if (!parseLinkage(linkage))
    return false;
  for (auto [text, space] : {std::pair(".local", StateSpace::Local),
                             std::pair(".shared", StateSpace::Shared),
                             std::pair(".param", StateSpace::Param),
                             std::pair(".global", StateSpace::Global),
                             std::pair(".const", StateSpace::Const)})
    if (accept(text))
      return parseVariables(space, linkage);
  if (current.kind != TokenKind::Dotted)
    return error(current.location,
                 "wanted a state space such as .shared, got " +
                     describe(current));
  return error(current.location, "unknown directive " + describe(current));
}

bool Parser::parseLabel() {
  Token name = take();
  take(); // :
  LabelSymbol label;
  label.location = name.location;
  if (current.isDotted(".branchtargets") || current.isDotted(".calltargets") ||
      current.isDotted(".callprototype"))
    return parseLabelDirective(name.text, label);
  label.index = static_cast<uint32_t>(function.instructions.size());
  declareLabel(name.text, label);
  return true;
}

bool Parser::parseLabelDirective(std::string_view name, LabelSymbol label) {
  std::string_view directive = take().text;
  if (directive == ".branchtargets") {
    label.kind = Operand::Kind::Table;
    label.index = static_cast<uint32_t>(function.branchTargets.size());
    std::vector<uint32_t> &table = function.branchTargets.emplace_back();
    do {
      Location location = current.location;
      std::string_view target;
      if (!expectWord(target, "a label"))
        return false;
      table.push_back(useLabel(target, "label", location));
    } while (accept(','));
  } else {
    label.kind = Operand::Kind::Prototype;
    label.index = static_cast<uint32_t>(function.prototypes.size());
    Function::Prototype &prototype = function.prototypes.emplace_back();
    if (directive == ".callprototype") {
      if (!parsePrototype(prototype))
        return false;
    } else {
      do {
        Location location = current.location;
        std::string_view target;
        if (!expectWord(target, "a function"))
          return false;
        const Symbol *symbol = lookup(target);
        if (!symbol || symbol->kind != Symbol::Kind::Function)
          error(location, "unknown function '" + std::string(target) + "'");
        prototype.targets.emplace_back(target);
      } while (accept(','));
    }
  }
  declareLabel(name, label);
  return expectSemicolon("after " + std::string(directive));
}

/// `(.param .b32 _) _ (.param .b64 _) .noreturn`
bool Parser::parsePrototype(Function::Prototype &prototype) {
  if (current.is('(') &&
      !parseParams(prototype.returnParams, nullptr, Symbol::Kind::ReturnParam))
    return false;
  std::string_view name;
  if (!expectWord(name, "'_' in place of a function's name"))
    return false;
  if (current.is('(') &&
      !parseParams(prototype.params, nullptr, Symbol::Kind::Param))
    return false;
  while (!current.is(';')) {
    if (accept(".noreturn"))
      continue;
    uint64_t number;
    if (!accept(".abi_preserve") && !accept(".abi_preserve_control"))
      break;
    if (!expectNumber(number, UINT32_MAX, "a number of registers"))
      return false;
  }
  return true;
}
