//===- EmulatorFixture.h - PTX texts run in tests --------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TEST_UNIT_EMULATORFIXTURE_H
#define FK_TEST_UNIT_EMULATORFIXTURE_H

#include "runtime/emulator/Emulator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace fk::test {

inline std::string getPtxHeader() {
  return ".version 8.4\n.target sm_90a\n.address_size 64\n";
}

/// A module, its buffers and what a launch found. Buffers that are parameters
/// are passed in the order they are added.
class EmulatorRun {
public:
  explicit EmulatorRun(const std::string &text)
      : module(emulator::Module::load(text, "test.ptx")) {}

  void addOutput(const std::string &name, size_t bytes,
                 bool isParameter = true) {
    add(name, std::vector<std::byte>(bytes, std::byte(0xee)),
        {.isInitialized = false}, isParameter);
  }
  template <class T>
  void addInput(const std::string &name, const std::vector<T> &values,
                bool isParameter = true) {
    std::vector<std::byte> bytes(values.size() * sizeof(T));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    add(name, std::move(bytes), {.isWritable = false}, isParameter);
  }
  template <class T> void addScalar(T value) {
    std::vector<std::byte> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    args.push_back(std::move(bytes));
  }

  void launch(const std::string &entry, std::array<uint32_t, 3> grid,
              std::array<uint32_t, 3> block,
              const emulator::Options &options = {}, uint32_t shared = 0,
              std::array<uint32_t, 3> cluster = {1, 1, 1}) {
    emulator::LaunchConfig config;
    config.entry = entry;
    config.grid = grid;
    config.block = block;
    config.cluster = cluster;
    config.dynamicShared = shared;
    config.args = args;
    report = emulator::launch(*module, config, memory, options);
  }

  const emulator::Report &getReport() const { return report; }
  /// Where a kernel finds the buffer.
  uint64_t getAddress(const std::string &name) const {
    return addresses.at(name);
  }
  /// One a line; empty where there are none.
  std::string getFindings() const {
    std::string text;
    for (const emulator::Finding &finding : report.findings)
      text += finding.str("test.ptx") + "\n";
    return text;
  }
  template <class T> std::vector<T> get(const std::string &name) const {
    const std::vector<std::byte> &bytes = buffers.at(name);
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
    return values;
  }

private:
  void add(const std::string &name, std::vector<std::byte> bytes,
           emulator::Memory::RegionOptions options, bool isParameter) {
    auto [it, isNew] = buffers.emplace(name, std::move(bytes));
    EXPECT_TRUE(isNew) << name;
    uint64_t address =
        memory.addRegion(name, it->second.data(), it->second.size(), options);
    addresses[name] = address;
    if (isParameter)
      addScalar(address);
  }

  std::shared_ptr<const emulator::Module> module;
  emulator::Memory memory;
  std::map<std::string, std::vector<std::byte>> buffers;
  std::map<std::string, uint64_t> addresses;
  std::vector<std::vector<std::byte>> args;
  emulator::Report report;
};

} // namespace fk::test

#endif // FK_TEST_UNIT_EMULATORFIXTURE_H
