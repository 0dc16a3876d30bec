//===- Launcher.h - Declared launches on a CUDA device ---------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One launcher serves fk's own kernels and candidates: a device image and
// declared launches (runtime/LaunchBinding.h) are bound to concrete tensors
// once; after that a launch only enqueues.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_CUDA_LAUNCHER_H
#define FK_RUNTIME_CUDA_LAUNCHER_H

#include "runtime/Device.h"
#include "runtime/Kernel.h"
#include "runtime/Plan.h"
#include "runtime/cuda/Driver.h"

#include <memory>
#include <span>
#include <string>

namespace fk::cuda {

/// A device image (PTX, cubin or fatbin) loaded on one device.
class Image {
public:
  /// `name` goes into messages. Throws Error with the driver's log where the
  /// image does not load.
  Image(Device &device, std::span<const std::byte> bytes, std::string name);
  ~Image();
  Image(const Image &) = delete;
  Image &operator=(const Image &) = delete;

  const std::string &getName() const { return name; }
  /// Throws Error where the image has no such kernel.
  Function getFunction(const std::string &entry) const;

private:
  Device &device;
  std::string name;
  Module module = nullptr;
};

/// Binds the launches of `variant`, whose kernels lie in `image`, to `launch`.
/// `entrySuffix` is appended to every entry ("_bf16"); `what` names the kernel
/// in messages. Throws Error where a limit is exceeded or the parameters do not
/// fit.
std::unique_ptr<Kernel>
bindVariant(Device &device, std::shared_ptr<const Image> image,
            const CandidateVariant &variant, const BoundLaunch &launch,
            const std::string &what, const std::string &entrySuffix = "");

} // namespace fk::cuda

#endif // FK_RUNTIME_CUDA_LAUNCHER_H
