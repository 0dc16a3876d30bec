//===- MatrixLayout.cpp - Where fragments keep their elements -------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// All shapes of mma.sync but one are the same picture: a lane is a row (or a
// column) of eight and a quarter of a row of four registers' worth. Larger
// tiles of wmma put such pictures side by side.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Convert.h"
#include "runtime/emulator/MatrixMath.h"

#include <cstring>
#include <vector>

using namespace fk::emulator;

namespace {

constexpr unsigned lanes = 32;

/// Elements in a register.
unsigned perRegister(MatrixType type) {
  return type == MatrixType::F64 ? 1 : 32 / getBits(type);
}

/// Registers that cover k for one row.
unsigned countSteps(unsigned k, MatrixType type) {
  return k / (4 * perRegister(type));
}

uint32_t readElement(const void *reg, unsigned lane, unsigned element,
                     unsigned bits) {
  uint32_t word = static_cast<const uint32_t *>(reg)[lane];
  return bits == 32 ? word : word >> (element * bits) & ((1u << bits) - 1);
}

/// Accumulators are dense as f32, s32 or the bits of f16.
void gatherAccumulator(MatrixShape shape, MatrixType type, MatrixType to,
                       FragmentRegs regs, uint32_t *dense) {
  bool isPacked = isPackedAccumulator(type);
  unsigned bits = isPacked ? 16 : 32;
  for (unsigned r = 0; r < regs.size(); ++r)
    for (unsigned lane = 0; lane < lanes; ++lane)
      for (unsigned e = 0; e < 32 / bits; ++e) {
        Position p = locate(MatrixOperand::C, shape, type, lane, r, e);
        uint32_t value = readElement(regs[r], lane, e, bits);
        if (isPacked && to == MatrixType::F32)
          value = toBits(f16ToF32(static_cast<uint16_t>(value)));
        else if (!isPacked && to == MatrixType::F16)
          value = f32ToF16(toFloat(value));
        dense[p.row * shape.n + p.column] = value;
      }
}

void scatterAccumulator(MatrixShape shape, MatrixType type,
                        const uint32_t *dense, MutableFragmentRegs regs) {
  unsigned perReg = isPackedAccumulator(type) ? 2 : 1;
  for (unsigned r = 0; r < regs.size(); ++r)
    for (unsigned lane = 0; lane < lanes; ++lane) {
      uint32_t word = 0;
      for (unsigned e = 0; e < perReg; ++e) {
        Position p = locate(MatrixOperand::C, shape, type, lane, r, e);
        word |= dense[p.row * shape.n + p.column] << (16 * e);
      }
      static_cast<uint32_t *>(regs[r])[lane] = word;
    }
}

void multiplyF64(MatrixShape shape, FragmentRegs a, FragmentRegs b,
                 FragmentRegs c, MutableFragmentRegs d) {
  auto [m, n, k] = shape;
  std::vector<double> left(size_t(m) * k), right(size_t(n) * k),
      sum(size_t(m) * n);
  auto each = [&](MatrixOperand operand, size_t count, auto fn) {
    for (unsigned r = 0; r < count; ++r)
      for (unsigned lane = 0; lane < lanes; ++lane)
        fn(r, lane, locate(operand, shape, MatrixType::F64, lane, r, 0));
  };
  auto read = [](FragmentRegs regs, unsigned r, unsigned lane) {
    return static_cast<const double *>(regs[r])[lane];
  };
  each(MatrixOperand::A, a.size(), [&](unsigned r, unsigned lane, Position p) {
    left[p.row * k + p.column] = read(a, r, lane);
  });
  each(MatrixOperand::B, b.size(), [&](unsigned r, unsigned lane, Position p) {
    right[p.column * k + p.row] = read(b, r, lane);
  });
  each(MatrixOperand::C, c.size(), [&](unsigned r, unsigned lane, Position p) {
    sum[p.row * n + p.column] = read(c, r, lane);
  });
  multiplyTileF64(shape, left.data(), right.data(), sum.data());
  each(MatrixOperand::C, d.size(), [&](unsigned r, unsigned lane, Position p) {
    static_cast<double *>(d[r])[lane] = sum[p.row * n + p.column];
  });
}

/// m8n8k4 of f16: four products of 8x8x4.
void multiplyQuadPairs(const MmaOp &op, FragmentRegs a, FragmentRegs b,
                       FragmentRegs c, MutableFragmentRegs d) {
  MatrixType type = op.tile.accumulator;
  uint32_t left[4][8 * 4], right[4][8 * 4], sum[4][8 * 8];
  for (unsigned lane = 0; lane < lanes; ++lane) {
    unsigned q = getQuadPair(lane);
    for (unsigned r = 0; r < 2; ++r)
      for (unsigned e = 0; e < 2; ++e) {
        Position p = locateQuadPair(MatrixOperand::A, MatrixType::F16,
                                    op.isRowA, lane, r, e);
        left[q][p.row * 4 + p.column] = readElement(a[r], lane, e, 16);
        p = locateQuadPair(MatrixOperand::B, MatrixType::F16, !op.isColumnB,
                           lane, r, e);
        right[q][p.column * 4 + p.row] = readElement(b[r], lane, e, 16);
      }
    bool isPacked = isPackedAccumulator(op.c);
    for (unsigned r = 0; r < c.size(); ++r)
      for (unsigned e = 0; e < (isPacked ? 2 : 1); ++e) {
        Position p = locateQuadPair(MatrixOperand::C, op.c, true, lane, r, e);
        uint32_t value = readElement(c[r], lane, e, isPacked ? 16 : 32);
        if (isPacked && type == MatrixType::F32)
          value = toBits(f16ToF32(static_cast<uint16_t>(value)));
        else if (!isPacked && type == MatrixType::F16)
          value = f32ToF16(toFloat(value));
        sum[q][p.row * 8 + p.column] = value;
      }
  }
  for (unsigned q = 0; q < 4; ++q)
    multiplyTile(op.tile, left[q], right[q], sum[q]);
  bool isPacked = isPackedAccumulator(type);
  for (unsigned r = 0; r < d.size(); ++r)
    for (unsigned lane = 0; lane < lanes; ++lane) {
      uint32_t word = 0;
      for (unsigned e = 0; e < (isPacked ? 2 : 1); ++e) {
        Position p = locateQuadPair(MatrixOperand::C, type, true, lane, r, e);
        word |= sum[getQuadPair(lane)][p.row * 8 + p.column] << (16 * e);
      }
      static_cast<uint32_t *>(d[r])[lane] = word;
    }
}

} // namespace

unsigned fk::emulator::countRegisters(MatrixOperand operand, MatrixShape shape,
                                      MatrixType type) {
  unsigned elements = operand == MatrixOperand::A   ? shape.m * shape.k
                      : operand == MatrixOperand::B ? shape.k * shape.n
                                                    : shape.m * shape.n;
  return elements / lanes / perRegister(type);
}

unsigned fk::emulator::countWmmaRegisters(MatrixOperand operand,
                                          MatrixShape shape, MatrixType type) {
  if (operand != MatrixOperand::C && type == MatrixType::F16)
    return 8;
  return countRegisters(operand, shape, type);
}

Position fk::emulator::locate(MatrixOperand operand, MatrixShape shape,
                              MatrixType type, unsigned lane, unsigned reg,
                              unsigned element) {
  unsigned group = lane / 4, quarter = lane % 4;
  reg %= countRegisters(operand, shape, type);
  unsigned height = shape.m >= 16 ? 2 : 1; // registers that are rows apart
  if (operand == MatrixOperand::C) {
    bool isPacked = isPackedAccumulator(type);
    unsigned perBlock = isPacked ? height : 2 * height;
    unsigned block = reg / perBlock, inside = reg % perBlock;
    unsigned columns = shape.n / 8;
    unsigned row = isPacked ? inside : inside / 2;
    unsigned column = isPacked ? element : inside % 2;
    return {block / columns * 16 + row * 8 + group,
            block % columns * 8 + quarter * 2 + column};
  }
  unsigned width = perRegister(type), steps = countSteps(shape.k, type);
  if (operand == MatrixOperand::A) {
    unsigned block = reg / (steps * height), inside = reg % (steps * height);
    return {block * 16 + inside % height * 8 + group,
            (inside / height * 4 + quarter) * width + element};
  }
  return {(reg % steps * 4 + quarter) * width + element,
          reg / steps * 8 + group};
}

unsigned fk::emulator::getQuadPair(unsigned lane) { return lane / 4 % 4; }

Position fk::emulator::locateQuadPair(MatrixOperand operand, MatrixType type,
                                      bool isRow, unsigned lane, unsigned reg,
                                      unsigned element) {
  unsigned inner = lane % 4, half = lane < 16 ? 0 : 4;
  if (operand == MatrixOperand::C) {
    if (isPackedAccumulator(type))
      return {inner + half, reg * 2 + element};
    return {half + (lane & 1) + (reg & 2), (reg & 4) + (lane & 2) + (reg & 1)};
  }
  unsigned i = reg * 2 + element;
  if (operand == MatrixOperand::A)
    return isRow ? Position{inner + half, i} : Position{i + half, inner};
  return isRow ? Position{inner, i + half} : Position{i, inner + half};
}

Position fk::emulator::locateWgmma(MatrixOperand operand, MatrixShape shape,
                                   MatrixType type, unsigned warp,
                                   unsigned lane, unsigned reg,
                                   unsigned element) {
  Position p =
      locate(operand, {16, shape.n, shape.k}, type, lane, reg, element);
  return {p.row + 16 * warp, p.column};
}

void fk::emulator::gatherFragment(MatrixOperand operand, MatrixShape shape,
                                  MatrixType type, FragmentRegs regs,
                                  uint32_t *dense) {
  unsigned bits = getBits(type), unique = countRegisters(operand, shape, type);
  for (unsigned r = 0; r < unique; ++r)
    for (unsigned lane = 0; lane < lanes; ++lane)
      for (unsigned e = 0; e < 32 / bits; ++e) {
        Position p = locate(operand, shape, type, lane, r, e);
        size_t index = operand == MatrixOperand::A
                           ? size_t(p.row) * shape.k + p.column
                           : size_t(p.column) * shape.k + p.row;
        dense[index] = readElement(regs[r], lane, e, bits);
      }
}

void fk::emulator::multiplyFragments(const MmaOp &op, FragmentRegs a,
                                     FragmentRegs b, FragmentRegs c,
                                     MutableFragmentRegs d) {
  MatrixShape shape = op.tile.shape;
  if (op.tile.a == MatrixType::F64)
    return multiplyF64(shape, a, b, c, d);
  if (op.tile.a == MatrixType::F16 && shape == MatrixShape{8, 8, 4})
    return multiplyQuadPairs(op, a, b, c, d);
  std::vector<uint32_t> left(size_t(shape.m) * shape.k),
      right(size_t(shape.n) * shape.k), sum(size_t(shape.m) * shape.n);
  gatherFragment(MatrixOperand::A, shape, op.tile.a, a, left.data());
  gatherFragment(MatrixOperand::B, shape, op.tile.b, b, right.data());
  gatherAccumulator(shape, op.c, op.tile.accumulator, c, sum.data());
  multiplyTile(op.tile, left.data(), right.data(), sum.data());
  scatterAccumulator(shape, op.tile.accumulator, sum.data(), d);
}

void fk::emulator::multiplyWgmma(const TileOp &op, const uint32_t *a,
                                 const uint32_t *b, bool scaleD,
                                 MutableFragmentRegs d) {
  TileOp tile = op;
  tile.shape.m = 16;
  std::vector<uint32_t> sum(size_t(16) * tile.shape.n);
  if (scaleD) {
    std::vector<const void *> regs(d.begin(), d.end());
    gatherAccumulator(tile.shape, op.accumulator, op.accumulator, regs,
                      sum.data());
  }
  multiplyTile(tile, a, b, sum.data());
  scatterAccumulator(tile.shape, op.accumulator, sum.data(), d);
}
