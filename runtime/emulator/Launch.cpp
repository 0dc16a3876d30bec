//===- Launch.cpp - Modules, and launches of their entries ----------------===//
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

#include "runtime/emulator/Block.h"

#include <algorithm>
#include <thread>

using namespace fk;
using namespace fk::emulator;

namespace {

class ModuleImpl : public Module {
public:
  ptx::Module ptx;
  std::map<std::string, Kernel, std::less<>> kernels;
  const ptx::Module &getPtx() const override { return ptx; }
};

/// Units that an H100 holds at once: a kernel that waits for more blocks than
/// that deadlocks there too.
size_t getMostResident(const Grid &grid) {
  constexpr uint32_t processors = 132, mostThreads = 2048, mostBlocks = 32;
  constexpr uint32_t reserved = 1024, sharedBytes = 228 * 1024;
  uint32_t blocks =
      std::min({mostBlocks, mostThreads / ((grid.threads + 31) & ~31u),
                sharedBytes / (grid.sharedBytes + reserved)});
  uint32_t size = grid.cluster[0] * grid.cluster[1] * grid.cluster[2];
  return std::max(1u, processors * std::max(1u, blocks) / size);
}

void runUnits(Grid &grid, std::atomic<uint64_t> &next, uint64_t count,
              uint64_t seed) {
  const size_t mostResident = getMostResident(grid);
  // Warp instructions before a unit's thread turns to others as well: alone,
  // and in company.
  constexpr uint64_t patience = 1 << 20, turnInCompany = 1 << 12;
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
    for (size_t i = 0; i < resident.size() && !grid.isStopped(); ++i) {
      Unit &unit = *resident[i];
      bool isMoving = true;
      if (seed) {
        for (uint64_t turns = 1 + nextRandom(random) % 8;
             turns && isMoving && !unit.isDone() && !grid.isStopped(); --turns)
          isMoving = unit.turn(64, random);
      } else {
        uint64_t before = grid.warpInstructions.load(std::memory_order_relaxed);
        uint64_t most = resident.size() == 1 ? patience : turnInCompany;
        while (isMoving && !unit.isDone() && !grid.isStopped() &&
               (!grid.isSerial ||
                grid.warpInstructions.load(std::memory_order_relaxed) - before <
                    most))
          isMoving = unit.turn(256, random);
      }
      if (unit.isDone()) {
        unit.finish();
        grid.laneInstructions += unit.countLaneInstructions();
        spare.push_back(std::move(resident[i]));
        resident.erase(resident.begin() + i--);
      } else if (!isMoving && !grid.isStopped()) {
        // Barriers concern a unit alone, so nobody else can help.
        unit.reportDeadlock();
        grid.stop();
      }
    }
    // Whoever is left may wait for blocks that have not begun: twice as many.
    for (size_t n = resident.size(); n && resident.size() < mostResident; --n)
      if (!admit())
        break;
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
  if (!__builtin_cpu_supports("x86-64-v3"))
    throw Error({"the PTX emulator needs a CPU with AVX2", std::string(file),
                 "x86-64-v3", "an older CPU", "run it with --device=cuda"},
                ErrorKind::Infrastructure);
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
                 "grid " + formatExtent(grid.grid) + ", block " +
                     formatExtent(grid.block));
    threads *= grid.block[d];
    clusterSize *= grid.cluster[d];
    if (grid.grid[d] % grid.cluster[d])
      failLaunch(module, "the grid is not made of whole clusters",
                 "multiples of " + formatExtent(grid.cluster),
                 formatExtent(grid.grid));
    units *= grid.grid[d] / grid.cluster[d];
  }
  if (grid.grid[0] > 0x7fffffff || grid.grid[1] > 65535 || grid.grid[2] > 65535)
    failLaunch(module, "the grid is too large",
               "at most 2147483647,65535,65535", formatExtent(grid.grid));
  if (threads > 1024 || grid.block[2] > 64)
    failLaunch(module, "the block is too large",
               "at most 1024 threads, 64 deep", formatExtent(grid.block));
  if (clusterSize > 16)
    failLaunch(module, "the cluster is too large", "at most 16 blocks",
               formatExtent(grid.cluster));
  if (entry.requiredBlock && *entry.requiredBlock != grid.block)
    failLaunch(module, "the block is not the one the entry requires",
               ".reqntid " + formatExtent(*entry.requiredBlock),
               formatExtent(grid.block));
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
