//===- System.cpp - vprintf, __assertfail ---------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Device-side printf: each active lane's text, in the order of the lanes, as
// the driver would print it. The arguments lie in a buffer as C varargs do,
// each aligned to its size.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/ops/Access.h"

#include <cstdio>
#include <cstring>

using namespace fk;
using namespace fk::emulator;
using ptx::StateSpace;

namespace {

uint64_t readArgument(Warp &warp, const CallSite::Value &value, uint32_t lane) {
  uint64_t bits = 0;
  if (value.isReg) {
    size_t bytes = std::min<size_t>(ptx::getSizeInBytes(value.type), 8);
    std::memcpy(&bits, warp.values<std::byte>(value.reg) + lane * bytes, bytes);
    return bits;
  }
  std::memcpy(&bits,
              warp.getLocal(lane) + warp.getLocalBase() + value.slot.offset,
              std::min<uint32_t>(value.slot.bytes, 8));
  return bits;
}

/// Up to the NUL; false where it runs out of its buffer.
bool readText(Warp &warp, const Inst &inst, uint32_t lane, uint64_t address,
              std::string &text) {
  constexpr size_t limit = 4096;
  while (text.size() < limit) {
    Place place = resolve(warp, inst, lane, StateSpace::None, address++, 1,
                          Access::Read, 1);
    if (!place.data)
      return false;
    char c = static_cast<char>(*place.data);
    if (!c)
      return true;
    text += c;
  }
  return false;
}

struct Arguments {
  Warp &warp;
  const Inst &inst;
  uint32_t lane;
  uint64_t address;

  template <class T> T next() {
    address = (address + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    Place place = resolve(warp, inst, lane, StateSpace::None, address,
                          sizeof(T), Access::Read, sizeof(T));
    address += sizeof(T);
    T value = {};
    if (place.data)
      std::memcpy(&value, place.data, sizeof(T));
    return value;
  }
};

std::string format(const std::string &pattern, Arguments arguments) {
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      out += pattern[i];
      continue;
    }
    std::string spec = "%";
    size_t j = i + 1;
    while (j < pattern.size() && std::strchr("-+ #0123456789.*", pattern[j])) {
      if (pattern[j] == '*')
        spec += std::to_string(arguments.next<int32_t>());
      else
        spec += pattern[j];
      ++j;
    }
    int longs = 0;
    while (j < pattern.size() && std::strchr("hlLjzt", pattern[j])) {
      longs += pattern[j] == 'l' || pattern[j] == 'j' || pattern[j] == 'z' ||
               pattern[j] == 't';
      ++j;
    }
    if (j >= pattern.size() || spec.size() > 24)
      return out + pattern.substr(i);
    char c = pattern[j];
    char text[512];
    if (c == '%') {
      out += '%';
    } else if (std::strchr("diouxXc", c)) {
      if (longs && c != 'c')
        std::snprintf(text, sizeof text, (spec + "ll" + c).c_str(),
                      arguments.next<long long>());
      else
        std::snprintf(text, sizeof text, (spec + c).c_str(),
                      arguments.next<int>());
      out += text;
    } else if (std::strchr("eEfFgGaA", c)) {
      std::snprintf(text, sizeof text, (spec + c).c_str(),
                    arguments.next<double>());
      out += text;
    } else if (c == 'p') {
      std::snprintf(
          text, sizeof text, "0x%llx",
          static_cast<unsigned long long>(arguments.next<uint64_t>()));
      out += text;
    } else if (c == 's') {
      uint64_t address = arguments.next<uint64_t>();
      std::string string;
      if (readText(arguments.warp, arguments.inst, arguments.lane, address,
                   string))
        out += string;
    } else {
      out += pattern.substr(i, j + 1 - i);
    }
    i = j;
  }
  return out;
}

void print(Warp &warp, const Inst &inst, uint32_t active) {
  const CallSite &site = warp.getKernel().calls[inst.imm];
  forEachLane(active, [&](uint32_t lane) {
    if (site.args.size() < 2)
      return;
    std::string pattern;
    int32_t written = -1;
    if (readText(warp, inst, lane, readArgument(warp, site.args[0], lane),
                 pattern)) {
      std::string text = format(
          pattern, {warp, inst, lane, readArgument(warp, site.args[1], lane)});
      written = static_cast<int32_t>(text.size());
      warp.getBlock().getGrid().print(text);
    }
    for (const CallSite::Value &result : site.results) {
      if (result.isReg) {
        std::memcpy(warp.values<std::byte>(result.reg) + lane * 4, &written, 4);
        warp.setUndefinedBytes(result.reg, lane, 0);
      } else {
        uint32_t at = warp.getLocalBase() + result.slot.offset;
        std::memcpy(warp.getLocal(lane) + at, &written, 4);
        std::memset(warp.getLocalUndefined(lane) + at, 0, 4);
      }
    }
  });
}

/// __assertfail(message, file, line, function, size of a character)
void failAssertion(Warp &warp, const Inst &inst, uint32_t active) {
  const CallSite &site = warp.getKernel().calls[inst.imm];
  uint32_t lane = std::countr_zero(active);
  std::string message, file;
  if (site.args.size() >= 3) {
    readText(warp, inst, lane, readArgument(warp, site.args[0], lane), message);
    readText(warp, inst, lane, readArgument(warp, site.args[1], lane), file);
    file += ":" + std::to_string(static_cast<uint32_t>(
                      readArgument(warp, site.args[2], lane)));
  }
  warp.report(FindingKind::InvalidOperation, inst, lane,
              "assertion failed: " + message + " (" + file + ")");
  warp.getBlock().getGrid().stop();
  warp.exitLanes(active);
}

} // namespace

Handler emulator::getSystemCall(std::string_view name) {
  if (name == "vprintf")
    return print;
  if (name == "__assertfail")
    return failAssertion;
  return nullptr;
}
