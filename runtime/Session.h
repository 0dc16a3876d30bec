//===- Session.h - A plan, ready to run on one device ----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_SESSION_H
#define FK_RUNTIME_SESSION_H

#include "runtime/Device.h"
#include "runtime/Kernel.h"
#include "runtime/Plan.h"
#include "runtime/support/Safetensors.h"

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fk {

struct Program; // runtime/Program.h

/// A tensor in host memory that owns its bytes.
struct HostTensor {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  int64_t getNumElements() const;
  template <typename T> std::span<T> as() {
    return {reinterpret_cast<T *>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <typename T> std::span<const T> as() const {
    return {reinterpret_cast<const T *>(bytes.data()),
            bytes.size() / sizeof(T)};
  }
};
using NamedTensors = std::vector<std::pair<std::string, HostTensor>>;

/// Upper bounds of the plan's symbols; memory is sized by them once.
struct SessionLimits {
  int64_t maxTokens = 0; ///< packed tokens of one call
  int64_t maxSeqs = 0;
  int64_t maxPositions = 0; ///< longest sequence, prompt and new tokens
  int64_t pages = 0;        ///< of each kv cache; 0 where no state is used
};

struct MemoryReport {
  size_t weights = 0, states = 0, arena = 0, workspace = 0, io = 0;
  size_t total() const { return weights + states + arena + workspace + io; }
};

/// One timed or observed launch.
struct LaunchRecord {
  std::string task, place, provider, kernel;
  /// Candidates bound here that do not serve these shapes; "" where none.
  std::string uncovered;
  double milliseconds = 0;
};

/// A plan with its memory, weights and kernels on one device. Several sessions
/// may live in a process, on the same or different devices, each used by one
/// thread at a time.
class Session {
public:
  Session(std::shared_ptr<const Plan> plan, std::shared_ptr<Device> device,
          SessionLimits limits);
  ~Session();

  const Plan &getPlan() const;
  const SessionLimits &getLimits() const;
  Device &getDevice();
  Stream &getStream();

  /// Loads and prepares every weight. Errors name the tensor and the file.
  /// `progress` gets bytes done and in all.
  using Progress = std::function<void(size_t done, size_t total)>;
  void loadWeights(const Checkpoint &checkpoint, const Progress &progress = {});
  /// Draws every weight, normal with standard deviation 0.02 (norm weights near
  /// 1), the same bf16 numbers on every device and for every dtype of the same
  /// seed.
  void drawWeights(uint64_t seed, const Progress &progress = {});

  /// Adds a provider of the caller's; it takes the place of fk's of that name.
  void addProvider(std::unique_ptr<Provider> provider);

  /// Sets the symbols (tokens, seqs; the others follow from the limits) and
  /// inputs of a function by parameter name, runs it and leaves results on the
  /// device until the next call. Inputs may be freed when it returns.
  /// `useGraph`: capture at the first call of these symbols, replay afterwards.
  void run(const std::string &function, const AxisValues &symbols,
           const std::map<std::string, HostTensor> &inputs,
           bool useGraph = false);
  /// A result of the last run, copied to the host.
  HostTensor getResult(const std::string &name);

  /// The longest sequence that length-dependent rotary tables are made for in
  /// the next runs; 0 (the default): as the run's positions say.
  void setLongestSequence(int64_t length);

  /// The launches of `function` at these symbols, bound to this session's memory;
  /// for measuring them apart. Valid until the next call on this session that
  /// binds other symbols.
  const Program &bind(const std::string &function, const AxisValues &symbols);
  /// Scratch that any launch bound so far may use, one at a time.
  void *getWorkspace();
  Provider &getProvider(const std::string &name);

  /// Runs `function` with an event around each launch.
  std::vector<LaunchRecord>
  profile(const std::string &function, const AxisValues &symbols,
          const std::map<std::string, HostTensor> &inputs);

  /// Called for every launch of the next runs, before and after it, with the
  /// stream drained; for checks in place. Empty: none. Graphs are not used.
  using Observer = std::function<void(const BoundLaunch &, bool after)>;
  void setObserver(Observer observer);

  MemoryReport getMemory() const;
  /// Kernel names chosen per place for the last run; for reports and tests.
  std::vector<LaunchRecord> getLaunches() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace fk

#endif // FK_RUNTIME_SESSION_H
