//===- LowerToPlan.cpp - Tensors become buffers, tasks launches -----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "FunctionLowering.h"
#include "fk/Lowering/Passes.h"

#include "llvm/ADT/DenseSet.h"

namespace fk {
#define GEN_PASS_DEF_LOWERTOPLANPASS
#include "fk/Lowering/Passes.h.inc"
} // namespace fk

using namespace mlir;
using namespace fk;

/// The functions that public ones come to, but for those that only a candidate
/// stands for: their bodies are replaced whole.
static llvm::DenseSet<Operation *> findReached(ModuleOp module,
                                               SymbolTable &symbols) {
  llvm::DenseSet<Operation *> reached;
  SmallVector<func::FuncOp> work;
  for (auto func : module.getOps<func::FuncOp>())
    if (func.isPublic())
      work.push_back(func);
  while (!work.empty()) {
    func::FuncOp func = work.pop_back_val();
    if (!reached.insert(func).second)
      continue;
    func.walk([&](func::CallOp call) {
      if (!call->hasAttr(fk::attrs::candidate))
        if (auto callee = symbols.lookup<func::FuncOp>(call.getCallee()))
          work.push_back(callee);
    });
  }
  return reached;
}

namespace {
class LowerToPlanPass : public fk::impl::LowerToPlanPassBase<LowerToPlanPass> {
public:
  using LowerToPlanPassBase::LowerToPlanPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    llvm::DenseSet<Operation *> reached = findReached(module, symbols);

    // Extents first: they are read off tensors, callees' included.
    llvm::DenseMap<Operation *, SymbolicDims> dims;
    SmallVector<func::FuncOp> functions;
    for (auto func : module.getOps<func::FuncOp>()) {
      if (func.isExternal()) {
        func.emitError("function '@")
            << func.getSymName() << "' has no body, so no plan";
        return signalPassFailure();
      }
      auto computed = SymbolicDims::compute(func);
      if (failed(computed))
        return signalPassFailure();
      dims.try_emplace(func, std::move(*computed));
      functions.push_back(func);
    }
    SmallVector<FunctionLowering> lowerings;
    for (func::FuncOp func : functions)
      if (reached.contains(func))
        lowerings.emplace_back(func, dims.find(func)->second, symbols);
    for (FunctionLowering &lowering : lowerings)
      if (failed(lowering.run()))
        return signalPassFailure();
    for (func::FuncOp func : functions)
      func.erase();
  }
};
} // namespace
