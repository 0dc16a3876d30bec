//===- AsyncBulk.cpp - cp.async.bulk -------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every active lane issues its own transfer. Addresses are checked at the
// issue, the bytes move at the completion.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/ops/AsyncBulk.h"

#include <algorithm>

using namespace fk;
using namespace fk::emulator;
using namespace fk::emulator::bulk;
using ptx::StateSpace;
using ptx::Type;

std::shared_ptr<Transfer> bulk::begin(Warp &warp, const Inst &inst,
                                      uint32_t lane) {
  auto transfer = std::make_shared<Transfer>();
  transfer->warp = &warp;
  transfer->inst = &inst;
  transfer->lane = lane;
  transfer->clock = takeIssueClock(warp);
  transfer->op = static_cast<AtomicOp>(inst.flags[OpFlag]);
  transfer->type = static_cast<Type>(inst.flags[TypeFlag]);
  return transfer;
}

bool bulk::findTargets(const Operands &operands, uint32_t lane, uint64_t bytes,
                       uint32_t alignment, Target &target) {
  Warp &warp = operands.warp;
  const Inst &inst = operands.inst;
  Place to = resolve(warp, inst, lane, StateSpace::Shared,
                     operands.address(SharedBase, lane) & windowMask,
                     static_cast<uint32_t>(bytes), Access::Write, alignment);
  MBarrierPlace barrier =
      findMBarrier(warp, inst, lane, StateSpace::Shared,
                   operands.address(BarrierBase, lane) & windowMask);
  if (!to.data || !barrier.barrier)
    return false;
  Unit &unit = warp.getBlock().getUnit();
  target.offset = to.offset;
  auto offset = static_cast<uint32_t>(barrier.place.offset);
  if (!inst.flags[MaskFlag]) {
    Block &owner = getOwner(warp, to);
    if (barrier.owner != &owner)
      warp.report(FindingKind::InvalidOperation, inst, lane,
                  "the destination is in the shared memory of block rank " +
                      std::to_string(owner.getRank()) +
                      ", the mbarrier in that of rank " +
                      std::to_string(barrier.owner->getRank()));
    target.blocks = {&owner};
    target.completions = {
        {barrier.owner, offset, static_cast<uint32_t>(bytes)}};
    return true;
  }
  uint32_t mask = operands.mask(lane);
  if (!mask || mask >> unit.getBlockCount()) {
    warp.report(FindingKind::InvalidOperation, inst, lane,
                "a multicast to the blocks of mask " + std::to_string(mask) +
                    " in a cluster of " + std::to_string(unit.getBlockCount()));
    return false;
  }
  for (uint32_t rank = 0; rank < unit.getBlockCount(); ++rank) {
    if (!((mask >> rank) & 1))
      continue;
    Block &block = unit.getBlock(rank);
    if (!block.mbarriers.count(offset)) {
      warp.report(
          FindingKind::InvalidOperation, inst, lane,
          "a multicast completes at " +
              describePlace(placeIn(block, offset), offset, warp.getKernel()) +
              " of block rank " + std::to_string(rank) +
              ", where nobody has initialised an mbarrier");
      return false;
    }
    target.blocks.push_back(&block);
    target.completions.push_back(
        {&block, offset, static_cast<uint32_t>(bytes)});
  }
  return true;
}

bool bulk::takesType(AtomicOp op, Type type, bool isGlobal) {
  auto is = [&](std::initializer_list<Type> types) {
    return std::find(types.begin(), types.end(), type) != types.end();
  };
  switch (op) {
  case AtomicOp::Add:
    return is({Type::U32, Type::S32, Type::U64}) ||
           (isGlobal && is({Type::F16, Type::BF16, Type::F32, Type::F64}));
  case AtomicOp::Min:
  case AtomicOp::Max:
    return is({Type::U32, Type::S32}) ||
           (isGlobal && is({Type::U64, Type::S64, Type::F16, Type::BF16}));
  case AtomicOp::Increment:
  case AtomicOp::Decrement:
    return is({Type::U32});
  default:
    return is({Type::B32}) || (isGlobal && is({Type::B64}));
  }
}

std::vector<Reg> bulk::makeList(Decoder &decoder) {
  std::vector<Reg> list(listSize, decoder.constant(0, 8));
  list[SizeReg] = list[MaskReg] = decoder.constant(0, 4);
  return list;
}

void bulk::setAddress(std::vector<Reg> &list, Inst &inst, int field, int kind,
                      BoundAddress address) {
  list[field] = address.base;
  list[field + 1] = address.offset;
  inst.flags[kind] = address.kind;
}

void bulk::bindMask(Decoder &decoder, const ptx::Operand &operand,
                    std::vector<Reg> &list, Inst &inst) {
  size_t width;
  list[MaskReg] = decoder.wideSource(operand, Type::B16, width);
  if (width > 4)
    decoder.fail(operand.location, "a mask has 16 bits");
  inst.flags[MaskFlag] = static_cast<uint8_t>(width);
}

namespace {

//===----------------------------------------------------------------------===//
// Bytes in a row
//===----------------------------------------------------------------------===//

/// Runs of bytes whose bit in the mask is set, as .cp_mask has them: the mask
/// repeats every 16 bytes.
void addMasked(Transfer &transfer, Place to, Place from, uint32_t bytes,
               uint32_t mask, Piece::Kind kind) {
  for (uint32_t i = 0; i < bytes; ++i) {
    if (!((mask >> (i % 16)) & 1))
      continue;
    Place a = to, b = from;
    a.data += i, a.offset += i;
    b.data += i, b.offset += i;
    if (a.undefined)
      a.undefined += i;
    if (b.undefined)
      b.undefined += i;
    transfer.pieces.push_back({a, b, 1, kind});
  }
}

void copyBulk(Warp &warp, const Inst &inst, uint32_t active) {
  Operands operands(warp, inst);
  active = operands.check(active);
  auto form = static_cast<Form>(inst.flags[FormFlag]);
  auto kind = static_cast<Piece::Kind>(inst.flags[PieceFlag]);
  constexpr uint32_t alignment = 16;
  forEachLane(active, [&](uint32_t lane) {
    uint32_t bytes = operands.word(SizeReg, lane);
    if (bytes % alignment) {
      warp.report(FindingKind::InvalidOperation, inst, lane,
                  "a bulk copy of " + std::to_string(bytes) +
                      " bytes, which is no multiple of 16");
      return;
    }
    StateSpace source =
        form == GlobalToShared ? StateSpace::Global : StateSpace::Shared;
    uint64_t address = operands.address(OtherBase, lane);
    if (source == StateSpace::Shared)
      address &= windowMask;
    Place from = resolve(warp, inst, lane, source, address, bytes, Access::Read,
                         alignment);
    if (!from.data)
      return;
    if (form != GlobalToShared) {
      if (from.shared != &warp.getBlock().shared)
        warp.report(FindingKind::InvalidOperation, inst, lane,
                    "the source is not in the block's own shared memory");
      checkProxy(warp, inst, lane, from, bytes);
    }
    if (form == SharedToGlobal) {
      Place to = resolve(warp, inst, lane, StateSpace::Global,
                         operands.address(SharedBase, lane), bytes,
                         Access::Write, alignment);
      if (!to.data)
        return;
      auto transfer = begin(warp, inst, lane);
      if (inst.flags[MaskFlag])
        addMasked(*transfer, to, from, bytes, operands.mask(lane), kind);
      else
        transfer->pieces.push_back({to, from, bytes, kind});
      issue(std::move(transfer));
      return;
    }
    Target target;
    if (!findTargets(operands, lane, bytes, alignment, target))
      return;
    auto transfer = begin(warp, inst, lane);
    for (Block *block : target.blocks)
      transfer->pieces.push_back(
          {placeIn(*block, target.offset), from, bytes, kind});
    transfer->completions = std::move(target.completions);
    issue(std::move(transfer));
  });
}

void nothing(Warp &, const Inst &, uint32_t) {}

} // namespace

bool emulator::takeReduction(Modifiers &modifiers, AtomicOp &op) {
  std::string_view name = modifiers.takeOneOf(
      {"add", "min", "max", "and", "or", "xor", "inc", "dec"});
  op = name == "min"   ? AtomicOp::Min
       : name == "max" ? AtomicOp::Max
       : name == "and" ? AtomicOp::And
       : name == "or"  ? AtomicOp::Or
       : name == "xor" ? AtomicOp::Xor
       : name == "inc" ? AtomicOp::Increment
       : name == "dec" ? AtomicOp::Decrement
                       : AtomicOp::Add;
  return !name.empty();
}

void emulator::decodeBulk(Decoder &decoder, Modifiers &modifiers,
                          const ptx::Instruction &instruction, Inst &inst) {
  std::span<const ptx::Operand> operands = instruction.operands;
  bool isReduction = inst.imm != 0;
  inst.imm = 0;
  if (modifiers.take("prefetch")) {
    bool isTensor = modifiers.take("tensor");
    if (isTensor) {
      modifiers.takeOneOf({"1d", "2d", "3d", "4d", "5d"});
      modifiers.take("tile");
    }
    if (!modifiers.take("L2") || !modifiers.take("global"))
      if (!isTensor)
        decoder.failUnsupported(instruction, "it wants .L2.global");
    takeCacheHints(modifiers);
    bindAddress(decoder, operands[0]);
    inst.run = nothing;
    return;
  }
  std::string_view to =
      modifiers.takeOneOf({"shared::cluster", "shared::cta", "global"});
  std::string_view from = modifiers.takeOneOf({"shared::cta", "global"});
  bool isGlobal = to == "global";
  if (to.empty() || from.empty() || (isGlobal && from == "global") ||
      (to == "shared::cta" && from == "shared::cta") ||
      (isReduction && from == "global"))
    decoder.failUnsupported(instruction, "that direction");
  Form form = isGlobal           ? SharedToGlobal
              : from == "global" ? GlobalToShared
                                 : SharedToShared;
  bool isGroup = modifiers.take("bulk_group");
  bool isBarrier = modifiers.take("mbarrier::complete_tx::bytes");
  if (isGroup != isGlobal || isBarrier == isGlobal)
    decoder.failUnsupported(
        instruction, isGlobal ? "a copy to global memory wants .bulk_group"
                              : "a copy to shared memory wants "
                                ".mbarrier::complete_tx::bytes");
  bool isMulticast = form == GlobalToShared && to == "shared::cluster" &&
                     modifiers.take("multicast::cluster");
  size_t hints = takeCacheHints(modifiers);
  bool isMasked =
      form == SharedToGlobal && !isReduction && modifiers.take("cp_mask");
  inst.flags[PieceFlag] = Piece::Copy;
  inst.flags[TypeFlag] = static_cast<uint8_t>(Type::B32);
  if (isReduction) {
    AtomicOp op;
    if (!takeReduction(modifiers, op))
      decoder.failUnsupported(instruction, "it names no operation");
    bool isExact = modifiers.take("noftz");
    Type type = modifiers.takeType();
    bool isHalfAdd =
        op == AtomicOp::Add && (type == Type::F16 || type == Type::BF16);
    if (!takesType(op, type, isGlobal) || isExact != isHalfAdd)
      decoder.failUnsupported(instruction, "that operation on that type");
    inst.flags[OpFlag] = static_cast<uint8_t>(op);
    inst.flags[TypeFlag] = static_cast<uint8_t>(type);
    inst.flags[PieceFlag] = Piece::Reduce;
    if (isGlobal)
      decoder.kernel.communicatesAcrossBlocks = true;
  }
  size_t count = (isGlobal ? 3 : 4) + isMulticast + isMasked + hints;
  decoder.expectOperands(instruction, count);
  std::vector<Reg> list = makeList(decoder);
  setAddress(list, inst, SharedBase, SharedKind,
             bindAddress(decoder, operands[0]));
  setAddress(list, inst, OtherBase, OtherKind,
             bindAddress(decoder, operands[1]));
  list[SizeReg] = decoder.source(operands[2], Type::U32);
  if (!isGlobal)
    setAddress(list, inst, BarrierBase, BarrierKind,
               bindAddress(decoder, operands[3]));
  if (isMulticast)
    bindMask(decoder, operands[4], list, inst);
  if (isMasked)
    bindMask(decoder, operands[count - 1], list, inst);
  inst.flags[FormFlag] = form;
  decoder.setList(inst, list);
  inst.isAsync = true;
  inst.run = copyBulk;
}
