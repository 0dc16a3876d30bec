//===- Space.h - Memory that knows what was done to it ---------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every byte a kernel may write carries whether it is defined and who touched
// it last. Two accesses race when one writes and no chain of barriers, fences
// and atomics orders them: each warp has a clock, and knows up to which clock
// it has seen the others (vector clocks, as in FastTrack: Flanagan and Freund,
// PLDI 2009).
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_SPACE_H
#define FK_RUNTIME_EMULATOR_SPACE_H

#include "runtime/emulator/Emulator.h"
#include "runtime/emulator/Kernel.h"

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace fk::emulator {

//===----------------------------------------------------------------------===//
// Happens-before
//===----------------------------------------------------------------------===//

/// Warps of other blocks: by serial of the block * 32 + warp.
using ForeignClocks = std::map<uint64_t, uint32_t>;

/// What a warp, a barrier or a word of memory has seen.
struct ClockVector {
  uint32_t block = 0; ///< serial of the block that `warps` belong to; 0: empty
  std::array<uint32_t, 32> warps = {};
  std::shared_ptr<const ForeignClocks> foreign;

  /// Sees all that `other` has seen.
  void join(const ClockVector &other);
};

struct Clock {
  uint32_t warp = 0;
  ClockVector seen;     ///< seen.warps[warp] is this warp's own clock
  ClockVector fenced;   ///< at the last fence: what relaxed stores publish
  ClockVector observed; ///< read by relaxed loads, seen at the next fence

  uint32_t now() const { return seen.warps[warp]; }
  /// After publishing `seen`, what follows is later.
  void advance() { ++seen.warps[warp]; }
  void fence() {
    seen.join(observed);
    fenced = seen;
    advance();
  }
};

/// Who accessed a byte: instruction (16 bits), clock (17), thread (10), several
/// lanes (1), atomic (1), serial of the block (19). 0: nobody.
struct Epoch {
  uint64_t bits = 0;

  static Epoch make(uint32_t block, uint32_t thread, uint32_t clock,
                    uint32_t inst, bool isAtomic) {
    return {(uint64_t(block & 0x7ffff) << 45) | (uint64_t(isAtomic) << 44) |
            (uint64_t(thread) << 33) | (uint64_t(clock & 0x1ffff) << 16) |
            (inst < 0xffff ? inst : 0xffff)};
  }
  static constexpr uint64_t severalBit = uint64_t(1) << 43;
  uint32_t block() const { return bits >> 45; }
  bool isAtomic() const { return (bits >> 44) & 1; }
  bool isSeveral() const { return (bits >> 43) & 1; }
  uint32_t thread() const { return (bits >> 33) & 0x3ff; }
  uint32_t clock() const { return (bits >> 16) & 0x1ffff; }
  uint32_t inst() const { return bits & 0xffff; }
  explicit operator bool() const { return bits != 0; }
};

/// The last writer of a byte, its last reader, and the last reader of another
/// warp. Relaxed atomics: blocks may run on several threads of the host.
struct Record {
  std::atomic<uint64_t> writer = 0, reader = 0, other = 0;
};

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

struct Region {
  static constexpr uint64_t pageBytes = 4096;

  std::string name;
  uint64_t base = 0, bytes = 0;
  std::byte *data = nullptr;
  Memory::RegionOptions options;
  std::vector<std::byte> owned; ///< module variables

  ~Region();
  /// One byte each, 1 where undefined; nullptr while all are defined.
  uint8_t *getUndefined() const {
    return undefined.load(std::memory_order_acquire);
  }
  uint8_t *ensureUndefined();
  /// Records of the bytes at `offset`, up to the end of their page.
  Record *getRecords(uint64_t offset);
  void forgetAccesses();

private:
  std::atomic<uint8_t *> undefined = nullptr;
  std::unique_ptr<std::atomic<Record *>[]> pages;
  std::mutex mutex;
};

struct Memory::Impl {
  std::vector<std::unique_ptr<Region>> regions; ///< ascending by base
  /// Variables of modules that have run, with their values.
  std::map<const fk::emulator::Module *, std::vector<std::unique_ptr<Region>>>
      moduleRegions;
  uint64_t nextBase = globalWindow;

  Region *find(uint64_t address) const;
  Region *findByName(std::string_view name) const;
  /// "4 bytes past the end of input (1024 bytes)", for an address in no region.
  std::string describe(uint64_t address, uint64_t bytes) const;
};

/// A block's shared memory. Addresses start at sharedBase.
struct SharedMemory {
  std::vector<std::byte> data;
  std::vector<uint8_t> undefined;
  std::unique_ptr<Record[]> records;
  size_t recordCount = 0;
  uint32_t bytes = 0;

  /// Makes it `size` undefined bytes that nobody touched.
  void reset(uint32_t size, bool tracksAccesses);
};

/// Where an access goes.
struct Place {
  std::byte *data = nullptr;    ///< nullptr: nowhere; it was reported
  uint8_t *undefined = nullptr; ///< nullptr: all defined
  Region *region = nullptr;
  SharedMemory *shared = nullptr;
  uint64_t offset = 0; ///< in the region or shared memory
};

enum class Access : uint8_t { Read, Write, Atomic };

class Warp;
class Block;

/// Finds what `lane` may touch at `address`; reports and returns an empty place
/// where that is nothing, or not all of `bytes`, or not aligned to `alignment`.
/// `space` None: a generic address.
Place resolve(Warp &warp, const Inst &inst, uint32_t lane,
              ptx::StateSpace space, uint64_t address, uint32_t bytes,
              Access access, uint32_t alignment);

/// Notes the access, and reports a race with an earlier one. `isStrong`:
/// atomic, volatile or with a scope; those do not race among themselves.
/// `isSameValue`: a write that changes nothing.
void recordAccess(Warp &warp, const Inst &inst, uint32_t lane,
                  const Place &place, uint32_t bytes, Access access,
                  bool isStrong, bool isSameValue = false);

/// As recordAccess, for a copy done on behalf of a thread that knew `clock` when
/// it issued it, and which has happened for whoever has seen that thread's warp
/// at `stamp`. Accesses of the thread itself after the issue race with it.
void recordAsyncAccess(Warp &warp, const Inst &inst, uint32_t lane,
                       const ClockVector &clock, uint32_t stamp,
                       const Place &place, uint32_t bytes, Access access,
                       bool isStrong = false);

/// The records of `place`; nullptr where none are kept.
Record *getRecords(const Place &place);
/// Whether a byte's `epoch` is one of `seen`'s block or of another that it has
/// seen, at that clock or later.
bool hasSeen(const ClockVector &seen, Epoch epoch);

/// "input + 12", "shared variable x + 4"
std::string describePlace(const Place &place, uint64_t offset,
                          const Kernel &kernel);
/// "thread 5 at line 12"
std::string describeThread(const Warp &warp, Epoch epoch);

/// Reads `bytes` bytes; undefined ones set their bit in the result.
uint16_t loadBytes(const Place &place, void *to, uint32_t bytes);
/// Writes them; `undefinedBytes` has a bit for each that is undefined.
void storeBytes(const Place &place, const void *from, uint32_t bytes,
                uint16_t undefinedBytes);

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_SPACE_H
