//===- Warp.cpp - 32 lanes and what they are doing ------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Warp.h"

#include "runtime/emulator/AsyncGroups.h"
#include "runtime/emulator/Block.h"

#include <algorithm>
#include <cstring>

using namespace fk;
using namespace fk::emulator;

Warp::Warp() = default;
Warp::~Warp() = default;
Warp::Warp(Warp &&) noexcept = default;

void Warp::start(Block &inBlock, const Kernel &inKernel, uint32_t inIndex,
                 uint32_t liveLanes) {
  block = &inBlock;
  kernel = &inKernel;
  index = inIndex;
  live = liveLanes;
  if (filledFor != kernel) {
    file = kernel->file;
    undefined.assign(kernel->endId, 0);
    undefinedBytes.resize(size_t(kernel->endId) * 32);
    filledFor = kernel;
  }
  std::fill(undefined.begin() + kernel->firstWritableId, undefined.end(),
            allLanes);
  std::fill(undefinedBytes.begin(), undefinedBytes.end(), uint16_t(0xffff));
  fragments.clear();
  joins.clear();
  freeJoins.clear();
  frames.clear();
  freeFrames.clear();
  clock = 0;
  laneInstructions = 0;
  undefinedOrigin.clear();
  asyncGroups.reset();
  poll = {};
  clusterArrived = clusterOwed = 0;
  sync = Clock();
  sync.warp = index;
  sync.seen.block = block->getSerial();
  sync.seen.warps[index] = 1;

  uint32_t frame = createFrame();
  frames[frame].lanes = liveLanes;
  frames[frame].function = 0;
  current = {liveLanes, kernel->functions[0].begin, noIndex,
             frame,     FragmentState::Ready,       0};
  hasCurrent = true;
  joinPc = noIndex;
  localBytes = 0;
  if (uint32_t bytes = kernel->functions[0].frameBytes)
    growLocal(bytes);
  fillSpecials();
}

void Warp::fillSpecials() {
  const Grid &grid = block->getGrid();
  std::array<uint32_t, 3> position = block->getIndex();
  auto clusterOf = [&](int d) { return position[d] / grid.cluster[d]; };
  uint32_t clusterSize = grid.cluster[0] * grid.cluster[1] * grid.cluster[2];
  uint64_t blocks = uint64_t(grid.grid[0]) * grid.grid[1] * grid.grid[2];
  for (const SpecialSlot &slot : kernel->specials) {
    auto set = [&](auto value) {
      for (uint32_t lane = 0; lane < warpSize; ++lane) {
        uint64_t v = value(lane);
        if (slot.bytes == 8)
          values<uint64_t>(slot.reg)[lane] = v;
        else if (slot.bytes == 4)
          values<uint32_t>(slot.reg)[lane] = static_cast<uint32_t>(v);
        else
          values<uint16_t>(slot.reg)[lane] = static_cast<uint16_t>(v);
      }
    };
    auto setAll = [&](uint64_t v) { set([&](uint32_t) { return v; }); };
    std::string_view name = slot.name;
    int dim = name.ends_with(".y") ? 1 : name.ends_with(".z") ? 2 : 0;
    if (name.ends_with(".w")) {
      setAll(0);
      continue;
    }
    std::string_view base = name;
    if (name.size() > 2 && name[name.size() - 2] == '.')
      base.remove_suffix(2);
    if (base == "tid") {
      set([&](uint32_t lane) { return block->getThread(index, lane)[dim]; });
    } else if (base == "ntid") {
      setAll(grid.block[dim]);
    } else if (base == "ctaid") {
      setAll(position[dim]);
    } else if (base == "nctaid") {
      setAll(grid.grid[dim]);
    } else if (base == "laneid") {
      set([](uint32_t lane) { return lane; });
    } else if (base == "warpid") {
      setAll(index);
    } else if (base == "nwarpid") {
      setAll(64);
    } else if (base == "smid") {
      setAll(uint64_t(block->getSerial() - 1) % 132);
    } else if (base == "nsmid") {
      setAll(132);
    } else if (base == "gridid") {
      setAll(1);
    } else if (base == "clusterid") {
      setAll(clusterOf(dim));
    } else if (base == "nclusterid") {
      setAll(grid.grid[dim] / grid.cluster[dim]);
    } else if (base == "cluster_ctaid") {
      setAll(position[dim] % grid.cluster[dim]);
    } else if (base == "cluster_nctaid") {
      setAll(grid.cluster[dim]);
    } else if (base == "cluster_ctarank") {
      setAll(block->getRank());
    } else if (base == "cluster_nctarank") {
      setAll(clusterSize);
    } else if (base == "is_explicit_cluster") {
      setAll(clusterSize > 1);
    } else if (base == "lanemask_eq") {
      set([](uint32_t lane) { return 1u << lane; });
    } else if (base == "lanemask_lt") {
      set([](uint32_t lane) { return (1u << lane) - 1; });
    } else if (base == "lanemask_le") {
      set([](uint32_t lane) { return (2u << lane) - 1; });
    } else if (base == "lanemask_gt") {
      set([](uint32_t lane) { return ~((2u << lane) - 1); });
    } else if (base == "lanemask_ge") {
      set([](uint32_t lane) { return ~((1u << lane) - 1); });
    } else if (base == "dynamic_smem_size") {
      setAll(grid.config->dynamicShared);
    } else if (base == "total_smem_size" || base == "aggr_smem_size") {
      setAll(grid.sharedBytes);
    } else if (base == "reserved_smem_offset_begin" ||
               base == "reserved_smem_offset_cap") {
      setAll(0);
    } else if (base == "reserved_smem_offset_end") {
      setAll(sharedBase);
    } else {
      setAll(0);
    }
    (void)blocks;
  }
}

uint32_t Warp::getLocalBase() const { return frames[current.frame].localBase; }

bool Warp::growLocal(uint64_t bytes) {
  constexpr uint64_t limit = 512 * 1024;
  if (bytes <= localBytes)
    return true;
  if (bytes > limit)
    return false;
  uint64_t fresh = std::min<uint64_t>(
      limit,
      std::max<uint64_t>(bytes, std::min<uint64_t>(localBytes * 2, limit)));
  fresh = (fresh + 15) & ~uint64_t(15);
  std::vector<std::byte> grown(fresh * 32, std::byte(0xfb));
  std::vector<uint8_t> grownUndefined(fresh * 32, 1);
  for (uint32_t lane = 0; lane < warpSize && localBytes; ++lane) {
    std::memcpy(grown.data() + lane * fresh, getLocal(lane), localBytes);
    std::memcpy(grownUndefined.data() + lane * fresh, getLocalUndefined(lane),
                localBytes);
  }
  local = std::move(grown);
  localUndefined = std::move(grownUndefined);
  localBytes = fresh;
  return true;
}

void Warp::markBytes(Reg reg, uint32_t lanes) {
  uint16_t *bytes = undefinedBytes.data() + size_t(reg.id) * 32;
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    if ((lanes >> lane) & 1)
      bytes[lane] = 0xffff;
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

uint64_t Warp::run(uint64_t quantum) {
  uint64_t done = 0;
  isYielding = false;
  const Inst *code = kernel->code.data();
  while (done < quantum && !isYielding) {
    if (!hasCurrent && !selectFragment())
      break;
    uint64_t atSwitch = done;
    // A fragment that spins while its siblings wait for it at a join lets them
    // go after this many instructions.
    constexpr uint64_t patience = 1 << 16;
    while (hasCurrent && done < quantum && !isYielding) {
      const Inst &inst = code[current.pc++];
      uint32_t active = current.mask;
      if (inst.hasGuard) {
        uint32_t guard = predicate(inst.guard);
        if (undefined[inst.guard.id] & active) [[unlikely]]
          reportUndefined(inst, undefined[inst.guard.id] & active,
                          "the guard predicate");
        active &= inst.isGuardNegated ? ~guard : guard;
      }
      ++done;
      if (active || inst.runsIdle) {
        laneInstructions += std::popcount(active);
        inst.run(*this, inst, active);
      }
      if (hasCurrent && current.pc == joinPc &&
          joins[current.join].frame == current.frame)
        arrive();
    }
    if (done - atSwitch > patience)
      releaseJoins();
  }
  clock += done;
  // Another fragment may run next time.
  if (hasCurrent && !fragments.empty() && (isYielding || done >= quantum)) {
    fragments.push_back(current);
    hasCurrent = false;
  }
  return done;
}

bool Warp::selectFragment() {
  // First in, first out: fragments that poll take turns.
  for (size_t i = 0; i < fragments.size(); ++i)
    if (fragments[i].state == FragmentState::Ready) {
      current = fragments[i];
      fragments.erase(fragments.begin() + i);
      hasCurrent = true;
      joinPc = current.join == noIndex ? noIndex : joins[current.join].pc;
      return true;
    }
  return false;
}

bool Warp::isPollingInVain(uint64_t done) {
  // A loop around a poll is short; whoever executes more does something else.
  constexpr uint64_t longestLoop = 64;
  poll.instructions = poll.isFresh ? 0 : poll.instructions + done;
  bool waitsForOthers = poll.readsGlobal;
  poll.isFresh = poll.readsGlobal = false;
  return poll.inst && poll.instructions <= longestLoop && !waitsForOthers;
}

bool Warp::isReady() const {
  if (hasCurrent)
    return true;
  return std::any_of(fragments.begin(), fragments.end(), [](const Fragment &f) {
    return f.state == FragmentState::Ready;
  });
}

//===----------------------------------------------------------------------===//
// Divergence
//===----------------------------------------------------------------------===//

uint32_t Warp::createJoin(uint32_t pc, uint32_t lanes) {
  uint32_t join;
  if (freeJoins.empty()) {
    join = joins.size();
    joins.emplace_back();
  } else {
    join = freeJoins.back();
    freeJoins.pop_back();
  }
  joins[join] = {pc, current.frame, lanes, 0, current.join, true};
  return join;
}

void Warp::split(const Inst &inst, uint32_t taken, uint32_t target) {
  uint32_t rest = current.mask & ~taken;
  if (inst.join != noIndex &&
      !(current.join != noIndex && joins[current.join].pc == inst.join &&
        joins[current.join].frame == current.frame))
    current.join = createJoin(inst.join, current.mask);
  Fragment other = current;
  other.mask = rest;
  current.mask = taken;
  current.pc = target;
  // The one that comes first in the text runs first.
  if (other.pc < current.pc)
    std::swap(other, current);
  joinPc = current.join == noIndex ? noIndex : joins[current.join].pc;
  if (other.pc == joinPc && current.join != noIndex &&
      joins[current.join].frame == other.frame) {
    joins[current.join].arrived |= other.mask;
    return;
  }
  fragments.push_back(other);
}

/// The current fragment has come to its join.
void Warp::arrive() {
  uint32_t join = current.join;
  joins[join].arrived |= current.mask;
  hasCurrent = false;
  releaseJoin(join);
}

/// Goes on with the lanes of `join` when all have arrived.
void Warp::releaseJoin(uint32_t join) {
  while (join != noIndex) {
    Join &at = joins[join];
    if (!at.isLive || at.arrived != at.expected)
      return;
    at.isLive = false;
    freeJoins.push_back(join);
    if (!at.arrived)
      return;
    Fragment merged = {at.arrived,           at.pc, at.parent, at.frame,
                       FragmentState::Ready, 0};
    uint32_t parent = at.parent;
    if (parent != noIndex && joins[parent].pc == merged.pc &&
        joins[parent].frame == merged.frame) {
      joins[parent].arrived |= merged.mask;
      join = parent;
      continue;
    }
    if (!hasCurrent) {
      current = merged;
      hasCurrent = true;
      joinPc = parent == noIndex ? noIndex : joins[parent].pc;
    } else {
      fragments.push_back(merged);
    }
    return;
  }
}

/// `lanes` will not come to `join` or any further one.
void Warp::leaveJoins(uint32_t join, uint32_t lanes) {
  while (join != noIndex) {
    uint32_t parent = joins[join].parent;
    joins[join].expected &= ~lanes;
    joins[join].arrived &= ~lanes;
    releaseJoin(join);
    join = parent;
  }
}

bool Warp::releaseJoins() {
  bool any = false;
  for (uint32_t i = 0; i < joins.size(); ++i) {
    Join &join = joins[i];
    if (!join.isLive || !join.arrived)
      continue;
    Fragment early = {join.arrived,         join.pc, join.parent, join.frame,
                      FragmentState::Ready, 0};
    join.expected &= ~join.arrived;
    join.arrived = 0;
    if (!join.expected) {
      join.isLive = false;
      freeJoins.push_back(i);
    }
    if (early.join != noIndex && joins[early.join].pc == early.pc &&
        joins[early.join].frame == early.frame)
      joins[early.join].arrived |= early.mask;
    else
      fragments.push_back(early);
    any = true;
  }
  return any;
}

void Warp::exitLanes(uint32_t lanes) {
  live &= ~lanes;
  current.mask &= ~lanes;
  uint32_t join = current.join;
  uint32_t frame = current.frame;
  if (!current.mask)
    hasCurrent = false;
  leaveJoins(join, lanes);
  leaveFrames(frame, lanes);
  recheckMeetings();
  block->updateBarriers();
}

void Warp::wait(FragmentState state, uint32_t waitsFor) {
  current.state = state;
  current.waitsFor = waitsFor;
  fragments.push_back(current);
  hasCurrent = false;
}

void Warp::splitOff(uint32_t lanes) {
  uint32_t rest = current.mask & ~lanes;
  if (!rest)
    return;
  if (joinPc != current.pc || joins[current.join].frame != current.frame)
    current.join = createJoin(current.pc, current.mask);
  joinPc = current.pc;
  joins[current.join].arrived |= rest;
  current.mask = lanes;
}

void Warp::splitRepeat(uint32_t lanes) {
  if (joinPc != current.pc || joins[current.join].frame != current.frame)
    current.join = createJoin(current.pc, current.mask);
  joinPc = current.pc;
  Fragment again = current;
  again.mask = lanes;
  --again.pc;
  fragments.push_back(again);
  current.mask &= ~lanes;
}

uint32_t Warp::meet(const Inst &inst, uint32_t active, uint32_t mask,
                    bool isBarrier) {
  mask &= live;
  uint32_t here = active;
  bool isApart = false;
  for (const Fragment &fragment : fragments)
    if (fragment.state == FragmentState::WarpBarrier &&
        (fragment.waitsFor & live) == mask) {
      here |= fragment.mask;
      isApart |= fragment.pc != current.pc;
    }
  if ((mask & ~here) == 0) {
    sync.advance();
    if (here == active)
      return active;
    if (isApart && !isBarrier) {
      report(FindingKind::InvalidMask, inst, std::countr_zero(active),
             "lanes of the mask come to different instructions");
      here = active;
    }
    for (size_t i = 0; i < fragments.size(); ++i)
      if (fragments[i].state == FragmentState::WarpBarrier &&
          (fragments[i].waitsFor & live) == mask)
        wake(FragmentState::WarpBarrier, fragments[i--].waitsFor);
    return here;
  }
  splitOff(active);
  wait(FragmentState::WarpBarrier, mask);
  return 0;
}

/// Lanes have exited: those that waited for them look again.
void Warp::recheckMeetings() {
  for (Fragment &fragment : fragments) {
    if (fragment.state != FragmentState::WarpBarrier)
      continue;
    uint32_t here = 0;
    for (const Fragment &other : fragments)
      if (other.state == FragmentState::WarpBarrier &&
          (other.waitsFor & live) == (fragment.waitsFor & live))
        here |= other.mask;
    if (((fragment.waitsFor & live) & ~here) == 0) {
      fragment.state = FragmentState::Ready;
      --fragment.pc;
    }
  }
}

void Warp::wake(FragmentState state, uint32_t waitsFor) {
  for (size_t i = 0; i < fragments.size(); ++i) {
    Fragment &fragment = fragments[i];
    if (fragment.state != state || fragment.waitsFor != waitsFor)
      continue;
    fragment.state = FragmentState::Ready;
    // It may wait right before its join.
    if (fragment.join != noIndex && joins[fragment.join].pc == fragment.pc &&
        joins[fragment.join].frame == fragment.frame) {
      uint32_t join = fragment.join;
      joins[join].arrived |= fragment.mask;
      fragments.erase(fragments.begin() + i--);
      bool had = hasCurrent;
      Fragment saved = current;
      uint32_t savedPc = joinPc;
      hasCurrent = true;
      releaseJoin(join);
      hasCurrent = had;
      current = saved;
      joinPc = savedPc;
    }
  }
}

//===----------------------------------------------------------------------===//
// Findings
//===----------------------------------------------------------------------===//

void Warp::report(FindingKind kind, const Inst &inst, uint32_t lane,
                  std::string text, uint64_t address) {
  Finding finding;
  finding.kind = kind;
  finding.kernel = kernel->entry->name;
  finding.location = inst.location;
  finding.block = block->getIndex();
  finding.thread = block->getThread(index, lane);
  finding.address = address;
  finding.text = std::move(text);
  block->getGrid().report(std::move(finding));
}

void Warp::reportUndefined(const Inst &inst, uint32_t lanes,
                           std::string_view what) {
  std::string text = std::string(what) + " is undefined";
  if (!undefinedOrigin.empty())
    text += " (bytes nobody wrote were last read at " + undefinedOrigin + ")";
  report(undefinedOrigin.empty() ? FindingKind::UndefinedValue
                                 : FindingKind::UninitializedMemory,
         inst, std::countr_zero(lanes), std::move(text));
}
