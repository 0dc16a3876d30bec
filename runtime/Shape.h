//===- Shape.h - Concrete shapes of a plan's tensors -----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_SHAPE_H
#define FK_RUNTIME_SHAPE_H

#include "runtime/Plan.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fk {

/// "[2, 7]".
std::string formatShape(std::span<const int64_t> shape);

/// "tokens = 3, hidden = 64".
std::string formatAxes(const AxisValues &axes);

/// The number of elements; throws Error (naming `where`) where it overflows.
int64_t countElements(std::span<const int64_t> shape, const std::string &where);

/// The extents for the symbols' values; throws Error where one is negative or
/// the tensor is absurdly large.
std::vector<int64_t> evaluateDims(const Dims &dims, const AxisValues &symbols,
                                  const std::string &where);

} // namespace fk

#endif // FK_RUNTIME_SHAPE_H
