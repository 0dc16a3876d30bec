//===- GuardedLaunch.h - Tensors between guard zones -----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_BENCH_GUARDEDLAUNCH_H
#define FK_LIB_BENCH_GUARDEDLAUNCH_H

#include "runtime/Device.h"
#include "runtime/Kernel.h"

#include <cstdint>
#include <string>
#include <vector>

namespace fk::bench {

/// Copies of a host launch's tensors on a device, each between guard zones that
/// hold a pattern. Results hold the pattern too: what a kernel leaves out
/// shows.
class GuardedLaunch {
public:
  /// 0xff makes every float a NaN and every index -1.
  GuardedLaunch(const BoundLaunch &host, Device &device, Stream &stream,
                uint8_t poison);

  const BoundLaunch &get() const { return launch; }
  /// Scratch of this size, poisoned and guarded as well.
  void *allocateWorkspace(size_t bytes);

  /// Copies everything back: results and states are then in getFetched(); lines
  /// say which guard zones or operands were written.
  std::vector<std::string> fetch();
  /// The launch with tensors in host memory.
  const BoundLaunch &getFetched() const { return fetched; }
  /// Whether every byte of the element still has the poison.
  bool isPoison(const TensorRef &tensor, int64_t element) const;

private:
  struct Piece {
    std::string name;
    DeviceBuffer buffer;
    size_t bytes = 0;
    const void *original = nullptr; ///< of an operand that must not change
    std::vector<uint8_t> contents;  ///< fetched, guards included
  };
  void *add(const std::string &name, const void *from, size_t bytes,
            bool isConstant);

  Device &device;
  Stream &stream;
  uint8_t poison;
  BoundLaunch launch, fetched;
  std::vector<Piece> pieces;
};

} // namespace fk::bench

#endif // FK_LIB_BENCH_GUARDEDLAUNCH_H
