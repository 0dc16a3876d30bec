//===- Arithmetic.h - Handlers and decoding of arithmetic ------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// lanes(fn) is the handler that applies a stateless lambda to 32 lanes: its
// parameters are the sources a, b, c, e, its result is d. A first parameter of
// type `const Inst &` receives the instruction, for rare modifiers.
//
// A lane with an undefined source has an undefined result. Three variants know
// better, byte by byte: movedLanes() for what moves bits about, bitwiseLanes()
// for logic, halfLanes() for pairs. They cost nothing while all is defined.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_OPS_ARITHMETIC_H
#define FK_RUNTIME_EMULATOR_OPS_ARITHMETIC_H

#include "runtime/emulator/FloatMath.h"
#include "runtime/emulator/ops/Elementwise.h"

#include <initializer_list>
#include <tuple>
#include <utility>

namespace fk::emulator {

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

template <class M> struct LaneSignature;
template <class F, class D, class... S>
struct LaneSignature<D (F::*)(S...) const> {
  using Result = D;
  using Sources = std::tuple<S...>;
  static constexpr bool takesInst = false;
};
template <class F, class D, class... S>
struct LaneSignature<D (F::*)(const Inst &, S...) const> {
  using Result = D;
  using Sources = std::tuple<S...>;
  static constexpr bool takesInst = true;
};
template <class F> using SignatureOf = LaneSignature<decltype(&F::operator())>;

template <size_t i> constexpr const Reg &sourceOf(const Inst &inst) {
  static_assert(i < 4);
  if constexpr (i == 0)
    return inst.a;
  else if constexpr (i == 1)
    return inst.b;
  else if constexpr (i == 2)
    return inst.c;
  else
    return inst.e;
}

template <class F, class... S>
FK_LANE inline auto callLane(const Inst &inst, S... sources) {
  if constexpr (SignatureOf<F>::takesInst) {
    FK_INLINE_CALL return F()(inst, sources...);
  } else {
    FK_INLINE_CALL return F()(sources...);
  }
}

/// The undefined lanes of the sources; unbound ones are always defined.
inline uint32_t getUndefinedSources(const Warp &warp, const Inst &inst) {
  return warp.getUndefined(inst.a) | warp.getUndefined(inst.b) |
         warp.getUndefined(inst.c) | warp.getUndefined(inst.e);
}

template <class F>
void runLanes(Warp &warp, const Inst &inst, uint32_t active) {
  using Signature = SignatureOf<F>;
  using D = typename Signature::Result;
  [&]<class... S, size_t... I>(std::tuple<S...> *, std::index_sequence<I...>) {
    auto sources = std::make_tuple(
        static_cast<const S *>(warp.values<S>(sourceOf<I>(inst)))...);
    D result[warpSize];
    FK_LANE_LOOP
    for (uint32_t lane = 0; lane < warpSize; ++lane) {
      result[lane] = callLane<F>(inst, std::get<I>(sources)[lane]...);
    }
    blend(warp.values<D>(inst.d), result, active);
  }(static_cast<typename Signature::Sources *>(nullptr),
    std::make_index_sequence<std::tuple_size_v<typename Signature::Sources>>());
  warp.setUndefined(inst.d, active, getUndefinedSources(warp, inst));
}

template <class F> Handler lanes(F) { return runLanes<F>; }

//===----------------------------------------------------------------------===//
// Undefined bytes
//===----------------------------------------------------------------------===//

/// A bit a byte, made eight bits a byte; and back: bytes with any bit.
constexpr uint64_t bitsOfBytes(uint32_t bytes) {
  uint64_t bits = 0;
  for (unsigned i = 0; i < 8; ++i)
    bits |= (bytes >> i) & 1 ? uint64_t(0xff) << (8 * i) : 0;
  return bits;
}
constexpr uint16_t bytesOfBits(uint64_t bits) {
  uint16_t bytes = 0;
  for (unsigned i = 0; i < 8; ++i)
    bytes |= static_cast<uint16_t>(((bits >> (8 * i)) & 0xff) != 0) << i;
  return bytes;
}
template <class T> constexpr uint16_t allBytes = (1u << sizeof(T)) - 1;
template <class T> constexpr uint64_t zeroExtend(T value) {
  return static_cast<std::make_unsigned_t<T>>(value);
}

/// `run`, where some source is undefined followed by what `Marks` knows:
/// Marks()(warp, inst, lane) says which bytes of the result are undefined.
template <Handler run, class Marks>
void runPrecise(Warp &warp, const Inst &inst, uint32_t active) {
  if (!(getUndefinedSources(warp, inst) & active)) [[likely]] {
    run(warp, inst, active);
    return;
  }
  // Before the destination is written: it may be a source.
  uint16_t marks[warpSize];
  forEachLane(active,
              [&](uint32_t lane) { marks[lane] = Marks()(warp, inst, lane); });
  run(warp, inst, active);
  forEachLane(active, [&](uint32_t lane) {
    warp.setUndefinedBytes(inst.d, lane, marks[lane]);
  });
}

/// The first `data` sources move: their undefined bits move alike. The others
/// say how, and must be defined.
template <class F, size_t data> struct MovedMarks {
  uint16_t operator()(Warp &warp, const Inst &inst, uint32_t lane) const {
    using Signature = SignatureOf<F>;
    using D = typename Signature::Result;
    return [&]<class... S, size_t... I>(std::tuple<S...> *,
                                        std::index_sequence<I...>)
               -> uint16_t {
      if (((I >= data && warp.getUndefinedBytes(sourceOf<I>(inst), lane)) ||
           ...))
        return allBytes<D>;
      auto sourceBits = [&]<class T, size_t i>(T *,
                                               std::index_sequence<i>) -> T {
        if constexpr (i < data)
          return static_cast<T>(
              bitsOfBytes(warp.getUndefinedBytes(sourceOf<i>(inst), lane)));
        else
          return warp.values<T>(sourceOf<i>(inst))[lane];
      };
      return bytesOfBits(zeroExtend(
          callLane<F>(inst, sourceBits(static_cast<S *>(nullptr),
                                       std::index_sequence<I>())...)));
    }(static_cast<typename Signature::Sources *>(nullptr),
               std::make_index_sequence<
                   std::tuple_size_v<typename Signature::Sources>>());
  }
};
template <size_t data, class F> Handler movedLanes(F) {
  return runPrecise<runLanes<F>, MovedMarks<F, data>>;
}

/// Bit i of the result depends on the bits i of the sources alone: it is
/// defined where no value of the undefined ones changes it.
template <class F> struct BitwiseMarks {
  uint16_t operator()(Warp &warp, const Inst &inst, uint32_t lane) const {
    using Signature = SignatureOf<F>;
    return [&]<class... S, size_t... I>(std::tuple<S...> *,
                                        std::index_sequence<I...>)
               -> uint16_t {
      const uint64_t undefined[] = {
          bitsOfBytes(warp.getUndefinedBytes(sourceOf<I>(inst), lane))...};
      const uint64_t values[] = {
          zeroExtend(warp.values<S>(sourceOf<I>(inst))[lane])...};
      auto evaluate = [&](unsigned choice) {
        return zeroExtend(callLane<F>(
            inst, static_cast<S>((values[I] & ~undefined[I]) |
                                 ((choice >> I) & 1 ? undefined[I] : 0))...));
      };
      uint64_t first = evaluate(0), changed = 0;
      for (unsigned choice = 1; choice < (1u << sizeof...(I)); ++choice)
        changed |= evaluate(choice) ^ first;
      return bytesOfBits(changed);
    }(static_cast<typename Signature::Sources *>(nullptr),
               std::make_index_sequence<
                   std::tuple_size_v<typename Signature::Sources>>());
  }
};
template <class F> Handler bitwiseLanes(F) {
  return runPrecise<runLanes<F>, BitwiseMarks<F>>;
}

/// Each half of the result depends on the same halves of the sources.
struct HalfMarks {
  uint16_t operator()(Warp &warp, const Inst &inst, uint32_t lane) const {
    uint16_t bytes = warp.getUndefinedBytes(inst.a, lane) |
                     warp.getUndefinedBytes(inst.b, lane) |
                     warp.getUndefinedBytes(inst.c, lane);
    return (bytes & 3 ? 3 : 0) | (bytes & 12 ? 12 : 0);
  }
};
template <class F> Handler halfLanes(F) {
  return runPrecise<runLanes<F>, HalfMarks>;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// One instruction on its way to a handler.
struct Decoding {
  Decoder &decoder;
  Modifiers &modifiers;
  const ptx::Instruction &instruction;
  Inst &inst;

  [[noreturn]] void fail(std::string_view why) const {
    decoder.failUnsupported(instruction, why);
  }
  const ptx::Operand &operand(size_t i) const {
    return instruction.operands[i];
  }
  bool take(std::string_view name) const { return modifiers.take(name); }
  /// Fails unless `type` is one of `allowed`.
  void expectType(ptx::Type type,
                  std::initializer_list<ptx::Type> allowed) const;
  /// An operand to read or write as `type`. Registers of one kind (integers, a
  /// float type) are no operands of another; .b registers fit all, and a
  /// literal is written as its type wants.
  Reg source(const ptx::Operand &operand, ptx::Type type) const;
  Reg dest(const ptx::Operand &operand, ptx::Type type) const;
  void expectKind(const ptx::Operand &operand, ptx::Type type) const;
  /// Binds d, a, b, c, e to the operands, which must be as many.
  void bind(ptx::Type result, std::initializer_list<ptx::Type> sources) const;
  /// A predicate that is read, and whether it is negated.
  Reg predicate(const ptx::Operand &operand, bool &isNegated) const;
  /// A predicate that no `!` stands before.
  Reg predicate(const ptx::Operand &operand) const;
  /// .rn .rz .rm .rp; false: there is none.
  bool takeRounding(Rounding &rounding) const;
};

/// What arithmetic opcodes do for one kind of types; the type is taken already.
using TypedDecode = void (*)(const Decoding &decoding, ptx::Type type);
struct TypedEntry {
  std::string_view opcode;
  TypedDecode decode;
};
std::span<const TypedEntry> getIntegerArithmetic();
std::span<const TypedEntry> getFloatArithmetic(); ///< f32, f64
std::span<const TypedEntry> getHalfArithmetic();  ///< f16, bf16 and pairs

/// Decodes an opcode that serves several kinds of types.
void decodeArithmetic(Decoder &decoder, Modifiers &modifiers,
                      const ptx::Instruction &instruction, Inst &inst);

constexpr bool isOneOf(ptx::Type type,
                       std::initializer_list<ptx::Type> allowed) {
  for (ptx::Type one : allowed)
    if (one == type)
      return true;
  return false;
}
constexpr bool isFloat(ptx::Type type) {
  return isOneOf(type, {ptx::Type::F32, ptx::Type::F64});
}
constexpr bool isHalf(ptx::Type type) {
  return isOneOf(type, {ptx::Type::F16, ptx::Type::BF16, ptx::Type::F16x2,
                        ptx::Type::BF16x2});
}
constexpr bool isHalfPair(ptx::Type type) {
  return isOneOf(type, {ptx::Type::F16x2, ptx::Type::BF16x2});
}

/// make.operator()<T>() with the C++ type of a 16-, 32- or 64-bit integer.
template <class Make> Handler visitInteger(ptx::Type type, Make make) {
  using ptx::Type;
  switch (type) {
  case Type::S16:
    return make.template operator()<int16_t>();
  case Type::B16:
  case Type::U16:
    return make.template operator()<uint16_t>();
  case Type::S32:
    return make.template operator()<int32_t>();
  case Type::B32:
  case Type::U32:
    return make.template operator()<uint32_t>();
  case Type::S64:
    return make.template operator()<int64_t>();
  case Type::B64:
  case Type::U64:
    return make.template operator()<uint64_t>();
  default:
    return nullptr;
  }
}
/// As above, of 32 and 64 bits alone.
template <class Make> Handler visitWideInteger(ptx::Type type, Make make) {
  if (ptx::getSizeInBytes(type) < 4)
    return nullptr;
  return visitInteger(type, [&]<class T>() -> Handler {
    if constexpr (sizeof(T) >= 4)
      return make.template operator()<T>();
    else
      return nullptr;
  });
}

/// Where a handler finds its FloatMode: in its own type, or in Inst::flags.
template <FloatMode mode> struct FixedMode {
  static constexpr FloatMode of(const Inst &) { return mode; }
};
struct InstMode {
  static FloatMode of(const Inst &inst) {
    return {static_cast<Rounding>(inst.flags[0]), inst.flags[1] != 0,
            inst.flags[2] != 0};
  }
  static void set(Inst &inst, FloatMode mode) {
    inst.flags[0] = static_cast<uint8_t>(mode.rounding);
    inst.flags[1] = mode.flush;
    inst.flags[2] = mode.saturate;
  }
};
/// make.operator()<M>(), M one of the above: fixed for what kernels are full
/// of.
template <class Make>
Handler chooseMode(Inst &inst, FloatMode mode, Make make) {
  constexpr Rounding rn = Rounding::NearestEven;
  InstMode::set(inst, mode);
  if (mode.rounding != rn)
    return make.template operator()<InstMode>();
  if (mode.flush)
    return mode.saturate
               ? make.template operator()<FixedMode<{rn, true, true}>>()
               : make.template operator()<FixedMode<{rn, true, false}>>();
  return mode.saturate
             ? make.template operator()<FixedMode<{rn, false, true}>>()
             : make.template operator()<FixedMode<{rn, false, false}>>();
}

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_OPS_ARITHMETIC_H
