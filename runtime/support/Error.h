//===- Error.h - The one kind of failure a user sees -----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every failure a user can cause says what went wrong, where, what was wanted,
// what was found and how to mend it. Tools print it on one line and turn its
// kind into the exit code.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_SUPPORT_ERROR_H
#define FK_RUNTIME_SUPPORT_ERROR_H

#include <stdexcept>
#include <string>

namespace fk {

/// The exit codes of every fk tool.
enum class ErrorKind {
  Wrong = 1,          ///< The answer is wrong, or slower than asked.
  BadInput = 2,       ///< The input or the usage is at fault.
  Infrastructure = 3, ///< No GPU, no memory, a library that is missing.
};

/// The parts of a message. Empty parts are left out when it is printed.
struct ErrorText {
  std::string what = {};   ///< "tensor 'lm_head.weight' has the wrong shape"
  std::string where = {};  ///< "model.safetensors"
  std::string wanted = {}; ///< "[256, 64]"
  std::string got = {};    ///< "[256, 32]"
  std::string mend = {}; ///< "check vocab_size and hidden_size in config.json"
};

/// "what: where: wanted W, got G (mend)", on one line.
std::string formatError(const ErrorText &text);

/// Thrown by everything below runtime/ and by the importers; caught once, in
/// the tool. Never crosses an MLIR pass or a C boundary: a pass turns it into a
/// diagnostic at its own location.
class Error : public std::runtime_error {
public:
  explicit Error(ErrorText text, ErrorKind kind = ErrorKind::BadInput)
      : std::runtime_error(formatError(text)), text(std::move(text)),
        kind(kind) {}

  const ErrorText &getText() const { return text; }
  ErrorKind getKind() const { return kind; }
  int getExitCode() const { return static_cast<int>(kind); }

private:
  ErrorText text;
  ErrorKind kind;
};

} // namespace fk

#endif // FK_RUNTIME_SUPPORT_ERROR_H
