//===- Upload.h - Filling device memory by threads -------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_UPLOAD_H
#define FK_RUNTIME_UPLOAD_H

#include "runtime/Device.h"

#include <functional>
#include <vector>

namespace fk {

/// A piece of device memory and the function that makes its content in host
/// memory; called on any thread, once.
struct UploadPiece {
  void *dst = nullptr;
  size_t bytes = 0;
  std::function<void(void *host)> make;
};

/// The largest piece that upload() stages.
inline constexpr size_t uploadPieceBytes = size_t(8) << 20;

/// Makes and uploads all pieces and waits until they have arrived. On a CUDA
/// device each thread fills two pinned buffers in turn while the other one is
/// being copied. `progress` is called on the calling thread.
void upload(Device &device, const std::vector<UploadPiece> &pieces,
            const std::function<void(size_t done, size_t total)> &progress);

} // namespace fk

#endif // FK_RUNTIME_UPLOAD_H
