//===- Convert.cpp - cvt --------------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/HalfMath.h"
#include "runtime/emulator/ops/ConvertLanes.h"

using namespace fk;
using namespace fk::emulator;
using ptx::Type;

namespace {

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

bool isInteger(Type type) {
  return isOneOf(type, {Type::U8, Type::S8, Type::U16, Type::S16, Type::U32,
                        Type::S32, Type::U64, Type::S64});
}
bool isScalarFloat(Type type) {
  return isOneOf(type, {Type::F16, Type::BF16, Type::F32, Type::F64});
}

template <class Make> Handler visitAnyInteger(Type type, Make make) {
  if (type == Type::U8)
    return make.template operator()<uint8_t>();
  if (type == Type::S8)
    return make.template operator()<int8_t>();
  return visitInteger(type, make);
}

FloatType floatTypeOf(Type type) {
  switch (type) {
  case Type::F64:
    return FloatType::F64;
  case Type::F32:
    return FloatType::F32;
  case Type::F16:
  case Type::F16x2:
    return FloatType::F16;
  case Type::BF16:
  case Type::BF16x2:
    return FloatType::BF16;
  case Type::TF32:
    return FloatType::TF32;
  case Type::E5M2x2:
    return FloatType::E5M2;
  default:
    return FloatType::E4M3;
  }
}

void setTypes(Inst &inst, FloatType from, FloatType to) {
  inst.flags[TypesFlag] = static_cast<uint8_t>(from) | static_cast<uint8_t>(to)
                                                           << 4;
}

//===----------------------------------------------------------------------===//
// Between scalars
//===----------------------------------------------------------------------===//

/// Binds d and a, whose registers may be wider than the types.
void bindWide(const Decoding &decoding, Type to, Type from) {
  decoding.decoder.expectOperands(decoding.instruction, 2);
  decoding.expectKind(decoding.operand(0), to);
  decoding.expectKind(decoding.operand(1), from);
  Inst &inst = decoding.inst;
  size_t width;
  inst.d = decoding.decoder.wideDest(decoding.operand(0),
                                     ptx::getSizeInBytes(to), width);
  inst.flags[DestFlag] = static_cast<uint8_t>(width);
  inst.a = decoding.decoder.wideSource(decoding.operand(1), from, width);
  inst.flags[SourceFlag] = static_cast<uint8_t>(width);
  if (inst.flags[DestFlag] > 8 || width > 8)
    decoding.fail("registers of more than 64 bits");
}

void convertIntegers(const Decoding &decoding, Type to, Type from) {
  bool isSaturated = decoding.take("sat");
  bindWide(decoding, to, from);
  decoding.inst.run = visitAnyInteger(to, [&]<class D>() {
    return visitAnyInteger(from, [&]<class S>() {
      if (isSaturated)
        return converted([](S a) { return intToInt<D>(a, true); });
      return convertedMove([](S a) { return static_cast<D>(a); });
    });
  });
}

/// .rni and its like.
bool takeIntegralRounding(const Decoding &decoding) {
  std::string_view name =
      decoding.modifiers.takeOneOf({"rni", "rzi", "rmi", "rpi"});
  if (name.empty())
    return false;
  Rounding rounding = name == "rni"   ? Rounding::NearestEven
                      : name == "rzi" ? Rounding::TowardZero
                      : name == "rmi" ? Rounding::Down
                                      : Rounding::Up;
  decoding.inst.flags[RoundingFlag] = static_cast<uint8_t>(rounding);
  return true;
}

bool takeFloatRounding(const Decoding &decoding) {
  Rounding rounding;
  if (!decoding.takeRounding(rounding))
    return false;
  decoding.inst.flags[RoundingFlag] = static_cast<uint8_t>(rounding);
  return true;
}

/// A half or a float as the float that floatToInt wants.
template <class S, class D, HalfType H> D halfToInt(const Inst &inst, S a) {
  return floatToInt<D>(HalfTraits<H>::toFloat(a), roundingOf(inst));
}

void convertToInteger(const Decoding &decoding, Type to, Type from) {
  Inst &inst = decoding.inst;
  if (!takeIntegralRounding(decoding))
    decoding.fail("it wants a rounding: .rni, .rzi, .rmi or .rpi");
  bool flush = from == Type::F32 && decoding.take("ftz");
  inst.flags[FlushFlag] = flush;
  decoding.take("sat"); // Always so, the ISA says.
  bindWide(decoding, to, from);
  Rounding rounding = roundingOf(inst);
  inst.run = visitAnyInteger(to, [&]<class D>() {
    switch (from) {
    case Type::F16:
      return converted([](const Inst &inst, uint16_t a) {
        return halfToInt<uint16_t, D, HalfType::F16>(inst, a);
      });
    case Type::BF16:
      return converted([](const Inst &inst, uint16_t a) {
        return halfToInt<uint16_t, D, HalfType::BF16>(inst, a);
      });
    case Type::F64:
      return converted([](const Inst &inst, double a) {
        return floatToInt<D>(a, roundingOf(inst));
      });
    default:
      break;
    }
    if (rounding == Rounding::TowardZero && !flush)
      return converted([](float a) {
        return floatToInt<D>(a, Rounding::TowardZero, false);
      });
    if (rounding == Rounding::NearestEven && !flush)
      return converted([](float a) {
        return floatToInt<D>(a, Rounding::NearestEven, false);
      });
    return converted([](const Inst &inst, float a) {
      return floatToInt<D>(a, roundingOf(inst), inst.flags[FlushFlag] != 0);
    });
  });
}

void convertFromInteger(const Decoding &decoding, Type to, Type from) {
  Inst &inst = decoding.inst;
  if (!takeFloatRounding(decoding))
    decoding.fail("it wants a rounding: .rn, .rz, .rm or .rp");
  bool isSaturated = decoding.take("sat");
  inst.flags[SaturateFlag] = isSaturated;
  if (to == Type::F32)
    decoding.take("ftz"); // No integer is subnormal.
  bindWide(decoding, to, from);
  setTypes(inst, FloatType::F32, floatTypeOf(to));
  bool isPlain = roundingOf(inst) == Rounding::NearestEven && !isSaturated;
  inst.run = visitAnyInteger(from, [&]<class S>() {
    if (to == Type::F32)
      return isPlain ? converted([](S a) { return intToF32(a); })
                     : converted([](const Inst &inst, S a) {
                         float x = intToF32(a, roundingOf(inst));
                         return inst.flags[SaturateFlag] ? saturate(x) : x;
                       });
    if (to == Type::F64)
      return isPlain ? converted([](S a) { return intToF64(a); })
                     : converted([](const Inst &inst, S a) {
                         double x = intToF64(a, roundingOf(inst));
                         return inst.flags[SaturateFlag] ? saturate(x) : x;
                       });
    if (to == Type::F16)
      return converted([](const Inst &inst, S a) {
        uint16_t x = intToHalf(a, FloatType::F16, roundingOf(inst));
        return finishHalf<HalfType::F16>(
            x, {.saturate = inst.flags[SaturateFlag] != 0});
      });
    return converted([](const Inst &inst, S a) {
      uint16_t x = intToHalf(a, FloatType::BF16, roundingOf(inst));
      return finishHalf<HalfType::BF16>(
          x, {.saturate = inst.flags[SaturateFlag] != 0});
    });
  });
}

/// Any pair of float types in any mode.
template <class D, class S> Handler convertedFloat() {
  return converted([](const Inst &inst, S a) {
    return std::bit_cast<D>(
        static_cast<std::conditional_t<
            sizeof(D) == 2, uint16_t,
            std::conditional_t<sizeof(D) == 4, uint32_t, uint64_t>>>(
            convertFloat(toBits(a), fromOf(inst), toOf(inst),
                         convertModeOf(inst))));
  });
}
template <class D> Handler convertedHalf() {
  return converted([](const Inst &inst, uint16_t a) {
    return std::bit_cast<D>(
        static_cast<std::conditional_t<
            sizeof(D) == 2, uint16_t,
            std::conditional_t<sizeof(D) == 4, uint32_t, uint64_t>>>(
            convertFloat(a, fromOf(inst), toOf(inst), convertModeOf(inst))));
  });
}

/// The pairs that kernels are full of, nearest and without modifiers.
Handler plainFloat(Type to, Type from) {
  if (from == Type::F32 && to == Type::F16)
    return converted([](float a) { return f32ToF16(a); });
  if (from == Type::F32 && to == Type::BF16)
    return converted([](float a) { return f32ToBF16(a); });
  if (from == Type::F16 && to == Type::F32)
    return converted([](uint16_t a) { return f16ToF32(a); });
  if (from == Type::BF16 && to == Type::F32)
    return converted([](uint16_t a) { return bf16ToF32(a); });
  if (from == Type::F64 && to == Type::F32)
    return converted([](double a) { return f64ToF32(a); });
  if (from == Type::F32 && to == Type::F64)
    return converted([](float a) { return f32ToF64(a); });
  return nullptr;
}

void convertFloats(const Decoding &decoding, Type to, Type from) {
  Inst &inst = decoding.inst;
  size_t toBytes = ptx::getSizeInBytes(to),
         fromBytes = ptx::getSizeInBytes(from);
  bool isIntegral = false, isNarrowing = false;
  if (to == from) {
    isIntegral = takeIntegralRounding(decoding);
  } else if (toBytes <= fromBytes) {
    isNarrowing = true;
    if (!takeFloatRounding(decoding))
      decoding.fail("it wants a rounding: .rn, .rz, .rm or .rp");
  }
  bool isFlushed =
      (to == Type::F32 || from == Type::F32) && decoding.take("ftz");
  bool isSaturated = decoding.take("sat");
  bool isHalfOfF32 = isNarrowing && from == Type::F32;
  bool isRelu = isHalfOfF32 && decoding.take("relu");
  bool isFinite = isHalfOfF32 && decoding.take("satfinite");
  inst.flags[FlushFlag] = isFlushed;
  inst.flags[SaturateFlag] = isSaturated;
  inst.flags[ModeFlag] = isRelu | isFinite << 1 | isIntegral << 2;
  setTypes(inst, floatTypeOf(from), floatTypeOf(to));
  bindWide(decoding, to, from);

  bool isPlain = !isIntegral && !isFlushed && !isSaturated && !isRelu &&
                 !isFinite && roundingOf(inst) == Rounding::NearestEven;
  if (isPlain)
    inst.run = plainFloat(to, from);
  if (inst.run)
    return;
  if (isIntegral && to == Type::F32) {
    inst.run = converted([](const Inst &inst, float a) {
      return integralF32(a, floatModeOf(inst));
    });
    return;
  }
  if (isIntegral && to == Type::F64) {
    inst.run = converted([](const Inst &inst, double a) {
      return integralF64(a, floatModeOf(inst));
    });
    return;
  }
  auto chooseSource = [&]<class D>() -> Handler {
    switch (from) {
    case Type::F32:
      return convertedFloat<D, float>();
    case Type::F64:
      return convertedFloat<D, double>();
    default:
      return convertedHalf<D>();
    }
  };
  inst.run = to == Type::F32   ? chooseSource.operator()<float>()
             : to == Type::F64 ? chooseSource.operator()<double>()
                               : chooseSource.operator()<uint16_t>();
}

//===----------------------------------------------------------------------===//
// Packed and small types
//===----------------------------------------------------------------------===//

/// cvt.rn.bf16x2.f32 d, a, b: a is the upper half.
struct PackMarks {
  uint16_t operator()(Warp &warp, const Inst &inst, uint32_t lane) const {
    return (warp.getUndefinedBytes(inst.a, lane) ? 12 : 0) |
           (warp.getUndefinedBytes(inst.b, lane) ? 3 : 0);
  }
};
template <class F> Handler packed(F) {
  return runPrecise<runLanes<F>, PackMarks>;
}
/// As above, of bytes.
struct PackByteMarks {
  uint16_t operator()(Warp &warp, const Inst &inst, uint32_t lane) const {
    return (warp.getUndefinedBytes(inst.a, lane) ? 2 : 0) |
           (warp.getUndefinedBytes(inst.b, lane) ? 1 : 0);
  }
};
template <class F> Handler packedBytes(F) {
  return runPrecise<runLanes<F>, PackByteMarks>;
}

/// .rn or .rz.
void takeNarrowRounding(const Decoding &decoding) {
  std::string_view name = decoding.modifiers.takeOneOf({"rn", "rz"});
  if (name.empty())
    decoding.fail("it wants a rounding: .rn or .rz");
  decoding.inst.flags[RoundingFlag] = static_cast<uint8_t>(
      name == "rn" ? Rounding::NearestEven : Rounding::TowardZero);
}

void convertToPair(const Decoding &decoding, Type to) {
  Inst &inst = decoding.inst;
  takeNarrowRounding(decoding);
  bool isRelu = decoding.take("relu"), isFinite = decoding.take("satfinite");
  inst.flags[ModeFlag] = isRelu | isFinite << 1;
  setTypes(inst, FloatType::F32, floatTypeOf(to));
  decoding.bind(to, {Type::F32, Type::F32});
  if (isRelu || isFinite || roundingOf(inst) != Rounding::NearestEven)
    inst.run = packed([](const Inst &inst, float a, float b) {
      return packF32(a, b, toOf(inst), convertModeOf(inst));
    });
  else if (to == Type::F16x2)
    inst.run = packed(
        [](float a, float b) { return packPair(f32ToF16(a), f32ToF16(b)); });
  else
    inst.run = packed(
        [](float a, float b) { return packPair(f32ToBF16(a), f32ToBF16(b)); });
}

void convertToTF32(const Decoding &decoding) {
  Inst &inst = decoding.inst;
  bool isRelu = false;
  if (decoding.take("rna")) {
    inst.flags[RoundingFlag] = static_cast<uint8_t>(Rounding::NearestAway);
  } else {
    takeNarrowRounding(decoding);
    isRelu = decoding.take("relu");
  }
  bool isFinite = decoding.take("satfinite");
  inst.flags[ModeFlag] = isRelu | isFinite << 1;
  decoding.bind(Type::TF32, {Type::F32});
  inst.run = lanes([](const Inst &inst, float a) {
    return f32ToTF32(a, convertModeOf(inst));
  });
}

/// To fp8, which clamps, from two f32 or a pair of f16.
void convertToF8(const Decoding &decoding, Type to, Type from) {
  Inst &inst = decoding.inst;
  if (!decoding.take("rn") || !decoding.take("satfinite"))
    decoding.fail("it wants .rn.satfinite");
  inst.flags[ModeFlag] = decoding.take("relu");
  setTypes(inst, floatTypeOf(from), floatTypeOf(to));
  if (from == Type::F32) {
    decoding.bind(Type::B16, {from, from});
    inst.run = packedBytes([](const Inst &inst, float a, float b) {
      return packF8(a, b, toOf(inst), inst.flags[ModeFlag] != 0);
    });
    return;
  }
  decoding.bind(Type::B16, {from});
  inst.run = lanes([](const Inst &inst, uint32_t a) {
    return f16PairToF8(a, toOf(inst), inst.flags[ModeFlag] != 0);
  });
}

void convertFromF8(const Decoding &decoding, Type to, Type from) {
  Inst &inst = decoding.inst;
  if (!decoding.take("rn"))
    decoding.fail("it wants .rn");
  inst.flags[ModeFlag] = decoding.take("relu");
  setTypes(inst, floatTypeOf(from), floatTypeOf(to));
  decoding.bind(to, {Type::B16});
  inst.run = lanes([](const Inst &inst, uint16_t a) {
    return f8ToF16Pair(a, fromOf(inst), inst.flags[ModeFlag] != 0);
  });
}

void convertPack(const Decoding &decoding) {
  Inst &inst = decoding.inst;
  if (!decoding.take("sat"))
    decoding.fail("it wants .sat");
  std::string_view tiny =
      decoding.modifiers.takeOneOf({"u4", "s4", "u2", "s2"});
  Type to = tiny.empty() ? decoding.modifiers.takeType() : Type::None;
  if (decoding.modifiers.takeType() != Type::S32)
    decoding.fail("it converts .s32");
  if (to == Type::U16 || to == Type::S16) {
    decoding.bind(Type::U32, {Type::S32, Type::S32});
    inst.run =
        to == Type::S16
            ? packed([](int32_t a, int32_t b) { return packInt16(a, b, true); })
            : packed(
                  [](int32_t a, int32_t b) { return packInt16(a, b, false); });
    return;
  }
  if (tiny.empty())
    decoding.expectType(to, {Type::U16, Type::S16, Type::U8, Type::S8});
  if (decoding.modifiers.takeType() != Type::B32)
    decoding.fail("it wants .b32 as the type of its third operand");
  bool isSigned = tiny.empty() ? to == Type::S8 : tiny[0] == 's';
  inst.flags[0] = tiny.empty() ? 8 : static_cast<uint8_t>(tiny[1] - '0');
  inst.flags[1] = isSigned;
  decoding.bind(Type::B32, {Type::S32, Type::S32, Type::B32});
  inst.run = lanes([](const Inst &inst, int32_t a, int32_t b, uint32_t c) {
    return packIntSmall(a, b, c, inst.flags[0], inst.flags[1] != 0);
  });
}

void decodeCvt(Decoder &decoder, Modifiers &modifiers,
               const ptx::Instruction &instruction, Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  if (modifiers.take("pack"))
    return convertPack(decoding);
  Type to = modifiers.takeType(), from = modifiers.takeType();
  bool isF8 = to == Type::E4M3x2 || to == Type::E5M2x2;
  if (isInteger(to) && isInteger(from))
    return convertIntegers(decoding, to, from);
  if (isInteger(to) && isScalarFloat(from))
    return convertToInteger(decoding, to, from);
  if (isScalarFloat(to) && isInteger(from))
    return convertFromInteger(decoding, to, from);
  if (isScalarFloat(to) && isScalarFloat(from))
    return convertFloats(decoding, to, from);
  if (isHalfPair(to) && from == Type::F32)
    return convertToPair(decoding, to);
  if (to == Type::TF32 && from == Type::F32)
    return convertToTF32(decoding);
  if (isF8 && (from == Type::F32 || from == Type::F16x2))
    return convertToF8(decoding, to, from);
  if (to == Type::F16x2 && (from == Type::E4M3x2 || from == Type::E5M2x2))
    return convertFromF8(decoding, to, from);
  decoding.fail("no such pair of types on sm_90");
}

constexpr OpEntry table[] = {{"cvt", decodeCvt}};

} // namespace

std::span<const OpEntry> emulator::getConvertOps() { return table; }
