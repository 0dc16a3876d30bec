//===- oracle.cu - Every task in fp64, naively, as CUDA kernels -----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The reference functions with C = double, one thread per element, row or head, in
// grid-stride loops: any grid and block will do. An oracle has the parameters of its
// task's kernel signature, but results are double (not rounded; int32_t for sample's
// tokens, T for the cache), an absent optional operand is a null pointer, and the
// task's variants follow the axes:
//
//   oracle_rms_norm_bf16 (double *result, const T *input, const T *weight,
//                         float epsilon, int32_t tokens, int32_t hidden,
//                         float weight_offset)
//
// rope and qk_norm_rope have rows of cos_sin of rotary_dim floats.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/ActivationReference.h"
#include "runtime/reference/AttentionReference.h"
#include "runtime/reference/LinearReference.h"
#include "runtime/reference/NormReference.h"
#include "runtime/reference/SamplingReference.h"

using namespace fk::reference;

/// The loop over `units`, in 64 bits.
#define FK_FOR(i, units)                                                       \
  for (int64_t i = blockIdx.x * int64_t(blockDim.x) + threadIdx.x,             \
               fkUnits = (units);                                              \
       i < fkUnits; i += gridDim.x * int64_t(blockDim.x))

/// One kernel a storage type: ORACLE(name, (parameters), body) with T in both.
#define FK_ORACLE(NAME, PARAMETERS, ...)                                       \
  FK_ORACLE_OF(NAME, f32, float, PARAMETERS, __VA_ARGS__)                      \
  FK_ORACLE_OF(NAME, bf16, BF16, PARAMETERS, __VA_ARGS__)                      \
  FK_ORACLE_OF(NAME, f16, F16, PARAMETERS, __VA_ARGS__)
#define FK_ORACLE_OF(NAME, DTYPE, TYPE, PARAMETERS, ...)                       \
  namespace NAME##_##DTYPE {                                                   \
    using T = TYPE;                                                            \
    extern "C" __global__ void oracle_##NAME##_##DTYPE PARAMETERS{             \
        __VA_ARGS__}                                                           \
  }

//===----------------------------------------------------------------------===//
// Linear
//===----------------------------------------------------------------------===//

FK_ORACLE(embedding,
          (double *result, const int32_t *ids, const T *table, float scale,
           int32_t tokens, int32_t hidden, int32_t),
          FK_FOR(i, int64_t(tokens) * hidden) result[i] =
              embeddingElement<double>(ids, table, scale, hidden, i / hidden,
                                       i % hidden);)

FK_ORACLE(linear,
          (double *result, const T *input, const T *weight, const T *bias,
           int32_t tokens, int32_t out_features, int32_t in_features),
          FK_FOR(i, int64_t(tokens) * out_features) result[i] =
              linearElement<double>(input, weight, bias, in_features,
                                    i / out_features, i % out_features);)

FK_ORACLE(
    qkv_linear,
    (double *query, double *key, double *value, const T *input, const T *weight,
     const T *bias, int32_t tokens, int32_t q_features, int32_t kv_features,
     int32_t in_features),
    int64_t q = q_features; int64_t kv = kv_features; int64_t all = q + 2 * kv;
    FK_FOR(i, tokens * all) {
      int64_t t = i / all, o = i % all;
      double y = linearElement<double>(input, weight, bias, in_features, t, o);
      if (o < q)
        query[t * q + o] = y;
      else if (o < q + kv)
        key[t * kv + o - q] = y;
      else
        value[t * kv + o - q - kv] = y;
    })

FK_ORACLE(gate_up_linear,
          (double *gate_up, const T *input, const T *weight, const T *bias,
           int32_t tokens, int32_t intermediate, int32_t in_features),
          int64_t all = 2 * int64_t(intermediate);
          FK_FOR(i, tokens * all) gate_up[i] = linearElement<double>(
              input, weight, bias, in_features, i / all, i % all);)

//===----------------------------------------------------------------------===//
// Norm
//===----------------------------------------------------------------------===//

FK_ORACLE(rms_norm,
          (double *result, const T *input, const T *weight, float epsilon,
           int32_t tokens, int32_t hidden, float weight_offset),
          FK_FOR(t, tokens) rmsNormRow(result + t * hidden, input + t * hidden,
                                       weight, epsilon, weight_offset, hidden);)

FK_ORACLE(layer_norm,
          (double *result, const T *input, const T *weight, const T *bias,
           float epsilon, int32_t tokens, int32_t hidden),
          FK_FOR(t, tokens) layerNormRow(result + t * hidden,
                                         input + t * hidden, weight, bias,
                                         epsilon, hidden);)

FK_ORACLE(l2_norm,
          (double *result, const T *input, float epsilon, int32_t rows,
           int32_t columns),
          FK_FOR(r, rows) l2NormRow(result + r * columns, input + r * columns,
                                    epsilon, columns);)

FK_ORACLE(add_rms_norm,
          (double *result, double *residual_out, const T *input,
           const T *residual, const T *weight, float epsilon, int32_t tokens,
           int32_t hidden, float weight_offset),
          FK_FOR(t, tokens)
              addRmsNormRow(result + t * hidden, residual_out + t * hidden,
                            input + t * hidden, residual + t * hidden, weight,
                            epsilon, weight_offset, hidden);)

//===----------------------------------------------------------------------===//
// Activation
//===----------------------------------------------------------------------===//

FK_ORACLE(silu,
          (double *result, const T *input, int32_t tokens, int32_t features),
          FK_FOR(i, int64_t(tokens) * features) result[i] =
              siluElement<double>(input, i);)

FK_ORACLE(tanh,
          (double *result, const T *input, int32_t tokens, int32_t features),
          FK_FOR(i, int64_t(tokens) * features) result[i] =
              tanhElement<double>(input, i);)

FK_ORACLE(gelu,
          (double *result, const T *input, int32_t approximate, int32_t tokens,
           int32_t features),
          FK_FOR(i, int64_t(tokens) * features) result[i] =
              geluElement<double>(input, approximate, i);)

FK_ORACLE(add,
          (double *result, const T *lhs, const T *rhs, int32_t tokens,
           int32_t features),
          FK_FOR(i, int64_t(tokens) * features) result[i] =
              addElement<double>(lhs, rhs, i);)

FK_ORACLE(mul,
          (double *result, const T *lhs, const T *rhs, int32_t tokens,
           int32_t features),
          FK_FOR(i, int64_t(tokens) * features) result[i] =
              mulElement<double>(lhs, rhs, i);)

FK_ORACLE(softmax,
          (double *result, const T *input, int32_t rows, int32_t columns),
          FK_FOR(r, rows)
              softmaxRow(result + r * columns, input + r * columns, columns);)

FK_ORACLE(silu_and_mul,
          (double *result, const T *gate_up, int32_t tokens,
           int32_t intermediate),
          FK_FOR(i, int64_t(tokens) * intermediate) result[i] =
              siluAndMulElement<double>(gate_up, intermediate, i / intermediate,
                                        i % intermediate);)

FK_ORACLE(gelu_and_mul,
          (double *result, const T *gate_up, int32_t approximate,
           int32_t tokens, int32_t intermediate),
          FK_FOR(i, int64_t(tokens) * intermediate) result[i] =
              geluAndMulElement<double>(gate_up, approximate, intermediate,
                                        i / intermediate, i % intermediate);)

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

FK_ORACLE(
    rope,
    (double *query_out, double *key_out, const T *query, const T *key,
     const int32_t *positions, const float *cos_sin, int32_t tokens,
     int32_t q_heads, int32_t kv_heads, int32_t head_dim, int32_t rotary_dim),
    int64_t d = head_dim; int64_t heads = int64_t(q_heads) + kv_heads;
    FK_FOR(i, tokens * heads * d) {
      int64_t t = i / (heads * d), h = i / d % heads;
      bool isQuery = h < q_heads;
      int64_t head =
          (isQuery ? t * q_heads + h : t * kv_heads + h - q_heads) * d;
      double y = ropeElement<double>(
          (isQuery ? query : key) + head,
          cos_sin + int64_t(positions[t]) * rotary_dim, rotary_dim, i % d);
      (isQuery ? query_out : key_out)[head + i % d] = y;
    })

FK_ORACLE(
    qk_norm_rope,
    (double *query_out, double *key_out, const T *query, const T *key,
     const T *query_weight, const T *key_weight, const int32_t *positions,
     const float *cos_sin, float epsilon, int32_t tokens, int32_t q_heads,
     int32_t kv_heads, int32_t head_dim, int32_t rotary_dim,
     float weight_offset),
    int64_t d = head_dim; int64_t heads = int64_t(q_heads) + kv_heads;
    FK_FOR(i, tokens * heads) {
      int64_t t = i / heads, h = i % heads;
      bool isQuery = h < q_heads;
      int64_t head =
          (isQuery ? t * q_heads + h : t * kv_heads + h - q_heads) * d;
      normRopeHead((isQuery ? query_out : key_out) + head,
                   (isQuery ? query : key) + head,
                   isQuery ? query_weight : key_weight,
                   cos_sin + int64_t(positions[t]) * rotary_dim, epsilon,
                   weight_offset, rotary_dim, d);
    })

FK_ORACLE(attention,
          (double *result, const T *query, const T *key, const T *value,
           const int32_t *cu_seqlens, const T *sink, float scale,
           int32_t causal, int32_t window, float softcap, int32_t tokens,
           int32_t seqs, int32_t q_heads, int32_t kv_heads, int32_t head_dim),
          FK_FOR(i, int64_t(tokens) * q_heads) denseAttentionRow(
              result + i * head_dim, query, key, value, cu_seqlens, sink, scale,
              causal, window, softcap, seqs, q_heads, kv_heads, head_dim,
              i / q_heads, i % q_heads);)

FK_ORACLE(paged_attention,
          (double *result, const T *query, const T *cache,
           const int32_t *cu_seqlens, const int32_t *seq_lens,
           const int32_t *block_table, const T *sink, float scale,
           int32_t causal, int32_t window, float softcap, int32_t tokens,
           int32_t seqs, int32_t pages, int32_t page_size, int32_t max_blocks,
           int32_t q_heads, int32_t kv_heads, int32_t head_dim),
          FK_FOR(i, int64_t(tokens) * q_heads) pagedAttentionRow(
              result + i * head_dim, query, cache, cu_seqlens, seq_lens,
              block_table, sink, scale, causal, window, softcap, seqs, pages,
              page_size, max_blocks, q_heads, kv_heads, head_dim, i / q_heads,
              i % q_heads);)

FK_ORACLE(
    kv_cache_write,
    (T * cache, const T *key, const T *value, const int32_t *slots,
     int32_t tokens, int32_t pages, int32_t page_size, int32_t kv_heads,
     int32_t head_dim),
    int64_t row = int64_t(kv_heads) * head_dim;
    FK_FOR(i, tokens * row) {
      int64_t to = getCacheIndex(slots, row, i / row, i % row);
      if (to < 0)
        continue;
      cache[to] = key[i];
      cache[int64_t(pages) * page_size * row + to] = value[i];
    })

//===----------------------------------------------------------------------===//
// Sampling
//===----------------------------------------------------------------------===//

FK_ORACLE(gather_last_tokens,
          (double *result, const T *input, const int32_t *cu_seqlens, int32_t,
           int32_t seqs, int32_t hidden),
          FK_FOR(i, int64_t(seqs) * hidden) result[i] =
              gatherLastElement<double>(input, cu_seqlens, hidden, i / hidden,
                                        i % hidden);)

FK_ORACLE(pool,
          (double *result, const T *input, const int32_t *cu_seqlens,
           int32_t mean, int32_t, int32_t seqs, int32_t hidden),
          FK_FOR(i, int64_t(seqs) * hidden) result[i] = poolElement<double>(
              input, cu_seqlens, mean, hidden, i / hidden, i % hidden);)

FK_ORACLE(sample,
          (int32_t *next, const T *logits, const float *temperature,
           const int32_t *top_k, const float *top_p, const int64_t *seed,
           const int32_t *position, int32_t seqs, int32_t vocab),
          FK_FOR(s, seqs) next[s] =
              sampleRow(logits + s * vocab, vocab, temperature[s], top_k[s],
                        top_p[s], seed[s], position[s]);)
