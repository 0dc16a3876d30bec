//===- AttentionReference.h - Rotary embedding, attention, cache *- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// rope is a function per element; attention is one per (token, head), for each
// of the head's elements needs the same softmax. Results are in the compute
// type C; the caller rounds them to storage once.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_ATTENTIONREFERENCE_H
#define FK_RUNTIME_REFERENCE_ATTENTIONREFERENCE_H

#include "runtime/reference/NormReference.h"

namespace fk::reference {

/// rope of one head `x`: with r = rotaryDim and the row of cos_sin at the
/// token's position (r / 2 cosines, then r / 2 sines),
///   y[i]         = x[i] * cos[i] - x[i + r/2] * sin[i]         for i < r/2
///   y[i + r/2]   = x[i + r/2] * cos[i] + x[i] * sin[i]
///   y[i]         = x[i]                                        for i >= r
template <typename C, typename X>
FK_HOST_DEVICE inline C ropeElement(const X *x, const float *cosSin,
                                    int64_t rotaryDim, int64_t i) {
  int64_t half = rotaryDim / 2;
  if (i >= 2 * half)
    return C(widen(x[i]));
  int64_t pair = i < half ? i : i - half;
  C cosine = C(cosSin[pair]), sine = C(cosSin[half + pair]);
  C first = C(widen(x[pair])), second = C(widen(x[half + pair]));
  return i < half ? first * cosine - second * sine
                  : second * cosine + first * sine;
}

/// qk_norm_rope of one head: rope(rms_norm(x, w)), nothing rounded in between;
/// `y` holds the normalised head in between. Production kernels may round that
/// to T; the error budget admits it.
template <typename C, typename T>
FK_HOST_DEVICE inline void
normRopeHead(C *y, const T *x, const T *weight, const float *cosSin,
             float epsilon, float offset, int64_t rotaryDim, int64_t headDim) {
  rmsNormRow(y, x, weight, epsilon, offset, headDim);
  int64_t half = rotaryDim / 2;
  for (int64_t pair = 0; pair < half; ++pair) {
    C first = ropeElement<C>(y, cosSin, rotaryDim, pair);
    C second = ropeElement<C>(y, cosSin, rotaryDim, half + pair);
    y[pair] = first;
    y[half + pair] = second;
  }
}

/// Where the keys and values of one sequence lie: row s of head g.
template <typename T> struct DenseKeys {
  const T *key, *value; ///< [tokens, kv_heads, head_dim]
  int64_t first;        ///< the sequence's first row
  int64_t kvHeads, headDim;

  FK_HOST_DEVICE int64_t offset(int64_t s, int64_t g) const {
    return ((first + s) * kvHeads + g) * headDim;
  }
  FK_HOST_DEVICE const T *getKey(int64_t s, int64_t g) const {
    return key + offset(s, g);
  }
  FK_HOST_DEVICE const T *getValue(int64_t s, int64_t g) const {
    return value + offset(s, g);
  }
};

template <typename T> struct PagedKeys {
  const T *cache;        ///< [2, pages, page_size, kv_heads, head_dim]
  const int32_t *blocks; ///< the sequence's row of block_table
  int64_t pages, pageSize, kvHeads, headDim;

  FK_HOST_DEVICE int64_t offset(int64_t s, int64_t g) const {
    int64_t row = int64_t(blocks[s / pageSize]) * pageSize + s % pageSize;
    return (row * kvHeads + g) * headDim;
  }
  FK_HOST_DEVICE const T *getKey(int64_t s, int64_t g) const {
    return cache + offset(s, g);
  }
  FK_HOST_DEVICE const T *getValue(int64_t s, int64_t g) const {
    return cache + pages * pageSize * kvHeads * headDim + offset(s, g);
  }
};

/// The keys [begin, end) that a query at `position` of a sequence of `length`
/// sees: causal: s <= position; window > 0: position - s < window, and without
/// causal also s - position < window.
struct KeyRange {
  int64_t begin, end;
};
FK_HOST_DEVICE inline KeyRange getVisibleKeys(int64_t position, int64_t length,
                                              int32_t causal, int32_t window) {
  KeyRange range = {0, causal ? position + 1 : length};
  if (window > 0) {
    if (range.begin < position - window + 1)
      range.begin = position - window + 1;
    if (range.end > position + window)
      range.end = position + window;
  }
  if (range.end > length)
    range.end = length;
  return range;
}

/// The logit of one key: cap(scale * q . k), cap(x) = softcap * tanh(x /
/// softcap), or x where softcap is 0.
template <typename C, typename T>
FK_HOST_DEVICE inline C attentionLogit(const T *query, const T *key,
                                       float scale, float softcap,
                                       int64_t headDim) {
  C logit = C(scale) * dot<C>(query, key, headDim);
  return softcap > 0 ? C(softcap) * std::tanh(logit / C(softcap)) : logit;
}

/// attention of one query head over the visible keys of its sequence:
///   y = sum_s exp(l[s] - m) * v[s] / (sum_s exp(l[s] - m) + exp(sink - m))
/// with m the largest logit, the sink's (`sink` not null) among them. One pass:
/// sums are rescaled when the maximum grows. All in C, `y` being the sum in
/// between. Production kernels may round the weights exp(l - m) to T; the error
/// budget admits that. A query that sees no key gives zeros.
template <typename C, typename T, typename Keys>
FK_HOST_DEVICE inline void attentionRow(C *y, const T *query, const Keys &keys,
                                        KeyRange range, int64_t kvHead,
                                        const T *sink, float scale,
                                        float softcap, int64_t headDim) {
  C largest = sink ? C(widen(*sink)) : C(-INFINITY);
  C sum = sink ? C(1) : C(0);
  for (int64_t d = 0; d < headDim; ++d)
    y[d] = 0;
  for (int64_t s = range.begin; s < range.end; ++s) {
    C logit = attentionLogit<C>(query, keys.getKey(s, kvHead), scale, softcap,
                                headDim);
    if (logit > largest) {
      C shrink = std::exp(largest - logit);
      sum *= shrink;
      for (int64_t d = 0; d < headDim; ++d)
        y[d] *= shrink;
      largest = logit;
    }
    C weight = std::exp(logit - largest);
    sum += weight;
    const T *value = keys.getValue(s, kvHead);
    for (int64_t d = 0; d < headDim; ++d)
      y[d] += weight * C(widen(value[d]));
  }
  if (sum == C(0))
    return;
  for (int64_t d = 0; d < headDim; ++d)
    y[d] /= sum;
}

/// The sequence a packed row belongs to: cu_seqlens[s] <= t < cu_seqlens[s +
/// 1]. -1 for a row behind the last sequence.
FK_HOST_DEVICE inline int64_t findSequence(const int32_t *cuSeqlens,
                                           int64_t seqs, int64_t t) {
  for (int64_t s = 0; s < seqs; ++s)
    if (t < cuSeqlens[s + 1])
      return s;
  return -1;
}

/// attention of row (t, h): dense keys of the same packed batch. Rows of no
/// sequence give zeros.
template <typename C, typename T>
FK_HOST_DEVICE inline void
denseAttentionRow(C *y, const T *query, const T *key, const T *value,
                  const int32_t *cuSeqlens, const T *sink, float scale,
                  int32_t causal, int32_t window, float softcap, int64_t seqs,
                  int64_t qHeads, int64_t kvHeads, int64_t headDim, int64_t t,
                  int64_t h) {
  int64_t seq = findSequence(cuSeqlens, seqs, t);
  KeyRange range = {0, 0};
  int64_t first = 0;
  if (seq >= 0) {
    first = cuSeqlens[seq];
    range =
        getVisibleKeys(t - first, cuSeqlens[seq + 1] - first, causal, window);
  }
  DenseKeys<T> keys = {key, value, first, kvHeads, headDim};
  attentionRow(y, query + (t * qHeads + h) * headDim, keys, range,
               h / (qHeads / kvHeads), sink ? sink + h : nullptr, scale,
               softcap, headDim);
}

/// paged_attention of row (t, h): the first seq_lens[s] cached rows of its
/// sequence, whose last rows the queries are.
template <typename C, typename T>
FK_HOST_DEVICE inline void pagedAttentionRow(
    C *y, const T *query, const T *cache, const int32_t *cuSeqlens,
    const int32_t *seqLens, const int32_t *blockTable, const T *sink,
    float scale, int32_t causal, int32_t window, float softcap, int64_t seqs,
    int64_t pages, int64_t pageSize, int64_t maxBlocks, int64_t qHeads,
    int64_t kvHeads, int64_t headDim, int64_t t, int64_t h) {
  int64_t seq = findSequence(cuSeqlens, seqs, t);
  KeyRange range = {0, 0};
  if (seq >= 0)
    range = getVisibleKeys(seqLens[seq] - cuSeqlens[seq + 1] + t, seqLens[seq],
                           causal, window);
  PagedKeys<T> keys = {cache,   blockTable + (seq < 0 ? 0 : seq) * maxBlocks,
                       pages,   pageSize,
                       kvHeads, headDim};
  attentionRow(y, query + (t * qHeads + h) * headDim, keys, range,
               h / (qHeads / kvHeads), sink ? sink + h : nullptr, scale,
               softcap, headDim);
}

/// kv_cache_write of element i of token t's kv_heads * head_dim: where it goes
/// in the cache's key half, or -1 where the slot is -1. The value goes pages *
/// page_size * kv_heads * head_dim elements further on. Copied bit by bit.
FK_HOST_DEVICE inline int64_t
getCacheIndex(const int32_t *slots, int64_t rowElements, int64_t t, int64_t i) {
  return slots[t] < 0 ? -1 : int64_t(slots[t]) * rowElements + i;
}

} // namespace fk::reference

#endif // FK_RUNTIME_REFERENCE_ATTENTIONREFERENCE_H
