//===- Upload.cpp - Filling device memory by threads ----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/Upload.h"

#include "runtime/Threads.h"

#include <atomic>
#include <cassert>
#include <chrono>
#include <condition_variable>

using namespace fk;

namespace {

/// Enough to keep a PCIe 5 link busy; each pins two pieces.
constexpr unsigned maxStagingWorkers = 16;

struct PinnedBuffer {
  Device &device;
  void *data;

  PinnedBuffer(Device &device, size_t bytes)
      : device(device), data(device.allocatePinned(bytes)) {}
  ~PinnedBuffer() { device.freePinned(data); }
  PinnedBuffer(const PinnedBuffer &) = delete;
  PinnedBuffer &operator=(const PinnedBuffer &) = delete;
};

/// Pieces in turn, until none is left or a thread failed.
class Queue {
public:
  explicit Queue(const std::vector<UploadPiece> &pieces) : pieces(pieces) {}

  const UploadPiece *take() {
    size_t index = next.fetch_add(1);
    return index < pieces.size() ? &pieces[index] : nullptr;
  }
  void finish(size_t bytes) { done.fetch_add(bytes); }
  void stop() { next.store(pieces.size()); }
  size_t getDone() const { return done.load(); }

private:
  const std::vector<UploadPiece> &pieces;
  std::atomic<size_t> next = 0, done = 0;
};

void fillInPlace(Queue &queue) {
  while (const UploadPiece *piece = queue.take()) {
    piece->make(piece->dst);
    queue.finish(piece->bytes);
  }
}

void fillStaged(Device &device, Queue &queue) {
  device.makeCurrent();
  PinnedBuffer first(device, uploadPieceBytes);
  PinnedBuffer second(device, uploadPieceBytes);
  void *buffers[2] = {first.data, second.data};
  std::unique_ptr<Event> copied[2];
  // Destroyed first: it waits for the copies out of the buffers.
  std::unique_ptr<Stream> stream = device.createStream();
  for (int turn = 0; const UploadPiece *piece = queue.take(); turn ^= 1) {
    assert(piece->bytes <= uploadPieceBytes);
    if (copied[turn])
      copied[turn]->synchronize();
    piece->make(buffers[turn]);
    stream->copyToDevice(piece->dst, buffers[turn], piece->bytes);
    copied[turn] = stream->record();
    queue.finish(piece->bytes);
  }
  stream->synchronize();
}

} // namespace

void fk::upload(Device &device, const std::vector<UploadPiece> &pieces,
                const std::function<void(size_t, size_t)> &progress) {
  size_t total = 0;
  for (const UploadPiece &piece : pieces)
    total += piece.bytes;
  Queue queue(pieces);
  bool staged = device.getKind() != "host";
  auto work = [&] {
    try {
      staged ? fillStaged(device, queue) : fillInPlace(queue);
    } catch (...) {
      queue.stop();
      throw;
    }
  };
  unsigned workers = getWorkerCount(pieces.size());
  if (staged)
    workers = std::min(workers, maxStagingWorkers);
  if (!progress) {
    runWorkers(workers, [&](unsigned) { work(); });
    return;
  }
  // Worker 0 is the calling thread: it only watches.
  std::mutex mutex;
  std::condition_variable ended;
  unsigned running = workers;
  runWorkers(workers + 1, [&](unsigned worker) {
    if (worker == 0) {
      std::unique_lock lock(mutex);
      while (running > 0) {
        ended.wait_for(lock, std::chrono::milliseconds(100));
        progress(queue.getDone(), total);
      }
      return;
    }
    struct Leave {
      std::mutex &mutex;
      std::condition_variable &ended;
      unsigned &running;
      ~Leave() {
        std::lock_guard lock(mutex);
        --running;
        ended.notify_one();
      }
    } leave{mutex, ended, running};
    work();
  });
}
