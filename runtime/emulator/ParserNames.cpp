//===- ParserNames.cpp - Scopes, symbols and labels of PTX ----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One table holds what each name means now; a scope remembers what its own
// names meant outside. The registers of a range come to be when they are first
// named, so that `%r<1000000>` costs nothing. Labels have a name space of their
// own and may be used before they stand: uses are resolved when their scope
// closes, and those left over by the scope around it.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Parser.h"

#include <charconv>

using namespace fk;
using namespace fk::ptx;

static std::string quote(std::string_view name) {
  constexpr size_t most = 200;
  if (name.size() > most)
    return "'" + std::string(name.substr(0, most)) + "...'";
  return "'" + std::string(name) + "'";
}

void Parser::openScope(Location location) {
  scopes.emplace_back();
  scopes.back().location = location;
}

void Parser::closeScope() {
  Scope scope = std::move(scopes.back());
  scopes.pop_back();
  for (size_t i = scope.shadowed.size(); i-- > 0;) {
    auto &[name, outer] = scope.shadowed[i];
    if (outer)
      names[name] = *outer;
    else
      names.erase(name);
  }
  for (std::string_view prefix : scope.ranges) {
    auto it = ranges.find(prefix);
    it->second.pop_back();
    if (it->second.empty())
      ranges.erase(it);
  }
  if (!scope.ranges.empty())
    ++rangeEpoch;

  std::vector<uint32_t> left;
  if (scope.labels.empty()) {
    left = std::move(scope.uses);
  } else {
    for (uint32_t use : scope.uses) {
      auto it = scope.labels.find(labelUses[use].name);
      if (it == scope.labels.end()) {
        left.push_back(use);
      } else {
        labelUses[use].kind = it->second.kind;
        labelUses[use].index = it->second.index;
      }
    }
  }
  if (!scopes.empty()) {
    std::vector<uint32_t> &outer = scopes.back().uses;
    if (outer.empty())
      outer = std::move(left);
    else
      outer.insert(outer.end(), left.begin(), left.end());
    return;
  }
  for (uint32_t index : left) {
    const LabelUse &use = labelUses[index];
    std::string message =
        "unknown " + std::string(use.wanted) + " " + quote(use.name);
    if (use.wanted == "function")
      message += " (a function is declared before it is called)";
    error(use.location, std::move(message));
  }
}

void Parser::bind(std::string_view name, Symbol symbol) {
  symbol.epoch = rangeEpoch;
  auto [it, isNew] = names.try_emplace(name, symbol);
  if (symbol.depth > 0)
    scopes[symbol.depth - 1].shadowed.emplace_back(
        name, isNew ? std::nullopt : std::optional(it->second));
  it->second = symbol;
}

bool Parser::declare(std::string_view name, Symbol symbol) {
  symbol.depth = static_cast<uint16_t>(scopes.size());
  const Symbol *found = lookup(name);
  if (found && found->depth == symbol.depth)
    return error(symbol.location, quote(name) +
                                      " is declared twice: first at line " +
                                      std::to_string(found->location.line));
  bind(name, symbol);
  return true;
}

/// `direct` is what the table says, which may have been written before a range
/// that is nearer. As in ptxas, %r12 is of %r<13> rather than of %r1<3>, and
/// %r01 is %r1.
const Parser::Symbol *Parser::lookupRange(std::string_view name,
                                          const Symbol *direct) {
  const Range *best = nullptr;
  std::string_view bestPrefix;
  uint64_t bestNumber = 0;
  size_t split = name.size();
  while (split > 1 && name.size() - split < 10 && name[split - 1] >= '0' &&
         name[split - 1] <= '9') {
    --split;
    auto it = ranges.find(name.substr(0, split));
    if (it == ranges.end())
      continue;
    uint64_t number = 0;
    std::from_chars(name.data() + split, name.data() + name.size(), number);
    for (size_t i = it->second.size(); i-- > 0;) {
      const Range &range = it->second[i];
      if (best && range.depth < best->depth)
        break;
      if (number >= range.count)
        continue;
      best = &range;
      bestPrefix = it->first;
      bestNumber = number;
      break;
    }
  }
  if (!best || (direct && direct->depth >= best->depth))
    return direct;
  Symbol symbol;
  symbol.depth = best->depth;
  symbol.lanes = best->lanes;
  symbol.location = best->location;
  std::string plain = std::string(bestPrefix) + std::to_string(bestNumber);
  auto known = plain == name ? names.end() : names.find(plain);
  if (known != names.end() && known->second.depth == best->depth) {
    symbol.index = known->second.index;
  } else {
    symbol.index = addRegisters(plain, best->type, best->lanes, best->location);
    // The text does not hold this name.
    if (plain != name)
      bind(rangeNames.emplace_back(plain), symbol);
  }
  bind(name, symbol);
  return &names.find(name)->second;
}

const Parser::Symbol *Parser::lookup(std::string_view name) {
  auto it = names.find(name);
  Symbol *direct = it == names.end() ? nullptr : &it->second;
  if (direct && direct->epoch == rangeEpoch)
    return direct;
  if (ranges.empty() || name.back() < '0' || name.back() > '9')
    return direct;
  if (direct)
    direct->epoch = rangeEpoch;
  return lookupRange(name, direct);
}

uint32_t Parser::addRegisters(std::string_view name, Type type, uint8_t lanes,
                              Location location) {
  auto index = static_cast<uint32_t>(function.registers.size());
  if (lanes == 1) {
    function.registers.push_back({std::string(name), type, location});
    return index;
  }
  for (uint8_t i = 0; i < lanes; ++i)
    function.registers.push_back(
        {std::string(name) + "." + "xyzw"[i], type, location});
  return index;
}

void Parser::declareLabel(std::string_view name, LabelSymbol label) {
  auto [it, isNew] = scopes.back().labels.try_emplace(name, label);
  if (!isNew)
    error(label.location, "label " + quote(name) +
                              " is declared twice: first at line " +
                              std::to_string(it->second.location.line));
}

uint32_t Parser::useLabel(std::string_view name, std::string_view wanted,
                          Location location) {
  auto index = static_cast<uint32_t>(labelUses.size());
  labelUses.push_back({name, wanted, location});
  scopes.back().uses.push_back(index);
  return index;
}

void Parser::resolveLabels(Operand &operand) {
  if (operand.kind == Operand::Kind::Label) {
    const LabelUse &use = labelUses[operand.index];
    operand.kind = use.kind;
    operand.index = use.index;
  }
  for (Operand &part : operand.parts)
    resolveLabels(part);
}

void Parser::resolveLabels() {
  for (Instruction &instruction : function.instructions)
    for (Operand &operand : instruction.operands)
      resolveLabels(operand);
  for (std::vector<uint32_t> &table : function.branchTargets)
    for (uint32_t &target : table) {
      const LabelUse &use = labelUses[target];
      if (use.kind != Operand::Kind::Label && use.kind != Operand::Kind::Sink)
        error(use.location, quote(use.name) + " is no label of an instruction");
      target = use.index;
    }
}
