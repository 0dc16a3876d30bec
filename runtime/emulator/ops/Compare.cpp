//===- Compare.cpp - setp, set, selp, slct --------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/HalfMath.h"
#include "runtime/emulator/IntegerMath.h"
#include "runtime/emulator/ops/Arithmetic.h"
#include "runtime/emulator/ops/Logic.h"

#include <cstring>

using namespace fk;
using namespace fk::emulator;
using ptx::Type;

namespace {

/// Inst::flags of setp and set.
enum Flag : uint8_t {
  LogicFlag,   ///< 0, or 1 + Logic
  NegatedFlag, ///< the operand of that
  SecondFlag,  ///< setp writes d2
  WidthFlag,   ///< set: bytes of d, or of each half of a pair
  PairFlag,    ///< set: d is a pair
};

/// What the lanes of two sources compare to: of a pair, `high` are the upper
/// halves.
struct Compared {
  uint32_t low = 0, high = 0;
  uint32_t undefinedLow = 0, undefinedHigh = 0;
};

template <class A, class F> struct Scalar {
  static constexpr bool isPair = false;
  static Compared compare(Warp &warp, const Inst &inst) {
    uint32_t undefined = warp.getUndefined(inst.a) | warp.getUndefined(inst.b);
    return {compareLanes<A, F>(warp.values<A>(inst.a), warp.values<A>(inst.b)),
            0, undefined, 0};
  }
};

template <class F> struct Pair {
  static constexpr bool isPair = true;
  static Compared compare(Warp &warp, const Inst &inst) {
    const uint32_t *a = warp.values<uint32_t>(inst.a);
    const uint32_t *b = warp.values<uint32_t>(inst.b);
    Compared result;
    FK_LANE_LOOP
    for (uint32_t lane = 0; lane < warpSize; ++lane) {
      result.low |= uint32_t(F()(lowHalf(a[lane]), lowHalf(b[lane]))) << lane;
      result.high |= uint32_t(F()(highHalf(a[lane]), highHalf(b[lane])))
                     << lane;
    }
    uint32_t undefined = warp.getUndefined(inst.a) | warp.getUndefined(inst.b);
    forEachLane(undefined, [&](uint32_t lane) {
      uint32_t bytes = warp.getUndefinedBytes(inst.a, lane) |
                       warp.getUndefinedBytes(inst.b, lane);
      result.undefinedLow |= uint32_t((bytes & 3) != 0) << lane;
      result.undefinedHigh |= uint32_t((bytes & 12) != 0) << lane;
    });
    return result;
  }
};

/// A comparison and the predicate it is combined with: `value` and where that
/// is undefined.
struct Combined {
  uint32_t value, undefined;
};
Combined combine(Warp &warp, const Inst &inst, uint32_t value,
                 uint32_t undefined) {
  if (!inst.flags[LogicFlag])
    return {value, undefined};
  auto logic = static_cast<Logic>(inst.flags[LogicFlag] - 1);
  uint32_t c = warp.predicate(inst.c), undefinedC = warp.getUndefined(inst.c);
  if (inst.flags[NegatedFlag])
    c = ~c;
  return {applyLogic(logic, value, c),
          undefinedLogic(logic, value, undefined, c, undefinedC)};
}

template <class Source>
void setPredicates(Warp &warp, const Inst &inst, uint32_t active) {
  Compared compared = Source::compare(warp, inst);
  if (!inst.flags[LogicFlag] && !inst.flags[SecondFlag]) [[likely]] {
    setPredicate(warp, inst.d, active, compared.low, compared.undefinedLow);
    return;
  }
  // Both before either is written: c may be one of them.
  Combined first = combine(warp, inst, compared.low, compared.undefinedLow);
  Combined second =
      Source::isPair
          ? combine(warp, inst, compared.high, compared.undefinedHigh)
          : combine(warp, inst, ~compared.low, compared.undefinedLow);
  setPredicate(warp, inst.d, active, first.value, first.undefined);
  if (inst.flags[SecondFlag])
    setPredicate(warp, inst.d2, active, second.value, second.undefined);
}

template <class T>
void writeSet(Warp &warp, const Inst &inst, uint32_t active, uint32_t value,
              uint32_t undefined) {
  T result[warpSize];
  auto isTrue = static_cast<T>(inst.imm);
  FK_LANE_LOOP
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    result[lane] = (value >> lane) & 1 ? isTrue : T(0);
  blend(warp.values<T>(inst.d), result, active);
  warp.setUndefined(inst.d, active, undefined);
}

/// inst.imm: what d is where the comparison is true.
template <class Source>
void setValues(Warp &warp, const Inst &inst, uint32_t active) {
  Compared compared = Source::compare(warp, inst);
  Combined low = combine(warp, inst, compared.low, compared.undefinedLow);
  if (!inst.flags[PairFlag]) {
    if (inst.flags[WidthFlag] == 2)
      writeSet<uint16_t>(warp, inst, active, low.value, low.undefined);
    else
      writeSet<uint32_t>(warp, inst, active, low.value, low.undefined);
    return;
  }
  Combined high = combine(warp, inst, compared.high, compared.undefinedHigh);
  uint32_t result[warpSize];
  auto isTrue = static_cast<uint16_t>(inst.imm);
  FK_LANE_LOOP
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    result[lane] = packPair((high.value >> lane) & 1 ? isTrue : 0,
                            (low.value >> lane) & 1 ? isTrue : 0);
  blend(warp.values<uint32_t>(inst.d), result, active);
  warp.setUndefined(inst.d, active, low.undefined | high.undefined);
  forEachLane((low.undefined | high.undefined) & active, [&](uint32_t lane) {
    uint16_t bytes = ((low.undefined >> lane) & 1 ? 3 : 0) |
                     ((high.undefined >> lane) & 1 ? 12 : 0);
    warp.setUndefinedBytes(inst.d, lane, bytes);
  });
}

//===----------------------------------------------------------------------===//
// Choosing a comparison
//===----------------------------------------------------------------------===//

/// The comparisons by name; lo, ls, hi and hs are the unsigned ones.
enum class Comparison : uint8_t {
  EQ,
  NE,
  LT,
  LE,
  GT,
  GE,
  LO,
  LS,
  HI,
  HS,
  EQU,
  NEU,
  LTU,
  LEU,
  GTU,
  GEU,
  Num,
  NaN,
  None
};
constexpr std::string_view comparisonNames[] = {
    "eq", "ne",  "lt",  "le",  "gt",  "ge",  "lo",  "ls",  "hi",
    "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};

Comparison takeComparison(const Decoding &decoding) {
  for (size_t i = 0; i < std::size(comparisonNames); ++i)
    if (decoding.take(comparisonNames[i]))
      return static_cast<Comparison>(i);
  return Comparison::None;
}

template <class T, template <class> class Use>
Handler chooseInteger(Comparison comparison) {
  switch (comparison) {
  case Comparison::EQ:
    return Use<Scalar<T, decltype([](T a, T b) { return a == b; })>>::run;
  case Comparison::NE:
    return Use<Scalar<T, decltype([](T a, T b) { return a != b; })>>::run;
  case Comparison::LT:
  case Comparison::LO:
    return Use<Scalar<T, decltype([](T a, T b) { return a < b; })>>::run;
  case Comparison::LE:
  case Comparison::LS:
    return Use<Scalar<T, decltype([](T a, T b) { return a <= b; })>>::run;
  case Comparison::GT:
  case Comparison::HI:
    return Use<Scalar<T, decltype([](T a, T b) { return a > b; })>>::run;
  case Comparison::GE:
  case Comparison::HS:
    return Use<Scalar<T, decltype([](T a, T b) { return a >= b; })>>::run;
  default:
    return nullptr;
  }
}

/// make.operator()<compare>() with a comparison of floats.
template <class Make>
Handler visitFloatCompare(Comparison comparison, Make make) {
  switch (comparison) {
  case Comparison::EQ:
    return make.template operator()<FloatCompare::EQ>();
  case Comparison::NE:
    return make.template operator()<FloatCompare::NE>();
  case Comparison::LT:
    return make.template operator()<FloatCompare::LT>();
  case Comparison::LE:
    return make.template operator()<FloatCompare::LE>();
  case Comparison::GT:
    return make.template operator()<FloatCompare::GT>();
  case Comparison::GE:
    return make.template operator()<FloatCompare::GE>();
  case Comparison::EQU:
    return make.template operator()<FloatCompare::EQU>();
  case Comparison::NEU:
    return make.template operator()<FloatCompare::NEU>();
  case Comparison::LTU:
    return make.template operator()<FloatCompare::LTU>();
  case Comparison::LEU:
    return make.template operator()<FloatCompare::LEU>();
  case Comparison::GTU:
    return make.template operator()<FloatCompare::GTU>();
  case Comparison::GEU:
    return make.template operator()<FloatCompare::GEU>();
  case Comparison::Num:
    return make.template operator()<FloatCompare::Num>();
  case Comparison::NaN:
    return make.template operator()<FloatCompare::NaN>();
  default:
    return nullptr;
  }
}

template <HalfType H, bool isPair, template <class> class Use>
Handler chooseHalf(Comparison comparison, bool flush) {
  return visitFloatCompare(comparison, [&]<FloatCompare compare>() {
    using Plain = decltype([](uint16_t a, uint16_t b) {
      return compareHalf<H>(a, b, compare, false);
    });
    using Flushed = decltype([](uint16_t a, uint16_t b) {
      return compareHalf<H>(a, b, compare, true);
    });
    if constexpr (isPair)
      return flush ? Use<Pair<Flushed>>::run : Use<Pair<Plain>>::run;
    else
      return flush ? Use<Scalar<uint16_t, Flushed>>::run
                   : Use<Scalar<uint16_t, Plain>>::run;
  });
}

/// The handler for a source type; nullptr where it has no such comparison.
template <template <class> class Use>
Handler choose(Type type, Comparison comparison, bool flush) {
  switch (type) {
  case Type::B16:
  case Type::B32:
  case Type::B64:
    if (comparison != Comparison::EQ && comparison != Comparison::NE)
      return nullptr;
    break;
  case Type::S16:
  case Type::S32:
  case Type::S64:
    if (comparison >= Comparison::LO)
      return nullptr;
    break;
  case Type::F32:
    return visitFloatCompare(comparison, [&]<FloatCompare compare>() {
      using Plain = decltype([](float a, float b) {
        return compareFloat(a, b, compare);
      });
      using Flushed = decltype([](float a, float b) {
        return compareFloat(flushSubnormal(a), flushSubnormal(b), compare);
      });
      return flush ? Use<Scalar<float, Flushed>>::run
                   : Use<Scalar<float, Plain>>::run;
    });
  case Type::F64:
    return visitFloatCompare(comparison, [&]<FloatCompare compare>() {
      return Use<Scalar<double, decltype([](double a, double b) {
                          return compareFloat(a, b, compare);
                        })>>::run;
    });
  case Type::F16:
    return chooseHalf<HalfType::F16, false, Use>(comparison, flush);
  case Type::BF16:
    return chooseHalf<HalfType::BF16, false, Use>(comparison, flush);
  case Type::F16x2:
    return chooseHalf<HalfType::F16, true, Use>(comparison, flush);
  case Type::BF16x2:
    return chooseHalf<HalfType::BF16, true, Use>(comparison, flush);
  default:
    break;
  }
  return visitInteger(
      type, [&]<class T>() { return chooseInteger<T, Use>(comparison); });
}

template <class Source> struct ForPredicates {
  static constexpr Handler run = setPredicates<Source>;
};
template <class Source> struct ForValues {
  static constexpr Handler run = setValues<Source>;
};

/// .and, .or, .xor: a predicate is combined with the comparison.
bool takeLogic(const Decoding &decoding) {
  std::string_view name = decoding.modifiers.takeOneOf({"and", "or", "xor"});
  if (name.empty())
    return false;
  Logic logic = name == "and"  ? Logic::And
                : name == "or" ? Logic::Or
                               : Logic::Xor;
  decoding.inst.flags[LogicFlag] = 1 + static_cast<uint8_t>(logic);
  return true;
}

/// The sources a, b, and the predicate c where there is one.
void bindSources(const Decoding &decoding, Type type, bool hasLogic) {
  Inst &inst = decoding.inst;
  decoding.decoder.expectOperands(decoding.instruction, hasLogic ? 4 : 3);
  inst.a = decoding.source(decoding.operand(1), type);
  inst.b = decoding.source(decoding.operand(2), type);
  if (!hasLogic)
    return;
  bool isNegated;
  inst.c = decoding.predicate(decoding.operand(3), isNegated);
  inst.flags[NegatedFlag] = isNegated;
}

bool canFlush(Type type) {
  return isOneOf(type, {Type::F32, Type::F16, Type::F16x2});
}

[[noreturn]] void failComparison(const Decoding &decoding, Type type) {
  decoding.fail("no such comparison of ." + std::string(ptx::getName(type)));
}

void decodeSetp(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Comparison comparison = takeComparison(decoding);
  bool hasLogic = takeLogic(decoding);
  Type type = modifiers.takeType();
  bool flush = canFlush(type) && modifiers.take("ftz");
  bindSources(decoding, type, hasLogic);
  const ptx::Operand &to = decoding.operand(0);
  if (to.kind == ptx::Operand::Kind::Pair) {
    inst.d = decoder.dest(to.parts[0], 0);
    inst.d2 = decoder.dest(to.parts[1], 0);
    inst.flags[SecondFlag] = 1;
  } else {
    if (isHalfPair(type))
      decoder.fail(to.location, "'" + instruction.str() + "' writes p|q");
    inst.d = decoder.dest(to, 0);
  }
  inst.run = choose<ForPredicates>(type, comparison, flush);
  if (!inst.run)
    failComparison(decoding, type);
}

void decodeSet(Decoder &decoder, Modifiers &modifiers,
               const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Comparison comparison = takeComparison(decoding);
  bool hasLogic = takeLogic(decoding);
  Type to = modifiers.takeType(), type = modifiers.takeType();
  bool flush = canFlush(type) && modifiers.take("ftz");
  if (type == Type::None)
    decoding.fail("it wants the types of the result and of the operands");
  bool isPair = isHalfPair(type);
  if (isPair)
    decoding.expectType(to, {type, Type::U32, Type::S32});
  else if (isHalf(type))
    decoding.expectType(to, {type, Type::U16, Type::S16, Type::U32, Type::S32});
  else
    decoding.expectType(
        to, {Type::U32, Type::S32, Type::F32, Type::F16, Type::BF16});
  bindSources(decoding, type, hasLogic);
  size_t bytes = ptx::getSizeInBytes(to);
  inst.d = decoding.dest(decoding.operand(0), to);
  inst.flags[PairFlag] = isPair;
  inst.flags[WidthFlag] = static_cast<uint8_t>(bytes);
  switch (to) {
  case Type::F32:
    inst.imm = 0x3f800000;
    break;
  case Type::F16:
  case Type::F16x2:
    inst.imm = HalfTraits<HalfType::F16>::one;
    break;
  case Type::BF16:
  case Type::BF16x2:
    inst.imm = HalfTraits<HalfType::BF16>::one;
    break;
  default:
    inst.imm = -1;
  }
  inst.run = choose<ForValues>(type, comparison, flush);
  if (!inst.run)
    failComparison(decoding, type);
}

//===----------------------------------------------------------------------===//
// selp, slct
//===----------------------------------------------------------------------===//

/// d = c ? a : b; only the chosen one need be defined.
template <class T>
void selectLanes(Warp &warp, const Inst &inst, uint32_t active) {
  const T *a = warp.values<T>(inst.a), *b = warp.values<T>(inst.b);
  uint32_t c = warp.predicate(inst.c);
  T result[warpSize];
  FK_LANE_LOOP
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    // By masks: a choice between two places is no vector code.
    result[lane] = static_cast<T>(
        b[lane] ^ ((a[lane] ^ b[lane]) & -static_cast<T>((c >> lane) & 1)));
  uint32_t undefinedA = warp.getUndefined(inst.a),
           undefinedB = warp.getUndefined(inst.b),
           undefinedC = warp.getUndefined(inst.c);
  if (!((undefinedA | undefinedB | undefinedC) & active)) [[likely]] {
    blend(warp.values<T>(inst.d), result, active);
    warp.setUndefined(inst.d, active, 0);
    return;
  }
  uint16_t marks[warpSize];
  forEachLane(active, [&](uint32_t lane) {
    marks[lane] =
        (undefinedC >> lane) & 1
            ? allBytes<T>
            : warp.getUndefinedBytes((c >> lane) & 1 ? inst.a : inst.b, lane);
  });
  blend(warp.values<T>(inst.d), result, active);
  forEachLane(active, [&](uint32_t lane) {
    warp.setUndefinedBytes(inst.d, lane, marks[lane]);
  });
}

void decodeSelp(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Type type = modifiers.takeType();
  decoding.expectType(type, {Type::B16, Type::B32, Type::B64, Type::U16,
                             Type::U32, Type::U64, Type::S16, Type::S32,
                             Type::S64, Type::F32, Type::F64});
  decoding.bind(type, {type, type, Type::Pred});
  switch (ptx::getSizeInBytes(type)) {
  case 2:
    inst.run = selectLanes<uint16_t>;
    break;
  case 4:
    inst.run = selectLanes<uint32_t>;
    break;
  default:
    inst.run = selectLanes<uint64_t>;
  }
}

/// slct: only the chosen one need be defined.
template <class T, class C, class F> struct SelectMarks {
  uint16_t operator()(Warp &warp, const Inst &inst, uint32_t lane) const {
    if (warp.getUndefinedBytes(inst.c, lane))
      return allBytes<T>;
    // Told by values that differ.
    bool isFirst = callLane<F>(inst, T(1), T(0), warp.values<C>(inst.c)[lane]);
    return warp.getUndefinedBytes(isFirst ? inst.a : inst.b, lane);
  }
};
template <class T, class C, class F> Handler slctLanes(F) {
  return runPrecise<runLanes<F>, SelectMarks<T, C, F>>;
}

void decodeSlct(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  Type type = modifiers.takeType(), by = modifiers.takeType();
  decoding.expectType(type, {Type::B16, Type::B32, Type::B64, Type::U16,
                             Type::U32, Type::U64, Type::S16, Type::S32,
                             Type::S64, Type::F32, Type::F64});
  decoding.expectType(by, {Type::S32, Type::F32});
  bool flush = by == Type::F32 && modifiers.take("ftz");
  decoding.bind(type, {type, type, by});
  size_t bytes = ptx::getSizeInBytes(type);
  Type unsignedType = bytes == 2   ? Type::U16
                      : bytes == 4 ? Type::U32
                                   : Type::U64;
  inst.run = visitInteger(unsignedType, [&]<class T>() {
    if (by == Type::S32)
      return slctLanes<T, int32_t>(
          [](T a, T b, int32_t c) { return select<T>(a, b, c); });
    if (flush)
      return slctLanes<T, float>(
          [](T a, T b, float c) { return selectFloat<T>(a, b, c, true); });
    return slctLanes<T, float>(
        [](T a, T b, float c) { return selectFloat<T>(a, b, c, false); });
  });
}

constexpr OpEntry table[] = {
    {"setp", decodeSetp},
    {"set", decodeSet},
    {"selp", decodeSelp},
    {"slct", decodeSlct},
};

} // namespace

std::span<const OpEntry> emulator::getCompareOps() { return table; }
