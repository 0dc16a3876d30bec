//===- Cluster.cpp - Clusters, their shared memory, fences ----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/ops/Async.h"

using namespace fk;
using namespace fk::emulator;
using ptx::StateSpace;
using ptx::Type;

namespace {

//===----------------------------------------------------------------------===//
// barrier.cluster
//===----------------------------------------------------------------------===//

enum { AlignedFlag = 0, RelaxedFlag = 1 };

void checkAligned(Warp &warp, const Inst &inst, uint32_t active) {
  if (!inst.flags[AlignedFlag] || active == warp.getLive())
    return;
  warp.report(FindingKind::DivergentBarrier, inst, std::countr_zero(active),
              "only " + std::to_string(std::popcount(active)) + " of the " +
                  std::to_string(std::popcount(warp.getLive())) +
                  " running lanes of the warp come to the cluster's barrier");
}

void clusterArrive(Warp &warp, const Inst &inst, uint32_t active) {
  checkAligned(warp, inst, active);
  if (uint32_t twice = warp.clusterOwed & active) {
    warp.report(FindingKind::InvalidOperation, inst, std::countr_zero(twice),
                "a second arrival at the cluster's barrier, without "
                "barrier.cluster.wait after the first");
    active &= ~twice;
    if (!active)
      return;
  }
  Unit &unit = warp.getBlock().getUnit();
  warp.clusterOwed |= active;
  warp.clusterArrived |= active;
  unit.clusterArriving.join(inst.flags[RelaxedFlag] ? warp.sync.fenced
                                                    : warp.sync.seen);
  warp.sync.advance();
  unit.updateClusterBarrier();
}

void clusterWait(Warp &warp, const Inst &inst, uint32_t active) {
  checkAligned(warp, inst, active);
  if (uint32_t never = active & ~warp.clusterOwed) {
    warp.report(FindingKind::InvalidOperation, inst, std::countr_zero(never),
                "barrier.cluster.wait without barrier.cluster.arrive before");
    active &= ~never;
    if (!active)
      return;
  }
  warp.clusterOwed &= ~active;
  // Who arrived in the phase under way waits for its end.
  uint32_t early = active & warp.clusterArrived;
  if (active & ~early)
    warp.sync.seen.join(warp.getBlock().getUnit().clusterClock);
  if (!early)
    return;
  warp.splitOff(early);
  warp.wait(FragmentState::Cluster, 0);
}

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

/// flags[0]: a generic address; flags[1]: of the operand's registers.
uint32_t getRank(Block &block, uint64_t address) {
  auto rank = static_cast<uint32_t>(address >> sharedRankShift);
  return rank ? rank - 1 : block.getRank();
}

bool isShared(uint64_t address) {
  return address >= sharedWindow && address < localWindow;
}

void mapAddress(Warp &warp, const Inst &inst, uint32_t active) {
  std::span<const Reg> list = warp.getList(inst);
  uint32_t undefined = warp.getUndefined(list[0]) | warp.getUndefined(inst.b);
  bool isGeneric = inst.flags[0], isWide = inst.flags[2] == 8;
  const uint32_t *ranks = warp.values<uint32_t>(inst.b);
  forEachLane(active & ~undefined, [&](uint32_t lane) {
    uint64_t address = getAddress(warp, inst.flags[1], list[0], list[1], lane);
    uint32_t count = warp.getBlock().getUnit().getBlockCount();
    if (isGeneric && !isShared(address)) {
      warp.report(FindingKind::InvalidOperation, inst, lane,
                  "mapa of an address that is not in shared memory", address);
      return;
    }
    if (ranks[lane] >= count) {
      warp.report(FindingKind::InvalidOperation, inst, lane,
                  "mapa to rank " + std::to_string(ranks[lane]) +
                      " of a cluster of " + std::to_string(count),
                  address);
      return;
    }
    uint64_t within = address & ((1u << sharedRankShift) - 1);
    uint64_t mapped = within | (uint64_t(ranks[lane] + 1) << sharedRankShift) |
                      (isGeneric ? sharedWindow : 0);
    if (isWide)
      warp.values<uint64_t>(inst.d)[lane] = mapped;
    else
      warp.values<uint32_t>(inst.d)[lane] = static_cast<uint32_t>(mapped);
  });
  warp.setUndefined(inst.d, active, undefined);
}

void getRankOf(Warp &warp, const Inst &inst, uint32_t active) {
  std::span<const Reg> list = warp.getList(inst);
  uint32_t undefined = warp.getUndefined(list[0]);
  forEachLane(active, [&](uint32_t lane) {
    uint64_t address = getAddress(warp, inst.flags[1], list[0], list[1], lane);
    if (inst.flags[0] && !isShared(address) && !((undefined >> lane) & 1))
      warp.report(FindingKind::InvalidOperation, inst, lane,
                  "getctarank of an address that is not in shared memory",
                  address);
    warp.values<uint32_t>(inst.d)[lane] =
        getRank(warp.getBlock(), address & windowMask);
  });
  warp.setUndefined(inst.d, active, undefined);
}

enum class Window : uint8_t { Const, Global, Local, Param, Own, Cluster };

bool isIn(Warp &warp, Window window, uint64_t address) {
  bool isModule = address >= moduleWindow && address < globalWindow;
  auto isConstant = [&] {
    const Region *region = warp.getBlock().getGrid().find(address);
    return isModule && region && !region->options.isWritable;
  };
  switch (window) {
  case Window::Const:
    return isConstant();
  case Window::Global:
    return (address >= moduleWindow || address < sharedWindow) && !isConstant();
  case Window::Local:
    return address >= localWindow && address < paramWindow;
  case Window::Param:
    return address >= paramWindow && address < functionWindow;
  case Window::Cluster:
    return isShared(address);
  case Window::Own:
    break;
  }
  return isShared(address) && getRank(warp.getBlock(), address & windowMask) ==
                                  warp.getBlock().getRank();
}

void testSpace(Warp &warp, const Inst &inst, uint32_t active) {
  auto window = static_cast<Window>(inst.flags[0]);
  const uint64_t *addresses = warp.values<uint64_t>(inst.a);
  uint32_t result = 0;
  forEachLane(active, [&](uint32_t lane) {
    result |= uint32_t(isIn(warp, window, addresses[lane])) << lane;
  });
  setPredicate(warp, inst.d, active, result, warp.getUndefined(inst.a));
}

//===----------------------------------------------------------------------===//
// Fences
//===----------------------------------------------------------------------===//

void fence(Warp &warp, const Inst &, uint32_t) { warp.sync.fence(); }

/// What the warp has seen is now visible to asynchronous copies too.
void fenceProxy(Warp &warp, const Inst &, uint32_t) {
  warp.getBlock().getUnit().proxied.join(warp.sync.seen);
  warp.sync.advance();
}

void nothing(Warp &, const Inst &, uint32_t) {}

/// `a` of mapa and getctarank: a register, a variable, or a variable and an
/// offset.
void bindPlain(Decoder &decoder, const ptx::Operand &operand, size_t bytes,
               Inst &inst) {
  Reg base = decoder.source(operand, bytes == 8 ? Type::U64 : Type::U32);
  Reg regs[] = {base, decoder.constant(0, 8)};
  inst.flags[1] = bytes == 8 ? Address64 : Address32;
  decoder.setList(inst, regs);
}

size_t takeAddressSize(Decoder &decoder, Modifiers &modifiers,
                       const ptx::Instruction &instruction) {
  Type type = modifiers.takeType();
  if (type != Type::U32 && type != Type::U64)
    decoder.failUnsupported(instruction, "it wants .u32 or .u64");
  return ptx::getSizeInBytes(type);
}

} // namespace

void emulator::decodeClusterBarrier(Decoder &decoder, Modifiers &modifiers,
                                    const ptx::Instruction &instruction,
                                    Inst &inst) {
  std::string_view mode = modifiers.takeOneOf({"arrive", "wait"});
  if (mode.empty())
    decoder.failUnsupported(instruction, "it wants .arrive or .wait");
  if (mode == "arrive")
    inst.flags[RelaxedFlag] =
        modifiers.takeOneOf({"release", "relaxed"}) == "relaxed";
  else
    modifiers.take("acquire");
  inst.flags[AlignedFlag] = modifiers.take("aligned");
  decoder.expectOperands(instruction, 0);
  inst.run = mode == "arrive" ? clusterArrive : clusterWait;
}

void emulator::decodeMapa(Decoder &decoder, Modifiers &modifiers,
                          const ptx::Instruction &instruction, Inst &inst) {
  inst.flags[0] = !modifiers.take("shared::cluster");
  size_t bytes = takeAddressSize(decoder, modifiers, instruction);
  inst.flags[2] = static_cast<uint8_t>(bytes);
  decoder.expectOperands(instruction, 3);
  inst.d = decoder.dest(instruction.operands[0], bytes);
  bindPlain(decoder, instruction.operands[1], bytes, inst);
  inst.b = decoder.source(instruction.operands[2], Type::U32);
  inst.run = mapAddress;
}

void emulator::decodeGetRank(Decoder &decoder, Modifiers &modifiers,
                             const ptx::Instruction &instruction, Inst &inst) {
  inst.flags[0] = !modifiers.take("shared::cluster");
  size_t bytes = takeAddressSize(decoder, modifiers, instruction);
  decoder.expectOperands(instruction, 2);
  inst.d = decoder.dest(instruction.operands[0], 4);
  bindPlain(decoder, instruction.operands[1], bytes, inst);
  inst.run = getRankOf;
}

void emulator::decodeIsSpace(Decoder &decoder, Modifiers &modifiers,
                             const ptx::Instruction &instruction, Inst &inst) {
  std::string_view name = modifiers.takeOneOf(
      {"const", "global", "local", "param", "param::entry", "param::func",
       "shared", "shared::cta", "shared::cluster"});
  if (name.empty() || name == "param::func")
    decoder.failUnsupported(instruction, "it names no space");
  inst.flags[0] =
      static_cast<uint8_t>(name == "const"             ? Window::Const
                           : name == "global"          ? Window::Global
                           : name == "local"           ? Window::Local
                           : name.starts_with("param") ? Window::Param
                           : name == "shared::cluster" ? Window::Cluster
                                                       : Window::Own);
  decoder.expectOperands(instruction, 2);
  inst.d = decoder.dest(instruction.operands[0], 0);
  inst.a = decoder.source(instruction.operands[1], Type::U64);
  inst.run = testSpace;
}

void emulator::decodeFence(Decoder &decoder, Modifiers &modifiers,
                           const ptx::Instruction &instruction, Inst &inst) {
  bool isMembar = instruction.opcode == "membar";
  if (modifiers.take("proxy")) {
    std::string_view kind = modifiers.takeOneOf(
        {"alias", "async", "tensormap::generic", "async::generic"});
    if (kind.empty())
      decoder.failUnsupported(instruction, "that proxy");
    std::string_view space =
        modifiers.takeOneOf({"global", "shared::cta", "shared::cluster"});
    if (kind == "tensormap::generic" || kind == "async::generic") {
      bool isAcquire = modifiers.takeOneOf({"acquire", "release"}) == "acquire";
      modifiers.takeIf(
          [](std::string_view n) { return n.starts_with("sync_restrict::"); });
      modifiers.takeOneOf({"cta", "cluster", "gpu", "sys"});
      bool takesAddress = isAcquire && kind == "tensormap::generic";
      decoder.expectOperands(instruction, takesAddress ? 2 : 0);
      if (takesAddress) {
        bindAddress(decoder, instruction.operands[0]);
        if (decoder.integer(instruction.operands[1], "the size") != 128)
          decoder.fail(instruction.operands[1].location,
                       "a tensor map has 128 bytes");
      }
      inst.run = fence;
      return;
    }
    decoder.expectOperands(instruction, 0);
    // Nothing here has two names for one address, or checks the order between
    // the proxies in global memory.
    bool isShared = kind == "async" && space != "global";
    inst.run = isShared ? fenceProxy : nothing;
    return;
  }
  decoder.expectOperands(instruction, 0);
  if (modifiers.take("mbarrier_init")) {
    if (!modifiers.take("release") || !modifiers.take("cluster"))
      decoder.failUnsupported(instruction, "it wants .release.cluster");
    inst.run = fence;
    return;
  }
  if (!isMembar)
    modifiers.takeOneOf({"sc", "acq_rel", "acquire", "release"});
  modifiers.takeIf(
      [](std::string_view n) { return n.starts_with("sync_restrict::"); });
  std::string_view scope =
      isMembar ? modifiers.takeOneOf({"cta", "gl", "sys"})
               : modifiers.takeOneOf({"cta", "cluster", "gpu", "sys"});
  if (scope.empty())
    decoder.failUnsupported(instruction, "it names no scope");
  if (scope != "cta" && scope != "cluster")
    decoder.kernel.communicatesAcrossBlocks = true;
  inst.run = fence;
}
