//===- EmulatorMatrixTest.cpp - Fragments and products --------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Convert.h"
#include "runtime/emulator/MatrixMath.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <vector>

using namespace fk::emulator;

namespace {

using T = MatrixType;
using O = MatrixOperand;

//===-- Fragments: the ISA's formulas, element a_i of a lane
//---------------===//

struct IsaFormula {
  MatrixShape shape;
  T type;
  O operand;
  Position (*at)(unsigned group, unsigned tid, unsigned i);
};

const IsaFormula formulas[] = {
    {{16, 8, 8},
     T::F16,
     O::A,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{i < 2 ? g : g + 8, t * 2 + (i & 1)};
     }},
    {{16, 8, 8},
     T::BF16,
     O::B,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{t * 2 + (i & 1), g};
     }},
    {{16, 8, 16},
     T::F16,
     O::A,
     [](unsigned g, unsigned t, unsigned i) {
       bool isUpper = i < 2 || (i >= 4 && i < 6);
       return Position{isUpper ? g : g + 8, t * 2 + (i & 1) + (i < 4 ? 0 : 8)};
     }},
    {{16, 8, 16},
     T::BF16,
     O::B,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{t * 2 + (i & 1) + (i < 2 ? 0 : 8), g};
     }},
    {{16, 8, 16},
     T::F32,
     O::C,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{i < 2 ? g : g + 8, t * 2 + (i & 1)};
     }},
    {{16, 8, 16},
     T::F16,
     O::C,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{i < 2 ? g : g + 8, t * 2 + (i & 1)};
     }},
    {{16, 8, 4},
     T::TF32,
     O::A,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{i == 0 ? g : g + 8, t};
     }},
    {{16, 8, 8},
     T::TF32,
     O::A,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{i % 2 == 0 ? g : g + 8, i < 2 ? t : t + 4};
     }},
    {{16, 8, 8},
     T::TF32,
     O::B,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{i == 0 ? t : t + 4, g};
     }},
    {{8, 8, 16},
     T::S8,
     O::A,
     [](unsigned g, unsigned t, unsigned i) { return Position{g, t * 4 + i}; }},
    {{8, 8, 16},
     T::S32,
     O::C,
     [](unsigned g, unsigned t, unsigned i) { return Position{g, t * 2 + i}; }},
    {{16, 8, 16},
     T::U8,
     O::A,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{i < 4 ? g : g + 8, t * 4 + (i & 3)};
     }},
    {{16, 8, 32},
     T::E4M3,
     O::A,
     [](unsigned g, unsigned t, unsigned i) {
       bool isUpper = i < 4 || (i >= 8 && i < 12);
       return Position{isUpper ? g : g + 8, t * 4 + (i & 3) + (i < 8 ? 0 : 16)};
     }},
    {{16, 8, 32},
     T::S8,
     O::B,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{t * 4 + (i & 3) + (i < 4 ? 0 : 16), g};
     }},
    {{16, 8, 64},
     T::S4,
     O::A,
     [](unsigned g, unsigned t, unsigned i) {
       bool isUpper = i < 8 || (i >= 16 && i < 24);
       return Position{isUpper ? g : g + 8,
                       t * 8 + (i & 7) + (i < 16 ? 0 : 32)};
     }},
    {{16, 8, 256},
     T::B1,
     O::A,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{i % 64 < 32 ? g : g + 8,
                       t * 32 + (i & 31) + (i < 64 ? 0 : 128)};
     }},
    {{8, 8, 4},
     T::F64,
     O::A,
     [](unsigned g, unsigned t, unsigned) { return Position{g, t}; }},
    {{8, 8, 4},
     T::F64,
     O::C,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{g, t * 2 + (i & 1)};
     }},
    {{16, 8, 16},
     T::F64,
     O::A,
     [](unsigned g, unsigned t, unsigned i) {
       return Position{i % 2 == 0 ? g : g + 8, i / 2 * 4 + t};
     }},
    {{16, 8, 16},
     T::F64,
     O::B,
     [](unsigned g, unsigned t, unsigned i) { return Position{t + i * 4, g}; }},
};

unsigned elementsPerRegister(T type, O operand) {
  if (operand == O::C)
    return isPackedAccumulator(type) ? 2 : 1;
  return type == T::F64 ? 1 : 32 / getBits(type);
}

TEST(MatrixLayout, IsTheIsas) {
  for (const IsaFormula &f : formulas) {
    unsigned per = elementsPerRegister(f.type, f.operand);
    unsigned regs = countRegisters(f.operand, f.shape, f.type);
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned i = 0; i < regs * per; ++i)
        ASSERT_EQ(locate(f.operand, f.shape, f.type, lane, i / per, i % per),
                  f.at(lane / 4, lane % 4, i))
            << "k " << f.shape.k << " type " << int(f.type) << " lane " << lane
            << " element " << i;
  }
}

TEST(MatrixLayout, EveryElementOnce) {
  struct {
    MatrixShape shape;
    T a, c;
  } rows[] = {{{16, 8, 8}, T::F16, T::F16},   {{16, 8, 4}, T::TF32, T::F32},
              {{8, 8, 16}, T::U8, T::S32},    {{8, 8, 32}, T::U4, T::S32},
              {{16, 8, 32}, T::U4, T::S32},   {{8, 8, 128}, T::B1, T::S32},
              {{16, 8, 128}, T::B1, T::S32},  {{16, 8, 4}, T::F64, T::F64},
              {{16, 8, 8}, T::F64, T::F64},   {{16, 16, 16}, T::F16, T::F16},
              {{32, 8, 16}, T::BF16, T::F32}, {{8, 32, 16}, T::BF16, T::F32},
              {{32, 8, 16}, T::S8, T::S32},   {{8, 32, 16}, T::U8, T::S32},
              {{8, 32, 16}, T::F16, T::F16},  {{16, 16, 8}, T::TF32, T::F32},
              {{16, 256, 16}, T::F16, T::F32}};
  for (auto &row : rows)
    for (O operand : {O::A, O::B, O::C}) {
      T type = operand == O::C ? row.c : row.a;
      unsigned per = elementsPerRegister(type, operand);
      unsigned regs = countRegisters(operand, row.shape, type);
      auto [m, n, k] = row.shape;
      unsigned height = operand == O::B ? k : m;
      unsigned width = operand == O::A ? k : n;
      std::set<std::pair<unsigned, unsigned>> seen;
      for (unsigned lane = 0; lane < 32; ++lane)
        for (unsigned r = 0; r < regs; ++r)
          for (unsigned e = 0; e < per; ++e) {
            Position p = locate(operand, row.shape, type, lane, r, e);
            ASSERT_LT(p.row, height);
            ASSERT_LT(p.column, width);
            ASSERT_TRUE(seen.insert({p.row, p.column}).second);
          }
      ASSERT_EQ(seen.size(), size_t(height) * width);
    }
  EXPECT_EQ(countWmmaRegisters(O::B, {32, 8, 16}, T::F16), 8u);
  EXPECT_EQ(countWmmaRegisters(O::B, {32, 8, 16}, T::BF16), 2u);
  EXPECT_EQ(countWmmaRegisters(O::C, {16, 16, 16}, T::F16), 4u);
  EXPECT_EQ(locate(O::B, {32, 8, 16}, T::F16, 5, 6, 1),
            locate(O::B, {32, 8, 16}, T::F16, 5, 0, 1));
}

TEST(MatrixLayout, QuadPairs) {
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(getQuadPair(lane), lane % 16 / 4);
    for (unsigned i = 0; i < 8; ++i) {
      unsigned row = (lane & 1) + (i & 2) + (lane < 16 ? 0 : 4);
      unsigned column = (i & 4) + (lane & 2) + (i & 1);
      EXPECT_EQ(locateQuadPair(O::C, T::F32, true, lane, i, 0),
                (Position{row, column}));
      EXPECT_EQ(locateQuadPair(O::C, T::F16, true, lane, i / 2, i % 2),
                (Position{lane % 4 + (lane < 16 ? 0 : 4), i}));
    }
    unsigned half = lane < 16 ? 0 : 4;
    for (unsigned i = 0; i < 4; ++i) {
      EXPECT_EQ(locateQuadPair(O::A, T::F16, true, lane, i / 2, i % 2),
                (Position{lane % 4 + half, i}));
      EXPECT_EQ(locateQuadPair(O::A, T::F16, false, lane, i / 2, i % 2),
                (Position{i + half, lane % 4}));
      EXPECT_EQ(locateQuadPair(O::B, T::F16, true, lane, i / 2, i % 2),
                (Position{lane % 4, i + half}));
      EXPECT_EQ(locateQuadPair(O::B, T::F16, false, lane, i / 2, i % 2),
                (Position{i, lane % 4 + half}));
    }
  }
}

TEST(MatrixLayout, LoadStoreAndTranspose) {
  // Lane 9 holds row 2, columns 2 and 3; transposed: rows 2 and 3, column 2.
  EXPECT_EQ(locateMatrix(0, 9, 0, false).addressLane, 2u);
  EXPECT_EQ(locateMatrix(0, 9, 0, false).byte, 4u);
  EXPECT_EQ(locateMatrix(3, 9, 1, false).addressLane, 26u);
  EXPECT_EQ(locateMatrix(3, 9, 1, false).byte, 6u);
  EXPECT_EQ(locateMatrix(1, 9, 1, true).addressLane, 11u);
  EXPECT_EQ(locateMatrix(1, 9, 1, true).byte, 4u);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned e = 0; e < 2; ++e) {
      LaneHalf once = transposeSource(lane, e);
      LaneHalf twice = transposeSource(once.lane, once.element);
      EXPECT_EQ(twice.lane, lane);
      EXPECT_EQ(twice.element, e);
    }
  EXPECT_EQ(transposeSource(4, 0).lane, 0u); // row 1, column 0
  EXPECT_EQ(transposeSource(4, 0).element, 1u);
  Position p = locateWgmma(O::C, {64, 128, 16}, T::F32, 2, 5, 6, 0);
  EXPECT_EQ(p, (Position{32 + 8 + 1, 8 + 2}));
  p = locateWgmma(O::C, {64, 128, 16}, T::F16, 1, 5, 3, 1);
  EXPECT_EQ(p, (Position{16 + 8 + 1, 8 + 3}));
}

//===-- Products ----------------------------------------------------------===//

uint32_t encode(double x, T type) {
  switch (type) {
  case T::F16:
    return f64ToF16(x);
  case T::BF16:
    return f64ToBF16(x);
  case T::E4M3:
    return packF8(0, float(x), FloatType::E4M3, false);
  case T::E5M2:
    return packF8(0, float(x), FloatType::E5M2, false);
  case T::TF32:
  case T::F32:
    return toBits(float(x));
  default:
    return static_cast<uint32_t>(static_cast<int32_t>(x));
  }
}

/// The model's definition in the plainest terms, for one chunk.
uint32_t referenceDot(const std::vector<double> &a,
                      const std::vector<double> &b, float c, int minExponent,
                      int fractionBits) {
  auto exponent = [](double x, int least) {
    return x == 0 ? -2000 : std::max(std::ilogb(x), least);
  };
  int top = std::max(exponent(c, -126), -126);
  for (size_t i = 0; i < a.size(); ++i)
    top = std::max(top,
                   exponent(a[i], minExponent) + exponent(b[i], minExponent));
  auto cut = [&](double x) {
    return std::trunc(std::ldexp(x, fractionBits - top));
  };
  double sum = cut(c);
  for (size_t i = 0; i < a.size(); ++i)
    sum += cut(a[i] * b[i]);
  double value = std::ldexp(sum, top - fractionBits);
  auto nearest = static_cast<float>(value);
  if (std::fabs(nearest) > std::fabs(value))
    nearest = std::nextafter(nearest, 0.0f);
  return toBits(nearest + 0.0f);
}

TEST(MatrixProduct, FollowsTheModel) {
  std::mt19937 random(11);
  struct {
    T type;
    unsigned k;
    int minExponent;
  } rows[] = {{T::F16, 16, -14}, {T::BF16, 16, -126}, {T::TF32, 8, -126}};
  for (auto &row : rows)
    for (int spread : {1, 6, 14})
      for (int repeat = 0; repeat < 300; ++repeat) {
        constexpr unsigned m = 2, n = 11; // a block of eight and a rest
        unsigned k = row.k;
        std::vector<double> a(m * k), b(n * k);
        std::vector<uint32_t> x, y, c;
        auto fill = [&](std::vector<double> &values,
                        std::vector<uint32_t> &bits) {
          for (double &v : values) {
            int e = int(random() % (2 * spread + 1)) - spread;
            double s = 1024 + random() % 1024;
            if (row.type == T::BF16)
              s = 1024 + random() % 128 * 8;
            v = random() % 9 ? std::ldexp(random() & 1 ? s : -s, e - 10) : 0.0;
            if (row.type == T::F16) // some are subnormal
              v = f16ToF32(f64ToF16(v * (spread > 6 ? 0x1p-4 : 1)));
            uint32_t wide = toBits(float(v));
            bits.push_back(row.type == T::F16    ? f64ToF16(v)
                           : row.type == T::BF16 ? wide >> 16
                                                 : wide | (random() & 0x1fff));
          }
        };
        fill(a, x);
        fill(b, y);
        for (unsigned i = 0; i < m * n; ++i)
          c.push_back(random() % 5 ? toBits(std::ldexp(float(int(random())),
                                                       int(random() % 40) - 50))
                                   : 0);
        std::vector<uint32_t> got = c;
        multiplyTile({.shape = {m, n, k}, .a = row.type, .b = row.type},
                     x.data(), y.data(), got.data());
        for (unsigned i = 0; i < m; ++i)
          for (unsigned j = 0; j < n; ++j)
            ASSERT_EQ(got[i * n + j],
                      referenceDot({a.begin() + i * k, a.begin() + (i + 1) * k},
                                   {b.begin() + j * k, b.begin() + (j + 1) * k},
                                   toFloat(c[i * n + j]), row.minExponent, 25))
                << "type " << int(row.type) << " spread " << spread;
      }
}

/// Small whole numbers: every type holds them, and every sum is exact.
TEST(MatrixProduct, OfWholeNumbers) {
  struct {
    MatrixShape shape;
    T a, b, c, d;
  } rows[] = {
      {{16, 8, 8}, T::F16, T::F16, T::F32, T::F32},
      {{16, 8, 16}, T::F16, T::F16, T::F16, T::F16},
      {{16, 8, 16}, T::BF16, T::BF16, T::F32, T::F32},
      {{16, 8, 4}, T::TF32, T::TF32, T::F32, T::F32},
      {{16, 8, 8}, T::TF32, T::TF32, T::F32, T::F32},
      {{16, 8, 32}, T::E4M3, T::E5M2, T::F32, T::F32},
      {{16, 8, 16}, T::E5M2, T::E4M3, T::F16, T::F16},
      {{8, 8, 16}, T::S8, T::U8, T::S32, T::S32},
      {{16, 8, 16}, T::S8, T::S8, T::S32, T::S32},
      {{16, 8, 32}, T::S8, T::S8, T::S32, T::S32},
      {{16, 8, 64}, T::S4, T::S4, T::S32, T::S32},
      {{16, 16, 16}, T::F16, T::F16, T::F16, T::F32},
      {{32, 8, 16}, T::F16, T::F16, T::F32, T::F16},
      {{8, 32, 16}, T::BF16, T::BF16, T::F32, T::F32},
      {{16, 16, 8}, T::TF32, T::TF32, T::F32, T::F32},
  };
  std::mt19937 random(3);
  for (auto &row : rows) {
    auto [m, n, k] = row.shape;
    SCOPED_TRACE(::testing::Message()
                 << m << 'x' << n << 'x' << k << " type " << int(row.a));
    std::vector<double> a(m * k), b(n * k), c(m * n);
    auto fill = [&](std::vector<double> &values, bool isUnsigned) {
      for (double &x : values)
        x = int(random() % 8) - (isUnsigned ? 0 : 4);
    };
    fill(a, row.a == T::U8);
    fill(b, row.b == T::U8);
    fill(c, false);
    auto pack = [&](O operand, T type, unsigned count, auto value) {
      std::vector<std::vector<uint32_t>> regs(count, std::vector<uint32_t>(32));
      unsigned per = elementsPerRegister(type, operand);
      for (unsigned r = 0; r < count; ++r)
        for (unsigned lane = 0; lane < 32; ++lane)
          for (unsigned e = 0; e < per; ++e) {
            Position p = locate(operand, row.shape, type, lane, r, e);
            unsigned bits = 32 / per;
            uint32_t mask = bits == 32 ? ~0u : (1u << bits) - 1;
            regs[r][lane] |= (encode(value(p), type) & mask) << (bits * e);
          }
      return regs;
    };
    auto A = pack(O::A, row.a, countWmmaRegisters(O::A, row.shape, row.a),
                  [&](Position p) { return a[p.row * k + p.column]; });
    auto B = pack(O::B, row.b, countWmmaRegisters(O::B, row.shape, row.b),
                  [&](Position p) { return b[p.column * k + p.row]; });
    auto C = pack(O::C, row.c, countRegisters(O::C, row.shape, row.c),
                  [&](Position p) { return c[p.row * n + p.column]; });
    auto want = pack(O::C, row.d, countRegisters(O::C, row.shape, row.d),
                     [&](Position p) {
                       double sum = c[p.row * n + p.column];
                       for (unsigned l = 0; l < k; ++l)
                         sum += a[p.row * k + l] * b[p.column * k + l];
                       return sum;
                     });
    std::vector<std::vector<uint32_t>> D(want.size(),
                                         std::vector<uint32_t>(32));
    std::vector<const void *> pa, pb, pc;
    std::vector<void *> pd;
    for (auto &r : A)
      pa.push_back(r.data());
    for (auto &r : B)
      pb.push_back(r.data());
    for (auto &r : C)
      pc.push_back(r.data());
    for (auto &r : D)
      pd.push_back(r.data());
    MmaOp op;
    op.tile = {
        .shape = row.shape, .a = row.a, .b = row.b, .accumulator = row.d};
    op.c = row.c;
    multiplyFragments(op, pa, pb, pc, pd);
    ASSERT_EQ(D, want);
  }
}

TEST(MatrixProduct, QuadPairsAndDoubles) {
  // Quad pair q multiplies a[i][l] = i + q by b[l][j] = j + 1.
  std::vector<std::vector<uint32_t>> A(2, std::vector<uint32_t>(32)),
      B = A, C(8, std::vector<uint32_t>(32)), D = C;
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned i = 0; i < 4; ++i) {
      Position p = locateQuadPair(O::A, T::F16, true, lane, i / 2, i % 2);
      A[i / 2][lane] |= encode(p.row + getQuadPair(lane), T::F16)
                        << (i % 2 * 16);
      p = locateQuadPair(O::B, T::F16, false, lane, i / 2, i % 2);
      B[i / 2][lane] |= encode(p.column + 1, T::F16) << (i % 2 * 16);
    }
  const void *a[] = {A[0].data(), A[1].data()},
             *b[] = {B[0].data(), B[1].data()};
  std::vector<const void *> c;
  std::vector<void *> d;
  for (unsigned r = 0; r < 8; ++r) {
    std::fill(C[r].begin(), C[r].end(), toBits(0.5f));
    c.push_back(C[r].data());
    d.push_back(D[r].data());
  }
  MmaOp op;
  op.tile.shape = {8, 8, 4};
  multiplyFragments(op, a, b, c, d);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned r = 0; r < 8; ++r) {
      Position p = locateQuadPair(O::C, T::F32, true, lane, r, 0);
      EXPECT_EQ(toFloat(D[r][lane]),
                4.0f * float(p.row + getQuadPair(lane)) * float(p.column + 1) +
                    0.5f);
    }

  // f64: a chain of fma, whose order shows: (1 + 2^-53) + ... + -1.
  std::vector<double> x(32, 1.0), y(32), z(32, 0.0), w(32, 0.0);
  for (unsigned lane = 0; lane < 32; ++lane)
    y[lane] = std::array{1.0, 0x1p-53, 0x1p-53, -1.0}[lane % 4];
  const void *pa[] = {x.data()}, *pb[] = {y.data()};
  const void *pc[] = {z.data(), w.data()};
  void *pd[] = {z.data(), w.data()};
  op.tile = {
      .shape = {8, 8, 4}, .a = T::F64, .b = T::F64, .accumulator = T::F64};
  op.c = T::F64;
  multiplyFragments(op, pa, pb, pc, pd);
  for (unsigned lane = 0; lane < 32; ++lane)
    EXPECT_EQ(z[lane], 0.0);
}

/// One output of a 1 x 1 x k tile.
uint32_t dot(TileOp op, std::vector<double> a, std::vector<double> b,
             double c) {
  op.shape = {1, 1, unsigned(a.size())};
  std::vector<uint32_t> x, y;
  for (double v : a)
    x.push_back(encode(v, op.a));
  for (double v : b)
    y.push_back(encode(v, op.b));
  uint32_t sum = encode(c, op.accumulator);
  multiplyTile(op, x.data(), y.data(), &sum);
  return sum;
}

TEST(MatrixProduct, TensorCoreSums) {
  TileOp op = {.shape = {}, .a = T::BF16, .b = T::BF16};
  auto single = [&](std::vector<double> a, std::vector<double> b, double c) {
    return toFloat(dot(op, a, b, c));
  };
  // Two parts of half an ulp survive until the end: no rounding in between.
  EXPECT_EQ(single({0x1p-12, 0x1p-12}, {0x1p-12, 0x1p-12}, 1), 1 + 0x1p-23f);
  // One does not: cut toward zero.
  EXPECT_EQ(single({0x1p-12, 0}, {0x1p-12, 0}, 1), 1.0f);
  EXPECT_EQ(single({0x1.8p-12, 0}, {0x1p-11, 0}, 1), 1 + 0x1p-23f);
  // 2^-26 beside 1 is cut before the sum, whatever its sign.
  EXPECT_EQ(single({-0x1p-13}, {0x1p-13}, 1), 1.0f);
  EXPECT_EQ(single({-0x1p-13}, {0x1p-12}, 1), 1 - 0x1p-24f);
  // Against a large term that cancels, small ones are lost below 2^(E - 25).
  EXPECT_EQ(single({0x1p10, 0x1p-6}, {0x1p10, 1}, -0x1p20), 0.0f);
  EXPECT_EQ(single({0x1p10, 0x1p-5}, {0x1p10, 1}, -0x1p20), 0x1p-5f);
  // Exponents of factors are added, not normalised: 1.5 * 1.5 counts as 2^0.
  EXPECT_EQ(single({1.5, 0x1p-13}, {1.5, 0x1p-12}, -1.875), 0.375f + 0x1p-25f);
  // Chunks of 16 bf16: the second starts from a sum already cut.
  std::vector<double> a(32, 0.0), b(32, 1.0);
  a[0] = 0x1p-24, a[16] = 0x1p-24;
  EXPECT_EQ(single(a, b, 1), 1.0f);
  a[16] = 0, a[1] = 0x1p-24;
  EXPECT_EQ(single(a, b, 1), 1 + 0x1p-23f);
  // Negative sums are cut toward zero too; overflow is infinite.
  EXPECT_EQ(single({-0x1p-12}, {0x1p-12}, -1), -1.0f);
  EXPECT_EQ(toBits(single({0x1p100}, {0x1p100}, 0)), 0x7f800000u);
  EXPECT_EQ(toBits(single({-0x1p127, -0x1p127}, {1, 1}, 0)), 0xff800000u);
  EXPECT_EQ(toBits(single({0x1p-70}, {0x1p-70}, 0x1p-126)), 0x00800200u);
  EXPECT_EQ(toBits(single({0x1p-70}, {0x1p-70}, 0)), 0x00000200u);
  EXPECT_EQ(toBits(single({-1, 0}, {0, 0}, -0.0)), 0u);
  // Not numbers.
  double infinity = INFINITY;
  EXPECT_EQ(toBits(single({infinity}, {1}, 0)), 0x7f800000u);
  EXPECT_EQ(toBits(single({infinity}, {0}, 0)), nanF32);
  EXPECT_EQ(toBits(single({infinity, 1}, {1, -1}, -infinity)), nanF32);
  EXPECT_EQ(toBits(single({1}, {1}, NAN)), nanF32);
  EXPECT_EQ(toBits(single({0x1p127}, {0x1p127}, -infinity)), 0xff800000u);

  op = {.shape = {}, .a = T::F16, .b = T::F16, .accumulator = T::F16};
  // f16 accumulators: one rounding to nearest even.
  EXPECT_EQ(dot(op, {0x1p-11}, {1}, 1), 0x3c00u);
  EXPECT_EQ(dot(op, {0x1p-11, 0x1p-20}, {1, 1}, 1), 0x3c01u);
  EXPECT_EQ(dot(op, {256}, {256}, 0), 0x7c00u);
  EXPECT_EQ(dot(op, {infinity}, {0}, 0), 0x7fffu);

  op = {.shape = {}, .a = T::E4M3, .b = T::E4M3, .unit = MatrixUnit::Wgmma};
  // fp8 in wgmma: 13 bits.
  EXPECT_EQ(single({0x1p-7}, {0x1p-6}, 1), 1 + 0x1p-13f);
  EXPECT_EQ(single({0x1p-7}, {0x1p-7}, 1), 1.0f);
  EXPECT_EQ(single({1}, {1}, 0x1p-14), 1.0f);
  op.negateA = true;
  EXPECT_EQ(single({2}, {3}, 1), -5.0f);
  op.negateB = true;
  EXPECT_EQ(single({2}, {3}, 1), 7.0f);

  // The smallest e4m3 numbers keep the format's exponent -6 ...
  op = {.shape = {}, .a = T::E4M3, .b = T::E4M3, .unit = MatrixUnit::Wgmma};
  EXPECT_EQ(single({0x1p-9}, {0x1p-9}, 0), 0x1p-18f);
  EXPECT_EQ(single({0x1p-9, 0x1p-9}, {0x1p-8, 1.125 * 0x1p-9}, 0),
            0x1p-17f + 0x1p-18f);
  // fp8 in mma.sync: from zero, k % 4 < 2 first, the accumulator last.
  op = {.shape = {}, .a = T::E4M3, .b = T::E4M3};
  std::vector<double> x(32, 0.0), y(32, 1.0);
  x[0] = 1, x[1] = 0x1p-9;
  EXPECT_EQ(single(x, y, 0x1p-24), 1 + 0x1p-9f);
  EXPECT_EQ(single(x, y, 0x1.8p-24), 1 + 0x1p-9f + 0x1p-23f);
}

TEST(MatrixProduct, Integers) {
  TileOp op = {.shape = {}, .a = T::S8, .b = T::U8, .accumulator = T::S32};
  EXPECT_EQ(dot(op, {-128, 1}, {255, 255}, 5), uint32_t(-128 * 255 + 255 + 5));
  EXPECT_EQ(dot(op, {1}, {1}, INT32_MAX), 0x80000000u);
  op.satFinite = true;
  EXPECT_EQ(dot(op, {1}, {1}, INT32_MAX), 0x7fffffffu);
  EXPECT_EQ(dot(op, {-1}, {1}, INT32_MIN), 0x80000000u);
  // Elements need not be extended.
  op.a = op.b = T::S4;
  EXPECT_EQ(dot(op, {0xf8}, {0x07}, 0), uint32_t(-56));
  op = {.shape = {}, .a = T::B1, .b = T::B1, .accumulator = T::S32};
  EXPECT_EQ(dot(op, {1, 1, 0}, {1, 0, 0}, 7), 8u);
  op.isXor = true;
  EXPECT_EQ(dot(op, {1, 1, 0}, {1, 0, 1}, 7), 9u);
}

TEST(MatrixProduct, WgmmaByWarps) {
  constexpr unsigned n = 24, k = 16;
  TileOp op = {.shape = {64, n, k}, .unit = MatrixUnit::Wgmma};
  std::vector<uint32_t> a(16 * k), b(n * k);
  for (unsigned i = 0; i < 16; ++i)
    for (unsigned l = 0; l < k; ++l)
      a[i * k + l] = encode(l == i ? 2 : 0, T::F16);
  for (unsigned j = 0; j < n; ++j)
    for (unsigned l = 0; l < k; ++l)
      b[j * k + l] = encode(j * 16 + l, T::F16);
  for (bool scaleD : {false, true}) {
    std::vector<std::vector<uint32_t>> D(
        n / 2, std::vector<uint32_t>(32, toBits(1.0f)));
    std::vector<void *> d;
    for (auto &r : D)
      d.push_back(r.data());
    multiplyWgmma(op, a.data(), b.data(), scaleD, d);
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned r = 0; r < n / 2; ++r) {
        unsigned row = lane / 4 + (r & 2) * 4;
        unsigned column = r / 4 * 8 + lane % 4 * 2 + r % 2;
        ASSERT_EQ(toFloat(D[r][lane]),
                  2.0f * float(column * 16 + row) + (scaleD ? 1.0f : 0.0f));
      }
  }
}

} // namespace
