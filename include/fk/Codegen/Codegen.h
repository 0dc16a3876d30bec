//===- Codegen.h - Kernels made by the compiler ----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_CODEGEN_CODEGEN_H
#define FK_CODEGEN_CODEGEN_H

#include "fk/Candidate/Candidate.h"
#include "fk/Codegen/Pipeline.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>
#include <string>
#include <vector>

namespace fk {

class TaskOpInterface;

/// A kernel as text: what a `.ptx` candidate would say.
struct GeneratedKernel {
  std::string entry;
  std::string launch; ///< of the directive: "grid=(tokens, 1, 1) block=..."
  std::string ptx;

  /// The directive, then the PTX: itself a candidate.
  std::string getText() const;
};

/// Whether code generation knows the task.
bool isGeneratedTask(llvm::StringRef task);

/// Why an op cannot be generated although its task is known: a width that is
/// not static, an element type. Empty where it can.
std::string whyNotGenerated(TaskOpInterface op);

/// The kernel of a module's text: one function of tasks or linalg, or one
/// gpu.module, whose launch may stand in a directive as in PTX. Compiled in a
/// context of its own, or taken from the user's image cache. `where` stands for
/// the text in messages. On failure the diagnostics are in `error`; they are
/// there too, as warnings, where the cache cannot be used.
mlir::FailureOr<GeneratedKernel> generateKernel(llvm::StringRef module,
                                                llvm::StringRef where,
                                                const CodegenOptions &options,
                                                std::string &error);

/// The text of a module with one function of the task's name that is `op`
/// alone, with extents, scalars and variants as there.
std::string isolateTask(TaskOpInterface op);

/// A kernel asked for without a model.
struct TaskRequest {
  std::string task;
  DType dtype = DType::BF16;
  AxisValues axes;                          ///< those not given are dynamic
  std::vector<std::string> operands;        ///< optional ones that are there
  std::map<std::string, double> attributes; ///< scalars and variants
};

/// The text of a module with one function of the task's name, of one op. Throws
/// Error where the request does not fit the task.
std::string buildTaskModule(const TaskRequest &request);

/// An .mlir file as a candidate. Throws Error as loadCandidate() does.
LoadedCandidate loadMlirCandidate(const std::filesystem::path &file,
                                  const Signature &signature,
                                  const CandidateTarget &target);

} // namespace fk

#endif // FK_CODEGEN_CODEGEN_H
