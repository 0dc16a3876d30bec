//===- Candidate.h - A user's kernel, checked and described ----*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A candidate is data: a device image and the launches that its directive or
// its manifest declares. Loading one checks everything that can be known
// without a GPU: entry, parameters, element types, architecture, launch limits,
// and, where ptxas is found, that it assembles. Nothing of a candidate is ever
// executed here.
//
//===----------------------------------------------------------------------===//

#ifndef FK_CANDIDATE_CANDIDATE_H
#define FK_CANDIDATE_CANDIDATE_H

#include "runtime/Plan.h"
#include "runtime/support/Signature.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fk {

/// `<task>[@<place>]:<file>`, as --substitute takes it.
struct SubstituteSpec {
  std::string task;
  std::string place; ///< a glob over module paths; empty: everywhere
  std::string file;

  /// Throws Error where the text is not of that form.
  static SubstituteSpec parse(std::string_view text);
  bool matchesPlace(std::string_view modulePath) const;
  std::string str() const;
};

/// Whether `text` fits `pattern`, where `*` stands for any characters (dots
/// too) and `?` for one.
bool matchesGlob(std::string_view pattern, std::string_view text);

/// What the candidate is asked to serve.
struct CandidateTarget {
  DType dtype = DType::BF16; ///< T of the ops
  std::string arch = "sm_90a";
  /// The optional operands that the ops have; others are left out of the ABI.
  std::vector<std::string> presentOperands;
  /// Each distinct set of values of the static axes, one per kind of op. Empty:
  /// nothing is known of the shapes.
  std::vector<AxisValues> staticAxes;
};

/// Where an image comes from; enough to make it again.
struct ImageSource {
  /// "ptx", "cubin", "fatbin" or "cu"; "mlir" and "task": `text` was generated
  /// from it.
  std::string kind;
  std::string file;                       ///< absolute
  std::string sha256;                     ///< of the file
  std::string arch;                       ///< cu: what it is compiled for
  std::map<std::string, int64_t> defines; ///< cu: FK_HIDDEN = 4096
  std::string text; ///< mlir, task: the PTX; `sha256` is its hash
};

/// A candidate that passed every check.
struct LoadedCandidate {
  PlanCandidate info;
  std::map<std::string, PlanImage> images;    ///< by CandidateVariant::image
  std::map<std::string, ImageSource> sources; ///< by CandidateVariant::image
  /// One line each, without the candidate's name: registers, what was not
  /// checked and why.
  std::vector<std::string> remarks;
};

/// Loads `file` (.ptx, .cubin, .fatbin, .cu or .json) for a task. Throws Error
/// saying what, where, wanted, got and the mend.
LoadedCandidate loadCandidate(const std::filesystem::path &file,
                              const Signature &signature,
                              const CandidateTarget &target);

/// As above for PTX with its directive that the compiler made. `kind` is
/// "mlir", `file` being what it was made from, or "task" and the name to give
/// it.
LoadedCandidate loadGenerated(std::string_view kind,
                              const std::filesystem::path &file,
                              std::string_view ptx, const Signature &signature,
                              const CandidateTarget &target);

/// Whether some variant of `candidate` can serve an op with these static axes,
/// whatever the dynamic ones are worth. False means "not covered".
bool mayCover(const PlanCandidate &candidate, const AxisValues &staticAxes);

/// The condition under which `candidate` serves a shape; empty: always.
Expr getCoverage(const PlanCandidate &candidate);

/// Gives the candidate, and its images, another name.
void renameCandidate(LoadedCandidate &candidate, const std::string &name);

/// The checked, canonical JSON that `fk.candidate` carries in the IR: the
/// PlanCandidate and the sources of its images.
std::string toManifestText(const LoadedCandidate &candidate);

/// What an IR's `fk.candidate` says, with its images made again from the files,
/// which must still have the recorded hashes. Throws Error.
LoadedCandidate fromManifestText(std::string_view text, std::string_view where);

/// As above without the images, for passes that only need the launches.
PlanCandidate parseManifestText(std::string_view text, std::string_view where);

/// The SHA-256 of `bytes`, in lower-case hexadecimal.
std::string getSha256(std::string_view bytes);

} // namespace fk

#endif // FK_CANDIDATE_CANDIDATE_H
