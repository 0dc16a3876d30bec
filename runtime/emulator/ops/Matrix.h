//===- Matrix.h - What mma, wmma and wgmma share ---------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_OPS_MATRIX_H
#define FK_RUNTIME_EMULATOR_OPS_MATRIX_H

#include "runtime/emulator/MatrixMath.h"
#include "runtime/emulator/ops/Access.h"

#include <optional>

namespace fk::emulator {

/// The next modifier that is a matrix's element type.
std::optional<MatrixType> takeMatrixType(Modifiers &modifiers);
/// The next modifier of the form m16n8k16.
std::optional<MatrixShape> takeMatrixShape(Modifiers &modifiers);

/// A product in Inst::flags.
enum MatrixFlag : uint8_t {
  MatrixRowsFlag = 0,    ///< m
  MatrixColumnsFlag = 1, ///< n / 8
  MatrixDepthFlag = 2,   ///< k / 4
  MatrixTypeAFlag = 3,
  MatrixTypeBFlag = 4,
  MatrixTypeDFlag = 5,
  MatrixTypeCFlag = 6,
  MatrixBitsFlag = 7, ///< MatrixBit
};
enum MatrixBit : uint8_t {
  MatrixSaturates = 1,
  MatrixXor = 2,
  MatrixRowA = 4,
  MatrixColumnB = 8,
  MatrixNegatesA = 16,
  MatrixNegatesB = 32,
};
void setMatrixFlags(Inst &inst, const MmaOp &op);
MmaOp getMatrixOp(const Inst &inst);

/// Reports an .aligned instruction that not all running lanes execute.
void checkAlignedLanes(Warp &warp, const Inst &inst, uint32_t active);

/// The undefined bytes of an element in a register of 32 (or 64) bits.
inline uint16_t maskElementBytes(unsigned bits, unsigned element) {
  unsigned first = element * bits / 8, last = (element * bits + bits - 1) / 8;
  return static_cast<uint16_t>(((2u << last) - 1) & ~((1u << first) - 1));
}

/// The registers of a `{...}` operand, or of one alone.
std::vector<Reg> bindMatrixRegs(Decoder &decoder, const ptx::Operand &operand,
                                size_t count, size_t bytes, bool isDest);

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_OPS_MATRIX_H
