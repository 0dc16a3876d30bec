//===- Device.h - Memory, streams and graphs -------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The host device keeps everything in the CPU's memory and runs launches as they
// are enqueued. The CUDA device reaches the driver through dlopen
// (runtime/cuda/Driver.h). Nothing here is global to the process.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_DEVICE_H
#define FK_RUNTIME_DEVICE_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace fk {

/// A point on a stream; elapsed times are in milliseconds.
class Event {
public:
  virtual ~Event() = default;
  virtual void synchronize() = 0;
  virtual double getMillisecondsSince(const Event &start) const = 0;
};

/// A captured sequence of launches.
class Graph {
public:
  virtual ~Graph() = default;
};

class Stream {
public:
  virtual ~Stream() = default;
  /// Both directions; on the host a memcpy. `src` may be pageable.
  virtual void copyToDevice(void *dst, const void *src, size_t bytes) = 0;
  virtual void copyToHost(void *dst, const void *src, size_t bytes) = 0;
  virtual void copyOnDevice(void *dst, const void *src, size_t bytes) = 0;
  virtual void fill(void *dst, uint8_t value, size_t bytes) = 0;
  virtual void synchronize() = 0;
  virtual std::unique_ptr<Event> record() = 0;
  /// Records what `enqueue` does instead of doing it. nullptr on a device
  /// without graphs.
  virtual std::unique_ptr<Graph> capture(const std::function<void()> &enqueue) = 0;
  virtual void replay(Graph &graph) = 0;
  /// CUstream, or nullptr on the host.
  virtual void *getHandle() const { return nullptr; }
};

/// Owns a piece of device memory.
class DeviceBuffer {
public:
  DeviceBuffer() = default;
  DeviceBuffer(class Device &device, size_t bytes);
  DeviceBuffer(DeviceBuffer &&other) noexcept;
  DeviceBuffer &operator=(DeviceBuffer &&other) noexcept;
  ~DeviceBuffer();

  void *data() const { return pointer; }
  size_t size() const { return bytes; }

private:
  class Device *device = nullptr;
  void *pointer = nullptr;
  size_t bytes = 0;
};

class Device {
public:
  virtual ~Device() = default;
  virtual std::string getKind() const = 0;        ///< "host" or "cuda"
  virtual std::string getDescription() const = 0; ///< "NVIDIA H200, driver 580.159"
  virtual std::string getArch() const = 0;        ///< "sm_90a", "" on the host
  virtual std::unique_ptr<Stream> createStream() = 0;
  /// Aligned to 256 bytes. Throws Error (Infrastructure) naming the size and
  /// what is free.
  virtual void *allocate(size_t bytes) = 0;
  virtual void free(void *pointer) = 0;
  /// Memory of the host that the device copies from without staging.
  virtual void *allocatePinned(size_t bytes) = 0;
  virtual void freePinned(void *pointer) = 0;
  /// Bytes held now and at most since the last reset, by this device object.
  virtual size_t getBytesInUse() const = 0;
  virtual size_t getPeakBytes() const = 0;
  virtual void resetPeak() = 0;
  virtual size_t getFreeBytes() const = 0;
  /// Makes this device current to the calling thread (cuCtxSetCurrent).
  virtual void makeCurrent() = 0;
  virtual int64_t getL2Bytes() const { return 0; }
};

std::unique_ptr<Device> createHostDevice();
/// Throws Error (Infrastructure) where there is no driver or no such GPU.
std::unique_ptr<Device> createCudaDevice(int ordinal = 0);
/// "host" or "cuda" or "cuda:1".
std::unique_ptr<Device> createDevice(const std::string &name);

} // namespace fk

#endif // FK_RUNTIME_DEVICE_H
