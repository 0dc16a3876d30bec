//===- FkOpt.h - The passes of fk, one by one ------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TOOLS_FKOPT_FKOPT_H
#define FK_TOOLS_FKOPT_FKOPT_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace fk {

/// The whole tool; a multi-call binary calls it too.
int fkOptMain(int argc, char **argv);

/// The dialects fk-opt parses, and no more of MLIR's: each costs size.
void registerAllDialects(mlir::DialectRegistry &registry);

/// fk's passes and pipelines, and the few of MLIR's that clean up.
void registerAllPasses();

} // namespace fk

#endif // FK_TOOLS_FKOPT_FKOPT_H
