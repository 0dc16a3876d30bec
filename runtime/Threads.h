//===- Threads.h - A loop over the cores -----------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// For set-up work (weights, tables), where starting threads costs nothing
// beside the work. The first exception of a worker is thrown again to the
// caller.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_THREADS_H
#define FK_RUNTIME_THREADS_H

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace fk {

/// Threads worth starting for `tasks` independent pieces.
inline unsigned getWorkerCount(size_t tasks) {
  size_t cores = std::max(1u, std::thread::hardware_concurrency());
  return static_cast<unsigned>(std::max<size_t>(1, std::min(cores, tasks)));
}

/// Runs body(worker) on `workers` threads and joins them.
template <typename Body> void runWorkers(unsigned workers, const Body &body) {
  std::exception_ptr failure;
  std::mutex mutex;
  auto guarded = [&](unsigned worker) {
    try {
      body(worker);
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failure)
        failure = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  for (unsigned worker = 1; worker < workers; ++worker)
    threads.emplace_back(guarded, worker);
  guarded(0);
  for (std::thread &thread : threads)
    thread.join();
  if (failure)
    std::rethrow_exception(failure);
}

/// Runs body(begin, end) over [0, count) in pieces of at most `grain`.
template <typename Body>
void parallelFor(size_t count, size_t grain, const Body &body) {
  std::atomic<size_t> next = 0;
  runWorkers(getWorkerCount((count + grain - 1) / grain), [&](unsigned) {
    for (size_t begin; (begin = next.fetch_add(grain)) < count;)
      body(begin, std::min(begin + grain, count));
  });
}

} // namespace fk

#endif // FK_RUNTIME_THREADS_H
