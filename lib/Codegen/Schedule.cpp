//===- Schedule.cpp - Functions of linalg become kernels ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Codegen/Passes.h"

#include "lib/Codegen/ScheduleEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace fk {
#define GEN_PASS_DEF_CODEGENSCHEDULEPASS
#include "fk/Codegen/Passes.h.inc"
} // namespace fk

using namespace mlir;
using namespace fk;

namespace {
class CodegenSchedulePass
    : public fk::impl::CodegenSchedulePassBase<CodegenSchedulePass> {
public:
  using CodegenSchedulePassBase::CodegenSchedulePassBase;

  void runOnOperation() override {
    for (auto func :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (func.isExternal())
        continue;
      ScheduleOptions options = {threads, vectors, held, blocks, pdl};
      if (failed(scheduleKernel(func, options)))
        return signalPassFailure();
      func.erase();
    }
  }
};
} // namespace
