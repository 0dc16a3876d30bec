//===- Common.cuh - Types, vectors, reductions -----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// What every kernel of ours is written with. No header of the toolkit's is included,
// so that units compile fast and any 13.0 compiler gives the same PTX.
//
// A kernel begins with beginKernel(): it may have been launched while the kernel
// before it still runs (programmatic dependent launch), and waits there for that
// one's results. Only prefetches into L2 may come before.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_KERNELS_COMMON_CUH
#define FK_RUNTIME_KERNELS_COMMON_CUH

#include <cstdint>

namespace fk {

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

struct alignas(2) bf16 {
  uint16_t bits;
};
struct alignas(2) f16 {
  uint16_t bits;
};
using f32 = float;

__device__ __forceinline__ float toFloat(float x) { return x; }
__device__ __forceinline__ float toFloat(bf16 x) {
  return __uint_as_float(uint32_t(x.bits) << 16);
}
__device__ __forceinline__ float toFloat(f16 x) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x.bits));
  return value;
}

template <typename T> __device__ __forceinline__ T fromFloat(float x);
template <> __device__ __forceinline__ float fromFloat<float>(float x) {
  return x;
}
template <> __device__ __forceinline__ bf16 fromFloat<bf16>(float x) {
  bf16 value;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(value.bits) : "f"(x));
  return value;
}
template <> __device__ __forceinline__ f16 fromFloat<f16>(float x) {
  f16 value;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(value.bits) : "f"(x));
  return value;
}

/// Two values in one register, `low` in the lower half.
template <typename T>
__device__ __forceinline__ uint32_t packPair(float low, float high);
template <>
__device__ __forceinline__ uint32_t packPair<bf16>(float low, float high) {
  uint32_t value;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(value) : "f"(high), "f"(low));
  return value;
}
template <>
__device__ __forceinline__ uint32_t packPair<f16>(float low, float high) {
  uint32_t value;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(value) : "f"(high), "f"(low));
  return value;
}

/// What one 16-byte access carries.
template <typename T> struct alignas(16) Vec {
  static constexpr int size = 16 / sizeof(T);
  T at[size];
};

template <typename T>
__device__ __forceinline__ Vec<T> loadVec(const T *pointer) {
  uint4 bits = *reinterpret_cast<const uint4 *>(pointer);
  return *reinterpret_cast<Vec<T> *>(&bits);
}

/// For data that is read once and by nobody else: kept out of L1.
template <typename T>
__device__ __forceinline__ uint4 loadBitsStreaming(const T *pointer) {
  uint4 bits;
  asm volatile("ld.global.L1::no_allocate.L2::256B.v4.u32 "
               "{%0, %1, %2, %3}, [%4];"
               : "=r"(bits.x), "=r"(bits.y), "=r"(bits.z), "=r"(bits.w)
               : "l"(pointer));
  return bits;
}
template <typename T>
__device__ __forceinline__ Vec<T> loadVecStreaming(const T *pointer) {
  uint4 bits = loadBitsStreaming(pointer);
  return *reinterpret_cast<Vec<T> *>(&bits);
}

template <typename T>
__device__ __forceinline__ void storeVec(T *pointer, const Vec<T> &value) {
  *reinterpret_cast<uint4 *>(pointer) =
      *reinterpret_cast<const uint4 *>(&value);
}

__device__ __forceinline__ void prefetchL2(const void *pointer) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(pointer));
}

//===----------------------------------------------------------------------===//
// Launch order
//===----------------------------------------------------------------------===//

/// Lets the next kernel be scheduled as soon as every block of this one runs.
__device__ __forceinline__ void allowDependents() {
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}
/// Waits until all kernels before this one are complete and their stores visible.
__device__ __forceinline__ void waitForInputs() {
  asm volatile("griddepcontrol.wait;" ::: "memory");
}
/// Both; nothing in a plain launch.
__device__ __forceinline__ void beginKernel() {
  allowDependents();
  waitForInputs();
}

//===----------------------------------------------------------------------===//
// Reductions. Block-wide ones take `scratch` of 33 floats in shared memory and
// need a block of whole warps; every thread gets the answer.
//===----------------------------------------------------------------------===//

struct Sum {
  static __device__ __forceinline__ float identity() { return 0.0f; }
  static __device__ __forceinline__ float apply(float a, float b) {
    return a + b;
  }
};
struct Max {
  static __device__ __forceinline__ float identity() {
    return __uint_as_float(0xff800000u); // -inf
  }
  static __device__ __forceinline__ float apply(float a, float b) {
    return fmaxf(a, b);
  }
};

template <typename Op, int width = 32>
__device__ __forceinline__ float reduceWarp(float value) {
#pragma unroll
  for (int offset = width / 2; offset > 0; offset /= 2)
    value = Op::apply(value, __shfl_xor_sync(0xffffffffu, value, offset));
  return value;
}

template <typename Op>
__device__ __forceinline__ float reduceBlock(float value, float *scratch) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int warps = blockDim.x / 32;
  value = reduceWarp<Op>(value);
  __syncthreads(); // The scratch may still be read from the last reduction.
  if (lane == 0)
    scratch[warp] = value;
  __syncthreads();
  value = lane < warps ? scratch[lane] : Op::identity();
  return reduceWarp<Op>(value);
}

__device__ __forceinline__ float minusInfinity() {
  return __uint_as_float(0xff800000u);
}

/// Accurate to float32 (the build uses no fast-math).
__device__ __forceinline__ float silu(float x) {
  return x / (1.0f + expf(-x));
}
__device__ __forceinline__ float gelu(float x, bool approximate) {
  if (approximate)
    return 0.5f * x *
           (1.0f + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
  return 0.5f * x * (1.0f + erff(x * 0.7071067811865476f));
}

} // namespace fk

/// Instantiates DEFINE(T) for every element type.
#define FK_FOR_ALL_TYPES(DEFINE) DEFINE(bf16) DEFINE(f16) DEFINE(f32)
#define FK_FOR_HALF_TYPES(DEFINE) DEFINE(bf16) DEFINE(f16)

#endif // FK_RUNTIME_KERNELS_COMMON_CUH
