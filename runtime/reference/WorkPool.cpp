//===- WorkPool.cpp - Threads over a fixed split of work ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/WorkPool.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <sched.h>
#include <thread>
#include <vector>

using namespace fk;

static unsigned getUsableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

struct WorkPool::Impl {
  std::mutex mutex;
  std::condition_variable started, finished;
  std::vector<std::thread> threads;
  uint64_t round = 0;
  bool stopping = false;
  const Body *body = nullptr;
  int64_t units = 0, grain = 1, next = 0;
  unsigned busy = 0;
  std::exception_ptr failure;

  /// Takes pieces until none is left. Called with the lock held.
  void work(std::unique_lock<std::mutex> &lock) {
    while (next < units) {
      int64_t begin = next, end = std::min(units, next + grain);
      next = end;
      const Body &current = *body;
      lock.unlock();
      std::exception_ptr thrown;
      try {
        current(begin, end);
      } catch (...) {
        thrown = std::current_exception();
      }
      lock.lock();
      if (thrown) {
        if (!failure)
          failure = thrown;
        next = units;
      }
    }
  }

  void loop() {
    std::unique_lock<std::mutex> lock(mutex);
    uint64_t seen = 0;
    while (true) {
      started.wait(lock, [&] { return stopping || round != seen; });
      if (stopping)
        return;
      seen = round;
      ++busy;
      work(lock);
      if (--busy == 0)
        finished.notify_all();
    }
  }
};

WorkPool::WorkPool(unsigned threads) : impl(std::make_unique<Impl>()) {
  if (threads == 0)
    threads = getUsableCores();
  for (unsigned i = 1; i < threads; ++i)
    impl->threads.emplace_back([pool = impl.get()] { pool->loop(); });
}

WorkPool::~WorkPool() {
  {
    std::lock_guard<std::mutex> lock(impl->mutex);
    impl->stopping = true;
  }
  impl->started.notify_all();
  for (std::thread &thread : impl->threads)
    thread.join();
}

unsigned WorkPool::getThreadCount() const {
  return unsigned(impl->threads.size()) + 1;
}

void WorkPool::run(int64_t units, int64_t grain, const Body &body) {
  grain = std::max<int64_t>(1, grain);
  if (units <= grain || impl->threads.empty()) {
    for (int64_t begin = 0; begin < units; begin += grain)
      body(begin, std::min(units, begin + grain));
    return;
  }
  std::unique_lock<std::mutex> lock(impl->mutex);
  impl->body = &body;
  impl->units = units;
  impl->grain = grain;
  impl->next = 0;
  impl->failure = nullptr;
  ++impl->round;
  impl->started.notify_all();
  impl->work(lock);
  impl->finished.wait(lock, [&] { return impl->busy == 0; });
  impl->body = nullptr;
  if (impl->failure)
    std::rethrow_exception(impl->failure);
}
