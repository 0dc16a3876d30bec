//===- fk-opt.cpp - The passes of fk, one by one --------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "tools/fk-opt/FkOpt.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int fk::fkOptMain(int argc, char **argv) {
  registerAllPasses();
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  // Dialects are loaded as the input needs them, not all at once.
  auto [input, output] = mlir::registerAndParseCLIOptions(
      argc, argv, "fk-opt: runs fk's passes on a module\n", registry);
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, input, output, registry));
}
