//===- Wmma.h - wmma ------------------------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_OPS_WMMA_H
#define FK_RUNTIME_EMULATOR_OPS_WMMA_H

#include "runtime/emulator/ops/Matrix.h"

namespace fk::emulator {

/// D = A * B + C on a warp's fragments, for the active lanes. ops/Matrix.cpp.
void runProduct(Warp &warp, const MmaOp &op, std::span<const Reg> a,
                std::span<const Reg> b, std::span<const Reg> c,
                std::span<const Reg> d, uint32_t active);

void decodeWmma(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst);

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_OPS_WMMA_H
