//===- CandidateCases.h - Candidates made for a test -----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TEST_UNIT_CANDIDATECASES_H
#define FK_TEST_UNIT_CANDIDATECASES_H

#include "TempFolder.h"
#include "fk/Candidate/Candidate.h"
#include "runtime/support/Error.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace fk {

/// A PTX text whose parts a test may change. Untouched, it is a right candidate
/// for rms_norm (it stores nothing).
struct PtxText {
  std::string launch = "// fk.launch: grid=(tokens,1,1) block=(256,1,1)";
  std::string version = "7.8";
  std::string target = "sm_80";
  std::string addressSize = "64";
  std::string module; ///< before the entry
  std::string entry = "rms_norm";
  std::string params = ".param .u64 p0, .param .u64 p1, .param .u64 p2, "
                       ".param .f32 p3, .param .u32 p4, .param .u32 p5";
  std::string directives; ///< behind the parameters
  std::string body = "ret;";

  std::string str() const {
    return launch + "\n.version " + version + "\n.target " + target +
           "\n.address_size " + addressSize + "\n" + module +
           "\n.visible .entry " + entry + "(" + params + ")\n" + directives +
           "\n{\n  " + body + "\n}\n";
  }
};

inline const Signature &getRmsNorm() {
  static const Signature signature = Signature::parse(
      "rms_norm(result: T[tokens, hidden]; input: T[tokens, hidden], "
      "weight: T[hidden]; epsilon: f32; tokens, hidden; weight_offset: f32 = "
      "0)");
  return signature;
}

inline const Signature &getLinear() {
  static const Signature signature = Signature::parse(
      "linear(result: T[tokens, out_features]; input: T[tokens, in_features], "
      "weight: T[out_features, in_features], bias?: T[out_features]; ; "
      "tokens, out_features, in_features)");
  return signature;
}

/// bf16 on sm_90a, hidden = 4096.
inline CandidateTarget getTarget() {
  CandidateTarget target;
  target.staticAxes = {{{"hidden", 4096}}};
  return target;
}

inline std::string readBytes(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Hides every ptxas and nvcc while it lives.
struct NoCudaTools {
  NoCudaTools() {
    if (const char *value = std::getenv(name))
      before = value;
    ::setenv(name, "/nonexistent", 1);
  }
  ~NoCudaTools() {
    if (before)
      ::setenv(name, before->c_str(), 1);
    else
      ::unsetenv(name);
  }
  static constexpr const char *name = "FK_CUDA_TOOLKIT";
  std::optional<std::string> before;
};

/// A folder with candidates in it.
struct Candidates : TempFolder {
  LoadedCandidate load(const std::string &name, const std::string &contents,
                       const CandidateTarget &target = getTarget(),
                       const Signature &signature = getRmsNorm()) {
    write(name, contents);
    return loadCandidate(path / name, signature, target);
  }
  LoadedCandidate load(const PtxText &text,
                       const CandidateTarget &target = getTarget()) {
    return load("cand.ptx", text.str(), target);
  }
};

/// Whatever the bytes are: an Error or a description.
template <typename Parse> void survive(Parse parse) {
  try {
    parse();
  } catch (const Error &) {
  }
}

} // namespace fk

#endif // FK_TEST_UNIT_CANDIDATECASES_H
