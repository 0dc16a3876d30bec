//===- DecoderLayout.cpp - Where variables and registers lie --------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Block.h"
#include "runtime/emulator/Decoder.h"

#include <algorithm>

using namespace fk;
using namespace fk::emulator;

uint64_t emulator::getVariableAddress(const ptx::Module &module,
                                      const ptx::Variable &variable) {
  uint64_t address = moduleWindow + 4096;
  for (const ptx::Variable &other : module.variables) {
    if (other.space == ptx::StateSpace::Shared)
      continue;
    uint64_t alignment = std::max<uint64_t>(other.alignment, 256);
    address = (address + alignment - 1) / alignment * alignment;
    if (&other == &variable)
      return address;
    // A gap, so that a step past one variable is not another's.
    address += other.bytes + 4096;
  }
  return 0;
}

static uint32_t alignTo(uint64_t value, uint64_t alignment) {
  alignment = std::max<uint64_t>(alignment, 1);
  return static_cast<uint32_t>((value + alignment - 1) / alignment * alignment);
}

void Decoder::addShared(const ptx::Variable &variable, const void *key) {
  if (sharedOffsets.count(key))
    return;
  kernel.sharedAlignment =
      std::max<uint32_t>(kernel.sharedAlignment, variable.alignment);
  if (!variable.bytes)
    return; // Dynamic shared memory: placed behind everything else.
  uint32_t offset = alignTo(kernel.staticShared, variable.alignment);
  sharedOffsets[key] = offset;
  kernel.shared.push_back(
      {variable.name, offset, static_cast<uint32_t>(variable.bytes)});
  uint64_t end = offset + variable.bytes;
  if (end > (uint64_t(1) << 24))
    fail(variable.location, "the shared variables exceed 16 MB");
  kernel.staticShared = static_cast<uint32_t>(end);
}

void Decoder::collectShared(const ptx::Function &current) {
  for (const ptx::Variable &variable : current.variables)
    if (variable.space == ptx::StateSpace::Shared)
      addShared(variable, &variable);
}

/// Module variables that an instruction of `function` names.
static void findUsed(const ptx::Operand &operand, std::vector<bool> &used) {
  if (operand.kind == ptx::Operand::Kind::Global)
    used[operand.index] = true;
  for (const ptx::Operand &part : operand.parts)
    findUsed(part, used);
}

static void findCalled(const ptx::Operand &operand, std::vector<bool> &called) {
  if (operand.kind == ptx::Operand::Kind::Function)
    called[operand.index] = true;
  for (const ptx::Operand &part : operand.parts)
    findCalled(part, called);
}

void Decoder::layOutEntry() {
  const ptx::Function &entry = *kernel.entry;
  uint64_t offset = 0;
  for (const ptx::Variable &param : entry.params) {
    offset = alignTo(offset,
                     std::max<uint64_t>(
                         param.alignment,
                         param.isArray ? 1 : ptx::getSizeInBytes(param.type)));
    kernel.params.push_back(
        {static_cast<uint32_t>(offset), static_cast<uint32_t>(param.bytes)});
    offset += param.bytes;
  }
  if (offset > 32764)
    fail(entry.location,
         "the parameters of '" + entry.name + "' exceed 32764 bytes");
  kernel.paramBytes = static_cast<uint32_t>(offset);

  // Shared variables of whatever the entry may reach, in the text's order.
  std::vector<bool> used(module.variables.size());
  std::vector<bool> reached(module.functions.size());
  std::vector<const ptx::Function *> work = {&entry};
  std::vector<const ptx::Function *> order = {&entry};
  while (!work.empty()) {
    const ptx::Function *current = work.back();
    work.pop_back();
    std::vector<bool> called(module.functions.size());
    for (const ptx::Instruction &instruction : current->instructions)
      for (const ptx::Operand &operand : instruction.operands) {
        findUsed(operand, used);
        findCalled(operand, called);
      }
    for (size_t i = 0; i < called.size(); ++i)
      if (called[i] && !reached[i]) {
        reached[i] = true;
        work.push_back(&module.functions[i]);
        order.push_back(&module.functions[i]);
      }
  }
  for (size_t i = 0; i < used.size(); ++i)
    if (used[i] && module.variables[i].space == ptx::StateSpace::Shared)
      addShared(module.variables[i], &module.variables[i]);
  for (const ptx::Function *current : order)
    collectShared(*current);
  uint32_t dynamicStart = alignTo(kernel.staticShared, kernel.sharedAlignment);
  for (size_t i = 0; i < used.size(); ++i)
    if (used[i] && module.variables[i].space == ptx::StateSpace::Shared &&
        !module.variables[i].bytes)
      sharedOffsets[&module.variables[i]] = dynamicStart;
  for (const ptx::Function *current : order)
    for (const ptx::Variable &variable : current->variables)
      if (variable.space == ptx::StateSpace::Shared && !variable.bytes)
        sharedOffsets[&variable] = dynamicStart;
}

void Decoder::layOutFunction(uint32_t index) {
  const ptx::Function &current = *kernel.functions[index].ptx;
  uint32_t firstId = kernel.endId;
  auto firstOffset = static_cast<uint32_t>(kernel.file.size());
  for (const ptx::Register &reg : current.registers)
    registers[index].push_back(allocate(
        reg.type == ptx::Type::Pred ? 0 : ptx::getSizeInBytes(reg.type)));
  KernelFunction &made = kernel.functions[index];
  made.firstId = firstId;
  made.endId = kernel.endId;
  made.firstOffset = firstOffset;
  made.endOffset = static_cast<uint32_t>(kernel.file.size());
  uint64_t frame = 0;
  auto place = [&](const ptx::Variable &variable) {
    frame = alignTo(frame, std::max<uint64_t>(variable.alignment, 4));
    FrameSlot slot = {static_cast<uint32_t>(frame),
                      static_cast<uint32_t>(variable.bytes)};
    frame += variable.bytes;
    if (frame > 512 * 1024)
      fail(variable.location, "the local variables exceed 512 KB");
    return slot;
  };
  if (index != 0) {
    for (size_t i = 0; i < current.params.size(); ++i) {
      made.params.push_back(place(current.params[i]));
      uint32_t reg = i < current.paramRegisters.size()
                         ? current.paramRegisters[i]
                         : noIndex;
      made.paramRegs.push_back(reg == noIndex ? Reg() : registers[index][reg]);
    }
    for (size_t i = 0; i < current.returnParams.size(); ++i) {
      made.returnParams.push_back(place(current.returnParams[i]));
      uint32_t reg = i < current.returnRegisters.size()
                         ? current.returnRegisters[i]
                         : noIndex;
      made.returnRegs.push_back(reg == noIndex ? Reg() : registers[index][reg]);
    }
  }
  for (const ptx::Variable &variable : current.variables)
    variables[index].push_back(variable.space == ptx::StateSpace::Shared
                                   ? FrameSlot()
                                   : place(variable));
  made.frameBytes = alignTo(frame, 16);
}
