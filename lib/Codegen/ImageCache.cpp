//===- ImageCache.cpp - Images that were made before ----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "lib/Codegen/ImageCache.h"

#include "fk/Candidate/Candidate.h"
#include "runtime/support/Error.h"
#include "runtime/support/Safetensors.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

using namespace fk;
namespace fs = std::filesystem;

static constexpr size_t maxImageBytes = size_t(64) << 20;

std::optional<ImageCache> ImageCache::getDefault() {
  if (const char *base = std::getenv("XDG_CACHE_HOME"); base && *base)
    return ImageCache(fs::path(base) / "fk" / "images");
  if (const char *home = std::getenv("HOME"); home && *home)
    return ImageCache(fs::path(home) / ".cache" / "fk" / "images");
  return std::nullopt;
}

fs::path ImageCache::getPath(std::string_view source) const {
  return folder / (getSha256(source) + ".image");
}

std::optional<std::string> ImageCache::find(std::string_view source) const {
  fs::path path = getPath(source);
  std::string text;
  try {
    text = readTextFile(path, maxImageBytes);
  } catch (const Error &) {
    return std::nullopt; // Not there, or gone since: it is made again.
  }
  size_t end = text.find('\n');
  if (end == std::string::npos ||
      text.compare(0, end, getSha256(std::string_view(text).substr(end + 1))) !=
          0)
    return std::nullopt;
  std::error_code error;
  fs::last_write_time(path, fs::file_time_type::clock::now(), error);
  return text.substr(end + 1);
}

void ImageCache::insert(std::string_view source, std::string_view image) const {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw Error({"the image cache cannot be made", folder.string(), "",
                 error.message(),
                 "set XDG_CACHE_HOME to a folder that can be written"},
                ErrorKind::Infrastructure);
  writeFileAtomically(getPath(source),
                      getSha256(image) + "\n" + std::string(image));
  shrink();
}

void ImageCache::shrink() const {
  struct File {
    fs::file_time_type used;
    uint64_t bytes;
    fs::path path;
  };
  std::vector<File> files;
  uint64_t total = 0;
  // Others may remove the same files meanwhile: what fails is gone already.
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    if (it->path().extension() != ".image")
      continue;
    File file = {it->last_write_time(gone), 0, it->path()};
    if (!gone)
      file.bytes = it->file_size(gone);
    if (gone)
      continue;
    total += file.bytes;
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const File &lhs, const File &rhs) {
    return lhs.used < rhs.used;
  });
  for (const File &file : files) {
    if (total <= maxBytes)
      return;
    fs::remove(file.path, error);
    total -= file.bytes;
  }
}
