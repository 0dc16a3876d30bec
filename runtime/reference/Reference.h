//===- Reference.h - Any task over tensors in host memory -------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_REFERENCE_H
#define FK_RUNTIME_REFERENCE_REFERENCE_H

#include "runtime/Kernel.h"

#include <string_view>
#include <vector>

namespace fk {

class WorkPool;

/// Whether a task has a reference.
bool hasReference(std::string_view task);

/// Throws Error where a launch misses a tensor or has one of another element
/// type than the task's signature says.
void checkTensors(const BoundLaunch &launch);

/// Throws Error where an index operand (ids, positions, cu_seqlens, seq_lens,
/// block_table, slots) points out of its tensor. Reads host memory.
void checkIndices(const BoundLaunch &launch);

/// Does a launch on tensors in host memory, computing in float; results are
/// rounded to storage once.
void runReference(const BoundLaunch &launch, WorkPool &pool);

/// The results of a launch on tensors in host memory, computed in double and
/// not rounded; in the signature's order. kv_cache_write gives one: the cache
/// after it. Writes no tensor of the launch and does not look at its results.
std::vector<std::vector<double>> computeReference(const BoundLaunch &launch);

} // namespace fk

#endif // FK_RUNTIME_REFERENCE_REFERENCE_H
