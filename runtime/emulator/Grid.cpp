//===- Grid.cpp - Blocks, clusters and the grid ---------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A thread of the host runs one unit (a cluster, or a block) after the other.
// A unit that does not come to its end shares its thread with the next ones,
// because it may wait for them. Kernels whose blocks talk to each other run on
// one thread of the host, so that the order is always the same.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/AsyncGroups.h"
#include "runtime/emulator/Block.h"

#include <algorithm>
#include <cstdio>
#include <thread>

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

static std::string join(const std::array<uint32_t, 3> &v) {
  return std::to_string(v[0]) + "," + std::to_string(v[1]) + "," +
         std::to_string(v[2]);
}

std::string Finding::str(std::string_view file) const {
  std::string out = std::string(file);
  if (location.line)
    out += ":" + std::to_string(location.line) + ":" +
           std::to_string(location.column);
  out += ": " + std::string(getName(kind)) + ": " + text + " (kernel " +
         kernel + ", block " + join(block) + ", thread " + join(thread);
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

bool Block::stepAsync() {
  if (asyncOps.empty())
    return false;
  AsyncOp op = std::move(asyncOps.front());
  asyncOps.pop_front();
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
  clusterArrived = 0;
  clusterPhase = 0;
  clusterClock = clusterArriving = {};
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

uint32_t Unit::countLive() const {
  uint32_t live = 0;
  for (uint32_t rank = 0; rank < blockCount; ++rank) {
    auto &block = const_cast<Block &>(blocks[rank]);
    for (uint32_t w = 0; w < block.getWarpCount(); ++w)
      live += std::popcount(block.getWarp(w).getLive());
  }
  return live;
}

void Unit::updateClusterBarrier() {
  if (!clusterArrived || clusterArrived < countLive())
    return;
  clusterArrived = 0;
  ++clusterPhase;
  clusterClock = std::move(clusterArriving);
  clusterArriving = {};
  for (uint32_t rank = 0; rank < blockCount; ++rank)
    for (uint32_t w = 0; w < blocks[rank].getWarpCount(); ++w)
      blocks[rank].getWarp(w).wake(FragmentState::Cluster, clusterPhase);
}

static uint64_t nextRandom(uint64_t &state) {
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
      done += warp.run(turn);
      if (grid.isStopped())
        return false;
    }
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
    return true;
  }
  // Nothing can run: copies complete, then lanes at a join go on alone.
  for (uint32_t rank = 0; rank < blockCount; ++rank)
    if (blocks[rank].stepAsync())
      return true;
  bool any = false;
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
        if (!fragment.mask)
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
    }
}

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

namespace {

class ModuleImpl : public Module {
public:
  ptx::Module ptx;
  std::map<std::string, Kernel, std::less<>> kernels;
  const ptx::Module &getPtx() const override { return ptx; }
};

void runUnits(Grid &grid, std::atomic<uint64_t> &next, uint64_t count,
              uint64_t seed) {
  // Enough blocks for every multiprocessor of an H100, as the hardware would
  // hold: a kernel that waits for more than that deadlocks there too.
  constexpr size_t maxResident = 132 * 4;
  constexpr uint64_t unitPatience = 1 << 16;
  std::vector<std::unique_ptr<Unit>> resident, spare;
  uint64_t random = seed;
  auto admit = [&]() -> bool {
    uint64_t number = next.fetch_add(1);
    if (number >= count)
      return false;
    std::unique_ptr<Unit> unit;
    if (spare.empty()) {
      unit = std::make_unique<Unit>();
    } else {
      unit = std::move(spare.back());
      spare.pop_back();
    }
    unit->start(grid, number);
    resident.push_back(std::move(unit));
    return true;
  };
  if (seed)
    for (int i = 0; i < 7 && admit(); ++i) {
    }
  while (!grid.isStopped()) {
    if (resident.empty() && !admit())
      return;
    bool isAnyMoving = false;
    for (size_t i = 0; i < resident.size() && !grid.isStopped(); ++i) {
      Unit &unit = *resident[i];
      // Alone, it runs to its end; in company, it takes turns.
      uint64_t turns = seed ? 1 + nextRandom(random) % 8 : unitPatience;
      bool isMoving = true;
      uint64_t before = grid.warpInstructions.load(std::memory_order_relaxed);
      while (turns-- && isMoving && !unit.isDone() && !grid.isStopped()) {
        isMoving = unit.turn(seed ? 64 : 256, random);
        if (!seed &&
            grid.warpInstructions.load(std::memory_order_relaxed) - before >
                (uint64_t(1) << 22))
          break;
      }
      if (unit.isDone()) {
        spare.push_back(std::move(resident[i]));
        resident.erase(resident.begin() + i--);
        isAnyMoving = true;
        continue;
      }
      if (!isMoving && !grid.isStopped()) {
        // Barriers concern a unit alone, so nobody else can help.
        unit.reportDeadlock();
        grid.stop();
        return;
      }
      isAnyMoving |= isMoving;
    }
    if (!resident.empty() && resident.size() < maxResident)
      admit();
    (void)isAnyMoving;
  }
}

[[noreturn]] void failLaunch(const ModuleImpl &module, std::string what,
                             std::string wanted, std::string got,
                             std::string mend = "") {
  throw Error({std::move(what), module.ptx.file, std::move(wanted),
               std::move(got), std::move(mend)});
}

} // namespace

std::shared_ptr<const Module> Module::load(std::string_view text,
                                           std::string_view file) {
  auto module = std::make_shared<ModuleImpl>();
  module->ptx = ptx::parse(text, file);
  std::vector<ptx::Diagnostic> diagnostics;
  for (const ptx::Function &function : module->ptx.functions) {
    if (!function.isEntry || function.isDeclaration)
      continue;
    try {
      module->kernels.emplace(function.name,
                              decodeKernel(module->ptx, function));
    } catch (const ptx::PtxError &error) {
      for (const ptx::Diagnostic &diagnostic : error.getDiagnostics())
        if (diagnostics.size() < 20)
          diagnostics.push_back(diagnostic);
    }
  }
  if (!diagnostics.empty())
    throw ptx::PtxError(file, std::move(diagnostics));
  return module;
}

/// Variables of the module keep their values between launches of one Memory.
static std::vector<std::unique_ptr<Region>> *
getModuleRegions(const ModuleImpl &module, Memory::Impl &memory) {
  auto [it, isNew] = memory.moduleRegions.try_emplace(&module);
  if (!isNew)
    return &it->second;
  uint64_t base = moduleWindow;
  const auto &variables = module.ptx.variables;
  for (const ptx::Variable &variable : variables) {
    if (variable.space == ptx::StateSpace::Shared)
      continue;
    auto region = std::make_unique<Region>();
    region->name = variable.name;
    region->base = getVariableAddress(module.ptx, variable);
    region->bytes = variable.bytes;
    region->owned.resize(variable.bytes);
    std::copy(variable.init.begin(), variable.init.end(),
              region->owned.begin());
    for (const auto &relocation : variable.relocations) {
      uint64_t value = 0;
      if (const ptx::Variable *target =
              module.ptx.findVariable(relocation.symbol))
        value = getVariableAddress(module.ptx, *target);
      else
        for (size_t i = 0; i < module.ptx.functions.size(); ++i)
          if (module.ptx.functions[i].name == relocation.symbol)
            value = functionWindow + (i + 1) * 16;
      value += relocation.addend;
      value >>= relocation.shift;
      for (uint32_t i = 0; i < relocation.bytes; ++i)
        if (relocation.offset + i < region->owned.size())
          region->owned[relocation.offset + i] = std::byte(value >> (8 * i));
    }
    region->data = region->owned.data();
    region->options.isWritable = variable.space != ptx::StateSpace::Const;
    it->second.push_back(std::move(region));
  }
  (void)base;
  std::sort(it->second.begin(), it->second.end(),
            [](const auto &a, const auto &b) { return a->base < b->base; });
  return &it->second;
}

Report emulator::launch(const Module &abstract, const LaunchConfig &config,
                        Memory &memory, const Options &options) {
  const auto &module = static_cast<const ModuleImpl &>(abstract);
  auto found = module.kernels.find(config.entry);
  if (found == module.kernels.end()) {
    std::string names;
    for (const auto &[name, kernel] : module.kernels)
      names += (names.empty() ? "" : ", ") + name;
    failLaunch(module, "there is no entry '" + config.entry + "'",
               names.empty() ? "an entry" : names, config.entry);
  }
  const Kernel &kernel = found->second;
  const ptx::Function &entry = *kernel.entry;

  Grid grid;
  grid.module = &module;
  grid.kernel = &kernel;
  grid.config = &config;
  grid.options = &options;
  grid.memory = &memory.get();
  grid.grid = config.grid;
  grid.block = config.block;
  grid.cluster = config.cluster;
  if (entry.requiredCluster)
    grid.cluster = *entry.requiredCluster;
  uint64_t threads = 1, clusterSize = 1, units = 1;
  for (int d = 0; d < 3; ++d) {
    if (!grid.grid[d] || !grid.block[d] || !grid.cluster[d])
      failLaunch(module, "an extent of the launch is 0", "at least 1",
                 "grid " + join(grid.grid) + ", block " + join(grid.block));
    threads *= grid.block[d];
    clusterSize *= grid.cluster[d];
    if (grid.grid[d] % grid.cluster[d])
      failLaunch(module, "the grid is not made of whole clusters",
                 "multiples of " + join(grid.cluster), join(grid.grid));
    units *= grid.grid[d] / grid.cluster[d];
  }
  if (grid.grid[0] > 0x7fffffff || grid.grid[1] > 65535 || grid.grid[2] > 65535)
    failLaunch(module, "the grid is too large",
               "at most 2147483647,65535,65535", join(grid.grid));
  if (threads > 1024 || grid.block[2] > 64)
    failLaunch(module, "the block is too large",
               "at most 1024 threads, 64 deep", join(grid.block));
  if (clusterSize > 16)
    failLaunch(module, "the cluster is too large", "at most 16 blocks",
               join(grid.cluster));
  if (entry.requiredBlock && *entry.requiredBlock != grid.block)
    failLaunch(module, "the block is not the one the entry requires",
               ".reqntid " + join(*entry.requiredBlock), join(grid.block));
  if (entry.maxBlock) {
    uint64_t most = uint64_t((*entry.maxBlock)[0]) * (*entry.maxBlock)[1] *
                    (*entry.maxBlock)[2];
    if (threads > most)
      failLaunch(module, "the block has more threads than the entry allows",
                 ".maxntid " + std::to_string(most), std::to_string(threads));
  }
  grid.threads = static_cast<uint32_t>(threads);
  uint64_t dynamicStart = (kernel.staticShared + kernel.sharedAlignment - 1) /
                          kernel.sharedAlignment * kernel.sharedAlignment;
  uint64_t shared = config.dynamicShared ? dynamicStart + config.dynamicShared
                                         : kernel.staticShared;
  if (shared > maxSharedBytes)
    failLaunch(module, "too much shared memory",
               "at most " + std::to_string(maxSharedBytes) + " bytes a block",
               std::to_string(shared));
  grid.sharedBytes = static_cast<uint32_t>(shared);
  if (config.args.size() != kernel.params.size())
    failLaunch(module, "wrong number of arguments for '" + config.entry + "'",
               std::to_string(kernel.params.size()),
               std::to_string(config.args.size()));
  grid.params.resize(kernel.paramBytes);
  for (size_t i = 0; i < config.args.size(); ++i) {
    if (config.args[i].size() != kernel.params[i].bytes)
      failLaunch(module,
                 "argument " + std::to_string(i) + " of '" + config.entry +
                     "' has the wrong size",
                 std::to_string(kernel.params[i].bytes) + " bytes",
                 std::to_string(config.args[i].size()) + " bytes");
    std::copy(config.args[i].begin(), config.args[i].end(),
              grid.params.begin() + kernel.params[i].offset);
  }
  for (auto &region : memory.get().regions)
    region->forgetAccesses();
  grid.moduleRegions = getModuleRegions(module, memory.get());
  for (auto &region : *grid.moduleRegions)
    region->forgetAccesses();

  unsigned workers =
      options.threads ? options.threads : std::thread::hardware_concurrency();
  grid.isSerial = kernel.communicatesAcrossBlocks || options.scheduleSeed ||
                  workers <= 1 || units == 1;
  std::atomic<uint64_t> next = 0;
  if (grid.isSerial) {
    runUnits(grid, next, units, options.scheduleSeed);
  } else {
    std::vector<std::jthread> pool;
    for (uint64_t i = 0; i < std::min<uint64_t>(workers, units); ++i)
      pool.emplace_back([&] { runUnits(grid, next, units, 0); });
  }
  Report report;
  report.findings = grid.takeFindings();
  report.warpInstructions = grid.warpInstructions;
  report.laneInstructions = grid.laneInstructions;
  return report;
}
