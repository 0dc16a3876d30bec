//===- Memory.cpp - ld and st ---------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A warp's access takes the short way when all its lanes fall into one buffer:
// one check for 32 lanes. Otherwise each lane is resolved, and reported, alone.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/ops/Access.h"

#include <algorithm>
#include <cstring>

using namespace fk;
using namespace fk::emulator;
using ptx::StateSpace;

namespace {

// Inst::flags of ld and st.
enum {
  KindFlag = 0,
  SpaceFlag = 1,
  SizeFlag = 2,
  SignedFlag = 3,
  OrderFlag = 4
};

/// A buffer that holds every lane's bytes.
struct Span {
  std::byte *data = nullptr;
  uint8_t *undefined = nullptr;
  Region *region = nullptr;
  SharedMemory *shared = nullptr;
  uint64_t base = 0; ///< the address of data[0]
};

StateSpace spaceOf(const Inst &inst) {
  return static_cast<StateSpace>(inst.flags[SpaceFlag]);
}

/// False: the lanes differ, or one of them is wrong.
bool findSpan(Warp &warp, const Inst &inst, const uint64_t *addresses,
              uint32_t active, uint32_t bytes, Access access, Span &span) {
  uint64_t least = ~uint64_t(0), most = 0, low = 0;
  if (active == allLanes) {
    for (uint32_t lane = 0; lane < warpSize; ++lane) {
      least = std::min(least, addresses[lane]);
      most = std::max(most, addresses[lane]);
      low |= addresses[lane];
    }
  } else {
    forEachLane(active, [&](uint32_t lane) {
      least = std::min(least, addresses[lane]);
      most = std::max(most, addresses[lane]);
      low |= addresses[lane];
    });
  }
  if (low & (bytes - 1))
    return false;
  StateSpace space = spaceOf(inst);
  Block &block = warp.getBlock();
  if (space == StateSpace::None) {
    if (least >= moduleWindow)
      space = StateSpace::Global;
    else
      return false;
  }
  if (space == StateSpace::Shared) {
    SharedMemory &shared = block.shared;
    if (least < sharedBase || most - sharedBase + bytes > shared.bytes)
      return false;
    span = {shared.data.data(), shared.undefined.data(), nullptr, &shared,
            sharedBase};
    return true;
  }
  if (space != StateSpace::Global && space != StateSpace::Const)
    return false;
  Region *region = block.getGrid().find(least);
  if (!region || most - region->base + bytes > region->bytes ||
      (access == Access::Write && !region->options.isWritable))
    return false;
  span = {region->data, region->getUndefined(), region, nullptr, region->base};
  return true;
}

bool tracks(const Warp &warp, const Span &span) {
  if (!const_cast<Warp &>(warp).getBlock().getGrid().options->checkRaces)
    return false;
  return span.shared || span.region->options.isWritable;
}

Place placeAt(const Span &span, uint64_t address) {
  uint64_t offset = address - span.base;
  return {span.data + offset,
          span.undefined ? span.undefined + offset : nullptr, span.region,
          span.shared, offset};
}

/// Spreads the loaded elements over the destination registers.
template <class T>
void deliver(Warp &warp, const Inst &inst, uint32_t active,
             const std::byte (*raw)[32], const uint32_t *undefined,
             bool anyUndefined) {
  std::span<const Reg> regs = warp.getList(inst);
  constexpr uint32_t bytes = sizeof(T);
  for (size_t e = 0; e < regs.size(); ++e) {
    uint32_t width = warp.getKernel().registerBytes[regs[e].id];
    auto put = [&]<class W>(W *to) {
      W values[warpSize];
      for (uint32_t lane = 0; lane < warpSize; ++lane) {
        T value;
        std::memcpy(&value, raw[lane] + e * bytes, bytes);
        values[lane] = static_cast<W>(value);
      }
      blend(to, values, active);
    };
    if constexpr (sizeof(T) == 16) {
      put(warp.values<T>(regs[e]));
    } else {
      using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
      switch (width) {
      case 1:
        put(warp.values<uint8_t>(regs[e]));
        break;
      case 2:
        put(warp.values<uint16_t>(regs[e]));
        break;
      case 4:
        put(warp.values<uint32_t>(regs[e]));
        break;
      default:
        put(reinterpret_cast<Wide *>(warp.values<uint64_t>(regs[e])));
      }
    }
    if (!anyUndefined) {
      warp.setUndefined(regs[e], active, 0);
      continue;
    }
    forEachLane(active, [&](uint32_t lane) {
      uint32_t mask = (undefined[lane] >> (e * bytes)) & ((1u << bytes) - 1);
      if (mask && std::is_signed_v<T>)
        mask |= 0xffffu << bytes;
      warp.setUndefinedBytes(regs[e], lane, static_cast<uint16_t>(mask));
    });
  }
}

template <class T> void load(Warp &warp, const Inst &inst, uint32_t active) {
  if (inst.flags[KindFlag] < AddressConstant)
    if (warp.checkDefined(inst, inst.a, active, "the address"))
      active &= ~warp.getUndefined(inst.a);
  if (!active)
    return;
  uint64_t addresses[warpSize];
  gatherAddresses(warp, inst, addresses);
  uint32_t bytes = sizeof(T) * inst.listSize;
  Order order = static_cast<Order>(inst.flags[OrderFlag]);
  alignas(32) std::byte raw[warpSize][32];
  uint32_t undefined[warpSize] = {};
  bool anyUndefined = false;

  Span span;
  if (order == OrderWeak &&
      findSpan(warp, inst, addresses, active, bytes, Access::Read, span)) {
    uint64_t fallback = addresses[std::countr_zero(active)];
    auto copy = [&]<size_t n>(std::integral_constant<size_t, n>) {
      for (uint32_t lane = 0; lane < warpSize; ++lane) {
        uint64_t at = (active >> lane) & 1 ? addresses[lane] : fallback;
        std::memcpy(raw[lane], span.data + (at - span.base), n);
      }
    };
    switch (bytes) {
    case 1:
      copy(std::integral_constant<size_t, 1>());
      break;
    case 2:
      copy(std::integral_constant<size_t, 2>());
      break;
    case 4:
      copy(std::integral_constant<size_t, 4>());
      break;
    case 8:
      copy(std::integral_constant<size_t, 8>());
      break;
    case 16:
      copy(std::integral_constant<size_t, 16>());
      break;
    default:
      copy(std::integral_constant<size_t, 32>());
      break;
    }
    if (span.undefined)
      forEachLane(active, [&](uint32_t lane) {
        const uint8_t *marks = span.undefined + (addresses[lane] - span.base);
        for (uint32_t i = 0; i < bytes; ++i)
          undefined[lane] |= uint32_t(marks[i]) << i;
        anyUndefined |= undefined[lane] != 0;
      });
    if (tracks(warp, span))
      forEachLane(active, [&](uint32_t lane) {
        recordAccess(warp, inst, lane, placeAt(span, addresses[lane]), bytes,
                     Access::Read, false);
      });
    if (anyUndefined)
      warp.noteUndefinedLoad(inst, span.region ? span.region->name
                                               : std::string("shared memory"));
  } else {
    forEachLane(active, [&](uint32_t lane) {
      Place place = resolve(warp, inst, lane, spaceOf(inst), addresses[lane],
                            bytes, Access::Read, bytes);
      if (!place.data) {
        std::memset(raw[lane], 0, bytes);
        return; // Reported; what follows is not reported again.
      }
      recordAccess(warp, inst, lane, place, bytes, Access::Read,
                   order != OrderWeak);
      std::memcpy(raw[lane], place.data, bytes);
      if (place.undefined) {
        for (uint32_t i = 0; i < bytes; ++i)
          undefined[lane] |= uint32_t(place.undefined[i]) << i;
        if (undefined[lane]) {
          anyUndefined = true;
          warp.noteUndefinedLoad(inst, place.region   ? place.region->name
                                       : place.shared ? "shared memory"
                                                      : "local memory");
        }
      }
      if (order != OrderWeak)
        synchronize(warp, spaceOf(inst), addresses[lane], order, true, false);
    });
  }
  deliver<T>(warp, inst, active, raw, undefined, anyUndefined);
}

/// Parameters of the kernel: the same for every lane, always defined.
template <class T>
void loadParam(Warp &warp, const Inst &inst, uint32_t active) {
  const std::vector<std::byte> &params = warp.getBlock().getGrid().params;
  uint32_t bytes = sizeof(T) * inst.listSize;
  auto offset = static_cast<uint64_t>(inst.imm);
  if (offset + bytes > params.size()) {
    warp.report(FindingKind::OutOfBounds, inst, std::countr_zero(active),
                "read of " + std::to_string(bytes) +
                    " bytes at the parameters + " + std::to_string(offset) +
                    " of " + std::to_string(params.size()),
                offset);
    return;
  }
  alignas(32) std::byte raw[warpSize][32];
  for (auto &lane : raw)
    std::memcpy(lane, params.data() + offset, bytes);
  uint32_t undefined[warpSize];
  deliver<T>(warp, inst, active, raw, undefined, false);
}

template <class T> void store(Warp &warp, const Inst &inst, uint32_t active) {
  if (inst.flags[KindFlag] < AddressConstant)
    if (warp.checkDefined(inst, inst.a, active, "the address"))
      active &= ~warp.getUndefined(inst.a);
  if (!active)
    return;
  uint64_t addresses[warpSize];
  gatherAddresses(warp, inst, addresses);
  std::span<const Reg> regs = warp.getList(inst);
  constexpr uint32_t size = sizeof(T);
  uint32_t bytes = size * inst.listSize;
  Order order = static_cast<Order>(inst.flags[OrderFlag]);
  alignas(32) std::byte raw[warpSize][32];
  uint32_t undefinedLanes = 0;
  for (size_t e = 0; e < regs.size(); ++e) {
    // A constant has exactly the element's width.
    uint32_t width =
        regs[e].id ? warp.getKernel().registerBytes[regs[e].id] : size;
    const std::byte *from = warp.values<std::byte>(regs[e]);
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      std::memcpy(raw[lane] + e * size, from + lane * width, size);
    undefinedLanes |= warp.getUndefined(regs[e]) & active;
  }
  auto undefinedOf = [&](uint32_t lane) {
    uint32_t mask = 0;
    if ((undefinedLanes >> lane) & 1)
      for (size_t e = 0; e < regs.size(); ++e)
        mask |= (warp.getUndefinedBytes(regs[e], lane) & ((1u << size) - 1))
                << (e * size);
    return mask;
  };
  auto putMarks = [&](uint8_t *marks, uint32_t mask) {
    for (uint32_t i = 0; i < bytes; ++i)
      marks[i] = (mask >> i) & 1;
  };

  Span span;
  if (order == OrderWeak &&
      findSpan(warp, inst, addresses, active, bytes, Access::Write, span)) {
    if (undefinedLanes && span.region) {
      if (!span.region->options.isScratch)
        warp.reportUndefined(inst, undefinedLanes,
                             "what is stored to " + span.region->name);
      span.undefined = span.region->ensureUndefined();
    }
    bool isTracked = tracks(warp, span);
    forEachLane(active, [&](uint32_t lane) {
      uint64_t offset = addresses[lane] - span.base;
      std::byte *to = span.data + offset;
      if (isTracked)
        recordAccess(warp, inst, lane, placeAt(span, addresses[lane]), bytes,
                     Access::Write, false,
                     std::memcmp(to, raw[lane], bytes) == 0 &&
                         !(span.undefined && span.undefined[offset]));
      std::memcpy(to, raw[lane], bytes);
      if (span.undefined)
        putMarks(span.undefined + offset, undefinedOf(lane));
    });
    return;
  }
  forEachLane(active, [&](uint32_t lane) {
    Place place = resolve(warp, inst, lane, spaceOf(inst), addresses[lane],
                          bytes, Access::Write, bytes);
    if (!place.data)
      return;
    uint32_t mask = undefinedOf(lane);
    if (mask && place.region && !place.region->options.isScratch)
      warp.reportUndefined(inst, 1u << lane,
                           "what is stored to " + place.region->name);
    if (mask && place.region)
      place.undefined = place.region->ensureUndefined() + place.offset;
    recordAccess(warp, inst, lane, place, bytes, Access::Write,
                 order != OrderWeak,
                 std::memcmp(place.data, raw[lane], bytes) == 0 &&
                     !(place.undefined && *place.undefined));
    std::memcpy(place.data, raw[lane], bytes);
    if (place.undefined)
      putMarks(place.undefined, mask);
    if (order != OrderWeak)
      synchronize(warp, spaceOf(inst), addresses[lane], order, false, true);
  });
}

using Wide128 = unsigned __int128;

template <template <class> class Select>
Handler chooseBySize(size_t bytes, bool isSigned) {
  switch (bytes) {
  case 1:
    return isSigned ? Select<int8_t>::run : Select<uint8_t>::run;
  case 2:
    return isSigned ? Select<int16_t>::run : Select<uint16_t>::run;
  case 4:
    return isSigned ? Select<int32_t>::run : Select<uint32_t>::run;
  case 8:
    return Select<uint64_t>::run;
  case 16:
    return Select<Wide128>::run;
  default:
    return nullptr;
  }
}
template <class T> struct Load {
  static constexpr Handler run = load<T>;
};
template <class T> struct LoadParam {
  static constexpr Handler run = loadParam<T>;
};
template <class T> struct Store {
  static constexpr Handler run = store<T>;
};

/// What ld and st have in common.
struct AccessText {
  StateSpace space;
  Order order;
  size_t count = 1;
  size_t hints = 0;
  ptx::Type type;
};

AccessText takeAccess(Decoder &decoder, Modifiers &modifiers,
                      const ptx::Instruction &instruction, Inst &inst) {
  AccessText text;
  text.order = takeOrder(modifiers, OrderWeak);
  text.space = takeSpace(modifiers);
  text.hints = takeCacheHints(modifiers);
  std::string_view vector = modifiers.takeOneOf({"v2", "v4", "v8"});
  if (!vector.empty())
    text.count = static_cast<size_t>(vector[1] - '0');
  text.type = modifiers.takeType();
  size_t bytes = ptx::getSizeInBytes(text.type);
  if (!bytes || text.type == ptx::Type::Pred || text.type == ptx::Type::Opaque)
    decoder.failUnsupported(instruction, "it has no type to move");
  if (bytes * text.count > 32)
    decoder.failUnsupported(instruction, "more than 32 bytes a lane");
  if (text.order != OrderWeak && text.space != StateSpace::Shared)
    decoder.kernel.communicatesAcrossBlocks = true;
  inst.flags[SpaceFlag] = static_cast<uint8_t>(text.space);
  inst.flags[SizeFlag] = static_cast<uint8_t>(bytes);
  inst.flags[OrderFlag] = text.order;
  return text;
}

bool isSignedType(ptx::Type type) {
  return type == ptx::Type::S8 || type == ptx::Type::S16 ||
         type == ptx::Type::S32 || type == ptx::Type::S64;
}

/// The elements of `{a, b}`, or the operand itself.
std::span<const ptx::Operand> elementsOf(const ptx::Operand &operand) {
  if (operand.kind == ptx::Operand::Kind::Vector)
    return operand.parts;
  return {&operand, 1};
}

void expectCount(Decoder &decoder, const ptx::Instruction &instruction,
                 const ptx::Operand &operand, size_t wanted) {
  size_t got = elementsOf(operand).size();
  if (got != wanted)
    decoder.fail(operand.location, "'" + instruction.str() + "' moves " +
                                       std::to_string(wanted) +
                                       " elements, got " + std::to_string(got));
}

void decodeLoad(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  AccessText text = takeAccess(decoder, modifiers, instruction, inst);
  decoder.expectOperands(instruction, 2, 2 + std::max<size_t>(text.hints, 1));
  const ptx::Operand &to = instruction.operands[0];
  expectCount(decoder, instruction, to, text.count);
  std::vector<Reg> regs;
  size_t bytes = ptx::getSizeInBytes(text.type);
  for (const ptx::Operand &element : elementsOf(to)) {
    size_t width;
    regs.push_back(decoder.wideDest(element, bytes, width));
  }
  decoder.setList(inst, regs);
  decoder.address(instruction.operands[1], inst);
  bool isSigned = isSignedType(text.type);
  if (text.space == StateSpace::Param) {
    if (inst.flags[KindFlag] == AddressConstant) {
      inst.run = chooseBySize<LoadParam>(bytes, isSigned);
      return;
    }
    if (inst.flags[KindFlag] == AddressFrame)
      inst.flags[SpaceFlag] = static_cast<uint8_t>(StateSpace::Local);
  }
  inst.run = chooseBySize<Load>(bytes, isSigned);
}

void decodeStore(Decoder &decoder, Modifiers &modifiers,
                 const ptx::Instruction &instruction, Inst &inst) {
  if (modifiers.take("async"))
    return decodeStoreAsync(decoder, modifiers, instruction, inst);
  AccessText text = takeAccess(decoder, modifiers, instruction, inst);
  decoder.expectOperands(instruction, 2, 2 + text.hints);
  const ptx::Operand &from = instruction.operands[1];
  expectCount(decoder, instruction, from, text.count);
  std::vector<Reg> regs;
  for (const ptx::Operand &element : elementsOf(from)) {
    size_t width;
    regs.push_back(decoder.wideSource(element, text.type, width));
  }
  decoder.setList(inst, regs);
  decoder.address(instruction.operands[0], inst);
  if (text.space == StateSpace::Param) {
    if (inst.flags[KindFlag] != AddressFrame)
      decoder.failUnsupported(instruction,
                              "an entry's parameters are read-only");
    inst.flags[SpaceFlag] = static_cast<uint8_t>(StateSpace::Local);
  }
  if (text.space == StateSpace::Const)
    decoder.failUnsupported(instruction, "constants are read-only");
  inst.run = chooseBySize<Store>(ptx::getSizeInBytes(text.type), false);
}

constexpr OpEntry table[] = {
    {"ld", decodeLoad},
    {"ldu", decodeLoad},
    {"st", decodeStore},
};

} // namespace

std::span<const OpEntry> emulator::getMemoryOps() { return table; }
