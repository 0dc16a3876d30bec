//===- Atomic.cpp - atom and red ------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Lanes take their turns, the lowest first. A kernel with atomics on global
// memory runs on one thread of the host, so no other block is in between.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/FloatMath.h"
#include "runtime/emulator/HalfMath.h"
#include "runtime/emulator/ops/Access.h"

#include <cstring>

using namespace fk;
using namespace fk::emulator;
using ptx::StateSpace;
using ptx::Type;

namespace {

using Op = AtomicOp;

// Inst::flags of atom and red.
enum {
  KindFlag = 0,
  SpaceFlag = 1,
  OrderFlag = 2,
  OpFlag = 3,
  TypeFlag = 4,
  ReturnsFlag = 5,
  FlushFlag = 6
};

template <class T> T integerOp(Op op, T old, T b, T c) {
  using U = std::make_unsigned_t<T>;
  switch (op) {
  case Op::Add:
    return static_cast<T>(static_cast<U>(old) + static_cast<U>(b));
  case Op::Min:
    return std::min(old, b);
  case Op::Max:
    return std::max(old, b);
  case Op::And:
    return old & b;
  case Op::Or:
    return old | b;
  case Op::Xor:
    return old ^ b;
  case Op::Exchange:
    return b;
  case Op::Compare:
    return old == b ? c : old;
  case Op::Increment:
    return old >= b ? T(0) : static_cast<T>(old + 1);
  case Op::Decrement:
    return old == 0 || old > b ? b : static_cast<T>(old - 1);
  }
  return old;
}

template <class T>
void applyInteger(Op op, const std::byte *old, const std::byte *b,
                  const std::byte *c, std::byte *to) {
  T x, y, z = 0;
  std::memcpy(&x, old, sizeof x);
  std::memcpy(&y, b, sizeof y);
  if (c)
    std::memcpy(&z, c, sizeof z);
  T result = integerOp<T>(op, x, y, z);
  std::memcpy(to, &result, sizeof result);
}

/// Exchange and compare of 16 bytes.
void applyWide(Op op, const std::byte *old, const std::byte *b,
               const std::byte *c, std::byte *to) {
  if (op == Op::Exchange)
    std::memcpy(to, b, 16);
  else
    std::memcpy(to, std::memcmp(old, b, 16) == 0 ? c : old, 16);
}

template <HalfType H> uint16_t halfOp(Op op, uint16_t x, uint16_t y) {
  return op == Op::Add ? addHalf<H>(x, y)
                       : minMaxHalf<H>(x, y, {.isMax = op == Op::Max});
}

/// One element's new value.
void apply(Type type, Op op, bool flush, const std::byte *old,
           const std::byte *b, const std::byte *c, std::byte *to) {
  auto floats = [&]<class T, class F>(F f) {
    T x, y;
    std::memcpy(&x, old, sizeof x);
    std::memcpy(&y, b, sizeof y);
    T result = f(x, y);
    std::memcpy(to, &result, sizeof result);
  };
  switch (type) {
  case Type::F32:
    if (op == Op::Add)
      // Global and shared atomics: red.f32 flushes nothing on sm_90.
      floats.operator()<float>([&](float x, float y) {
        return addF32(x, y, FloatMode{.flush = flush});
      });
    else
      floats.operator()<float>([&](float x, float y) {
        return minMaxF32(x, y, {.isMax = op == Op::Max});
      });
    return;
  case Type::F64:
    floats.operator()<double>([](double x, double y) { return addF64(x, y); });
    return;
  case Type::F16:
  case Type::BF16:
    floats.operator()<uint16_t>([&](uint16_t x, uint16_t y) {
      return type == Type::F16 ? halfOp<HalfType::F16>(op, x, y)
                               : halfOp<HalfType::BF16>(op, x, y);
    });
    return;
  case Type::F16x2:
    apply(Type::F16, op, flush, old, b, c, to);
    apply(Type::F16, op, flush, old + 2, b + 2, c, to + 2);
    return;
  case Type::BF16x2:
    apply(Type::BF16, op, flush, old, b, c, to);
    apply(Type::BF16, op, flush, old + 2, b + 2, c, to + 2);
    return;
  case Type::S32:
    return applyInteger<int32_t>(op, old, b, c, to);
  case Type::S64:
    return applyInteger<int64_t>(op, old, b, c, to);
  case Type::B16:
    return applyInteger<uint16_t>(op, old, b, c, to);
  case Type::U32:
  case Type::B32:
    return applyInteger<uint32_t>(op, old, b, c, to);
  case Type::U64:
  case Type::B64:
    return applyInteger<uint64_t>(op, old, b, c, to);
  case Type::B128:
    return applyWide(op, old, b, c, to);
  default:
    return;
  }
}

void atomic(Warp &warp, const Inst &inst, uint32_t active) {
  if (inst.flags[KindFlag] < AddressConstant &&
      warp.checkDefined(inst, inst.a, active, "the address"))
    active &= ~warp.getUndefined(inst.a);
  if (!active)
    return;
  uint64_t addresses[warpSize];
  gatherAddresses(warp, inst, addresses);
  auto type = static_cast<Type>(inst.flags[TypeFlag]);
  auto op = static_cast<Op>(inst.flags[OpFlag]);
  auto order = static_cast<Order>(inst.flags[OrderFlag]);
  auto space = static_cast<StateSpace>(inst.flags[SpaceFlag]);
  bool returns = inst.flags[ReturnsFlag];
  auto size = static_cast<uint32_t>(ptx::getSizeInBytes(type));
  // The list: values, then destinations.
  std::span<const Reg> all = warp.getList(inst);
  size_t count = returns ? all.size() / 2 : all.size();
  std::span<const Reg> values = all.first(count);
  std::span<const Reg> dests = returns ? all.subspan(count) : all.first(0);
  uint32_t bytes = size * static_cast<uint32_t>(count);
  forEachLane(active, [&](uint32_t lane) {
    Place place = resolve(warp, inst, lane, space, addresses[lane], bytes,
                          Access::Atomic, bytes);
    if (!place.data)
      return;
    recordAccess(warp, inst, lane, place, bytes, Access::Atomic, true);
    synchronize(warp, space, addresses[lane], order, true, true);
    for (size_t e = 0; e < count; ++e) {
      std::byte old[16], fresh[16];
      std::byte *at = place.data + e * size;
      std::memcpy(old, at, size);
      const std::byte *b = warp.values<std::byte>(values[e]) + lane * size;
      const std::byte *c = op == Op::Compare
                               ? warp.values<std::byte>(inst.c) + lane * size
                               : nullptr;
      apply(type, op, inst.flags[FlushFlag], old, b, c, fresh);
      uint16_t undefined = 0;
      if (place.undefined)
        for (uint32_t i = 0; i < size; ++i)
          undefined |= uint16_t(place.undefined[e * size + i] != 0) << i;
      if (undefined)
        warp.noteUndefinedLoad(inst, place.region ? place.region->name
                                                  : "shared memory");
      uint16_t operand = warp.getUndefinedBytes(values[e], lane);
      if (c)
        operand |= warp.getUndefinedBytes(inst.c, lane);
      uint16_t stored = operand | (op == Op::Exchange ? 0 : undefined);
      if (stored) {
        stored = 0xffff;
        if (place.region && !place.region->options.isScratch)
          warp.reportUndefined(inst, 1u << lane,
                               "what an atomic leaves in " +
                                   place.region->name);
      }
      Place element = place;
      element.data = at;
      element.offset += e * size;
      if (element.undefined)
        element.undefined += e * size;
      storeBytes(element, fresh, size, stored);
      if (returns) {
        std::memcpy(warp.values<std::byte>(dests[e]) + lane * size, old, size);
        warp.setUndefinedBytes(dests[e], lane, undefined);
      }
    }
  });
}

void decodeAtomic(Decoder &decoder, Modifiers &modifiers,
                  const ptx::Instruction &instruction, Inst &inst,
                  bool returns) {
  if (modifiers.take("async"))
    return decodeRedAsync(decoder, modifiers, instruction, inst);
  Order order = takeOrder(modifiers, OrderRelaxed);
  StateSpace space = takeSpace(modifiers);
  std::string_view name = modifiers.takeOneOf(
      {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"});
  if (name.empty())
    decoder.failUnsupported(instruction, "it names no operation");
  modifiers.take("noftz");
  size_t hints = takeCacheHints(modifiers);
  std::string_view vector = modifiers.takeOneOf({"v2", "v4", "v8"});
  Type type = modifiers.takeType();
  auto is = [&](std::initializer_list<Type> types) {
    return std::find(types.begin(), types.end(), type) != types.end();
  };
  Op op = name == "add"    ? Op::Add
          : name == "min"  ? Op::Min
          : name == "max"  ? Op::Max
          : name == "and"  ? Op::And
          : name == "or"   ? Op::Or
          : name == "xor"  ? Op::Xor
          : name == "exch" ? Op::Exchange
          : name == "cas"  ? Op::Compare
          : name == "inc"  ? Op::Increment
                           : Op::Decrement;
  bool isLegal;
  bool isHalf = is({Type::F16, Type::BF16, Type::F16x2, Type::BF16x2});
  switch (op) {
  case Op::Add:
    isLegal = isHalf || is({Type::U32, Type::S32, Type::U64, Type::S64,
                            Type::F32, Type::F64});
    break;
  case Op::Min:
  case Op::Max:
    isLegal = is({Type::U32, Type::S32, Type::U64, Type::S64}) ||
              (!vector.empty() && (isHalf || is({Type::F32})));
    break;
  case Op::Exchange:
    isLegal = is({Type::B32, Type::B64, Type::B128});
    break;
  case Op::Compare:
    isLegal = is({Type::B16, Type::B32, Type::B64, Type::B128});
    break;
  case Op::Increment:
  case Op::Decrement:
    isLegal = is({Type::U32});
    break;
  default:
    isLegal = is({Type::B32, Type::B64});
  }
  if (!isLegal)
    decoder.failUnsupported(instruction, "that operation on that type");
  if (space != StateSpace::Shared)
    decoder.kernel.communicatesAcrossBlocks = true;
  size_t count = vector.empty() ? 1 : static_cast<size_t>(vector[1] - '0');
  size_t bytes = ptx::getSizeInBytes(type);
  if (bytes * count > 16)
    decoder.failUnsupported(instruction, "more than 16 bytes a lane");
  size_t operands = (returns ? 3 : 2) + (op == Op::Compare ? 1 : 0);
  decoder.expectOperands(instruction, operands, operands + hints);

  size_t at = returns ? 1 : 0;
  decoder.address(instruction.operands[at], inst);
  auto elements =
      [](const ptx::Operand &operand) -> std::span<const ptx::Operand> {
    if (operand.kind == ptx::Operand::Kind::Vector)
      return operand.parts;
    return {&operand, 1};
  };
  std::vector<Reg> regs;
  for (const ptx::Operand &element : elements(instruction.operands[at + 1]))
    regs.push_back(decoder.source(element, type));
  if (op == Op::Compare)
    inst.c = decoder.source(instruction.operands[at + 2], type);
  if (returns)
    for (const ptx::Operand &element : elements(instruction.operands[0]))
      regs.push_back(decoder.dest(element, bytes));
  if (regs.size() != count * (returns ? 2 : 1))
    decoder.fail(instruction.location, "'" + instruction.str() + "' works on " +
                                           std::to_string(count) +
                                           " elements a lane");
  decoder.setList(inst, regs);
  inst.flags[SpaceFlag] = static_cast<uint8_t>(space);
  inst.flags[OrderFlag] = order;
  inst.flags[OpFlag] = static_cast<uint8_t>(op);
  inst.flags[TypeFlag] = static_cast<uint8_t>(type);
  inst.flags[ReturnsFlag] = returns;
  // Atomics on f32 in global memory flush nothing; in shared memory neither.
  inst.flags[FlushFlag] = 0;
  inst.run = atomic;
}

void decodeAtom(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  decodeAtomic(decoder, modifiers, instruction, inst, true);
}

void decodeRed(Decoder &decoder, Modifiers &modifiers,
               const ptx::Instruction &instruction, Inst &inst) {
  decodeAtomic(decoder, modifiers, instruction, inst, false);
}

constexpr OpEntry table[] = {{"atom", decodeAtom}, {"red", decodeRed}};

} // namespace

void emulator::applyAtomic(Type type, AtomicOp op, const std::byte *old,
                           const std::byte *operand, std::byte *to) {
  apply(type, op, /*flush=*/false, old, operand, nullptr, to);
}

std::span<const OpEntry> emulator::getAtomicOps() { return table; }
