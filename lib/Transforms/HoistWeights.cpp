//===- HoistWeights.cpp - Concatenation of weights becomes data -----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/FK.h"
#include "fk/Transforms/Passes.h"
#include "fk/Transforms/Remarks.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace fk {
#define GEN_PASS_DEF_HOISTWEIGHTSPASS
#include "fk/Transforms/Passes.h.inc"
} // namespace fk

using namespace mlir;
using namespace fk;

static constexpr StringLiteral passName = "fk-hoist-weights";

/// All calls of `func`, or failure where it is used otherwise.
static FailureOr<SmallVector<func::CallOp>> getCalls(func::FuncOp func,
                                                     ModuleOp module) {
  SmallVector<func::CallOp> calls;
  auto uses = SymbolTable::getSymbolUses(func, module);
  if (!uses)
    return failure();
  for (SymbolTable::SymbolUse use : *uses) {
    auto call = dyn_cast<func::CallOp>(use.getUser());
    if (!call)
      return failure();
    calls.push_back(call);
  }
  return calls;
}

/// A name for the concatenation of weights of these names: the components they
/// share once, the others joined: `layers.0.{q_proj,k_proj}.weight` becomes
/// `layers.0.q_proj+k_proj.weight`.
static std::string joinNames(ArrayRef<StringRef> names) {
  SmallVector<SmallVector<StringRef>> split(names.size());
  for (auto [name, components] : llvm::zip_equal(names, split))
    name.split(components, '.');
  size_t shortest = split.front().size();
  for (auto &components : split)
    shortest = std::min(shortest, components.size());
  auto shared = [&](auto pick) {
    return llvm::all_of(split, [&](auto &components) {
      return pick(components) == pick(split.front());
    });
  };
  size_t prefix = 0, suffix = 0;
  while (prefix + 1 < shortest && shared([&](auto &c) { return c[prefix]; }))
    ++prefix;
  while (prefix + suffix + 1 < shortest &&
         shared([&](auto &c) { return c[c.size() - 1 - suffix]; }))
    ++suffix;
  SmallVector<std::string> middles;
  for (auto &components : split)
    middles.push_back(llvm::join(
        ArrayRef(components).drop_front(prefix).drop_back(suffix), "."));
  SmallVector<std::string> parts;
  for (StringRef component : ArrayRef(split.front()).take_front(prefix))
    parts.push_back(component.str());
  parts.push_back(llvm::join(middles, "+"));
  for (StringRef component : ArrayRef(split.front()).take_back(suffix))
    parts.push_back(component.str());
  return llvm::join(parts, ".");
}

/// Two parts of which the second goes on where the first ends are one.
static ArrayAttr mergeParts(MLIRContext *context, ArrayRef<Attribute> parts) {
  SmallVector<Attribute> merged;
  for (Attribute attr : parts) {
    auto part = cast<PartAttr>(attr);
    if (auto last = merged.empty() ? PartAttr() : cast<PartAttr>(merged.back());
        last && last.getTensor() == part.getTensor() && last.getEnd() >= 0 &&
        last.getEnd() == part.getBegin())
      merged.back() = PartAttr::get(context, part.getTensor(), last.getBegin(),
                                    part.getEnd());
    else
      merged.push_back(part);
  }
  return ArrayAttr::get(context, merged);
}

/// Appends the parts of a weight, every one with its end: beside others an open
/// part would not say how many rows it gives.
static void appendParts(WeightOp weight, SmallVectorImpl<Attribute> &parts) {
  auto type = cast<RankedTensorType>(weight.getType());
  int64_t known = 0;
  for (Attribute attr : weight.getPartsAttr())
    if (auto part = cast<PartAttr>(attr); part.getEnd() >= 0)
      known += part.getEnd() - part.getBegin();
  for (Attribute attr : weight.getPartsAttr()) {
    auto part = cast<PartAttr>(attr);
    int64_t end = part.getEnd() >= 0
                      ? part.getEnd()
                      : part.getBegin() + type.getDimSize(0) - known;
    parts.push_back(PartAttr::get(weight.getContext(), part.getTensor(),
                                  part.getBegin(), end));
  }
}

namespace {
class HoistWeightsPass
    : public fk::impl::HoistWeightsPassBase<HoistWeightsPass> {
public:
  using HoistWeightsPassBase::HoistWeightsPassBase;

  void runOnOperation() override {
    bool changed = true;
    while (changed) {
      changed = false;
      for (auto func : getOperation().getOps<func::FuncOp>())
        changed |= hoistArguments(func);
    }
    SmallVector<tensor::ConcatOp> concats;
    getOperation().walk([&](tensor::ConcatOp op) { concats.push_back(op); });
    SymbolTable symbols(getOperation());
    for (tensor::ConcatOp concat : concats)
      foldIntoWeight(concat, symbols);
    eraseUnused();
  }

private:
  /// Moves the concatenations of arguments of `func` to its callers.
  bool hoistArguments(func::FuncOp func) {
    if (func.isPublic() || func.isExternal())
      return false;
    SmallVector<tensor::ConcatOp> concats;
    func.walk([&](tensor::ConcatOp concat) {
      if (concat.getDim() == 0 && llvm::all_of(concat.getInputs(), [](Value v) {
            return isa<BlockArgument>(v);
          }))
        concats.push_back(concat);
    });
    if (concats.empty())
      return false;
    auto calls = getCalls(func, getOperation());
    if (failed(calls))
      return false;
    for (func::CallOp call : *calls)
      if (call->hasAttr(attrs::candidate)) {
        reportMissed(call, passName, "hoist",
                     "the call is bound to a candidate, whose parameters are "
                     "those of @" +
                         func.getSymName());
        return false;
      }
    for (tensor::ConcatOp concat : concats)
      hoist(func, concat, *calls);
    eraseUnusedArguments(func, *calls);
    return true;
  }

  void hoist(func::FuncOp func, tensor::ConcatOp concat,
             ArrayRef<func::CallOp> calls) {
    reportApplied(concat, passName, "hoist",
                  Twine(concat.getInputs().size()) +
                      " weights are one argument of @" + func.getSymName());
    for (func::CallOp call : calls) {
      OpBuilder builder(call);
      SmallVector<Value> parts;
      for (Value input : concat.getInputs())
        parts.push_back(
            call.getOperand(cast<BlockArgument>(input).getArgNumber()));
      Location loc = CallSiteLoc::get(concat.getLoc(), call.getLoc());
      Value joined = tensor::ConcatOp::create(builder, loc, concat.getType(),
                                              /*dim=*/0, parts);
      call->insertOperands(call->getNumOperands(), joined);
    }
    unsigned index = func.getNumArguments();
    (void)func.insertArgument(index, concat.getType(), {}, concat.getLoc());
    concat.replaceAllUsesWith(func.getArgument(index));
    concat.erase();
  }

  void eraseUnusedArguments(func::FuncOp func, ArrayRef<func::CallOp> calls) {
    llvm::BitVector unused(func.getNumArguments());
    // Only what was a weight: the others are the task's operands, and name its
    // symbols.
    for (BlockArgument argument : func.getArguments()) {
      auto tensor = dyn_cast<RankedTensorType>(argument.getType());
      if (argument.use_empty() && tensor && tensor.hasStaticShape())
        unused.set(argument.getArgNumber());
    }
    if (unused.none() || failed(func.eraseArguments(unused)))
      return;
    for (func::CallOp call : calls)
      call->eraseOperands(unused);
  }

  /// Turns a concatenation of declared weights into a declared weight.
  void foldIntoWeight(tensor::ConcatOp concat, SymbolTable &symbols) {
    SmallVector<Attribute> parts;
    SmallVector<StringRef> names;
    WeightOp last;
    for (Value input : concat.getInputs()) {
      auto get = input.getDefiningOp<GetWeightOp>();
      auto weight =
          get ? symbols.lookup<WeightOp>(get.getWeight()) : WeightOp();
      if (concat.getDim() != 0 || !weight || !weight.getParts()) {
        reportMissed(concat, passName, "fold",
                     "a part of the concatenation is no declared weight");
        return;
      }
      appendParts(weight, parts);
      names.push_back(weight.getSymName());
      last = weight;
    }
    ArrayAttr merged = mergeParts(&getContext(), parts);
    std::string name = joinNames(names);
    auto found = symbols.lookup<WeightOp>(name);
    bool same = found && found.getParts() == merged &&
                found.getType() == concat.getType();
    if (!same) {
      OpBuilder builder(last);
      builder.setInsertionPointAfter(last);
      auto weight = WeightOp::create(
          builder, concat.getLoc(), builder.getStringAttr(name), merged,
          RopeTableAttr(), TypeAttr::get(concat.getType()));
      name = symbols.insert(weight).str(); // makes it unique
    }
    OpBuilder builder(concat);
    auto get =
        GetWeightOp::create(builder, concat.getLoc(), concat.getType(), name);
    reportApplied(get, passName, "fold",
                  "weight '" + name + "' of " + Twine(names.size()) +
                      " checkpoint tensors");
    concat.replaceAllUsesWith(get.getResult());
    concat.erase();
  }

  void eraseUnused() {
    getOperation().walk([](Operation *op) {
      if (isa<GetWeightOp>(op) && op->use_empty())
        op->erase();
    });
    for (auto weight :
         llvm::make_early_inc_range(getOperation().getOps<WeightOp>()))
      if (SymbolTable::symbolKnownUseEmpty(weight, getOperation()))
        weight.erase();
  }
};
} // namespace
