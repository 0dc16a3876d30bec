//===- Linear.cu - Matrix products of at most eight rows -------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   y[t, o] = sum_i(x[t, i] * w[o, i]) + b[o],  tokens <= 8, in_features % 8 == 0
//
// The weight is read once, so the time is out_features * in_features * sizeof(T)
// over the memory's read bandwidth. Blocks of 4 warps; a warp has `rows` rows of
// the weight and walks along them, 16 bytes a lane, `steps` loads a row in flight.
// x comes through L1. Launched early, a block fetches its first pieces of the
// weight into L2 while the kernel before it ends.
//
//===----------------------------------------------------------------------===//

#include "Outputs.cuh"

namespace fk {

template <typename T, int maxTokens, int rows, int steps>
__device__ __forceinline__ void gemv(const Outputs<T> &outputs, const T *input,
                                     const T *weight, const T *bias, int tokens,
                                     int outFeatures, int inFeatures) {
  constexpr int width = Vec<T>::size;
  int lane = threadIdx.x % 32;
  int firstRow = (blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32) * rows;
  allowDependents();
  int vectors = inFeatures / width;
  const T *row[rows];
#pragma unroll
  for (int r = 0; r < rows; ++r) {
    // A warp past the end reads the last row again and stores nothing.
    int index = min(firstRow + r, outFeatures - 1);
    row[r] = weight + int64_t(index) * inFeatures + lane * width;
    if (lane % 8 == 0) {
#pragma unroll
      for (int s = 0; s < steps; ++s)
        if (lane + 32 * s < vectors)
          prefetchL2(row[r] + 32 * width * s);
    }
  }
  waitForInputs();
  if (firstRow >= outFeatures)
    return;

  float sum[rows][maxTokens];
#pragma unroll
  for (int r = 0; r < rows; ++r)
#pragma unroll
    for (int t = 0; t < maxTokens; ++t)
      sum[r][t] = 0.0f;

  // One vector of every row against the tokens' vector at the same place.
  auto accumulate = [&](const Vec<T> *w, int vector) {
#pragma unroll
    for (int t = 0; t < maxTokens; ++t) {
      if (t >= tokens)
        break;
      Vec<T> x =
          loadVec(input + int64_t(t) * inFeatures + int64_t(vector) * width);
#pragma unroll
      for (int j = 0; j < width; ++j) {
        float value = toFloat(x.at[j]);
#pragma unroll
        for (int r = 0; r < rows; ++r)
          sum[r][t] = fmaf(toFloat(w[r].at[j]), value, sum[r][t]);
      }
    }
  };

  int base = 0;
  for (; base + 32 * steps <= vectors; base += 32 * steps) {
    Vec<T> w[steps][rows];
#pragma unroll
    for (int s = 0; s < steps; ++s)
#pragma unroll
      for (int r = 0; r < rows; ++r)
        w[s][r] = loadVecStreaming(row[r] + int64_t(base + 32 * s) * width);
#pragma unroll
    for (int s = 0; s < steps; ++s)
      accumulate(w[s], base + 32 * s + lane);
  }
  for (; base + lane < vectors; base += 32) {
    Vec<T> w[rows];
#pragma unroll
    for (int r = 0; r < rows; ++r)
      w[r] = loadVecStreaming(row[r] + int64_t(base) * width);
    accumulate(w, base + lane);
  }

#pragma unroll
  for (int r = 0; r < rows; ++r) {
#pragma unroll
    for (int t = 0; t < maxTokens; ++t) {
      float value = reduceWarp<Sum>(sum[r][t]);
      if (lane == 0 && t < tokens && firstRow + r < outFeatures) {
        if (bias)
          value += toFloat(bias[firstRow + r]);
        *outputs.at(t, firstRow + r) = fromFloat<T>(value);
      }
    }
  }
}

} // namespace fk

using namespace fk;

// rows and steps: 16 loads in flight a lane for one token, fewer where the sums
// of more tokens need the registers.
#define DEFINE_TOKENS(T, N, ROWS, STEPS)                                       \
  extern "C" __global__ void __launch_bounds__(128, 4) linear_gemv##N##_##T(   \
      T *result, const T *input, const T *weight, const T *bias,               \
      int32_t tokens, int32_t out_features, int32_t in_features) {             \
    Outputs<T> outputs = {result, result, result, out_features, 0};            \
    gemv<T, N, ROWS, STEPS>(outputs, input, weight, bias, tokens,              \
                            out_features, in_features);                        \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(128, 4)                         \
      qkv_linear_gemv##N##_##T(T *query, T *key, T *value, const T *input,     \
                               const T *weight, const T *bias, int32_t tokens, \
                               int32_t q_features, int32_t kv_features,        \
                               int32_t in_features) {                          \
    Outputs<T> outputs = {query, key, value, q_features, kv_features};         \
    gemv<T, N, ROWS, STEPS>(outputs, input, weight, bias, tokens,              \
                            q_features + 2 * kv_features, in_features);        \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(128, 4)                         \
      gate_up_linear_gemv##N##_##T(T *gate_up, const T *input,                 \
                                   const T *weight, const T *bias,             \
                                   int32_t tokens, int32_t intermediate,       \
                                   int32_t in_features) {                      \
    Outputs<T> outputs = {gate_up, gate_up, gate_up, 2 * intermediate, 0};     \
    gemv<T, N, ROWS, STEPS>(outputs, input, weight, bias, tokens,              \
                            2 * intermediate, in_features);                    \
  }
DEFINE_TOKENS(bf16, 1, 2, 8)
DEFINE_TOKENS(f16, 1, 2, 8)
DEFINE_TOKENS(f32, 1, 2, 8)
// With more tokens, 16-bit types have tensor cores: LinearMma.cu.
DEFINE_TOKENS(f32, 2, 2, 4)
DEFINE_TOKENS(f32, 4, 4, 2)
DEFINE_TOKENS(f32, 8, 4, 2)
