//===- FusePatterns.h - The patterns of fk-fuse ----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_TRANSFORMS_FUSEPATTERNS_H
#define FK_LIB_TRANSFORMS_FUSEPATTERNS_H

#include "mlir/IR/PatternMatch.h"

namespace fk {

/// Fails, with a remark, where one of `members` is bound to a candidate and so
/// prevents `fusion`.
mlir::LogicalResult checkUnbound(mlir::PatternRewriter &rewriter,
                                 llvm::StringRef fusion,
                                 llvm::ArrayRef<mlir::Operation *> members);

/// Says that `fusion` formed `fused`.
void reportFused(mlir::Operation *fused, llvm::StringRef fusion);

/// Makes every value available before `point`, moving fk.get_weight and
/// tensor.concat of such up where needed. Fails where a value cannot move.
mlir::LogicalResult makeAvailable(mlir::PatternRewriter &rewriter,
                                  mlir::ValueRange values,
                                  mlir::Operation *point);

/// The value a chain of expand_shape and collapse_shape starts from.
mlir::Value skipReshapes(mlir::Value value);

/// Whether a pattern is wanted that forms these tasks together.
using WantedFn = llvm::function_ref<bool(llvm::ArrayRef<llvm::StringRef>)>;

void addNormPatterns(mlir::RewritePatternSet &patterns, WantedFn wanted);
void addLinearPatterns(mlir::RewritePatternSet &patterns, WantedFn wanted);

} // namespace fk

#endif // FK_LIB_TRANSFORMS_FUSEPATTERNS_H
