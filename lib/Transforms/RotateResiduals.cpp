//===- RotateResiduals.cpp - Sums move from a layer's end to the next -----===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/FK.h"
#include "fk/Transforms/Passes.h"
#include "fk/Transforms/Remarks.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

namespace fk {
#define GEN_PASS_DEF_ROTATERESIDUALSPASS
#include "fk/Transforms/Passes.h.inc"
} // namespace fk

using namespace mlir;
using namespace fk;

static constexpr StringLiteral passName = "fk-rotate-residuals";

static bool isLayer(func::FuncOp func) {
  auto task = func->getAttrOfType<TaskAttr>(attrs::task);
  return task && task.getLevel() == Level::L3 && func.isPrivate() &&
         !func.isExternal() && func.getBody().hasOneBlock();
}

/// Whether `value` is normed somewhere.
static bool feedsNorm(Value value) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    auto norm = dyn_cast<RMSNormOp>(user);
    return norm && norm.getInput() == value;
  });
}

namespace {
class RotateResidualsPass
    : public fk::impl::RotateResidualsPassBase<RotateResidualsPass> {
public:
  using RotateResidualsPassBase::RotateResidualsPassBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (isLayer(func))
        moveSumOut(func, symbols);
    moveSumsIn(symbols);
    for (auto func :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (isLayer(func) &&
          SymbolTable::symbolKnownUseEmpty(func, getOperation()))
        func.erase();
  }

private:
  /// Whether the use is the input of a norm, here or in the layer it goes to.
  static bool isNormed(OpOperand &use, SymbolTable &symbols) {
    if (auto norm = dyn_cast<RMSNormOp>(use.getOwner()))
      return use.get() == norm.getInput();
    auto call = dyn_cast<func::CallOp>(use.getOwner());
    if (!call || call->hasAttr(attrs::candidate))
      return false;
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    return callee && isLayer(callee) &&
           feedsNorm(callee.getArgument(use.getOperandNumber()));
  }

  /// Makes `func` return the two sides of the sum it returns; its callers add.
  void moveSumOut(func::FuncOp func, SymbolTable &symbols) {
    Operation *exit = func.getBody().front().getTerminator();
    auto sum = exit->getNumOperands() == 1
                   ? exit->getOperand(0).getDefiningOp<AddOp>()
                   : AddOp();
    // Both sides become results, so each must be something that is written.
    auto isWritten = [](Value side) {
      return isa_and_nonnull<TaskOpInterface, func::CallOp>(
          side.getDefiningOp());
    };
    if (!sum || !sum->hasOneUse() || sum.getLhs() == sum.getRhs() ||
        !isWritten(sum.getLhs()) || !isWritten(sum.getRhs()))
      return;
    SmallVector<func::CallOp> calls;
    bool helps = false;
    auto uses = SymbolTable::getSymbolUses(func, getOperation());
    for (SymbolTable::SymbolUse use : *uses) {
      auto call = dyn_cast<func::CallOp>(use.getUser());
      if (!call)
        return;
      if (call->hasAttr(attrs::candidate))
        return reportMissed(call, passName, "add_rms_norm",
                            "the layer is bound to a candidate");
      helps |= llvm::any_of(call->getUses(), [&](OpOperand &result) {
        return isNormed(result, symbols);
      });
      calls.push_back(call);
    }
    if (!helps)
      return;
    if (auto bound = sum->getAttrOfType<FlatSymbolRefAttr>(attrs::candidate))
      return reportMissed(sum, passName, "add_rms_norm",
                          "add is bound to candidate '" + bound.getValue() +
                              "', which is opaque to fusion");

    reportApplied(sum, passName, "add_rms_norm",
                  "the sum at the end of @" + func.getSymName() +
                      " moves to where it is normed");
    Type type = sum.getType();
    exit->setOperands(sum->getOperands());
    DictionaryAttr resultAttrs = func.getResultAttrDict(0);
    func.setFunctionType(FunctionType::get(
        &getContext(), func.getArgumentTypes(), {type, type}));
    if (resultAttrs)
      func.setAllResultAttrs(
          ArrayRef<DictionaryAttr>{resultAttrs, resultAttrs});
    for (func::CallOp call : calls) {
      OpBuilder builder(call);
      auto pair = func::CallOp::create(builder, call.getLoc(), func,
                                       call.getOperands());
      pair->setDiscardableAttrs(call->getDiscardableAttrDictionary());
      auto outside =
          AddOp::create(builder, CallSiteLoc::get(sum.getLoc(), call.getLoc()),
                        type, pair.getResult(0), pair.getResult(1));
      call.replaceAllUsesWith(outside->getResults());
      call.erase();
    }
    sum.erase();
  }

  /// Lets a layer that norms a sum take the two sides of it.
  void moveSumsIn(SymbolTable &symbols) {
    SmallVector<func::CallOp> calls;
    getOperation().walk([&](func::CallOp call) {
      if (call->getParentOfType<func::FuncOp>().isPublic())
        calls.push_back(call);
    });
    llvm::MapVector<std::pair<Operation *, unsigned>, func::FuncOp> variants;
    for (func::CallOp call : calls) {
      for (OpOperand &operand : call->getOpOperands()) {
        auto sum = operand.get().getDefiningOp<AddOp>();
        if (!sum || !sum->hasOneUse() || sum->hasAttr(attrs::candidate) ||
            sum->getBlock() != call->getBlock() || !isNormed(operand, symbols))
          continue;
        auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
        unsigned index = operand.getOperandNumber();
        func::FuncOp &variant = variants[{callee, index}];
        if (!variant)
          variant = createVariant(callee, index, sum, symbols);
        SmallVector<Value> operands(call.getOperands());
        operands[index] = sum.getLhs();
        operands.insert(operands.begin() + index + 1, sum.getRhs());
        OpBuilder builder(call);
        auto moved =
            func::CallOp::create(builder, call.getLoc(), variant, operands);
        call.replaceAllUsesWith(moved.getResults());
        call.erase();
        sum.erase();
        break; // one sum a call
      }
    }
  }

  /// A copy of `func` whose argument `index` is the sum of two.
  func::FuncOp createVariant(func::FuncOp func, unsigned index, AddOp sum,
                             SymbolTable &symbols) {
    func::FuncOp variant = func.clone();
    variant.setName((func.getSymName() + ".residual").str());
    symbols.insert(variant, std::next(Block::iterator(func)));
    BlockArgument argument = variant.getArgument(index);
    Location loc = NameLoc::get(StringAttr::get(&getContext(), "residual"));
    DictionaryAttr attributes = variant.getArgAttrDict(index);
    (void)variant.insertArgument(
        index + 1, argument.getType(),
        attributes ? attributes : DictionaryAttr::get(&getContext()), loc);
    OpBuilder builder = OpBuilder::atBlockBegin(&variant.getBody().front());
    auto inside = AddOp::create(builder, loc, argument.getType(), argument,
                                variant.getArgument(index + 1));
    argument.replaceAllUsesExcept(inside.getResult(), inside);
    return variant;
  }
};
} // namespace
