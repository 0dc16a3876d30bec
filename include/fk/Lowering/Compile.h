//===- Compile.h - From a module to a plan ---------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LOWERING_COMPILE_H
#define FK_LOWERING_COMPILE_H

#include "fk/Lowering/Pipeline.h"
#include "runtime/Plan.h"

#include "mlir/IR/BuiltinOps.h"

namespace fk {

/// Runs the whole pipeline over `module`, which is changed, and gives the plan,
/// with the remarks of all passes as its notes. Failures are diagnostics.
mlir::FailureOr<Plan> compileToPlan(mlir::ModuleOp module,
                                    const CompileOptions &options);

/// The plan of a module that went through the pipeline. Failures are
/// diagnostics.
mlir::FailureOr<Plan> emitPlan(mlir::ModuleOp module,
                               const CompileOptions &options);

/// The dialects that compileToPlan needs.
void registerCompileDialects(mlir::DialectRegistry &registry);

} // namespace fk

#endif // FK_LOWERING_COMPILE_H
