//===- Toolchain.h - ptxas and nvcc, where they are found ------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CANDIDATE_TOOLCHAIN_H
#define FK_LIB_CANDIDATE_TOOLCHAIN_H

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fk {

/// A program of the CUDA compiler: in FK_CUDA_TOOLKIT, CUDA_HOME, CUDA_PATH, on
/// the PATH, in /usr/local/cuda*, or where `make deps` unpacks it. Empty where
/// there is none.
std::filesystem::path findCudaTool(const std::string &name);

/// A folder that is removed again.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  const std::filesystem::path &getPath() const { return path; }

private:
  std::filesystem::path path;
};

struct ProcessResult {
  int exitCode = -1; ///< -1: ended by a signal or out of time
  bool timedOut = false;
  std::string output; ///< standard output and error
};

/// Runs a program without a shell, with an end after `seconds`.
ProcessResult runProcess(const std::vector<std::string> &arguments,
                         int seconds = 300);

/// What ptxas says of an entry.
struct AssembledEntry {
  int64_t registers = -1;
  int64_t sharedBytes = 0;
  int64_t spillBytes = 0;
};

/// Assembles a PTX text for `arch`; nullopt where there is no ptxas. Throws
/// Error with the assembler's own message.
std::optional<std::map<std::string, AssembledEntry>>
assemble(std::string_view ptx, const std::string &arch,
         const std::string &where);

/// Compiles one CUDA file to PTX. Throws Error with the compiler's message, and
/// where there is no nvcc (Infrastructure).
std::string compileCuda(const std::filesystem::path &file,
                        std::string_view contents, const std::string &arch,
                        const std::map<std::string, int64_t> &defines);

} // namespace fk

#endif // FK_LIB_CANDIDATE_TOOLCHAIN_H
