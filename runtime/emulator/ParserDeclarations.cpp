//===- ParserDeclarations.cpp - Variables and registers of PTX ------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Parser.h"

#include <bit>
#include <cstring>

using namespace fk;
using namespace fk::ptx;

//===----------------------------------------------------------------------===//
// Types and extents
//===----------------------------------------------------------------------===//

bool Parser::parseAttribute() {
  if (!expect('(', "after .attribute"))
    return false;
  do {
    if (accept(".managed"))
      continue;
    if (!accept(".unified"))
      return error(current.location,
                   "wanted .managed or .unified, got " + describe(current));
    uint64_t id;
    if (!expect('(', "after .unified") ||
        !expectNumber(id, UINT64_MAX, "a number of .unified") ||
        !expect(',', "between the numbers of .unified") ||
        !expectNumber(id, UINT64_MAX, "a number of .unified") ||
        !expect(')', "after .unified"))
      return false;
  } while (accept(','));
  return expect(')', "after .attribute");
}

bool Parser::parseDeclaration(Variable &variable, Shape &shape) {
  bool hasAlignment = false;
  auto parseAlignment = [&](uint64_t &alignment) {
    Location location = current.location;
    if (!expectNumber(alignment, uint64_t(1) << 20,
                      "an alignment up to 1048576"))
      return false;
    if (std::has_single_bit(alignment))
      return true;
    error(location, "the alignment is no power of two");
    alignment = 1;
    return true;
  };
  for (; current.kind == TokenKind::Dotted;) {
    Token token = take();
    if (token.text == ".align") {
      hasAlignment = true;
      if (!parseAlignment(variable.alignment))
        return false;
    } else if (token.text == ".attribute") {
      if (!parseAttribute())
        return false;
    } else if (token.text == ".v2" || token.text == ".v4") {
      shape.lanes = token.text == ".v2" ? 2 : 4;
    } else if (token.text == ".ptr" && variable.space == StateSpace::Param) {
      // Of the target it tells no more than an optimiser could use.
      variable.isPointer = true;
      if (!accept(".global") && !accept(".shared") && !accept(".const"))
        accept(".local");
      uint64_t alignment;
      if (accept(".align") && !parseAlignment(alignment))
        return false;
    } else if (Type type = parseType(token.text.substr(1));
               type != Type::None && variable.type == Type::None) {
      variable.type = type;
    } else {
      return error(token.location,
                   "wanted a type such as .b32, got " + describe(token));
    }
  }
  if (variable.type == Type::None)
    return error(current.location,
                 "wanted a type such as .b32, got " + describe(current));
  size_t bytes = getSizeInBytes(variable.type) * shape.lanes;
  if (!hasAlignment)
    variable.alignment = bytes;
  return true;
}

/// `[4][2]`, `[]`
bool Parser::parseExtents(Shape &shape) {
  constexpr size_t mostDimensions = 16;
  while (current.is('[')) {
    Location location = take().location;
    uint64_t extent = 0;
    if (shape.extents.size() >= mostDimensions)
      return error(location, "the array has more than 16 dimensions");
    if (!current.is(']')) {
      if (!expectNumber(extent, maxVariableBytes,
                        "a number of elements up to 1099511627776"))
        return false;
    } else if (!shape.extents.empty()) {
      return error(current.location, "only the first dimension may be []");
    } else {
      extent = UINT64_MAX; // [] until an initialiser tells.
    }
    if (!expect(']', "after the size of an array"))
      return false;
    shape.extents.push_back(extent);
  }
  return true;
}

bool Parser::setSize(Variable &variable, const Shape &shape,
                     Location location) {
  variable.isArray = !shape.extents.empty();
  variable.bytes = getSizeInBytes(variable.type) * shape.lanes;
  for (uint64_t extent : shape.extents) {
    uint64_t count = extent == UINT64_MAX ? 0 : extent;
    if (__builtin_mul_overflow(variable.bytes, count, &variable.bytes) ||
        variable.bytes > maxVariableBytes) {
      variable.bytes = 0;
      return error(location, "the array is too large: wanted at most 1 TiB");
    }
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

/// `.reg .b32 %r<12>, x;`
bool Parser::parseRegisters() {
  Variable variable;
  Shape shape;
  if (!parseDeclaration(variable, shape))
    return false;
  if (accept(';')) // As ptxas does.
    return true;
  do {
    Location location = current.location;
    std::string_view name;
    if (!expectWord(name, "the name of a register"))
      return false;
    if (!accept('<')) {
      Symbol symbol;
      symbol.kind = Symbol::Kind::Register;
      symbol.lanes = shape.lanes;
      symbol.location = location;
      symbol.index = static_cast<uint32_t>(function.registers.size());
      if (declare(name, symbol))
        addRegisters(name, variable.type, shape.lanes, location);
      continue;
    }
    Range range;
    range.type = variable.type;
    range.lanes = shape.lanes;
    range.depth = static_cast<uint16_t>(scopes.size());
    range.location = location;
    if (!expectNumber(range.count, INT32_MAX,
                      "a number of registers up to 2147483647") ||
        !expect('>', "after the number of registers"))
      return false;
    std::vector<Range> &stack = ranges[name];
    if (!stack.empty() && stack.back().depth == range.depth) {
      error(location, "'" + std::string(name) +
                          "<...>' is declared twice: first at line " +
                          std::to_string(stack.back().location.line));
      continue;
    }
    stack.push_back(range);
    scopes.back().ranges.push_back(name);
    ++rangeEpoch;
  } while (accept(','));
  return expectSemicolon("after the registers");
}

//===----------------------------------------------------------------------===//
// Variables
//===----------------------------------------------------------------------===//

/// After the state space, up to the semicolon.
bool Parser::parseVariables(StateSpace space, const Linkage &linkage) {
  Variable variable;
  Shape shape;
  variable.space = space;
  variable.isExtern = linkage.isExtern;
  if (!parseDeclaration(variable, shape))
    return false;
  if (variable.type == Type::Pred)
    error(current.location, "a predicate outside a register");
  if (accept(';')) // As ptxas does.
    return true;
  do {
    if (!parseVariable(variable, shape, linkage))
      return false;
  } while (accept(','));
  return expectSemicolon("after the variables");
}

bool Parser::parseVariable(Variable variable, Shape shape,
                           const Linkage &linkage) {
  Location location = variable.location = current.location;
  std::string_view name;
  if (!expectWord(name, "the name of a variable"))
    return false;
  uint64_t count = 0;
  bool isRange = accept('<');
  if (isRange) {
    if (!expectNumber(count, maxRangeVariables - rangeVariables,
                      "a number of variables, at most 65536 in all,") ||
        !expect('>', "after the number of variables"))
      return false;
    rangeVariables += count;
  }
  if (!parseExtents(shape))
    return false;
  bool hasSize = setSize(variable, shape, location);
  if (current.is('=')) {
    Location equals = take().location;
    bool canInit = variable.space == StateSpace::Global ||
                   variable.space == StateSpace::Const;
    if (!canInit || isRange || linkage.isExtern) {
      error(equals, "'" + std::string(name) + "' cannot have an initial value");
      Variable ignored;
      ignored.type = variable.type;
      ignored.bytes = variable.bytes;
      if (!parseInit(ignored, shape))
        return false;
    } else if (!parseInit(variable, shape)) {
      return false;
    }
  } else if (hasSize && variable.bytes == 0 && !linkage.isExtern) {
    error(location, "'" + std::string(name) +
                        "' has no size: wanted a number of elements, or "
                        ".extern");
  }
  if (!isRange) {
    declareVariable(std::move(variable), name, linkage);
    return true;
  }
  for (uint64_t i = 0; i < count; ++i) {
    // The symbol table refers to the text, which does not hold these names.
    const std::string &stored =
        rangeNames.emplace_back(std::string(name) + std::to_string(i));
    declareVariable(variable, stored, linkage);
  }
  return true;
}

void Parser::declareVariable(Variable variable, std::string_view name,
                             const Linkage &linkage) {
  Symbol symbol;
  symbol.location = variable.location;
  variable.name = name;
  // A .global inside a function is of the module but for its name.
  bool isModules = scopes.empty() || variable.space == StateSpace::Global ||
                   variable.space == StateSpace::Const;
  symbol.kind = isModules ? Symbol::Kind::Global : Symbol::Kind::Variable;
  std::vector<Variable> &list =
      isModules ? module.variables : function.variables;
  symbol.index = static_cast<uint32_t>(list.size());
  // A declaration may come first, or again.
  if (const Symbol *found = lookup(name); found &&
                                          found->depth == scopes.size() &&
                                          found->kind == Symbol::Kind::Global) {
    Variable &known = module.variables[found->index];
    if (known.space == variable.space && known.type == variable.type &&
        (known.isExtern || linkage.isExtern)) {
      if (!linkage.isExtern)
        known = std::move(variable);
      return;
    }
  }
  if (declare(name, symbol))
    list.push_back(std::move(variable));
}

//===----------------------------------------------------------------------===//
// Initial values
//===----------------------------------------------------------------------===//

/// After `=`. Nested braces follow the extents, then the lanes of a vector;
/// what is not given is zero.
bool Parser::parseInit(Variable &variable, Shape &shape) {
  if (variable.type == Type::Opaque)
    return parseSamplerInit();
  std::vector<uint64_t> extents = shape.extents;
  if (shape.lanes > 1)
    extents.push_back(shape.lanes);
  uint64_t element = getSizeInBytes(variable.type);
  if (extents.empty()) {
    if (current.is('{'))
      return error(current.location, "braces around the initial value of a "
                                     "variable that is no array");
    return parseInitElement(variable, 0) && (finishInit(variable), true);
  }
  // Bytes of one element of each level.
  std::vector<uint64_t> strides(extents.size(), element);
  for (size_t i = extents.size() - 1; i-- > 0;)
    strides[i] = strides[i + 1] * extents[i + 1];
  struct Level {
    uint64_t begin, index;
  };
  std::vector<Level> levels;
  if (!expect('{', "before the initial values of an array"))
    return false;
  ++openBraces;
  levels.push_back({0, 0});
  uint64_t filled = 0;
  bool isFirst = true;
  while (!levels.empty()) {
    size_t depth = levels.size() - 1;
    Level &level = levels.back();
    if (isFirst ? current.is('}') : !current.is(',')) {
      if (depth == 0)
        filled = level.index;
      if (!expect('}', "after the initial values"))
        return false;
      --openBraces;
      levels.pop_back();
      isFirst = false;
      continue;
    }
    if (!isFirst)
      take();
    isFirst = false;
    if (level.index >= extents[depth])
      return error(current.location,
                   "more initial values than the array has elements: wanted "
                   "at most " +
                       std::to_string(extents[depth]));
    uint64_t offset = level.begin + level.index++ * strides[depth];
    if (offset > maxInitBytes)
      return error(current.location, "the initial values are too many: wanted "
                                     "at most 64 MiB");
    if (depth + 1 < extents.size()) {
      if (!expect('{', "before the elements of an inner array"))
        return false;
      ++openBraces;
      levels.push_back({offset, 0});
      isFirst = true;
      continue;
    }
    if (!parseInitElement(variable, offset))
      return false;
  }
  if (extents[0] == UINT64_MAX) {
    shape.extents[0] = filled;
    setSize(variable, shape, variable.location);
  }
  finishInit(variable);
  return true;
}

/// Room for `bytes` at `offset`.
bool Parser::growInit(Variable &variable, uint64_t offset, uint64_t bytes,
                      Location location) {
  if (offset + bytes <= variable.init.size())
    return true;
  initBytes += offset + bytes - variable.init.size();
  if (initBytes > maxInitBytes) {
    initBytes = maxInitBytes;
    return error(location,
                 "the initial values are too many: wanted at most 64 MiB");
  }
  variable.init.resize(offset + bytes);
  return true;
}

/// Zeros what was not given.
void Parser::finishInit(Variable &variable) {
  growInit(variable, 0, variable.bytes, variable.location);
}

bool Parser::parseInitElement(Variable &variable, uint64_t offset) {
  Location location = current.location;
  if (current.kind == TokenKind::Word && current.text != "WARP_SZ")
    return parseInitSymbol(variable, offset);
  if (current.isInteger() && following.is('('))
    return parseInitMask(variable, offset);
  Constant value;
  if (!parseConstant(value))
    return false;
  storeInit(variable, offset, value, location);
  return true;
}

void Parser::storeInit(Variable &variable, uint64_t offset,
                       const Constant &value, Location location) {
  size_t bytes = getSizeInBytes(variable.type);
  uint64_t bits = value.bits;
  auto asSingle = [&] {
    if (value.kind == Constant::Kind::Single)
      return value.bits;
    return uint64_t(
        std::bit_cast<uint32_t>(static_cast<float>(value.toDouble())));
  };
  switch (variable.type) {
  case Type::F32:
  case Type::F64:
    if (value.isInteger()) {
      error(location, "wanted a floating-point literal, got an integer");
      return;
    }
    bits = variable.type == Type::F32
               ? asSingle()
               : std::bit_cast<uint64_t>(value.toDouble());
    break;
  case Type::B8:
  case Type::B16:
  case Type::B32:
  case Type::B64:
    // Bits of the width of the type.
    if (!value.isInteger()) {
      if (bytes == 4)
        bits = asSingle();
      else if (bytes == 8)
        bits = std::bit_cast<uint64_t>(value.toDouble());
      else
        error(location, "wanted an integer, got a floating-point literal");
    }
    break;
  case Type::U8:
  case Type::U16:
  case Type::U32:
  case Type::U64:
  case Type::S8:
  case Type::S16:
  case Type::S32:
  case Type::S64:
    if (!value.isInteger())
      error(location, "wanted an integer, got a floating-point literal");
    break;
  default:
    error(location, "a ." + std::string(getName(variable.type)) +
                        " variable cannot have an initial value");
    return;
  }
  if (growInit(variable, offset, bytes, location))
    std::memcpy(variable.init.data() + offset, &bits, bytes);
}

/// `foo`, `foo+8`, `generic(foo)`, `generic(foo)+8`
bool Parser::parseInitSymbol(Variable &variable, uint64_t offset) {
  Variable::Relocation relocation;
  Location location = current.location;
  if (!parseSymbolValue(relocation))
    return false;
  size_t bytes = getSizeInBytes(variable.type);
  if (variable.type < Type::B8 || variable.type > Type::S64 || bytes < 4 ||
      bytes > 8) {
    error(location, "an address does not fit a ." +
                        std::string(getName(variable.type)) +
                        ": wanted .u64, .u32 or .b8 with masks");
    return true;
  }
  relocation.offset = offset;
  relocation.bytes = static_cast<uint8_t>(bytes);
  if (growInit(variable, offset, bytes, location))
    variable.relocations.push_back(std::move(relocation));
  return true;
}

bool Parser::parseSymbolValue(Variable::Relocation &relocation) {
  bool isGeneric = current.text == "generic" && following.is('(');
  if (isGeneric) {
    take();
    take();
  }
  Location location = current.location;
  std::string_view name;
  if (!expectWord(name, "a variable or a function"))
    return false;
  const Symbol *symbol = lookup(name);
  if (!symbol || (symbol->kind != Symbol::Kind::Global &&
                  symbol->kind != Symbol::Kind::Function))
    error(location, "unknown variable or function '" + std::string(name) + "'");
  if (isGeneric && !expect(')', "after generic"))
    return false;
  relocation.symbol = name;
  relocation.isGeneric = isGeneric;
  if (accept('+') && !parseInteger(relocation.addend))
    return false;
  return true;
}

/// `0xFF00(foo)`: one byte of an address.
bool Parser::parseInitMask(Variable &variable, uint64_t offset) {
  Token mask = take();
  take(); // (
  Variable::Relocation relocation;
  relocation.offset = offset;
  relocation.bytes = 1;
  relocation.shift = static_cast<uint8_t>(std::countr_zero(mask.bits) & 63);
  if (mask.bits != uint64_t(0xff) << relocation.shift ||
      relocation.shift % 8 != 0)
    error(mask.location,
          "wanted a mask of one byte such as 0xFF00, got " + describe(mask));
  if (getSizeInBytes(variable.type) != 1)
    error(mask.location, "a masked address is of an array of bytes");
  Location location = current.location;
  if (!parseSymbolValue(relocation) || !expect(')', "after a masked address"))
    return false;
  if (growInit(variable, offset, 1, location))
    variable.relocations.push_back(std::move(relocation));
  return true;
}

/// `{ addr_mode_0 = clamp_to_edge, force_unnormalized_coords = 1 }`
bool Parser::parseSamplerInit() {
  if (!expect('{', "before the fields of a sampler"))
    return false;
  ++openBraces;
  do {
    std::string_view field;
    if (!expectWord(field, "a field of a sampler") ||
        !expect('=', "after the field of a sampler"))
      return false;
    if (current.kind != TokenKind::Word && !current.isInteger())
      return error(current.location,
                   "wanted the value of a field, got " + describe(current));
    take();
  } while (accept(','));
  if (!expect('}', "after the fields of a sampler"))
    return false;
  --openBraces;
  return true;
}
