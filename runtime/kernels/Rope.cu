//===- Rope.cu - rope and qk_norm_rope -------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   (y[i], y[i + r/2]) = (x[i] cos - x[i + r/2] sin, x[i + r/2] cos + x[i] sin)
//   for i < r/2, r = rotary_dim; y[i] = x[i] for i >= r.
//
// A row of cos_sin has r floats: r/2 cosines, then r/2 sines. Query and key heads
// are one list of q_heads + kv_heads. Bytes: 2 * tokens * heads * head_dim *
// sizeof(T) and the table's rows.
//
//===----------------------------------------------------------------------===//

#include "Common.cuh"

namespace fk {

/// A piece is `width` pairs of the rotated part, or `width` elements of the rest.
template <typename T, int width>
__device__ __forceinline__ void
rotatePieces(T *queryOut, T *keyOut, const T *query, const T *key,
             const float *table, int qHeads, int kvHeads, int headDim,
             int rotaryDim) {
  int half = rotaryDim / 2;
  int rotated = half / width;
  int perHead = rotated + (headDim - rotaryDim) / width;
  int pieces = (qHeads + kvHeads) * perHead;
  for (int p = blockIdx.y * blockDim.x + threadIdx.x; p < pieces;
       p += gridDim.y * blockDim.x) {
    int head = p / perHead, piece = p % perHead;
    bool isQuery = head < qHeads;
    int64_t offset =
        isQuery ? (int64_t(blockIdx.x) * qHeads + head) * headDim
                : (int64_t(blockIdx.x) * kvHeads + head - qHeads) * headDim;
    const T *x = (isQuery ? query : key) + offset;
    T *y = (isQuery ? queryOut : keyOut) + offset;
    if (piece >= rotated) {
      int first = rotaryDim + (piece - rotated) * width;
      if constexpr (width == 1)
        y[first] = x[first];
      else
        storeVec(y + first, loadVec(x + first));
      continue;
    }
    int first = piece * width;
    if constexpr (width == 1) {
      float a = toFloat(x[first]), b = toFloat(x[first + half]);
      float c = table[first], s = table[first + half];
      y[first] = fromFloat<T>(a * c - b * s);
      y[first + half] = fromFloat<T>(b * c + a * s);
    } else {
      Vec<T> a = loadVec(x + first), b = loadVec(x + first + half);
#pragma unroll
      for (int j = 0; j < width; ++j) {
        float c = table[first + j], s = table[first + half + j];
        float u = toFloat(a.at[j]), v = toFloat(b.at[j]);
        a.at[j] = fromFloat<T>(u * c - v * s);
        b.at[j] = fromFloat<T>(v * c + u * s);
      }
      storeVec(y + first, a);
      storeVec(y + first + half, b);
    }
  }
}

template <typename T>
__device__ __forceinline__ void
rotate(T *queryOut, T *keyOut, const T *query, const T *key,
       const int32_t *positions, const float *cosSin, int qHeads, int kvHeads,
       int headDim, int rotaryDim) {
  constexpr int width = Vec<T>::size;
  beginKernel();
  const float *table = cosSin + int64_t(positions[blockIdx.x]) * rotaryDim;
  if (rotaryDim % (2 * width) == 0 && headDim % width == 0)
    rotatePieces<T, width>(queryOut, keyOut, query, key, table, qHeads, kvHeads,
                           headDim, rotaryDim);
  else
    rotatePieces<T, 1>(queryOut, keyOut, query, key, table, qHeads, kvHeads,
                       headDim, rotaryDim);
}

/// One warp a head; the normalised head lies in shared memory, in float32, while
/// its pairs are rotated. Blocks of 8 warps, blockIdx.y the group of heads.
template <typename T>
__device__ __forceinline__ void
normAndRotate(T *queryOut, T *keyOut, const T *query, const T *key,
              const T *queryWeight, const T *keyWeight,
              const int32_t *positions, const float *cosSin, float epsilon,
              int qHeads, int kvHeads, int headDim, int rotaryDim,
              float weightOffset) {
  extern __shared__ float shared[];
  beginKernel();
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int head = blockIdx.y * (blockDim.x / 32) + warp;
  if (head >= qHeads + kvHeads)
    return;
  bool isQuery = head < qHeads;
  int64_t offset =
      isQuery ? (int64_t(blockIdx.x) * qHeads + head) * headDim
              : (int64_t(blockIdx.x) * kvHeads + head - qHeads) * headDim;
  const T *x = (isQuery ? query : key) + offset;
  const T *weight = isQuery ? queryWeight : keyWeight;
  T *y = (isQuery ? queryOut : keyOut) + offset;
  float *row = shared + warp * headDim;
  float sum = 0.0f;
  for (int i = lane; i < headDim; i += 32) {
    float value = toFloat(x[i]);
    row[i] = value;
    sum += value * value;
  }
  sum = reduceWarp<Sum>(sum);
  float scale = 1.0f / sqrtf(sum / float(headDim) + epsilon);
  for (int i = lane; i < headDim; i += 32)
    row[i] = row[i] * scale * (weightOffset + toFloat(weight[i]));
  __syncwarp();
  const float *table = cosSin + int64_t(positions[blockIdx.x]) * rotaryDim;
  int half = rotaryDim / 2;
  for (int i = lane; i < headDim; i += 32) {
    float value = row[i];
    if (i < half)
      value = value * table[i] - row[i + half] * table[i + half];
    else if (i < rotaryDim)
      value = value * table[i - half] + row[i - half] * table[i];
    y[i] = fromFloat<T>(value);
  }
}

} // namespace fk

using namespace fk;

#define DEFINE(T)                                                              \
  extern "C" __global__ void __launch_bounds__(256)                            \
      rope_##T(T *query_out, T *key_out, const T *query, const T *key,         \
               const int32_t *positions, const float *cos_sin, int32_t,        \
               int32_t q_heads, int32_t kv_heads, int32_t head_dim,            \
               int32_t rotary_dim) {                                           \
    rotate(query_out, key_out, query, key, positions, cos_sin, q_heads,        \
           kv_heads, head_dim, rotary_dim);                                    \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(256) qk_norm_rope_##T(          \
      T *query_out, T *key_out, const T *query, const T *key,                  \
      const T *query_weight, const T *key_weight, const int32_t *positions,    \
      const float *cos_sin, float epsilon, int32_t, int32_t q_heads,           \
      int32_t kv_heads, int32_t head_dim, int32_t rotary_dim,                  \
      float weight_offset) {                                                   \
    normAndRotate(query_out, key_out, query, key, query_weight, key_weight,    \
                  positions, cos_sin, epsilon, q_heads, kv_heads, head_dim,    \
                  rotary_dim, weight_offset);                                  \
  }
FK_FOR_ALL_TYPES(DEFINE)
