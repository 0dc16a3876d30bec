//===- MatrixMath.cpp - Products of tiles ---------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/MatrixMath.h"

#include "runtime/emulator/Convert.h"
#include "runtime/emulator/HalfMath.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

using namespace fk::emulator;

unsigned fk::emulator::getBits(MatrixType type) {
  switch (type) {
  case MatrixType::F16:
  case MatrixType::BF16:
    return 16;
  case MatrixType::E4M3:
  case MatrixType::E5M2:
  case MatrixType::S8:
  case MatrixType::U8:
    return 8;
  case MatrixType::S4:
  case MatrixType::U4:
    return 4;
  case MatrixType::B1:
    return 1;
  case MatrixType::F64:
    return 64;
  case MatrixType::TF32:
  case MatrixType::F32:
  case MatrixType::S32:
    break;
  }
  return 32;
}

bool fk::emulator::isPackedAccumulator(MatrixType type) {
  return type == MatrixType::F16;
}

namespace {

/// Below every exponent: a zero never has the largest one.
constexpr int32_t zeroExponent = -2000;
/// The accumulator's exponent where it is zero or subnormal.
constexpr int32_t minAccumulatorExponent = -126;

/// A number as significand * 2^exponent, 1 <= |significand| < 2 but for the
/// source format's subnormals, which keep its smallest exponent. Infinities and
/// NaN are in the significand.
struct Split {
  float significand;
  int32_t exponent;
};

/// 2^exponent, not less than 2^-1022.
double powerOfTwo(int32_t exponent) {
  int64_t biased = std::max(exponent, -1022) + 1023;
  return std::bit_cast<double>(static_cast<uint64_t>(biased) << 52);
}

Split split(float x, int minExponent) {
  uint32_t magnitude = toBits(x) & 0x7fffffff;
  if (magnitude == 0)
    return {x, zeroExponent};
  if (magnitude >= 0x7f800000)
    return {x, minExponent};
  int exponent = std::max(static_cast<int>(magnitude >> 23) - 127, minExponent);
  return {static_cast<float>(x * powerOfTwo(-exponent)), exponent};
}

Split splitElement(uint32_t bits, MatrixType type) {
  switch (type) {
  case MatrixType::F16:
    return split(f16ToF32(static_cast<uint16_t>(bits)), -14);
  case MatrixType::BF16:
    return split(bf16ToF32(static_cast<uint16_t>(bits)), -126);
  case MatrixType::E4M3:
    return split(f8ToF32(static_cast<uint8_t>(bits), FloatType::E4M3), -6);
  case MatrixType::E5M2:
    return split(f8ToF32(static_cast<uint8_t>(bits), FloatType::E5M2), -14);
  default: // tf32; a NaN stays one when its low bits go
    return split(isNaN(toFloat(bits)) ? toFloat(nanF32)
                                      : toFloat(bits & 0xffffe000),
                 -126);
  }
}

/// A matrix by columns of the product: significand[l * width + j].
struct SplitMatrix {
  std::vector<float> significand;
  std::vector<int32_t> exponent;
};

SplitMatrix splitMatrix(const uint32_t *bits, unsigned width, unsigned k,
                        MatrixType type, bool isNegated) {
  SplitMatrix result;
  result.significand.resize(size_t(width) * k);
  result.exponent.resize(size_t(width) * k);
  for (unsigned j = 0; j < width; ++j)
    for (unsigned l = 0; l < k; ++l) {
      Split element = splitElement(bits[j * k + l], type);
      size_t index = size_t(l) * width + j;
      result.significand[index] =
          isNegated ? -element.significand : element.significand;
      result.exponent[index] = element.exponent;
    }
  return result;
}

struct SumModel {
  int fractionBits;
  unsigned chunk;
  bool isShort; ///< f32 results keep 13 bits
};

/// mma.sync on fp8 has no unit of its own on sm_90: ptxas widens to f16.
bool isEmulatedF8(const TileOp &op) {
  return getBits(op.a) == 8 && op.unit == MatrixUnit::Mma;
}

SumModel getModel(const TileOp &op) {
  if (isEmulatedF8(op))
    return {25, op.shape.k / 2, false};
  bool isCoarse = getBits(op.a) == 8;
  return {isCoarse ? 13 : 25, 256 / getBits(op.a), isCoarse};
}

uint32_t cutToF32(double x, bool isShort) {
  if (isNaN(x))
    return nanF32;
  if (std::fabs(x) >= 0x1p128)
    return signBit(x) ? 0xff800000 : 0x7f800000;
  uint32_t bits = toBits(roundToFloat(x, Rounding::TowardZero));
  return isShort ? bits & ~0x3ffu : bits;
}

/// One chunk of one row against every column: the products at `chunk`'s places
/// in k. The loops over columns vectorise.
void addChunk(const TileOp &op, const SumModel &model, const SplitMatrix &a,
              const SplitMatrix &b, unsigned row,
              std::span<const unsigned> chunk, uint32_t *c,
              std::vector<int32_t> &largest, std::vector<double> &sum) {
  unsigned m = op.shape.m, n = op.shape.n;
  bool isHalf = op.accumulator == MatrixType::F16;
  for (unsigned j = 0; j < n; ++j) {
    Split old = isHalf ? split(f16ToF32(static_cast<uint16_t>(c[j])), -14)
                       : split(toFloat(c[j]), minAccumulatorExponent);
    largest[j] = std::max(old.exponent, minAccumulatorExponent);
    sum[j] = old.significand;
    // Kept until the largest exponent is known, in the old value's place.
    c[j] = static_cast<uint32_t>(old.exponent);
  }
  int32_t *top = largest.data();
  double *total = sum.data();
  for (unsigned l : chunk) {
    int32_t exponent = a.exponent[size_t(l) * m + row];
    const int32_t *other = b.exponent.data() + size_t(l) * n;
    for (unsigned j = 0; j < n; ++j)
      top[j] = std::max(top[j], exponent + other[j]);
  }
  for (unsigned j = 0; j < n; ++j) {
    int32_t shift = static_cast<int32_t>(c[j]) - top[j] + model.fractionBits;
    total[j] = std::trunc(total[j] * powerOfTwo(shift));
  }
  for (unsigned l : chunk) {
    float factor = a.significand[size_t(l) * m + row];
    int32_t exponent = a.exponent[size_t(l) * m + row] + model.fractionBits;
    const float *others = b.significand.data() + size_t(l) * n;
    const int32_t *exponents = b.exponent.data() + size_t(l) * n;
    for (unsigned j = 0; j < n; ++j) {
      double product = factor * others[j]; // exact: at most 22 bits
      total[j] +=
          std::trunc(product * powerOfTwo(exponent + exponents[j] - top[j]));
    }
  }
  for (unsigned j = 0; j < n; ++j) {
    // Exact zeros come out positive: a sum of integers has no sign of zero.
    double value = total[j] * powerOfTwo(top[j] - model.fractionBits) + 0.0;
    c[j] = isHalf ? f64ToF16(value) : cutToF32(value, model.isShort);
  }
}

void multiplyFloats(const TileOp &op, const uint32_t *a, const uint32_t *b,
                    uint32_t *c) {
  auto [m, n, k] = op.shape;
  SplitMatrix left = splitMatrix(a, m, k, op.a, op.negateA);
  SplitMatrix right = splitMatrix(b, n, k, op.b, op.negateB);
  SumModel model = getModel(op);
  // The places in k, chunk by chunk.
  std::vector<unsigned> order(k);
  std::iota(order.begin(), order.end(), 0u);
  bool isEmulated = isEmulatedF8(op);
  if (isEmulated)
    std::sort(order.begin(), order.end(), [](unsigned x, unsigned y) {
      return std::pair(x % 4 / 2, x) < std::pair(y % 4 / 2, y);
    });
  std::vector<uint32_t> fresh(isEmulated ? n : 0);
  std::vector<int32_t> largest(n);
  std::vector<double> sum(n);
  for (unsigned i = 0; i < m; ++i) {
    uint32_t *row = c + size_t(i) * n;
    std::fill(fresh.begin(), fresh.end(), 0);
    for (unsigned begin = 0; begin < k; begin += model.chunk)
      addChunk(
          op, model, left, right, i,
          std::span(order).subspan(begin, std::min(model.chunk, k - begin)),
          isEmulated ? fresh.data() : row, largest, sum);
    for (unsigned j = 0; j < fresh.size(); ++j)
      row[j] = op.accumulator == MatrixType::F16
                   ? addHalf<HalfType::F16>(static_cast<uint16_t>(row[j]),
                                            static_cast<uint16_t>(fresh[j]))
                   : toBits(addF32(toFloat(row[j]), toFloat(fresh[j])));
  }
}

/// m8n8k4 of f16 has no unit on sm_90 either: a chain of fma, then a sum.
void multiplyByFma(const TileOp &op, const uint32_t *a, const uint32_t *b,
                   uint32_t *c) {
  auto [m, n, k] = op.shape;
  for (unsigned i = 0; i < m; ++i)
    for (unsigned j = 0; j < n; ++j) {
      float sum = 0;
      for (unsigned l = 0; l < k; ++l)
        sum = fmaF32(f16ToF32(static_cast<uint16_t>(a[i * k + l])),
                     f16ToF32(static_cast<uint16_t>(b[j * k + l])), sum);
      uint32_t &old = c[i * n + j];
      if (op.accumulator == MatrixType::F16)
        old = f32ToF16(addF32(f16ToF32(static_cast<uint16_t>(old)), sum));
      else
        old = toBits(addF32(toFloat(old), sum));
    }
}

int32_t extendElement(uint32_t bits, MatrixType type) {
  switch (type) {
  case MatrixType::S8:
    return static_cast<int8_t>(bits);
  case MatrixType::U8:
    return static_cast<uint8_t>(bits);
  case MatrixType::S4:
    return static_cast<int32_t>(bits << 28) >> 28;
  case MatrixType::U4:
    return static_cast<int32_t>(bits & 15);
  default:
    return static_cast<int32_t>(bits & 1);
  }
}

void multiplyIntegers(const TileOp &op, const uint32_t *a, const uint32_t *b,
                      uint32_t *c) {
  auto [m, n, k] = op.shape;
  std::vector<int32_t> left(size_t(m) * k), right(size_t(n) * k);
  for (size_t i = 0; i < left.size(); ++i)
    left[i] = extendElement(a[i], op.a);
  for (size_t i = 0; i < right.size(); ++i)
    right[i] = extendElement(b[i], op.b);
  bool isXor = op.a == MatrixType::B1 && op.isXor;
  for (unsigned i = 0; i < m; ++i)
    for (unsigned j = 0; j < n; ++j) {
      const int32_t *x = left.data() + size_t(i) * k;
      const int32_t *y = right.data() + size_t(j) * k;
      int32_t products = 0; // at most 256 * 2^16
      for (unsigned l = 0; l < k; ++l)
        products += isXor ? x[l] ^ y[l] : x[l] * y[l];
      int64_t sum = int64_t(products) + static_cast<int32_t>(c[i * n + j]);
      if (op.satFinite)
        sum = std::clamp<int64_t>(sum, std::numeric_limits<int32_t>::min(),
                                  std::numeric_limits<int32_t>::max());
      c[i * n + j] = static_cast<uint32_t>(sum);
    }
}

} // namespace

void fk::emulator::multiplyTile(const TileOp &op, const uint32_t *a,
                                const uint32_t *b, uint32_t *c) {
  if (op.accumulator == MatrixType::S32)
    multiplyIntegers(op, a, b, c);
  else if (op.a == MatrixType::F16 && op.shape == MatrixShape{8, 8, 4})
    multiplyByFma(op, a, b, c);
  else
    multiplyFloats(op, a, b, c);
}

void fk::emulator::multiplyTileF64(MatrixShape shape, const double *a,
                                   const double *b, double *c) {
  auto [m, n, k] = shape;
  for (unsigned i = 0; i < m; ++i)
    for (unsigned j = 0; j < n; ++j)
      for (unsigned l = 0; l < k; ++l)
        c[i * n + j] = fmaF64(a[i * k + l], b[j * k + l], c[i * n + j]);
}
