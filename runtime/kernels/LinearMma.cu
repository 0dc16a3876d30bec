//===- LinearMma.cu - Matrix products of two to eight rows -----*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   y[t, o] = sum_i(x[t, i] * w[o, i]) + b[o],  2 <= tokens <= 8, bf16 and f16,
//   in_features % 8 == 0
//
// Memory-bound as in Linear.cu, but the products are done by tensor cores: with
// eight tokens the multiplications alone would take longer than the reads.
// mma.m16n8k16 has 16 rows of the weight as A and the tokens as its 8 columns of
// B. The order of k within a product is free as long as A and B agree: a lane
// takes 8 neighbouring elements (16 bytes) of two rows and of one token, which are
// its share of two products over 32 elements.
//
// A block of 8 warps has 16 or 32 rows of the weight; the warps take pieces of 128
// elements in turn, and their sums meet in shared memory.
//
//===----------------------------------------------------------------------===//

#include "Mma.cuh"
#include "Outputs.cuh"

namespace fk {

constexpr int skinnyWarps = 8, skinnyTokens = 8, skinnyPiece = 128;

/// `tiles` of 16 rows a block.
template <typename T, int tiles>
__device__ __forceinline__ void
multiplySkinny(const Outputs<T> &outputs, const T *input, const T *weight,
               const T *bias, int tokens, int outFeatures, int inFeatures) {
  constexpr int blocks = skinnyPiece / 32; // of 32 elements in a piece
  __shared__ float sums[skinnyWarps][tiles * 16][skinnyTokens];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int group = lane / 4, quad = lane % 4;
  int firstRow = blockIdx.x * tiles * 16;
  allowDependents();

  const T *row[tiles][2];
#pragma unroll
  for (int m = 0; m < tiles; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      // Rows past the end read the last one and are not stored.
      int index = min(firstRow + m * 16 + half * 8 + group, outFeatures - 1);
      row[m][half] = weight + int64_t(index) * inFeatures + quad * 8;
      if (warp * skinnyPiece + quad * 32 < inFeatures)
        prefetchL2(row[m][half] + warp * skinnyPiece + quad * 24);
    }
  }
  waitForInputs();

  // Lanes of tokens that are not there multiply zeros.
  bool hasToken = group < tokens;
  const T *token = input + int64_t(hasToken ? group : 0) * inFeatures + quad * 8;
  float c[tiles][4];
#pragma unroll
  for (int m = 0; m < tiles; ++m)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      c[m][i] = 0.0f;

  for (int base = warp * skinnyPiece; base < inFeatures;
       base += skinnyWarps * skinnyPiece) {
    uint4 w[blocks][tiles][2], x[blocks];
#pragma unroll
    for (int k = 0; k < blocks; ++k) {
      int offset = base + k * 32;
      bool inside = offset + quad * 8 < inFeatures;
#pragma unroll
      for (int m = 0; m < tiles; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half)
          w[k][m][half] = inside ? loadBitsStreaming(row[m][half] + offset)
                                 : make_uint4(0, 0, 0, 0);
      x[k] = inside && hasToken
                 ? *reinterpret_cast<const uint4 *>(token + offset)
                 : make_uint4(0, 0, 0, 0);
    }
#pragma unroll
    for (int k = 0; k < blocks; ++k) {
#pragma unroll
      for (int m = 0; m < tiles; ++m) {
        const uint4 &low = w[k][m][0], &high = w[k][m][1];
        uint32_t first[4] = {low.x, high.x, low.y, high.y};
        uint32_t second[4] = {low.z, high.z, low.w, high.w};
        multiply<T>(c[m], first, x[k].x, x[k].y);
        multiply<T>(c[m], second, x[k].z, x[k].w);
      }
    }
  }

#pragma unroll
  for (int m = 0; m < tiles; ++m)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      sums[warp][m * 16 + group + i / 2 * 8][quad * 2 + i % 2] = c[m][i];
  __syncthreads();
  // Neighbouring threads have neighbouring outputs of one token.
  for (int i = threadIdx.x; i < tiles * 16 * tokens; i += blockDim.x) {
    int r = i % (tiles * 16), t = i / (tiles * 16);
    if (firstRow + r >= outFeatures)
      continue;
    float value = bias ? toFloat(bias[firstRow + r]) : 0.0f;
#pragma unroll
    for (int w = 0; w < skinnyWarps; ++w)
      value += sums[w][r][t];
    *outputs.at(t, firstRow + r) = fromFloat<T>(value);
  }
}

} // namespace fk

using namespace fk;

#define DEFINE_TILES(T, M)                                                     \
  extern "C" __global__ void __launch_bounds__(256, M == 1 ? 3 : 2)            \
      linear_skinny##M##_##T(T *result, const T *input, const T *weight,       \
                             const T *bias, int32_t tokens,                    \
                             int32_t out_features, int32_t in_features) {      \
    Outputs<T> outputs = {result, result, result, out_features, 0};            \
    multiplySkinny<T, M>(outputs, input, weight, bias, tokens, out_features,   \
                         in_features);                                         \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(256, M == 1 ? 3 : 2)            \
      qkv_linear_skinny##M##_##T(                                              \
          T *query, T *key, T *value, const T *input, const T *weight,         \
          const T *bias, int32_t tokens, int32_t q_features,                   \
          int32_t kv_features, int32_t in_features) {                          \
    Outputs<T> outputs = {query, key, value, q_features, kv_features};         \
    multiplySkinny<T, M>(outputs, input, weight, bias, tokens,                 \
                         q_features + 2 * kv_features, in_features);           \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(256, M == 1 ? 3 : 2)            \
      gate_up_linear_skinny##M##_##T(T *gate_up, const T *input,               \
                                     const T *weight, const T *bias,           \
                                     int32_t tokens, int32_t intermediate,     \
                                     int32_t in_features) {                    \
    Outputs<T> outputs = {gate_up, gate_up, gate_up, 2 * intermediate, 0};     \
    multiplySkinny<T, M>(outputs, input, weight, bias, tokens,                 \
                         2 * intermediate, in_features);                       \
  }
#define DEFINE(T) DEFINE_TILES(T, 1) DEFINE_TILES(T, 2)
FK_FOR_HALF_TYPES(DEFINE)
