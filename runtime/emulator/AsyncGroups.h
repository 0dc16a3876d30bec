//===- AsyncGroups.h - Copies a thread has begun ---------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_ASYNCGROUPS_H
#define FK_RUNTIME_EMULATOR_ASYNCGROUPS_H

#include "runtime/emulator/Warp.h"

#include <deque>
#include <functional>
#include <vector>

namespace fk::emulator {

/// cp.async of each lane: done as late as the program allows, so that a wait
/// that is missing shows.
struct Warp::AsyncGroups {
  struct Group {
    std::vector<std::function<void()>> copies;
  };
  struct Lane {
    Group open;               ///< not yet committed
    std::deque<Group> groups; ///< committed, oldest first
    Group openBulk;
    std::deque<Group> bulk;
  };
  std::array<Lane, warpSize> lanes;
};

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_ASYNCGROUPS_H
