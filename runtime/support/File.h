//===- File.h - Reading and writing whole files ----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_SUPPORT_FILE_H
#define FK_RUNTIME_SUPPORT_FILE_H

#include "runtime/support/Error.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace fk {

/// The Error of a failed system call; `code` is its errno.
Error makeSystemError(const std::string &what,
                      const std::filesystem::path &path, int code);

/// Closes a file descriptor. Test it before use: opening may have failed.
class FileHandle {
public:
  FileHandle(const std::filesystem::path &path, int flags, int mode = 0);
  FileHandle(const FileHandle &) = delete;
  FileHandle &operator=(const FileHandle &) = delete;
  ~FileHandle();

  explicit operator bool() const { return descriptor >= 0; }
  int get() const { return descriptor; }

private:
  int descriptor;
};

/// Writes `pieces`, one behind the other, aside and renames the file.
void writePiecesAtomically(const std::filesystem::path &path,
                           const std::vector<std::string_view> &pieces);

} // namespace fk

#endif // FK_RUNTIME_SUPPORT_FILE_H
