//===- ConvertLanes.h - One conversion over 32 lanes -----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// cvt alone may read a register wider than its type (the low bits count) and
// write one (integers are extended by their sign or zeros, all else by zeros).
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_OPS_CONVERTLANES_H
#define FK_RUNTIME_EMULATOR_OPS_CONVERTLANES_H

#include "runtime/emulator/Convert.h"
#include "runtime/emulator/ops/Arithmetic.h"

namespace fk::emulator {

/// Inst::flags of cvt.
enum ConvertFlag : uint8_t {
  RoundingFlag,
  FlushFlag,
  SaturateFlag,
  TypesFlag,  ///< of FloatType: from | to << 4
  ModeFlag,   ///< bits: relu, satFinite, toIntegral
  SourceFlag, ///< bytes of the source register
  DestFlag,   ///< and of the destination
};

inline Rounding roundingOf(const Inst &inst) {
  return static_cast<Rounding>(inst.flags[RoundingFlag]);
}
inline FloatMode floatModeOf(const Inst &inst) {
  return {roundingOf(inst), inst.flags[FlushFlag] != 0,
          inst.flags[SaturateFlag] != 0};
}
inline ConvertMode convertModeOf(const Inst &inst) {
  return {roundingOf(inst),
          (inst.flags[ModeFlag] & 4) != 0,
          inst.flags[FlushFlag] != 0,
          inst.flags[SaturateFlag] != 0,
          (inst.flags[ModeFlag] & 1) != 0,
          (inst.flags[ModeFlag] & 2) != 0};
}
inline FloatType fromOf(const Inst &inst) {
  return static_cast<FloatType>(inst.flags[TypesFlag] & 15);
}
inline FloatType toOf(const Inst &inst) {
  return static_cast<FloatType>(inst.flags[TypesFlag] >> 4);
}

//===----------------------------------------------------------------------===//
// Registers of other widths
//===----------------------------------------------------------------------===//

template <class T> void gather(Warp &warp, Reg reg, uint32_t bytes, T *values) {
  auto copy = [&]<class W>(const W *from) {
    FK_LANE_LOOP
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      values[lane] = std::bit_cast<T>(
          static_cast<std::conditional_t<
              sizeof(T) == 1, uint8_t,
              std::conditional_t<
                  sizeof(T) == 2, uint16_t,
                  std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>>(
              from[lane]));
  };
  switch (bytes) {
  case 1:
    return copy(warp.values<uint8_t>(reg));
  case 2:
    return copy(warp.values<uint16_t>(reg));
  case 4:
    return copy(warp.values<uint32_t>(reg));
  default:
    return copy(warp.values<uint64_t>(reg));
  }
}

/// The bits of a value in a register of 64.
template <class T> FK_LANE inline uint64_t extended(T value) {
  if constexpr (std::is_floating_point_v<T>)
    return toBits(value);
  else
    return static_cast<uint64_t>(static_cast<int64_t>(value));
}

template <class T>
void scatter(Warp &warp, Reg reg, uint32_t bytes, const T *values,
             uint32_t active) {
  auto copy = [&]<class W>(W *to) {
    W wide[warpSize];
    FK_LANE_LOOP
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      wide[lane] = static_cast<W>(extended(values[lane]));
    blend(to, wide, active);
  };
  switch (bytes) {
  case 1:
    return copy(warp.values<uint8_t>(reg));
  case 2:
    return copy(warp.values<uint16_t>(reg));
  case 4:
    return copy(warp.values<uint32_t>(reg));
  default:
    return copy(warp.values<uint64_t>(reg));
  }
}

/// Marks of a result whose undefined bytes are those that `F` moves.
template <class D, class S, bool isMove, class F>
uint16_t convertedMarks(const Inst &inst, uint16_t bytes) {
  bytes &= allBytes<S>;
  if (!bytes)
    return 0;
  uint16_t all = (1u << inst.flags[DestFlag]) - 1;
  if constexpr (isMove)
    return all & bytesOfBits(extended(
                     callLane<F>(inst, static_cast<S>(bitsOfBytes(bytes)))));
  else
    return all;
}

/// d = F()(a), registers of the widths of the types.
template <class F, bool isMove>
void convertLanes(Warp &warp, const Inst &inst, uint32_t active) {
  using Signature = SignatureOf<F>;
  using D = typename Signature::Result;
  using S = std::tuple_element_t<0, typename Signature::Sources>;
  S gathered[warpSize];
  const S *source = warp.values<S>(inst.a);
  if (inst.flags[SourceFlag] != sizeof(S)) {
    gather(warp, inst.a, inst.flags[SourceFlag], gathered);
    source = gathered;
  }
  D result[warpSize];
  FK_LANE_LOOP
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    result[lane] = callLane<F>(inst, source[lane]);
  uint32_t undefined = warp.getUndefined(inst.a) & active;
  uint16_t marks[warpSize];
  if (undefined) [[unlikely]]
    forEachLane(active, [&](uint32_t lane) {
      marks[lane] = convertedMarks<D, S, isMove, F>(
          inst, warp.getUndefinedBytes(inst.a, lane));
    });
  if (inst.flags[DestFlag] == sizeof(D)) [[likely]]
    blend(warp.values<D>(inst.d), result, active);
  else
    scatter(warp, inst.d, inst.flags[DestFlag], result, active);
  warp.setUndefined(inst.d, active, 0);
  if (undefined) [[unlikely]]
    forEachLane(active, [&](uint32_t lane) {
      warp.setUndefinedBytes(inst.d, lane, marks[lane]);
    });
}
template <class F> Handler converted(F) { return convertLanes<F, false>; }
template <class F> Handler convertedMove(F) { return convertLanes<F, true>; }

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_OPS_CONVERTLANES_H
