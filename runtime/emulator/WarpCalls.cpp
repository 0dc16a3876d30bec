//===- WarpCalls.cpp - Activations of functions ---------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Arguments and results go through the callee's frame in local memory. Lanes
// that enter a function together meet again behind the call, wherever in it
// they return.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Block.h"

#include <algorithm>
#include <cstring>

using namespace fk;
using namespace fk::emulator;

uint32_t Warp::createFrame() {
  if (freeFrames.empty()) {
    frames.emplace_back();
    return frames.size() - 1;
  }
  uint32_t frame = freeFrames.back();
  freeFrames.pop_back();
  frames[frame] = {};
  return frame;
}

void Warp::leaveFrames(uint32_t frame, uint32_t lanes) {
  while (frame != noIndex) {
    uint32_t parent = frames[frame].parent;
    frames[frame].lanes &= ~lanes;
    if (!frames[frame].lanes)
      freeFrames.push_back(frame);
    frame = parent;
  }
}

void Warp::saveRegisters(Frame &frame) {
  const KernelFunction &function = kernel->functions[frame.function];
  frame.savedFile.assign(file.begin() + function.firstOffset,
                         file.begin() + function.endOffset);
  frame.savedUndefined.assign(undefined.begin() + function.firstId,
                              undefined.begin() + function.endId);
}

void Warp::restoreRegisters(const Frame &frame, uint32_t lanes) {
  const KernelFunction &function = kernel->functions[frame.function];
  for (uint32_t id = function.firstId; id < function.endId; ++id) {
    uint32_t saved = frame.savedUndefined[id - function.firstId];
    undefined[id] = (undefined[id] & ~lanes) | (saved & lanes);
  }
  // Each register's 32 values lie side by side, in the order of the ids.
  uint32_t offset = function.firstOffset;
  for (uint32_t id = function.firstId; id < function.endId; ++id) {
    uint32_t bytes = kernel->registerBytes[id];
    const std::byte *from =
        frame.savedFile.data() + offset - function.firstOffset;
    std::byte *to = file.data() + offset;
    if (!bytes) {
      uint32_t saved, now;
      std::memcpy(&saved, from, 4);
      std::memcpy(&now, to, 4);
      now = (now & ~lanes) | (saved & lanes);
      std::memcpy(to, &now, 4);
      offset += 16;
      continue;
    }
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      if ((lanes >> lane) & 1)
        std::memcpy(to + lane * bytes, from + lane * bytes, bytes);
    offset += bytes * 32;
  }
}

static void copyLocal(Warp &warp, uint32_t lanes, uint32_t to, uint32_t from,
                      uint32_t bytes) {
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    if (!((lanes >> lane) & 1))
      continue;
    std::memmove(warp.getLocal(lane) + to, warp.getLocal(lane) + from, bytes);
    std::memmove(warp.getLocalUndefined(lane) + to,
                 warp.getLocalUndefined(lane) + from, bytes);
  }
}

namespace {

/// Between a register and a slot of local memory.
void storeValue(Warp &warp, uint32_t lanes, Reg reg, uint32_t bytes,
                uint32_t local) {
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    if (!((lanes >> lane) & 1))
      continue;
    std::memcpy(warp.getLocal(lane) + local,
                warp.values<std::byte>(reg) + lane * bytes, bytes);
    uint16_t undefined = warp.getUndefinedBytes(reg, lane);
    for (uint32_t i = 0; i < bytes; ++i)
      warp.getLocalUndefined(lane)[local + i] = (undefined >> i) & 1;
  }
}

void loadValue(Warp &warp, uint32_t lanes, Reg reg, uint32_t bytes,
               uint32_t local) {
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    if (!((lanes >> lane) & 1))
      continue;
    std::memcpy(warp.values<std::byte>(reg) + lane * bytes,
                warp.getLocal(lane) + local, bytes);
    uint16_t undefined = 0;
    for (uint32_t i = 0; i < bytes; ++i)
      undefined |= uint16_t(warp.getLocalUndefined(lane)[local + i]) << i;
    warp.setUndefinedBytes(reg, lane, undefined);
  }
}

} // namespace

void Warp::call(const Inst &inst, uint32_t active, uint32_t callee) {
  const KernelFunction &function = kernel->functions[callee];
  const CallSite &site = kernel->calls[inst.imm];
  const KernelFunction &caller = kernel->functions[inst.function];
  uint32_t callerBase = getLocalBase();
  uint32_t base = (callerBase + caller.frameBytes + 15) & ~15u;
  if (!growLocal(uint64_t(base) + function.frameBytes + 16)) {
    report(FindingKind::InvalidOperation, inst, std::countr_zero(active),
           "the stack exceeds 512 KB in a call of '" + function.ptx->name +
               "'");
    block->getGrid().stop();
    return;
  }
  if (site.args.size() != function.params.size() ||
      site.results.size() != function.returnParams.size()) {
    report(FindingKind::InvalidOperation, inst, std::countr_zero(active),
           "the call does not fit the parameters of '" + function.ptx->name +
               "'");
    block->getGrid().stop();
    return;
  }
  // The lanes meet again behind the call, whatever they do inside.
  uint32_t returnPc = current.pc;
  uint32_t rest = current.mask & ~active;
  if (rest || joinPc != returnPc ||
      joins[current.join].frame != current.frame)
    current.join = createJoin(returnPc, current.mask);
  if (rest)
    joins[current.join].arrived |= rest;

  uint32_t frame = createFrame();
  frames[frame].parent = current.frame;
  frames[frame].returnPc = returnPc;
  frames[frame].function = callee;
  frames[frame].call = static_cast<uint32_t>(inst.imm);
  frames[frame].localBase = base;
  frames[frame].lanes = active;
  // A fresh frame is undefined, whatever an earlier one left there.
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    if ((active >> lane) & 1)
      std::memset(getLocalUndefined(lane) + base, 1, function.frameBytes);
  // The arguments are read before registers of a recursive callee are saved:
  // they are the same registers.
  for (size_t i = 0; i < site.args.size(); ++i) {
    const CallSite::Value &arg = site.args[i];
    uint32_t slot = base + function.params[i].offset;
    if (arg.isReg)
      storeValue(*this, active, arg.reg, ptx::getSizeInBytes(arg.type), slot);
    else
      copyLocal(*this, active, slot, callerBase + arg.slot.offset,
                std::min(arg.slot.bytes, function.params[i].bytes));
  }
  if (function.isRecursive)
    saveRegisters(frames[frame]);
  for (uint32_t id = function.firstId; id < function.endId; ++id) {
    undefined[id] |= active;
    markBytes({0, id}, active);
  }
  for (size_t i = 0; i < function.params.size(); ++i)
    if (Reg reg = function.paramRegs[i]; reg.id)
      loadValue(*this, active, reg, kernel->registerBytes[reg.id],
                base + function.params[i].offset);

  current.mask = active;
  current.frame = frame;
  current.pc = function.begin;
  joinPc = current.join == noIndex ? noIndex : joins[current.join].pc;
}

void Warp::returnLanes(const Inst &inst, uint32_t lanes) {
  uint32_t frameIndex = current.frame;
  if (frames[frameIndex].parent == noIndex) {
    exitLanes(lanes);
    return;
  }
  Frame &frame = frames[frameIndex];
  const KernelFunction &function = kernel->functions[frame.function];
  const CallSite &site = kernel->calls[frame.call];
  uint32_t parent = frame.parent, returnPc = frame.returnPc;
  uint32_t callerBase = frames[parent].localBase;
  for (size_t i = 0; i < function.returnParams.size(); ++i)
    if (Reg reg = function.returnRegs[i]; reg.id)
      storeValue(*this, lanes, reg, kernel->registerBytes[reg.id],
                 frame.localBase + function.returnParams[i].offset);
  if (function.isRecursive)
    restoreRegisters(frame, lanes);
  for (size_t i = 0; i < site.results.size(); ++i) {
    const CallSite::Value &result = site.results[i];
    uint32_t slot = frame.localBase + function.returnParams[i].offset;
    if (result.isReg)
      loadValue(*this, lanes, result.reg, ptx::getSizeInBytes(result.type),
                slot);
    else
      copyLocal(*this, lanes, callerBase + result.slot.offset, slot,
                std::min(result.slot.bytes, function.returnParams[i].bytes));
  }
  frame.lanes &= ~lanes;
  if (!frame.lanes)
    freeFrames.push_back(frameIndex);

  // Joins inside the function no longer wait for these lanes.
  uint32_t join = current.join;
  std::vector<uint32_t> left;
  while (join != noIndex &&
         !(joins[join].frame == parent && joins[join].pc == returnPc)) {
    if (joins[join].frame != frameIndex)
      break;
    left.push_back(join);
    join = joins[join].parent;
  }
  current.mask &= ~lanes;
  Fragment returned = {lanes, returnPc, join, parent, FragmentState::Ready, 0};
  if (!current.mask)
    hasCurrent = false;
  for (uint32_t inner : left) {
    joins[inner].expected &= ~lanes;
    releaseJoin(inner);
  }
  if (join != noIndex && joins[join].pc == returnPc &&
      joins[join].frame == parent) {
    joins[join].arrived |= lanes;
    releaseJoin(join);
    return;
  }
  fragments.push_back(returned);
  (void)inst;
}
