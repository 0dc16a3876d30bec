//===- Async.cpp - Asynchronous instructions ------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The table, cp.async, and what every asynchronous transfer does when it comes
// to completion.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/ops/Async.h"

#include <algorithm>
#include <cstring>

using namespace fk;
using namespace fk::emulator;
using ptx::StateSpace;
using ptx::Type;

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

BoundAddress emulator::bindAddress(Decoder &decoder,
                                   const ptx::Operand &operand) {
  Decoder::Address found = decoder.address(operand);
  if (found.kind == AddressFrame)
    decoder.fail(operand.location,
                 "an address in global or shared memory is wanted");
  BoundAddress bound;
  if (found.kind == AddressConstant) {
    auto address = static_cast<uint64_t>(found.offset);
    if (operand.parts.at(0).kind == ptx::Operand::Kind::Param)
      address += paramWindow;
    bound.base = decoder.constant(address, 8);
    bound.offset = decoder.constant(0, 8);
    return bound;
  }
  bound.kind = found.kind;
  bound.base = found.base;
  bound.offset = decoder.constant(static_cast<uint64_t>(found.offset), 8);
  return bound;
}

uint64_t emulator::getAddress(Warp &warp, uint8_t kind, Reg base, Reg offset,
                              uint32_t lane) {
  uint64_t step = warp.values<uint64_t>(offset)[lane];
  if (kind == Address64)
    return warp.values<uint64_t>(base)[lane] + step;
  return static_cast<uint32_t>(warp.values<uint32_t>(base)[lane] + step);
}

//===----------------------------------------------------------------------===//
// Transfers
//===----------------------------------------------------------------------===//

Warp::AsyncGroups &emulator::getGroups(Warp &warp) {
  if (!warp.asyncGroups)
    warp.asyncGroups = std::make_unique<Warp::AsyncGroups>();
  return *warp.asyncGroups;
}

IssueClock emulator::takeIssueClock(Warp &warp) {
  warp.sync.advance();
  auto clock = std::make_shared<const ClockVector>(warp.sync.seen);
  warp.sync.advance();
  return clock;
}

Block &emulator::getOwner(Warp &warp, const Place &place) {
  Unit &unit = warp.getBlock().getUnit();
  for (uint32_t rank = 0; rank < unit.getBlockCount(); ++rank)
    if (&unit.getBlock(rank).shared == place.shared)
      return unit.getBlock(rank);
  return warp.getBlock();
}

Place emulator::placeIn(Block &block, uint64_t offset) {
  SharedMemory &shared = block.shared;
  return {shared.data.data() + offset, shared.undefined.data() + offset,
          nullptr, &shared, offset};
}

void emulator::poison(const Place &place, uint32_t bytes) {
  if (place.shared)
    std::memset(place.undefined, 1, bytes);
}

void emulator::refresh(Place &place) {
  if (!place.region)
    return;
  uint8_t *undefined = place.region->getUndefined();
  place.undefined = undefined ? undefined + place.offset : nullptr;
}

void emulator::checkProxy(Warp &warp, const Inst &inst, uint32_t lane,
                          const Place &place, uint32_t bytes) {
  if (!place.shared || !warp.getBlock().getGrid().options->checkRaces)
    return;
  const Record *records = getRecords(place);
  if (!records)
    return;
  const Kernel &kernel = warp.getKernel();
  Unit &unit = warp.getBlock().getUnit();
  uint32_t first = unit.getBlock(0).getSerial() & 0x7ffff;
  uint32_t last = first + unit.getBlockCount() - 1;
  uint64_t cleared = 0;
  for (uint32_t i = 0; i < bytes; ++i) {
    Epoch writer{records[i].writer.load(std::memory_order_relaxed)};
    if (!writer || writer.bits == cleared || writer.block() < first ||
        writer.block() > last)
      continue;
    cleared = writer.bits;
    if (writer.inst() >= kernel.code.size() ||
        kernel.code[writer.inst()].isAsync || hasSeen(unit.proxied, writer))
      continue;
    warp.report(FindingKind::SharedRace, inst, lane,
                "reads " + describePlace(place, place.offset + i, kernel) +
                    ", which " + describeThread(warp, writer) +
                    " writes, with no fence.proxy.async behind the write",
                place.offset + i);
    return;
  }
}

namespace {

/// Bytes from `place` on that lie in one page of its region's records.
uint32_t countToPageEnd(const Place &place) {
  if (!place.region)
    return ~0u;
  return static_cast<uint32_t>(Region::pageBytes -
                               place.offset % Region::pageBytes);
}

void step(Place &place, uint32_t bytes) {
  if (!place.data)
    return;
  place.data += bytes;
  place.offset += bytes;
  if (place.undefined)
    place.undefined += bytes;
}

/// Which bytes are undefined, one a byte; false: none.
bool readMarks(const Place &place, uint32_t bytes, uint8_t *marks) {
  if (!place.undefined) {
    std::memset(marks, 0, bytes);
    return false;
  }
  std::memcpy(marks, place.undefined, bytes);
  return std::any_of(marks, marks + bytes, [](uint8_t m) { return m; });
}

void writeMarks(Place &place, uint32_t bytes, const uint8_t *marks,
                bool isAny) {
  if (!place.undefined) {
    if (!isAny || !place.region)
      return;
    place.undefined = place.region->ensureUndefined() + place.offset;
  }
  std::memcpy(place.undefined, marks, bytes);
}

/// One piece, in one page of either side.
void runPiece(const Transfer &transfer, Place to, Place from, uint32_t bytes,
              Piece::Kind kind, uint32_t stamp) {
  Warp &warp = *transfer.warp;
  const Inst &inst = *transfer.inst;
  const ClockVector &clock = *transfer.clock;
  constexpr uint32_t most = Region::pageBytes;
  std::byte values[most];
  uint8_t marks[most];
  bool isAny = false;
  if (kind == Piece::FillZero || kind == Piece::FillOnes) {
    std::memset(values, kind == Piece::FillOnes ? 0xff : 0, bytes);
    std::memset(marks, 0, bytes);
  } else {
    refresh(from);
    recordAsyncAccess(warp, inst, transfer.lane, clock, stamp, from, bytes,
                      Access::Read);
    std::memcpy(values, from.data, bytes);
    isAny = readMarks(from, bytes, marks);
  }
  refresh(to);
  bool isReduction = kind == Piece::Reduce;
  recordAsyncAccess(warp, inst, transfer.lane, clock, stamp, to, bytes,
                    isReduction ? Access::Atomic : Access::Write);
  if (isReduction) {
    auto size = static_cast<uint32_t>(ptx::getSizeInBytes(transfer.type));
    std::byte fresh[16];
    for (uint32_t at = 0; at < bytes; at += size) {
      applyAtomic(transfer.type, transfer.op, to.data + at, values + at, fresh);
      std::memcpy(values + at, fresh, size);
      uint8_t mark = 0;
      for (uint32_t i = 0; i < size; ++i)
        mark |= marks[at + i] | (to.undefined ? to.undefined[at + i] : 0);
      std::memset(marks + at, mark, size);
      isAny |= mark != 0;
    }
  }
  if (isAny && to.region && !to.region->options.isScratch) {
    warp.noteUndefinedLoad(inst, from.region ? from.region->name
                                             : std::string("shared memory"));
    warp.reportUndefined(inst, 1u << transfer.lane,
                         "what a copy stores to " + to.region->name);
  }
  std::memcpy(to.data, values, bytes);
  writeMarks(to, bytes, marks, isAny);
}

} // namespace

void Transfer::run(uint32_t stamp) const {
  for (const Piece &piece : pieces) {
    Place to = piece.to, from = piece.from;
    for (uint32_t left = piece.bytes; left;) {
      uint32_t bytes = std::min({left, countToPageEnd(to), countToPageEnd(from),
                                 uint32_t(Region::pageBytes)});
      runPiece(*this, to, from, bytes, piece.kind, stamp);
      step(to, bytes);
      step(from, bytes);
      left -= bytes;
    }
  }
  for (const Completion &completion : completions)
    completeTransaction(*warp, *inst, lane, *completion.owner,
                        completion.offset, completion.bytes, *clock);
}

void emulator::issue(std::shared_ptr<Transfer> transfer) {
  for (const Piece &piece : transfer->pieces)
    poison(piece.to, piece.kind == Piece::Reduce ? 0 : piece.bytes);
  Warp &warp = *transfer->warp;
  uint32_t issuedAt = transfer->clock->warps[warp.getIndex()];
  if (!transfer->completions.empty()) {
    warp.getBlock().asyncOps.push_back(
        {[transfer, issuedAt] { transfer->run(issuedAt); }});
    return;
  }
  getGroups(warp).lanes[transfer->lane].bulk.pending.push_back(
      {transfer->inst, [transfer](uint32_t stamp) { transfer->run(stamp); },
       issuedAt});
}

void emulator::finishBulk(Warp &warp, uint32_t lane, uint64_t upTo,
                          uint32_t stamp) {
  auto &bulk = getGroups(warp).lanes[lane].bulk;
  while (bulk.done < upTo && !bulk.pending.empty())
    bulk.take().run(stamp);
}

void emulator::finishCopies(Warp &warp, uint32_t lane, uint64_t upTo,
                            uint32_t stamp) {
  auto &copies = getGroups(warp).lanes[lane].copies;
  while (copies.done < upTo && !copies.pending.empty()) {
    Warp::AsyncGroups::Copy copy = copies.take();
    std::byte values[16] = {};
    uint16_t undefined = 0;
    if (copy.sourceBytes) {
      refresh(copy.from);
      recordAsyncAccess(warp, *copy.inst, lane, *copy.clock, stamp, copy.from,
                        copy.sourceBytes, Access::Read);
      undefined = loadBytes(copy.from, values, copy.sourceBytes);
      if (undefined)
        warp.noteUndefinedLoad(*copy.inst, copy.from.region->name);
    }
    recordAsyncAccess(warp, *copy.inst, lane, *copy.clock, stamp, copy.to,
                      copy.bytes, Access::Write);
    storeBytes(copy.to, values, copy.bytes, undefined);
  }
}

//===----------------------------------------------------------------------===//
// cp.async
//===----------------------------------------------------------------------===//

namespace {

// The list of cp.async.
enum { ToBase, ToOffset, FromBase, FromOffset };
// Inst::flags.
enum {
  ToKind = 0,
  FromKind = 1,
  SourceFlag = 2, ///< inst.b: bytes of the source
  IgnoreFlag = 3, ///< inst.b: a predicate; flags[4]: negated
  NegatedFlag = 4,
};

void copyAsync(Warp &warp, const Inst &inst, uint32_t active) {
  std::span<const Reg> list = warp.getList(inst);
  auto bytes = static_cast<uint32_t>(inst.imm);
  for (auto [reg, what] : {std::pair(list[ToBase], "the destination's address"),
                           std::pair(list[FromBase], "the source's address"),
                           std::pair(inst.b, "the size of the source")})
    if (warp.checkDefined(inst, reg, active, what))
      active &= ~warp.getUndefined(reg);
  if (!active)
    return;
  Warp::AsyncGroups &groups = getGroups(warp);
  auto clock = std::make_shared<const ClockVector>(warp.sync.seen);
  warp.sync.advance();
  forEachLane(active, [&](uint32_t lane) {
    uint32_t sourceBytes = bytes;
    if (inst.flags[SourceFlag]) {
      sourceBytes = warp.values<uint32_t>(inst.b)[lane];
      if (sourceBytes > bytes) {
        warp.report(FindingKind::InvalidOperation, inst, lane,
                    "a source of " + std::to_string(sourceBytes) +
                        " bytes for a copy of " + std::to_string(bytes));
        sourceBytes = bytes;
      }
    } else if (inst.flags[IgnoreFlag]) {
      bool isIgnored = (warp.predicate(inst.b) >> lane) & 1;
      if (isIgnored != bool(inst.flags[NegatedFlag]))
        sourceBytes = 0;
    }
    Warp::AsyncGroups::Copy copy;
    copy.inst = &inst;
    copy.bytes = bytes;
    copy.sourceBytes = sourceBytes;
    copy.clock = clock;
    copy.to = resolve(warp, inst, lane, StateSpace::Shared,
                      getAddress(warp, inst.flags[ToKind], list[ToBase],
                                 list[ToOffset], lane),
                      bytes, Access::Write, bytes);
    if (!copy.to.data)
      return;
    if (sourceBytes) {
      copy.from = resolve(warp, inst, lane, StateSpace::Global,
                          getAddress(warp, inst.flags[FromKind], list[FromBase],
                                     list[FromOffset], lane),
                          sourceBytes, Access::Read, bytes);
      if (!copy.from.data)
        return;
    }
    poison(copy.to, bytes);
    groups.lanes[lane].copies.pending.push_back(std::move(copy));
  });
}

/// flags[0]: of bulk copies.
void commitGroup(Warp &warp, const Inst &inst, uint32_t active) {
  Warp::AsyncGroups &groups = getGroups(warp);
  forEachLane(active, [&](uint32_t lane) {
    Warp::AsyncGroups::Lane &at = groups.lanes[lane];
    if (inst.flags[0])
      at.bulk.groups.push_back(at.bulk.count());
    else
      at.copies.groups.push_back(at.copies.count());
  });
}

void waitGroup(Warp &warp, const Inst &inst, uint32_t active) {
  Warp::AsyncGroups &groups = getGroups(warp);
  auto most = static_cast<size_t>(inst.imm);
  uint32_t now = warp.sync.now();
  forEachLane(active, [&](uint32_t lane) {
    Warp::AsyncGroups::Lane &at = groups.lanes[lane];
    std::deque<uint64_t> &waited =
        inst.flags[0] ? at.bulk.groups : at.copies.groups;
    while (waited.size() > most) {
      uint64_t upTo = waited.front();
      waited.pop_front();
      if (inst.flags[0])
        finishBulk(warp, lane, upTo, now);
      else
        finishCopies(warp, lane, upTo, now);
    }
  });
}

void waitAll(Warp &warp, const Inst &, uint32_t active) {
  Warp::AsyncGroups &groups = getGroups(warp);
  forEachLane(active, [&](uint32_t lane) {
    auto &copies = groups.lanes[lane].copies;
    copies.groups.clear();
    finishCopies(warp, lane, copies.count(), warp.sync.now());
  });
}

/// The mbarrier gets an arrival when the copies issued so far are complete.
void arriveAfterCopies(Warp &warp, const Inst &inst, uint32_t active) {
  bool isIncreasing = inst.flags[1];
  if (inst.flags[0] < AddressConstant &&
      warp.checkDefined(inst, inst.a, active, "the mbarrier's address"))
    active &= ~warp.getUndefined(inst.a);
  uint64_t addresses[warpSize];
  gatherAddresses(warp, inst, addresses);
  Warp::AsyncGroups &groups = getGroups(warp);
  IssueClock clock = takeIssueClock(warp);
  auto space = static_cast<StateSpace>(inst.flags[2]);
  forEachLane(active, [&](uint32_t lane) {
    MBarrierPlace at = findMBarrier(warp, inst, lane, space, addresses[lane]);
    if (!at.barrier)
      return;
    if (isIncreasing)
      ++at.barrier->pending;
    uint64_t upTo = groups.lanes[lane].copies.count();
    auto offset = static_cast<uint32_t>(at.place.offset);
    Block *owner = at.owner;
    warp.getBlock().asyncOps.push_back(
        {[&warp, &inst, lane, upTo, owner, offset, clock] {
          finishCopies(warp, lane, upTo, clock->warps[warp.getIndex()]);
          arriveAsync(warp, inst, lane, *owner, offset, *clock);
        }});
  });
}

void decodeWaitGroup(Decoder &decoder, const ptx::Instruction &instruction,
                     Inst &inst) {
  decoder.expectOperands(instruction, 1);
  inst.imm = decoder.integer(instruction.operands[0], "the number of groups");
  if (inst.imm < 0)
    decoder.fail(instruction.operands[0].location,
                 "the number of groups is negative");
  inst.run = waitGroup;
}

void decodeCopy(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  if (modifiers.take("reduce")) {
    if (!modifiers.take("async") || !modifiers.take("bulk"))
      decoder.failUnsupported(instruction, "it wants cp.reduce.async.bulk");
    if (modifiers.take("tensor"))
      return decodeTensorBulk(decoder, modifiers, instruction, inst, true);
    inst.imm = 1;
    return decodeBulk(decoder, modifiers, instruction, inst);
  }
  if (!modifiers.take("async"))
    decoder.failUnsupported(instruction, "it wants cp.async");
  bool isBulk = modifiers.take("bulk");
  if (modifiers.take("commit_group")) {
    decoder.expectOperands(instruction, 0);
    inst.flags[0] = isBulk;
    inst.run = commitGroup;
    return;
  }
  if (modifiers.take("wait_group")) {
    if (isBulk)
      modifiers.take("read"); // The writes are done then too.
    inst.flags[0] = isBulk;
    return decodeWaitGroup(decoder, instruction, inst);
  }
  if (isBulk) {
    if (modifiers.take("tensor"))
      return decodeTensorBulk(decoder, modifiers, instruction, inst, false);
    return decodeBulk(decoder, modifiers, instruction, inst);
  }
  if (modifiers.take("wait_all")) {
    decoder.expectOperands(instruction, 0);
    inst.run = waitAll;
    return;
  }
  if (modifiers.take("mbarrier")) {
    if (!modifiers.take("arrive") || !modifiers.take("b64"))
      decoder.failUnsupported(instruction, "it wants .arrive and .b64");
    bool isCounted = modifiers.take("noinc");
    StateSpace space = takeSpace(modifiers);
    decoder.expectOperands(instruction, 1);
    decoder.address(instruction.operands[0], inst);
    inst.flags[1] = !isCounted;
    inst.flags[2] = static_cast<uint8_t>(space);
    inst.isAsync = true;
    inst.run = arriveAfterCopies;
    return;
  }
  decodeAsyncCopy(decoder, modifiers, instruction, inst);
}

[[noreturn]] void refuse(Decoder &decoder, Modifiers &,
                         const ptx::Instruction &instruction, Inst &) {
  std::string_view opcode = instruction.opcode;
  decoder.failUnsupported(
      instruction, opcode == "clusterlaunchcontrol" || opcode == "tcgen05"
                       ? "it needs sm_100; the emulator is an sm_90a"
                   : opcode == "multimem"
                       ? "multimem addresses need several GPUs"
                       : "tensor maps are made by the host");
}

} // namespace

void emulator::decodeAsyncCopy(Decoder &decoder, Modifiers &modifiers,
                               const ptx::Instruction &instruction,
                               Inst &inst) {
  using Kind = ptx::Operand::Kind;
  std::span<const ptx::Operand> operands = instruction.operands;
  std::string_view level = modifiers.takeOneOf({"ca", "cg"});
  std::string_view space =
      modifiers.takeOneOf({"shared", "shared::cta", "global"});
  if (level.empty() || space.empty() || space == "global" ||
      !modifiers.take("global"))
    decoder.failUnsupported(instruction,
                            "it wants .ca or .cg, .shared and .global");
  size_t hints = takeCacheHints(modifiers);
  decoder.expectOperands(instruction, 3 + hints, 4 + hints);
  BoundAddress to = bindAddress(decoder, operands[0]);
  BoundAddress from = bindAddress(decoder, operands[1]);
  Reg regs[] = {to.base, to.offset, from.base, from.offset};
  decoder.setList(inst, regs);
  inst.flags[ToKind] = to.kind;
  inst.flags[FromKind] = from.kind;
  inst.imm = decoder.integer(operands[2], "the size of the copy");
  if (inst.imm != 16 && (level == "cg" || (inst.imm != 4 && inst.imm != 8)))
    decoder.fail(operands[2].location,
                 level == "cg" ? "cp.async.cg copies 16 bytes"
                               : "cp.async.ca copies 4, 8 or 16 bytes");
  inst.b = decoder.constant(0, 4);
  if (operands.size() == 4 + hints) {
    const ptx::Operand &operand = operands[3];
    if (operand.kind == Kind::Register && decoder.getWidth(operand) == 0) {
      inst.b = decoder.source(operand, Type::Pred);
      inst.flags[IgnoreFlag] = 1;
      inst.flags[NegatedFlag] = operand.isNegated;
    } else {
      inst.b = decoder.source(operand, Type::U32);
      inst.flags[SourceFlag] = 1;
    }
  }
  inst.isAsync = true;
  inst.run = copyAsync;
}

static constexpr OpEntry table[] = {
    {"cp", decodeCopy},          {"mbarrier", decodeMBarrier},
    {"fence", decodeFence},      {"membar", decodeFence},
    {"mapa", decodeMapa},        {"getctarank", decodeGetRank},
    {"isspacep", decodeIsSpace}, {"clusterlaunchcontrol", refuse},
    {"tcgen05", refuse},         {"multimem", refuse},
    {"tensormap", refuse},
};

std::span<const OpEntry> emulator::getAsyncOps() { return table; }
