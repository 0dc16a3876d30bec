//===- Float.cpp - Arithmetic of f32 and f64 ------------------------------===//
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

/// .ftz and .sat, both of f32 alone.
FloatMode takeMode(const Decoding &decoding, Type type, bool canSaturate) {
  FloatMode mode;
  decoding.takeRounding(mode.rounding);
  if (type == Type::F32) {
    mode.flush = decoding.take("ftz");
    mode.saturate = canSaturate && decoding.take("sat");
  }
  return mode;
}

/// As above, of an instruction without a default rounding.
FloatMode takeRoundedMode(const Decoding &decoding, Type type,
                          bool canSaturate) {
  FloatMode mode = takeMode(decoding, type, canSaturate);
  for (const std::string &modifier : decoding.instruction.modifiers)
    if (modifier == "rn" || modifier == "rz" || modifier == "rm" ||
        modifier == "rp")
      return mode;
  decoding.fail("it wants a rounding: .rn, .rz, .rm or .rp");
}

/// A handler for each rounding of f64: nearest is inlined.
template <class Make>
Handler chooseRounding(Inst &inst, FloatMode mode, Make make) {
  InstMode::set(inst, mode);
  if (mode.rounding != Rounding::NearestEven)
    return make.template operator()<InstMode>();
  return make
      .template operator()<FixedMode<{Rounding::NearestEven, false, false}>>();
}

//===----------------------------------------------------------------------===//
// Sums, products, quotients
//===----------------------------------------------------------------------===//

void decodeAdd(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  FloatMode mode = takeMode(decoding, type, true);
  decoding.bind(type, {type, type});
  if (type == Type::F32)
    inst.run = chooseMode(inst, mode, []<class M>() {
      return lanes([](const Inst &inst, float a, float b) {
        return addF32(a, b, M::of(inst));
      });
    });
  else
    inst.run = chooseRounding(inst, mode, []<class M>() {
      return lanes([](const Inst &inst, double a, double b) {
        return addF64(a, b, M::of(inst).rounding);
      });
    });
}

void decodeSub(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  FloatMode mode = takeMode(decoding, type, true);
  decoding.bind(type, {type, type});
  if (type == Type::F32)
    inst.run = chooseMode(inst, mode, []<class M>() {
      return lanes([](const Inst &inst, float a, float b) {
        return subF32(a, b, M::of(inst));
      });
    });
  else
    inst.run = chooseRounding(inst, mode, []<class M>() {
      return lanes([](const Inst &inst, double a, double b) {
        return subF64(a, b, M::of(inst).rounding);
      });
    });
}

void decodeMul(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  FloatMode mode = takeMode(decoding, type, true);
  decoding.bind(type, {type, type});
  if (type == Type::F32)
    inst.run = chooseMode(inst, mode, []<class M>() {
      return lanes([](const Inst &inst, float a, float b) {
        return mulF32(a, b, M::of(inst));
      });
    });
  else
    inst.run = chooseRounding(inst, mode, []<class M>() {
      return lanes([](const Inst &inst, double a, double b) {
        return mulF64(a, b, M::of(inst).rounding);
      });
    });
}

/// fma, and mad, which is the same from sm_20 on.
void decodeFma(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  FloatMode mode = takeRoundedMode(decoding, type, true);
  decoding.bind(type, {type, type, type});
  if (type == Type::F32)
    inst.run = chooseMode(inst, mode, []<class M>() {
      return lanes([](const Inst &inst, float a, float b, float c) {
        return fmaF32(a, b, c, M::of(inst));
      });
    });
  else
    inst.run = chooseRounding(inst, mode, []<class M>() {
      return lanes([](const Inst &inst, double a, double b, double c) {
        return fmaF64(a, b, c, M::of(inst).rounding);
      });
    });
}

void decodeDiv(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  std::string_view way =
      type == Type::F32 ? decoding.modifiers.takeOneOf({"approx", "full"}) : "";
  if (!way.empty()) {
    bool flush = decoding.take("ftz");
    decoding.bind(type, {type, type});
    auto choose = [&]<bool f>() {
      return way == "full"
                 ? lanes([](float a, float b) { return divFullF32(a, b, f); })
                 : lanes(
                       [](float a, float b) { return divApproxF32(a, b, f); });
    };
    inst.run = flush ? choose.operator()<true>() : choose.operator()<false>();
    return;
  }
  FloatMode mode = takeRoundedMode(decoding, type, false);
  decoding.bind(type, {type, type});
  if (type == Type::F32)
    inst.run = chooseMode(inst, mode, []<class M>() {
      return lanes([](const Inst &inst, float a, float b) {
        return divF32(a, b, M::of(inst));
      });
    });
  else
    inst.run = chooseRounding(inst, mode, []<class M>() {
      return lanes([](const Inst &inst, double a, double b) {
        return divF64(a, b, M::of(inst).rounding);
      });
    });
}

//===----------------------------------------------------------------------===//
// Functions of one operand
//===----------------------------------------------------------------------===//

/// The handler of an approximate f32 function, with .ftz or without.
template <class Make> void bindApprox(const Decoding &decoding, Make make) {
  bool flush = decoding.take("ftz");
  decoding.bind(Type::F32, {Type::F32});
  decoding.inst.run = flush ? make.template operator()<true>()
                            : make.template operator()<false>();
}

void decodeRcp(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  if (decoding.take("approx")) {
    if (type == Type::F32)
      return bindApprox(decoding, []<bool flush>() {
        return lanes([](float a) { return rcpApproxF32(a, flush); });
      });
    if (!decoding.take("ftz"))
      decoding.fail("rcp.approx of .f64 wants .ftz");
    decoding.bind(type, {type});
    inst.run = lanes([](double a) { return rcpApproxF64(a); });
    return;
  }
  FloatMode mode = takeRoundedMode(decoding, type, false);
  decoding.bind(type, {type});
  if (type == Type::F32)
    inst.run = chooseMode(inst, mode, []<class M>() {
      return lanes(
          [](const Inst &inst, float a) { return rcpF32(a, M::of(inst)); });
    });
  else
    inst.run = chooseRounding(inst, mode, []<class M>() {
      return lanes([](const Inst &inst, double a) {
        return rcpF64(a, M::of(inst).rounding);
      });
    });
}

void decodeSqrt(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  if (type == Type::F32 && decoding.take("approx"))
    return bindApprox(decoding, []<bool flush>() {
      return lanes([](float a) { return sqrtApproxF32(a, flush); });
    });
  FloatMode mode = takeRoundedMode(decoding, type, false);
  decoding.bind(type, {type});
  if (type == Type::F32)
    inst.run = chooseMode(inst, mode, []<class M>() {
      return lanes(
          [](const Inst &inst, float a) { return sqrtF32(a, M::of(inst)); });
    });
  else
    inst.run = chooseRounding(inst, mode, []<class M>() {
      return lanes([](const Inst &inst, double a) {
        return sqrtF64(a, M::of(inst).rounding);
      });
    });
}

void expectApprox(const Decoding &decoding) {
  if (!decoding.take("approx"))
    decoding.fail("it wants .approx");
}

void decodeRsqrt(const Decoding &decoding, Type type) {
  expectApprox(decoding);
  if (type == Type::F32)
    return bindApprox(decoding, []<bool flush>() {
      return lanes([](float a) { return rsqrtApproxF32(a, flush); });
    });
  bool flush = decoding.take("ftz");
  decoding.bind(type, {type});
  decoding.inst.run = flush
                          ? lanes([](double a) { return rsqrtApproxFtzF64(a); })
                          : lanes([](double a) { return rsqrtApproxF64(a); });
}

void decodeEx2(const Decoding &decoding, Type type) {
  decoding.expectType(type, {Type::F32});
  expectApprox(decoding);
  bindApprox(decoding, []<bool flush>() {
    return lanes([](float a) { return ex2ApproxF32(a, flush); });
  });
}

void decodeLg2(const Decoding &decoding, Type type) {
  decoding.expectType(type, {Type::F32});
  expectApprox(decoding);
  bindApprox(decoding, []<bool flush>() {
    return lanes([](float a) { return lg2ApproxF32(a, flush); });
  });
}

void decodeSin(const Decoding &decoding, Type type) {
  decoding.expectType(type, {Type::F32});
  expectApprox(decoding);
  bindApprox(decoding, []<bool flush>() {
    return lanes([](float a) { return sinApproxF32(a, flush); });
  });
}

void decodeCos(const Decoding &decoding, Type type) {
  decoding.expectType(type, {Type::F32});
  expectApprox(decoding);
  bindApprox(decoding, []<bool flush>() {
    return lanes([](float a) { return cosApproxF32(a, flush); });
  });
}

void decodeTanh(const Decoding &decoding, Type type) {
  decoding.expectType(type, {Type::F32});
  expectApprox(decoding);
  decoding.bind(type, {type});
  decoding.inst.run = lanes([](float a) { return tanhApproxF32(a); });
}

//===----------------------------------------------------------------------===//
// Signs
//===----------------------------------------------------------------------===//

void decodeAbs(const Decoding &decoding, Type type) {
  bool flush = type == Type::F32 && decoding.take("ftz");
  decoding.bind(type, {type});
  decoding.inst.run = type == Type::F64
                          ? lanes([](double a) { return absF64(a); })
                      : flush ? lanes([](float a) { return absF32(a, true); })
                              : lanes([](float a) { return absF32(a, false); });
}

void decodeNeg(const Decoding &decoding, Type type) {
  bool flush = type == Type::F32 && decoding.take("ftz");
  decoding.bind(type, {type});
  decoding.inst.run = type == Type::F64
                          ? lanes([](double a) { return negF64(a); })
                      : flush ? lanes([](float a) { return negF32(a, true); })
                              : lanes([](float a) { return negF32(a, false); });
}

void decodeCopySign(const Decoding &decoding, Type type) {
  decoding.bind(type, {type, type});
  decoding.inst.run =
      type == Type::F64
          ? lanes([](double a, double b) { return copySignF64(a, b); })
          : lanes([](float a, float b) { return copySignF32(a, b); });
}

//===----------------------------------------------------------------------===//
// Minimum and maximum
//===----------------------------------------------------------------------===//

template <bool isMax> MinMaxMode minMaxModeOf(const Inst &inst) {
  return {isMax, inst.flags[0] != 0, inst.flags[1] != 0, inst.flags[2] != 0,
          false};
}

template <bool isMax> void decodeMinMax(const Decoding &decoding, Type type) {
  Inst &inst = decoding.inst;
  if (type == Type::F64) {
    decoding.bind(type, {type, type});
    inst.run = lanes([](double a, double b) { return minMaxF64(a, b, isMax); });
    return;
  }
  inst.flags[0] = decoding.take("ftz");
  inst.flags[1] = decoding.take("NaN");
  bool isSigned = decoding.take("xorsign");
  inst.flags[2] = isSigned && decoding.take("abs");
  if (isSigned && !inst.flags[2])
    decoding.fail(".xorsign wants .abs");
  if (decoding.instruction.operands.size() == 4)
    decoding.fail("three inputs need sm_100, and this emulates sm_90");
  decoding.bind(type, {type, type});
  if (inst.flags[2])
    inst.run = lanes([](const Inst &inst, float a, float b) {
      return minMaxF32(a, b, minMaxModeOf<isMax>(inst));
    });
  else if (inst.flags[1])
    inst.run =
        inst.flags[0]
            ? lanes([](float a, float b) {
                return minMaxF32(a, b, {isMax, true, true, false, false});
              })
            : lanes([](float a, float b) {
                return minMaxF32(a, b, {isMax, false, true, false, false});
              });
  else
    inst.run =
        inst.flags[0]
            ? lanes([](float a, float b) {
                return minMaxF32(a, b, {isMax, true, false, false, false});
              })
            : lanes([](float a, float b) {
                return minMaxF32(a, b, {isMax, false, false, false, false});
              });
}

//===----------------------------------------------------------------------===//
// testp
//===----------------------------------------------------------------------===//

template <class T>
void testLanes(Warp &warp, const Inst &inst, uint32_t active) {
  const T *a = warp.values<T>(inst.a);
  auto property = static_cast<TestProperty>(inst.flags[0]);
  uint32_t result = 0;
  FK_LANE_LOOP
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    result |= uint32_t(testProperty(a[lane], property)) << lane;
  setPredicate(warp, inst.d, active, result, warp.getUndefined(inst.a));
}

void decodeTestp(const Decoding &decoding, Type type) {
  constexpr std::pair<std::string_view, TestProperty> properties[] = {
      {"finite", TestProperty::Finite},
      {"infinite", TestProperty::Infinite},
      {"number", TestProperty::Number},
      {"notanumber", TestProperty::NotANumber},
      {"normal", TestProperty::Normal},
      {"subnormal", TestProperty::Subnormal}};
  bool isFound = false;
  for (auto [name, property] : properties)
    if (!isFound && decoding.take(name)) {
      decoding.inst.flags[0] = static_cast<uint8_t>(property);
      isFound = true;
    }
  if (!isFound)
    decoding.fail("it wants a property: .finite, .infinite, .number, "
                  ".notanumber, .normal or .subnormal");
  decoding.bind(Type::Pred, {type});
  decoding.inst.run = type == Type::F64 ? testLanes<double> : testLanes<float>;
}

constexpr TypedEntry typedTable[] = {
    {"add", decodeAdd},           {"sub", decodeSub},
    {"mul", decodeMul},           {"fma", decodeFma},
    {"mad", decodeFma},           {"div", decodeDiv},
    {"rcp", decodeRcp},           {"sqrt", decodeSqrt},
    {"rsqrt", decodeRsqrt},       {"ex2", decodeEx2},
    {"lg2", decodeLg2},           {"sin", decodeSin},
    {"cos", decodeCos},           {"tanh", decodeTanh},
    {"abs", decodeAbs},           {"neg", decodeNeg},
    {"copysign", decodeCopySign}, {"min", decodeMinMax<false>},
    {"max", decodeMinMax<true>},  {"testp", decodeTestp},
};

/// add, sub, mul, mad, div, abs, neg, min and max stand among the integers'.
constexpr OpEntry table[] = {
    {"fma", decodeArithmetic},   {"rcp", decodeArithmetic},
    {"sqrt", decodeArithmetic},  {"rsqrt", decodeArithmetic},
    {"ex2", decodeArithmetic},   {"lg2", decodeArithmetic},
    {"sin", decodeArithmetic},   {"cos", decodeArithmetic},
    {"tanh", decodeArithmetic},  {"copysign", decodeArithmetic},
    {"testp", decodeArithmetic},
};

} // namespace

std::span<const TypedEntry> emulator::getFloatArithmetic() {
  return typedTable;
}
std::span<const OpEntry> emulator::getFloatOps() { return table; }
