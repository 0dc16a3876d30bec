//===- ImageCache.h - Images that were made before -------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One file an image, named by the SHA-256 of what it was made of. Files appear
// by rename, whole; a reader checks the contents against the hash in the first
// line and takes a file that is not whole for none. The least recently used go
// when the folder grows too large. Any number of processes may share it.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CODEGEN_IMAGECACHE_H
#define FK_LIB_CODEGEN_IMAGECACHE_H

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace fk {

class ImageCache {
public:
  static constexpr uint64_t defaultLimit = uint64_t(256) << 20;

  /// `folder` is made when the first image is put in.
  explicit ImageCache(std::filesystem::path folder,
                      uint64_t maxBytes = defaultLimit)
      : folder(std::move(folder)), maxBytes(maxBytes) {}

  /// That of the user: $XDG_CACHE_HOME/fk/images, or ~/.cache/fk/images;
  /// nullopt where neither variable is set.
  static std::optional<ImageCache> getDefault();

  /// The image made of `source`, or nullopt.
  std::optional<std::string> find(std::string_view source) const;
  /// Puts an image in. Throws Error where it cannot be written.
  void insert(std::string_view source, std::string_view image) const;

  const std::filesystem::path &getFolder() const { return folder; }

private:
  std::filesystem::path getPath(std::string_view source) const;
  void shrink() const;

  std::filesystem::path folder;
  uint64_t maxBytes;
};

} // namespace fk

#endif // FK_LIB_CODEGEN_IMAGECACHE_H
