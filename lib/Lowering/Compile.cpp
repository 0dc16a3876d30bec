//===- Compile.cpp - From a module to a plan ------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Lowering/Compile.h"

#include "dialects/FK/FK.h"
#include "dialects/FKPlan/FKPlan.h"
#include "fk/Transforms/Remarks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace fk;

FailureOr<Plan> fk::compileToPlan(ModuleOp module,
                                  const CompileOptions &options) {
  std::vector<Plan::Note> notes;
  {
    NoteCollector collector(*module.getContext(), notes);
    PassManager pm(module.getContext());
    buildCompilePipeline(pm, options);
    if (failed(pm.run(module)))
      return failure();
  }
  FailureOr<Plan> plan = emitPlan(module, options);
  if (succeeded(plan))
    plan->notes = std::move(notes);
  return plan;
}

void fk::registerCompileDialects(DialectRegistry &registry) {
  registry.insert<FKDialect, FKPlanDialect, arith::ArithDialect,
                  func::FuncDialect, tensor::TensorDialect>();
}
