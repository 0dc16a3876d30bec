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
  FK_LANE_LOOP
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    to[lane] = (active >> lane) & 1 ? from[lane] : to[lane];
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
