//===- AttentionMma.cu - attention on tensor cores -------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// attention and paged_attention for bf16 and f16, as FlashAttention-2 orders it: a
// block of 4 warps has 64 queries of one head and walks over the keys 64 (32 for
// wide heads) at a time; a warp has 16 of the queries. Products are mma.m16n8k16
// with float32 sums; logits and weights stay in registers, the weights rounded to T
// for the second product. The value tile is fetched while the logits are computed,
// the next key tile while the weights are used.
//
// Heads are padded to 64, 128 or 256 with zeros in shared memory. Flops:
// 4 * head_dim for every visible pair of query and key, and head.
//
//===----------------------------------------------------------------------===//

#include "AttentionCommon.cuh"
#include "Mma.cuh"

namespace fk {

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

__device__ __forceinline__ uint32_t getSharedAddress(const void *pointer) {
  return uint32_t(__cvta_generic_to_shared(pointer));
}

/// 16 bytes into shared memory, zeros where `valid` is false.
__device__ __forceinline__ void copyAsync(void *to, const void *from,
                                          bool valid) {
  int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   getSharedAddress(to)),
               "l"(from), "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void waitForCopies() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}

/// Four 8x8 matrices; lane l gives the row l % 8 of matrix l / 8.
__device__ __forceinline__ void loadMatrices(uint32_t (&regs)[4],
                                             const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, "
               "[%4];"
               : "=r"(regs[0]), "=r"(regs[1]), "=r"(regs[2]), "=r"(regs[3])
               : "r"(getSharedAddress(row))
               : "memory");
}
__device__ __forceinline__ void loadTransposed(uint32_t (&regs)[4],
                                               const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 "
               "{%0, %1, %2, %3}, [%4];"
               : "=r"(regs[0]), "=r"(regs[1]), "=r"(regs[2]), "=r"(regs[3])
               : "r"(getSharedAddress(row))
               : "memory");
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

struct AttentionShape {
  float scale, softcap;
  bool causal;
  int window;
  int qHeads, kvHeads, headDim;
};

/// The queries of one block and the range of positions they have.
struct QueryRange {
  int count;         ///< at most 64
  int firstPosition; ///< of the first query in its sequence
  int length;        ///< keys of the sequence
};

constexpr int tileQueries = 64, attentionThreads = 128;

template <typename T, int D> struct AttentionTiles {
  static constexpr int keys = D <= 128 ? 64 : 32;
  static constexpr int chunks = D / 8; ///< of 16 bytes in a row
  T query[tileQueries * D];
  T key[keys * D];
  T value[keys * D];

  /// Chunks are permuted within a row so that the eight rows of a matrix lie in
  /// different banks.
  static __device__ __forceinline__ int at(int row, int chunk) {
    return row * D + (chunk ^ (row & 7)) * 8;
  }
};

/// `rows` rows of `headDim` elements into a tile, zeros beyond the row's end and
/// beyond `count` rows. getRow(r) is the address of row r, for r < count.
template <typename T, int D, int rows, typename GetRow>
__device__ __forceinline__ void loadTile(T *tile, int count, int headDim,
                                         const T *anyAddress, GetRow getRow) {
  constexpr int chunks = D / 8, rowsAtOnce = attentionThreads / chunks;
  int chunk = threadIdx.x % chunks;
#pragma unroll
  for (int base = 0; base < rows; base += rowsAtOnce) {
    int row = base + threadIdx.x / chunks;
    T *to = tile + AttentionTiles<T, D>::at(row, chunk);
    bool valid = row < count && chunk * 8 < headDim;
    const T *from = valid ? getRow(row) + chunk * 8 : anyAddress;
    if (headDim % 8 == 0) {
      copyAsync(to, from, valid);
      continue;
    }
    Vec<T> vec;
#pragma unroll
    for (int j = 0; j < 8; ++j)
      vec.at[j] = valid && chunk * 8 + j < headDim ? from[j] : T{0};
    storeVec(to, vec);
  }
}

template <typename T, int D, typename Keys>
__device__ __forceinline__ void
attend(AttentionTiles<T, D> &tiles, T *result, const T *query,
       const Keys &keys, const T *sink, const QueryRange &range,
       const AttentionShape &shape) {
  using Tiles = AttentionTiles<T, D>;
  constexpr int tileKeys = Tiles::keys;
  constexpr int steps = D / 16;         // of the first product
  constexpr int keyTiles = tileKeys / 8; // 8 keys each
  constexpr bool holdQuery = D <= 128;   // else the registers do not suffice
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int group = lane / 4, quad = lane % 4;
  int lastPosition = range.firstPosition + range.count - 1;

  int begin = 0, end = shape.causal ? lastPosition + 1 : range.length;
  if (shape.window > 0) {
    begin = max(0, range.firstPosition - shape.window + 1);
    end = min(end, lastPosition + shape.window);
  }
  end = min(end, range.length);
  begin = begin / tileKeys * tileKeys;

  int64_t queryStride = int64_t(shape.qHeads) * shape.headDim;
  loadTile<T, D, tileQueries>(tiles.query, range.count, shape.headDim, query,
                              [&](int row) {
                                return query + row * queryStride;
                              });
  auto loadKeys = [&](int first) {
    loadTile<T, D, tileKeys>(
        tiles.key, end - first, shape.headDim, query,
        [&](int row) { return keys.key + keys.getOffset(first + row); });
  };
  auto loadValues = [&](int first) {
    loadTile<T, D, tileKeys>(
        tiles.value, end - first, shape.headDim, query,
        [&](int row) { return keys.value + keys.getOffset(first + row); });
  };
  if (begin < end)
    loadKeys(begin);

  float out[D / 8][4];
#pragma unroll
  for (int i = 0; i < D / 8; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
      out[i][j] = 0.0f;
  // This thread's rows: warp * 16 + group, and that + 8. `sum` is its own part
  // of the row's.
  float largest[2], sum[2];
  float sinkLogit = sink ? toFloat(*sink) * log2e : minusInfinity();
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    largest[r] = sinkLogit;
    sum[r] = sink && quad == 0 ? 1.0f : 0.0f;
  }

  // Rows and chunks that this lane addresses for the 8x8 matrices.
  int queryRow = warp * 16 + (lane / 8 % 2) * 8 + lane % 8, queryChunk = lane / 16;
  int keyRow = (lane / 16) * 8 + lane % 8, keyChunk = lane / 8 % 2;
  int valueRow = (lane / 8 % 2) * 8 + lane % 8, valueChunk = lane / 16;

  uint32_t queryRegs[holdQuery ? steps : 1][4];
  waitForCopies();
  __syncthreads();
  if constexpr (holdQuery) {
#pragma unroll
    for (int s = 0; s < steps; ++s)
      loadMatrices(queryRegs[s],
                   tiles.query + Tiles::at(queryRow, 2 * s + queryChunk));
  }

  for (int first = begin; first < end; first += tileKeys) {
    loadValues(first);

    float logits[keyTiles][4];
#pragma unroll
    for (int i = 0; i < keyTiles; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j)
        logits[i][j] = 0.0f;
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      if constexpr (!holdQuery)
        loadMatrices(queryRegs[0],
                     tiles.query + Tiles::at(queryRow, 2 * s + queryChunk));
#pragma unroll
      for (int i = 0; i < keyTiles; i += 2) {
        uint32_t k[4];
        loadMatrices(k, tiles.key + Tiles::at(i * 8 + keyRow, 2 * s + keyChunk));
        multiply<T>(logits[i], queryRegs[holdQuery ? s : 0], k[0], k[1]);
        multiply<T>(logits[i + 1], queryRegs[holdQuery ? s : 0], k[2], k[3]);
      }
    }

    waitForCopies();
    __syncthreads(); // The values are here, and nobody reads this key tile more.
    if (first + tileKeys < end)
      loadKeys(first + tileKeys);

    // Logits, masked where the tile is not wholly visible.
    int last = first + tileKeys - 1;
    bool whole = last < range.length &&
                 (!shape.causal || last <= range.firstPosition) &&
                 (shape.window <= 0 ||
                  (lastPosition - first < shape.window &&
                   last - range.firstPosition < shape.window));
    if (shape.softcap > 0.0f) {
#pragma unroll
      for (int i = 0; i < keyTiles; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
          logits[i][j] = shape.softcap *
                         tanhf(logits[i][j] * shape.scale / shape.softcap);
    }
    float factor = shape.softcap > 0.0f ? log2e : shape.scale * log2e;
    float tileLargest[2] = {largest[0], largest[1]};
#pragma unroll
    for (int i = 0; i < keyTiles; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j)
        logits[i][j] *= factor;
    if (!whole) {
      int position = range.firstPosition + warp * 16 + group;
#pragma unroll
      for (int i = 0; i < keyTiles; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
          if (!isVisible(position + (j / 2) * 8,
                         first + i * 8 + quad * 2 + j % 2, range.length,
                         shape.causal, shape.window))
            logits[i][j] = minusInfinity();
    }
#pragma unroll
    for (int i = 0; i < keyTiles; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j)
        tileLargest[j / 2] = fmaxf(tileLargest[j / 2], logits[i][j]);
    float base[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float m = reduceWarp<Max, 4>(tileLargest[r]);
      base[r] = m == minusInfinity() ? 0.0f : m; // nothing seen so far
      float shrink = exp2f(largest[r] - base[r]);
      largest[r] = m;
      sum[r] *= shrink;
#pragma unroll
      for (int i = 0; i < D / 8; ++i) {
        out[i][2 * r] *= shrink;
        out[i][2 * r + 1] *= shrink;
      }
    }
    uint32_t weights[keyTiles / 2][4];
#pragma unroll
    for (int i = 0; i < keyTiles; ++i) {
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        float low = exp2f(logits[i][2 * r] - base[r]);
        float high = exp2f(logits[i][2 * r + 1] - base[r]);
        sum[r] += low + high;
        weights[i / 2][i % 2 * 2 + r] = packPair<T>(low, high);
      }
    }

#pragma unroll
    for (int s = 0; s < tileKeys / 16; ++s) {
#pragma unroll
      for (int i = 0; i < D / 8; i += 2) {
        uint32_t v[4];
        loadTransposed(v,
                       tiles.value + Tiles::at(s * 16 + valueRow, i + valueChunk));
        multiply<T>(out[i], weights[s], v[0], v[1]);
        multiply<T>(out[i + 1], weights[s], v[2], v[3]);
      }
    }
    waitForCopies();
    __syncthreads(); // The next keys are here, and nobody reads these values.
  }

#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float total = reduceWarp<Sum, 4>(sum[r]);
    float inverse = total > 0.0f ? 1.0f / total : 0.0f;
    int row = warp * 16 + group + r * 8;
    if (row >= range.count)
      continue;
    T *to = result + row * queryStride;
#pragma unroll
    for (int i = 0; i < D / 8; ++i) {
      int column = i * 8 + quad * 2;
      float low = out[i][2 * r] * inverse, high = out[i][2 * r + 1] * inverse;
      if (shape.headDim % 2 == 0) {
        if (column < shape.headDim)
          *reinterpret_cast<uint32_t *>(to + column) = packPair<T>(low, high);
        continue;
      }
      if (column < shape.headDim)
        to[column] = fromFloat<T>(low);
      if (column + 1 < shape.headDim)
        to[column + 1] = fromFloat<T>(high);
    }
  }
}

/// blockIdx.x counts tiles from the last one, which has the most keys where
/// attention is causal; blockIdx.y is the query head.
template <typename T, int D>
__device__ __forceinline__ void
attendDense(T *result, const T *query, const T *key, const T *value,
            const int32_t *cuSeqlens, const T *sink,
            const AttentionShape &shape, int seqs) {
  extern __shared__ uint4 shared[];
  beginKernel();
  QueryTile tile =
      findTile(cuSeqlens, seqs, gridDim.x - 1 - blockIdx.x, tileQueries);
  if (tile.seq < 0)
    return;
  int begin = cuSeqlens[tile.seq];
  int length = cuSeqlens[tile.seq + 1] - begin;
  int head = blockIdx.y, kvHead = head / (shape.qHeads / shape.kvHeads);
  int64_t stride = int64_t(shape.kvHeads) * shape.headDim;
  int64_t offset = begin * stride + int64_t(kvHead) * shape.headDim;
  DenseKeys<T> keys = {key + offset, value + offset, stride};
  QueryRange range = {min(tileQueries, length - tile.first), tile.first,
                      length};
  int64_t row = (int64_t(begin + tile.first) * shape.qHeads + head) *
                shape.headDim;
  attend(*reinterpret_cast<AttentionTiles<T, D> *>(shared), result + row,
         query + row, keys, sink ? sink + head : nullptr, range, shape);
}

template <typename T, int D>
__device__ __forceinline__ void
attendPaged(T *result, const T *query, const T *cache,
            const int32_t *cuSeqlens, const int32_t *seqLens,
            const int32_t *blockTable, const T *sink,
            const AttentionShape &shape, int seqs, int pages, int pageSize,
            int maxBlocks) {
  extern __shared__ uint4 shared[];
  beginKernel();
  QueryTile tile =
      findTile(cuSeqlens, seqs, gridDim.x - 1 - blockIdx.x, tileQueries);
  if (tile.seq < 0)
    return;
  int begin = cuSeqlens[tile.seq];
  int count = cuSeqlens[tile.seq + 1] - begin;
  int length = seqLens[tile.seq];
  int head = blockIdx.y, kvHead = head / (shape.qHeads / shape.kvHeads);
  PagedKeys<T> keys(cache, blockTable + int64_t(tile.seq) * maxBlocks, pages,
                    pageSize, shape.kvHeads, shape.headDim, kvHead);
  QueryRange range = {min(tileQueries, count - tile.first),
                      length - count + tile.first, length};
  int64_t row = (int64_t(begin + tile.first) * shape.qHeads + head) *
                shape.headDim;
  attend(*reinterpret_cast<AttentionTiles<T, D> *>(shared), result + row,
         query + row, keys, sink ? sink + head : nullptr, range, shape);
}

} // namespace fk

using namespace fk;

#define DEFINE_WIDTH(T, D, BLOCKS)                                             \
  extern "C" __global__ void __launch_bounds__(128, BLOCKS)                    \
      attention_mma_d##D##_##T(                                                \
          T *result, const T *query, const T *key, const T *value,             \
          const int32_t *cu_seqlens, const T *sink, float scale,               \
          int32_t causal, int32_t window, float softcap, int32_t,              \
          int32_t seqs, int32_t q_heads, int32_t kv_heads, int32_t head_dim) { \
    AttentionShape shape = {scale,   softcap,  causal != 0, window,            \
                            q_heads, kv_heads, head_dim};                      \
    attendDense<T, D>(result, query, key, value, cu_seqlens, sink, shape,      \
                      seqs);                                                   \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(128, BLOCKS)                    \
      paged_attention_mma_d##D##_##T(                                          \
          T *result, const T *query, const T *cache,                           \
          const int32_t *cu_seqlens, const int32_t *seq_lens,                  \
          const int32_t *block_table, const T *sink, float scale,              \
          int32_t causal, int32_t window, float softcap, int32_t,              \
          int32_t seqs, int32_t pages, int32_t page_size, int32_t max_blocks,  \
          int32_t q_heads, int32_t kv_heads, int32_t head_dim) {               \
    AttentionShape shape = {scale,   softcap,  causal != 0, window,            \
                            q_heads, kv_heads, head_dim};                      \
    attendPaged<T, D>(result, query, cache, cu_seqlens, seq_lens, block_table, \
                      sink, shape, seqs, pages, page_size, max_blocks);        \
  }
#define DEFINE(T)                                                              \
  DEFINE_WIDTH(T, 64, 3) DEFINE_WIDTH(T, 128, 2) DEFINE_WIDTH(T, 256, 1)
FK_FOR_HALF_TYPES(DEFINE)
