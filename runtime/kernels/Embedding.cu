//===- Embedding.cu - Rows picked, copied and pooled -----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// embedding, gather_last_tokens, kv_cache_write, pool: one block a row, 16-byte
// copies where rows are multiples of 16 bytes. Bytes: each row once in, once
// out. broadcast_rows, of no task, puts a bias into every row of a product's
// result.
//
//===----------------------------------------------------------------------===//

#include "Common.cuh"

namespace fk {

template <typename T>
__device__ __forceinline__ void copyRow(T *to, const T *from, int64_t count) {
  constexpr int width = Vec<T>::size;
  if (count % width == 0) {
    for (int64_t i = threadIdx.x; i < count / width; i += blockDim.x)
      storeVec(to + i * width, loadVec(from + i * width));
    return;
  }
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
    to[i] = from[i];
}

/// An id outside the table gives a row of NaN: it is never read, and never
/// passes for an answer.
template <typename T>
__device__ __forceinline__ void embed(T *result, const int32_t *ids,
                                      const T *table, float scale, int hidden,
                                      int vocab) {
  constexpr int width = Vec<T>::size;
  beginKernel();
  int id = ids[blockIdx.x];
  T *out = result + int64_t(blockIdx.x) * hidden;
  const T *row = table + int64_t(id) * hidden;
  if (id < 0 || id >= vocab) {
    for (int i = threadIdx.x; i < hidden; i += blockDim.x)
      out[i] = fromFloat<T>(__uint_as_float(0x7fc00000u));
    return;
  }
  if (scale == 1.0f) {
    copyRow(out, row, hidden);
    return;
  }
  float factor = toFloat(fromFloat<T>(scale));
  if (hidden % width == 0) {
    for (int i = threadIdx.x; i < hidden / width; i += blockDim.x) {
      Vec<T> x = loadVec(row + i * width);
#pragma unroll
      for (int j = 0; j < width; ++j)
        x.at[j] = fromFloat<T>(factor * toFloat(x.at[j]));
      storeVec(out + i * width, x);
    }
    return;
  }
  for (int i = threadIdx.x; i < hidden; i += blockDim.x)
    out[i] = fromFloat<T>(factor * toFloat(row[i]));
}

template <typename T>
__device__ __forceinline__ void
writeCache(T *cache, const T *key, const T *value, const int32_t *slots,
           int64_t pages, int pageSize, int64_t rowSize) {
  beginKernel();
  int64_t slot = slots[blockIdx.x];
  if (slot < 0 || slot >= pages * pageSize)
    return;
  const T *from = (blockIdx.y == 0 ? key : value) + blockIdx.x * rowSize;
  T *to = cache + (blockIdx.y * pages * pageSize + slot) * rowSize;
  copyRow(to, from, rowSize);
}

/// The row is a piece of a bias and need not be aligned as a tensor is. The
/// result may be what earlier kernels still read, so nothing is written before
/// they end.
template <typename T>
__device__ __forceinline__ void broadcastRow(T *result, const T *row,
                                             int features) {
  beginKernel();
  T *out = result + int64_t(blockIdx.x) * features;
  if (reinterpret_cast<uintptr_t>(row) % sizeof(Vec<T>) == 0) {
    copyRow(out, row, features);
    return;
  }
  for (int i = threadIdx.x; i < features; i += blockDim.x)
    out[i] = row[i];
}

/// One thread a column; the mean is summed in float32.
template <typename T>
__device__ __forceinline__ void poolRows(T *result, const T *input,
                                         const int32_t *cuSeqlens, bool mean,
                                         int hidden) {
  beginKernel();
  int column = blockIdx.y * blockDim.x + threadIdx.x;
  if (column >= hidden)
    return;
  int begin = cuSeqlens[blockIdx.x], end = cuSeqlens[blockIdx.x + 1];
  if (!mean)
    end = begin + 1;
  float sum = 0.0f;
  for (int t = begin; t < end; ++t)
    sum += toFloat(input[int64_t(t) * hidden + column]);
  result[int64_t(blockIdx.x) * hidden + column] =
      fromFloat<T>(sum / float(end - begin));
}

} // namespace fk

using namespace fk;

#define DEFINE(T)                                                              \
  extern "C" __global__ void __launch_bounds__(1024)                           \
      embedding_##T(T *result, const int32_t *ids, const T *table,             \
                    float scale, int32_t, int32_t hidden, int32_t vocab) {     \
    embed(result, ids, table, scale, hidden, vocab);                           \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(1024) gather_last_tokens_##T(   \
      T *result, const T *input, const int32_t *cu_seqlens, int32_t, int32_t,  \
      int32_t hidden) {                                                        \
    beginKernel();                                                             \
    int64_t last = cu_seqlens[blockIdx.x + 1] - 1;                             \
    copyRow(result + int64_t(blockIdx.x) * hidden, input + last * hidden,      \
            hidden);                                                           \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(1024) kv_cache_write_##T(       \
      T *cache, const T *key, const T *value, const int32_t *slots, int32_t,   \
      int32_t pages, int32_t page_size, int32_t kv_heads, int32_t head_dim) {  \
    writeCache(cache, key, value, slots, pages, page_size,                     \
               int64_t(kv_heads) * head_dim);                                  \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(256)                            \
      pool_##T(T *result, const T *input, const int32_t *cu_seqlens,           \
               int32_t mean, int32_t, int32_t, int32_t hidden) {               \
    poolRows(result, input, cu_seqlens, mean, hidden);                         \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(1024) broadcast_rows_##T(       \
      T *result, const T *bias, int32_t, int32_t features) {                   \
    broadcastRow(result, bias, features);                                      \
  }
FK_FOR_ALL_TYPES(DEFINE)
