//===- Block.h - Blocks, clusters and the grid -----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_BLOCK_H
#define FK_RUNTIME_EMULATOR_BLOCK_H

#include "runtime/emulator/Space.h"
#include "runtime/emulator/Warp.h"

#include <deque>
#include <functional>
#include <mutex>
#include <unordered_map>

namespace fk::emulator {

class Unit;

/// What all blocks of a launch share.
struct Grid {
  const Module *module = nullptr;
  const Kernel *kernel = nullptr;
  const LaunchConfig *config = nullptr;
  const Options *options = nullptr;
  Memory::Impl *memory = nullptr;
  std::vector<std::unique_ptr<Region>> *moduleRegions = nullptr;
  std::vector<std::byte> params;
  std::array<uint32_t, 3> grid = {1, 1, 1}, block = {1, 1, 1},
                          cluster = {1, 1, 1};
  uint32_t threads = 0; ///< of a block
  uint32_t sharedBytes = 0;
  bool isSerial = true; ///< one thread of the host runs all blocks

  /// What a word of global memory has been published with.
  std::unordered_map<uint64_t, ClockVector> globalSync;

  Region *find(uint64_t address) const;
  std::string describe(uint64_t address, uint64_t bytes) const;

  void report(Finding finding);
  /// Whether the launch is to end: too many findings, or the budget is spent.
  bool isStopped() const { return stopped.load(std::memory_order_relaxed); }
  void stop() { stopped = true; }
  /// Adds to what was executed; stops at the budget. False: it is spent.
  bool spend(uint64_t instructions);
  std::vector<Finding> takeFindings();
  std::atomic<uint64_t> warpInstructions = 0, laneInstructions = 0;
  void print(std::string_view text);

private:
  std::atomic<bool> stopped = false;
  std::mutex mutex;
  std::map<std::pair<uint64_t, FindingKind>, Finding> findings;
};

/// One of a block's sixteen barriers.
struct NamedBarrier {
  uint32_t expectedThreads = 0; ///< 0: all of the block that still run
  uint32_t arrivedThreads = 0;
  std::array<uint32_t, 32> arrived = {}; ///< lanes, by warp
  std::array<uint32_t, 32> waiting = {}; ///< those of them that wait
  ClockVector clock;
  uint32_t reduction = 0;                ///< of bar.red: count, or a boolean
  std::array<uint32_t, 32> results = {}; ///< of the last one, by warp
  bool isBusy = false;
};

struct MBarrier {
  uint32_t expected = 0; ///< arrivals a phase
  int32_t pending = 0;   ///< arrivals still to come
  int64_t bytes = 0;     ///< of transactions still to come
  uint32_t phase = 0;
  ClockVector clock; ///< of the phase that ended last
  ClockVector arriving;
};

/// A copy that completes some time later: at a wait, or when nothing else
/// moves.
struct AsyncOp {
  std::function<void()> run;
};

class Block {
public:
  void start(Grid &grid, Unit &unit, uint32_t rank,
             std::array<uint32_t, 3> index, uint32_t serial);

  Grid &getGrid() { return *grid; }
  Unit &getUnit() { return *unit; }
  const Kernel &getKernel() const { return *grid->kernel; }
  std::array<uint32_t, 3> getIndex() const { return index; }
  uint32_t getSerial() const { return serial; } ///< from 1
  uint32_t getRank() const { return rank; }     ///< in the cluster
  uint32_t getWarpCount() const { return warpCount; }
  Warp &getWarp(uint32_t i) { return warps[i]; }
  std::array<uint32_t, 3> getThread(uint32_t warp, uint32_t lane) const;
  bool isDone() const;

  SharedMemory shared;
  std::array<NamedBarrier, 16> barriers;
  std::unordered_map<uint32_t, MBarrier> mbarriers; ///< by shared address
  std::unordered_map<uint32_t, ClockVector> sharedSync;
  std::deque<AsyncOp> asyncOps;

  /// Lets barriers go that wait for nobody any more: called when lanes exit.
  void updateBarriers();
  /// Completes the pending copy at `position` of the queue, the oldest where
  /// there are fewer. False: there is none.
  bool stepAsync(size_t position = 0);

private:
  Grid *grid = nullptr;
  Unit *unit = nullptr;
  std::array<uint32_t, 3> index = {};
  uint32_t rank = 0, serial = 0, warpCount = 0;
  std::vector<Warp> warps;
};

/// Blocks that are resident together: a cluster, or one block.
class Unit {
public:
  void start(Grid &grid, uint64_t index);
  /// Runs every warp for a turn. False: nothing could move.
  bool turn(uint64_t quantum, uint64_t &random);
  bool isDone() const;
  /// Says who waits where.
  void reportDeadlock();
  /// Completes the copies that are still under way when all threads have gone.
  void finish();

  uint32_t getBlockCount() const { return blockCount; }
  Block &getBlock(uint32_t rank) { return blocks[rank]; }

  //--- barrier.cluster ------------------------------------------------------//
  uint32_t clusterPhase = 0;
  ClockVector clusterClock, clusterArriving;
  void updateClusterBarrier();

  /// What a fence.proxy.async has made visible to asynchronous copies.
  ClockVector proxied;

  /// Completes one pending copy of any block. False: there is none.
  bool stepAsync();
  uint64_t countLaneInstructions();

private:
  bool stepWaiting();

  std::vector<Block> blocks;
  uint32_t blockCount = 0;
  uint64_t vainTurns = 0; ///< one after the other
};

/// "1,2,3"
std::string formatExtent(const std::array<uint32_t, 3> &v);

/// The next of a sequence that `state` names.
uint64_t nextRandom(uint64_t &state);

/// The address of a module variable of .global or .const.
uint64_t getVariableAddress(const ptx::Module &module,
                            const ptx::Variable &variable);

/// Decodes one entry. Throws PtxError.
Kernel decodeKernel(const ptx::Module &module, const ptx::Function &entry);

/// Fills Inst::join: the immediate post-dominators of branches.
void findJoins(Kernel &kernel);

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_BLOCK_H
