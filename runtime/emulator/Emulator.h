//===- Emulator.h - PTX on the CPU -----------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Runs kernels given as PTX text, and says what is wrong with them: accesses
// outside a buffer, undefined values that reach an address, a branch or a
// result, races, divergent barriers, deadlocks. Everything is deterministic:
// the same launch gives the same bytes and the same findings.
//
// Kernels see addresses of the emulator's own (regions lie far apart), never
// pointers of the host.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_EMULATOR_H
#define FK_RUNTIME_EMULATOR_EMULATOR_H

#include "runtime/emulator/Ptx.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fk::emulator {

/// A decoded PTX module. Immutable; launches may share it.
class Module {
public:
  /// Throws ptx::PtxError where the text is no PTX, or holds an instruction
  /// that the emulator does not execute.
  static std::shared_ptr<const Module> load(std::string_view text,
                                            std::string_view file);
  virtual ~Module() = default;
  virtual const ptx::Module &getPtx() const = 0;
};

enum class FindingKind : uint8_t {
  OutOfBounds,
  Misaligned,
  UninitializedMemory,   ///< bytes never written that reach a result
  UndefinedValue,        ///< as an address, a branch, a mask or a result
  ReadOnlyWrite,
  SharedRace,
  GlobalRace,
  DivergentBarrier,
  Deadlock,
  InstructionBudget,     ///< runs on and on
  SharedMemoryLimit,
  InvalidMask,           ///< of a shuffle, vote, match or warp barrier
  InvalidOperation,      ///< trap, a bad mbarrier or descriptor, a wild call
  ScheduleDependent,     ///< an output differs between schedules
};
/// "out of bounds"
std::string_view getName(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::InvalidOperation;
  std::string kernel;
  ptx::Location location;
  std::array<uint32_t, 3> block = {}, thread = {};
  uint64_t address = 0;
  std::string text; ///< "4 bytes at input + 1024, past its 1024 bytes"
  uint64_t count = 1; ///< how often at this instruction

  /// "k.ptx:31:3: out of bounds: ... (kernel f, block 0,0,0, thread 31,0,0)"
  std::string str(std::string_view file) const;
};

/// What a launch may touch, and what is known of each byte. A sequence of
/// launches shares one: what one wrote, the next may read.
class Memory {
public:
  struct RegionOptions {
    bool isWritable = true;
    bool isInitialized = true; ///< false: undefined until written
    /// A workspace: undefined values may be stored in it.
    bool isScratch = false;
  };
  Memory();
  ~Memory();
  Memory(Memory &&) noexcept;
  Memory &operator=(Memory &&) noexcept;

  /// Adds `bytes` bytes at `data`, which must outlive this; `name` is what
  /// findings call it. Returns its address in kernels, aligned to 256. Regions
  /// must not overlap in the host's memory.
  uint64_t addRegion(std::string name, void *data, size_t bytes,
                     RegionOptions options);
  uint64_t addRegion(std::string name, void *data, size_t bytes) {
    return addRegion(std::move(name), data, bytes, RegionOptions());
  }

  /// The bytes of the region named so that no launch has written and that were
  /// not initialised: how many, and where the first is.
  struct Unwritten {
    uint64_t count = 0, first = 0;
  };
  Unwritten getUnwritten(std::string_view name) const;

  struct Impl;
  Impl &get() { return *impl; }
  const Impl &get() const { return *impl; }

private:
  std::unique_ptr<Impl> impl;
};

struct LaunchConfig {
  std::string entry;
  std::array<uint32_t, 3> grid = {1, 1, 1}, block = {1, 1, 1};
  std::array<uint32_t, 3> cluster = {1, 1, 1};
  uint32_t dynamicShared = 0;
  /// One an entry's parameter: its bytes, as cuLaunchKernel would copy them.
  /// A pointer is an address that Memory::addRegion gave.
  std::vector<std::vector<std::byte>> args;
};

struct Options {
  /// Warp instructions a launch may execute before it counts as endless.
  uint64_t instructionBudget = uint64_t(1) << 34;
  /// 0: the deterministic schedule; else seeds an interleaving of warps.
  uint64_t scheduleSeed = 0;
  size_t maxFindings = 64; ///< distinct instructions reported
  unsigned threads = 0;    ///< of the host; 0: all cores
  bool checkRaces = true;
  /// Receives what the kernel prints; nullptr: stdout.
  std::string *printed = nullptr;
};

struct Report {
  std::vector<Finding> findings; ///< ordered by place, one an instruction
  uint64_t warpInstructions = 0;
  uint64_t laneInstructions = 0;
};

/// Runs one launch to its end. Throws Error (BadInput) where the launch itself
/// is malformed: no such entry, wrong number or size of arguments, more threads
/// or shared memory than a block may have.
Report launch(const Module &module, const LaunchConfig &config, Memory &memory,
              const Options &options = {});

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_EMULATOR_H
