//===- InlineTasks.cpp - Dissolves task functions -------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/FK.h"
#include "fk/Transforms/Passes.h"
#include "fk/Transforms/Remarks.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/DenseSet.h"

namespace fk {
#define GEN_PASS_DEF_INLINETASKSPASS
#include "fk/Transforms/Passes.h.inc"
} // namespace fk

using namespace mlir;

static constexpr StringLiteral passName = "fk-inline-tasks";

/// Puts the body of `callee` in the place of `call`.
static void inlineCall(func::CallOp call, func::FuncOp callee) {
  IRMapping mapping;
  mapping.map(callee.getArguments(), call.getOperands());
  OpBuilder builder(call);
  for (Operation &op : callee.getBody().front().without_terminator()) {
    Operation *copy = builder.clone(op, mapping);
    copy->walk([&](Operation *inner) {
      inner->setLoc(CallSiteLoc::get(inner->getLoc(), call.getLoc()));
    });
  }
  Operation *exit = callee.getBody().front().getTerminator();
  for (auto [result, value] :
       llvm::zip_equal(call.getResults(), exit->getOperands()))
    result.replaceAllUsesWith(mapping.lookupOrDefault(value));
  call.erase();
}

namespace {
class InlineTasksPass : public fk::impl::InlineTasksPassBase<InlineTasksPass> {
public:
  using InlineTasksPassBase::InlineTasksPassBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    llvm::DenseSet<Operation *> done, open;
    for (auto func :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (failed(process(func, symbols, done, open)))
        return signalPassFailure();
    eraseUnused();
  }

private:
  /// Inlines into `func`, after all that it calls.
  LogicalResult process(func::FuncOp func, SymbolTable &symbols,
                        llvm::DenseSet<Operation *> &done,
                        llvm::DenseSet<Operation *> &open) {
    if (done.contains(func))
      return success();
    if (!open.insert(func).second)
      return func.emitError("task functions call each other in a circle "
                            "through @")
             << func.getSymName();
    SmallVector<func::CallOp> calls;
    func.walk([&](func::CallOp call) { calls.push_back(call); });
    for (func::CallOp call : calls) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      if (failed(process(callee, symbols, done, open)))
        return failure();
      auto task = callee->getAttrOfType<fk::TaskAttr>(fk::attrs::task);
      if (!task || callee.isExternal())
        continue;
      if (auto bound =
              call->getAttrOfType<FlatSymbolRefAttr>(fk::attrs::candidate)) {
        fk::reportMissed(call, passName, task.getName(),
                         "stays a call: it is bound to candidate '" +
                             bound.getValue() + "'");
        continue;
      }
      if (keepLayers && task.getLevel() == fk::Level::L3 && func.isPublic())
        continue;
      if (!callee.getBody().hasOneBlock())
        return callee.emitError("task function has several blocks: wanted a "
                                "single block, got ")
               << callee.getBody().getBlocks().size();
      fk::reportApplied(call, passName, task.getName(),
                        "dissolved into @" + func.getSymName());
      inlineCall(call, callee);
    }
    open.erase(func);
    done.insert(func);
    return success();
  }

  void eraseUnused() {
    bool changed = true;
    while (changed) {
      changed = false;
      for (auto func :
           llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
        if (func.isPublic() || !func->hasAttr(fk::attrs::task) ||
            !SymbolTable::symbolKnownUseEmpty(func, getOperation()))
          continue;
        func.erase();
        changed = true;
      }
    }
  }
};
} // namespace
