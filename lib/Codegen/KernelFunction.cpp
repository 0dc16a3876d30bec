//===- KernelFunction.cpp - A function that becomes a kernel --------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "lib/Codegen/KernelFunction.h"

#include "runtime/support/Error.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace fk;

FailureOr<SmallVector<Expr>> fk::getExtents(Operation *func, Type type,
                                            ArrayAttr dims) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return func->emitError("a kernel's result must be a ranked tensor, got ")
           << type;
  SmallVector<Expr> extents;
  size_t used = 0;
  for (int64_t size : tensor.getShape()) {
    if (!ShapedType::isDynamic(size)) {
      extents.push_back(Expr(size));
      continue;
    }
    auto name = dims && used < dims.size() ? dyn_cast<StringAttr>(dims[used++])
                                           : StringAttr();
    if (!name)
      return func->emitError("has a dynamic dimension without a name in ")
             << type << " (give it by fk.dims)";
    try {
      extents.push_back(Expr::parse(name.getValue().str(), "fk.dims"));
    } catch (const Error &error) {
      return func->emitError(error.what());
    }
  }
  return extents;
}

Value fk::emitExpr(OpBuilder &builder, Location loc, const Expr &expr,
                   llvm::function_ref<Value(StringRef)> axis) {
  const ExprNode *node = expr.getNode();
  if (node->op == ExprOp::Constant)
    return arith::ConstantIndexOp::create(builder, loc, node->constant);
  if (node->op == ExprOp::Axis)
    return axis(node->axis);
  Value lhs = emitExpr(builder, loc, node->lhs, axis);
  Value rhs = emitExpr(builder, loc, node->rhs, axis);
  if (!lhs || !rhs)
    return {};
  switch (node->op) {
  case ExprOp::Add:
    return arith::AddIOp::create(builder, loc, lhs, rhs);
  case ExprOp::Sub:
    return arith::SubIOp::create(builder, loc, lhs, rhs);
  case ExprOp::Mul:
    return arith::MulIOp::create(builder, loc, lhs, rhs);
  case ExprOp::FloorDiv:
    return arith::DivUIOp::create(builder, loc, lhs, rhs);
  case ExprOp::Mod:
    return arith::RemUIOp::create(builder, loc, lhs, rhs);
  case ExprOp::Min:
    return arith::MinUIOp::create(builder, loc, lhs, rhs);
  case ExprOp::Max:
    return arith::MaxUIOp::create(builder, loc, lhs, rhs);
  case ExprOp::CeilDiv: {
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    Value more = arith::SubIOp::create(builder, loc, rhs, one);
    Value sum = arith::AddIOp::create(builder, loc, lhs, more);
    return arith::DivUIOp::create(builder, loc, sum, rhs);
  }
  default:
    return {};
  }
}
