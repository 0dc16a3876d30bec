//===- PagedLayout.h - Where the rows of sequences lie ---------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_BENCH_PAGEDLAYOUT_H
#define FK_LIB_BENCH_PAGEDLAYOUT_H

#include "runtime/support/Expr.h"

#include <cstdint>
#include <vector>

namespace fk::bench {

/// Rows of each sequence: all of `tokens`, none empty, of different lengths.
std::vector<int64_t> splitTokens(int64_t tokens, int64_t seqs);

/// Rows each sequence has in its cache before the new ones.
std::vector<int64_t> getCachedRows(int64_t seqs, int64_t pageSize);

/// Adds `pages`, and `max_blocks` where the shape has sequences: a few more
/// than are used.
void completePages(AxisValues &axes);

} // namespace fk::bench

#endif // FK_LIB_BENCH_PAGEDLAYOUT_H
