//===- ControlFlow.cpp - Where lanes that parted meet again ---------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Immediate post-dominators of a function's instructions, by the iterative
// algorithm of Cooper, Harvey and Kennedy ("A Simple, Fast Dominance
// Algorithm", 2001) on the reversed flow graph of its basic blocks.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Block.h"

#include <algorithm>

using namespace fk;
using namespace fk::emulator;

namespace {

struct Flow {
  std::vector<uint32_t> starts; ///< first instruction of each basic block
  std::vector<uint32_t> blockOf;
  std::vector<std::vector<uint32_t>> next; ///< the last index is the exit
};

Flow buildFlow(const Kernel &kernel, uint32_t begin, uint32_t end) {
  std::vector<bool> isStart(end - begin + 1);
  isStart[0] = true;
  auto ends = [&](const Inst &inst) {
    return inst.role == Role::Branch || inst.role == Role::Leave ||
           inst.role == Role::Table;
  };
  for (uint32_t i = begin; i < end; ++i) {
    const Inst &inst = kernel.code[i];
    if (!ends(inst))
      continue;
    isStart[i + 1 - begin] = true;
    if (inst.role == Role::Branch)
      isStart[inst.target - begin] = true;
    if (inst.role == Role::Table)
      for (uint32_t target : kernel.tables[inst.imm])
        isStart[target - begin] = true;
  }
  Flow flow;
  flow.blockOf.resize(end - begin);
  for (uint32_t i = begin; i < end; ++i) {
    if (isStart[i - begin])
      flow.starts.push_back(i);
    flow.blockOf[i - begin] = flow.starts.size() - 1;
  }
  uint32_t count = flow.starts.size();
  flow.next.resize(count + 1);
  for (uint32_t b = 0; b < count; ++b) {
    uint32_t last = (b + 1 < count ? flow.starts[b + 1] : end) - 1;
    const Inst &inst = kernel.code[last];
    auto &next = flow.next[b];
    uint32_t after = b + 1 < count ? b + 1 : count;
    switch (inst.role) {
    case Role::Branch:
      next.push_back(flow.blockOf[inst.target - begin]);
      if (inst.hasGuard)
        next.push_back(after);
      break;
    case Role::Leave:
      next.push_back(count);
      if (inst.hasGuard)
        next.push_back(after);
      break;
    case Role::Table:
      for (uint32_t target : kernel.tables[inst.imm])
        next.push_back(flow.blockOf[target - begin]);
      if (inst.hasGuard)
        next.push_back(after);
      break;
    default:
      next.push_back(after);
    }
  }
  return flow;
}

/// For each block the block that every way to the exit passes next; noIndex
/// where that is the exit itself, or where no way leads there.
std::vector<uint32_t> findPostDominators(const Flow &flow) {
  uint32_t exit = flow.next.size() - 1;
  std::vector<std::vector<uint32_t>> previous(exit + 1);
  for (uint32_t b = 0; b <= exit; ++b)
    for (uint32_t n : flow.next[b])
      previous[n].push_back(b);
  // Post order of the reversed graph, from the exit, without recursion.
  std::vector<uint32_t> order(exit + 1, noIndex), byOrder;
  std::vector<std::pair<uint32_t, size_t>> stack = {{exit, 0}};
  std::vector<bool> seen(exit + 1);
  seen[exit] = true;
  while (!stack.empty()) {
    auto &[b, i] = stack.back();
    if (i < previous[b].size()) {
      uint32_t p = previous[b][i++];
      if (!seen[p]) {
        seen[p] = true;
        stack.push_back({p, 0});
      }
      continue;
    }
    order[b] = byOrder.size();
    byOrder.push_back(b);
    stack.pop_back();
  }
  std::vector<uint32_t> dominator(exit + 1, noIndex);
  dominator[exit] = exit;
  bool isChanging = true;
  while (isChanging) {
    isChanging = false;
    for (size_t k = byOrder.size() - 1; k-- > 0;) {
      uint32_t b = byOrder[k];
      uint32_t found = noIndex;
      for (uint32_t n : flow.next[b]) {
        if (order[n] == noIndex || dominator[n] == noIndex)
          continue;
        if (found == noIndex) {
          found = n;
          continue;
        }
        uint32_t x = found, y = n;
        while (x != y) {
          while (order[x] < order[y])
            x = dominator[x];
          while (order[y] < order[x])
            y = dominator[y];
        }
        found = x;
      }
      if (found != dominator[b]) {
        dominator[b] = found;
        isChanging = true;
      }
    }
  }
  for (uint32_t &d : dominator)
    if (d == exit)
      d = noIndex;
  return dominator;
}

} // namespace

void emulator::findJoins(Kernel &kernel) {
  for (const KernelFunction &function : kernel.functions) {
    Flow flow = buildFlow(kernel, function.begin, function.end);
    std::vector<uint32_t> dominators = findPostDominators(flow);
    for (uint32_t i = function.begin; i < function.end; ++i) {
      Inst &inst = kernel.code[i];
      if (inst.role != Role::Branch && inst.role != Role::Table)
        continue;
      uint32_t d = dominators[flow.blockOf[i - function.begin]];
      inst.join = d == noIndex ? noIndex : flow.starts[d];
    }
  }
}
