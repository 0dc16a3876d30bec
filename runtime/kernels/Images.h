//===- Images.h - The device images built into fk --------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_KERNELS_IMAGES_H
#define FK_RUNTIME_KERNELS_IMAGES_H

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace fk::cuda {

/// The cubin of one .cu file, named by its stem.
struct KernelImage {
  std::string_view name;
  std::span<const std::byte> bytes;
};

/// Empty where no CUDA compiler was found when fk was configured.
std::span<const KernelImage> getKernelImages();

} // namespace fk::cuda

#endif // FK_RUNTIME_KERNELS_IMAGES_H
