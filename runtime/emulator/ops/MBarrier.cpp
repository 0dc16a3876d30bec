//===- MBarrier.cpp - mbarrier --------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// An mbarrier's state is kept beside the shared memory it lies in. A phase ends
// when no arrival and no byte of its transactions is missing; who waits for it
// then knows what those knew who arrived.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/ops/Async.h"

#include <cstring>

using namespace fk;
using namespace fk::emulator;
using ptx::StateSpace;
using ptx::Type;

namespace {

// Inst::flags.
enum {
  KindFlag = 0,
  SpaceFlag = 1,
  ActionFlag = 2,
  RelaxedFlag = 3,
  NoCompleteFlag = 4,
  DropFlag = 5,
  ExpectFlag = 6, ///< .expect_tx: the operand counts bytes
};
enum Action : uint8_t { Init, Invalidate, ExpectBytes, CompleteBytes };

/// What mbarrier.arrive returns: a mark, the phase and the arrivals it lacked.
constexpr uint64_t tokenMark = uint64_t(1) << 63;
uint64_t makeToken(const MBarrier &barrier) {
  return tokenMark | (uint64_t(barrier.phase) << 20) |
         (static_cast<uint32_t>(barrier.pending) & maxMBarrierCount);
}
uint32_t getPhase(uint64_t token) { return static_cast<uint32_t>(token >> 20); }

std::string describeBarrier(Warp &warp, const MBarrierPlace &at) {
  return describePlace(at.place, at.place.offset, warp.getKernel());
}

void endPhase(MBarrier &barrier) {
  if (barrier.pending != 0 || barrier.bytes != 0)
    return;
  ++barrier.phase;
  barrier.pending = static_cast<int32_t>(barrier.expected);
  barrier.clock = std::move(barrier.arriving);
  barrier.arriving = {};
}

void addBytes(Warp &warp, const Inst &inst, uint32_t lane,
              const MBarrierPlace &at, int64_t bytes) {
  at.barrier->bytes += bytes;
  if (std::abs(at.barrier->bytes) <= int64_t(maxMBarrierCount))
    return;
  warp.report(
      FindingKind::InvalidOperation, inst, lane,
      "the transactions of the mbarrier at " + describeBarrier(warp, at) +
          " count " + std::to_string(at.barrier->bytes) +
          " bytes, beyond the limit of " + std::to_string(maxMBarrierCount),
      sharedBase + at.place.offset);
}

/// False: more arrivals than the phase expects.
bool takeArrivals(Warp &warp, const Inst &inst, uint32_t lane,
                  const MBarrierPlace &at, uint32_t count) {
  MBarrier &barrier = *at.barrier;
  if (int64_t(barrier.pending) >= int64_t(count)) {
    barrier.pending -= static_cast<int32_t>(count);
    return true;
  }
  warp.report(FindingKind::InvalidOperation, inst, lane,
              std::to_string(count) + " arrivals at the mbarrier at " +
                  describeBarrier(warp, at) + ", whose phase " +
                  std::to_string(barrier.phase) + " waits for " +
                  std::to_string(barrier.pending),
              sharedBase + at.place.offset);
  barrier.pending = 0;
  return false;
}

uint32_t checkAddresses(Warp &warp, const Inst &inst, uint32_t active) {
  if (inst.flags[KindFlag] < AddressConstant &&
      warp.checkDefined(inst, inst.a, active, "the mbarrier's address"))
    active &= ~warp.getUndefined(inst.a);
  return active;
}

/// init, inval, expect_tx, complete_tx
void changeBarrier(Warp &warp, const Inst &inst, uint32_t active) {
  active = checkAddresses(warp, inst, active);
  auto action = static_cast<Action>(inst.flags[ActionFlag]);
  if (action != Invalidate &&
      warp.checkDefined(inst, inst.b, active, "the mbarrier's count"))
    active &= ~warp.getUndefined(inst.b);
  uint64_t addresses[warpSize];
  gatherAddresses(warp, inst, addresses);
  auto space = static_cast<StateSpace>(inst.flags[SpaceFlag]);
  const uint32_t *counts = warp.values<uint32_t>(inst.b);
  forEachLane(active, [&](uint32_t lane) {
    if (action == Init) {
      Place place = resolve(warp, inst, lane, space, addresses[lane], 8,
                            Access::Write, 8);
      if (!place.data)
        return;
      if (!place.shared || place.shared != &warp.getBlock().shared) {
        warp.report(FindingKind::InvalidOperation, inst, lane,
                    "an mbarrier is initialised outside the block's shared "
                    "memory",
                    addresses[lane]);
        return;
      }
      uint32_t count = counts[lane];
      if (!count || count > maxMBarrierCount)
        warp.report(FindingKind::InvalidOperation, inst, lane,
                    "an mbarrier for " + std::to_string(count) +
                        " arrivals; there may be 1 to " +
                        std::to_string(maxMBarrierCount));
      recordAccess(warp, inst, lane, place, 8, Access::Write, false);
      MBarrier fresh;
      fresh.expected = count;
      fresh.pending = static_cast<int32_t>(count);
      warp.getBlock().mbarriers[static_cast<uint32_t>(place.offset)] = fresh;
      uint64_t bits = count;
      storeBytes(place, &bits, 8, 0);
      return;
    }
    MBarrierPlace at = findMBarrier(warp, inst, lane, space, addresses[lane]);
    if (!at.barrier)
      return;
    if (action == Invalidate) {
      recordAccess(warp, inst, lane, at.place, 8, Access::Write, false);
      at.owner->mbarriers.erase(static_cast<uint32_t>(at.place.offset));
      std::memset(at.place.undefined, 1, 8);
      return;
    }
    recordAccess(warp, inst, lane, at.place, 8, Access::Atomic, true);
    int64_t bytes = counts[lane];
    at.barrier->arriving.join(warp.sync.fenced);
    addBytes(warp, inst, lane, at, action == ExpectBytes ? bytes : -bytes);
    endPhase(*at.barrier);
  });
}

void arriveBarrier(Warp &warp, const Inst &inst, uint32_t active) {
  active = checkAddresses(warp, inst, active);
  if (warp.checkDefined(inst, inst.b, active, "the count of an arrival"))
    active &= ~warp.getUndefined(inst.b);
  uint64_t addresses[warpSize], tokens[warpSize] = {};
  gatherAddresses(warp, inst, addresses);
  auto space = static_cast<StateSpace>(inst.flags[SpaceFlag]);
  const uint32_t *operands = warp.values<uint32_t>(inst.b);
  bool isRelaxed = inst.flags[RelaxedFlag];
  forEachLane(active, [&](uint32_t lane) {
    MBarrierPlace at = findMBarrier(warp, inst, lane, space, addresses[lane]);
    if (!at.barrier)
      return;
    MBarrier &barrier = *at.barrier;
    recordAccess(warp, inst, lane, at.place, 8, Access::Atomic, true);
    tokens[lane] = makeToken(barrier);
    barrier.arriving.join(isRelaxed ? warp.sync.fenced : warp.sync.seen);
    uint32_t count = operands[lane];
    if (inst.flags[ExpectFlag]) {
      addBytes(warp, inst, lane, at, count);
      count = 1;
    } else if (!count || count > maxMBarrierCount) {
      warp.report(FindingKind::InvalidOperation, inst, lane,
                  "an arrival that counts " + std::to_string(count) +
                      "; it may count 1 to " +
                      std::to_string(maxMBarrierCount));
      return;
    }
    if (!takeArrivals(warp, inst, lane, at, count))
      return;
    if (inst.flags[DropFlag])
      barrier.expected -= std::min(barrier.expected, count);
    if (inst.flags[NoCompleteFlag] && barrier.pending == 0)
      warp.report(FindingKind::InvalidOperation, inst, lane,
                  "an arrival with .noComplete completes phase " +
                      std::to_string(barrier.phase) + " of the mbarrier at " +
                      describeBarrier(warp, at));
    endPhase(barrier);
  });
  if (!isRelaxed)
    warp.sync.advance();
  blend(warp.values<uint64_t>(inst.d), tokens, active);
  warp.setUndefined(inst.d, active, 0);
}

/// Notes that lanes wait for something that has not happened.
void notePoll(Warp &warp, const Inst &inst, uint32_t lanes,
              const MBarrierPlace &at) {
  Warp::Poll &poll = warp.poll;
  poll.inst = &inst;
  poll.lanes = lanes;
  poll.owner = at.owner;
  poll.offset = static_cast<uint32_t>(at.place.offset);
  poll.isFresh = true;
  // Others may be waiting for a copy in ways that nobody sees.
  constexpr uint64_t patience = 64;
  if (++poll.count % patience == 0)
    warp.getBlock().getUnit().stepAsync();
  warp.yield();
}

void waitBarrier(Warp &warp, const Inst &inst, uint32_t active, bool isParity) {
  active = checkAddresses(warp, inst, active);
  if (warp.checkDefined(inst, inst.b, active,
                        isParity ? "the parity waited for"
                                 : "the state waited for"))
    active &= ~warp.getUndefined(inst.b);
  uint64_t addresses[warpSize];
  gatherAddresses(warp, inst, addresses);
  auto space = static_cast<StateSpace>(inst.flags[SpaceFlag]);
  uint32_t complete = 0;
  MBarrierPlace last, waited;
  uint64_t lastAddress = 0;
  forEachLane(active, [&](uint32_t lane) {
    if (!last.barrier || addresses[lane] != lastAddress) {
      last = findMBarrier(warp, inst, lane, space, addresses[lane]);
      lastAddress = addresses[lane];
      if (last.barrier) {
        recordAccess(warp, inst, lane, last.place, 8, Access::Read, true);
        if (last.owner != &warp.getBlock())
          warp.report(FindingKind::InvalidOperation, inst, lane,
                      "a wait for an mbarrier of another block; only its own "
                      "block may wait for it",
                      addresses[lane]);
      }
    }
    if (!last.barrier) {
      complete |= 1u << lane; // Reported; the program goes on.
      return;
    }
    const MBarrier &barrier = *last.barrier;
    bool isComplete;
    if (isParity) {
      uint32_t parity = warp.values<uint32_t>(inst.b)[lane];
      if (parity > 1)
        warp.report(FindingKind::InvalidOperation, inst, lane,
                    "a wait for parity " + std::to_string(parity) +
                        ", which is neither 0 nor 1");
      isComplete = (barrier.phase & 1) != (parity & 1);
    } else {
      uint64_t token = warp.values<uint64_t>(inst.b)[lane];
      uint32_t behind = barrier.phase - getPhase(token);
      if (!(token & tokenMark) || behind > 1)
        warp.report(FindingKind::InvalidOperation, inst, lane,
                    !(token & tokenMark)
                        ? std::string("a wait for a state that no arrival gave")
                        : "a wait for phase " +
                              std::to_string(getPhase(token)) +
                              " of an mbarrier that is in phase " +
                              std::to_string(barrier.phase));
      isComplete = behind != 0 || !(token & tokenMark);
    }
    if (isComplete) {
      complete |= 1u << lane;
      if (inst.flags[RelaxedFlag])
        warp.sync.observed.join(barrier.clock);
      else
        warp.sync.seen.join(barrier.clock);
    } else {
      waited = last;
    }
  });
  setPredicate(warp, inst.d, active, complete, 0);
  if (uint32_t rest = active & ~complete)
    notePoll(warp, inst, rest, waited);
  else
    warp.poll = {};
}

void waitState(Warp &warp, const Inst &inst, uint32_t active) {
  waitBarrier(warp, inst, active, false);
}
void waitParity(Warp &warp, const Inst &inst, uint32_t active) {
  waitBarrier(warp, inst, active, true);
}

void pendingCount(Warp &warp, const Inst &inst, uint32_t active) {
  const uint64_t *tokens = warp.values<uint64_t>(inst.a);
  uint32_t counts[warpSize];
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    counts[lane] = static_cast<uint32_t>(tokens[lane]) & maxMBarrierCount;
  blend(warp.values<uint32_t>(inst.d), counts, active);
  warp.setUndefined(inst.d, active, warp.getUndefined(inst.a));
}

} // namespace

MBarrierPlace emulator::findMBarrier(Warp &warp, const Inst &inst,
                                     uint32_t lane, StateSpace space,
                                     uint64_t address) {
  MBarrierPlace at;
  at.place = resolve(warp, inst, lane, space, address, 8, Access::Atomic, 8);
  if (!at.place.data)
    return {};
  if (at.place.shared) {
    at.owner = &getOwner(warp, at.place);
    auto found =
        at.owner->mbarriers.find(static_cast<uint32_t>(at.place.offset));
    if (found != at.owner->mbarriers.end()) {
      at.barrier = &found->second;
      return at;
    }
  }
  warp.report(FindingKind::InvalidOperation, inst, lane,
              "there is no mbarrier at " + describeBarrier(warp, at) +
                  ": nobody has initialised it",
              address);
  return {};
}

void emulator::completeTransaction(Warp &warp, const Inst &inst, uint32_t lane,
                                   Block &owner, uint32_t offset,
                                   uint32_t bytes, const ClockVector &clock) {
  Place place = placeIn(owner, offset);
  auto found = owner.mbarriers.find(offset);
  if (found == owner.mbarriers.end()) {
    warp.report(FindingKind::InvalidOperation, inst, lane,
                "the copy completes on the mbarrier at " +
                    describePlace(place, offset, warp.getKernel()) +
                    ", which is no more");
    return;
  }
  recordAsyncAccess(warp, inst, lane, clock, clock.warps[warp.getIndex()],
                    place, 8, Access::Atomic);
  found->second.arriving.join(clock);
  addBytes(warp, inst, lane, {&found->second, &owner, place}, -int64_t(bytes));
  endPhase(found->second);
}

void emulator::arriveAsync(Warp &warp, const Inst &inst, uint32_t lane,
                           Block &owner, uint32_t offset,
                           const ClockVector &clock) {
  Place place = placeIn(owner, offset);
  auto found = owner.mbarriers.find(offset);
  if (found == owner.mbarriers.end()) {
    warp.report(FindingKind::InvalidOperation, inst, lane,
                "copies complete on the mbarrier at " +
                    describePlace(place, offset, warp.getKernel()) +
                    ", which is no more");
    return;
  }
  recordAsyncAccess(warp, inst, lane, clock, clock.warps[warp.getIndex()],
                    place, 8, Access::Atomic);
  found->second.arriving.join(clock);
  takeArrivals(warp, inst, lane, {&found->second, &owner, place}, 1);
  endPhase(found->second);
}

void emulator::decodeMBarrier(Decoder &decoder, Modifiers &modifiers,
                              const ptx::Instruction &instruction, Inst &inst) {
  std::span<const ptx::Operand> operands = instruction.operands;
  std::string_view action = modifiers.takeOneOf(
      {"init", "inval", "arrive", "arrive_drop", "expect_tx", "complete_tx",
       "test_wait", "try_wait", "pending_count"});
  if (action.empty())
    decoder.failUnsupported(instruction, "it names no operation of mbarrier");
  if (!modifiers.take("b64"))
    decoder.failUnsupported(instruction, "it wants .b64");
  if (action == "pending_count") {
    decoder.expectOperands(instruction, 2);
    inst.d = decoder.dest(operands[0], 4);
    inst.a = decoder.source(operands[1], Type::B64);
    inst.run = pendingCount;
    return;
  }
  std::string_view order =
      modifiers.takeOneOf({"release", "acquire", "relaxed"});
  std::string_view scope = modifiers.takeOneOf({"cta", "cluster"});
  std::string_view space =
      modifiers.takeOneOf({"shared", "shared::cta", "shared::cluster"});
  auto addressOf = [&](const ptx::Operand &operand) {
    decoder.address(operand, inst);
    if (inst.flags[KindFlag] == AddressFrame)
      decoder.fail(operand.location, "an mbarrier lies in shared memory");
    inst.flags[SpaceFlag] = static_cast<uint8_t>(
        space.empty() ? StateSpace::None : StateSpace::Shared);
  };
  auto failOrder = [&] {
    decoder.failUnsupported(instruction, "that order here");
  };
  inst.flags[RelaxedFlag] = order == "relaxed";
  if (!order.empty() && scope.empty())
    decoder.failUnsupported(instruction,
                            "an order wants a scope, .cta or .cluster");
  if (action == "init" || action == "inval" || action == "expect_tx" ||
      action == "complete_tx") {
    if (order == "release" || order == "acquire" ||
        (!order.empty() && (action == "init" || action == "inval")))
      failOrder();
    decoder.expectOperands(instruction, action == "inval" ? 1 : 2);
    addressOf(operands[0]);
    if (action != "inval")
      inst.b = decoder.source(operands[1], Type::U32);
    inst.flags[ActionFlag] = action == "init"        ? Init
                             : action == "inval"     ? Invalidate
                             : action == "expect_tx" ? ExpectBytes
                                                     : CompleteBytes;
    inst.run = changeBarrier;
    return;
  }
  if (action == "arrive" || action == "arrive_drop") {
    if (order == "acquire")
      failOrder();
    bool isExpecting = modifiers.take("expect_tx");
    bool isIncomplete = modifiers.take("noComplete");
    if (isExpecting && isIncomplete)
      decoder.failUnsupported(instruction, "both .expect_tx and .noComplete");
    inst.flags[ExpectFlag] = isExpecting;
    inst.flags[NoCompleteFlag] = isIncomplete;
    inst.flags[DropFlag] = action == "arrive_drop";
    bool wantsCount = isExpecting || isIncomplete;
    decoder.expectOperands(instruction, wantsCount ? 3 : 2, 3);
    if (space == "shared::cluster" &&
        operands[0].kind != ptx::Operand::Kind::Sink)
      decoder.fail(operands[0].location,
                   "an arrival at .shared::cluster gives no state; write '_'");
    inst.d = decoder.dest(operands[0], 8);
    addressOf(operands[1]);
    inst.b = operands.size() == 3 ? decoder.source(operands[2], Type::U32)
                                  : decoder.constant(1, 4);
    inst.run = arriveBarrier;
    return;
  }
  if (order == "release")
    failOrder();
  if (space == "shared::cluster")
    decoder.failUnsupported(instruction,
                            "only an mbarrier of the own block is waited for");
  bool isParity = modifiers.take("parity");
  bool isTry = action == "try_wait";
  decoder.expectOperands(instruction, 3, isTry ? 4 : 3);
  inst.d = decoder.dest(operands[0], 0);
  addressOf(operands[1]);
  inst.b = decoder.source(operands[2], isParity ? Type::U32 : Type::B64);
  if (operands.size() == 4)
    decoder.source(operands[3], Type::U32); // How long it may sleep: a hint.
  inst.run = isParity ? waitParity : waitState;
}
