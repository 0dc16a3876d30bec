//===- ParserOperands.cpp - Instructions of PTX ---------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Parser.h"

#include <algorithm>
#include <charconv>

using namespace fk;
using namespace fk::ptx;

using Kind = Operand::Kind;

//===----------------------------------------------------------------------===//
// Special registers
//===----------------------------------------------------------------------===//

static bool isVectorSpecial(std::string_view name) {
  static constexpr std::string_view vectors[] = {
      "tid",       "ntid",       "ctaid",         "nctaid",
      "clusterid", "nclusterid", "cluster_ctaid", "cluster_nctaid"};
  return std::ranges::find(vectors, name) != std::end(vectors);
}

/// `name` without the %.
static bool isScalarSpecial(std::string_view name) {
  static constexpr std::string_view scalars[] = {"laneid",
                                                 "warpid",
                                                 "nwarpid",
                                                 "smid",
                                                 "nsmid",
                                                 "gridid",
                                                 "is_explicit_cluster",
                                                 "cluster_ctarank",
                                                 "cluster_nctarank",
                                                 "lanemask_eq",
                                                 "lanemask_le",
                                                 "lanemask_lt",
                                                 "lanemask_ge",
                                                 "lanemask_gt",
                                                 "clock",
                                                 "clock_hi",
                                                 "clock64",
                                                 "globaltimer",
                                                 "globaltimer_lo",
                                                 "globaltimer_hi",
                                                 "reserved_smem_offset_begin",
                                                 "reserved_smem_offset_end",
                                                 "reserved_smem_offset_cap",
                                                 "reserved_smem_offset_0",
                                                 "reserved_smem_offset_1",
                                                 "total_smem_size",
                                                 "aggr_smem_size",
                                                 "dynamic_smem_size",
                                                 "current_graph_exec"};
  if (std::ranges::find(scalars, name) != std::end(scalars))
    return true;
  // %pm0 to %pm7, %pm0_64, %envreg0 to %envreg31
  auto isNumbered = [&](std::string_view prefix, unsigned count) {
    if (!name.starts_with(prefix))
      return false;
    std::string_view digits = name.substr(prefix.size());
    unsigned number = 0;
    auto [stop, status] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return status == std::errc() && stop == digits.data() + digits.size() &&
           number < count && (digits.size() == 1 || digits[0] != '0');
  };
  if (isNumbered("pm", 8) || isNumbered("envreg", 32))
    return true;
  if (!name.ends_with("_64"))
    return false;
  name.remove_suffix(3);
  return isNumbered("pm", 8);
}

/// Of `.x` to `.w` and `.r` to `.a`; -1 for other text.
static int getLane(std::string_view component) {
  if (component.size() != 2)
    return -1;
  size_t lane = std::string_view("xyzw").find(component[1]);
  if (lane == std::string_view::npos)
    lane = std::string_view("rgba").find(component[1]);
  return lane == std::string_view::npos ? -1 : static_cast<int>(lane);
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

bool Parser::parseInstruction() {
  Instruction instruction;
  if (current.is('@') && !parseGuard(instruction))
    return false;
  instruction.location = current.location;
  if (current.kind != TokenKind::Word)
    return error(current.location,
                 "wanted an instruction, got " + describe(current));
  opcode = take().text;
  instruction.opcode = opcode;
  while (current.kind == TokenKind::Dotted)
    instruction.modifiers.emplace_back(take().text.substr(1));
  isCall = opcode == "call";
  bool isCallee = true;
  if (!current.is(';')) {
    do {
      isBranchTarget =
          opcode == "bra" || (opcode == "brx" && !instruction.operands.empty());
      wantedName = !isCall || current.is('(') ? "name"
                   : isCallee                 ? "function"
                                              : "prototype";
      isCallee &= current.is('(');
      if (!parseOperand(instruction.operands.emplace_back(), 0))
        return false;
    } while (accept(','));
  }
  if (!current.is(';') && current.location.line == previousEnd.line &&
      !instruction.operands.empty())
    return error(current.location, "wanted ',' or ';' after an operand, got " +
                                       describe(current));
  if (!expectSemicolon("after the instruction"))
    return false;
  function.instructions.push_back(std::move(instruction));
  return true;
}

/// `@p` or `@!p`
bool Parser::parseGuard(Instruction &instruction) {
  take();
  instruction.hasGuard = true;
  instruction.isGuardNegated = accept('!');
  Location location = current.location;
  Operand operand;
  std::string_view name;
  if (!expectWord(name, "a predicate after '@'"))
    return false;
  isBranchTarget = isCall = false;
  const Symbol *symbol = lookup(name);
  if (!symbol || symbol->kind != Symbol::Kind::Register) {
    error(location, "unknown register '" + std::string(name) + "'");
  } else if (symbol->lanes != 1 ||
             function.registers[symbol->index].type != Type::Pred) {
    error(location, "'" + std::string(name) + "' is no predicate");
  } else {
    instruction.guard = symbol->index;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

bool Parser::startsConstant() const {
  if (current.isNumber() || current.is('+') || current.is('-') ||
      current.is('~') || current.is('!') || current.is('('))
    return true;
  return current.kind == TokenKind::Word && current.text == "WARP_SZ";
}

bool Parser::parseOperand(Operand &operand, unsigned depth) {
  operand.location = current.location;
  if (depth > maxDepth)
    return error(current.location, "the operand is nested too deep");
  if (current.is('{'))
    return parseOperandList(operand, '}', depth);
  if (current.is('(') && isCall)
    return parseOperandList(operand, ')', depth);
  if (current.is('['))
    return parseAddress(operand, depth);
  bool isName =
      following.kind == TokenKind::Word && following.text != "WARP_SZ";
  if (isName && accept('!')) {
    operand.isNegated = true;
    return parseNamedOperand(operand, /*isAddress=*/false);
  }
  if (isName && accept('-')) {
    operand.isMinus = true;
    return parseNamedOperand(operand, /*isAddress=*/false);
  }
  if (startsConstant())
    return parseConstantOperand(operand);
  if (current.kind != TokenKind::Word)
    return error(current.location,
                 "wanted an operand, got " + describe(current));
  if (!parseNamedOperand(operand, /*isAddress=*/false))
    return false;
  if (operand.offset != 0 || !current.is('|'))
    return true;
  take();
  Operand pair;
  pair.kind = Kind::Pair;
  pair.location = operand.location;
  pair.parts.push_back(std::move(operand));
  Operand &second = pair.parts.emplace_back();
  second.location = current.location;
  if (current.kind != TokenKind::Word)
    return error(current.location,
                 "wanted a register after '|', got " + describe(current));
  if (!parseNamedOperand(second, /*isAddress=*/false))
    return false;
  operand = std::move(pair);
  return true;
}

/// `{a, b}` or, in a call, `(a, b)`.
bool Parser::parseOperandList(Operand &operand, char close, unsigned depth) {
  operand.kind = close == '}' ? Kind::Vector : Kind::List;
  take();
  openBraces += close == '}';
  if (close == ')' && accept(')'))
    return true;
  do {
    if (!parseOperand(operand.parts.emplace_back(), depth + 1))
      return false;
  } while (accept(','));
  if (!expect(close, "after the elements"))
    return false;
  openBraces -= close == '}';
  return true;
}

/// `[reg+imm]`, `[sym+imm]`, `[imm]`, `[map, {c0, c1}]`
bool Parser::parseAddress(Operand &operand, unsigned depth) {
  operand.kind = Kind::Address;
  take();
  Operand base;
  base.location = current.location;
  if (startsConstant()) {
    if (!parseConstantOperand(base))
      return false;
    if (base.kind != Kind::Integer)
      return error(base.location, "the address is no integer");
  } else {
    if (current.kind != TokenKind::Word)
      return error(current.location,
                   "wanted an address, got " + describe(current));
    if (!parseNamedOperand(base, /*isAddress=*/true))
      return false;
  }
  operand.offset = base.offset;
  base.offset = 0;
  operand.parts.push_back(std::move(base));
  while (accept(','))
    if (!parseOperand(operand.parts.emplace_back(), depth + 1))
      return false;
  return expect(']', "after the address");
}

bool Parser::parseConstantOperand(Operand &operand) {
  Constant value;
  if (!parseConstant(value))
    return false;
  operand.kind = value.isInteger() ? Kind::Integer : Kind::Float;
  operand.isSingle = value.kind == Constant::Kind::Single;
  operand.bits = value.bits;
  return true;
}

/// A name with what may follow it: `.x`, `+4`, `[4]`.
bool Parser::parseNamedOperand(Operand &operand, bool isAddress) {
  std::string_view name = take().text;
  operand.name = name;
  if (name == "_" && !isAddress) {
    operand.kind = Kind::Sink;
    return true;
  }
  resolveName(operand, name);
  if (current.kind == TokenKind::Dotted)
    return error(current.location, "'" + std::string(name) +
                                       "' has no component " +
                                       describe(current));
  bool isVariable =
      operand.kind == Kind::Variable || operand.kind == Kind::Param ||
      operand.kind == Kind::ReturnParam || operand.kind == Kind::Global;
  if (isVariable && current.is('[') && !isAddress)
    return parseIndex(operand);
  if (!current.is('+'))
    return true;
  // An unknown name was reported; its offset is read all the same.
  if (!isVariable && !isAddress && operand.kind != Kind::Sink)
    return error(current.location,
                 "an offset after '" + std::string(name) + "' outside of []");
  take();
  Location location = current.location;
  Constant value;
  if (!parseUnary(value, 0) || !parseBinary(value, /*precedence=*/9, 0))
    return false;
  if (!value.isInteger())
    return error(location, "the offset is no integer");
  operand.offset = static_cast<int64_t>(value.bits);
  return true;
}

/// `a[2]`: what `[a+8]` is where memory is accessed, and what `a+8` is to mov.
bool Parser::parseIndex(Operand &operand) {
  take();
  int64_t index;
  if (!parseInteger(index) || !expect(']', "after the index"))
    return false;
  const Variable &variable =
      operand.kind == Kind::Global        ? module.variables[operand.index]
      : operand.kind == Kind::Param       ? function.params[operand.index]
      : operand.kind == Kind::ReturnParam ? function.returnParams[operand.index]
                                          : function.variables[operand.index];
  auto offset = static_cast<int64_t>(static_cast<uint64_t>(index) *
                                     getSizeInBytes(variable.type));
  if (opcode == "mov" || opcode == "cvta" || isCall) {
    operand.offset = offset;
    return true;
  }
  Operand address;
  address.kind = Kind::Address;
  address.location = operand.location;
  address.offset = offset;
  address.parts.push_back(std::move(operand));
  operand = std::move(address);
  return true;
}

/// Says what `name` is, with the component that may follow. A name that nothing
/// explains is reported, or left as a label that may come.
void Parser::resolveName(Operand &operand, std::string_view name) {
  auto use = [&](std::string_view wanted) {
    operand.kind = Kind::Label;
    operand.index = useLabel(name, wanted, operand.location);
  };
  if (isBranchTarget)
    return use("label");
  if (const Symbol *symbol = lookup(name))
    return setSymbol(operand, *symbol);
  if (name[0] != '%')
    return use(wantedName);
  name.remove_prefix(1);
  if (isVectorSpecial(name)) {
    int lane = current.kind == TokenKind::Dotted ? getLane(current.text) : -1;
    if (lane >= 0) {
      take();
      operand.kind = Kind::Special;
      operand.name = std::string(name) + "." + "xyzw"[lane];
      return;
    }
    operand.kind = Kind::Vector;
    for (char component : {'x', 'y', 'z', 'w'}) {
      Operand &part = operand.parts.emplace_back();
      part.kind = Kind::Special;
      part.location = operand.location;
      part.name = std::string(name) + "." + component;
    }
    return;
  }
  if (isScalarSpecial(name)) {
    operand.kind = Kind::Special;
    operand.name = name;
    return;
  }
  operand.kind = Kind::Sink;
  error(operand.location, "unknown register '" + operand.name + "'");
}

void Parser::setSymbol(Operand &operand, const Symbol &symbol) {
  operand.index = symbol.index;
  switch (symbol.kind) {
  case Symbol::Kind::Register:
    break;
  case Symbol::Kind::Variable:
    operand.kind = Kind::Variable;
    return;
  case Symbol::Kind::Param:
    operand.kind = Kind::Param;
    return;
  case Symbol::Kind::ReturnParam:
    operand.kind = Kind::ReturnParam;
    return;
  case Symbol::Kind::Global:
    operand.kind = Kind::Global;
    return;
  case Symbol::Kind::Function:
    operand.kind = Kind::Function;
    return;
  }
  operand.kind = Kind::Register;
  bool hasComponent = current.kind == TokenKind::Dotted;
  if (symbol.lanes == 1) {
    // The parts of a video instruction's operand.
    static constexpr std::string_view selectors[] = {".b0", ".b1", ".b2",
                                                     ".b3", ".h0", ".h1"};
    if (hasComponent &&
        std::ranges::find(selectors, current.text) != std::end(selectors))
      operand.selector = take().text.substr(1);
    return;
  }
  if (hasComponent) {
    int lane = getLane(current.text);
    if (lane < 0 || lane >= symbol.lanes)
      return; // Reported as what follows the name.
    operand.name += take().text;
    operand.index += lane;
    return;
  }
  operand.kind = Kind::Vector;
  for (uint8_t lane = 0; lane < symbol.lanes; ++lane) {
    Operand &part = operand.parts.emplace_back();
    part.kind = Kind::Register;
    part.location = operand.location;
    part.index = symbol.index + lane;
    part.name = function.registers[part.index].name;
  }
}
