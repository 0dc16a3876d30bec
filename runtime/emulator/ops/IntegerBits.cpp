//===- IntegerBits.cpp - Logic, shifts, fields and bytes ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/ops/IntegerBits.h"

#include "runtime/emulator/IntegerMath.h"
#include "runtime/emulator/ops/Arithmetic.h"
#include "runtime/emulator/ops/Logic.h"

using namespace fk;
using namespace fk::emulator;
using ptx::Type;

//===----------------------------------------------------------------------===//
// Logic
//===----------------------------------------------------------------------===//

namespace {

template <Logic logic>
void logicOfPredicates(Warp &warp, const Inst &inst, uint32_t active) {
  uint32_t a = warp.predicate(inst.a), b = warp.predicate(inst.b);
  setPredicate(warp, inst.d, active, applyLogic(logic, a, b),
               undefinedLogic(logic, a, warp.getUndefined(inst.a), b,
                              warp.getUndefined(inst.b)));
}

void notOfPredicate(Warp &warp, const Inst &inst, uint32_t active) {
  setPredicate(warp, inst.d, active, ~warp.predicate(inst.a),
               warp.getUndefined(inst.a));
}

template <Logic logic> void decodeLogic(const Decoding &decoding) {
  Type type = decoding.modifiers.takeType();
  decoding.expectType(type, {Type::Pred, Type::B16, Type::B32, Type::B64});
  decoding.bind(type, {type, type});
  if (type == Type::Pred) {
    decoding.inst.run = logicOfPredicates<logic>;
    return;
  }
  decoding.inst.run = visitInteger(type, []<class T>() {
    return bitwiseLanes([](T a, T b) -> T {
      if constexpr (logic == Logic::And)
        return a & b;
      else if constexpr (logic == Logic::Or)
        return a | b;
      else
        return a ^ b;
    });
  });
}

constexpr auto logicLanes = [](const Inst &inst, uint32_t a, uint32_t b,
                               uint32_t c) {
  return logic3<uint32_t>(a, b, c, inst.flags[0]);
};
using LogicLanes = std::remove_const_t<decltype(logicLanes)>;

/// lop3.or, lop3.and: d2 = (d != 0) op e.
template <Logic logic>
void logic3Predicate(Warp &warp, const Inst &inst, uint32_t active) {
  uint32_t q = warp.predicate(inst.e), undefinedQ = warp.getUndefined(inst.e);
  // The predicate is no source of d.
  Inst bare = inst;
  bare.e = Reg();
  runPrecise<runLanes<LogicLanes>, BitwiseMarks<LogicLanes>>(warp, bare,
                                                             active);
  const uint32_t *d = warp.values<uint32_t>(inst.d);
  uint32_t isSet = 0;
  FK_LANE_LOOP
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    isSet |= uint32_t(d[lane] != 0) << lane;
  if (inst.flags[1])
    q = ~q;
  setPredicate(
      warp, inst.d2, active, applyLogic(logic, isSet, q),
      undefinedLogic(logic, isSet, warp.getUndefined(inst.d), q, undefinedQ));
}

Decoding makeDecoding(Decoder &decoder, Modifiers &modifiers,
                      const ptx::Instruction &instruction, Inst &inst) {
  return {decoder, modifiers, instruction, inst};
}

} // namespace

void emulator::decodeAnd(Decoder &decoder, Modifiers &modifiers,
                         const ptx::Instruction &instruction, Inst &inst) {
  decodeLogic<Logic::And>(makeDecoding(decoder, modifiers, instruction, inst));
}

void emulator::decodeOr(Decoder &decoder, Modifiers &modifiers,
                        const ptx::Instruction &instruction, Inst &inst) {
  decodeLogic<Logic::Or>(makeDecoding(decoder, modifiers, instruction, inst));
}

void emulator::decodeXor(Decoder &decoder, Modifiers &modifiers,
                         const ptx::Instruction &instruction, Inst &inst) {
  decodeLogic<Logic::Xor>(makeDecoding(decoder, modifiers, instruction, inst));
}

void emulator::decodeNot(Decoder &decoder, Modifiers &modifiers,
                         const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Type type = modifiers.takeType();
  decoding.expectType(type, {Type::Pred, Type::B16, Type::B32, Type::B64});
  decoding.bind(type, {type});
  inst.run =
      type == Type::Pred ? notOfPredicate : visitInteger(type, []<class T>() {
        return bitwiseLanes([](T a) { return static_cast<T>(~a); });
      });
}

void emulator::decodeCnot(Decoder &decoder, Modifiers &modifiers,
                          const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Type type = modifiers.takeType();
  decoding.expectType(type, {Type::B16, Type::B32, Type::B64});
  decoding.bind(type, {type});
  inst.run = visitInteger(type, []<class T>() {
    return lanes([](T a) { return logicalNot<T>(a); });
  });
}

void emulator::decodeLop3(Decoder &decoder, Modifiers &modifiers,
                          const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  std::string_view logic = modifiers.takeOneOf({"or", "and"});
  decoding.expectType(modifiers.takeType(), {Type::B32});
  decoder.expectOperands(instruction, logic.empty() ? 5 : 6);
  int64_t table = decoder.integer(decoding.operand(4), "the table of lop3");
  if (table < 0 || table > 255)
    decoder.fail(decoding.operand(4).location,
                 "the table of lop3 is 0 to 255, got " + std::to_string(table));
  inst.flags[0] = static_cast<uint8_t>(table);
  inst.a = decoding.source(decoding.operand(1), Type::B32);
  inst.b = decoding.source(decoding.operand(2), Type::B32);
  inst.c = decoding.source(decoding.operand(3), Type::B32);
  const ptx::Operand &to = decoding.operand(0);
  if (logic.empty()) {
    inst.d = decoder.dest(to, 4);
    inst.run = bitwiseLanes(logicLanes);
    return;
  }
  if (to.kind != ptx::Operand::Kind::Pair)
    decoder.fail(to.location, "'" + instruction.str() + "' writes d|p");
  inst.d = decoder.dest(to.parts[0], 4);
  inst.d2 = decoder.dest(to.parts[1], 0);
  bool isNegated;
  inst.e = decoding.predicate(decoding.operand(5), isNegated);
  inst.flags[1] = isNegated;
  inst.run =
      logic == "or" ? logic3Predicate<Logic::Or> : logic3Predicate<Logic::And>;
}

//===----------------------------------------------------------------------===//
// Shifts
//===----------------------------------------------------------------------===//

void emulator::decodeShl(Decoder &decoder, Modifiers &modifiers,
                         const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Type type = modifiers.takeType();
  decoding.expectType(type, {Type::B16, Type::B32, Type::B64});
  decoding.bind(type, {type, Type::U32});
  inst.run = visitInteger(type, []<class T>() {
    return movedLanes<1>([](T a, uint32_t b) -> T {
      if constexpr (sizeof(T) == 4)
        return b < 32 ? a << (b & 31) : 0;
      else
        return shiftLeft<T>(a, b);
    });
  });
}

void emulator::decodeShr(Decoder &decoder, Modifiers &modifiers,
                         const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Type type = modifiers.takeType();
  decoding.expectType(type,
                      {Type::B16, Type::B32, Type::B64, Type::U16, Type::U32,
                       Type::U64, Type::S16, Type::S32, Type::S64});
  decoding.bind(type, {type, Type::U32});
  inst.run = visitInteger(type, []<class T>() {
    return movedLanes<1>([](T a, uint32_t b) -> T {
      if constexpr (std::is_same_v<T, uint32_t>)
        return b < 32 ? a >> (b & 31) : 0;
      else
        return shiftRight<T>(a, b);
    });
  });
}

void emulator::decodeShf(Decoder &decoder, Modifiers &modifiers,
                         const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  std::string_view side = modifiers.takeOneOf({"l", "r"});
  std::string_view mode = modifiers.takeOneOf({"clamp", "wrap"});
  if (side.empty() || mode.empty())
    decoding.fail("it wants .l or .r and .clamp or .wrap");
  decoding.expectType(modifiers.takeType(), {Type::B32});
  decoding.bind(Type::B32, {Type::B32, Type::B32, Type::U32});
  bool isWrap = mode == "wrap";
  if (side == "l")
    inst.run = isWrap ? movedLanes<2>([](uint32_t a, uint32_t b, uint32_t c) {
      return funnelLeft(a, b, c, true);
    })
                      : movedLanes<2>([](uint32_t a, uint32_t b, uint32_t c) {
                          return funnelLeft(a, b, c, false);
                        });
  else
    inst.run = isWrap ? movedLanes<2>([](uint32_t a, uint32_t b, uint32_t c) {
      return funnelRight(a, b, c, true);
    })
                      : movedLanes<2>([](uint32_t a, uint32_t b, uint32_t c) {
                          return funnelRight(a, b, c, false);
                        });
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

void emulator::decodePrmt(Decoder &decoder, Modifiers &modifiers,
                          const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  decoding.expectType(modifiers.takeType(), {Type::B32});
  std::string_view name =
      modifiers.takeOneOf({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"});
  PermuteMode mode = name == "f4e"    ? PermuteMode::F4E
                     : name == "b4e"  ? PermuteMode::B4E
                     : name == "rc8"  ? PermuteMode::RC8
                     : name == "ecl"  ? PermuteMode::ECL
                     : name == "ecr"  ? PermuteMode::ECR
                     : name == "rc16" ? PermuteMode::RC16
                                      : PermuteMode::Index;
  decoding.bind(Type::B32, {Type::B32, Type::B32, Type::B32});
  inst.flags[0] = static_cast<uint8_t>(mode);
  inst.run = name.empty()
                 ? movedLanes<2>([](uint32_t a, uint32_t b, uint32_t c) {
                     return permute(a, b, c);
                   })
                 : movedLanes<2>([](const Inst &inst, uint32_t a, uint32_t b,
                                    uint32_t c) {
                     auto mode = static_cast<PermuteMode>(inst.flags[0]);
                     return permute(a, b, permuteSelectors(mode, c));
                   });
}

static void takeDotTypes(const Decoding &decoding) {
  Type a = decoding.modifiers.takeType(), b = decoding.modifiers.takeType();
  decoding.expectType(a, {Type::U32, Type::S32});
  decoding.expectType(b, {Type::U32, Type::S32});
  decoding.inst.flags[0] = a == Type::S32;
  decoding.inst.flags[1] = b == Type::S32;
  decoding.bind(Type::U32, {Type::U32, Type::U32, Type::U32});
}

void emulator::decodeDotProduct4(Decoder &decoder, Modifiers &modifiers,
                                 const ptx::Instruction &instruction,
                                 Inst &inst) {
  takeDotTypes({decoder, modifiers, instruction, inst});
  inst.run = lanes([](const Inst &inst, uint32_t a, uint32_t b, uint32_t c) {
    return dotProduct4(a, inst.flags[0] != 0, b, inst.flags[1] != 0, c);
  });
}

void emulator::decodeDotProduct2(Decoder &decoder, Modifiers &modifiers,
                                 const ptx::Instruction &instruction,
                                 Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  std::string_view half = modifiers.takeOneOf({"lo", "hi"});
  if (half.empty())
    decoding.fail("it wants .lo or .hi");
  inst.flags[2] = half == "hi";
  takeDotTypes(decoding);
  inst.run = lanes([](const Inst &inst, uint32_t a, uint32_t b, uint32_t c) {
    return dotProduct2(a, inst.flags[0] != 0, b, inst.flags[1] != 0, c,
                       inst.flags[2] != 0);
  });
}

//===----------------------------------------------------------------------===//
// Counting bits
//===----------------------------------------------------------------------===//

void emulator::decodePopc(Decoder &decoder, Modifiers &modifiers,
                          const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Type type = modifiers.takeType();
  decoding.expectType(type, {Type::B32, Type::B64});
  decoding.bind(Type::U32, {type});
  inst.run = visitWideInteger(type, []<class T>() {
    return lanes([](T a) { return popCount<T>(a); });
  });
}

void emulator::decodeClz(Decoder &decoder, Modifiers &modifiers,
                         const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Type type = modifiers.takeType();
  decoding.expectType(type, {Type::B32, Type::B64});
  decoding.bind(Type::U32, {type});
  inst.run = visitWideInteger(type, []<class T>() {
    return lanes([](T a) { return countLeadingZeros<T>(a); });
  });
}

void emulator::decodeBfind(Decoder &decoder, Modifiers &modifiers,
                           const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  bool isShiftAmount = modifiers.take("shiftamt");
  Type type = modifiers.takeType();
  decoding.expectType(type, {Type::U32, Type::S32, Type::U64, Type::S64});
  decoding.bind(Type::U32, {type});
  inst.run = visitWideInteger(type, [&]<class T>() {
    return isShiftAmount
               ? lanes([](T a) { return findLeadingBit<T>(a, true); })
               : lanes([](T a) { return findLeadingBit<T>(a, false); });
  });
}

void emulator::decodeFns(Decoder &decoder, Modifiers &modifiers,
                         const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  decoding.expectType(modifiers.takeType(), {Type::B32});
  decoding.bind(Type::B32, {Type::B32, Type::B32, Type::S32});
  inst.run = lanes([](uint32_t mask, uint32_t base, int32_t offset) {
    return findNthSet(mask, base, offset);
  });
}

//===----------------------------------------------------------------------===//
// Fields
//===----------------------------------------------------------------------===//

void emulator::decodeBrev(Decoder &decoder, Modifiers &modifiers,
                          const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Type type = modifiers.takeType();
  decoding.expectType(type, {Type::B32, Type::B64});
  decoding.bind(type, {type});
  inst.run = visitWideInteger(type, []<class T>() -> Handler {
    if constexpr (std::is_unsigned_v<T>)
      return movedLanes<1>([](T a) { return bitReverse(a); });
    else
      return nullptr;
  });
}

void emulator::decodeBfe(Decoder &decoder, Modifiers &modifiers,
                         const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Type type = modifiers.takeType();
  decoding.expectType(type, {Type::U32, Type::S32, Type::U64, Type::S64});
  decoding.bind(type, {type, Type::U32, Type::U32});
  inst.run = visitWideInteger(type, []<class T>() {
    return movedLanes<1>(
        [](T a, uint32_t b, uint32_t c) { return bitExtract<T>(a, b, c); });
  });
}

void emulator::decodeBfi(Decoder &decoder, Modifiers &modifiers,
                         const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Type type = modifiers.takeType();
  decoding.expectType(type, {Type::B32, Type::B64});
  decoding.bind(type, {type, type, Type::U32, Type::U32});
  inst.run = visitWideInteger(type, []<class T>() {
    return movedLanes<2>([](T a, T b, uint32_t c, uint32_t d) {
      return bitInsert<T>(a, b, c, d);
    });
  });
}

void emulator::decodeBmsk(Decoder &decoder, Modifiers &modifiers,
                          const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  std::string_view mode = modifiers.takeOneOf({"clamp", "wrap"});
  if (mode.empty())
    decoding.fail("it wants .clamp or .wrap");
  decoding.expectType(modifiers.takeType(), {Type::B32});
  decoding.bind(Type::B32, {Type::B32, Type::B32});
  inst.run =
      mode == "clamp"
          ? lanes([](uint32_t a, uint32_t b) { return bitMask(a, b, true); })
          : lanes([](uint32_t a, uint32_t b) { return bitMask(a, b, false); });
}

void emulator::decodeSzext(Decoder &decoder, Modifiers &modifiers,
                           const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  std::string_view mode = modifiers.takeOneOf({"clamp", "wrap"});
  if (mode.empty())
    decoding.fail("it wants .clamp or .wrap");
  Type type = modifiers.takeType();
  decoding.expectType(type, {Type::U32, Type::S32});
  decoding.bind(type, {type, Type::U32});
  bool isClamp = mode == "clamp";
  inst.run = visitWideInteger(type, [&]<class T>() -> Handler {
    if constexpr (sizeof(T) == 4)
      return isClamp ? movedLanes<1>([](T a, uint32_t b) {
        return extend<T>(a, b, true);
      })
                     : movedLanes<1>([](T a, uint32_t b) {
                         return extend<T>(a, b, false);
                       });
    else
      return nullptr;
  });
}
