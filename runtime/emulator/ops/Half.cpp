//===- Half.cpp - Arithmetic of f16, bf16 and pairs of them ---------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Approx.h"
#include "runtime/emulator/ops/Arithmetic.h"

using namespace fk;
using namespace fk::emulator;
using ptx::Type;

namespace {

HalfMode modeOf(const Inst &inst) {
  return {inst.flags[0] != 0, inst.flags[1] != 0, inst.flags[2] != 0,
          inst.flags[3] != 0};
}
template <HalfMode mode> struct FixedHalfMode {
  static constexpr HalfMode of(const Inst &) { return mode; }
};
struct InstHalfMode {
  static HalfMode of(const Inst &inst) { return modeOf(inst); }
};
/// make.operator()<M>(): fixed without modifiers, else read from the flags.
template <class Make>
Handler chooseHalfMode(Inst &inst, HalfMode mode, Make make) {
  inst.flags[0] = mode.flush;
  inst.flags[1] = mode.saturate;
  inst.flags[2] = mode.relu;
  inst.flags[3] = mode.isOutOfBounds;
  if (mode == HalfMode())
    return make.template operator()<FixedHalfMode<{}>>();
  if (mode == HalfMode{.relu = true})
    return make.template operator()<FixedHalfMode<{.relu = true}>>();
  return make.template operator()<InstHalfMode>();
}

/// The handler for one number, or for a pair by halves. F()(inst, halves...).
template <class F> Handler unaryHalves(bool isPair, F) {
  return isPair ? halfLanes([](const Inst &inst, uint32_t a) {
    return mapHalfPair([&](uint16_t x) { FK_INLINE_CALL return F()(inst, x); },
                       a);
  })
                : lanes([](const Inst &inst, uint16_t a) -> uint16_t {
                    FK_INLINE_CALL return F()(inst, a);
                  });
}
template <class F> Handler binaryHalves(bool isPair, F) {
  return isPair ? halfLanes([](const Inst &inst, uint32_t a, uint32_t b) {
    return mapHalfPair(
        [&](uint16_t x, uint16_t y) { FK_INLINE_CALL return F()(inst, x, y); },
        a, b);
  })
                : lanes(
                      [](const Inst &inst, uint16_t a, uint16_t b) -> uint16_t {
                        FK_INLINE_CALL return F()(inst, a, b);
                      });
}
template <class F> Handler ternaryHalves(bool isPair, F) {
  return isPair ? halfLanes(
                      [](const Inst &inst, uint32_t a, uint32_t b, uint32_t c) {
                        return mapHalfPair(
                            [&](uint16_t x, uint16_t y, uint16_t z) {
                              FK_INLINE_CALL return F()(inst, x, y, z);
                            },
                            a, b, c);
                      })
                : lanes([](const Inst &inst, uint16_t a, uint16_t b,
                           uint16_t c) -> uint16_t {
                    FK_INLINE_CALL return F()(inst, a, b, c);
                  });
}

bool isF16(Type type) { return type == Type::F16 || type == Type::F16x2; }

/// make.operator()<H>() for the format of `type`.
template <class Make> Handler visitHalf(Type type, Make make) {
  return isF16(type) ? make.template operator()<HalfType::F16>()
                     : make.template operator()<HalfType::BF16>();
}

/// .rn is the only rounding, and the default of all but fma.
bool takeNearest(const Decoding &decoding) { return decoding.take("rn"); }

HalfMode takeMode(const Decoding &decoding, Type type) {
  HalfMode mode;
  takeNearest(decoding);
  if (isF16(type)) {
    mode.flush = decoding.take("ftz");
    mode.saturate = decoding.take("sat");
  }
  return mode;
}

void decodeAdd(const Decoding &decoding, Type type) {
  HalfMode mode = takeMode(decoding, type);
  decoding.bind(type, {type, type});
  decoding.inst.run = visitHalf(type, [&]<HalfType H>() {
    return chooseHalfMode(decoding.inst, mode, [&]<class M>() {
      return binaryHalves(isHalfPair(type),
                          [](const Inst &inst, uint16_t a, uint16_t b) {
                            return addHalf<H>(a, b, M::of(inst));
                          });
    });
  });
}

void decodeSub(const Decoding &decoding, Type type) {
  HalfMode mode = takeMode(decoding, type);
  decoding.bind(type, {type, type});
  decoding.inst.run = visitHalf(type, [&]<HalfType H>() {
    return chooseHalfMode(decoding.inst, mode, [&]<class M>() {
      return binaryHalves(isHalfPair(type),
                          [](const Inst &inst, uint16_t a, uint16_t b) {
                            return subHalf<H>(a, b, M::of(inst));
                          });
    });
  });
}

void decodeMul(const Decoding &decoding, Type type) {
  HalfMode mode = takeMode(decoding, type);
  decoding.bind(type, {type, type});
  decoding.inst.run = visitHalf(type, [&]<HalfType H>() {
    return chooseHalfMode(decoding.inst, mode, [&]<class M>() {
      return binaryHalves(isHalfPair(type),
                          [](const Inst &inst, uint16_t a, uint16_t b) {
                            return mulHalf<H>(a, b, M::of(inst));
                          });
    });
  });
}

void decodeFma(const Decoding &decoding, Type type) {
  if (!takeNearest(decoding))
    decoding.fail("it wants .rn");
  HalfMode mode;
  mode.isOutOfBounds = decoding.take("oob");
  if (isF16(type) && !mode.isOutOfBounds) {
    mode.flush = decoding.take("ftz");
    mode.saturate = decoding.take("sat");
  }
  // .sat and .relu exclude each other: one of them is left.
  mode.relu = !mode.saturate && decoding.take("relu");
  decoding.bind(type, {type, type, type});
  decoding.inst.run = visitHalf(type, [&]<HalfType H>() {
    return chooseHalfMode(decoding.inst, mode, [&]<class M>() {
      return ternaryHalves(isHalfPair(type), [](const Inst &inst, uint16_t a,
                                                uint16_t b, uint16_t c) {
        return fmaHalf<H>(a, b, c, M::of(inst));
      });
    });
  });
}

void decodeAbs(const Decoding &decoding, Type type) {
  decoding.inst.flags[0] = isF16(type) && decoding.take("ftz");
  decoding.bind(type, {type});
  decoding.inst.run = visitHalf(type, [&]<HalfType H>() {
    return unaryHalves(isHalfPair(type), [](const Inst &inst, uint16_t a) {
      return absHalf<H>(a, inst.flags[0] != 0);
    });
  });
}

void decodeNeg(const Decoding &decoding, Type type) {
  decoding.inst.flags[0] = isF16(type) && decoding.take("ftz");
  decoding.bind(type, {type});
  decoding.inst.run = visitHalf(type, [&]<HalfType H>() {
    return unaryHalves(isHalfPair(type), [](const Inst &inst, uint16_t a) {
      return negHalf<H>(a, inst.flags[0] != 0);
    });
  });
}

template <bool isMax> void decodeMinMax(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  inst.flags[0] = isF16(type) && decoding.take("ftz");
  inst.flags[1] = decoding.take("NaN");
  bool isSigned = decoding.take("xorsign");
  inst.flags[2] = isSigned && decoding.take("abs");
  if (isSigned && !inst.flags[2])
    decoding.fail(".xorsign wants .abs");
  if (decoding.instruction.operands.size() == 4)
    decoding.fail("three inputs need sm_100, and this emulates sm_90");
  decoding.bind(type, {type, type});
  bool isPair = isHalfPair(type);
  inst.run = visitHalf(type, [&]<HalfType H>() {
    if (inst.flags[0] || inst.flags[2])
      return binaryHalves(isPair, [](const Inst &inst, uint16_t a, uint16_t b) {
        return minMaxHalf<H>(a, b,
                             {isMax, inst.flags[0] != 0, inst.flags[1] != 0,
                              inst.flags[2] != 0, false});
      });
    if (inst.flags[1])
      return binaryHalves(isPair, [](const Inst &, uint16_t a, uint16_t b) {
        return minMaxHalf<H>(a, b, {isMax, false, true, false, false});
      });
    return binaryHalves(isPair, [](const Inst &, uint16_t a, uint16_t b) {
      return minMaxHalf<H>(a, b, {isMax, false, false, false, false});
    });
  });
}

void expectApprox(const Decoding &decoding) {
  if (!decoding.take("approx"))
    decoding.fail("it wants .approx");
}

void decodeEx2(const Decoding &decoding, Type type) {
  expectApprox(decoding);
  if (!isF16(type) && !decoding.take("ftz"))
    decoding.fail("ex2 of bf16 wants .ftz");
  decoding.bind(type, {type});
  decoding.inst.run = visitHalf(type, [&]<HalfType H>() {
    return unaryHalves(isHalfPair(type), [](const Inst &, uint16_t a) {
      return ex2ApproxHalf<H>(a, H == HalfType::BF16);
    });
  });
}

void decodeTanh(const Decoding &decoding, Type type) {
  expectApprox(decoding);
  decoding.bind(type, {type});
  decoding.inst.run = visitHalf(type, [&]<HalfType H>() {
    return unaryHalves(isHalfPair(type), [](const Inst &, uint16_t a) {
      return tanhApproxHalf<H>(a);
    });
  });
}

constexpr TypedEntry typedTable[] = {
    {"add", decodeAdd},           {"sub", decodeSub},
    {"mul", decodeMul},           {"fma", decodeFma},
    {"abs", decodeAbs},           {"neg", decodeNeg},
    {"min", decodeMinMax<false>}, {"max", decodeMinMax<true>},
    {"ex2", decodeEx2},           {"tanh", decodeTanh},
};

} // namespace

std::span<const TypedEntry> emulator::getHalfArithmetic() { return typedTable; }
