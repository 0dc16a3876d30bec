//===- Config.h - A config.json, read with suspicion -----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every accessor marks its key as used; `finish` then refuses keys that nobody
// used and nobody declared harmless, because such a key could change the
// numbers. A key whose value is null is a key that is absent.
//
//===----------------------------------------------------------------------===//

#ifndef FK_IMPORT_CONFIG_H
#define FK_IMPORT_CONFIG_H

#include "runtime/Plan.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace fk {

/// What `hidden_act` may name.
enum class Activation { Silu, Gelu, GeluTanh };

class Config {
public:
  /// Throws Error where the file is no JSON object.
  static Config read(const std::filesystem::path &path);
  Config(std::shared_ptr<const nlohmann::json> object, std::string where);

  const std::string &getWhere() const { return where; }

  /// Whether the key is there and not null.
  bool has(llvm::StringRef key) const;
  /// Whether the key is there, null or not: some defaults of the library hold
  /// for a missing key but not for null.
  bool isMentioned(llvm::StringRef key) const;

  /// Without a default, a missing key is an error.
  int64_t getInt(llvm::StringRef key,
                 std::optional<int64_t> fallback = {}) const;
  /// An extent: at least 1 and below 2^31, as kernels count in int32_t.
  int64_t getSize(llvm::StringRef key,
                  std::optional<int64_t> fallback = {}) const;
  double getNumber(llvm::StringRef key,
                   std::optional<double> fallback = {}) const;
  double getPositive(llvm::StringRef key,
                     std::optional<double> fallback = {}) const;
  bool getBool(llvm::StringRef key, bool fallback) const;
  std::string getString(llvm::StringRef key,
                        std::optional<std::string> fallback = {}) const;
  std::vector<double> getNumbers(llvm::StringRef key) const;
  std::vector<std::string> getStrings(llvm::StringRef key) const;
  /// An integer or a list of them; empty where absent.
  std::vector<int64_t> getIntOrList(llvm::StringRef key) const;
  std::optional<Config> getObject(llvm::StringRef key) const;
  Activation getActivation(llvm::StringRef key,
                           std::optional<std::string> fallback = {}) const;
  /// `dtype` or its older name `torch_dtype`.
  std::optional<DType> getDType() const;

  /// Refuses any other value of a key than `allowed` (JSON text), or its
  /// absence.
  void requireValue(llvm::StringRef key, llvm::StringRef allowed) const;

  /// Refuses keys that are neither used nor in `harmless`.
  void finish(llvm::ArrayRef<llvm::StringRef> harmless = {}) const;
  /// `finish`, with the keys that are harmless in every config.json.
  void finishModel(llvm::ArrayRef<llvm::StringRef> harmless) const;

  /// Throws: this key has a value that will not do.
  [[noreturn]] void fail(llvm::StringRef key, llvm::StringRef wanted,
                         llvm::StringRef mend = "") const;

private:
  const nlohmann::json *find(llvm::StringRef key) const;
  const nlohmann::json &at(llvm::StringRef key, llvm::StringRef wanted) const;

  std::shared_ptr<const nlohmann::json> object;
  std::string where;
  mutable std::set<std::string, std::less<>> used;
};

/// What an architecture allows of rotary embeddings.
struct RopeRules {
  bool partial = false;      ///< partial_rotary_factor is heeded
  bool suIsLongRope = false; ///< older names of longrope (Phi3)
  /// Default of a top-level original_max_position_embeddings; 0: none.
  int64_t originalMaxPositions = 0;
};

/// Reads `rope_theta` with `rope_scaling`, or `rope_parameters`.
RopeTable readRope(const Config &config, int64_t headDim, int64_t maxPositions,
                   const RopeRules &rules = {});

/// a * b, or an Error where it exceeds what an int32_t axis holds.
int64_t multiplySizes(const Config &config, llvm::StringRef what, int64_t a,
                      int64_t b);

} // namespace fk

#endif // FK_IMPORT_CONFIG_H
