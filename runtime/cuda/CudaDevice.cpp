//===- CudaDevice.cpp - A GPU through the driver --------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A device holds the primary context of its GPU, which the CUDA runtime inside
// cuBLASLt shares. Destructors never throw: what they could report was reported
// by the call that failed before.
//
//===----------------------------------------------------------------------===//

#include "runtime/Device.h"
#include "runtime/cuda/Driver.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

using namespace fk;
using namespace fk::cuda;

namespace {

DevicePtr toDevice(const void *pointer) {
  return reinterpret_cast<DevicePtr>(pointer);
}

class CudaEvent : public Event {
public:
  explicit CudaEvent(const Driver &driver) : driver(driver) {
    FK_CUDA(driver, cuEventCreate(&event, EventDefault));
  }
  ~CudaEvent() override {
    if (event)
      driver.cuEventDestroy(event);
  }
  CudaEvent(const CudaEvent &) = delete;
  CudaEvent &operator=(const CudaEvent &) = delete;

  void record(StreamHandle stream) {
    FK_CUDA(driver, cuEventRecord(event, stream));
  }
  void synchronize() override { FK_CUDA(driver, cuEventSynchronize(event)); }
  double getMillisecondsSince(const Event &start) const override {
    float milliseconds = 0;
    FK_CUDA(driver, cuEventElapsedTime(
                        &milliseconds,
                        static_cast<const CudaEvent &>(start).event, event));
    return milliseconds;
  }

private:
  const Driver &driver;
  EventHandle event = nullptr;
};

class CudaGraph : public Graph {
public:
  CudaGraph(const Driver &driver, GraphHandle graph) : driver(driver) {
    // The captured graph is needed only until it is instantiated.
    Result result = driver.cuGraphInstantiateWithFlags(&exec, graph, 0);
    driver.cuGraphDestroy(graph);
    driver.check(result, "cuGraphInstantiateWithFlags(&exec, graph, 0)");
  }
  ~CudaGraph() override {
    if (exec)
      driver.cuGraphExecDestroy(exec);
  }
  CudaGraph(const CudaGraph &) = delete;
  CudaGraph &operator=(const CudaGraph &) = delete;

  void launch(StreamHandle stream) {
    FK_CUDA(driver, cuGraphLaunch(exec, stream));
  }

private:
  const Driver &driver;
  GraphExec exec = nullptr;
};

class CudaStream : public Stream {
public:
  explicit CudaStream(const Driver &driver) : driver(driver) {
    FK_CUDA(driver, cuStreamCreate(&stream, StreamNonBlocking));
  }
  ~CudaStream() override {
    if (stream) {
      driver.cuStreamSynchronize(stream);
      driver.cuStreamDestroy(stream);
    }
  }
  CudaStream(const CudaStream &) = delete;
  CudaStream &operator=(const CudaStream &) = delete;

  void copyToDevice(void *dst, const void *src, size_t bytes) override {
    if (bytes)
      FK_CUDA(driver, cuMemcpyHtoDAsync(toDevice(dst), src, bytes, stream));
  }
  void copyToHost(void *dst, const void *src, size_t bytes) override {
    if (bytes)
      FK_CUDA(driver, cuMemcpyDtoHAsync(dst, toDevice(src), bytes, stream));
  }
  void copyOnDevice(void *dst, const void *src, size_t bytes) override {
    if (bytes)
      FK_CUDA(driver,
              cuMemcpyDtoDAsync(toDevice(dst), toDevice(src), bytes, stream));
  }
  void fill(void *dst, uint8_t value, size_t bytes) override {
    if (bytes)
      FK_CUDA(driver, cuMemsetD8Async(toDevice(dst), value, bytes, stream));
  }
  void synchronize() override { FK_CUDA(driver, cuStreamSynchronize(stream)); }

  std::unique_ptr<Event> record() override {
    auto event = std::make_unique<CudaEvent>(driver);
    event->record(stream);
    return event;
  }

  std::unique_ptr<Graph>
  capture(const std::function<void()> &enqueue) override {
    FK_CUDA(driver, cuStreamBeginCapture(stream, CaptureThreadLocal));
    GraphHandle graph = nullptr;
    try {
      enqueue();
    } catch (...) {
      // Leaves capture mode; the first failure is the one to report.
      driver.cuStreamEndCapture(stream, &graph);
      if (graph)
        driver.cuGraphDestroy(graph);
      throw;
    }
    FK_CUDA(driver, cuStreamEndCapture(stream, &graph));
    return std::make_unique<CudaGraph>(driver, graph);
  }

  void replay(Graph &graph) override {
    static_cast<CudaGraph &>(graph).launch(stream);
  }
  void *getHandle() const override { return stream; }

private:
  const Driver &driver;
  StreamHandle stream = nullptr;
};

class CudaDevice : public Device {
public:
  explicit CudaDevice(int ordinal) : driver(getDriver()) {
    int count = 0;
    FK_CUDA(driver, cuDeviceGetCount(&count));
    if (ordinal >= count)
      throw Error({.what = "no such GPU",
                   .where = "cuda:" + std::to_string(ordinal),
                   .wanted = count ? "a number below " + std::to_string(count)
                                   : "a GPU",
                   .got = std::to_string(count) + " visible GPUs",
                   .mend = "check nvidia-smi and CUDA_VISIBLE_DEVICES, or use "
                           "--device host"},
                  ErrorKind::Infrastructure);
    FK_CUDA(driver, cuDeviceGet(&device, ordinal));
    FK_CUDA(driver, cuDevicePrimaryCtxRetain(&context, device));
    FK_CUDA(driver, cuCtxSetCurrent(context));
  }

  ~CudaDevice() override {
    if (context) {
      driver.cuCtxSetCurrent(context);
      driver.cuCtxSetCurrent(nullptr);
      driver.cuDevicePrimaryCtxRelease(device);
    }
  }

  std::string getKind() const override { return "cuda"; }

  std::string getDescription() const override {
    char name[256] = {};
    FK_CUDA(driver, cuDeviceGetName(name, sizeof name, device));
    std::string release = getDriverRelease();
    return std::string(name) +
           (release.empty() ? std::string() : ", driver " + release);
  }

  std::string getArch() const override {
    int major = getAttribute(DeviceComputeCapabilityMajor);
    int minor = getAttribute(DeviceComputeCapabilityMinor);
    // From Hopper on, the tensor core instructions belong to the `a` variant.
    return "sm_" + std::to_string(major) + std::to_string(minor) +
           (major >= 9 ? "a" : "");
  }

  std::unique_ptr<Stream> createStream() override {
    makeCurrent();
    return std::make_unique<CudaStream>(driver);
  }

  void *allocate(size_t bytes) override {
    makeCurrent();
    DevicePtr pointer = 0;
    Result result = driver.cuMemAlloc(&pointer, std::max<size_t>(bytes, 256));
    if (result == ErrorOutOfMemory)
      throw Error({.what = "out of GPU memory",
                   .where = getDescription(),
                   .wanted = std::to_string(bytes) + " bytes",
                   .got = std::to_string(getFreeBytes()) + " bytes free",
                   .mend = "lower the batch, the lengths or the pages"},
                  ErrorKind::Infrastructure);
    driver.check(result, "cuMemAlloc(&pointer, bytes)");
    auto *memory = reinterpret_cast<void *>(pointer);
    std::lock_guard lock(mutex);
    sizes[memory] = bytes;
    inUse += bytes;
    peak = std::max(peak, inUse);
    return memory;
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
    driver.cuCtxSetCurrent(context);
    driver.cuMemFree(toDevice(pointer));
  }

  void *allocatePinned(size_t bytes) override {
    makeCurrent();
    void *pointer = nullptr;
    FK_CUDA(driver, cuMemHostAlloc(&pointer, std::max<size_t>(bytes, 256),
                                   /*flags=*/0));
    return pointer;
  }
  void freePinned(void *pointer) override {
    driver.cuCtxSetCurrent(context);
    if (pointer)
      driver.cuMemFreeHost(pointer);
  }

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
    size_t free = 0, total = 0;
    FK_CUDA(driver, cuCtxSetCurrent(context));
    FK_CUDA(driver, cuMemGetInfo(&free, &total));
    return free;
  }
  void makeCurrent() override { FK_CUDA(driver, cuCtxSetCurrent(context)); }
  int64_t getL2Bytes() const override {
    return getAttribute(DeviceL2CacheSize);
  }

private:
  int getAttribute(int attribute) const {
    int value = 0;
    FK_CUDA(driver, cuDeviceGetAttribute(&value, attribute, device));
    return value;
  }

  const Driver &driver;
  DeviceId device = 0;
  Context context = nullptr;
  mutable std::mutex mutex;
  std::unordered_map<void *, size_t> sizes;
  size_t inUse = 0, peak = 0;
};

} // namespace

std::unique_ptr<Device> fk::createCudaDevice(int ordinal) {
  return std::make_unique<CudaDevice>(ordinal);
}
