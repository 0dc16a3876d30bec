//===- LaunchCase.h - A launch that owns its tensors -----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Tests and `fk kernels` build launches of tasks from shapes and values.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_LAUNCHCASE_H
#define FK_RUNTIME_REFERENCE_LAUNCHCASE_H

#include "runtime/Kernel.h"
#include "runtime/reference/Scalar.h"

#include <cmath>
#include <deque>
#include <random>
#include <string>
#include <vector>

namespace fk::reference {

inline double read(const TensorRef &tensor, size_t i) {
  switch (tensor.dtype) {
  case DType::F32:
    return static_cast<const float *>(tensor.data)[i];
  case DType::BF16:
    return widen(static_cast<const BF16 *>(tensor.data)[i]);
  case DType::F16:
    return widen(static_cast<const F16 *>(tensor.data)[i]);
  case DType::I64:
    return double(static_cast<const int64_t *>(tensor.data)[i]);
  default:
    return static_cast<const int32_t *>(tensor.data)[i];
  }
}

inline void write(const TensorRef &tensor, size_t i, double value) {
  switch (tensor.dtype) {
  case DType::F32:
    return store(static_cast<float *>(tensor.data)[i], value);
  case DType::BF16:
    return store(static_cast<BF16 *>(tensor.data)[i], value);
  case DType::F16:
    return store(static_cast<F16 *>(tensor.data)[i], value);
  case DType::I64:
    static_cast<int64_t *>(tensor.data)[i] = int64_t(value);
    return;
  default:
    static_cast<int32_t *>(tensor.data)[i] = int32_t(value);
  }
}

/// A launch that owns its tensors.
class LaunchCase {
public:
  using Shape = std::vector<int64_t>;

  LaunchCase(std::string task, DType dtype, unsigned seed = 1) : random(seed) {
    launch.task = std::move(task);
    launch.place = "test";
    launch.dtype = dtype;
  }

  LaunchCase &axis(const std::string &name, int64_t value) {
    launch.axes.emplace_back(name, value);
    return *this;
  }
  LaunchCase &scalar(const std::string &name, double value,
                     DType type = DType::F32) {
    launch.scalars.push_back({name, type, value});
    return *this;
  }
  LaunchCase &result(const std::string &name, Shape shape) {
    return result(name, std::move(shape), launch.dtype);
  }
  LaunchCase &result(const std::string &name, Shape shape, DType type) {
    launch.results.emplace_back(name, allocate(std::move(shape), type));
    return *this;
  }
  /// Normal around `mean`.
  LaunchCase &normal(const std::string &name, Shape shape, double deviation = 1,
                     double mean = 0) {
    TensorRef tensor = allocate(std::move(shape), launch.dtype);
    std::normal_distribution<double> draw(mean, deviation);
    for (int64_t i = 0; i < tensor.getNumElements(); ++i)
      write(tensor, i, draw(random));
    launch.operands.emplace_back(name, tensor);
    return *this;
  }
  LaunchCase &values(const std::string &name, Shape shape, DType type,
                     const std::vector<double> &from) {
    TensorRef tensor = allocate(std::move(shape), type);
    for (int64_t i = 0; i < tensor.getNumElements(); ++i)
      write(tensor, i, from[i % from.size()]);
    launch.operands.emplace_back(name, tensor);
    return *this;
  }
  LaunchCase &values(const std::string &name, Shape shape,
                     const std::vector<double> &from) {
    return values(name, std::move(shape), launch.dtype, from);
  }
  LaunchCase &integers(const std::string &name,
                       const std::vector<double> &from) {
    return values(name, {int64_t(from.size())}, DType::I32, from);
  }
  LaunchCase &variant(const std::string &name, double value,
                      DType type = DType::F32) {
    launch.variants.push_back({name, type, value});
    return *this;
  }
  /// A tensor that the caller fills.
  LaunchCase &operand(const std::string &name, Shape shape, DType type) {
    launch.operands.emplace_back(name, allocate(std::move(shape), type));
    return *this;
  }
  LaunchCase &absent(const std::string &name) {
    launch.operands.emplace_back(name, TensorRef());
    return *this;
  }

  BoundLaunch launch;

private:
  TensorRef allocate(Shape shape, DType type) {
    TensorRef tensor{nullptr, type, std::move(shape)};
    storage.emplace_back(tensor.getSizeInBytes() + 1);
    tensor.data = storage.back().data();
    return tensor;
  }

  std::mt19937 random;
  std::deque<std::vector<std::byte>> storage;
};

/// Rows of cosines, then sines, of `pairs` pairs at `positions` positions.
inline std::vector<double> getCosSin(int positions, int pairs) {
  std::vector<double> table;
  for (int p = 0; p < positions; ++p)
    for (int i = 0; i < 2 * pairs; ++i) {
      double angle = p * std::pow(10000.0, -double(i % pairs) / pairs);
      table.push_back(i < pairs ? std::cos(angle) : std::sin(angle));
    }
  return table;
}

} // namespace fk::reference

#endif // FK_RUNTIME_REFERENCE_LAUNCHCASE_H
