//===- Grid.cpp - Blocks, clusters and the grid ---------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/AsyncGroups.h"
#include "runtime/emulator/Block.h"

#include <algorithm>
#include <cstdio>

using namespace fk;
using namespace fk::emulator;

std::string_view emulator::getName(FindingKind kind) {
  switch (kind) {
  case FindingKind::OutOfBounds:
    return "out of bounds";
  case FindingKind::Misaligned:
    return "misaligned";
  case FindingKind::UninitializedMemory:
    return "uninitialized memory";
  case FindingKind::UndefinedValue:
    return "undefined value";
  case FindingKind::ReadOnlyWrite:
    return "write to a read-only operand";
  case FindingKind::SharedRace:
    return "shared memory race";
  case FindingKind::GlobalRace:
    return "global memory race";
  case FindingKind::DivergentBarrier:
    return "divergent barrier";
  case FindingKind::Deadlock:
    return "deadlock";
  case FindingKind::InstructionBudget:
    return "endless";
  case FindingKind::SharedMemoryLimit:
    return "shared memory limit";
  case FindingKind::InvalidMask:
    return "invalid mask";
  case FindingKind::InvalidOperation:
    return "invalid operation";
  case FindingKind::ScheduleDependent:
    return "depends on the schedule";
  }
  return "";
}

std::string emulator::formatExtent(const std::array<uint32_t, 3> &v) {
  return std::to_string(v[0]) + "," + std::to_string(v[1]) + "," +
         std::to_string(v[2]);
}

std::string Finding::str(std::string_view file) const {
  std::string out = std::string(file);
  if (location.line)
    out += ":" + std::to_string(location.line) + ":" +
           std::to_string(location.column);
  out += ": " + std::string(getName(kind)) + ": " + text + " (kernel " +
         kernel + ", block " + formatExtent(block) + ", thread " +
         formatExtent(thread);
  if (count > 1)
    out += ", " + std::to_string(count) + " times";
  return out + ")";
}

//===----------------------------------------------------------------------===//
// Grid
//===----------------------------------------------------------------------===//

void Grid::report(Finding finding) {
  std::lock_guard lock(mutex);
  uint64_t place =
      (uint64_t(finding.location.line) << 32) | finding.location.column;
  auto [it, isNew] = findings.try_emplace({place, finding.kind}, finding);
  if (isNew) {
    if (findings.size() >= options->maxFindings)
      stopped = true;
    return;
  }
  // The first in the order of blocks and threads stands for all.
  Finding &known = it->second;
  uint64_t count = known.count + 1;
  auto key = [](const Finding &f) {
    return std::array<uint32_t, 6>{f.block[2],  f.block[1],  f.block[0],
                                   f.thread[2], f.thread[1], f.thread[0]};
  };
  if (!isSerial && key(finding) < key(known))
    known = std::move(finding);
  known.count = count;
  constexpr uint64_t enough = 1 << 20;
  if (count > enough)
    stopped = true;
}

std::vector<Finding> Grid::takeFindings() {
  std::vector<Finding> all;
  for (auto &[key, finding] : findings)
    all.push_back(std::move(finding));
  findings.clear();
  return all;
}

bool Grid::spend(uint64_t instructions) {
  uint64_t before = warpInstructions.fetch_add(instructions);
  if (before + instructions <= options->instructionBudget)
    return true;
  stopped = true;
  return false;
}

void Grid::print(std::string_view text) {
  std::lock_guard lock(mutex);
  if (options->printed)
    *options->printed += text;
  else
    std::fwrite(text.data(), 1, text.size(), stdout);
}

//===----------------------------------------------------------------------===//
// Block
//===----------------------------------------------------------------------===//

void Block::start(Grid &inGrid, Unit &inUnit, uint32_t inRank,
                  std::array<uint32_t, 3> inIndex, uint32_t inSerial) {
  grid = &inGrid;
  unit = &inUnit;
  rank = inRank;
  index = inIndex;
  serial = inSerial;
  barriers = {};
  mbarriers.clear();
  sharedSync.clear();
  asyncOps.clear();
  shared.reset(grid->sharedBytes, grid->options->checkRaces);
  warpCount = (grid->threads + 31) / 32;
  if (warps.size() < warpCount)
    warps.resize(warpCount);
  for (uint32_t w = 0; w < warpCount; ++w) {
    uint32_t lanes = std::min(32u, grid->threads - w * 32);
    warps[w].start(*this, *grid->kernel, w,
                   lanes == 32 ? allLanes : (1u << lanes) - 1);
  }
}

std::array<uint32_t, 3> Block::getThread(uint32_t warp, uint32_t lane) const {
  uint32_t linear = warp * 32 + lane;
  const auto &dim = grid->block;
  return {linear % dim[0], linear / dim[0] % dim[1],
          linear / (dim[0] * dim[1])};
}

bool Block::isDone() const {
  for (uint32_t w = 0; w < warpCount; ++w)
    if (!warps[w].isDone())
      return false;
  return true;
}

bool Block::stepAsync(size_t position) {
  if (asyncOps.empty())
    return false;
  position = position < asyncOps.size() ? position : 0;
  AsyncOp op = std::move(asyncOps[position]);
  asyncOps.erase(asyncOps.begin() + static_cast<ptrdiff_t>(position));
  op.run();
  return true;
}

//===----------------------------------------------------------------------===//
// Unit
//===----------------------------------------------------------------------===//

void Unit::start(Grid &grid, uint64_t number) {
  std::array<uint64_t, 3> count, at, extent;
  for (int d = 0; d < 3; ++d)
    count[d] = grid.grid[d] / grid.cluster[d];
  at = {number % count[0], number / count[0] % count[1],
        number / (count[0] * count[1])};
  extent = {grid.cluster[0], grid.cluster[1], grid.cluster[2]};
  blockCount = static_cast<uint32_t>(extent[0] * extent[1] * extent[2]);
  if (blocks.size() != blockCount)
    blocks = std::vector<Block>(blockCount);
  clusterPhase = 0;
  clusterClock = clusterArriving = proxied = {};
  vainTurns = 0;
  for (uint32_t rank = 0; rank < blockCount; ++rank) {
    std::array<uint32_t, 3> index = {
        static_cast<uint32_t>(at[0] * extent[0] + rank % extent[0]),
        static_cast<uint32_t>(at[1] * extent[1] + rank / extent[0] % extent[1]),
        static_cast<uint32_t>(at[2] * extent[2] +
                              rank / (extent[0] * extent[1]))};
    blocks[rank].start(grid, *this, rank, index,
                       static_cast<uint32_t>(number * blockCount + rank + 1));
  }
}

bool Unit::isDone() const {
  for (uint32_t rank = 0; rank < blockCount; ++rank)
    if (!blocks[rank].isDone())
      return false;
  return true;
}

void Unit::updateClusterBarrier() {
  uint32_t arrived = 0, missing = 0;
  for (uint32_t rank = 0; rank < blockCount; ++rank)
    for (uint32_t w = 0; w < blocks[rank].getWarpCount(); ++w) {
      const Warp &warp = blocks[rank].getWarp(w);
      arrived |= warp.clusterArrived;
      missing |= warp.getLive() & ~warp.clusterArrived;
    }
  if (!arrived || missing)
    return;
  ++clusterPhase;
  clusterClock = std::move(clusterArriving);
  clusterArriving = {};
  for (uint32_t rank = 0; rank < blockCount; ++rank)
    for (uint32_t w = 0; w < blocks[rank].getWarpCount(); ++w) {
      Warp &warp = blocks[rank].getWarp(w);
      warp.clusterArrived = 0;
      bool isWaiting = false;
      for (const Fragment &fragment : warp.getFragments())
        isWaiting |= fragment.state == FragmentState::Cluster;
      if (!isWaiting)
        continue;
      warp.sync.seen.join(clusterClock);
      warp.wake(FragmentState::Cluster, 0);
    }
}

bool Unit::stepAsync() {
  for (uint32_t rank = 0; rank < blockCount; ++rank)
    if (blocks[rank].stepAsync())
      return true;
  return false;
}

void Unit::finish() {
  Grid &grid = blocks[0].getGrid();
  while (!grid.isStopped() && stepAsync()) {
  }
  for (uint32_t rank = 0; rank < blockCount; ++rank)
    for (uint32_t w = 0; w < blocks[rank].getWarpCount(); ++w) {
      Warp &warp = blocks[rank].getWarp(w);
      if (!warp.asyncGroups)
        continue;
      for (const auto &product : warp.asyncGroups->products.pending)
        warp.report(FindingKind::InvalidOperation, *product.inst, product.lane,
                    "the warp exits while this product is under way: no "
                    "wgmma.wait_group waits for it");
      for (uint32_t lane = 0; lane < warpSize; ++lane) {
        auto &bulk = warp.asyncGroups->lanes[lane].bulk;
        while (!bulk.pending.empty()) {
          Warp::AsyncGroups::Bulk copy = bulk.take();
          warp.report(FindingKind::InvalidOperation, *copy.inst, lane,
                      "the thread exits while this copy may still read its "
                      "block's shared memory: no cp.async.bulk.wait_group "
                      "waits for it");
          copy.run(copy.issuedAt);
        }
      }
    }
}

uint64_t Unit::countLaneInstructions() {
  uint64_t count = 0;
  for (uint32_t rank = 0; rank < blockCount; ++rank)
    for (uint32_t w = 0; w < blocks[rank].getWarpCount(); ++w)
      count += blocks[rank].getWarp(w).getLaneInstructions();
  return count;
}

uint64_t emulator::nextRandom(uint64_t &state) {
  // splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

bool Unit::turn(uint64_t quantum, uint64_t &random) {
  Grid &grid = blocks[0].getGrid();
  uint64_t done = 0;
  bool isSeeded = grid.options->scheduleSeed != 0;
  bool isInVain = true;
  for (uint32_t rank = 0; rank < blockCount; ++rank) {
    Block &block = blocks[rank];
    uint32_t count = block.getWarpCount();
    uint32_t first = isSeeded ? nextRandom(random) % count : 0;
    for (uint32_t i = 0; i < count; ++i) {
      Warp &warp = block.getWarp((first + i) % count);
      if (warp.isDone() || !warp.isReady())
        continue;
      uint64_t turn = quantum;
      if (isSeeded) {
        if (nextRandom(random) % 4 == 0) {
          ++done; // It had its chance; others go first.
          continue;
        }
        turn = 1 + nextRandom(random) % 64;
      }
      uint64_t ran = warp.run(turn);
      done += ran;
      isInVain &= warp.isPollingInVain(ran);
      if (grid.isStopped())
        return false;
    }
    // Copies may also complete early, and in any order.
    if (isSeeded && !block.asyncOps.empty() && nextRandom(random) % 4 == 0)
      block.stepAsync(nextRandom(random) % block.asyncOps.size());
  }
  if (done) {
    if (!grid.spend(done)) {
      for (uint32_t rank = 0; rank < blockCount; ++rank)
        for (uint32_t w = 0; w < blocks[rank].getWarpCount(); ++w) {
          Warp &warp = blocks[rank].getWarp(w);
          if (warp.isDone() || !warp.isReady())
            continue;
          const Fragment &at = warp.getFragments().empty()
                                   ? warp.getCurrent()
                                   : warp.getFragments().front();
          const auto &code = grid.kernel->code;
          warp.report(FindingKind::InstructionBudget,
                      code[std::min<size_t>(at.pc, code.size() - 1)],
                      std::countr_zero(at.mask ? at.mask : 1u),
                      "still running after " +
                          std::to_string(grid.options->instructionBudget) +
                          " warp instructions of the launch");
          return false;
        }
    }
    vainTurns = isInVain ? vainTurns + 1 : 0;
    return !isInVain || stepWaiting();
  }
  vainTurns = 0;
  return stepWaiting();
}

/// Nothing can run, or all that runs polls in vain: copies complete, then lanes
/// at a join go on alone. False: none of this helps.
bool Unit::stepWaiting() {
  if (stepAsync()) {
    vainTurns = 0;
    return true;
  }
  // Polls are repeated for a while, in case they are bounded.
  constexpr uint64_t joinPatience = 64, patience = 4096;
  if (vainTurns && vainTurns != joinPatience)
    return vainTurns < patience;
  bool any = vainTurns != 0;
  for (uint32_t rank = 0; rank < blockCount; ++rank)
    for (uint32_t w = 0; w < blocks[rank].getWarpCount(); ++w)
      any |= blocks[rank].getWarp(w).releaseJoins();
  return any;
}

void Unit::reportDeadlock() {
  Grid &grid = blocks[0].getGrid();
  const auto &code = grid.kernel->code;
  // Who waits where, one finding an instruction.
  for (uint32_t rank = 0; rank < blockCount; ++rank)
    for (uint32_t w = 0; w < blocks[rank].getWarpCount(); ++w) {
      Warp &warp = blocks[rank].getWarp(w);
      for (const Fragment &fragment : warp.getFragments()) {
        if (!fragment.mask || fragment.state == FragmentState::Ready)
          continue;
        std::string what = fragment.state == FragmentState::Barrier
                               ? "barrier " + std::to_string(fragment.waitsFor)
                           : fragment.state == FragmentState::Cluster
                               ? std::string("the cluster's barrier")
                               : std::string("the other lanes of its warp");
        if (fragment.state == FragmentState::Barrier) {
          const NamedBarrier &barrier =
              blocks[rank].barriers[fragment.waitsFor];
          what +=
              ", where " + std::to_string(barrier.arrivedThreads) + " of " +
              std::to_string(barrier.expectedThreads ? barrier.expectedThreads
                                                     : grid.threads) +
              " threads have arrived";
        }
        warp.report(FindingKind::Deadlock, code[fragment.pc - 1],
                    std::countr_zero(fragment.mask),
                    std::to_string(std::popcount(fragment.mask)) +
                        " lanes of warp " + std::to_string(w) + " wait for " +
                        what + ", and nobody can come");
      }
      if (warp.isDone() || !warp.poll.inst)
        continue;
      const Warp::Poll &poll = warp.poll;
      auto found = poll.owner->mbarriers.find(poll.offset);
      std::string state;
      if (found != poll.owner->mbarriers.end()) {
        const MBarrier &barrier = found->second;
        state = ", whose phase " + std::to_string(barrier.phase) + " lacks " +
                std::to_string(barrier.pending) + " of " +
                std::to_string(barrier.expected) + " arrivals and " +
                std::to_string(barrier.bytes) + " bytes of transactions";
      }
      Place place = {nullptr, nullptr, nullptr, &poll.owner->shared,
                     poll.offset};
      warp.report(
          FindingKind::Deadlock, *poll.inst, std::countr_zero(poll.lanes),
          std::to_string(std::popcount(poll.lanes)) + " lanes of warp " +
              std::to_string(w) + " wait for the mbarrier at " +
              describePlace(place, poll.offset, *grid.kernel) + state +
              ", and nobody can come",
          sharedBase + poll.offset);
    }
}
