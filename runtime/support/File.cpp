//===- File.cpp - Reading and writing whole files -------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/support/File.h"
#include "runtime/support/Error.h"
#include "runtime/support/Safetensors.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace fk;
namespace fs = std::filesystem;

Error fk::makeSystemError(const std::string &what, const fs::path &path,
                          int code) {
  bool full = code == ENOSPC || code == EDQUOT || code == ENOMEM ||
              code == EMFILE || code == ENFILE || code == EIO;
  return Error({.what = what, .where = path.string(), .got = strerror(code)},
               full ? ErrorKind::Infrastructure : ErrorKind::BadInput);
}

FileHandle::FileHandle(const fs::path &path, int flags, int mode)
    : descriptor(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}

FileHandle::~FileHandle() {
  if (descriptor >= 0)
    ::close(descriptor);
}

static void writeAll(int descriptor, std::string_view bytes,
                     const fs::path &path) {
  while (!bytes.empty()) {
    // Linux moves at most 2 GiB at a time.
    ssize_t written = ::write(descriptor, bytes.data(),
                              std::min(bytes.size(), size_t(1) << 30));
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      throw makeSystemError("cannot write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void fk::writePiecesAtomically(const fs::path &path,
                               const std::vector<std::string_view> &pieces) {
  std::error_code code;
  fs::file_status status = fs::status(path, code);
  if (fs::is_directory(status))
    throw makeSystemError("cannot write", path, EISDIR);
  // A pipe or a device is written where it is: renaming would replace it.
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    FileHandle file(path, O_WRONLY);
    if (!file)
      throw makeSystemError("cannot write", path, errno);
    for (std::string_view piece : pieces)
      writeAll(file.get(), piece, path);
    return;
  }
  // What a link names is replaced, not the link.
  fs::path target = path;
  if (fs::exists(status))
    if (fs::path resolved = fs::canonical(path, code); !code)
      target = resolved;

  fs::path aside;
  int descriptor = -1;
  for (int attempt = 0; descriptor < 0; ++attempt) {
    aside = target;
    aside +=
        "." + std::to_string(getpid()) + "-" + std::to_string(attempt) + ".tmp";
    descriptor =
        ::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0 && (errno != EEXIST || attempt > 100))
      throw makeSystemError("cannot write", path, errno);
  }
  try {
    for (std::string_view piece : pieces)
      writeAll(descriptor, piece, path);
    if (::fsync(descriptor) != 0)
      throw makeSystemError("cannot write", path, errno);
  } catch (...) {
    ::close(descriptor);
    ::unlink(aside.c_str());
    throw;
  }
  if (::close(descriptor) != 0 ||
      ::rename(aside.c_str(), target.c_str()) != 0) {
    int saved = errno;
    ::unlink(aside.c_str());
    throw makeSystemError("cannot write", path, saved);
  }
}

void fk::writeFileAtomically(const fs::path &path, std::string_view contents) {
  writePiecesAtomically(path, {contents});
}

std::string fk::readTextFile(const fs::path &path, size_t limit) {
  FileHandle file(path, O_RDONLY);
  if (!file)
    throw makeSystemError("cannot read", path, errno);
  std::string contents;
  char chunk[1 << 16];
  for (;;) {
    ssize_t count = ::read(file.get(), chunk, sizeof(chunk));
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      throw makeSystemError("cannot read", path, errno);
    if (count == 0)
      return contents;
    contents.append(chunk, static_cast<size_t>(count));
    if (contents.size() > limit)
      throw Error({.what = "file is too large",
                   .where = path.string(),
                   .wanted = "at most " + std::to_string(limit) + " bytes"});
  }
}
