//===- Elementwise.h - One function over 32 lanes --------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Handlers for instructions that treat every lane alike. The function is called
// for all 32 lanes, so it must be total (no trap for any bits); the compiler
// vectorises the loop. Undefined lanes of a source make the result undefined.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_OPS_ELEMENTWISE_H
#define FK_RUNTIME_EMULATOR_OPS_ELEMENTWISE_H

#include "runtime/emulator/Decoder.h"
#include "runtime/emulator/FloatMath.h"
#include "runtime/emulator/Warp.h"

#include <bit>
#include <type_traits>

/// Before a loop over lanes: it is to become vector code. Left alone, the
/// compiler unrolls 32 trips first and finds no loop to vectorise any more.
#if defined(__clang__)
#define FK_LANE_LOOP _Pragma("clang loop unroll(disable)")
#else
#define FK_LANE_LOOP
#endif

namespace fk::emulator {

/// Writes `from` to the active lanes of `to`.
template <class T>
FK_LANE inline void blend(T *to, const T *from, uint32_t active) {
  if (active == allLanes) {
    FK_LANE_LOOP
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      to[lane] = from[lane];
    return;
  }
  if constexpr (sizeof(T) > 8) {
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      if ((active >> lane) & 1)
        to[lane] = from[lane];
  } else {
    // By masks: a choice between two places is no vector code.
    using Word = std::conditional_t<
        sizeof(T) == 8, uint64_t,
        std::conditional_t<
            sizeof(T) == 4, uint32_t,
            std::conditional_t<sizeof(T) == 2, uint16_t, uint8_t>>>;
    FK_LANE_LOOP
    for (uint32_t lane = 0; lane < warpSize; ++lane) {
      auto mask = static_cast<Word>(-static_cast<Word>((active >> lane) & 1));
      Word old = std::bit_cast<Word>(to[lane]);
      Word now = std::bit_cast<Word>(from[lane]);
      to[lane] =
          std::bit_cast<T>(static_cast<Word>(old ^ ((old ^ now) & mask)));
    }
  }
}

/// d = F()(a), F a type with an inline operator().
template <class D, class A, class F>
void unary(Warp &warp, const Inst &inst, uint32_t active) {
  const A *a = warp.values<A>(inst.a);
  D result[warpSize];
  FK_LANE_LOOP
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    result[lane] = F()(a[lane]);
  blend(warp.values<D>(inst.d), result, active);
  warp.setUndefined(inst.d, active, warp.getUndefined(inst.a));
}

/// d = F()(a, b)
template <class D, class A, class B, class F>
void binary(Warp &warp, const Inst &inst, uint32_t active) {
  const A *a = warp.values<A>(inst.a);
  const B *b = warp.values<B>(inst.b);
  D result[warpSize];
  FK_LANE_LOOP
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    result[lane] = F()(a[lane], b[lane]);
  blend(warp.values<D>(inst.d), result, active);
  warp.setUndefined(inst.d, active,
                    warp.getUndefined(inst.a) | warp.getUndefined(inst.b));
}

/// d = F()(a, b, c)
template <class D, class A, class B, class C, class F>
void ternary(Warp &warp, const Inst &inst, uint32_t active) {
  const A *a = warp.values<A>(inst.a);
  const B *b = warp.values<B>(inst.b);
  const C *c = warp.values<C>(inst.c);
  D result[warpSize];
  FK_LANE_LOOP
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    result[lane] = F()(a[lane], b[lane], c[lane]);
  blend(warp.values<D>(inst.d), result, active);
  warp.setUndefined(inst.d, active,
                    warp.getUndefined(inst.a) | warp.getUndefined(inst.b) |
                        warp.getUndefined(inst.c));
}

/// A predicate d = F()(a, b), as a mask.
template <class A, class F> uint32_t compareLanes(const A *a, const A *b) {
  uint32_t result = 0;
  FK_LANE_LOOP
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    result |= uint32_t(F()(a[lane], b[lane])) << lane;
  return result;
}

inline void setPredicate(Warp &warp, Reg d, uint32_t active, uint32_t value,
                         uint32_t undefined) {
  uint32_t &to = warp.predicate(d);
  to = (to & ~active) | (value & active);
  warp.setUndefined(d, active, undefined);
}

/// Calls `f(lane)` for each active lane, the lowest first.
template <class F> inline void forEachLane(uint32_t active, F f) {
  for (uint32_t rest = active; rest; rest &= rest - 1)
    f(static_cast<uint32_t>(std::countr_zero(rest)));
}

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_OPS_ELEMENTWISE_H
