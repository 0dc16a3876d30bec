//===- Shape.cpp - Concrete shapes of a plan's tensors --------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/Shape.h"

#include "runtime/support/Error.h"

using namespace fk;

std::string fk::formatShape(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string fk::formatAxes(const AxisValues &axes) {
  std::string text;
  for (const auto &[name, value] : axes)
    text += (text.empty() ? "" : ", ") + name + " = " + std::to_string(value);
  return text;
}

int64_t fk::countElements(std::span<const int64_t> shape,
                          const std::string &where) {
  // An element has at most 8 bytes; sizes in bytes must not overflow either.
  constexpr int64_t limit = int64_t(1) << 56;
  int64_t count = 1;
  for (int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count) ||
        count > limit)
      throw Error({.what = "a tensor's size is impossible",
                   .where = where,
                   .wanted = "at most 2^56 elements",
                   .got = formatShape(shape)});
  return count;
}

std::vector<int64_t> fk::evaluateDims(const Dims &dims,
                                      const AxisValues &symbols,
                                      const std::string &where) {
  std::vector<int64_t> shape;
  for (const Expr &dim : dims)
    shape.push_back(dim.evaluate(symbols));
  countElements(shape, where);
  return shape;
}
