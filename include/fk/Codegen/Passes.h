//===- Passes.h - Passes from tasks to PTX ---------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_CODEGEN_PASSES_H
#define FK_CODEGEN_PASSES_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/Pass.h"

#include <memory>
#include <string>

namespace fk {

#define GEN_PASS_DECL
#include "fk/Codegen/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "fk/Codegen/Passes.h.inc"

} // namespace fk

#endif // FK_CODEGEN_PASSES_H
