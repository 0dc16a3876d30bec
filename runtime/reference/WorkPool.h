//===- WorkPool.h - Threads over a fixed split of work ----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_WORKPOOL_H
#define FK_RUNTIME_REFERENCE_WORKPOOL_H

#include <cstdint>
#include <functional>
#include <memory>

namespace fk {

/// A few threads that one caller at a time puts to work. The split of the work
/// never depends on their number, so neither do results.
class WorkPool {
public:
  /// 0: as many threads as this process may use cores.
  explicit WorkPool(unsigned threads = 0);
  ~WorkPool();

  /// Calls `body(begin, end)` for pieces of [0, units) of at most `grain` units
  /// and returns when all are done. The first exception is thrown again here.
  using Body = std::function<void(int64_t begin, int64_t end)>;
  void run(int64_t units, int64_t grain, const Body &body);

  unsigned getThreadCount() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace fk

#endif // FK_RUNTIME_REFERENCE_WORKPOOL_H
