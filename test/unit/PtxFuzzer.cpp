//===- PtxFuzzer.cpp - The PTX parser under libFuzzer ---------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Whatever the bytes, the parser returns a module or throws PtxError with
// lines that can be printed. test/unit/ptx holds the seeds:
//
//   cmake --preset dev -D FK_FUZZERS=ON && ninja -C build/dev fk-fuzz-ptx
//   build/dev/bin/fk-fuzz-ptx -max_total_time=600 corpus test/unit/ptx
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Ptx.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  try {
    fk::ptx::parse(text, "k.ptx");
  } catch (const fk::ptx::PtxError &error) {
    size_t count = error.getDiagnostics().size();
    if (count < 1 || count > 20)
      std::abort();
    for (const std::string &line : error.getLines())
      if (line.find('\n') != std::string::npos)
        std::abort();
  }
  return 0;
}
