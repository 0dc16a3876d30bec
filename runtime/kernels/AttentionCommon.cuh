//===- AttentionCommon.cuh - What attention kernels share ------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_KERNELS_ATTENTIONCOMMON_CUH
#define FK_RUNTIME_KERNELS_ATTENTIONCOMMON_CUH

#include "Common.cuh"

namespace fk {

constexpr float log2e = 1.4426950408889634f;

/// Where the keys and values of one sequence and one kv head lie. Offsets are in
/// elements from `key` and `value`.
template <typename T> struct DenseKeys {
  const T *key, *value; ///< at the sequence's first row, the head's first element
  int64_t rowStride;

  __device__ __forceinline__ int64_t getOffset(int k) const {
    return k * rowStride;
  }
};

template <typename T> struct PagedKeys {
  const T *key, *value; ///< at the head's first element of page 0
  const int32_t *blocks;
  int64_t rowStride;
  int pageSize, pageShift; ///< pageShift < 0: no power of two

  __device__ __forceinline__ PagedKeys(const T *cache, const int32_t *blocks,
                                       int64_t pages, int pageSize, int kvHeads,
                                       int headDim, int kvHead)
      : key(cache + int64_t(kvHead) * headDim), blocks(blocks),
        rowStride(int64_t(kvHeads) * headDim), pageSize(pageSize),
        pageShift(__popc(pageSize) == 1 ? __ffs(pageSize) - 1 : -1) {
    value = key + pages * pageSize * rowStride;
  }

  __device__ __forceinline__ int64_t getOffset(int k) const {
    int page = pageShift >= 0 ? k >> pageShift : k / pageSize;
    int row = k - page * pageSize;
    return (int64_t(blocks[page]) * pageSize + row) * rowStride;
  }
};

/// cap(scale * q . k) times log2(e), so that weights are powers of two.
__device__ __forceinline__ float getLogit(float product, float scale,
                                          float softcap) {
  float logit = product * scale;
  if (softcap > 0.0f)
    logit = softcap * tanhf(logit / softcap);
  return logit * log2e;
}

/// Whether the query at `position` sees key `k` (getVisibleKeys of
/// runtime/reference/AttentionReference.h).
__device__ __forceinline__ bool isVisible(int position, int k, int length,
                                          bool causal, int window) {
  return k < length && (!causal || k <= position) &&
         (window <= 0 || (position - k < window && k - position < window));
}

/// A piece of work: up to `rows` consecutive queries of one sequence.
struct QueryTile {
  int seq;   ///< -1: none
  int first; ///< its first query, counted in the sequence
};

/// The tile of that number, sequences in order, each cut into pieces of `rows`.
/// Every warp computes it, with all lanes.
__device__ __forceinline__ QueryTile findTile(const int32_t *cuSeqlens,
                                              int seqs, int tile, int rows) {
  int lane = threadIdx.x % 32, before = 0;
  for (int base = 0; base < seqs; base += 32) {
    int seq = base + lane;
    int tiles =
        seq < seqs ? (cuSeqlens[seq + 1] - cuSeqlens[seq] + rows - 1) / rows
                   : 0;
    int end = tiles; // inclusive sum over the lanes
#pragma unroll
    for (int offset = 1; offset < 32; offset *= 2) {
      int other = __shfl_up_sync(0xffffffffu, end, offset);
      if (lane >= offset)
        end += other;
    }
    uint32_t reached = __ballot_sync(0xffffffffu, before + end > tile);
    if (reached) {
      int owner = __ffs(reached) - 1;
      int first = __shfl_sync(0xffffffffu, before + end - tiles, owner);
      return {base + owner, (tile - first) * rows};
    }
    before += __shfl_sync(0xffffffffu, end, 31);
  }
  return {-1, 0};
}

} // namespace fk

#endif // FK_RUNTIME_KERNELS_ATTENTIONCOMMON_CUH
