//===- WarpOps.cpp - shfl, vote, match, redux, elect ----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Block.h"
#include "runtime/emulator/ops/Elementwise.h"

#include <algorithm>
#include <cstring>

using namespace fk;
using namespace fk::emulator;

namespace {

enum ShuffleMode : uint8_t { Up, Down, Butterfly, Index };

/// PTX ISA, shfl.sync: b is the offset or lane, c holds the clamp (bits 0-4)
/// and the segment mask (bits 8-12).
void shuffle(Warp &warp, const Inst &inst, uint32_t active) {
  active = meetLanes(warp, inst, active, inst.e, false);
  if (!active)
    return;
  const uint32_t *a = warp.values<uint32_t>(inst.a);
  const uint32_t *b = warp.values<uint32_t>(inst.b);
  const uint32_t *c = warp.values<uint32_t>(inst.c);
  uint32_t result[warpSize], inRange = 0, undefined = 0;
  uint16_t marks[warpSize] = {};
  uint32_t undefinedA = warp.getUndefined(inst.a);
  uint32_t undefinedBC = warp.getUndefined(inst.b) | warp.getUndefined(inst.c);
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    uint32_t offset = b[lane] & 31, clamp = c[lane] & 31;
    uint32_t segment = (c[lane] >> 8) & 31;
    uint32_t most = (lane & segment) | (clamp & ~segment);
    uint32_t least = lane & segment;
    int32_t j;
    bool fits;
    switch (static_cast<ShuffleMode>(inst.flags[0])) {
    case Up:
      j = int32_t(lane) - int32_t(offset);
      fits = j >= int32_t(most);
      break;
    case Down:
      j = int32_t(lane + offset);
      fits = j <= int32_t(most);
      break;
    case Butterfly:
      j = int32_t(lane ^ offset);
      fits = j <= int32_t(most);
      break;
    default:
      j = int32_t(least | (offset & ~segment));
      fits = j <= int32_t(most);
    }
    if (!fits)
      j = int32_t(lane);
    inRange |= uint32_t(fits) << lane;
    result[lane] = a[j & 31];
    if ((undefinedBC >> lane) & 1 || !((active >> (j & 31)) & 1)) {
      undefined |= 1u << lane;
      marks[lane] = 0xffff; // From a lane that does not take part.
    } else if ((undefinedA >> (j & 31)) & 1) {
      undefined |= 1u << lane;
      marks[lane] = warp.getUndefinedBytes(inst.a, j & 31);
    }
  }
  blend(warp.values<uint32_t>(inst.d), result, active);
  warp.setUndefined(inst.d, active, 0);
  if (undefined & active)
    forEachLane(undefined & active, [&](uint32_t lane) {
      warp.setUndefinedBytes(inst.d, lane, marks[lane]);
    });
  if (inst.flags[1])
    setPredicate(warp, inst.d2, active, inRange, undefinedBC);
}

enum VoteMode : uint8_t { All, Any, Uniform, Ballot };

void vote(Warp &warp, const Inst &inst, uint32_t active) {
  active = meetLanes(warp, inst, active, inst.e, false);
  if (!active)
    return;
  uint32_t p = warp.predicate(inst.a);
  if (inst.flags[1])
    p = ~p;
  p &= active;
  uint32_t undefined = warp.getUndefined(inst.a) & active ? active : 0;
  switch (static_cast<VoteMode>(inst.flags[0])) {
  case All:
    setPredicate(warp, inst.d, active, p == active ? allLanes : 0, undefined);
    return;
  case Any:
    setPredicate(warp, inst.d, active, p ? allLanes : 0, undefined);
    return;
  case Uniform:
    setPredicate(warp, inst.d, active, p == active || !p ? allLanes : 0,
                 undefined);
    return;
  case Ballot: {
    uint32_t copy[warpSize];
    std::fill_n(copy, warpSize, p);
    blend(warp.values<uint32_t>(inst.d), copy, active);
    warp.setUndefined(inst.d, active, undefined);
  }
  }
}

template <class T> void match(Warp &warp, const Inst &inst, uint32_t active) {
  active = meetLanes(warp, inst, active, inst.e, false);
  if (!active)
    return;
  const T *a = warp.values<T>(inst.a);
  uint32_t result[warpSize] = {};
  uint32_t same = 0;
  bool isAll = inst.flags[0];
  forEachLane(active, [&](uint32_t lane) {
    forEachLane(active, [&](uint32_t other) {
      result[lane] |= uint32_t(a[lane] == a[other]) << other;
    });
    same |= uint32_t(result[lane] == active) << lane;
  });
  bool agrees = same == active;
  if (isAll)
    std::fill_n(result, warpSize, agrees ? active : 0);
  uint32_t undefined = warp.getUndefined(inst.a) & active ? active : 0;
  blend(warp.values<uint32_t>(inst.d), result, active);
  warp.setUndefined(inst.d, active, undefined);
  if (inst.flags[1])
    setPredicate(warp, inst.d2, active, agrees ? allLanes : 0, undefined);
}

enum ReduxOp : uint8_t { Add, Min, Max, MinSigned, MaxSigned, And, Or, Xor };

void reduce(Warp &warp, const Inst &inst, uint32_t active) {
  active = meetLanes(warp, inst, active, inst.e, false);
  if (!active)
    return;
  const uint32_t *a = warp.values<uint32_t>(inst.a);
  uint32_t result = a[std::countr_zero(active)];
  forEachLane(active & (active - 1), [&](uint32_t lane) {
    uint32_t x = a[lane];
    switch (static_cast<ReduxOp>(inst.flags[0])) {
    case Add:
      result += x;
      break;
    case Min:
      result = std::min(result, x);
      break;
    case Max:
      result = std::max(result, x);
      break;
    case MinSigned:
      result = static_cast<uint32_t>(
          std::min(static_cast<int32_t>(result), static_cast<int32_t>(x)));
      break;
    case MaxSigned:
      result = static_cast<uint32_t>(
          std::max(static_cast<int32_t>(result), static_cast<int32_t>(x)));
      break;
    case And:
      result &= x;
      break;
    case Or:
      result |= x;
      break;
    case Xor:
      result ^= x;
      break;
    }
  });
  uint32_t copy[warpSize];
  std::fill_n(copy, warpSize, result);
  blend(warp.values<uint32_t>(inst.d), copy, active);
  warp.setUndefined(inst.d, active,
                    warp.getUndefined(inst.a) & active ? active : 0);
}

/// The lowest lane of the mask is elected, as the hardware does.
void elect(Warp &warp, const Inst &inst, uint32_t active) {
  active = meetLanes(warp, inst, active, inst.e, false);
  if (!active)
    return;
  uint32_t leader = std::countr_zero(active);
  uint32_t copy[warpSize];
  std::fill_n(copy, warpSize, leader);
  blend(warp.values<uint32_t>(inst.d), copy, active);
  warp.setUndefined(inst.d, active, 0);
  setPredicate(warp, inst.d2, active, 1u << leader, 0);
}

/// `d|p`: the register and, where there is one, the predicate.
bool bindPair(Decoder &decoder, const ptx::Operand &operand, Inst &inst) {
  if (operand.kind != ptx::Operand::Kind::Pair) {
    inst.d = decoder.dest(operand, 4);
    inst.d2 = decoder.scratch(0);
    return false;
  }
  inst.d = decoder.dest(operand.parts.at(0), 4);
  inst.d2 = decoder.dest(operand.parts.at(1), 0);
  return true;
}

void expectSync(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction) {
  if (!modifiers.take("sync"))
    decoder.failUnsupported(instruction,
                            "without .sync it is gone since PTX 6.4 (sm_70)");
}

void decodeShfl(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  expectSync(decoder, modifiers, instruction);
  std::string_view mode = modifiers.takeOneOf({"up", "down", "bfly", "idx"});
  if (mode.empty() || !modifiers.take("b32"))
    decoder.failUnsupported(instruction, "it wants a mode and .b32");
  decoder.expectOperands(instruction, 5);
  inst.flags[0] = mode == "up"     ? Up
                  : mode == "down" ? Down
                  : mode == "bfly" ? Butterfly
                                   : Index;
  inst.flags[1] = bindPair(decoder, instruction.operands[0], inst);
  inst.a = decoder.source(instruction.operands[1], ptx::Type::B32);
  inst.b = decoder.source(instruction.operands[2], ptx::Type::U32);
  inst.c = decoder.source(instruction.operands[3], ptx::Type::U32);
  inst.e = decoder.source(instruction.operands[4], ptx::Type::U32);
  inst.run = shuffle;
}

void decodeVote(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  expectSync(decoder, modifiers, instruction);
  std::string_view mode = modifiers.takeOneOf({"all", "any", "uni", "ballot"});
  ptx::Type type = modifiers.takeType();
  if (mode.empty() ||
      type != (mode == "ballot" ? ptx::Type::B32 : ptx::Type::Pred))
    decoder.failUnsupported(instruction,
                            "it wants .all, .any, .uni with .pred, or "
                            ".ballot.b32");
  decoder.expectOperands(instruction, 3);
  inst.flags[0] = mode == "all"   ? All
                  : mode == "any" ? Any
                  : mode == "uni" ? Uniform
                                  : Ballot;
  inst.d = decoder.dest(instruction.operands[0], mode == "ballot" ? 4 : 0);
  const ptx::Operand &predicate = instruction.operands[1];
  int64_t value;
  if (decoder.isInteger(predicate, value))
    inst.a = value ? decoder.truePredicate() : decoder.falsePredicate();
  else
    inst.a = decoder.source(predicate, ptx::Type::Pred);
  inst.flags[1] = predicate.isNegated;
  inst.e = decoder.source(instruction.operands[2], ptx::Type::U32);
  inst.run = vote;
}

void decodeMatch(Decoder &decoder, Modifiers &modifiers,
                 const ptx::Instruction &instruction, Inst &inst) {
  std::string_view mode = modifiers.takeOneOf({"all", "any"});
  expectSync(decoder, modifiers, instruction);
  ptx::Type type = modifiers.takeType();
  if (mode.empty() || (type != ptx::Type::B32 && type != ptx::Type::B64))
    decoder.failUnsupported(instruction, "it wants .any or .all, .b32 or .b64");
  decoder.expectOperands(instruction, 3);
  inst.flags[0] = mode == "all";
  inst.flags[1] = bindPair(decoder, instruction.operands[0], inst);
  inst.a = decoder.source(instruction.operands[1], type);
  inst.e = decoder.source(instruction.operands[2], ptx::Type::U32);
  inst.run = type == ptx::Type::B64 ? match<uint64_t> : match<uint32_t>;
}

void decodeRedux(Decoder &decoder, Modifiers &modifiers,
                 const ptx::Instruction &instruction, Inst &inst) {
  expectSync(decoder, modifiers, instruction);
  std::string_view op =
      modifiers.takeOneOf({"add", "min", "max", "and", "or", "xor"});
  ptx::Type type = modifiers.takeType();
  bool isSigned = type == ptx::Type::S32;
  bool isBits = op == "and" || op == "or" || op == "xor";
  if (op.empty() ||
      (isBits ? type != ptx::Type::B32 : type != ptx::Type::U32 && !isSigned))
    decoder.failUnsupported(instruction, "that operation on that type");
  decoder.expectOperands(instruction, 3);
  inst.flags[0] = op == "add"   ? Add
                  : op == "min" ? (isSigned ? MinSigned : Min)
                  : op == "max" ? (isSigned ? MaxSigned : Max)
                  : op == "and" ? And
                  : op == "or"  ? Or
                                : Xor;
  inst.d = decoder.dest(instruction.operands[0], 4);
  inst.a = decoder.source(instruction.operands[1], type);
  inst.e = decoder.source(instruction.operands[2], ptx::Type::U32);
  inst.run = reduce;
}

void decodeElect(Decoder &decoder, Modifiers &modifiers,
                 const ptx::Instruction &instruction, Inst &inst) {
  expectSync(decoder, modifiers, instruction);
  decoder.expectOperands(instruction, 2);
  const ptx::Operand &to = instruction.operands[0];
  if (to.kind != ptx::Operand::Kind::Pair)
    decoder.fail(to.location, "elect.sync writes d|p");
  bindPair(decoder, to, inst);
  inst.e = decoder.source(instruction.operands[1], ptx::Type::U32);
  inst.run = elect;
}

constexpr OpEntry table[] = {
    {"shfl", decodeShfl},   {"vote", decodeVote},   {"match", decodeMatch},
    {"redux", decodeRedux}, {"elect", decodeElect},
};

} // namespace

std::span<const OpEntry> emulator::getWarpOps() { return table; }
