//===- HostDevice.cpp - The CPU's memory as a device ----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every operation is done when it is enqueued, so a stream is always drained
// and there is nothing to capture.
//
//===----------------------------------------------------------------------===//

#include "runtime/Device.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <thread>
#include <unistd.h>
#include <unordered_map>

using namespace fk;

namespace {

using Clock = std::chrono::steady_clock;

class HostEvent : public Event {
public:
  void synchronize() override {}
  double getMillisecondsSince(const Event &start) const override {
    const auto &from = static_cast<const HostEvent &>(start);
    return std::chrono::duration<double, std::milli>(time - from.time).count();
  }

private:
  Clock::time_point time = Clock::now();
};

class HostStream : public Stream {
public:
  void copyToDevice(void *dst, const void *src, size_t bytes) override {
    copy(dst, src, bytes);
  }
  void copyToHost(void *dst, const void *src, size_t bytes) override {
    copy(dst, src, bytes);
  }
  void copyOnDevice(void *dst, const void *src, size_t bytes) override {
    copy(dst, src, bytes);
  }
  void fill(void *dst, uint8_t value, size_t bytes) override {
    if (bytes)
      std::memset(dst, value, bytes);
  }
  void synchronize() override {}
  std::unique_ptr<Event> record() override {
    return std::make_unique<HostEvent>();
  }
  std::unique_ptr<Graph> capture(const std::function<void()> &) override {
    return nullptr;
  }
  void replay(Graph &) override {
    throw Error({.what = "the host device has no graphs"},
                ErrorKind::Infrastructure);
  }

private:
  static void copy(void *dst, const void *src, size_t bytes) {
    if (bytes)
      std::memcpy(dst, src, bytes);
  }
};

class HostDevice : public Device {
public:
  std::string getKind() const override { return "host"; }

  std::string getDescription() const override {
    std::ifstream file("/proc/cpuinfo");
    std::string line, model = "CPU";
    while (std::getline(file, line))
      if (line.starts_with("model name")) {
        model = line.substr(std::min(line.size(), line.find(':') + 2));
        break;
      }
    unsigned cores = std::max(1u, std::thread::hardware_concurrency());
    return model + ", " + std::to_string(cores) +
           (cores == 1 ? " core" : " cores");
  }

  std::string getArch() const override { return ""; }

  std::unique_ptr<Stream> createStream() override {
    return std::make_unique<HostStream>();
  }

  void *allocate(size_t bytes) override {
    // aligned_alloc wants a multiple of the alignment.
    size_t padded = bytes + (-bytes & 255);
    void *pointer = padded >= bytes
                        ? std::aligned_alloc(256, std::max<size_t>(padded, 256))
                        : nullptr;
    if (!pointer)
      throw Error({.what = "out of memory",
                   .where = getDescription(),
                   .wanted = std::to_string(bytes) + " bytes",
                   .got = std::to_string(getFreeBytes()) + " bytes free",
                   .mend = "lower the batch, the lengths or the pages"},
                  ErrorKind::Infrastructure);
    std::lock_guard lock(mutex);
    sizes[pointer] = bytes;
    inUse += bytes;
    peak = std::max(peak, inUse);
    return pointer;
  }

  void free(void *pointer) override {
    {
      std::lock_guard lock(mutex);
      auto found = sizes.find(pointer);
      if (found == sizes.end())
        return;
      inUse -= found->second;
      sizes.erase(found);
    }
    std::free(pointer);
  }

  void *allocatePinned(size_t bytes) override { return allocate(bytes); }
  void freePinned(void *pointer) override { free(pointer); }

  size_t getBytesInUse() const override {
    std::lock_guard lock(mutex);
    return inUse;
  }
  size_t getPeakBytes() const override {
    std::lock_guard lock(mutex);
    return peak;
  }
  void resetPeak() override {
    std::lock_guard lock(mutex);
    peak = inUse;
  }
  size_t getFreeBytes() const override {
    return static_cast<size_t>(sysconf(_SC_AVPHYS_PAGES)) *
           static_cast<size_t>(sysconf(_SC_PAGESIZE));
  }
  void makeCurrent() override {}

private:
  mutable std::mutex mutex;
  std::unordered_map<void *, size_t> sizes;
  size_t inUse = 0, peak = 0;
};

} // namespace

std::unique_ptr<Device> fk::createHostDevice() {
  return std::make_unique<HostDevice>();
}
