//===- ScheduleEmitter.h - One function becomes a kernel -------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CODEGEN_SCHEDULEEMITTER_H
#define FK_LIB_CODEGEN_SCHEDULEEMITTER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace fk {

/// As the options of fk-codegen-schedule.
struct ScheduleOptions {
  int64_t threads, vectors, held, blocks;
  bool pdl;
};

/// Emits the kernel of `func` in a gpu.module of its own before it. Fails with
/// a diagnostic.
mlir::LogicalResult scheduleKernel(mlir::func::FuncOp func,
                                   const ScheduleOptions &options);

} // namespace fk

#endif // FK_LIB_CODEGEN_SCHEDULEEMITTER_H
