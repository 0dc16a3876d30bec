//===- Safetensors.h - The one hardened reader and writer ------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Weights, captures and plans are all safetensors files. The reader maps the
// file and trusts nothing: header length, JSON, dtypes, shapes, overflow,
// offsets, overlap and gaps are checked before anything is returned.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_SUPPORT_SAFETENSORS_H
#define FK_RUNTIME_SUPPORT_SAFETENSORS_H

#include "runtime/support/DType.h"

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fk {

/// A tensor inside a mapped file. Its bytes begin wherever the file puts them:
/// nothing is said of their alignment.
struct TensorView {
  DType dtype;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;

  int64_t getNumElements() const;
};

/// A file, mapped read-only; views stay valid as long as it lives.
class SafetensorsFile {
public:
  /// What is made of element types that fk does not compute with (U16 to U64,
  /// F8): an error, or the integers of their size.
  enum class OtherTypes { Refuse, AsIntegers };

  /// Opens and checks the whole header. Throws Error.
  static std::shared_ptr<const SafetensorsFile>
  open(const std::filesystem::path &path,
       OtherTypes others = OtherTypes::Refuse);

  const std::filesystem::path &getPath() const { return path; }
  const std::map<std::string, TensorView, std::less<>> &getTensors() const {
    return tensors;
  }
  const std::map<std::string, std::string, std::less<>> &getMetadata() const {
    return metadata;
  }
  /// The whole file; every tensor's bytes lie in it, behind the header and
  /// without gaps.
  std::span<const std::byte> getBytes() const { return mapping; }
  /// Throws Error naming the tensor and the file where it is missing.
  const TensorView &getTensor(std::string_view name) const;

  ~SafetensorsFile();

private:
  SafetensorsFile() = default;
  std::filesystem::path path;
  std::span<const std::byte> mapping;
  std::map<std::string, TensorView, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> metadata;
};

/// A checkpoint: one file, or shards named by `model.safetensors.index.json`.
/// Shard names that leave the folder are refused.
class Checkpoint {
public:
  /// `folder` holds model.safetensors or model.safetensors.index.json (the single
  /// file wins where both are there, as in transformers). Throws Error.
  static Checkpoint open(const std::filesystem::path &folder);

  /// nullptr where there is no such tensor.
  const TensorView *find(std::string_view name) const;
  /// The file a tensor lies in; for messages.
  std::filesystem::path getFileOf(std::string_view name) const;
  std::vector<std::string> getNames() const;

private:
  std::vector<std::shared_ptr<const SafetensorsFile>> files;
  std::map<std::string, size_t, std::less<>> fileOf;
};

/// A tensor to be written.
struct TensorToWrite {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

/// Writes aside and renames, so that a reader never sees half a file. The header
/// lists the tensors in this order; their data is ordered so that each starts at
/// a multiple of 64 bytes of the file where it can.
void writeSafetensors(const std::filesystem::path &path,
                      const std::vector<TensorToWrite> &tensors,
                      const std::map<std::string, std::string> &metadata = {});

/// Writes any file aside and renames it.
void writeFileAtomically(const std::filesystem::path &path,
                         std::string_view contents);

/// The whole file as text; Error where it cannot be read or is larger than
/// `limit` bytes.
std::string readTextFile(const std::filesystem::path &path,
                         size_t limit = size_t(64) << 20);

} // namespace fk

#endif // FK_RUNTIME_SUPPORT_SAFETENSORS_H
