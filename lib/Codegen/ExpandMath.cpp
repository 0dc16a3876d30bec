//===- ExpandMath.cpp - Mathematical functions by instructions ------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Codegen/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace fk {
#define GEN_PASS_DEF_CODEGENMATHPASS
#include "fk/Codegen/Passes.h.inc"
} // namespace fk

using namespace mlir;

namespace {

/// Arithmetic on one type, a float32 or a vector of them.
struct Float {
  OpBuilder &b;
  Location loc;
  Type type;

  Value constant(double value) {
    auto element = cast<FloatType>(getElementTypeOrSelf(type));
    auto attr = FloatAttr::get(element, double(float(value)));
    if (auto vector = dyn_cast<VectorType>(type))
      return arith::ConstantOp::create(
          b, loc, DenseElementsAttr::get(vector, attr.getValue()));
    return arith::ConstantOp::create(b, loc, attr);
  }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
  Value fma(Value x, Value y, Value z) {
    return math::FmaOp::create(b, loc, x, y, z);
  }
  /// Horner's rule from the highest coefficient.
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value result = constant(coefficients[0]);
    for (double coefficient : coefficients.drop_front())
      result = fma(result, x, constant(coefficient));
    return result;
  }
  Value abs(Value x) { return math::AbsFOp::create(b, loc, x); }
  Value withSign(Value x, Value sign) {
    return math::CopySignOp::create(b, loc, x, sign);
  }
  Value greater(Value x, double y) {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x,
                                 constant(y));
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, loc, condition, x, y);
  }
  /// ex2.approx and rcp.approx: what `afn` means to the back end.
  Value exp2(Value x) {
    return math::Exp2Op::create(b, loc, x, arith::FastMathFlags::afn);
  }
  Value exp(Value x) { return exp2(mul(x, constant(1.44269504088896340736))); }
  Value reciprocal(Value x) {
    return arith::DivFOp::create(b, loc, constant(1), x,
                                 arith::FastMathFlags::afn);
  }
};

/// Rewrites `OpT` on float32 by `expand(Float, x)`.
template <typename OpT> struct Expand : OpRewritePattern<OpT> {
  using Function = Value (*)(Float &, Value);
  Expand(MLIRContext *context, Function expand)
      : OpRewritePattern<OpT>(context), expand(expand) {}

  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    Type type = op->getResult(0).getType();
    if (!getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "is not of float32");
    if constexpr (std::is_same_v<OpT, math::Exp2Op>)
      if (op.getFastmath() == arith::FastMathFlags::afn)
        return rewriter.notifyMatchFailure(op, "is the instruction already");
    Float emit = {rewriter, op.getLoc(), type};
    rewriter.replaceOp(op, expand(emit, op->getOperand(0)));
    return success();
  }
  Function expand;
};

Value expandExp(Float &f, Value x) { return f.exp(x); }
Value expandExp2(Float &f, Value x) { return f.exp2(x); }

Value expandRsqrt(Float &f, Value x) {
  Value root = math::SqrtOp::create(f.b, f.loc, x);
  return arith::DivFOp::create(f.b, f.loc, f.constant(1), root);
}

/// x + x^3 p(x^2) where |x| <= 0.625, else 1 - 2 / (exp(2 |x|) + 1) with x's
/// sign: without the first the digits of small x would cancel.
Value expandTanh(Float &f, Value x) {
  Value square = f.mul(x, x);
  Value p = f.polynomial(square, {-0.006104947999119759, 0.021003641188144684,
                                  -0.05385249853134155, 0.13332782685756683,
                                  -0.333333283662796});
  Value small = f.fma(f.mul(p, square), x, x);
  Value magnitude = f.abs(x);
  Value e = f.exp2(f.mul(magnitude, f.constant(2 * 1.44269504088896340736)));
  Value inverse = f.reciprocal(f.add(e, f.constant(1)));
  Value large = f.withSign(f.fma(inverse, f.constant(-2), f.constant(1)), x);
  return f.select(f.greater(magnitude, 0.625), large, small);
}

/// x + x p(x^2) where |x| <= 475 / 512, else 1 - exp(q(|x|)) with x's sign.
Value expandErf(Float &f, Value x) {
  Value square = f.mul(x, x), t = f.abs(x);
  Value p =
      f.polynomial(square, {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2,
                            1.12819925e-1, -3.76125336e-1, 1.28379166e-1});
  Value small = f.fma(p, x, x);
  Value high = f.fma(f.constant(-1.72853470e-5), t, f.constant(3.83197126e-4));
  Value low = f.fma(f.constant(-3.88396438e-3), t, f.constant(2.42546219e-2));
  Value q = f.fma(high, square, low);
  for (double coefficient : {-1.06777877e-1, -6.34846687e-1, -1.28717512e-1})
    q = f.fma(q, t, f.constant(coefficient));
  q = f.fma(q, t, arith::NegFOp::create(f.b, f.loc, t));
  Value large = f.withSign(f.sub(f.constant(1), f.exp(q)), x);
  return f.select(f.greater(t, 0.927734375), large, small);
}

/// Whether the target has an instruction for it, or the back end expands it.
bool isInstruction(Operation *op) {
  return isa<math::FmaOp, math::AbsFOp, math::AbsIOp, math::CopySignOp,
             math::SqrtOp, math::FloorOp, math::CeilOp, math::TruncOp,
             math::RoundEvenOp, math::CtPopOp, math::CountLeadingZerosOp,
             math::IsNaNOp, math::IsInfOp, math::IsFiniteOp>(op) ||
         (isa<math::Exp2Op>(op) &&
          getElementTypeOrSelf(op->getResult(0).getType()).isF32());
}

class CodegenMathPass : public fk::impl::CodegenMathPassBase<CodegenMathPass> {
public:
  using CodegenMathPassBase::CodegenMathPassBase;

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<Expand<math::ExpOp>>(context, expandExp);
    patterns.add<Expand<math::Exp2Op>>(context, expandExp2);
    patterns.add<Expand<math::RsqrtOp>>(context, expandRsqrt);
    patterns.add<Expand<math::TanhOp>>(context, expandTanh);
    patterns.add<Expand<math::ErfOp>>(context, expandErf);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    getOperation()->walk([&](Operation *op) {
      if (!isa<math::MathDialect>(op->getDialect()) || isInstruction(op))
        return;
      op->emitError(
          "no instruction computes it: wanted exp, exp2, tanh, erf, rsqrt of "
          "float32, "
          "fma, sqrt, absf, copysign, floor, ceil, trunc or roundeven");
      signalPassFailure();
    });
  }
};

} // namespace
