//===- IntegerBits.h - Decoders of bit manipulation ------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_OPS_INTEGERBITS_H
#define FK_RUNTIME_EMULATOR_OPS_INTEGERBITS_H

#include "runtime/emulator/Decoder.h"

namespace fk::emulator {

std::remove_pointer_t<DecodeFunction> decodeDotProduct4, decodeDotProduct2,
    decodeAnd, decodeOr, decodeXor, decodeNot, decodeCnot, decodeLop3,
    decodeShl, decodeShr, decodeShf, decodePrmt, decodePopc, decodeClz,
    decodeBfind, decodeFns, decodeBrev, decodeBfe, decodeBfi, decodeBmsk,
    decodeSzext;

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_OPS_INTEGERBITS_H
