//===- Outputs.cuh - Where a product's results go --------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_KERNELS_OUTPUTS_CUH
#define FK_RUNTIME_KERNELS_OUTPUTS_CUH

#include "Common.cuh"

namespace fk {

/// Where an output goes: three tensors over one range of rows (qkv_linear), or one.
template <typename T> struct Outputs {
  T *first, *second, *third;
  int firstSize, otherSize;

  __device__ __forceinline__ T *at(int token, int row) const {
    if (row < firstSize)
      return first + int64_t(token) * firstSize + row;
    row -= firstSize;
    T *base = row < otherSize ? second : third;
    row -= row < otherSize ? 0 : otherSize;
    return base + int64_t(token) * otherSize + row;
  }
};

} // namespace fk

#endif // FK_RUNTIME_KERNELS_OUTPUTS_CUH
