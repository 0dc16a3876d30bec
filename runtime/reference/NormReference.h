//===- NormReference.h - Normalisation --------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A row at a time, for each of its elements needs the same sums. A row is
// written in the compute type C; the caller rounds it to storage once. Sums are
// `dot`'s.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_NORMREFERENCE_H
#define FK_RUNTIME_REFERENCE_NORMREFERENCE_H

#include "runtime/reference/LinearReference.h"

namespace fk::reference {

/// rms_norm: y[h] = x[h] * rstd * (offset + w[h]), rstd = 1 / sqrt(mean(x^2) +
/// epsilon). All in C. Production kernels may round x * rstd to T before the
/// weight; the error budget admits that.
template <typename C, typename X, typename T>
FK_HOST_DEVICE inline void rmsNormRow(C *y, const X *x, const T *weight,
                                      float epsilon, float offset,
                                      int64_t hidden) {
  C mean = dot<C>(x, x, hidden) / C(hidden);
  C rstd = C(1) / std::sqrt(mean + C(epsilon));
  for (int64_t h = 0; h < hidden; ++h)
    y[h] = C(widen(x[h])) * rstd * (C(offset) + C(widen(weight[h])));
}

/// add_rms_norm: r = x + residual in C; y = rms_norm(r) of the sum before it is
/// rounded; residual_out = r. Production kernels may normalise the rounded sum;
/// the error budget admits that.
template <typename C, typename T>
FK_HOST_DEVICE inline void
addRmsNormRow(C *y, C *residualOut, const T *x, const T *residual,
              const T *weight, float epsilon, float offset, int64_t hidden) {
  for (int64_t h = 0; h < hidden; ++h)
    residualOut[h] = C(widen(x[h])) + C(widen(residual[h]));
  rmsNormRow(y, residualOut, weight, epsilon, offset, hidden);
}

/// layer_norm: y[h] = (x[h] - mean) / sqrt(var + epsilon) * w[h] + b[h], var =
/// mean((x - mean)^2), from the differences. All in C. `y` holds the
/// differences in between.
template <typename C, typename T>
FK_HOST_DEVICE inline void layerNormRow(C *y, const T *x, const T *weight,
                                        const T *bias, float epsilon,
                                        int64_t hidden) {
  C sum = 0;
  for (int64_t h = 0; h < hidden; ++h)
    sum += C(widen(x[h]));
  C mean = sum / C(hidden);
  for (int64_t h = 0; h < hidden; ++h)
    y[h] = C(widen(x[h])) - mean;
  C variance = dot<C>(y, y, hidden) / C(hidden);
  C rstd = C(1) / std::sqrt(variance + C(epsilon));
  for (int64_t h = 0; h < hidden; ++h)
    y[h] =
        y[h] * rstd * C(widen(weight[h])) + (bias ? C(widen(bias[h])) : C(0));
}

/// l2_norm: y[c] = x[c] / max(sqrt(sum(x^2)), epsilon). All in C.
template <typename C, typename T>
FK_HOST_DEVICE inline void l2NormRow(C *y, const T *x, float epsilon,
                                     int64_t columns) {
  C norm = std::sqrt(dot<C>(x, x, columns));
  if (!(norm > C(epsilon)))
    norm = C(epsilon);
  for (int64_t c = 0; c < columns; ++c)
    y[c] = C(widen(x[c])) / norm;
}

} // namespace fk::reference

#endif // FK_RUNTIME_REFERENCE_NORMREFERENCE_H
