//===- Barrier.cpp - bar, barrier, bar.warp.sync --------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A block's barrier counts threads, in whole warps, as the ISA says. Without a
// count it waits for every thread that still runs.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Block.h"
#include "runtime/emulator/ops/Elementwise.h"

using namespace fk;
using namespace fk::emulator;

namespace {

// Inst::flags.
enum { ModeFlag = 0, AlignedFlag = 1, CountFlag = 2, ReduceFlag = 3 };
enum Mode : uint8_t { Sync, Arrive, Reduce };
enum Reduction : uint8_t { Popc, And, Or };

uint32_t countWaiting(const NamedBarrier &barrier) {
  uint32_t count = 0;
  for (uint32_t lanes : barrier.arrived)
    count += std::popcount(lanes);
  return count;
}

bool isComplete(Block &block, const NamedBarrier &barrier) {
  if (barrier.expectedThreads)
    return barrier.arrivedThreads >= barrier.expectedThreads;
  for (uint32_t w = 0; w < block.getWarpCount(); ++w)
    if (block.getWarp(w).getLive() & ~barrier.arrived[w])
      return false;
  return countWaiting(barrier) != 0;
}

void complete(Block &block, uint32_t number) {
  NamedBarrier barrier = block.barriers[number];
  block.barriers[number] = {};
  // Each warp reads its result when it runs again, the barrier being in use.
  block.barriers[number].results = barrier.results;
  for (uint32_t w = 0; w < block.getWarpCount(); ++w) {
    if (!barrier.waiting[w])
      continue;
    block.barriers[number].results[w] = barrier.reduction;
    Warp &warp = block.getWarp(w);
    warp.sync.seen.join(barrier.clock);
    warp.sync.advance();
    warp.wake(FragmentState::Barrier, number);
  }
}

void barrierOp(Warp &warp, const Inst &inst, uint32_t active) {
  Block &block = warp.getBlock();
  uint32_t first = std::countr_zero(active);
  if (warp.checkDefined(inst, inst.a, active, "the barrier's number") ||
      (inst.flags[CountFlag] &&
       warp.checkDefined(inst, inst.b, active, "the barrier's count")))
    return;
  uint32_t number = warp.values<uint32_t>(inst.a)[first];
  if (number >= 16) {
    warp.report(FindingKind::InvalidOperation, inst, first,
                "barrier " + std::to_string(number) + "; there are 16");
    return;
  }
  if (inst.flags[AlignedFlag] && active != warp.getLive())
    warp.report(FindingKind::DivergentBarrier, inst, first,
                "only " + std::to_string(std::popcount(active)) + " of the " +
                    std::to_string(std::popcount(warp.getLive())) +
                    " running lanes of the warp come to the barrier");
  NamedBarrier &barrier = block.barriers[number];
  uint32_t count = 0;
  if (inst.flags[CountFlag]) {
    count = warp.values<uint32_t>(inst.b)[first];
    if (count % 32 || !count) {
      warp.report(FindingKind::InvalidOperation, inst, first,
                  "a barrier's count of " + std::to_string(count) +
                      ", which is not a multiple of 32");
      return;
    }
  }
  if (!barrier.isBusy) {
    barrier.isBusy = true;
    barrier.expectedThreads = count;
    auto op = static_cast<Reduction>(inst.flags[ReduceFlag]);
    barrier.reduction = op == And ? 1 : 0;
  } else if (barrier.expectedThreads != count) {
    warp.report(FindingKind::InvalidOperation, inst, first,
                "the barrier is waited for with different counts, " +
                    std::to_string(barrier.expectedThreads) + " and " +
                    std::to_string(count));
  }
  uint32_t w = warp.getIndex();
  // A whole warp counts as 32, even where lanes have exited.
  barrier.arrivedThreads += inst.flags[AlignedFlag] || active == warp.getLive()
                                ? warpSize
                                : static_cast<uint32_t>(std::popcount(active));
  barrier.arrived[w] |= active;
  barrier.clock.join(warp.sync.seen);
  auto mode = static_cast<Mode>(inst.flags[ModeFlag]);
  if (mode == Reduce) {
    uint32_t p = warp.predicate(inst.c);
    if (inst.flags[4])
      p = ~p;
    warp.checkDefined(inst, inst.c, active, "the predicate of a barrier");
    auto op = static_cast<Reduction>(inst.flags[ReduceFlag]);
    if (op == Popc)
      barrier.reduction += std::popcount(p & active);
    else if (op == And)
      barrier.reduction &= (p & active) == active;
    else
      barrier.reduction |= (p & active) != 0;
  }
  if (mode == Arrive) {
    warp.sync.advance();
    if (isComplete(block, barrier))
      complete(block, number);
    return;
  }
  barrier.waiting[w] |= active;
  warp.splitOff(active);
  warp.wait(FragmentState::Barrier, number);
  if (isComplete(block, barrier))
    complete(block, number);
}

/// The second half of bar.red, run when the barrier has let the lanes go.
void readReduction(Warp &warp, const Inst &inst, uint32_t active) {
  uint32_t number = warp.values<uint32_t>(inst.a)[std::countr_zero(active)];
  uint32_t result =
      warp.getBlock().barriers[number % 16].results[warp.getIndex()];
  if (static_cast<Reduction>(inst.flags[ReduceFlag]) == Popc) {
    uint32_t copy[warpSize];
    std::fill_n(copy, warpSize, result);
    blend(warp.values<uint32_t>(inst.d), copy, active);
    warp.setUndefined(inst.d, active, 0);
  } else {
    setPredicate(warp, inst.d, active, result ? allLanes : 0, 0);
  }
}

/// Lanes of one warp wait for those of a mask.
void warpBarrier(Warp &warp, const Inst &inst, uint32_t active) {
  meetLanes(warp, inst, active, inst.a, /*isBarrier=*/true);
}

void decodeBarrier(Decoder &decoder, Modifiers &modifiers,
                   const ptx::Instruction &instruction, Inst &inst) {
  if (instruction.opcode == "bar" && modifiers.take("warp")) {
    if (!modifiers.take("sync"))
      decoder.failUnsupported(instruction, "it wants .sync");
    decoder.expectOperands(instruction, 1);
    inst.a = decoder.source(instruction.operands[0], ptx::Type::B32);
    inst.run = warpBarrier;
    return;
  }
  if (modifiers.take("cluster"))
    return decodeClusterBarrier(decoder, modifiers, instruction, inst);
  modifiers.take("cta");
  bool isAligned = instruction.opcode == "bar";
  if (modifiers.take("aligned"))
    isAligned = true;
  std::string_view mode = modifiers.takeOneOf({"sync", "arrive", "red"});
  if (mode.empty())
    decoder.failUnsupported(instruction, "it wants .sync, .arrive or .red");
  inst.flags[AlignedFlag] = isAligned;
  std::span<const ptx::Operand> operands = instruction.operands;
  if (mode == "red") {
    std::string_view op = modifiers.takeOneOf({"popc", "and", "or"});
    ptx::Type type = modifiers.takeType();
    if (op.empty() || (op == "popc") != (type == ptx::Type::U32))
      decoder.failUnsupported(instruction,
                              "it wants .popc.u32, .and.pred or .or.pred");
    decoder.expectOperands(instruction, 3, 4);
    inst.flags[ReduceFlag] = op == "popc" ? Popc : op == "and" ? And : Or;
    inst.flags[ModeFlag] = Reduce;
    inst.d = decoder.dest(operands[0], op == "popc" ? 4 : 0);
    inst.a = decoder.source(operands[1], ptx::Type::U32);
    if (operands.size() == 4) {
      inst.b = decoder.source(operands[2], ptx::Type::U32);
      inst.flags[CountFlag] = 1;
    }
    const ptx::Operand &predicate = operands.back();
    inst.c = decoder.source(predicate, ptx::Type::Pred);
    inst.flags[4] = predicate.isNegated;
    inst.run = barrierOp;
    decoder.kernel.code.push_back(inst);
    inst.run = readReduction;
    return;
  }
  inst.flags[ModeFlag] = mode == "arrive" ? Arrive : Sync;
  decoder.expectOperands(instruction, mode == "arrive" ? 2 : 1, 2);
  inst.a = decoder.source(operands[0], ptx::Type::U32);
  if (operands.size() == 2) {
    inst.b = decoder.source(operands[1], ptx::Type::U32);
    inst.flags[CountFlag] = 1;
  }
  inst.run = barrierOp;
}

constexpr OpEntry table[] = {{"bar", decodeBarrier},
                             {"barrier", decodeBarrier}};

} // namespace

uint32_t emulator::meetLanes(Warp &warp, const Inst &inst, uint32_t active,
                             Reg maskReg, bool isBarrier) {
  if (warp.checkDefined(inst, maskReg, active, "the mask of lanes"))
    return active;
  const uint32_t *masks = warp.values<uint32_t>(maskReg);
  uint32_t mask = masks[std::countr_zero(active)];
  uint32_t wrong = 0;
  forEachLane(active, [&](uint32_t lane) {
    if (masks[lane] != mask || !((masks[lane] >> lane) & 1))
      wrong |= 1u << lane;
  });
  if (wrong) {
    uint32_t lane = std::countr_zero(wrong);
    warp.report(FindingKind::InvalidMask, inst, lane,
                masks[lane] != mask ? "lanes of one warp name different masks"
                                    : "lane " + std::to_string(lane) +
                                          " is not in the mask it names");
    return active;
  }
  return warp.meet(inst, active, mask, isBarrier);
}

void Block::updateBarriers() {
  for (uint32_t number = 0; number < barriers.size(); ++number)
    if (barriers[number].isBusy && isComplete(*this, barriers[number]))
      complete(*this, number);
  unit->updateClusterBarrier();
}

std::span<const OpEntry> emulator::getBarrierOps() { return table; }
