//===- KernelFunction.h - A function that becomes a kernel -----*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// What the passes of code generation agree on: a function whose arguments are
// tensors, then scalars, then axes (i32), and whose tensors have `fk.dims`, one
// expression over the axes for every dynamic dimension.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CODEGEN_KERNELFUNCTION_H
#define FK_LIB_CODEGEN_KERNELFUNCTION_H

#include "runtime/support/Expr.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

namespace fk {

namespace attrs {
/// Function: the names of its last arguments.
inline constexpr llvm::StringLiteral codegenAxes = "kernel_axes";
/// Function: {hidden = 4096}, what the code was specialised for.
inline constexpr llvm::StringLiteral codegenStatic = "kernel_static";
/// gpu.func: the launch it wants, as a directive says it.
inline constexpr llvm::StringLiteral launch = "kernel_launch";
/// gpu.module: its PTX text.
inline constexpr llvm::StringLiteral ptx = "kernel_ptx";
} // namespace attrs

/// The extents of a tensor of the function as expressions over its axes.
/// `dims` is the `fk.dims` of its argument or result. Fails with a diagnostic.
mlir::FailureOr<llvm::SmallVector<Expr>>
getExtents(mlir::Operation *func, mlir::Type type, mlir::ArrayAttr dims);

/// Emits `expr`, a value over the axes, as index arithmetic.
mlir::Value emitExpr(mlir::OpBuilder &builder, mlir::Location loc,
                     const Expr &expr,
                     llvm::function_ref<mlir::Value(llvm::StringRef)> axis);

} // namespace fk

#endif // FK_LIB_CODEGEN_KERNELFUNCTION_H
