//===- MatrixMath.h - mma, wmma, wgmma, ldmatrix ---------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Two things apart: where an element of a matrix lies in a warp's registers
// (index functions), and what a product of two tiles is (multiplyTile).
//
// Integers wrap or clamp, f64 is a chain of fma in the order of k. The sums of
// the other types follow what has been published of Hopper's tensor cores
// (Xie et al., "MMA-Sim", 2025), which is not IEEE arithmetic:
//
//   For each chunk of k (32 bytes of an operand's row): products are exact;
//   products and accumulator are cut, toward zero, to a multiple of
//   2^(E - F), where E is the largest exponent among them (the sum of the
//   factors' exponents, not normalised; at least -126) and F is 25, or 13 for
//   fp8 in wgmma; the cut terms are added exactly; the sum is cut toward zero
//   to f32 (overflow gives infinity; wgmma on fp8 keeps 13 mantissa bits), or
//   rounded to nearest even for an f16 accumulator.
//
// Against the exact sum each chunk of n products errs by less than
// (n + 1) * 2^(E - F) plus one unit of the result's last place.
//
// Two of mma.sync's shapes have no unit on sm_90; they are what ptxas 13 makes
// of them. fp8: widened to f16, the products with k % 4 < 2 first, then the
// rest, each half a chunk, from zero; the accumulator is added last, to
// nearest. m8n8k4 of f16: a chain of f32 fma from zero, then the same addition.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_MATRIXMATH_H
#define FK_RUNTIME_EMULATOR_MATRIXMATH_H

#include <cstdint>
#include <span>

namespace fk::emulator {

enum class MatrixType : uint8_t {
  F16,
  BF16,
  TF32,
  E4M3,
  E5M2, ///< A and B; F16 also C and D
  S8,
  U8,
  S4,
  U4,
  B1, ///< A and B
  F32,
  S32, ///< C and D
  F64, ///< all four
};
unsigned getBits(MatrixType type);
/// Whether the pair of a register's halves, not the register, is an element.
bool isPackedAccumulator(MatrixType type);

struct MatrixShape {
  unsigned m = 0, n = 0, k = 0;
  bool operator==(const MatrixShape &) const = default;
};

//===-- Products of tiles -------------------------------------------------===//

/// Which unit of the GPU: they differ for fp8.
enum class MatrixUnit : uint8_t { Mma, Wgmma };

struct TileOp {
  MatrixShape shape;
  MatrixType a = MatrixType::F16, b = MatrixType::F16;
  MatrixType accumulator = MatrixType::F32;
  MatrixUnit unit = MatrixUnit::Mma;
  bool satFinite = false;                ///< integers clamp
  bool negateA = false, negateB = false; ///< wgmma's imm-scale-a, -b of -1
  bool isXor = false;                    ///< b1: .xor.popc, else .and.popc
};

/// c[i * n + j] += sum over l of a[i * k + l] * b[j * k + l]. Elements are bits
/// in the low end of a word (tf32: the register, whose low 13 bits are dropped;
/// narrow integers need not be extended).
void multiplyTile(const TileOp &op, const uint32_t *a, const uint32_t *b,
                  uint32_t *c);
/// The same for f64.
void multiplyTileF64(MatrixShape shape, const double *a, const double *b,
                     double *c);

//===-- Fragments ---------------------------------------------------------===//

enum class MatrixOperand : uint8_t { A, B, C }; ///< D lies as C

/// Of A: row of M, column of K. Of B: row of K, column of N. Of C: M, N.
struct Position {
  unsigned row = 0, column = 0;
  bool operator==(const Position &) const = default;
};

/// Registers a lane that hold each element once: 32-bit ones, 64-bit for F64.
unsigned countRegisters(MatrixOperand operand, MatrixShape shape,
                        MatrixType type);
/// Registers that a wmma fragment has; f16's A and B repeat their contents.
unsigned countWmmaRegisters(MatrixOperand operand, MatrixShape shape,
                            MatrixType type);

/// Where element `element` of lane `lane`'s register `reg` lies, for every
/// shape of mma.sync but m8n8k4 of f16, and for wmma (whose fragments the ISA
/// leaves open; here a tile is made of mma's). Elements count from the low end.
Position locate(MatrixOperand operand, MatrixShape shape, MatrixType type,
                unsigned lane, unsigned reg, unsigned element);

/// mma.m8n8k4 of f16: four products, one a quad pair (lanes 4q.. and 16 +
/// 4q..). `isRow` is the layout in the instruction's text.
unsigned getQuadPair(unsigned lane);
Position locateQuadPair(MatrixOperand operand, MatrixType type, bool isRow,
                        unsigned lane, unsigned reg, unsigned element);

/// wgmma: D, and A in registers, of warp `warp` (0..3) of the warpgroup. `reg`
/// counts as in the instruction's list.
Position locateWgmma(MatrixOperand operand, MatrixShape shape, MatrixType type,
                     unsigned warp, unsigned lane, unsigned reg,
                     unsigned element);

/// Each points to a register's 32 lanes: uint32_t, or uint64_t for F64.
using FragmentRegs = std::span<const void *const>;
using MutableFragmentRegs = std::span<void *const>;

/// mma.sync and wmma.mma: D = A * B + C for a whole warp. D may be C. isRowA
/// and isColumnB matter to m8n8k4 of f16 alone. C and D may differ in type
/// (f16, f32) for wmma and m8n8k4; the sum has D's.
struct MmaOp {
  TileOp tile; ///< tile.accumulator: D's type
  MatrixType c = MatrixType::F32;
  bool isRowA = true, isColumnB = true;
};
void multiplyFragments(const MmaOp &op, FragmentRegs a, FragmentRegs b,
                       FragmentRegs c, MutableFragmentRegs d);

/// A warp's 16 rows of wgmma: `a` has 16 * k elements (from registers by
/// gatherFragment, or from shared memory), `b` n * k (b[j * k + l]); D is added
/// to, or overwritten where `scaleD` is false.
void multiplyWgmma(const TileOp &op, const uint32_t *a, const uint32_t *b,
                   bool scaleD, MutableFragmentRegs d);

/// A warp's fragment as a dense matrix in rows: A as [m][k], B as [n][k].
/// m is 16 for one warp's share of wgmma.
void gatherFragment(MatrixOperand operand, MatrixShape shape, MatrixType type,
                    FragmentRegs regs, uint32_t *dense);

//===-- ldmatrix, stmatrix, movmatrix of 8x8 b16
//----------------------------===//

/// ldmatrix and stmatrix: element 0 or 1 of `lane`'s register `matrix` is at
/// `byte` past the row address that lane `addressLane` gives.
struct MatrixPlace {
  unsigned addressLane = 0, byte = 0;
};
constexpr MatrixPlace locateMatrix(unsigned matrix, unsigned lane,
                                   unsigned element, bool isTransposed) {
  unsigned outer = lane / 4, inner = lane % 4 * 2 + element;
  unsigned row = isTransposed ? inner : outer;
  unsigned column = isTransposed ? outer : inner;
  return {8 * matrix + row, 2 * column};
}
/// movmatrix.trans: which lane's which half becomes element 0 or 1 of `lane`.
struct LaneHalf {
  unsigned lane = 0, element = 0;
};
constexpr LaneHalf transposeSource(unsigned lane, unsigned element) {
  unsigned row = lane % 4 * 2 + element, column = lane / 4;
  return {row * 4 + column / 2, column % 2};
}

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_MATRIXMATH_H
