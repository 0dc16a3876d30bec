//===- Image.h - What an image says of its entries -------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// PTX, cubins and fat binaries are read into the same description, which the
// ABI and launch checks work on.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CANDIDATE_IMAGE_H
#define FK_LIB_CANDIDATE_IMAGE_H

#include "runtime/support/Error.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fk {

/// A parameter of a compiled entry.
struct EntryParam {
  int64_t bytes = 0;
  std::string type;     ///< PTX: ".u64"; empty where only the size is known
  bool isArray = false; ///< a structure by value
};

struct ImageEntry {
  std::string name;
  std::vector<EntryParam> params;
  std::optional<std::array<int64_t, 3>> requiredBlock;   ///< .reqntid
  std::optional<std::array<int64_t, 3>> requiredCluster; ///< .reqnctapercluster
  std::optional<int64_t> maxThreads;                     ///< .maxntid
  int64_t staticShared = 0;
  int64_t registers = -1; ///< -1: not known
  /// Whether it waits for the launch before it (griddepcontrol.wait); nullopt
  /// where the image does not show it.
  std::optional<bool> waitsForDependents;
};

struct ImageInfo {
  std::string kind;   ///< "ptx", "cubin" or "fatbin"
  std::string target; ///< "sm_90a"
  std::vector<ImageEntry> entries;

  const ImageEntry *find(std::string_view name) const {
    for (const ImageEntry &entry : entries)
      if (entry.name == name)
        return &entry;
    return nullptr;
  }
};

/// Reads what a PTX text asks of a launch. Throws ptx::PtxError, a line each,
/// for what is no PTX and for calls of functions that nobody defines.
ImageInfo parsePtx(std::string_view text, std::string_view where);

/// Reads a cubin; every offset is checked.
ImageInfo parseCubin(std::string_view bytes, std::string_view where);

/// Reads the member of a fat binary that serves `arch`.
ImageInfo parseFatbin(std::string_view bytes, std::string_view arch,
                      std::string_view where);

/// Throws Error unless code for `imageTarget` runs on `arch`.
void checkTarget(std::string_view imageKind, std::string_view imageTarget,
                 std::string_view arch, std::string_view where);

/// Throws Error with these parts.
[[noreturn]] inline void failCandidate(std::string what, std::string_view where,
                                       std::string wanted = {},
                                       std::string got = {},
                                       std::string mend = {}) {
  throw Error({std::move(what), std::string(where), std::move(wanted),
               std::move(got), std::move(mend)});
}

} // namespace fk

#endif // FK_LIB_CANDIDATE_IMAGE_H
