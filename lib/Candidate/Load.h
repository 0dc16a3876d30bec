//===- Load.h - Reading a candidate's files --------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CANDIDATE_LOAD_H
#define FK_LIB_CANDIDATE_LOAD_H

#include <filesystem>
#include <string>

namespace fk {

/// The bytes of a candidate's file, which must be a regular one of at most 64
/// MiB.
std::string readCandidateFile(const std::filesystem::path &file);

/// "ptx", "cubin", "fatbin", "cu" or "json", by suffix. Throws Error for
/// others.
std::string getImageKind(const std::filesystem::path &file);

} // namespace fk

#endif // FK_LIB_CANDIDATE_LOAD_H
