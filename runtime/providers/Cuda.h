//===- Cuda.h - fk's own kernels as data -----------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_PROVIDERS_CUDA_H
#define FK_RUNTIME_PROVIDERS_CUDA_H

#include "runtime/Plan.h"

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace fk {
class Device;
} // namespace fk

namespace fk::cuda {

class Image;

/// The texts of a DeclaredLaunch; `grid` has one to three extents, `args` are
/// separated by blanks.
struct LaunchRow {
  std::string_view entry;
  std::vector<std::string_view> grid;
  std::string_view block, shared, args;
};

/// Those of a CandidateVariant.
struct VariantRow {
  std::string_view where, workspace;
  std::vector<LaunchRow> launches;
};

/// A kernel of the catalog: `dtypes` as there (empty: all), `unit` its .cu
/// file.
struct KernelRow {
  std::string_view name, dtypes, unit;
  std::vector<VariantRow> variants;
};

std::span<const KernelRow> getKernelRows();
/// nullptr where there is no such kernel of this type.
const KernelRow *findKernelRow(std::string_view name, DType dtype);
/// broadcast_rows, of no task and in no catalog: writes `bias` [features] into
/// every row of `result` [tokens, features].
const KernelRow &getBroadcastRow();
/// Loads the image of a .cu file of ours. Throws Error (Infrastructure) where
/// this build has none.
std::shared_ptr<const Image> loadUnit(Device &device, std::string_view unit);
/// Parses a row's expressions.
std::vector<CandidateVariant> declareKernel(const KernelRow &row);

} // namespace fk::cuda

#endif // FK_RUNTIME_PROVIDERS_CUDA_H
