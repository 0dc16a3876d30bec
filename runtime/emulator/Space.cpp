//===- Space.cpp - Memory that knows what was done to it ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Space.h"

#include "runtime/emulator/Block.h"

#include <algorithm>
#include <cstring>

using namespace fk;
using namespace fk::emulator;

//===----------------------------------------------------------------------===//
// Happens-before
//===----------------------------------------------------------------------===//

void ClockVector::join(const ClockVector &other) {
  if (!other.block)
    return;
  if (!block) {
    *this = other;
    return;
  }
  if (block == other.block) {
    for (uint32_t i = 0; i < 32; ++i)
      warps[i] = std::max(warps[i], other.warps[i]);
    if (!other.foreign || other.foreign == foreign)
      return;
  }
  auto merged = std::make_shared<ForeignClocks>();
  if (foreign)
    *merged = *foreign;
  auto add = [&](uint64_t key, uint32_t clock) {
    if (key / 32 == block)
      warps[key % 32] = std::max(warps[key % 32], clock);
    else if (clock)
      (*merged)[key] = std::max((*merged)[key], clock);
  };
  if (other.foreign)
    for (auto [key, clock] : *other.foreign)
      add(key, clock);
  if (block != other.block)
    for (uint32_t i = 0; i < 32; ++i)
      add(uint64_t(other.block) * 32 + i, other.warps[i]);
  foreign = std::move(merged);
}

namespace {

/// Whether an access at `epoch` comes before what a warp that has seen `seen`
/// does now, in lane `lane` of warp `warp`.
bool isBefore(Epoch epoch, const ClockVector &seen, uint32_t warp,
              uint32_t lane, bool isAsync) {
  uint32_t other = epoch.thread() / 32;
  if (epoch.block() == (seen.block & 0x7ffff)) {
    uint32_t clock = seen.warps[other] & 0x1ffff;
    if (other != warp)
      return clock >= epoch.clock();
    // A thread's own accesses are in order; those of a copy, only with what it
    // did before the issue.
    if (epoch.thread() % 32 == lane && !epoch.isSeveral())
      return !isAsync || epoch.clock() <= clock;
    return epoch.clock() < clock;
  }
  if (!seen.foreign)
    return false;
  auto found = seen.foreign->find(uint64_t(epoch.block()) * 32 + other);
  return found != seen.foreign->end() && found->second >= epoch.clock();
}

} // namespace

bool emulator::hasSeen(const ClockVector &seen, Epoch epoch) {
  uint32_t warp = epoch.thread() / 32;
  if (epoch.block() == (seen.block & 0x7ffff))
    return (seen.warps[warp] & 0x1ffff) >= epoch.clock();
  if (!seen.foreign)
    return false;
  auto found = seen.foreign->find(uint64_t(epoch.block()) * 32 + warp);
  return found != seen.foreign->end() && found->second >= epoch.clock();
}

std::string emulator::describeThread(const Warp &warp, Epoch epoch) {
  const Kernel &kernel = warp.getKernel();
  std::string text = "thread " + std::to_string(epoch.thread());
  Block &block = const_cast<Warp &>(warp).getBlock();
  if (epoch.block() != (block.getSerial() & 0x7ffff))
    text += " of block " + std::to_string(epoch.block() - 1);
  if (epoch.inst() < kernel.code.size())
    text +=
        " at line " + std::to_string(kernel.code[epoch.inst()].location.line);
  return text;
}

std::string emulator::describePlace(const Place &place, uint64_t offset,
                                    const Kernel &kernel) {
  if (place.region)
    return place.region->name + " + " + std::to_string(offset);
  for (const SharedVariable &variable : kernel.shared)
    if (offset >= variable.offset && offset < variable.offset + variable.bytes)
      return "shared variable " + variable.name + " + " +
             std::to_string(offset - variable.offset);
  return "shared memory + " + std::to_string(offset);
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

Region::~Region() {
  delete[] undefined.load();
  forgetAccesses();
}

uint8_t *Region::ensureUndefined() {
  if (uint8_t *known = getUndefined())
    return known;
  std::lock_guard lock(mutex);
  if (uint8_t *known = getUndefined())
    return known;
  auto *fresh = new uint8_t[std::max<uint64_t>(bytes, 1)];
  std::memset(fresh, options.isInitialized ? 0 : 1, bytes);
  undefined.store(fresh, std::memory_order_release);
  return fresh;
}

Record *Region::getRecords(uint64_t offset) {
  uint64_t count = (bytes + pageBytes - 1) / pageBytes;
  if (!pages) {
    std::lock_guard lock(mutex);
    if (!pages) {
      auto fresh = std::make_unique<std::atomic<Record *>[]>(count);
      std::atomic_thread_fence(std::memory_order_release);
      pages = std::move(fresh);
    }
  }
  std::atomic<Record *> &page = pages[offset / pageBytes];
  Record *records = page.load(std::memory_order_acquire);
  if (!records) {
    std::lock_guard lock(mutex);
    records = page.load(std::memory_order_acquire);
    if (!records) {
      records = new Record[pageBytes];
      page.store(records, std::memory_order_release);
    }
  }
  return records + offset % pageBytes;
}

void Region::forgetAccesses() {
  if (!pages)
    return;
  for (uint64_t i = 0; i < (bytes + pageBytes - 1) / pageBytes; ++i)
    delete[] pages[i].load();
  pages.reset();
}

Memory::Memory() : impl(std::make_unique<Impl>()) {}
Memory::~Memory() = default;
Memory::Memory(Memory &&) noexcept = default;
Memory &Memory::operator=(Memory &&) noexcept = default;

uint64_t Memory::addRegion(std::string name, void *data, size_t bytes,
                           RegionOptions options) {
  // Far apart, and never reachable by adding 32 bits to another's address.
  constexpr uint64_t slot = uint64_t(1) << 32;
  auto region = std::make_unique<Region>();
  region->name = std::move(name);
  region->base = impl->nextBase;
  region->bytes = bytes;
  region->data = static_cast<std::byte *>(data);
  region->options = options;
  if (!options.isInitialized)
    region->ensureUndefined();
  uint64_t base = region->base;
  impl->nextBase += (bytes / slot + 2) * slot;
  impl->regions.push_back(std::move(region));
  return base;
}

Memory::Unwritten Memory::getUnwritten(std::string_view name) const {
  Unwritten unwritten;
  const Region *region = impl->findByName(name);
  if (!region || !region->getUndefined())
    return unwritten;
  const uint8_t *undefined = region->getUndefined();
  for (uint64_t i = 0; i < region->bytes; ++i)
    if (undefined[i]) {
      if (!unwritten.count)
        unwritten.first = i;
      ++unwritten.count;
    }
  return unwritten;
}

static Region *findIn(const std::vector<std::unique_ptr<Region>> &regions,
                      uint64_t address) {
  auto after = std::upper_bound(
      regions.begin(), regions.end(), address,
      [](uint64_t a, const auto &region) { return a < region->base; });
  if (after == regions.begin())
    return nullptr;
  Region *region = std::prev(after)->get();
  return address - region->base < region->bytes ? region : nullptr;
}

Region *Memory::Impl::find(uint64_t address) const {
  return findIn(regions, address);
}

Region *Memory::Impl::findByName(std::string_view name) const {
  for (const auto &region : regions)
    if (region->name == name)
      return region.get();
  return nullptr;
}

/// The region that `address` missed by least.
static std::string
describeMiss(const std::vector<std::unique_ptr<Region>> &regions,
             uint64_t address, uint64_t bytes) {
  const Region *nearest = nullptr;
  uint64_t least = ~uint64_t(0);
  for (const auto &region : regions) {
    uint64_t end = region->base + region->bytes;
    uint64_t distance = address < region->base
                            ? region->base - address
                            : address - std::min(end, address);
    if (distance < least) {
      least = distance;
      nearest = region.get();
    }
  }
  constexpr uint64_t near = uint64_t(1) << 31;
  if (!nearest || least > near)
    return "";
  std::string size = " (" + std::to_string(nearest->bytes) + " bytes)";
  if (address < nearest->base)
    return std::to_string(nearest->base - address) + " bytes before " +
           nearest->name + size;
  uint64_t offset = address - nearest->base;
  if (offset < nearest->bytes)
    return std::to_string(bytes) + " bytes at " + nearest->name + " + " +
           std::to_string(offset) + ", across its end" + size;
  if (offset == nearest->bytes)
    return "just past the end of " + nearest->name + size;
  return std::to_string(offset - nearest->bytes) + " bytes past the end of " +
         nearest->name + size;
}

std::string Memory::Impl::describe(uint64_t address, uint64_t bytes) const {
  return describeMiss(regions, address, bytes);
}

Region *Grid::find(uint64_t address) const {
  if (address < globalWindow)
    return moduleRegions ? findIn(*moduleRegions, address) : nullptr;
  return memory->find(address);
}

std::string Grid::describe(uint64_t address, uint64_t bytes) const {
  if (address == 0)
    return "a null pointer";
  std::string text;
  if (address >= globalWindow)
    text = memory->describe(address, bytes);
  else if (address >= moduleWindow && moduleRegions)
    text = describeMiss(*moduleRegions, address, bytes);
  return text.empty() ? "in no buffer" : text;
}

void SharedMemory::reset(uint32_t size, bool tracksAccesses) {
  bytes = size;
  if (data.size() < size) {
    data.resize(size);
    undefined.resize(size);
  }
  // Undefined memory holds whatever was there; a pattern makes it repeatable.
  std::memset(data.data(), 0xfb, size);
  std::memset(undefined.data(), 1, size);
  if (tracksAccesses && recordCount < size) {
    records = std::make_unique<Record[]>(size);
    recordCount = size;
  }
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

namespace {

std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx",
                static_cast<unsigned long long>(value));
  return text;
}

const char *verb(Access access) {
  return access == Access::Read    ? "read"
         : access == Access::Write ? "write"
                                   : "atomic";
}

Place resolveShared(Warp &warp, const Inst &inst, uint32_t lane,
                    uint64_t address, uint32_t bytes, Access access) {
  Block *owner = &warp.getBlock();
  uint64_t offset = address;
  if (uint64_t rank = address >> sharedRankShift) {
    if (rank > owner->getUnit().getBlockCount()) {
      warp.report(FindingKind::OutOfBounds, inst, lane,
                  std::string(verb(access)) + " at " + hex(address) +
                      ", outside the cluster's shared memory",
                  address);
      return {};
    }
    owner = &owner->getUnit().getBlock(rank - 1);
    offset = address & ((1u << sharedRankShift) - 1);
  }
  SharedMemory &shared = owner->shared;
  if (offset < sharedBase || offset - sharedBase + bytes > shared.bytes) {
    warp.report(FindingKind::OutOfBounds, inst, lane,
                std::string(verb(access)) + " of " + std::to_string(bytes) +
                    " bytes at shared memory + " +
                    std::to_string(int64_t(offset) - int64_t(sharedBase)) +
                    ", outside its " + std::to_string(shared.bytes) + " bytes",
                address);
    return {};
  }
  if (owner != &warp.getBlock() && owner->isDone()) {
    warp.report(FindingKind::OutOfBounds, inst, lane,
                "shared memory of block rank " +
                    std::to_string(owner->getRank()) + ", which has exited",
                address);
    return {};
  }
  offset -= sharedBase;
  return {shared.data.data() + offset, shared.undefined.data() + offset,
          nullptr, &shared, offset};
}

Place resolveLocal(Warp &warp, const Inst &inst, uint32_t lane,
                   uint64_t address, uint32_t bytes, Access access) {
  if (address + bytes > warp.getLocalBytes() || address + bytes < address) {
    warp.report(FindingKind::OutOfBounds, inst, lane,
                std::string(verb(access)) + " of " + std::to_string(bytes) +
                    " bytes at local memory + " + std::to_string(address) +
                    ", outside its " + std::to_string(warp.getLocalBytes()) +
                    " bytes",
                address);
    return {};
  }
  return {warp.getLocal(lane) + address, warp.getLocalUndefined(lane) + address,
          nullptr, nullptr, address};
}

} // namespace

Place emulator::resolve(Warp &warp, const Inst &inst, uint32_t lane,
                        ptx::StateSpace space, uint64_t address, uint32_t bytes,
                        Access access, uint32_t alignment) {
  if (address & (alignment - 1)) {
    warp.report(FindingKind::Misaligned, inst, lane,
                std::string(verb(access)) + " of " + std::to_string(bytes) +
                    " bytes at " + hex(address) + ", not aligned to " +
                    std::to_string(alignment),
                address);
    return {};
  }
  if (space == ptx::StateSpace::None) {
    if (address >= moduleWindow)
      space = ptx::StateSpace::Global;
    else if (address >= paramWindow && address < functionWindow)
      space = ptx::StateSpace::Param;
    else if (address >= localWindow)
      space = ptx::StateSpace::Local;
    else if (address >= sharedWindow)
      space = ptx::StateSpace::Shared;
    else
      space = ptx::StateSpace::Global;
    if (space != ptx::StateSpace::Global)
      address &= windowMask;
  }
  switch (space) {
  case ptx::StateSpace::Shared:
    return resolveShared(warp, inst, lane, address, bytes, access);
  case ptx::StateSpace::Local:
    return resolveLocal(warp, inst, lane, address, bytes, access);
  case ptx::StateSpace::Param: {
    std::vector<std::byte> &params = warp.getBlock().getGrid().params;
    if (address + bytes > params.size() || access != Access::Read) {
      warp.report(access == Access::Read ? FindingKind::OutOfBounds
                                         : FindingKind::ReadOnlyWrite,
                  inst, lane,
                  std::string(verb(access)) + " of " + std::to_string(bytes) +
                      " bytes at the parameters + " + std::to_string(address) +
                      " of " + std::to_string(params.size()),
                  address);
      return {};
    }
    return {params.data() + address, nullptr, nullptr, nullptr, address};
  }
  default:
    break;
  }
  Grid &grid = warp.getBlock().getGrid();
  Region *region = grid.find(address);
  uint64_t offset = region ? address - region->base : 0;
  if (!region || offset + bytes > region->bytes) {
    warp.report(FindingKind::OutOfBounds, inst, lane,
                std::string(verb(access)) + " of " + std::to_string(bytes) +
                    " bytes at " + hex(address) + ", " +
                    grid.describe(address, bytes),
                address);
    return {};
  }
  if (access != Access::Read && !region->options.isWritable) {
    warp.report(FindingKind::ReadOnlyWrite, inst, lane,
                std::string(verb(access)) + " of " + std::to_string(bytes) +
                    " bytes at " + region->name + " + " +
                    std::to_string(offset) + ", which is read-only",
                address);
    return {};
  }
  uint8_t *undefined = region->getUndefined();
  return {region->data + offset, undefined ? undefined + offset : nullptr,
          region, nullptr, offset};
}

Record *emulator::getRecords(const Place &place) {
  if (place.shared)
    return place.shared->records ? place.shared->records.get() + place.offset
                                 : nullptr;
  if (!place.region || !place.region->options.isWritable)
    return nullptr;
  return place.region->getRecords(place.offset);
}

namespace {

void recordEpoch(Warp &warp, const Inst &inst, uint32_t lane,
                 const ClockVector &seen, uint32_t stamp, bool isAsync,
                 const Place &place, uint32_t bytes, Access access,
                 bool isStrong, bool isSameValue) {
  Block &block = warp.getBlock();
  Grid &grid = block.getGrid();
  if (!grid.options->checkRaces)
    return;
  Record *records = getRecords(place);
  if (!records)
    return;
  uint32_t clockWarp = warp.getIndex();
  uint32_t thread = warp.getIndex() * 32 + lane;
  uint32_t instIndex =
      static_cast<uint32_t>(&inst - warp.getKernel().code.data());
  Epoch now =
      Epoch::make(block.getSerial(), thread, stamp, instIndex, isStrong);
  uint32_t firstSerial = 1, lastSerial = 0x7ffff;
  if (place.shared) {
    // A block's records outlive it; those of others mean nothing.
    firstSerial = block.getUnit().getBlock(0).getSerial() & 0x7ffff;
    lastSerial = firstSerial + block.getUnit().getBlockCount() - 1;
  }
  constexpr auto relaxed = std::memory_order_relaxed;
  auto conflicts = [&](Epoch epoch) {
    return epoch && epoch.block() >= firstSerial &&
           epoch.block() <= lastSerial && !(isStrong && epoch.isAtomic()) &&
           !isBefore(epoch, seen, clockWarp, lane, isAsync);
  };
  for (uint32_t i = 0; i < bytes; ++i) {
    Record &record = records[i];
    Epoch writer{record.writer.load(relaxed)};
    Epoch race;
    const char *how = nullptr;
    if (conflicts(writer) && !isSameValue) {
      race = writer;
      how = access == Access::Read ? "reads what %s writes"
                                   : "writes what %s writes";
    }
    if (access == Access::Read) {
      Epoch reader{record.reader.load(relaxed)};
      uint64_t bits = now.bits;
      if (reader.bits != now.bits) {
        constexpr uint64_t sameWarp =
            ~((uint64_t(31) << 33) | 0xffff | Epoch::severalBit);
        if ((reader.bits & sameWarp) == (now.bits & sameWarp)) {
          if (reader.thread() != thread || reader.isSeveral())
            bits |= Epoch::severalBit;
        } else if (reader) {
          record.other.store(reader.bits, relaxed);
        }
        record.reader.store(bits, relaxed);
      }
    } else {
      if (!how && !isSameValue) {
        for (auto *slot : {&record.reader, &record.other}) {
          Epoch reader{slot->load(relaxed)};
          if (conflicts(reader)) {
            race = reader;
            how = "writes what %s reads";
            break;
          }
        }
      }
      record.writer.store(now.bits, relaxed);
      record.reader.store(0, relaxed);
      record.other.store(0, relaxed);
    }
    if (how) [[unlikely]] {
      std::string text = how;
      text.replace(text.find("%s"), 2, describeThread(warp, race));
      warp.report(place.shared ? FindingKind::SharedRace
                               : FindingKind::GlobalRace,
                  inst, lane,
                  text + ", unordered, at " +
                      describePlace(place, place.offset + i, warp.getKernel()),
                  place.offset + i);
      how = nullptr;
      // One report an access; the records still move on.
      for (++i; i < bytes; ++i) {
        if (access == Access::Read) {
          records[i].reader.store(now.bits, relaxed);
        } else {
          records[i].writer.store(now.bits, relaxed);
          records[i].reader.store(0, relaxed);
          records[i].other.store(0, relaxed);
        }
      }
    }
  }
}

} // namespace

void emulator::recordAccess(Warp &warp, const Inst &inst, uint32_t lane,
                            const Place &place, uint32_t bytes, Access access,
                            bool isStrong, bool isSameValue) {
  if (!place.shared && !place.region)
    return; // Local memory and parameters are a thread's own.
  recordEpoch(warp, inst, lane, warp.sync.seen, warp.sync.now(), false, place,
              bytes, access, isStrong || access == Access::Atomic, isSameValue);
}

void emulator::recordAsyncAccess(Warp &warp, const Inst &inst, uint32_t lane,
                                 const ClockVector &clock, uint32_t stamp,
                                 const Place &place, uint32_t bytes,
                                 Access access, bool isStrong) {
  if (!place.shared && !place.region)
    return;
  recordEpoch(warp, inst, lane, clock, stamp, true, place, bytes, access,
              isStrong || access == Access::Atomic, false);
}

uint16_t emulator::loadBytes(const Place &place, void *to, uint32_t bytes) {
  std::memcpy(to, place.data, bytes);
  if (!place.undefined)
    return 0;
  uint16_t undefined = 0;
  for (uint32_t i = 0; i < bytes; ++i)
    undefined |= uint16_t(place.undefined[i] != 0) << i;
  return undefined;
}

void emulator::storeBytes(const Place &place, const void *from, uint32_t bytes,
                          uint16_t undefinedBytes) {
  std::memcpy(place.data, from, bytes);
  uint8_t *undefined = place.undefined;
  if (!undefined) {
    if (!undefinedBytes || !place.region)
      return;
    undefined = place.region->ensureUndefined() + place.offset;
  }
  for (uint32_t i = 0; i < bytes; ++i)
    undefined[i] = (undefinedBytes >> i) & 1;
}
