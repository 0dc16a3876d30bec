//===- Integer.cpp - Integer arithmetic -----------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/IntegerMath.h"
#include "runtime/emulator/ops/Arithmetic.h"
#include "runtime/emulator/ops/IntegerBits.h"

using namespace fk;
using namespace fk::emulator;
using ptx::Type;

namespace {

constexpr std::initializer_list<Type> arithmeticTypes = {
    Type::U16, Type::S16, Type::U32, Type::S32, Type::U64, Type::S64};
constexpr std::initializer_list<Type> pairTypes = {Type::U16x2, Type::S16x2};

Type widen(Type type) {
  switch (type) {
  case Type::S16:
    return Type::S32;
  case Type::U16:
    return Type::U32;
  case Type::S32:
    return Type::S64;
  default:
    return Type::U64;
  }
}

//===----------------------------------------------------------------------===//
// Carries
//===----------------------------------------------------------------------===//

enum CarryFlag : uint8_t { ReadsCarry = 1, WritesCarry = 2 };

/// d = F()(sources..., carry in). The carry is a predicate that every
/// instruction of the family shares: Inst::d2 where it is written.
template <class T, class F>
void runCarry(Warp &warp, const Inst &inst, uint32_t active) {
  uint32_t &flag = warp.predicate(inst.d2);
  uint32_t in = inst.flags[0] & ReadsCarry ? flag : 0, out = 0;
  const T *a = warp.values<T>(inst.a), *b = warp.values<T>(inst.b),
          *c = warp.values<T>(inst.c);
  T result[warpSize];
  FK_LANE_LOOP
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    auto sum = F()(a[lane], b[lane], c[lane], (in >> lane) & 1);
    result[lane] = static_cast<T>(sum.value);
    out |= uint32_t(sum.carry) << lane;
  }
  uint32_t undefined = getUndefinedSources(warp, inst);
  if (inst.flags[0] & ReadsCarry)
    undefined |= warp.getUndefined(inst.d2);
  blend(warp.values<T>(inst.d), result, active);
  warp.setUndefined(inst.d, active, undefined);
  if (inst.flags[0] & WritesCarry)
    setPredicate(warp, inst.d2, active, out, undefined);
}
template <class T, class F> Handler carryLanes(F) { return runCarry<T, F>; }

/// Takes .cc; whether the instruction is of the carry family at all.
bool takeCarry(const Decoding &decoding, bool readsCarry) {
  bool writesCarry = decoding.take("cc");
  if (!readsCarry && !writesCarry)
    return false;
  decoding.inst.flags[0] =
      (readsCarry ? ReadsCarry : 0) | (writesCarry ? WritesCarry : 0);
  decoding.inst.d2 = decoding.decoder.carryFlag();
  return true;
}

void bindCarrySum(const Decoding &decoding, Type type, bool isSub) {
  decoding.expectType(type, {Type::U32, Type::S32, Type::U64, Type::S64});
  decoding.bind(type, {type, type});
  // The third operand of the loop, which a sum does not read.
  decoding.inst.c = decoding.inst.a;
  decoding.inst.run = visitWideInteger(type, [&]<class T>() {
    using U = Unsigned<T>;
    if (isSub)
      return carryLanes<U>(
          [](U a, U b, U, bool carry) { return subBorrow<U>(a, b, carry); });
    return carryLanes<U>(
        [](U a, U b, U, bool carry) { return addCarry<U>(a, b, carry); });
  });
}

//===----------------------------------------------------------------------===//
// Sums and products
//===----------------------------------------------------------------------===//

void decodeAdd(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  if (takeCarry(decoding, false))
    return bindCarrySum(decoding, type, false);
  if (isOneOf(type, pairTypes)) {
    decoding.bind(type, {type, type});
    inst.run = halfLanes([](uint32_t a, uint32_t b) { return addPair(a, b); });
    return;
  }
  decoding.expectType(type, arithmeticTypes);
  decoding.bind(type, {type, type});
  if (type == Type::S32 && decoding.take("sat")) {
    inst.run = lanes([](int32_t a, int32_t b) { return addSat(a, b); });
    return;
  }
  inst.run = visitInteger(type, []<class T>() {
    using U = Unsigned<T>;
    return lanes([](U a, U b) { return addWrap<U>(a, b); });
  });
}

void decodeSub(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  if (takeCarry(decoding, false))
    return bindCarrySum(decoding, type, true);
  decoding.expectType(type, arithmeticTypes);
  decoding.bind(type, {type, type});
  if (type == Type::S32 && decoding.take("sat")) {
    inst.run = lanes([](int32_t a, int32_t b) { return subSat(a, b); });
    return;
  }
  inst.run = visitInteger(type, []<class T>() {
    using U = Unsigned<T>;
    return lanes([](U a, U b) { return subWrap<U>(a, b); });
  });
}

void decodeMul(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  decoding.expectType(type, arithmeticTypes);
  std::string_view half = decoding.modifiers.takeOneOf({"lo", "hi", "wide"});
  if (half.empty())
    decoding.fail("it wants .lo, .hi or .wide");
  if (half == "wide") {
    if (ptx::getSizeInBytes(type) == 8)
      decoding.fail(".wide takes 16 and 32 bits");
    decoding.bind(widen(type), {type, type});
    inst.run = visitInteger(type, []<class T>() -> Handler {
      if constexpr (sizeof(T) < 8)
        return lanes([](T a, T b) { return mulWide<T>(a, b); });
      else
        return nullptr;
    });
    return;
  }
  decoding.bind(type, {type, type});
  inst.run = visitInteger(type, [&]<class T>() {
    if (half == "hi")
      return lanes([](T a, T b) { return mulHi<T>(a, b); });
    return lanes([](T a, T b) { return mulLo<T>(a, b); });
  });
}

void bindCarryMad(const Decoding &decoding, Type type, bool isHigh) {
  decoding.expectType(type, {Type::U32, Type::S32, Type::U64, Type::S64});
  decoding.bind(type, {type, type, type});
  decoding.inst.run = visitWideInteger(type, [&]<class T>() {
    using U = Unsigned<T>;
    if (isHigh)
      return carryLanes<T>([](T a, T b, T c, bool carry) {
        return addCarry<U>(static_cast<U>(mulHi<T>(a, b)), static_cast<U>(c),
                           carry);
      });
    return carryLanes<T>([](T a, T b, T c, bool carry) {
      return addCarry<U>(static_cast<U>(mulLo<T>(a, b)), static_cast<U>(c),
                         carry);
    });
  });
}

void decodeMad(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  decoding.expectType(type, arithmeticTypes);
  std::string_view half = decoding.modifiers.takeOneOf({"lo", "hi", "wide"});
  if (half.empty())
    decoding.fail("it wants .lo, .hi or .wide");
  if (half == "wide") {
    if (ptx::getSizeInBytes(type) == 8)
      decoding.fail(".wide takes 16 and 32 bits");
    decoding.bind(widen(type), {type, type, widen(type)});
    inst.run = visitInteger(type, []<class T>() -> Handler {
      if constexpr (sizeof(T) < 8)
        return lanes([](T a, T b, Wide<T> c) { return madWide<T>(a, b, c); });
      else
        return nullptr;
    });
    return;
  }
  bool isHigh = half == "hi";
  if (takeCarry(decoding, false))
    return bindCarryMad(decoding, type, isHigh);
  decoding.bind(type, {type, type, type});
  if (isHigh && type == Type::S32 && decoding.take("sat")) {
    inst.run = lanes(
        [](int32_t a, int32_t b, int32_t c) { return madHiSat(a, b, c); });
    return;
  }
  inst.run = visitInteger(type, [&]<class T>() {
    if (isHigh)
      return lanes([](T a, T b, T c) { return madHi<T>(a, b, c); });
    return lanes([](T a, T b, T c) { return madLo<T>(a, b, c); });
  });
}

void decodeDiv(const Decoding &decoding, Type type) {
  decoding.expectType(type, arithmeticTypes);
  decoding.bind(type, {type, type});
  decoding.inst.run = visitInteger(type, []<class T>() {
    return lanes([](T a, T b) { return divide<T>(a, b); });
  });
}

void decodeRem(const Decoding &decoding, Type type) {
  decoding.expectType(type, arithmeticTypes);
  decoding.bind(type, {type, type});
  decoding.inst.run = visitInteger(type, []<class T>() {
    return lanes([](T a, T b) { return remainder<T>(a, b); });
  });
}

void decodeSad(const Decoding &decoding, Type type) {
  decoding.expectType(type, arithmeticTypes);
  decoding.bind(type, {type, type, type});
  decoding.inst.run = visitInteger(type, []<class T>() {
    return lanes([](T a, T b, T c) { return sumAbsDifference<T>(a, b, c); });
  });
}

void decodeAbs(const Decoding &decoding, Type type) {
  decoding.expectType(type, {Type::S16, Type::S32, Type::S64});
  decoding.bind(type, {type});
  decoding.inst.run = visitInteger(
      type, []<class T>() { return lanes([](T a) { return absWrap<T>(a); }); });
}

void decodeNeg(const Decoding &decoding, Type type) {
  decoding.expectType(type, {Type::S16, Type::S32, Type::S64});
  decoding.bind(type, {type});
  decoding.inst.run = visitInteger(
      type, []<class T>() { return lanes([](T a) { return negWrap<T>(a); }); });
}

template <bool isMax> void decodeMinMax(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  decoding.expectType(type, {Type::U16, Type::S16, Type::U32, Type::S32,
                             Type::U64, Type::S64, Type::U16x2, Type::S16x2});
  decoding.bind(type, {type, type});
  bool isRelu =
      (type == Type::S16x2 || type == Type::S32) && decoding.take("relu");
  if (type == Type::U16x2) {
    inst.run = halfLanes([](uint32_t a, uint32_t b) {
      return isMax ? maxPair<uint16_t>(a, b) : minPair<uint16_t>(a, b);
    });
  } else if (type == Type::S16x2 && isRelu) {
    inst.run = halfLanes([](uint32_t a, uint32_t b) {
      return clampNegativePair(isMax ? maxPair<int16_t>(a, b)
                                     : minPair<int16_t>(a, b));
    });
  } else if (type == Type::S16x2) {
    inst.run = halfLanes([](uint32_t a, uint32_t b) {
      return isMax ? maxPair<int16_t>(a, b) : minPair<int16_t>(a, b);
    });
  } else if (isRelu) {
    inst.run = lanes([](int32_t a, int32_t b) {
      return clampNegative(isMax ? std::max(a, b) : std::min(a, b));
    });
  } else {
    inst.run = visitInteger(type, []<class T>() {
      return lanes(
          [](T a, T b) { return isMax ? std::max(a, b) : std::min(a, b); });
    });
  }
}

//===----------------------------------------------------------------------===//
// Integers alone
//===----------------------------------------------------------------------===//

void decodeAddc(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  takeCarry(decoding, true);
  bindCarrySum(decoding, modifiers.takeType(), false);
}

void decodeSubc(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  takeCarry(decoding, true);
  bindCarrySum(decoding, modifiers.takeType(), true);
}

void decodeMadc(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  std::string_view half = modifiers.takeOneOf({"lo", "hi"});
  if (half.empty())
    decoding.fail("it wants .lo or .hi");
  takeCarry(decoding, true);
  bindCarryMad(decoding, modifiers.takeType(), half == "hi");
}

template <bool isMad>
void decodeMul24(Decoder &decoder, Modifiers &modifiers,
                 const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Type type = modifiers.takeType();
  decoding.expectType(type, {Type::U32, Type::S32});
  std::string_view half = modifiers.takeOneOf({"lo", "hi"});
  if (half.empty())
    decoding.fail("it wants .lo or .hi");
  bool isHigh = half == "hi";
  if constexpr (isMad) {
    decoding.bind(type, {type, type, type});
    if (isHigh && type == Type::S32 && decoding.take("sat")) {
      inst.run = lanes(
          [](int32_t a, int32_t b, int32_t c) { return mad24HiSat(a, b, c); });
      return;
    }
    inst.run = visitWideInteger(type, [&]<class T>() -> Handler {
      if constexpr (sizeof(T) == 4)
        return isHigh
                   ? lanes([](T a, T b, T c) { return mad24Hi<T>(a, b, c); })
                   : lanes([](T a, T b, T c) { return mad24Lo<T>(a, b, c); });
      else
        return nullptr;
    });
  } else {
    decoding.bind(type, {type, type});
    inst.run = visitWideInteger(type, [&]<class T>() -> Handler {
      if constexpr (sizeof(T) == 4)
        return isHigh ? lanes([](T a, T b) { return mul24Hi<T>(a, b); })
                      : lanes([](T a, T b) { return mul24Lo<T>(a, b); });
      else
        return nullptr;
    });
  }
}

constexpr TypedEntry typedTable[] = {
    {"add", decodeAdd},          {"sub", decodeSub},
    {"mul", decodeMul},          {"mad", decodeMad},
    {"div", decodeDiv},          {"rem", decodeRem},
    {"sad", decodeSad},          {"abs", decodeAbs},
    {"neg", decodeNeg},          {"min", decodeMinMax<false>},
    {"max", decodeMinMax<true>},
};

constexpr OpEntry table[] = {
    // Of floats too.
    {"add", decodeArithmetic},
    {"sub", decodeArithmetic},
    {"mul", decodeArithmetic},
    {"mad", decodeArithmetic},
    {"div", decodeArithmetic},
    {"rem", decodeArithmetic},
    {"sad", decodeArithmetic},
    {"abs", decodeArithmetic},
    {"neg", decodeArithmetic},
    {"min", decodeArithmetic},
    {"max", decodeArithmetic},
    {"addc", decodeAddc},
    {"subc", decodeSubc},
    {"madc", decodeMadc},
    {"mul24", decodeMul24<false>},
    {"mad24", decodeMul24<true>},
    {"dp4a", decodeDotProduct4},
    {"dp2a", decodeDotProduct2},
    {"and", decodeAnd},
    {"or", decodeOr},
    {"xor", decodeXor},
    {"not", decodeNot},
    {"cnot", decodeCnot},
    {"lop3", decodeLop3},
    {"shl", decodeShl},
    {"shr", decodeShr},
    {"shf", decodeShf},
    {"prmt", decodePrmt},
    {"popc", decodePopc},
    {"clz", decodeClz},
    {"bfind", decodeBfind},
    {"fns", decodeFns},
    {"brev", decodeBrev},
    {"bfe", decodeBfe},
    {"bfi", decodeBfi},
    {"bmsk", decodeBmsk},
    {"szext", decodeSzext},
};

} // namespace

std::span<const TypedEntry> emulator::getIntegerArithmetic() {
  return typedTable;
}
std::span<const OpEntry> emulator::getIntegerOps() { return table; }
