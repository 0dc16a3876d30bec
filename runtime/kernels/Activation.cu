//===- Activation.cu - Pointwise tasks and softmax -------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Memory-bound: a unary task moves 2 * sizeof(T) bytes an element, a binary or
// gated one 3. Plain tasks see their tensors as one array (the base is aligned,
// so only its last few elements are handled singly); gated ones see rows, and
// fall back to single elements where rows are not multiples of 16 bytes.
// Arithmetic is in float32, rounded once.
//
//===----------------------------------------------------------------------===//

#include "Common.cuh"

namespace fk {

template <typename T, typename Op>
__device__ __forceinline__ void mapUnary(T *result, const T *input,
                                         int64_t count, Op op) {
  constexpr int width = Vec<T>::size;
  beginKernel();
  int64_t stride = int64_t(gridDim.x) * blockDim.x;
  int64_t thread = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  int64_t vectors = count / width;
  for (int64_t i = thread; i < vectors; i += stride) {
    Vec<T> x = loadVec(input + i * width), y;
#pragma unroll
    for (int j = 0; j < width; ++j)
      y.at[j] = fromFloat<T>(op(toFloat(x.at[j])));
    storeVec(result + i * width, y);
  }
  for (int64_t i = vectors * width + thread; i < count; i += stride)
    result[i] = fromFloat<T>(op(toFloat(input[i])));
}

template <typename T, typename Op>
__device__ __forceinline__ void mapBinary(T *result, const T *lhs, const T *rhs,
                                          int64_t count, Op op) {
  constexpr int width = Vec<T>::size;
  beginKernel();
  int64_t stride = int64_t(gridDim.x) * blockDim.x;
  int64_t thread = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  int64_t vectors = count / width;
  for (int64_t i = thread; i < vectors; i += stride) {
    Vec<T> a = loadVec(lhs + i * width), b = loadVec(rhs + i * width), y;
#pragma unroll
    for (int j = 0; j < width; ++j)
      y.at[j] = fromFloat<T>(op(toFloat(a.at[j]), toFloat(b.at[j])));
    storeVec(result + i * width, y);
  }
  for (int64_t i = vectors * width + thread; i < count; i += stride)
    result[i] = fromFloat<T>(op(toFloat(lhs[i]), toFloat(rhs[i])));
}

/// blockIdx.x is the row, blockIdx.y the piece of it.
template <typename T, typename Op>
__device__ __forceinline__ void mapGated(T *result, const T *gateUp,
                                         int intermediate, Op op) {
  constexpr int width = Vec<T>::size;
  beginKernel();
  const T *gate = gateUp + int64_t(blockIdx.x) * 2 * intermediate;
  const T *up = gate + intermediate;
  T *out = result + int64_t(blockIdx.x) * intermediate;
  int stride = gridDim.y * blockDim.x;
  int thread = blockIdx.y * blockDim.x + threadIdx.x;
  if (intermediate % width == 0) {
    for (int i = thread; i < intermediate / width; i += stride) {
      Vec<T> g = loadVec(gate + i * width), u = loadVec(up + i * width), y;
#pragma unroll
      for (int j = 0; j < width; ++j)
        y.at[j] = fromFloat<T>(op(toFloat(g.at[j])) * toFloat(u.at[j]));
      storeVec(out + i * width, y);
    }
    return;
  }
  for (int i = thread; i < intermediate; i += stride)
    out[i] = fromFloat<T>(op(toFloat(gate[i])) * toFloat(up[i]));
}

/// One block a row: maximum, sum, answer. The second and third pass read the row
/// from L1 or L2.
template <typename T>
__device__ __forceinline__ void softmaxRow(T *result, const T *input,
                                           int columns) {
  __shared__ float scratch[33];
  beginKernel();
  const T *row = input + int64_t(blockIdx.x) * columns;
  T *out = result + int64_t(blockIdx.x) * columns;
  float largest = minusInfinity();
  for (int i = threadIdx.x; i < columns; i += blockDim.x)
    largest = fmaxf(largest, toFloat(row[i]));
  largest = reduceBlock<Max>(largest, scratch);
  float sum = 0.0f;
  for (int i = threadIdx.x; i < columns; i += blockDim.x)
    sum += expf(toFloat(row[i]) - largest);
  sum = reduceBlock<Sum>(sum, scratch);
  for (int i = threadIdx.x; i < columns; i += blockDim.x)
    out[i] = fromFloat<T>(expf(toFloat(row[i]) - largest) / sum);
}

} // namespace fk

using namespace fk;

#define DEFINE(T)                                                              \
  extern "C" __global__ void __launch_bounds__(256)                            \
      silu_##T(T *result, const T *input, int32_t tokens, int32_t features) {  \
    mapUnary(result, input, int64_t(tokens) * features,                        \
             [](float x) { return silu(x); });                                 \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(256)                            \
      tanh_##T(T *result, const T *input, int32_t tokens, int32_t features) {  \
    mapUnary(result, input, int64_t(tokens) * features,                        \
             [](float x) { return tanhf(x); });                                \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(256)                            \
      gelu_##T(T *result, const T *input, int32_t approximate, int32_t tokens, \
               int32_t features) {                                             \
    mapUnary(result, input, int64_t(tokens) * features,                        \
             [=](float x) { return gelu(x, approximate); });                   \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(256)                            \
      add_##T(T *result, const T *lhs, const T *rhs, int32_t tokens,           \
              int32_t features) {                                              \
    mapBinary(result, lhs, rhs, int64_t(tokens) * features,                    \
              [](float a, float b) { return a + b; });                         \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(256)                            \
      mul_##T(T *result, const T *lhs, const T *rhs, int32_t tokens,           \
              int32_t features) {                                              \
    mapBinary(result, lhs, rhs, int64_t(tokens) * features,                    \
              [](float a, float b) { return a * b; });                         \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(256) silu_and_mul_##T(          \
      T *result, const T *gate_up, int32_t, int32_t intermediate) {            \
    mapGated(result, gate_up, intermediate,                                    \
             [](float x) { return silu(x); });                                 \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(256)                            \
      gelu_and_mul_##T(T *result, const T *gate_up, int32_t approximate,       \
                       int32_t, int32_t intermediate) {                        \
    mapGated(result, gate_up, intermediate,                                    \
             [=](float x) { return gelu(x, approximate); });                   \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(1024)                           \
      softmax_##T(T *result, const T *input, int32_t, int32_t columns) {       \
    softmaxRow(result, input, columns);                                        \
  }
FK_FOR_ALL_TYPES(DEFINE)
