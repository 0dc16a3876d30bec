//===- ActivationReference.h - Pointwise and softmax ------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every function returns an element, or writes a row, in the compute type C;
// the caller rounds it to storage once.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_ACTIVATIONREFERENCE_H
#define FK_RUNTIME_REFERENCE_ACTIVATIONREFERENCE_H

#include "runtime/reference/Scalar.h"

namespace fk::reference {

/// silu: y = x / (1 + exp(-x)).
template <typename C> FK_HOST_DEVICE inline C silu(C x) {
  return x / (C(1) + std::exp(-x));
}

/// gelu: y = x * Phi(x); with erf, or with the tanh approximation of Phi where
/// `approximate`. erfc keeps the left tail's digits.
template <typename C> FK_HOST_DEVICE inline C gelu(C x, int32_t approximate) {
  if (approximate) {
    C inner = C(0.79788456080286535588) * (x + C(0.044715) * x * x * x);
    return C(0.5) * x * (C(1) + std::tanh(inner));
  }
  return C(0.5) * x * std::erfc(-x * C(0.70710678118654752440));
}

template <typename C, typename T>
FK_HOST_DEVICE inline C siluElement(const T *x, int64_t i) {
  return silu(C(widen(x[i])));
}

/// tanh: y = tanh(x).
template <typename C, typename T>
FK_HOST_DEVICE inline C tanhElement(const T *x, int64_t i) {
  return std::tanh(C(widen(x[i])));
}

template <typename C, typename T>
FK_HOST_DEVICE inline C geluElement(const T *x, int32_t approximate,
                                    int64_t i) {
  return gelu(C(widen(x[i])), approximate);
}

/// add: y = a + b. mul: y = a * b.
template <typename C, typename T>
FK_HOST_DEVICE inline C addElement(const T *a, const T *b, int64_t i) {
  return C(widen(a[i])) + C(widen(b[i]));
}
template <typename C, typename T>
FK_HOST_DEVICE inline C mulElement(const T *a, const T *b, int64_t i) {
  return C(widen(a[i])) * C(widen(b[i]));
}

/// silu_and_mul: y[t, i] = silu(gate_up[t, i]) * gate_up[t, intermediate + i],
/// silu not rounded. Production kernels may round it; the error budget admits
/// that.
template <typename C, typename T>
FK_HOST_DEVICE inline C siluAndMulElement(const T *gateUp, int64_t intermediate,
                                          int64_t t, int64_t i) {
  const T *row = gateUp + t * 2 * intermediate;
  return silu(C(widen(row[i]))) * C(widen(row[intermediate + i]));
}

/// gelu_and_mul: likewise with gelu.
template <typename C, typename T>
FK_HOST_DEVICE inline C geluAndMulElement(const T *gateUp, int32_t approximate,
                                          int64_t intermediate, int64_t t,
                                          int64_t i) {
  const T *row = gateUp + t * 2 * intermediate;
  return gelu(C(widen(row[i])), approximate) * C(widen(row[intermediate + i]));
}

/// softmax: y[c] = exp(x[c] - max(x)) / sum_c exp(x[c] - max(x)), a row at a
/// time because every element needs the row's sum.
template <typename C, typename T>
FK_HOST_DEVICE inline void softmaxRow(C *y, const T *x, int64_t columns) {
  C largest = C(-INFINITY);
  for (int64_t c = 0; c < columns; ++c) {
    C value = C(widen(x[c]));
    largest = value > largest ? value : largest;
  }
  C sum = 0;
  for (int64_t c = 0; c < columns; ++c) {
    y[c] = std::exp(C(widen(x[c])) - largest);
    sum += y[c];
  }
  for (int64_t c = 0; c < columns; ++c)
    y[c] /= sum;
}

} // namespace fk::reference

#endif // FK_RUNTIME_REFERENCE_ACTIVATIONREFERENCE_H
