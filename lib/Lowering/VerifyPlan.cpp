//===- VerifyPlan.cpp - What the runtime demands --------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Liveness.h"
#include "PlanSymbols.h"
#include "dialects/FK/FK.h"
#include "fk/Lowering/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace fk {
#define GEN_PASS_DEF_VERIFYPLANPASS
#include "fk/Lowering/Passes.h.inc"
} // namespace fk

using namespace mlir;
using namespace fk;

namespace {
/// Extents and sizes may speak of the symbols that the runtime knows.
struct SymbolVerifier {
  std::vector<std::string> known;

  LogicalResult verify(Operation *op, const Expr &expr, const Twine &what) {
    for (const std::string &axis : expr.getAxes())
      if (!llvm::is_contained(known, axis))
        return op->emitError(what)
               << " speaks of '" << axis
               << "': wanted a symbol of a public function's parameters ("
               << llvm::join(known, ", ") << "), got " << expr.str();
    return success();
  }

  LogicalResult verifyDims(Operation *op, Value value, const Twine &what) {
    auto type = dyn_cast<MemRefType>(value.getType());
    if (!type || !type.getLayout().isIdentity())
      return op->emitError(what) << " is no dense buffer: wanted a memref of "
                                    "identity layout, got "
                                 << value.getType();
    auto dims = fkplan::getDims(value);
    if (failed(dims))
      return op->emitError(what)
             << " has an extent without a name: " << value.getType();
    for (const Expr &extent : *dims)
      if (failed(verify(op, extent, what)))
        return failure();
    return success();
  }
};
} // namespace

static LogicalResult verifyKernels(fkplan::LaunchOp launch) {
  auto last = cast<KernelAttr>(launch.getKernels().getValue().back());
  // A task function has no kernel but its candidate; where that does not serve,
  // the runtime says so.
  bool isOp = lookupSignature(launch.getTask());
  if (last.getWhere().empty() || !isOp)
    return success();
  return launch.emitError("launch of '") << launch.getTask()
                                         << "' may find no kernel: wanted the "
                                            "last one without a condition, got "
                                         << last;
}

/// Every buffer lies in a slot, alone while it lives.
static LogicalResult verifySlots(func::FuncOp func) {
  SmallVector<BufferLife> lives = computeLives(func);
  for (auto [index, life] : llvm::enumerate(lives)) {
    if (!life.buffer.getSlot())
      return life.buffer.emitError(
          "buffer lies in no slot (run fk-plan-buffers)");
    for (BufferLife other : ArrayRef(lives).drop_front(index + 1))
      if (other.buffer.getSlot() == life.buffer.getSlot() &&
          other.begin <= life.end && life.begin <= other.end) {
        auto diagnostic = other.buffer.emitError("buffer shares slot ")
                          << *life.buffer.getSlot()
                          << " with a buffer that still lives";
        diagnostic.attachNote(life.buffer.getLoc()) << "that buffer";
        return diagnostic;
      }
  }
  return success();
}

/// Nothing is read that nobody wrote, and every result is written.
static LogicalResult verifyWrites(func::FuncOp func) {
  llvm::DenseSet<Value> written;
  for (BlockArgument argument : func.getArguments())
    if (!func.getArgAttr(argument.getArgNumber(), fkplan::attrs::result))
      written.insert(argument);
  auto isWritten = [&](Value value) {
    Value root = skipViews(value);
    return written.contains(root) ||
           isa_and_nonnull<fkplan::WeightOp, fkplan::StateOp>(
               root.getDefiningOp());
  };
  for (Operation &op : func.getBody().front()) {
    OperandRange ins = op.getOperands(), outs = op.getOperands();
    if (auto launch = dyn_cast<fkplan::LaunchOp>(op)) {
      ins = launch.getIns();
      outs = launch.getOuts();
    } else if (auto call = dyn_cast<fkplan::CallOp>(op)) {
      ins = call.getIns();
      outs = call.getOuts();
    } else {
      continue;
    }
    for (Value in : ins)
      if (!isWritten(in))
        return op.emitError("reads a buffer that nothing wrote");
    for (Value out : outs) {
      Value root = skipViews(out);
      auto argument = dyn_cast<BlockArgument>(root);
      bool writable = argument ? bool(func.getArgAttr(argument.getArgNumber(),
                                                      fkplan::attrs::result))
                               : isa<fkplan::BufferOp>(root.getDefiningOp());
      if (!writable)
        return op.emitError("writes what is neither buffer nor result");
      written.insert(root);
    }
  }
  for (BlockArgument argument : func.getArguments())
    if (!written.contains(argument))
      return func.emitError("result ")
             << argument.getArgNumber() << " of '@" << func.getSymName()
             << "' is never written";
  return success();
}

namespace {
class VerifyPlanPass : public fk::impl::VerifyPlanPassBase<VerifyPlanPass> {
public:
  using VerifyPlanPassBase::VerifyPlanPassBase;

  void runOnOperation() override {
    markAllAnalysesPreserved();
    SymbolTable symbols(getOperation());
    expressions.known = collectSymbols(getOperation());
    for (Operation &op : *getOperation().getBody()) {
      auto func = dyn_cast<func::FuncOp>(op);
      if (!func && !isa<fk::WeightOp, fk::StateOp, CandidateOp>(op)) {
        op.emitError("'") << op.getName() << "' has no place in a plan";
        return signalPassFailure();
      }
      if (func && (failed(verify(func)) || failed(verifyCalls(func, symbols))))
        return signalPassFailure();
    }
  }

private:
  LogicalResult verify(func::FuncOp func) {
    if (func.isExternal() || func.getNumResults() ||
        !func.getBody().hasOneBlock())
      return func.emitError("'@")
             << func.getSymName() << "' is not lowered (run fk-lower-to-plan)";
    for (BlockArgument argument : func.getArguments())
      if (failed(expressions.verifyDims(
              func, argument, "argument " + Twine(argument.getArgNumber()))))
        return failure();
    for (Operation &op : func.getBody().front()) {
      if (!isa<fkplan::FKPlanDialect>(op.getDialect()) &&
          !isa<func::ReturnOp>(op))
        return op.emitError("'") << op.getName()
                                 << "' is left over in the plan (run "
                                    "fk-lower-to-plan)";
      for (Value result : op.getResults())
        if (failed(expressions.verifyDims(&op, result, "value")))
          return failure();
      auto launch = dyn_cast<fkplan::LaunchOp>(op);
      if (!launch)
        continue;
      if (failed(verifyKernels(launch)))
        return failure();
      for (auto [name, text] : launch.getNamedAxes())
        if (failed(expressions.verify(
                launch, Expr::parse(text.str(), name.str()),
                "axis '" + name + "' of '" + launch.getTask() + "'")))
          return failure();
    }
    if (auto slots = func->getAttrOfType<ArrayAttr>(fkplan::attrs::slots))
      for (StringRef text : slots.getAsValueRange<StringAttr>())
        if (failed(expressions.verify(func, Expr::parse(text.str(), "slot"),
                                      "slot")))
          return failure();
    return failure(failed(verifySlots(func)) || failed(verifyWrites(func)));
  }

  LogicalResult verifyCalls(func::FuncOp func, SymbolTable &symbols) {
    if (!open.insert(func).second)
      return func.emitError("'@") << func.getSymName() << "' calls itself";
    auto result = func.walk([&](fkplan::CallOp call) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      if (done.contains(callee) || succeeded(verifyCalls(callee, symbols)))
        return WalkResult::advance();
      return WalkResult::interrupt();
    });
    open.erase(func);
    done.insert(func);
    return failure(result.wasInterrupted());
  }

  SymbolVerifier expressions;
  llvm::DenseSet<Operation *> open, done;
};
} // namespace
