//===- Scalar.h - Storage types on host and device --------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// bf16 and f16 as plain bits, converted by the same integer logic on the CPU
// and in CUDA code, so that both sides of a check read and round alike. C++17.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_SCALAR_H
#define FK_RUNTIME_REFERENCE_SCALAR_H

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define FK_HOST_DEVICE __host__ __device__
#else
#define FK_HOST_DEVICE
#endif

/// For what must become part of each clone of a hot loop (HostDot.cpp).
#define FK_ALWAYS_INLINE __attribute__((always_inline)) inline

namespace fk::reference {

struct BF16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

FK_HOST_DEVICE FK_ALWAYS_INLINE uint32_t getBits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

FK_HOST_DEVICE FK_ALWAYS_INLINE float fromBits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

/// Widening is exact.
FK_HOST_DEVICE FK_ALWAYS_INLINE double widen(double value) { return value; }
FK_HOST_DEVICE FK_ALWAYS_INLINE float widen(float value) { return value; }
FK_HOST_DEVICE FK_ALWAYS_INLINE float widen(BF16 value) {
  return fromBits(uint32_t(value.bits) << 16);
}
FK_HOST_DEVICE FK_ALWAYS_INLINE float widen(F16 value) {
  uint32_t magnitude = uint32_t(value.bits & 0x7fff) << 13;
  // Rebiasing by a product is exact and serves subnormals too.
  uint32_t finite = getBits(fromBits(magnitude) * 0x1p112f);
  uint32_t special = magnitude | 0x7f800000;
  return fromBits((uint32_t(value.bits & 0x8000) << 16) |
                  (magnitude >= 0x0f800000 ? special : finite));
}

/// Rounds to nearest, ties to even; too large a value becomes infinite.
FK_HOST_DEVICE inline BF16 roundToBF16(float value) {
  uint32_t bits = getBits(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return {uint16_t((bits >> 16) | 0x40)};
  return {uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}
FK_HOST_DEVICE inline F16 roundToF16(float value) {
  uint32_t bits = getBits(value);
  uint32_t sign = (bits >> 16) & 0x8000;
  bits &= 0x7fffffff;
  if (bits > 0x7f800000)
    return {uint16_t(sign | 0x7e00)};
  if (bits >= 0x477ff000) // 65520, halfway to the first value out of range
    return {uint16_t(sign | 0x7c00)};
  if (bits < 0x38800000) // subnormal: one step is one ulp of 0.5f
    return {uint16_t(sign | (getBits(fromBits(bits) + 0.5f) - 0x3f000000))};
  bits += 0xc8000fff + ((bits >> 13) & 1);
  return {uint16_t(sign | (bits >> 13))};
}

/// The one rounding of a result: from the compute type to storage.
template <typename C> FK_HOST_DEVICE inline void store(double &to, C value) {
  to = value;
}
template <typename C> FK_HOST_DEVICE inline void store(float &to, C value) {
  to = float(value);
}
template <typename C> FK_HOST_DEVICE inline void store(BF16 &to, C value) {
  to = roundToBF16(float(value));
}
template <typename C> FK_HOST_DEVICE inline void store(F16 &to, C value) {
  to = roundToF16(float(value));
}

/// `value` as the storage type T holds it.
template <typename T> FK_HOST_DEVICE inline float roundTo(float value) {
  T stored;
  store(stored, value);
  return float(widen(stored));
}

} // namespace fk::reference

#endif // FK_RUNTIME_REFERENCE_SCALAR_H
