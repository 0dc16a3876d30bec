//===- Access.cpp - A warp's addresses ------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/ops/Access.h"

using namespace fk;
using namespace fk::emulator;

Order emulator::takeOrder(Modifiers &modifiers, Order fallback) {
  std::string_view name = modifiers.takeOneOf(
      {"weak", "volatile", "relaxed", "acquire", "release", "acq_rel"});
  bool isMmio = modifiers.take("mmio");
  modifiers.takeOneOf({"cta", "cluster", "gpu", "sys"});
  if (name == "weak")
    return OrderWeak;
  if (name == "volatile" || name == "relaxed" || isMmio)
    return OrderRelaxed;
  if (name == "acquire")
    return OrderAcquire;
  if (name == "release")
    return OrderRelease;
  if (name == "acq_rel")
    return OrderAcqRel;
  return fallback;
}

ptx::StateSpace emulator::takeSpace(Modifiers &modifiers) {
  using ptx::StateSpace;
  std::string_view name = modifiers.takeOneOf(
      {"const", "global", "local", "param", "param::entry", "param::func",
       "shared", "shared::cta", "shared::cluster"});
  if (name == "const")
    return StateSpace::Const;
  if (name == "global")
    return StateSpace::Global;
  if (name == "local")
    return StateSpace::Local;
  if (name.starts_with("param"))
    return StateSpace::Param;
  if (name.starts_with("shared"))
    return StateSpace::Shared;
  return StateSpace::None;
}

size_t emulator::takeCacheHints(Modifiers &modifiers) {
  size_t operands = 0;
  while (true) {
    std::string_view name = modifiers.takeIf([](std::string_view n) {
      return n.starts_with("L1::") || n.starts_with("L2::") || n == "ca" ||
             n == "cg" || n == "cs" || n == "lu" || n == "cv" || n == "wb" ||
             n == "wt" || n == "nc" || n == "level::cache_hint" ||
             n == "unified";
    });
    if (name.empty())
      return operands;
    if (name == "L2::cache_hint" || name == "level::cache_hint")
      ++operands;
  }
}

void emulator::gatherAddresses(Warp &warp, const Inst &inst,
                               uint64_t *addresses) {
  switch (inst.flags[0]) {
  case Address64: {
    const uint64_t *base = warp.values<uint64_t>(inst.a);
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      addresses[lane] = base[lane] + static_cast<uint64_t>(inst.imm);
    return;
  }
  case Address32: {
    const uint32_t *base = warp.values<uint32_t>(inst.a);
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      addresses[lane] =
          static_cast<uint32_t>(base[lane] + static_cast<uint64_t>(inst.imm));
    return;
  }
  case AddressFrame:
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      addresses[lane] = warp.getLocalBase() + static_cast<uint64_t>(inst.imm);
    return;
  default:
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      addresses[lane] = static_cast<uint64_t>(inst.imm);
  }
}

ptx::StateSpace emulator::narrowSpace(ptx::StateSpace space,
                                      uint64_t &address) {
  using ptx::StateSpace;
  if (space != StateSpace::None)
    return space == StateSpace::Const ? StateSpace::Global : space;
  if (address >= moduleWindow || address < sharedWindow)
    return StateSpace::Global;
  StateSpace found = address >= paramWindow   ? StateSpace::Param
                     : address >= localWindow ? StateSpace::Local
                                              : StateSpace::Shared;
  address &= windowMask;
  return found;
}

void emulator::synchronize(Warp &warp, ptx::StateSpace space, uint64_t address,
                           Order order, bool isRead, bool isWrite) {
  using ptx::StateSpace;
  space = narrowSpace(space, address);
  Block &block = warp.getBlock();
  ClockVector *word;
  if (space == StateSpace::Shared) {
    Block *owner = &block;
    if (uint64_t rank = address >> sharedRankShift;
        rank && rank <= block.getUnit().getBlockCount())
      owner = &block.getUnit().getBlock(rank - 1);
    word = &owner->sharedSync[static_cast<uint32_t>(
        address & ((1u << sharedRankShift) - 4))];
  } else if (space == StateSpace::Global) {
    warp.poll.readsGlobal |= isRead;
    word = &block.getGrid().globalSync[address & ~uint64_t(3)];
  } else {
    return;
  }
  Clock &clock = warp.sync;
  if (isRead) {
    if (order == OrderAcquire || order == OrderAcqRel)
      clock.seen.join(*word);
    else
      clock.observed.join(*word);
  }
  if (isWrite) {
    // A read-modify-write goes on with the release sequence; a store begins
    // another.
    if (!isRead)
      *word = {};
    if (order == OrderRelease || order == OrderAcqRel) {
      word->join(clock.seen);
      clock.advance();
    } else {
      word->join(clock.fenced);
    }
  }
}
