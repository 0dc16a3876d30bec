//===- MatrixMath.cpp - Products of tiles ---------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/MatrixMath.h"

#include "runtime/emulator/Convert.h"
#include "runtime/emulator/ExactFloat.h"
#include "runtime/emulator/HalfMath.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
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

/// 2^exponent, not less than 2^-1022.
double powerOfTwo(int32_t exponent) {
  int64_t biased = std::max(exponent, -1022) + 1023;
  return std::bit_cast<double>(static_cast<uint64_t>(biased) << 52);
}

/// mma.sync on fp8 has no unit of its own on sm_90: ptxas widens to f16.
bool isEmulatedF8(const TileOp &op) {
  return getBits(op.a) == 8 && op.unit == MatrixUnit::Mma;
}

/// Columns are taken eight at a time.
constexpr unsigned blockWidth = 8;
using Block = int32_t __attribute__((vector_size(4 * blockWidth)));

Block loadBlock(const std::vector<int32_t> &values, size_t index) {
  Block block;
  std::memcpy(&block, values.data() + index * blockWidth, sizeof block);
  return block;
}

/// An operand's numbers as magnitude * 2^(exponent - 10): a significand has 11
/// bits or fewer. Subnormals keep their format's smallest exponent.
struct Factors {
  std::vector<int32_t> magnitude, exponent;
  std::vector<int32_t> sign; ///< 0, or -1 for a negative number
  /// Empty where all are finite; else 1.0, and infinities and NaN.
  std::vector<float> special;

  explicit Factors(size_t count)
      : magnitude(count), exponent(count, zeroExponent), sign(count) {}
};

/// Splits `bits` of a format into the factors at `index`; true if it is no
/// finite number.
bool splitBits(uint32_t bits, const FloatFormat &format, bool isNegated,
               Factors &to, size_t index) {
  auto signBit = static_cast<uint32_t>(format.sign());
  uint32_t magnitude = bits & (signBit - 1);
  uint32_t field = magnitude >> format.mantissaBits;
  uint32_t implicit = field ? 1u << format.mantissaBits : 0;
  uint32_t mantissa =
      (magnitude & ((1u << format.mantissaBits) - 1)) | implicit;
  int32_t exponent = static_cast<int32_t>(field + !field) - format.bias();
  to.magnitude[index] =
      static_cast<int32_t>(mantissa << (10 - format.mantissaBits));
  to.exponent[index] = magnitude ? exponent : zeroExponent;
  to.sign[index] = ((bits & signBit) != 0) != isNegated ? -1 : 0;
  return magnitude > format.maxFinite;
}

struct ElementFormat {
  const FloatFormat &format;
  unsigned shift; ///< of the number in its word
  bool isWidened; ///< fp8 as f16
};

ElementFormat getElementFormat(MatrixType type, bool isWidened) {
  switch (type) {
  case MatrixType::F16:
    return {formatF16, 0, false};
  case MatrixType::BF16:
    return {formatBF16, 0, false};
  case MatrixType::E4M3:
    return {isWidened ? formatF16 : formatE4M3, 0, isWidened};
  case MatrixType::E5M2:
    return {isWidened ? formatF16 : formatE5M2, 0, isWidened};
  default:
    return {formatTF32, 13, false};
  }
}

/// `rows` rows of k elements. getIndex(row, l) is where one goes.
template <class Fn>
Factors splitOperand(const uint32_t *bits, unsigned rows, unsigned k,
                     MatrixType type, bool isWidened, bool isNegated,
                     size_t count, Fn getIndex) {
  ElementFormat element = getElementFormat(type, isWidened);
  FloatType f8 = type == MatrixType::E4M3 ? FloatType::E4M3 : FloatType::E5M2;
  Factors result(count);
  bool hasSpecial = false;
  auto read = [&](unsigned row, unsigned l) {
    uint32_t word = bits[size_t(row) * k + l] >> element.shift;
    return element.isWidened
               ? f8ToF16Pair(static_cast<uint16_t>(word), f8, false) & 0xffff
               : word;
  };
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned l = 0; l < k; ++l)
      hasSpecial |= splitBits(read(row, l), element.format, isNegated, result,
                              getIndex(row, l));
  if (!hasSpecial)
    return result;
  result.special.assign(count, 1.0f);
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned l = 0; l < k; ++l) {
      size_t index = getIndex(row, l);
      uint64_t magnitude = read(row, l) & (element.format.sign() - 1);
      uint64_t last =
          std::max(element.format.infinity, element.format.maxFinite);
      if (magnitude > last)
        result.special[index] = toFloat(nanF32);
      else if (magnitude > element.format.maxFinite)
        result.special[index] = toFloat(0x7f800000);
    }
  return result;
}

struct SumModel {
  int fractionBits;
  unsigned chunk;
  bool isHalf;  ///< f16 accumulators
  bool isShort; ///< f32 results keep 13 bits
};

SumModel getModel(const TileOp &op) {
  bool isHalf = op.accumulator == MatrixType::F16;
  if (isEmulatedF8(op))
    return {25, op.shape.k / 2, isHalf, false};
  bool isCoarse = getBits(op.a) == 8;
  return {isCoarse ? 13 : 25, 256 / getBits(op.a), isHalf, isCoarse};
}

/// Toward zero, but a number past the largest becomes infinite.
uint32_t cutToF32(double x, bool isShort) {
  uint32_t bits = toBits(roundToFloat(x, Rounding::TowardZero));
  bits = isShort ? bits & ~0x3ffu : bits;
  uint32_t infinity = signBit(x) ? 0xff800000 : 0x7f800000;
  bits = __builtin_fabs(x) >= 0x1p128 ? infinity : bits;
  return isNaN(x) ? nanF32 : bits;
}

/// The sum of a block's products, each cut to a multiple of
/// 2^(top - fractionBits), in that unit. All factors are finite.
void addProducts(const SumModel &model, const Factors &a, size_t rowBegin,
                 const Factors &b, size_t blockBegin,
                 std::span<const unsigned> chunk, Block top, double *sum) {
  int left = std::max(model.fractionBits - 20, 0);
  int right = std::max(20 - model.fractionBits, 0);
  Block part = {};
  unsigned count = 0;
  auto flush = [&] {
    for (unsigned j = 0; j < blockWidth; ++j)
      sum[j] += part[j];
    part = Block{};
    count = 0;
  };
  for (unsigned l : chunk) {
    Block product =
        a.magnitude[rowBegin + l] * loadBlock(b.magnitude, blockBegin + l);
    Block distance = top - loadBlock(b.exponent, blockBegin + l) -
                     (a.exponent[rowBegin + l] - right);
    distance = distance < 31 ? distance : Block{} + 31;
    Block term = (product << left) >> distance;
    Block sign = loadBlock(b.sign, blockBegin + l) ^ a.sign[rowBegin + l];
    part += (term ^ sign) - sign;
    if (++count == 8) // terms are below 2^27
      flush();
  }
  flush();
}

/// The value of a factor without its exponent.
float getSignificand(const Factors &factors, size_t index) {
  float x = static_cast<float>(factors.magnitude[index]) * 0x1p-10f;
  if (!factors.special.empty() && factors.special[index] != 1.0f)
    x = factors.special[index];
  return factors.sign[index] ? -x : x;
}

/// The same with infinities and NaN among the factors.
void addSpecialProducts(const SumModel &model, const Factors &a,
                        size_t rowBegin, const Factors &b, size_t blockBegin,
                        std::span<const unsigned> chunk, Block top,
                        double *sum) {
  for (unsigned l : chunk)
    for (unsigned j = 0; j < blockWidth; ++j) {
      size_t left = rowBegin + l, right = (blockBegin + l) * blockWidth + j;
      double product = getSignificand(a, left) * getSignificand(b, right);
      int32_t exponent = a.exponent[left] + b.exponent[right] - top[j];
      sum[j] += std::trunc(product * powerOfTwo(exponent + model.fractionBits));
    }
}

/// One chunk of one row against eight columns: the products at `chunk`'s places
/// in k.
void addChunk(const SumModel &model, const Factors &a, size_t rowBegin,
              const Factors &b, size_t blockBegin,
              std::span<const unsigned> chunk, uint32_t *c) {
  double old[blockWidth];
  int32_t largest[blockWidth];
  for (unsigned j = 0; j < blockWidth; ++j) {
    float x =
        model.isHalf ? f16ToF32(static_cast<uint16_t>(c[j])) : toFloat(c[j]);
    old[j] = x;
    // Of zero and subnormals, and of infinities: no matter, nothing is cut.
    int32_t exponent = static_cast<int32_t>(toBits(x) >> 23 & 0xff) - 127;
    int32_t least = model.isHalf && x != 0 ? -14 : minAccumulatorExponent;
    largest[j] =
        exponent == 128 ? minAccumulatorExponent : std::max(exponent, least);
  }
  Block top;
  std::memcpy(&top, largest, sizeof top);
  for (unsigned l : chunk) {
    Block exponent =
        loadBlock(b.exponent, blockBegin + l) + a.exponent[rowBegin + l];
    top = top > exponent ? top : exponent;
  }
  double sum[blockWidth];
  for (unsigned j = 0; j < blockWidth; ++j)
    sum[j] = std::trunc(old[j] * powerOfTwo(model.fractionBits - top[j]));
  bool isFinite = a.special.empty() && b.special.empty();
  auto add = isFinite ? addProducts : addSpecialProducts;
  add(model, a, rowBegin, b, blockBegin, chunk, top, sum);
  for (unsigned j = 0; j < blockWidth; ++j) {
    // Exact zeros come out positive: a sum of integers has no sign of zero.
    double value = sum[j] * powerOfTwo(top[j] - model.fractionBits) + 0.0;
    c[j] = model.isHalf ? f64ToF16(value) : cutToF32(value, model.isShort);
  }
}

void multiplyFloats(const TileOp &op, const uint32_t *a, const uint32_t *b,
                    uint32_t *c) {
  auto [m, n, k] = op.shape;
  bool isEmulated = isEmulatedF8(op);
  SumModel model = getModel(op);
  // The places in k, chunk by chunk.
  std::vector<unsigned> order(k);
  std::iota(order.begin(), order.end(), 0u);
  if (isEmulated)
    std::sort(order.begin(), order.end(), [](unsigned x, unsigned y) {
      return std::pair(x % 4 / 2, x) < std::pair(y % 4 / 2, y);
    });
  unsigned blocks = (n + blockWidth - 1) / blockWidth;
  Factors left = splitOperand(
      a, m, k, op.a, isEmulated, op.negateA, size_t(m) * k,
      [k = k](unsigned row, unsigned l) { return size_t(row) * k + l; });
  Factors right = splitOperand(
      b, n, k, op.b, isEmulated, op.negateB, size_t(blocks) * k * blockWidth,
      [k = k](unsigned column, unsigned l) {
        return (size_t(column / blockWidth) * k + l) * blockWidth +
               column % blockWidth;
      });
  for (unsigned i = 0; i < m; ++i)
    for (unsigned block = 0; block < blocks; ++block) {
      unsigned width = std::min(blockWidth, n - block * blockWidth);
      uint32_t *old = c + size_t(i) * n + block * blockWidth;
      uint32_t sum[blockWidth] = {};
      if (!isEmulated)
        std::copy_n(old, width, sum);
      for (unsigned begin = 0; begin < k; begin += model.chunk)
        addChunk(
            model, left, size_t(i) * k, right, size_t(block) * k,
            std::span(order).subspan(begin, std::min(model.chunk, k - begin)),
            sum);
      for (unsigned j = 0; isEmulated && j < width; ++j)
        sum[j] = model.isHalf
                     ? addHalf<HalfType::F16>(static_cast<uint16_t>(old[j]),
                                              static_cast<uint16_t>(sum[j]))
                     : toBits(addF32(toFloat(old[j]), toFloat(sum[j])));
      std::copy_n(sum, width, old);
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
