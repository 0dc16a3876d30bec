//===- AsyncGroups.h - Copies a thread has begun ---------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Asynchronous copies are done as late as the program allows, so that a wait
// that is missing shows: the destination is undefined from the copy's issue to
// its completion.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_ASYNCGROUPS_H
#define FK_RUNTIME_EMULATOR_ASYNCGROUPS_H

#include "runtime/emulator/Warp.h"

#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace fk::emulator {

/// What a warp knew when it issued an asynchronous operation.
using IssueClock = std::shared_ptr<const ClockVector>;

struct Warp::AsyncGroups {
  /// cp.async of one lane.
  struct Copy {
    const Inst *inst = nullptr;
    Place to, from;
    uint32_t bytes = 0, sourceBytes = 0; ///< the rest is zero
    IssueClock clock;
  };
  /// cp.async.bulk of one lane that completes through a bulk group. `stamp` is
  /// the clock at which it has happened.
  struct Bulk {
    const Inst *inst = nullptr;
    std::function<void(uint32_t stamp)> run;
    uint32_t issuedAt = 0; ///< the warp's clock
  };
  template <class T> struct Queue {
    std::deque<T> pending;       ///< oldest first
    uint64_t done = 0;           ///< how many came before those
    std::deque<uint64_t> groups; ///< how many there were at each commit
    uint64_t count() const { return done + pending.size(); }
    T take() {
      T first = std::move(pending.front());
      pending.pop_front();
      ++done;
      return first;
    }
  };
  struct Lane {
    Queue<Copy> copies;
    Queue<Bulk> bulk;
  };
  std::array<Lane, warpSize> lanes;

  /// What a wgmma of this warp reads from shared memory until it is waited
  /// for.
  struct Product {
    const Inst *inst = nullptr;
    IssueClock clock;
    uint32_t lane = 0;
    std::vector<uint32_t> pieces; ///< offsets of 16 bytes each
  };
  Queue<Product> products;
};

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_ASYNCGROUPS_H
