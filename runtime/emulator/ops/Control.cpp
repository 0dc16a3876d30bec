//===- Control.cpp - Branches, calls, exits -------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Block.h"
#include "runtime/emulator/ops/Elementwise.h"

using namespace fk;
using namespace fk::emulator;

namespace {

void branch(Warp &warp, const Inst &inst, uint32_t active) {
  if (active == warp.getMask())
    warp.jump(inst.target);
  else if (active)
    warp.split(inst, active, inst.target);
}

void branchIndexed(Warp &warp, const Inst &inst, uint32_t active) {
  if (warp.checkDefined(inst, inst.a, active, "the index of brx.idx"))
    return;
  const auto &table = warp.getKernel().tables[inst.imm];
  const uint32_t *index = warp.values<uint32_t>(inst.a);
  uint32_t lane = std::countr_zero(active);
  uint32_t wanted = index[lane];
  if (wanted >= table.size()) {
    warp.report(FindingKind::InvalidOperation, inst, lane,
                "index " + std::to_string(wanted) +
                    " of brx.idx, whose table has " +
                    std::to_string(table.size()) + " entries");
    warp.exitLanes(1u << lane);
    if (active & ~(1u << lane))
      warp.repeat();
    return;
  }
  uint32_t same = 0;
  forEachLane(active,
              [&](uint32_t l) { same |= uint32_t(index[l] == wanted) << l; });
  if (same == warp.getMask()) {
    warp.jump(table[wanted]);
    return;
  }
  // The others come back to this instruction.
  if (same == active && inst.hasGuard) {
    warp.split(inst, same, table[wanted]);
    return;
  }
  warp.repeat();
  warp.split(inst, same, table[wanted]);
}

void exitThreads(Warp &warp, const Inst &, uint32_t active) {
  if (active)
    warp.exitLanes(active);
}

void returnThreads(Warp &warp, const Inst &inst, uint32_t active) {
  if (active)
    warp.returnLanes(inst, active);
}

void callDirect(Warp &warp, const Inst &inst, uint32_t active) {
  warp.call(inst, active, inst.target);
}

void callIndirect(Warp &warp, const Inst &inst, uint32_t active) {
  if (warp.checkDefined(inst, inst.a, active, "the function called"))
    return;
  const uint64_t *pointer = warp.values<uint64_t>(inst.a);
  uint32_t lane = std::countr_zero(active);
  uint64_t wanted = pointer[lane];
  uint32_t same = 0;
  forEachLane(active,
              [&](uint32_t l) { same |= uint32_t(pointer[l] == wanted) << l; });
  const Kernel &kernel = warp.getKernel();
  const ptx::Module &module = warp.getBlock().getGrid().module->getPtx();
  uint64_t index = (wanted - functionWindow) / 16 - 1;
  auto found = kernel.functionIndex.end();
  if (wanted > functionWindow && wanted % 16 == 0 &&
      index < module.functions.size())
    found = kernel.functionIndex.find(&module.functions[index]);
  if (found == kernel.functionIndex.end() || found->second == 0) {
    warp.report(FindingKind::InvalidOperation, inst, lane,
                "a call of address " + std::to_string(wanted) +
                    ", where no function is");
    warp.exitLanes(same);
    if (active & ~same)
      warp.repeat();
    return;
  }
  if (active & ~same)
    warp.splitRepeat(active & ~same);
  warp.call(inst, same, found->second);
}

void trap(Warp &warp, const Inst &inst, uint32_t active) {
  warp.report(FindingKind::InvalidOperation, inst, std::countr_zero(active),
              "trap");
  warp.getBlock().getGrid().stop();
  warp.exitLanes(active);
}

void nothing(Warp &, const Inst &, uint32_t) {}

void pauseTurn(Warp &warp, const Inst &, uint32_t) { warp.yield(); }

void decodeBra(Decoder &decoder, Modifiers &modifiers,
               const ptx::Instruction &instruction, Inst &inst) {
  modifiers.take("uni");
  decoder.expectOperands(instruction, 1);
  if (instruction.operands[0].kind != ptx::Operand::Kind::Label)
    decoder.fail(instruction.operands[0].location, "bra takes a label");
  inst.role = Role::Branch;
  inst.target = instruction.operands[0].index;
  inst.run = branch;
}

void decodeBrx(Decoder &decoder, Modifiers &modifiers,
               const ptx::Instruction &instruction, Inst &inst) {
  modifiers.take("uni");
  if (!modifiers.take("idx"))
    decoder.failUnsupported(instruction, "it wants .idx");
  decoder.expectOperands(instruction, 2);
  if (instruction.operands[1].kind != ptx::Operand::Kind::Table)
    decoder.fail(instruction.operands[1].location,
                 "brx.idx takes a .branchtargets list");
  inst.role = Role::Table;
  inst.a = decoder.source(instruction.operands[0], ptx::Type::U32);
  inst.imm = instruction.operands[1].index;
  inst.run = branchIndexed;
}

void decodeExit(Decoder &decoder, Modifiers &,
                const ptx::Instruction &instruction, Inst &inst) {
  decoder.expectOperands(instruction, 0);
  inst.role = Role::Leave;
  inst.run = exitThreads;
}

void decodeRet(Decoder &decoder, Modifiers &modifiers,
               const ptx::Instruction &instruction, Inst &inst) {
  modifiers.take("uni");
  decoder.expectOperands(instruction, 0);
  inst.role = Role::Leave;
  inst.run = returnThreads;
}

void decodeTrap(Decoder &decoder, Modifiers &,
                const ptx::Instruction &instruction, Inst &inst) {
  decoder.expectOperands(instruction, 0);
  inst.role = Role::Leave;
  inst.run = trap;
}

void decodeHint(Decoder &, Modifiers &modifiers, const ptx::Instruction &,
                Inst &inst) {
  // Nothing of a hint changes what a program computes.
  while (!modifiers.takeIf([](std::string_view) { return true; }).empty()) {
  }
  inst.run = nothing;
}

void decodeNanosleep(Decoder &decoder, Modifiers &modifiers,
                     const ptx::Instruction &instruction, Inst &inst) {
  modifiers.take("u32");
  decoder.expectOperands(instruction, 1);
  decoder.source(instruction.operands[0], ptx::Type::U32);
  inst.run = pauseTurn;
}

CallSite::Value bindValue(Decoder &decoder, const ptx::Operand &operand,
                          const ptx::Variable *formal, bool isResult) {
  CallSite::Value value;
  if (operand.kind == ptx::Operand::Kind::Variable) {
    value.slot = decoder.frameSlot(operand);
    return value;
  }
  value.isReg = true;
  value.type = formal ? formal->type : ptx::Type::None;
  if (operand.kind == ptx::Operand::Kind::Register) {
    value.type = decoder.getRegisterType(operand);
    value.reg = isResult ? decoder.dest(operand, decoder.getWidth(operand))
                         : decoder.source(operand, value.type);
    return value;
  }
  if (isResult || !formal)
    decoder.fail(operand.location,
                 "'" + operand.name + "' is no parameter of a call");
  value.reg = decoder.source(operand, formal->type);
  return value;
}

void decodeCall(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst);

std::span<const ptx::Operand> listOf(const ptx::Operand &operand) {
  return operand.parts;
}

void decodeCall(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  using Kind = ptx::Operand::Kind;
  modifiers.take("uni");
  // call (results), f, (args), prototype; all but f may be absent.
  std::span<const ptx::Operand> operands = instruction.operands;
  std::span<const ptx::Operand> results, args;
  size_t at = 0;
  if (at < operands.size() && operands[at].kind == Kind::List)
    results = listOf(operands[at++]);
  if (at >= operands.size())
    decoder.fail(instruction.location, "call names no function");
  const ptx::Operand &callee = operands[at++];
  if (at < operands.size() && operands[at].kind == Kind::List)
    args = listOf(operands[at++]);
  const std::vector<ptx::Variable> *formals = nullptr;
  CallSite site;
  if (callee.kind == Kind::Function) {
    const ptx::Function &target = decoder.module.functions[callee.index];
    if (target.isDeclaration &&
        (target.name == "vprintf" || target.name == "__assertfail" ||
         target.name == "malloc" || target.name == "free")) {
      inst.imm = static_cast<int64_t>(decoder.kernel.calls.size());
      for (const ptx::Operand &arg : args)
        site.args.push_back(bindValue(decoder, arg, nullptr, false));
      for (const ptx::Operand &result : results)
        site.results.push_back(bindValue(decoder, result, nullptr, true));
      decoder.kernel.calls.push_back(std::move(site));
      inst.run = getSystemCall(target.name);
      if (!inst.run)
        decoder.failUnsupported(instruction, "device-side " + target.name);
      return;
    }
    formals = &target.params;
    inst.target = decoder.functionOf(callee);
    inst.run = callDirect;
  } else {
    inst.a = decoder.source(callee, ptx::Type::U64);
    inst.target = noIndex;
    inst.run = callIndirect;
    site.isIndirect = true;
    decoder.addAllFunctions();
    if (at < operands.size() && operands[at].kind == Kind::Prototype)
      formals = &decoder.function->prototypes[operands[at].index].params;
  }
  inst.role = Role::Call;
  for (size_t i = 0; i < args.size(); ++i)
    site.args.push_back(bindValue(
        decoder, args[i],
        formals && i < formals->size() ? &(*formals)[i] : nullptr, false));
  for (const ptx::Operand &result : results)
    site.results.push_back(bindValue(decoder, result, nullptr, true));
  if (callee.kind == Kind::Function) {
    const ptx::Function &target = decoder.module.functions[callee.index];
    if (site.args.size() != target.params.size() ||
        site.results.size() != target.returnParams.size())
      decoder.fail(instruction.location,
                   "the call does not fit '" + target.name + "', which takes " +
                       std::to_string(target.params.size()) +
                       " parameters and returns " +
                       std::to_string(target.returnParams.size()));
  }
  inst.imm = static_cast<int64_t>(decoder.kernel.calls.size());
  decoder.kernel.calls.push_back(std::move(site));
}

constexpr OpEntry table[] = {
    {"bra", decodeBra},
    {"brx", decodeBrx},
    {"exit", decodeExit},
    {"ret", decodeRet},
    {"call", decodeCall},
    {"trap", decodeTrap},
    {"brkpt", decodeHint},
    {"pmevent", decodeHint},
    {"nanosleep", decodeNanosleep},
    {"prefetch", decodeHint},
    {"prefetchu", decodeHint},
    {"applypriority", decodeHint},
    {"discard", decodeHint},
    {"griddepcontrol", decodeHint},
    {"setmaxnreg", decodeHint},
};

} // namespace

std::span<const OpEntry> emulator::getControlOps() { return table; }
