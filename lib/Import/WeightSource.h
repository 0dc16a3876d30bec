//===- WeightSource.h - The checkpoint behind an import --------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_IMPORT_WEIGHTSOURCE_H
#define FK_LIB_IMPORT_WEIGHTSOURCE_H

#include "fk/Import/Architecture.h"

#include "runtime/support/Safetensors.h"

#include <optional>
#include <set>

namespace fk {

/// Answers for the checkpoint: its spelling of a name, whether shapes are what
/// the config makes them, and which tensors nobody asked for. Without a
/// checkpoint every weight is there.
class WeightSource {
public:
  WeightSource(const Architecture &architecture,
               const std::filesystem::path &folder,
               const Checkpoint *checkpoint);

  /// The checkpoint's name of a tensor; nullopt where it has none such.
  std::optional<std::string> find(llvm::StringRef name) const;
  /// The same, marking it as used; Error where it is missing, no float or of
  /// another shape.
  std::string use(llvm::StringRef name, const std::vector<int64_t> &shape);
  /// Whether two tensors hold the same bytes.
  bool areEqual(llvm::StringRef a, llvm::StringRef b) const;
  bool hasCheckpoint() const { return checkpoint != nullptr; }
  /// The one dtype of all floating tensors; nullopt where they differ.
  std::optional<DType> getStoredDType() const;
  /// Refuses tensors that nobody used and the architecture does not name.
  void finish() const;

private:
  const Architecture &architecture;
  std::filesystem::path folder;
  const Checkpoint *checkpoint;
  std::set<std::string, std::less<>> used;
};

} // namespace fk

#endif // FK_LIB_IMPORT_WEIGHTSOURCE_H
