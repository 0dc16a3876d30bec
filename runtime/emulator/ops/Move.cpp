//===- Move.cpp - mov, cvta, clocks ---------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Block.h"
#include "runtime/emulator/ops/Elementwise.h"

#include <cstring>

using namespace fk;
using namespace fk::emulator;

namespace {

/// Copies values and what is undefined of them.
template <class T> void move(Warp &warp, const Inst &inst, uint32_t active) {
  T copy[warpSize];
  std::memcpy(copy, warp.values<T>(inst.a), sizeof copy);
  blend(warp.values<T>(inst.d), copy, active);
  uint32_t undefined = warp.getUndefined(inst.a) & active;
  if (!undefined) [[likely]] {
    warp.setUndefined(inst.d, active, 0);
    return;
  }
  forEachLane(active, [&](uint32_t lane) {
    warp.setUndefinedBytes(inst.d, lane, warp.getUndefinedBytes(inst.a, lane));
  });
}

void movePredicate(Warp &warp, const Inst &inst, uint32_t active) {
  setPredicate(warp, inst.d, active, warp.predicate(inst.a),
               warp.getUndefined(inst.a));
}

/// d = {list...}: the first element in the low bits. flags[0]: its bytes.
void pack(Warp &warp, const Inst &inst, uint32_t active) {
  uint32_t size = inst.flags[0];
  uint32_t whole = size * inst.listSize;
  std::span<const Reg> regs = warp.getList(inst);
  std::byte *to = warp.values<std::byte>(inst.d);
  uint32_t undefined = 0;
  alignas(16) std::byte packed[warpSize * 16];
  for (size_t e = 0; e < regs.size(); ++e) {
    const std::byte *from = warp.values<std::byte>(regs[e]);
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      std::memcpy(packed + lane * whole + e * size, from + lane * size, size);
    undefined |= warp.getUndefined(regs[e]);
  }
  if (undefined & active) [[unlikely]] {
    forEachLane(active, [&](uint32_t lane) {
      uint16_t mask = 0;
      for (size_t e = 0; e < regs.size(); ++e)
        mask |= (warp.getUndefinedBytes(regs[e], lane) & ((1u << size) - 1))
                << (e * size);
      warp.setUndefinedBytes(inst.d, lane, mask);
    });
  } else {
    warp.setUndefined(inst.d, active, 0);
  }
  if (active == allLanes) {
    std::memcpy(to, packed, size_t(whole) * 32);
    return;
  }
  forEachLane(active, [&](uint32_t lane) {
    std::memcpy(to + lane * whole, packed + lane * whole, whole);
  });
}

/// {list...} = a
void unpack(Warp &warp, const Inst &inst, uint32_t active) {
  uint32_t size = inst.flags[0];
  uint32_t whole = size * inst.listSize;
  std::span<const Reg> regs = warp.getList(inst);
  alignas(16) std::byte copy[warpSize * 16];
  std::memcpy(copy, warp.values<std::byte>(inst.a), size_t(whole) * 32);
  uint16_t marks[warpSize];
  uint32_t undefined = warp.getUndefined(inst.a) & active;
  if (undefined)
    forEachLane(active, [&](uint32_t lane) {
      marks[lane] = warp.getUndefinedBytes(inst.a, lane);
    });
  for (size_t e = 0; e < regs.size(); ++e) {
    std::byte *to = warp.values<std::byte>(regs[e]);
    forEachLane(active, [&](uint32_t lane) {
      std::memcpy(to + lane * size, copy + lane * whole + e * size, size);
    });
    if (!undefined) {
      warp.setUndefined(regs[e], active, 0);
      continue;
    }
    forEachLane(active, [&](uint32_t lane) {
      warp.setUndefinedBytes(regs[e], lane,
                             static_cast<uint16_t>((marks[lane] >> (e * size)) &
                                                   ((1u << size) - 1)));
    });
  }
}

/// The address of a variable in local memory, in its own space.
template <class T>
void frameAddress(Warp &warp, const Inst &inst, uint32_t active) {
  T address =
      static_cast<T>(warp.getLocalBase() + static_cast<uint64_t>(inst.imm));
  T copy[warpSize];
  std::fill_n(copy, warpSize, address);
  blend(warp.values<T>(inst.d), copy, active);
  warp.setUndefined(inst.d, active, 0);
}

/// Clocks count the warp's own instructions: the same in every run.
template <class T>
void readClock(Warp &warp, const Inst &inst, uint32_t active) {
  uint64_t now = warp.getClock() * 4;
  if (inst.flags[0] == 1)
    now >>= 32;
  T copy[warpSize];
  std::fill_n(copy, warpSize, static_cast<T>(now));
  blend(warp.values<T>(inst.d), copy, active);
  warp.setUndefined(inst.d, active, 0);
}

void readActiveMask(Warp &warp, const Inst &inst, uint32_t active) {
  uint32_t copy[warpSize];
  std::fill_n(copy, warpSize, active);
  blend(warp.values<uint32_t>(inst.d), copy, active);
  warp.setUndefined(inst.d, active, 0);
}

/// To or from a generic address: inst.imm is added.
template <class D, class A>
void convertAddress(Warp &warp, const Inst &inst, uint32_t active) {
  const A *a = warp.values<A>(inst.a);
  D result[warpSize];
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    result[lane] = static_cast<D>(static_cast<uint64_t>(a[lane]) +
                                  static_cast<uint64_t>(inst.imm));
  blend(warp.values<D>(inst.d), result, active);
  warp.setUndefined(inst.d, active, warp.getUndefined(inst.a));
}

Handler chooseMove(size_t bytes) {
  switch (bytes) {
  case 1:
    return move<uint8_t>;
  case 2:
    return move<uint16_t>;
  case 4:
    return move<uint32_t>;
  case 8:
    return move<uint64_t>;
  case 16:
    return move<unsigned __int128>;
  default:
    return nullptr;
  }
}

void bindFrameAddress(Decoder &decoder, const ptx::Operand &operand,
                      size_t bytes, Inst &inst) {
  inst.imm = decoder.frameSlot(operand).offset + operand.offset;
  inst.run = bytes == 8 ? frameAddress<uint64_t> : frameAddress<uint32_t>;
}

void decodeMov(Decoder &decoder, Modifiers &modifiers,
               const ptx::Instruction &instruction, Inst &inst) {
  using Kind = ptx::Operand::Kind;
  ptx::Type type = modifiers.takeType();
  decoder.expectOperands(instruction, 2);
  const ptx::Operand &to = instruction.operands[0];
  const ptx::Operand &from = instruction.operands[1];
  if (type == ptx::Type::Pred) {
    inst.d = decoder.dest(to, 0);
    int64_t value;
    if (decoder.isInteger(from, value)) {
      inst.a = value ? decoder.truePredicate() : decoder.falsePredicate();
    } else {
      inst.a = decoder.source(from, type);
    }
    inst.run = movePredicate;
    return;
  }
  size_t bytes = ptx::getSizeInBytes(type);
  if (!bytes)
    decoder.failUnsupported(instruction, "it has no type");
  if (to.kind == Kind::Vector) {
    size_t size = bytes / to.parts.size();
    if (size * to.parts.size() != bytes || !size)
      decoder.failUnsupported(instruction, "that number of elements");
    std::vector<Reg> regs;
    for (const ptx::Operand &part : to.parts)
      regs.push_back(decoder.dest(part, size));
    decoder.setList(inst, regs);
    inst.a = decoder.source(from, type);
    inst.flags[0] = static_cast<uint8_t>(size);
    inst.run = unpack;
    return;
  }
  inst.d = decoder.dest(to, bytes);
  if (from.kind == Kind::Vector) {
    size_t size = bytes / from.parts.size();
    if (size * from.parts.size() != bytes || !size)
      decoder.failUnsupported(instruction, "that number of elements");
    ptx::Type part = size == 1   ? ptx::Type::B8
                     : size == 2 ? ptx::Type::B16
                     : size == 4 ? ptx::Type::B32
                                 : ptx::Type::B64;
    std::vector<Reg> regs;
    for (const ptx::Operand &element : from.parts)
      regs.push_back(decoder.source(element, part));
    decoder.setList(inst, regs);
    inst.flags[0] = static_cast<uint8_t>(size);
    inst.run = pack;
    return;
  }
  if (from.kind == Kind::Special) {
    const std::string &name = from.name;
    if (name == "clock" || name == "clock_hi" || name == "clock64" ||
        name == "globaltimer" || name == "globaltimer_lo" ||
        name == "globaltimer_hi" || name.starts_with("pm")) {
      inst.flags[0] = name.ends_with("_hi");
      inst.run = bytes == 8 ? readClock<uint64_t> : readClock<uint32_t>;
      return;
    }
  }
  uint64_t address;
  if ((from.kind == Kind::Variable || from.kind == Kind::Param ||
       from.kind == Kind::ReturnParam) &&
      !decoder.staticAddress(from, address)) {
    bindFrameAddress(decoder, from, bytes, inst);
    return;
  }
  inst.a = decoder.source(from, type);
  inst.run = chooseMove(bytes);
}

void decodeCvta(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  bool isTo = modifiers.take("to");
  std::string_view space =
      modifiers.takeOneOf({"global", "shared", "shared::cta", "shared::cluster",
                           "local", "const", "param", "param::entry"});
  ptx::Type type = modifiers.takeType();
  decoder.expectOperands(instruction, 2);
  size_t bytes = ptx::getSizeInBytes(type);
  if (space.empty() || (bytes != 4 && bytes != 8))
    decoder.failUnsupported(instruction, "it wants a space and .u32 or .u64");
  uint64_t window = space.starts_with("shared")  ? sharedWindow
                    : space == "local"           ? localWindow
                    : space.starts_with("param") ? paramWindow
                                                 : 0;
  inst.imm = static_cast<int64_t>(isTo ? 0 - window : window);
  inst.d = decoder.dest(instruction.operands[0], bytes);
  const ptx::Operand &from = instruction.operands[1];
  uint64_t address;
  if ((from.kind == ptx::Operand::Kind::Variable ||
       from.kind == ptx::Operand::Kind::Param) &&
      !decoder.staticAddress(from, address)) {
    inst.imm += decoder.frameSlot(from).offset + from.offset;
    inst.run = bytes == 8 ? frameAddress<uint64_t> : frameAddress<uint32_t>;
    return;
  }
  inst.a = decoder.source(from, type);
  inst.run = bytes == 8 ? convertAddress<uint64_t, uint64_t>
                        : convertAddress<uint32_t, uint32_t>;
}

void decodeActiveMask(Decoder &decoder, Modifiers &modifiers,
                      const ptx::Instruction &instruction, Inst &inst) {
  modifiers.take("b32");
  decoder.expectOperands(instruction, 1);
  inst.d = decoder.dest(instruction.operands[0], 4);
  inst.run = readActiveMask;
}

constexpr OpEntry table[] = {
    {"mov", decodeMov},
    {"cvta", decodeCvta},
    {"activemask", decodeActiveMask},
};

} // namespace

std::span<const OpEntry> emulator::getMoveOps() { return table; }
