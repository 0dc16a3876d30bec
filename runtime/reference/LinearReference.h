//===- LinearReference.h - Embedding and matrix products --------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every function returns an output element in the compute type C; the caller
// rounds it to storage once.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_LINEARREFERENCE_H
#define FK_RUNTIME_REFERENCE_LINEARREFERENCE_H

#include "runtime/reference/Scalar.h"

namespace fk::reference {

/// The partial sums of `dot`. On the host one vector value, which the compiler
/// keeps in registers of whatever width there is; in CUDA code an array.
template <typename C> struct Lanes {
  static constexpr int count = 32;
#ifdef __CUDACC__
  typedef C Type[count];
#else
  typedef C Type __attribute__((vector_size(count * sizeof(C))));
#endif
};

/// sum_i x[i] * w[i]. Products and sums in C, in 32 interleaved partial sums
/// that are added pairwise: a fixed order, and one that a vector unit can keep.
template <typename C, typename X, typename W>
FK_HOST_DEVICE FK_ALWAYS_INLINE C dot(const X *x, const W *w, int64_t count) {
  constexpr int lanes = Lanes<C>::count;
  typename Lanes<C>::Type sums = {};
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
#ifdef __CUDACC__
    for (int lane = 0; lane < lanes; ++lane)
      sums[lane] += C(widen(x[i + lane])) * C(widen(w[i + lane]));
#else
    C a[lanes], b[lanes];
    for (int lane = 0; lane < lanes; ++lane) {
      a[lane] = C(widen(x[i + lane]));
      b[lane] = C(widen(w[i + lane]));
    }
    typename Lanes<C>::Type left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    sums += left * right;
#endif
  }
  C tail = 0;
  for (; i < count; ++i)
    tail += C(widen(x[i])) * C(widen(w[i]));
  C total[lanes];
  for (int lane = 0; lane < lanes; ++lane)
    total[lane] = sums[lane];
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; ++lane)
      total[lane] += total[lane + half];
  return total[0] + tail;
}

/// embedding: y[t, h] = round_T(scale) * table[ids[t], h]. The scale is rounded
/// to storage first, as the models that use one do; then the product in C.
template <typename C, typename T>
FK_HOST_DEVICE inline C embeddingElement(const int32_t *ids, const T *table,
                                         float scale, int64_t hidden, int64_t t,
                                         int64_t h) {
  return C(roundTo<T>(scale)) * C(widen(table[ids[t] * hidden + h]));
}

/// linear: y[t, o] = sum_i x[t, i] * w[o, i] + b[o]. Sums in C; the bias is
/// added before the one rounding. qkv_linear and gate_up_linear are this for
/// each of their rows of w; qkv_linear puts rows [0, q), [q, q + kv), [q + kv,
/// q + 2 kv) into results of their own.
template <typename C, typename X, typename T>
FK_HOST_DEVICE inline C linearElement(const X *x, const T *weight,
                                      const T *bias, int64_t inFeatures,
                                      int64_t t, int64_t o) {
  C sum = dot<C>(x + t * inFeatures, weight + o * inFeatures, inFeatures);
  return bias ? sum + C(widen(bias[o])) : sum;
}

} // namespace fk::reference

#endif // FK_RUNTIME_REFERENCE_LINEARREFERENCE_H
