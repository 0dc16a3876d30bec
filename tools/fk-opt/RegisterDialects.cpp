//===- RegisterDialects.cpp - The dialects of fk-opt ----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "tools/fk-opt/FkOpt.h"

#include "dialects/FK/FK.h"
#include "dialects/FKPlan/FKPlan.h"
#ifdef FK_HAS_CODEGEN
#include "fk/Codegen/Pipeline.h"
#endif

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

void fk::registerAllDialects(mlir::DialectRegistry &registry) {
  registry.insert<FKDialect, FKPlanDialect, mlir::arith::ArithDialect,
                  mlir::func::FuncDialect, mlir::math::MathDialect,
                  mlir::memref::MemRefDialect, mlir::tensor::TensorDialect>();
  mlir::func::registerInlinerExtension(registry);
#ifdef FK_HAS_CODEGEN
  registerCodegenDialects(registry);
#endif
}
