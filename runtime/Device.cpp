//===- Device.cpp - Device memory and devices by name ---------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/Device.h"

#include "runtime/support/Error.h"

#include <charconv>
#include <utility>

using namespace fk;

DeviceBuffer::DeviceBuffer(Device &device, size_t bytes)
    : device(&device), pointer(bytes ? device.allocate(bytes) : nullptr),
      bytes(bytes) {}

DeviceBuffer::DeviceBuffer(DeviceBuffer &&other) noexcept
    : device(std::exchange(other.device, nullptr)),
      pointer(std::exchange(other.pointer, nullptr)),
      bytes(std::exchange(other.bytes, 0)) {}

DeviceBuffer &DeviceBuffer::operator=(DeviceBuffer &&other) noexcept {
  if (this != &other) {
    if (pointer)
      device->free(pointer);
    device = std::exchange(other.device, nullptr);
    pointer = std::exchange(other.pointer, nullptr);
    bytes = std::exchange(other.bytes, 0);
  }
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (pointer)
    device->free(pointer);
}

std::unique_ptr<Device> fk::createDevice(const std::string &name) {
  if (name == "host")
    return createHostDevice();
  if (name == "cuda")
    return createCudaDevice();
  if (name.starts_with("cuda:")) {
    int ordinal = -1;
    const char *begin = name.data() + 5, *end = name.data() + name.size();
    auto [stop, status] = std::from_chars(begin, end, ordinal);
    if (status == std::errc() && stop == end && ordinal >= 0)
      return createCudaDevice(ordinal);
  }
  throw Error({.what = "unknown device",
               .where = "--device",
               .wanted = "host, cuda or cuda:<number>",
               .got = "'" + name + "'"});
}
