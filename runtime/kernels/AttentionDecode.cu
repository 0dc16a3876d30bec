//===- AttentionDecode.cu - One query a sequence ---------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// paged_attention where every sequence has one query, at its end: memory-bound, the
// cache's rows of all sequences are read once: 2 * context * kv_heads * head_dim *
// sizeof(T) bytes a sequence.
//
// The keys of a sequence are split among blocks (flash decoding). A block of 4
// warps has one kv head, up to 4 or 8 of the query heads that share it, and one
// part of the keys. head_dim / 8 lanes (16 bytes each) hold a key, so a warp works
// on 1 to 4 keys at a time, several loads ahead. The block leaves its unnormalised
// sum, maximum and weight in the workspace; a second launch combines the parts.
//
// Workspace: {parts in use, parts} a sequence, then {maximum, weight} a part, then
// head_dim floats a part; parts are [seqs][q_heads][gridDim.x].
//
//===----------------------------------------------------------------------===//

#include "AttentionCommon.cuh"

namespace fk {

constexpr int decodeWarps = 4;
/// Parts have multiples of this many keys; the grid's expression knows it.
constexpr int partGranule = 32;

struct DecodeWorkspace {
  int2 *header;
  float2 *weights;
  float *sums;

  __device__ __forceinline__ DecodeWorkspace(void *workspace, int seqs,
                                             int64_t parts)
      : header(static_cast<int2 *>(workspace)),
        weights(reinterpret_cast<float2 *>(header + seqs)),
        sums(reinterpret_cast<float *>(weights + parts)) {}
};

/// 8 elements of a row as floats, zeros beyond `count`.
template <typename T>
__device__ __forceinline__ void readEight(float (&to)[8], const T *from,
                                          int count, bool aligned) {
  if (aligned && count >= 8) {
#pragma unroll
    for (int i = 0; i < 8; i += Vec<T>::size) {
      Vec<T> vec = loadVec(from + i);
#pragma unroll
      for (int j = 0; j < Vec<T>::size; ++j)
        to[i + j] = toFloat(vec.at[j]);
    }
    return;
  }
#pragma unroll
  for (int j = 0; j < 8; ++j)
    to[j] = j < count ? toFloat(from[j]) : 0.0f;
}

/// The same for rows of the cache, kept as they are until they are used.
template <typename T> struct Eight {
  static constexpr int vecs = 8 / Vec<T>::size;
  Vec<T> vec[vecs];

  __device__ __forceinline__ void read(const T *from, int count, bool aligned) {
    if (aligned && count >= 8) {
#pragma unroll
      for (int i = 0; i < vecs; ++i)
        vec[i] = loadVecStreaming(from + i * Vec<T>::size);
      return;
    }
#pragma unroll
    for (int j = 0; j < 8; ++j)
      vec[j / Vec<T>::size].at[j % Vec<T>::size] =
          j < count ? from[j] : fromFloat<T>(0.0f);
  }
  __device__ __forceinline__ float at(int j) const {
    return toFloat(vec[j / Vec<T>::size].at[j % Vec<T>::size]);
  }
};

template <typename T, int D, int heads> struct DecodeScratch {
  float largest[decodeWarps][heads], weight[decodeWarps][heads];
  float sums[decodeWarps][heads][D];
};

template <typename T, int D, int heads>
__device__ __forceinline__ void
decodePart(void *workspaceBytes, const T *query, const T *cache,
           const int32_t *seqLens, const int32_t *blockTable, float scale,
           int window, float softcap, int seqs, int pages, int pageSize,
           int maxBlocks, int qHeads, int kvHeads, int headDim) {
  constexpr int lanesPerKey = D / 8, keysPerWarp = 32 / lanesPerKey;
  constexpr int ahead = sizeof(T) == 2 ? 4 : 2; // keys a thread loads at once
  constexpr int step = decodeWarps * keysPerWarp;
  __shared__ DecodeScratch<T, D, heads> scratch;
  beginKernel();
  int seq = blockIdx.z, part = blockIdx.x, parts = gridDim.x;
  int group = qHeads / kvHeads, groupBlocks = (group + heads - 1) / heads;
  int kvHead = blockIdx.y / groupBlocks;
  int firstOfGroup = blockIdx.y % groupBlocks * heads;
  int active = min(heads, group - firstOfGroup);
  int firstHead = kvHead * group + firstOfGroup;
  DecodeWorkspace workspace(workspaceBytes, seqs,
                            int64_t(seqs) * qHeads * parts);

  int length = seqLens[seq];
  int begin = window > 0 ? max(0, length - window) : 0;
  int keysPerPart = (length - begin + parts - 1) / parts;
  keysPerPart = max(1, (keysPerPart + partGranule - 1) / partGranule) *
                partGranule;
  int used = (length - begin + keysPerPart - 1) / keysPerPart;
  if (part == 0 && blockIdx.y == 0 && threadIdx.x == 0)
    workspace.header[seq] = make_int2(used, parts);
  if (part >= used)
    return;
  int first = begin + part * keysPerPart;
  int end = min(length, first + keysPerPart);

  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int offsetInRow = lane % lanesPerKey * 8;
  int count = max(0, min(8, headDim - offsetInRow));
  bool aligned = headDim % 8 == 0;
  PagedKeys<T> keys(cache, blockTable + int64_t(seq) * maxBlocks, pages,
                    pageSize, kvHeads, headDim, kvHead);

  float q[heads][8], out[heads][8], largest[heads], weight[heads];
#pragma unroll
  for (int h = 0; h < heads; ++h) {
    largest[h] = minusInfinity();
    weight[h] = 0.0f;
#pragma unroll
    for (int j = 0; j < 8; ++j)
      q[h][j] = out[h][j] = 0.0f;
    if (h < active)
      readEight(q[h],
                query + (int64_t(seq) * qHeads + firstHead + h) * headDim +
                    offsetInRow,
                count, aligned);
  }

  for (int base = first + warp * keysPerWarp + lane / lanesPerKey; ;
       base += step * ahead) {
    // The lanes of a warp go round together: its last key decides.
    if (base - lane / lanesPerKey >= end)
      break;
    Eight<T> k[ahead], v[ahead];
#pragma unroll
    for (int a = 0; a < ahead; ++a) {
      // A key beyond the end is read again as the last one and weighs nothing.
      int64_t offset =
          keys.getOffset(min(base + a * step, end - 1)) + offsetInRow;
      k[a].read(keys.key + offset, count, aligned);
      v[a].read(keys.value + offset, count, aligned);
    }
#pragma unroll
    for (int h = 0; h < heads; ++h) {
      if (h >= active)
        continue;
      float logits[ahead], m = largest[h];
#pragma unroll
      for (int a = 0; a < ahead; ++a) {
        float product = 0.0f;
#pragma unroll
        for (int j = 0; j < 8; ++j)
          product = fmaf(q[h][j], k[a].at(j), product);
        product = reduceWarp<Sum, lanesPerKey>(product);
        logits[a] = base + a * step < end ? getLogit(product, scale, softcap)
                                          : minusInfinity();
        m = fmaxf(m, logits[a]);
      }
      float from = m == minusInfinity() ? 0.0f : m;
      float shrink = exp2f(largest[h] - from);
      largest[h] = m;
      weight[h] *= shrink;
#pragma unroll
      for (int j = 0; j < 8; ++j)
        out[h][j] *= shrink;
#pragma unroll
      for (int a = 0; a < ahead; ++a) {
        float w = exp2f(logits[a] - from);
        weight[h] += w;
#pragma unroll
        for (int j = 0; j < 8; ++j)
          out[h][j] = fmaf(w, v[a].at(j), out[h][j]);
      }
    }
  }

  // Over the keys of a warp, then over the warps.
#pragma unroll
  for (int h = 0; h < heads; ++h) {
    if (h >= active)
      continue;
    float m = largest[h];
#pragma unroll
    for (int offset = lanesPerKey; offset < 32; offset *= 2)
      m = fmaxf(m, __shfl_xor_sync(0xffffffffu, m, offset));
    float shrink = m == minusInfinity() ? 0.0f : exp2f(largest[h] - m);
    float w = weight[h] * shrink;
#pragma unroll
    for (int offset = lanesPerKey; offset < 32; offset *= 2)
      w += __shfl_xor_sync(0xffffffffu, w, offset);
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      float value = out[h][j] * shrink;
#pragma unroll
      for (int offset = lanesPerKey; offset < 32; offset *= 2)
        value += __shfl_xor_sync(0xffffffffu, value, offset);
      if (lane < lanesPerKey)
        scratch.sums[warp][h][offsetInRow + j] = value;
    }
    if (lane == 0) {
      scratch.largest[warp][h] = m;
      scratch.weight[warp][h] = w;
    }
  }
  __syncthreads();
  for (int h = 0; h < active; ++h) {
    float m = minusInfinity(), w = 0.0f, shrink[decodeWarps];
#pragma unroll
    for (int i = 0; i < decodeWarps; ++i)
      m = fmaxf(m, scratch.largest[i][h]);
#pragma unroll
    for (int i = 0; i < decodeWarps; ++i) {
      shrink[i] = exp2f(scratch.largest[i][h] - m); // a part has a key: m > -inf
      w += scratch.weight[i][h] * shrink[i];
    }
    int64_t index = (int64_t(seq) * qHeads + firstHead + h) * parts + part;
    for (int d = threadIdx.x; d < headDim; d += blockDim.x) {
      float value = 0.0f;
#pragma unroll
      for (int i = 0; i < decodeWarps; ++i)
        value += scratch.sums[i][h][d] * shrink[i];
      workspace.sums[index * headDim + d] = value;
    }
    if (threadIdx.x == 0)
      workspace.weights[index] = make_float2(m, w);
  }
}

/// One block a query head and sequence.
template <typename T>
__device__ __forceinline__ void combineParts(T *result, void *workspaceBytes,
                                             const T *sink, int seqs,
                                             int qHeads, int headDim) {
  __shared__ float factors[1024];
  beginKernel();
  int head = blockIdx.x, seq = blockIdx.y;
  int2 header = static_cast<int2 *>(workspaceBytes)[seq];
  int used = header.x, parts = header.y;
  DecodeWorkspace workspace(workspaceBytes, seqs,
                            int64_t(seqs) * qHeads * parts);
  int64_t index = (int64_t(seq) * qHeads + head) * parts;
  // Every warp for itself: parts are few.
  int lane = threadIdx.x % 32;
  float sinkLogit = sink ? toFloat(sink[head]) * log2e : minusInfinity();
  float m = sinkLogit;
  for (int p = lane; p < used; p += 32)
    m = fmaxf(m, workspace.weights[index + p].x);
  m = reduceWarp<Max>(m);
  if (m == minusInfinity())
    m = 0.0f;
  float total = 0.0f;
  for (int p = lane; p < used; p += 32) {
    float2 part = workspace.weights[index + p];
    float factor = exp2f(part.x - m);
    total += part.y * factor;
    if (threadIdx.x < 32)
      factors[p] = factor;
  }
  total = reduceWarp<Sum>(total) + exp2f(sinkLogit - m);
  __syncthreads();
  float inverse = total > 0.0f ? 1.0f / total : 0.0f;
  for (int d = threadIdx.x; d < headDim; d += blockDim.x) {
    float value = 0.0f;
#pragma unroll 8
    for (int p = 0; p < used; ++p)
      value += factors[p] * workspace.sums[(index + p) * headDim + d];
    result[(int64_t(seq) * qHeads + head) * headDim + d] =
        fromFloat<T>(value * inverse);
  }
}

} // namespace fk

using namespace fk;

#define DEFINE_SHAPE(T, D, G)                                                  \
  extern "C" __global__ void __launch_bounds__(128)                            \
      paged_attention_decode_d##D##_g##G##_##T(                                \
          const T *query, const T *cache, const int32_t *seq_lens,             \
          const int32_t *block_table, float scale, int32_t window,             \
          float softcap, int32_t seqs, int32_t pages, int32_t page_size,       \
          int32_t max_blocks, int32_t q_heads, int32_t kv_heads,               \
          int32_t head_dim, void *workspace) {                                 \
    decodePart<T, D, G>(workspace, query, cache, seq_lens, block_table, scale, \
                        window, softcap, seqs, pages, page_size, max_blocks,   \
                        q_heads, kv_heads, head_dim);                          \
  }
#define DEFINE(T)                                                              \
  DEFINE_SHAPE(T, 64, 4) DEFINE_SHAPE(T, 64, 8)                                \
  DEFINE_SHAPE(T, 128, 4) DEFINE_SHAPE(T, 128, 8)                              \
  DEFINE_SHAPE(T, 256, 4) DEFINE_SHAPE(T, 256, 8)                              \
  extern "C" __global__ void __launch_bounds__(128)                            \
      paged_attention_combine_##T(T *result, const T *sink, int32_t seqs,      \
                                  int32_t q_heads, int32_t head_dim,           \
                                  void *workspace) {                           \
    combineParts(result, workspace, sink, seqs, q_heads, head_dim);            \
  }
FK_FOR_ALL_TYPES(DEFINE)
