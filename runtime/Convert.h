//===- Convert.h - Arrays between element types ----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_CONVERT_H
#define FK_RUNTIME_CONVERT_H

#include "runtime/support/DType.h"

#include <cstddef>
#include <cstdint>

namespace fk {

/// Round to nearest, ties to even; NaN stays NaN.
uint16_t floatToBFloat16(float value);
uint16_t floatToHalf(float value);
float halfToFloat(uint16_t bits);

/// Whether convertElements() knows the pair: equal types, or any two of F64,
/// F32, F16 and BF16.
bool canConvert(DType from, DType to);

/// Converts `count` elements; the arrays do not overlap.
void convertElements(const void *src, DType from, void *dst, DType to,
                     size_t count);

} // namespace fk

#endif // FK_RUNTIME_CONVERT_H
