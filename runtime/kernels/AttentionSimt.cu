//===- AttentionSimt.cu - attention in float32 -----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// attention and paged_attention where tensor cores would round: one warp a query
// and head. A warp takes 32 keys at a time: a lane computes the logit of one key
// whole, then every lane sums its elements of the head over the 32 values. Blocks
// of 4 warps share a head and have neighbouring queries, so that keys and values
// come from L1. The query lies in shared memory.
//
//===----------------------------------------------------------------------===//

#include "AttentionCommon.cuh"

namespace fk {

constexpr int simtWarps = 4, maxHeadDim = 256;

/// The sequence of row `token`: the last whose first row is not beyond it.
__device__ __forceinline__ int findSequence(const int32_t *cuSeqlens, int seqs,
                                            int token) {
  int low = 0, high = seqs;
  while (high - low > 1) {
    int middle = (low + high) / 2;
    if (cuSeqlens[middle] <= token)
      low = middle;
    else
      high = middle;
  }
  return low;
}

template <typename Keys>
__device__ __forceinline__ void
attendRow(float *result, const float *query, const Keys &keys,
          const float *sink, int position, int length, float scale,
          bool causal, int window, float softcap, int headDim,
          float *shared) {
  int lane = threadIdx.x % 32;
  for (int i = lane; i < headDim; i += 32)
    shared[i] = query[i];
  __syncwarp();
  int begin = window > 0 ? max(0, position - window + 1) : 0;
  int end = causal ? min(length, position + 1) : length;
  if (window > 0)
    end = min(end, position + window);

  float out[maxHeadDim / 32];
#pragma unroll
  for (int i = 0; i < maxHeadDim / 32; ++i)
    out[i] = 0.0f;
  float largest = sink ? *sink * log2e : minusInfinity();
  float sum = sink ? 1.0f : 0.0f;
  for (int first = begin; first < end; first += 32) {
    int k = first + lane;
    int64_t offset = keys.getOffset(min(k, end - 1));
    float logit = minusInfinity();
    if (k < end) {
      const float *row = keys.key + offset;
      float product = 0.0f;
      if (headDim % 4 == 0) {
        for (int i = 0; i < headDim; i += 4) {
          Vec<float> vec = loadVec(row + i);
#pragma unroll
          for (int j = 0; j < 4; ++j)
            product = fmaf(shared[i + j], vec.at[j], product);
        }
      } else {
        for (int i = 0; i < headDim; ++i)
          product = fmaf(shared[i], row[i], product);
      }
      logit = getLogit(product, scale, softcap);
    }
    // At least one key of the 32 is visible, so the maximum is finite.
    float m = fmaxf(largest, reduceWarp<Max>(logit));
    float shrink = exp2f(largest - m), weight = exp2f(logit - m);
    largest = m;
    sum = sum * shrink + reduceWarp<Sum>(weight);
#pragma unroll
    for (int i = 0; i < maxHeadDim / 32; ++i)
      out[i] *= shrink;
    int count = min(32, end - first);
    for (int j = 0; j < count; ++j) {
      float w = __shfl_sync(0xffffffffu, weight, j);
      const float *row = keys.value + __shfl_sync(0xffffffffu, offset, j);
#pragma unroll
      for (int i = 0; i < maxHeadDim / 32; ++i)
        if (i * 32 + lane < headDim)
          out[i] = fmaf(w, row[i * 32 + lane], out[i]);
    }
  }
  float inverse = sum > 0.0f ? 1.0f / sum : 0.0f;
#pragma unroll
  for (int i = 0; i < maxHeadDim / 32; ++i)
    if (i * 32 + lane < headDim)
      result[i * 32 + lane] = out[i] * inverse;
}

} // namespace fk

using namespace fk;

extern "C" __global__ void __launch_bounds__(128) attention_simt_f32(
    float *result, const float *query, const float *key, const float *value,
    const int32_t *cu_seqlens, const float *sink, float scale, int32_t causal,
    int32_t window, float softcap, int32_t tokens, int32_t seqs,
    int32_t q_heads, int32_t kv_heads, int32_t head_dim) {
  __shared__ float shared[simtWarps][maxHeadDim];
  beginKernel();
  int warp = threadIdx.x / 32;
  int token = blockIdx.x * simtWarps + warp, head = blockIdx.y;
  if (token >= tokens)
    return;
  int seq = findSequence(cu_seqlens, seqs, token);
  int begin = cu_seqlens[seq], length = cu_seqlens[seq + 1] - begin;
  int kvHead = head / (q_heads / kv_heads);
  int64_t stride = int64_t(kv_heads) * head_dim;
  int64_t offset = begin * stride + int64_t(kvHead) * head_dim;
  DenseKeys<float> keys = {key + offset, value + offset, stride};
  int64_t row = (int64_t(token) * q_heads + head) * head_dim;
  attendRow(result + row, query + row, keys, sink ? sink + head : nullptr,
            token - begin, length, scale, causal != 0, window, softcap,
            head_dim, shared[warp]);
}

extern "C" __global__ void __launch_bounds__(128) paged_attention_simt_f32(
    float *result, const float *query, const float *cache,
    const int32_t *cu_seqlens, const int32_t *seq_lens,
    const int32_t *block_table, const float *sink, float scale, int32_t causal,
    int32_t window, float softcap, int32_t tokens, int32_t seqs, int32_t pages,
    int32_t page_size, int32_t max_blocks, int32_t q_heads, int32_t kv_heads,
    int32_t head_dim) {
  __shared__ float shared[simtWarps][maxHeadDim];
  beginKernel();
  int warp = threadIdx.x / 32;
  int token = blockIdx.x * simtWarps + warp, head = blockIdx.y;
  if (token >= tokens)
    return;
  int seq = findSequence(cu_seqlens, seqs, token);
  int length = seq_lens[seq];
  int position = length - cu_seqlens[seq + 1] + token;
  PagedKeys<float> keys(cache, block_table + int64_t(seq) * max_blocks, pages,
                        page_size, kv_heads, head_dim,
                        head / (q_heads / kv_heads));
  int64_t row = (int64_t(token) * q_heads + head) * head_dim;
  attendRow(result + row, query + row, keys, sink ? sink + head : nullptr,
            position, length, scale, causal != 0, window, softcap, head_dim,
            shared[warp]);
}
