//===- FloatMath.cpp - f64 in the roundings that are not nearest ----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/FloatMath.h"

#include "runtime/emulator/ExactFloat.h"

using namespace fk::emulator;

namespace {

double roundF64(const Exact &x, Rounding rounding) {
  return toDouble(roundExact(x, formatF64, rounding));
}

bool isFinite(double x) { return std::isfinite(x); }

/// The largest r with r * r <= x.
uint64_t integerRoot(uint128_t x) {
  uint64_t root = 0;
  for (int bit = 63; bit >= 0; --bit) {
    uint64_t next = root | uint64_t(1) << bit;
    if (static_cast<uint128_t>(next) * next <= x)
      root = next;
  }
  return root;
}

/// With the top bit of its magnitude at `top`.
Exact normalize(Exact x, int top) {
  int shift = countLeadingZeros128(x.magnitude) - (127 - top);
  x.magnitude <<= shift;
  x.exponent -= shift;
  return x;
}

} // namespace

double fk::emulator::addDirectedF64(double a, double b, Rounding rounding) {
  if (!isFinite(a) || !isFinite(b))
    return a + b;
  return roundF64(addExact(unpackF64(a), unpackF64(b), rounding), rounding);
}

double fk::emulator::mulDirectedF64(double a, double b, Rounding rounding) {
  if (!isFinite(a) || !isFinite(b))
    return a * b;
  return roundF64(mulExact(unpackF64(a), unpackF64(b)), rounding);
}

double fk::emulator::fmaDirectedF64(double a, double b, double c,
                                    Rounding rounding) {
  if (!isFinite(a) || !isFinite(b) || !isFinite(c))
    return std::fma(a, b, c);
  Exact product = mulExact(unpackF64(a), unpackF64(b));
  return roundF64(addExact(product, unpackF64(c), rounding), rounding);
}

double fk::emulator::divDirectedF64(double a, double b, Rounding rounding) {
  if (!isFinite(a) || !isFinite(b) || a == 0 || b == 0)
    return a / b;
  // 125 bits by 53 give a quotient of 72 or 73.
  Exact x = normalize(unpackF64(a), 124), y = normalize(unpackF64(b), 52);
  Exact quotient = {x.isNegative != y.isNegative,
                    x.magnitude % y.magnitude != 0, x.exponent - y.exponent,
                    x.magnitude / y.magnitude};
  return roundF64(quotient, rounding);
}

double fk::emulator::sqrtDirectedF64(double a, Rounding rounding) {
  if (!isFinite(a) || a <= 0)
    return std::sqrt(a);
  Exact x = normalize(unpackF64(a), 127);
  if (x.exponent & 1) {
    x.magnitude >>= 1; // its last bits are zero
    x.exponent += 1;
  }
  uint64_t root = integerRoot(x.magnitude);
  Exact result = {false, static_cast<uint128_t>(root) * root != x.magnitude,
                  x.exponent / 2, root};
  return roundF64(result, rounding);
}
