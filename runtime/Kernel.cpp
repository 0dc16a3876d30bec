//===- Kernel.cpp - Tensors and bound launches ---------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/Kernel.h"
#include "runtime/support/Error.h"

using namespace fk;

int64_t TensorRef::getNumElements() const {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

int64_t TensorRef::getSizeInBytes() const {
  return getNumElements() * fk::getSizeInBytes(dtype);
}

[[noreturn]] static void throwUnknown(const BoundLaunch &launch,
                                      std::string_view kind,
                                      std::string_view name) {
  throw Error({.what = "task '" + launch.task + "' has no " +
                       std::string(kind) + " '" + std::string(name) + "'",
               .where = launch.place});
}

const TensorRef &BoundLaunch::result(std::string_view name) const {
  for (const auto &[key, tensor] : results)
    if (key == name)
      return tensor;
  throwUnknown(*this, "result", name);
}

const TensorRef &BoundLaunch::operand(std::string_view name) const {
  static const TensorRef absent;
  for (const auto &[key, tensor] : operands)
    if (key == name)
      return tensor;
  return absent;
}

double BoundLaunch::scalar(std::string_view name) const {
  for (const LaunchScalar &scalar : scalars)
    if (scalar.name == name)
      return scalar.value;
  for (const LaunchScalar &variant : variants)
    if (variant.name == name)
      return variant.value;
  throwUnknown(*this, "scalar", name);
}

int64_t BoundLaunch::axis(std::string_view name) const {
  for (const auto &[key, value] : axes)
    if (key == name)
      return value;
  throwUnknown(*this, "axis", name);
}

AxisValues BoundLaunch::getAxisValues() const {
  AxisValues values;
  for (const auto &[name, value] : axes)
    values[name] = value;
  return values;
}
