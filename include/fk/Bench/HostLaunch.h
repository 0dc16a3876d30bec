//===- HostLaunch.h - A launch's tensors, copied to the host ---*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_BENCH_HOSTLAUNCH_H
#define FK_BENCH_HOSTLAUNCH_H

#include "runtime/Device.h"
#include "runtime/Kernel.h"

#include <vector>

namespace fk::bench {

/// The same launch over copies in host memory: the reference runs on it, and
/// the device's results can be fetched into it afterwards.
class HostLaunch {
public:
  /// Copies operands as they are now; results are left zero.
  HostLaunch(const BoundLaunch &launch, Stream &stream);

  const BoundLaunch &get() const { return host; }

  /// Copies the device's results, and the operands that the task writes
  /// (states), into a second set of buffers that `get()` does not see.
  BoundLaunch fetchResults(const BoundLaunch &launch, Stream &stream);

private:
  TensorRef allocate(const TensorRef &tensor);

  BoundLaunch host;
  std::vector<std::vector<std::byte>> buffers;
};

} // namespace fk::bench

#endif // FK_BENCH_HOSTLAUNCH_H
