//===- ImportTest.cpp - From config and checkpoint to the module ----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Import/Import.h"

#include "runtime/support/Error.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <gtest/gtest.h>

using namespace fk;

static std::string print(mlir::ModuleOp module, bool locations = false) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  mlir::OpPrintingFlags flags;
  flags.enableDebugInfo(locations);
  module.print(stream, flags);
  return text;
}

TEST(Import, Llama8BIsSmallAndFast) {
  mlir::MLIRContext context;
  auto start = std::chrono::steady_clock::now();
  auto module = importConfig(context, FK_SOURCE_DIR
                             "/models/llm/configs/llama-3.1-8b.json");
  std::string text = print(*module, true);
  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  EXPECT_LT(text.size(), 1u << 20);
  EXPECT_LT(seconds, 2.0);
  if (getenv("FK_PRINT"))
    llvm::errs() << print(*module, true);
}
