//===- Weights.h - The weights of a session --------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_WEIGHTS_H
#define FK_RUNTIME_WEIGHTS_H

#include "runtime/Device.h"
#include "runtime/Kernel.h"
#include "runtime/Plan.h"
#include "runtime/support/Safetensors.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace fk {

/// All weights of a plan in one allocation. Checkpoint tensors are concatenated
/// and converted by threads that write into pinned staging memory (cuda) or in
/// place (host); rotary tables are computed.
class WeightStore {
public:
  using Progress = std::function<void(size_t done, size_t total)>;

  /// Allocates; `symbols` gives the extents of rotary tables.
  WeightStore(std::shared_ptr<const Plan> plan, Device &device,
              const AxisValues &symbols);

  /// Throws Error naming the tensor and the file that do not fit; then nothing
  /// was changed.
  void load(const Checkpoint &checkpoint, const Progress &progress);

  /// Draws every weight: normal (the sum of four uniforms) with standard
  /// deviation 0.02, around 1 for a weight of one dimension that is no bias. A
  /// value depends on the seed, the checkpoint tensor's name and the element's
  /// index there, so plans that concatenate weights differently agree.
  void draw(uint64_t seed, const Progress &progress);

  /// Whether every weight has values.
  bool isReady() const { return ready; }

  /// Makes the rotary tables fit a batch whose longest sequence has `length`
  /// positions; `stream` orders the change after earlier calls.
  void setLongestSequence(Stream &stream, int64_t length);

  const TensorRef &get(std::string_view name) const;
  size_t getBytes() const { return memory.size(); }

private:
  struct Entry {
    const PlanWeight *weight;
    TensorRef tensor;
    int64_t regime = -1; ///< of a rotary table's content; -1: no content
  };

  std::shared_ptr<const Plan> plan;
  Device &device;
  std::map<std::string, Entry, std::less<>> entries;
  DeviceBuffer memory;
  bool ready = false;
};

} // namespace fk

#endif // FK_RUNTIME_WEIGHTS_H
