//===- Codegen.h - Kernels made by the compiler ----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_CODEGEN_CODEGEN_H
#define FK_CODEGEN_CODEGEN_H

#include "fk/Codegen/Pipeline.h"
#include "runtime/support/Signature.h"

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

/// The kernel of a module with one function (of tasks or linalg) or one
/// gpu.module, taken from the user's image cache where it was made before. The
/// module is changed. Fails with a diagnostic.
mlir::FailureOr<GeneratedKernel> generateKernel(mlir::ModuleOp module,
                                                const CodegenOptions &options);

/// A kernel asked for without a model.
struct TaskRequest {
  std::string task;
  DType dtype = DType::BF16;
  AxisValues axes;                          ///< those not given are dynamic
  std::vector<std::string> operands;        ///< optional ones that are there
  std::map<std::string, double> attributes; ///< scalars and variants
};

/// A module with one function of the task's name, of one op. Throws Error where
/// the request does not fit the task.
mlir::OwningOpRef<mlir::ModuleOp> buildTaskModule(mlir::MLIRContext &context,
                                                  const TaskRequest &request);

/// A module with one function of the task's name that is `op` alone, with
/// static extents, scalars and variants as there.
mlir::OwningOpRef<mlir::ModuleOp> isolateTask(TaskOpInterface op);

} // namespace fk

#endif // FK_CODEGEN_CODEGEN_H
