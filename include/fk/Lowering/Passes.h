//===- Passes.h - Passes from fk to the plan -------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LOWERING_PASSES_H
#define FK_LOWERING_PASSES_H

#include "mlir/Pass/Pass.h"

#include <memory>
#include <string>

namespace fk {

#define GEN_PASS_DECL
#include "fk/Lowering/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "fk/Lowering/Passes.h.inc"

} // namespace fk

#endif // FK_LOWERING_PASSES_H
