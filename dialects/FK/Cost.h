//===- Cost.h - Bytes and operations of a task -----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// What a launch must move and compute at least, for the roofline: every tensor
// of the signature once, except where the op says that a launch touches only
// part of it (`touched` in its ODS definition: rows of an embedding table, of
// the rotary table, of the KV cache). An extent that is no axis (`_`) counts
// through `touched` alone.
//
// The bounds of attention follow the axes: `attention` takes sequences of equal
// length that see everything, `paged_attention` full block tables. A
// measurement that knows the lengths must correct for them.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_COST_H
#define FK_DIALECTS_FK_COST_H

#include "runtime/support/Signature.h"

#include <string>
#include <string_view>
#include <vector>

namespace fk {

struct TaskCost {
  double bytes = 0;
  double flops = 0;
};

/// The cost of one launch of the task `name` with elements of type `dtype`.
/// `absent` names the optional operands that are not there. Throws Error where
/// no op bears the name or an axis is missing.
TaskCost getTaskCost(std::string_view name, const AxisValues &axes, DType dtype,
                     const std::vector<std::string> &absent = {});

} // namespace fk

#endif // FK_DIALECTS_FK_COST_H
