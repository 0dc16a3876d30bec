//===- SingleLaunch.h - One launch of any kernel ---------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Runs a kernel once on named tensors, on the CPU or on a GPU, from the same
// description, so that the bytes of both can be compared.
//
//===----------------------------------------------------------------------===//

#ifndef FK_BENCH_SINGLELAUNCH_H
#define FK_BENCH_SINGLELAUNCH_H

#include "fk/Bench/LaunchArguments.h"
#include "runtime/emulator/Emulator.h"
#include "runtime/support/Safetensors.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace fk {
class Device;
}

namespace fk::bench {

struct SingleLaunch {
  std::string file;  ///< how messages call the image
  std::string kind;  ///< "ptx", "cubin" or "fatbin"
  std::string image; ///< its bytes
  /// A kernel's name, mangled or as C++ writes it ("ns::f"); empty where the
  /// image has one.
  std::string entry;
  Extent3 grid = {1, 1, 1}, block = {1, 1, 1}, cluster = {1, 1, 1};
  bool hasCluster = false; ///< false: what the kernel says, or 1,1,1
  uint32_t sharedBytes = 0;
  std::vector<LaunchArgument> args;
};

/// The tensors of a file, in memory that a launch may write. Aligned to 256.
class LaunchTensors {
public:
  /// No tensor at all.
  LaunchTensors() = default;
  explicit LaunchTensors(std::shared_ptr<const SafetensorsFile> file);

  struct Tensor {
    std::string name;
    TensorView view; ///< as it was
    std::byte *data = nullptr;
    bool isChanged() const;
  };
  std::vector<Tensor> &get() { return tensors; }
  const std::vector<Tensor> &get() const { return tensors; }
  /// Throws Error that lists what there is.
  Tensor &find(const std::string &name, const std::string &where);
  /// The same tensors as they were in the file.
  LaunchTensors copyOriginal() const { return LaunchTensors(file); }

  /// Writes the file again with what the tensors are now: header, order and
  /// metadata are the input's. Aside, then renamed.
  void write(const std::filesystem::path &path) const;

private:
  struct Free {
    void operator()(std::byte *memory) const;
  };
  std::shared_ptr<const SafetensorsFile> file;
  std::unique_ptr<std::byte, Free> storage;
  std::vector<Tensor> tensors;
};

/// What a launch left behind apart from its tensors.
struct SingleLaunchReport {
  std::string entry; ///< the kernel that ran
  std::vector<emulator::Finding> findings;
  std::vector<std::string> lines; ///< of the findings, ready to be printed
  std::string printed;            ///< by the kernel; host only
  uint64_t warpInstructions = 0, laneInstructions = 0; ///< host only
};

struct SingleLaunchOptions {
  /// Seeded interleavings that are run besides the deterministic one.
  int schedules = 0;
  uint64_t seed = 1; ///< of the first
  uint64_t instructionBudget = uint64_t(1) << 32;
};

/// Checks the launch against the image and runs it over `tensors` in the
/// emulator. Throws Error for what is malformed.
SingleLaunchReport launchOnHost(const SingleLaunch &launch,
                                LaunchTensors &tensors,
                                const SingleLaunchOptions &options);

/// The same on a GPU. Throws Error (Wrong) where the kernel faults.
SingleLaunchReport launchOnCuda(const SingleLaunch &launch,
                                LaunchTensors &tensors, Device &device);

/// The one of `entries` that `wanted` names, mangled or as C++ writes it
/// without its parameters; the only one where it is empty. Throws Error that
/// lists those there are.
std::string chooseEntry(const std::vector<std::string> &entries,
                        const std::string &wanted, const std::string &file);

/// Checks block, cluster and arguments against what the PTX declares; the entry
/// and the cluster are completed. Throws Error.
void checkAgainst(const ptx::Module &module, SingleLaunch &launch);

} // namespace fk::bench

#endif // FK_BENCH_SINGLELAUNCH_H
