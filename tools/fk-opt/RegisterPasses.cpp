//===- RegisterPasses.cpp - The passes of fk-opt --------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "tools/fk-opt/FkOpt.h"

#ifdef FK_HAS_CODEGEN
#include "fk/Codegen/Passes.h"
#include "fk/Codegen/Pipeline.h"
#endif
#ifdef FK_HAS_TRANSFORMS
#include "fk/Transforms/Passes.h"
#endif
#ifdef FK_HAS_LOWERING
#include "fk/Lowering/Passes.h"
#include "fk/Lowering/Pipeline.h"
#endif

#include "mlir/Transforms/Passes.h"

void fk::registerAllPasses() {
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  mlir::registerInlinerPass();
  mlir::registerSymbolDCEPass();
  mlir::registerPrintIRPass();
  mlir::registerStripDebugInfoPass();
#ifdef FK_HAS_TRANSFORMS
  registerFKTransformsPasses();
  registerSubstitutePipeline();
#endif
#ifdef FK_HAS_CODEGEN
  registerFKCodegenPasses();
  registerCodegenPipeline();
#endif
#ifdef FK_HAS_LOWERING
  registerFKLoweringPasses();
  registerCompilePipeline();
#endif
}
