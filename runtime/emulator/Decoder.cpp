//===- Decoder.cpp - From PTX text to handlers ----------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Decoder.h"

#include "runtime/emulator/Block.h"

#include <algorithm>
#include <bit>
#include <cstring>

using namespace fk;
using namespace fk::emulator;

//===----------------------------------------------------------------------===//
// Modifiers
//===----------------------------------------------------------------------===//

Modifiers::Modifiers(const ptx::Instruction &instruction)
    : names(instruction.modifiers), taken(instruction.modifiers.size()) {}

bool Modifiers::take(std::string_view name) {
  return !takeIf([&](std::string_view n) { return n == name; }).empty();
}

std::string_view
Modifiers::takeOneOf(std::initializer_list<std::string_view> wanted) {
  return takeIf([&](std::string_view n) {
    return std::find(wanted.begin(), wanted.end(), n) != wanted.end();
  });
}

ptx::Type Modifiers::takeType() {
  std::string_view name = takeIf(
      [](std::string_view n) { return ptx::parseType(n) != ptx::Type::None; });
  return name.empty() ? ptx::Type::None : ptx::parseType(name);
}

std::string_view Modifiers::getLeft() const {
  for (size_t i = 0; i < names.size(); ++i)
    if (!taken[i])
      return names[i];
  return {};
}

//===----------------------------------------------------------------------===//
// Decoder
//===----------------------------------------------------------------------===//

Decoder::Decoder(const ptx::Module &module, const ptx::Function &entry)
    : module(module) {
  kernel.entry = &entry;
  // id 0 is for constants.
  kernel.registerBytes.push_back(4);
  kernel.endId = 1;
  for (auto ops : {getControlOps(), getMoveOps(), getIntegerOps(),
                   getFloatOps(), getConvertOps(), getCompareOps(),
                   getMemoryOps(), getAtomicOps(), getBarrierOps(),
                   getWarpOps(), getAsyncOps(), getMatrixOps(), getWgmmaOps()})
    for (const OpEntry &op : ops)
      table[op.opcode] = op.decode;
}

void Decoder::fail(ptx::Location location, std::string message) const {
  throw ptx::PtxError(module.file, {{location, std::move(message)}});
}

void Decoder::failUnsupported(const ptx::Instruction &instruction,
                              std::string_view why) const {
  fail(instruction.location,
       "'" + instruction.str() + "' is not supported: " + std::string(why));
}

void Decoder::expectOperands(const ptx::Instruction &instruction, size_t least,
                             size_t most) const {
  size_t got = instruction.operands.size();
  if (got >= least && got <= most)
    return;
  std::string wanted = std::to_string(least);
  if (most != least)
    wanted += " to " + std::to_string(most);
  fail(instruction.location, "'" + instruction.str() + "' takes " + wanted +
                                 " operands, got " + std::to_string(got));
}

Reg Decoder::allocate(size_t bytes) {
  // Predicates are one mask; 16 bytes keep what follows aligned.
  size_t size = bytes ? bytes * 32 : 16;
  Reg reg = {static_cast<uint32_t>(kernel.file.size()), kernel.endId++};
  kernel.file.resize(kernel.file.size() + size);
  kernel.registerBytes.push_back(static_cast<uint8_t>(bytes));
  return reg;
}

Reg Decoder::scratch(size_t bytes) { return allocate(bytes); }

Reg Decoder::constant(uint64_t bits, size_t bytes) {
  auto [it, isNew] = constants.try_emplace({bits, bytes});
  if (!isNew)
    return it->second;
  Reg reg = {static_cast<uint32_t>(kernel.file.size()), 0};
  kernel.file.resize(kernel.file.size() + bytes * 32);
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    std::memcpy(kernel.file.data() + reg.offset + lane * bytes, &bits,
                std::min<size_t>(bytes, 8));
  return it->second = reg;
}

Reg Decoder::carryFlag() {
  if (!carry.id)
    carry = allocate(0);
  return carry;
}

Reg Decoder::truePredicate() { return constantPredicate(allLanes); }
Reg Decoder::falsePredicate() { return constantPredicate(0); }

Reg Decoder::constantPredicate(uint32_t mask) {
  auto [it, isNew] = constants.try_emplace({mask, 0});
  if (isNew) {
    it->second = {static_cast<uint32_t>(kernel.file.size()), 0};
    kernel.file.resize(kernel.file.size() + 16);
    std::memcpy(kernel.file.data() + it->second.offset, &mask, 4);
  }
  return it->second;
}

Reg Decoder::registerOf(uint32_t index) const {
  return registers[functionIndex][index];
}

ptx::Type Decoder::getRegisterType(const ptx::Operand &operand) const {
  return function->registers[operand.index].type;
}

size_t Decoder::getWidth(const ptx::Operand &operand) const {
  ptx::Type type = getRegisterType(operand);
  return type == ptx::Type::Pred ? 0 : ptx::getSizeInBytes(type);
}

Reg Decoder::dest(const ptx::Operand &operand, size_t bytes) {
  if (operand.kind == ptx::Operand::Kind::Sink)
    return scratch(bytes);
  if (operand.kind != ptx::Operand::Kind::Register)
    fail(operand.location, "'" + operand.name + "' is no register to write");
  if (getWidth(operand) != bytes)
    fail(operand.location,
         "register '" + operand.name + "' is ." +
             std::string(ptx::getName(getRegisterType(operand))) +
             ", where the instruction writes " +
             (bytes ? std::to_string(bytes * 8) + " bits"
                    : std::string("a predicate")));
  return registerOf(operand.index);
}

Reg Decoder::wideDest(const ptx::Operand &operand, size_t bytes,
                      size_t &width) {
  if (operand.kind == ptx::Operand::Kind::Sink) {
    width = bytes;
    return scratch(bytes);
  }
  if (operand.kind != ptx::Operand::Kind::Register)
    fail(operand.location, "'" + operand.name + "' is no register to write");
  width = getWidth(operand);
  if (width < bytes)
    fail(operand.location, "register '" + operand.name + "' is narrower than " +
                               std::to_string(bytes * 8) + " bits");
  return registerOf(operand.index);
}

uint64_t Decoder::immediateBits(const ptx::Operand &operand,
                                ptx::Type type) const {
  bool isFloatType = type == ptx::Type::F32 || type == ptx::Type::F64 ||
                     type == ptx::Type::F16 || type == ptx::Type::BF16;
  if (operand.kind == ptx::Operand::Kind::Integer)
    return operand.bits;
  if (operand.isSingle) {
    if (type == ptx::Type::F64)
      return std::bit_cast<uint64_t>(
          double(std::bit_cast<float>(static_cast<uint32_t>(operand.bits))));
    return operand.bits;
  }
  double value = std::bit_cast<double>(operand.bits);
  if (type == ptx::Type::F32 ||
      (!isFloatType && ptx::getSizeInBytes(type) == 4))
    return std::bit_cast<uint32_t>(static_cast<float>(value));
  if (ptx::getSizeInBytes(type) == 8)
    return operand.bits;
  fail(operand.location, "'" + operand.name + "' is no ." +
                             std::string(ptx::getName(type)) + " immediate");
}

bool Decoder::staticAddress(const ptx::Operand &operand,
                            uint64_t &address) const {
  using Kind = ptx::Operand::Kind;
  switch (operand.kind) {
  case Kind::Global: {
    const ptx::Variable &variable = module.variables[operand.index];
    if (variable.space == ptx::StateSpace::Shared)
      address = sharedBase + sharedOffsets.at(&variable);
    else
      address = getVariableAddress(module, variable);
    break;
  }
  case Kind::Function:
    address = functionWindow + (uint64_t(operand.index) + 1) * 16;
    break;
  case Kind::Variable: {
    const ptx::Variable &variable = function->variables[operand.index];
    if (variable.space != ptx::StateSpace::Shared)
      return false;
    address = sharedBase + sharedOffsets.at(&variable);
    break;
  }
  case Kind::Param:
    if (functionIndex != 0)
      return false;
    address = kernel.params[operand.index].offset;
    break;
  case Kind::Integer:
    address = operand.bits;
    break;
  default:
    return false;
  }
  address += operand.offset;
  return true;
}

FrameSlot Decoder::frameSlot(const ptx::Operand &operand) const {
  using Kind = ptx::Operand::Kind;
  const KernelFunction &current = kernel.functions[functionIndex];
  switch (operand.kind) {
  case Kind::Variable:
    return variables[functionIndex][operand.index];
  case Kind::Param:
    return current.params[operand.index];
  case Kind::ReturnParam:
    return current.returnParams[operand.index];
  default:
    fail(operand.location, "'" + operand.name + "' has no address");
  }
}

Reg Decoder::wideSource(const ptx::Operand &operand, ptx::Type type,
                        size_t &width) {
  using Kind = ptx::Operand::Kind;
  size_t bytes = type == ptx::Type::Pred ? 0 : ptx::getSizeInBytes(type);
  width = bytes;
  switch (operand.kind) {
  case Kind::Register:
    width = getWidth(operand);
    if (width < bytes || (bytes == 0) != (width == 0))
      fail(operand.location,
           "register '" + operand.name + "' is ." +
               std::string(ptx::getName(getRegisterType(operand))) +
               ", where the instruction reads ." +
               std::string(ptx::getName(type)));
    if (operand.isMinus)
      fail(operand.location, "a register takes no sign");
    return registerOf(operand.index);
  case Kind::Special: {
    auto [it, isNew] = specials.try_emplace(operand.name);
    if (isNew) {
      size_t size = operand.name == "gridid" ? 8 : 4;
      size =
          std::max<size_t>(bytes, 2) < size ? size : std::max<size_t>(bytes, 4);
      Reg reg = {static_cast<uint32_t>(kernel.file.size()), 0};
      kernel.file.resize(kernel.file.size() + size * 32);
      kernel.specials.push_back(
          {operand.name, reg, static_cast<uint8_t>(size)});
      it->second = reg;
    }
    for (const SpecialSlot &slot : kernel.specials)
      if (slot.name == operand.name)
        width = slot.bytes;
    if (width == bytes)
      return it->second;
    // A view of another width: filled on its own.
    std::string name = operand.name;
    Reg reg = {static_cast<uint32_t>(kernel.file.size()), 0};
    kernel.file.resize(kernel.file.size() + std::max<size_t>(bytes, 2) * 32);
    kernel.specials.push_back({name, reg, static_cast<uint8_t>(bytes)});
    width = bytes;
    return reg;
  }
  case Kind::Integer:
  case Kind::Float:
    if (!bytes) {
      fail(operand.location,
           "a predicate is wanted, got '" + operand.name + "'");
    }
    return constant(immediateBits(operand, type), bytes);
  default: {
    uint64_t address;
    if (bytes && staticAddress(operand, address))
      return constant(address, bytes);
    fail(operand.location, "'" + operand.name + "' is no value of type ." +
                               std::string(ptx::getName(type)));
  }
  }
}

Reg Decoder::source(const ptx::Operand &operand, ptx::Type type) {
  size_t width;
  Reg reg = wideSource(operand, type, width);
  size_t bytes = type == ptx::Type::Pred ? 0 : ptx::getSizeInBytes(type);
  if (width != bytes)
    fail(operand.location, "register '" + operand.name + "' is wider than ." +
                               std::string(ptx::getName(type)));
  return reg;
}

bool Decoder::isInteger(const ptx::Operand &operand, int64_t &value) const {
  if (operand.kind != ptx::Operand::Kind::Integer)
    return false;
  value = static_cast<int64_t>(operand.bits);
  return true;
}

int64_t Decoder::integer(const ptx::Operand &operand,
                         std::string_view what) const {
  int64_t value;
  if (!isInteger(operand, value))
    fail(operand.location, std::string(what) + " must be an integer constant");
  return value;
}

uint32_t Decoder::addList(std::span<const Reg> regs) {
  uint32_t begin = kernel.lists.size();
  kernel.lists.insert(kernel.lists.end(), regs.begin(), regs.end());
  return begin;
}

void Decoder::setList(Inst &inst, std::span<const Reg> regs) {
  inst.list = addList(regs);
  inst.listSize = regs.size();
}

Decoder::Address Decoder::address(const ptx::Operand &operand) {
  using Kind = ptx::Operand::Kind;
  if (operand.kind != Kind::Address)
    fail(operand.location, "an address in brackets is wanted");
  const ptx::Operand &base = operand.parts.at(0);
  Address result;
  result.offset = operand.offset;
  if (base.kind == Kind::Register) {
    size_t width = getWidth(base);
    if (width != 4 && width != 8)
      fail(base.location,
           "an address is 32 or 64 bits wide, '" + base.name + "' is not");
    result.kind = width == 8 ? Address64 : Address32;
    result.base = registerOf(base.index);
    return result;
  }
  uint64_t fixed;
  if (staticAddress(base, fixed)) {
    result.kind = AddressConstant;
    result.offset += static_cast<int64_t>(fixed);
    return result;
  }
  result.kind = AddressFrame;
  result.offset += frameSlot(base).offset + base.offset;
  return result;
}

void Decoder::address(const ptx::Operand &operand, Inst &inst) {
  Address found = address(operand);
  inst.flags[0] = found.kind;
  inst.a = found.base;
  inst.imm = found.offset;
}

uint32_t Decoder::functionOf(const ptx::Operand &operand) {
  const ptx::Function &callee = module.functions[operand.index];
  if (callee.isDeclaration)
    fail(operand.location,
         "'" + callee.name + "' is called and nowhere defined");
  return addFunction(callee);
}

uint32_t Decoder::addFunction(const ptx::Function &callee) {
  auto [it, isNew] =
      kernel.functionIndex.try_emplace(&callee, kernel.functions.size());
  if (isNew) {
    kernel.functions.emplace_back();
    kernel.functions.back().ptx = &callee;
    registers.emplace_back();
    variables.emplace_back();
    layOutFunction(it->second);
  }
  return it->second;
}

void Decoder::addAllFunctions() {
  for (const ptx::Function &callee : module.functions)
    if (!callee.isEntry && !callee.isDeclaration)
      addFunction(callee);
}

void Decoder::decodeFunction(uint32_t index) {
  functionIndex = index;
  function = kernel.functions[index].ptx;
  auto begin = static_cast<uint32_t>(kernel.code.size());
  kernel.functions[index].begin = begin;
  std::vector<uint32_t> positions; // of each instruction of the text
  for (const ptx::Instruction &instruction : function->instructions) {
    positions.push_back(static_cast<uint32_t>(kernel.code.size()));
    auto found = table.find(instruction.opcode);
    if (found == table.end())
      fail(instruction.location,
           "unknown instruction '" + instruction.str() + "'");
    Inst inst;
    inst.location = instruction.location;
    inst.function = index;
    if (instruction.hasGuard) {
      inst.hasGuard = true;
      inst.isGuardNegated = instruction.isGuardNegated;
      inst.guard = registerOf(instruction.guard);
    }
    Modifiers modifiers(instruction);
    found->second(*this, modifiers, instruction, inst);
    if (std::string_view left = modifiers.getLeft(); !left.empty())
      failUnsupported(instruction,
                      "the modifier '." + std::string(left) + "' here");
    if (!inst.run)
      failUnsupported(instruction, "these types");
    kernel.code.push_back(inst);
  }
  positions.push_back(static_cast<uint32_t>(kernel.code.size()));
  // Control that runs off the end returns.
  ptx::Instruction end;
  end.opcode = "ret";
  end.location = function->instructions.empty()
                     ? function->location
                     : function->instructions.back().location;
  Inst inst;
  inst.location = end.location;
  inst.function = index;
  Modifiers none(end);
  table.at("ret")(*this, none, end, inst);
  kernel.code.push_back(inst);
  kernel.functions[index].end = static_cast<uint32_t>(kernel.code.size());
  // Labels count the text's instructions until here.
  for (uint32_t i = begin; i < kernel.code.size(); ++i)
    if (kernel.code[i].role == Role::Branch)
      kernel.code[i].target = positions[kernel.code[i].target];
  // brx.idx names tables by their number in the function.
  for (uint32_t i = begin; i < kernel.code.size(); ++i)
    if (kernel.code[i].role == Role::Table)
      kernel.code[i].imm += static_cast<int64_t>(kernel.tables.size());
  for (const auto &labels : function->branchTargets) {
    std::vector<uint32_t> targets;
    for (uint32_t label : labels)
      targets.push_back(positions[label]);
    kernel.tables.push_back(std::move(targets));
  }
}

void Decoder::markRecursion() {
  // A function that reaches itself through calls keeps its registers.
  size_t count = kernel.functions.size();
  std::vector<std::vector<bool>> reaches(count, std::vector<bool>(count));
  for (const Inst &inst : kernel.code)
    if (inst.role == Role::Call) {
      if (inst.target == noIndex)
        for (size_t callee = 1; callee < count; ++callee)
          reaches[inst.function][callee] = true;
      else
        reaches[inst.function][inst.target] = true;
    }
  for (size_t k = 0; k < count; ++k)
    for (size_t i = 0; i < count; ++i)
      if (reaches[i][k])
        for (size_t j = 0; j < count; ++j)
          if (reaches[k][j])
            reaches[i][j] = true;
  for (size_t i = 0; i < count; ++i)
    kernel.functions[i].isRecursive = reaches[i][i];
}

Kernel Decoder::decode() {
  layOutEntry();
  kernel.functions.emplace_back();
  kernel.functions.back().ptx = kernel.entry;
  kernel.functionIndex[kernel.entry] = 0;
  registers.emplace_back();
  variables.emplace_back();
  layOutFunction(0);
  // Decoding finds further functions through calls.
  for (uint32_t i = 0; i < kernel.functions.size(); ++i)
    decodeFunction(i);
  markRecursion();
  findJoins(kernel);
  return std::move(kernel);
}

Kernel emulator::decodeKernel(const ptx::Module &module,
                              const ptx::Function &entry) {
  return Decoder(module, entry).decode();
}
