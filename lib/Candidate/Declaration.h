//===- Declaration.h - What a candidate says of its launches ---*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CANDIDATE_DECLARATION_H
#define FK_LIB_CANDIDATE_DECLARATION_H

#include "runtime/support/Signature.h"

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fk {

using Extents = std::array<Expr, 3>;

struct LaunchDeclaration {
  std::string entry;
  std::optional<Extents> grid, block, cluster;
  Expr shared = 0;
  bool pdl = false;
  std::vector<std::string> args; ///< empty: the order of the signature
};

struct VariantDeclaration {
  Expr where;     ///< empty: always
  Expr workspace; ///< empty: none
  std::filesystem::path source;
  std::vector<LaunchDeclaration> launches;
};

struct Declaration {
  std::vector<DType> dtypes;
  std::vector<VariantDeclaration> variants;
};

/// The `// fk.launch:` lines of a PTX or CUDA text, taken together; nullopt
/// where there is none. The entry is the task's name.
std::optional<VariantDeclaration> parseDirective(std::string_view text,
                                                 std::string_view where,
                                                 const Signature &signature);

/// A manifest's JSON. Its sources lie in `file`'s folder.
Declaration parseManifest(std::string_view text,
                          const std::filesystem::path &file,
                          const Signature &signature);

/// Whether a JSON text is what Triton writes beside an image.
bool isTritonMetadata(std::string_view text, const std::string &where);

/// What Triton's metadata says of the launch; the grid comes from `directive`
/// or from the metadata's key "fk.launch".
VariantDeclaration
parseTritonMetadata(std::string_view text, const std::string &where,
                    const Signature &signature,
                    const std::optional<VariantDeclaration> &directive);

/// The element types of a bare file: its suffix (`rms_norm.bf16.ptx`), or bf16.
std::vector<DType> getFileDTypes(const std::filesystem::path &file);

} // namespace fk

#endif // FK_LIB_CANDIDATE_DECLARATION_H
