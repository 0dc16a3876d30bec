//===- SubstituteSites.cpp - Where candidates go --------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "lib/Transforms/SubstituteSites.h"
#include "dialects/FK/FK.h"
#include "dialects/FK/SymbolicExpr.h"
#include "dialects/FK/TaskTable.h"
#include "fk/Transforms/Places.h"
#include "fk/Transforms/TaskFunctions.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace fk;

/// The task of an op or of the function it calls; empty where it is none.
static StringRef getTaskOf(Operation *op, SymbolTable &symbols) {
  if (auto task = dyn_cast<TaskOpInterface>(op))
    return task.getTaskName();
  if (auto call = dyn_cast<func::CallOp>(op))
    if (auto callee = symbols.lookup<func::FuncOp>(call.getCallee()))
      if (auto task = callee->getAttrOfType<TaskAttr>(attrs::task))
        return task.getName();
  return {};
}

/// Functions that nobody calls, and public ones.
static SmallVector<func::FuncOp> getRoots(ModuleOp module) {
  llvm::SmallPtrSet<Attribute, 16> called;
  module.walk([&](func::CallOp call) {
    called.insert(call.getCalleeAttr().getAttr());
  });
  SmallVector<func::FuncOp> roots;
  for (auto func : module.getOps<func::FuncOp>())
    if (!func.isExternal() &&
        (func.isPublic() || !called.contains(func.getSymNameAttr())))
      roots.push_back(func);
  return roots;
}

namespace {
/// Follows the calls of a module with the place of each op.
class SiteWalker {
public:
  explicit SiteWalker(ModuleOp module) : module(module), symbols(module) {}

  std::vector<Site> collect() {
    for (func::FuncOp root : getRoots(module))
      visit(root, "");
    return std::move(sites);
  }

private:
  void visit(func::FuncOp func, const std::string &prefix) {
    // Recursion is no model; fk-inline-tasks reports it.
    if (!open.insert(func).second)
      return;
    func.walk([&](Operation *op) {
      std::string place;
      StringRef task = getTaskOf(op, symbols);
      if (!task.empty()) {
        place = joinPlaces(prefix, getPlace(op->getLoc()));
        sites.push_back({op, task.str(), place});
      }
      auto call = dyn_cast<func::CallOp>(op);
      if (!call || op->hasAttr(attrs::candidate))
        return;
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      if (callee && !callee.isExternal())
        visit(callee, joinPlaces(prefix, getPlace(op->getLoc())));
    });
    open.erase(func);
  }

  ModuleOp module;
  SymbolTable symbols;
  std::vector<Site> sites;
  llvm::SmallPtrSet<Operation *, 8> open;
};
} // namespace

std::vector<Site> fk::collectSites(ModuleOp module) {
  return SiteWalker(module).collect();
}

//===----------------------------------------------------------------------===//
// Needs
//===----------------------------------------------------------------------===//

static std::optional<DType> getDType(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return parseDType(text);
}

/// The axes that static extents give away.
static AxisValues getStaticAxes(ArrayRef<TaskTensor> tensors) {
  AxisValues axes;
  for (const TaskTensor &tensor : tensors) {
    if (!tensor.value)
      continue;
    RankedTensorType type = getShapedType(tensor.value.getType());
    if (!type || type.getRank() != int64_t(tensor.param->shape.size()))
      continue;
    for (auto [extent, size] :
         llvm::zip_equal(tensor.param->shape, type.getShape())) {
      if (!extent || ShapedType::isDynamic(size))
        continue;
      std::optional<LinearForm> form = getLinearForm(extent);
      if (!form || form->factors.size() != 1)
        continue;
      auto [axis, factor] = *form->factors.begin();
      if (factor != 0 && (size - form->constant) % factor == 0)
        axes.emplace(axis, (size - form->constant) / factor);
    }
  }
  return axes;
}

static std::string describeVariant(Operation *op, const ScalarParam &variant,
                                   const AxisValues &axes) {
  double value = 0;
  Attribute attr = op->getAttr(variant.name);
  if (auto number = dyn_cast_or_null<FloatAttr>(attr))
    value = number.getValueAsDouble();
  else if (auto number = dyn_cast_or_null<IntegerAttr>(attr))
    value = static_cast<double>(number.getInt());
  else
    return "";
  double wanted = 0;
  StringRef text = variant.defaultValue;
  if (text.getAsDouble(wanted)) {
    auto axis = axes.find(text.str());
    if (axis == axes.end())
      return variant.name + " (a candidate serves " + variant.defaultValue +
             ", which is not known here)";
    wanted = static_cast<double>(axis->second);
  }
  if (value == wanted)
    return "";
  std::string message;
  llvm::raw_string_ostream(message)
      << variant.name
      << llvm::format(" = %g (a candidate serves %g)", value, wanted);
  return message;
}

FailureOr<SiteNeeds> fk::getSiteNeeds(Operation *op) {
  SiteNeeds needs;
  if (auto call = dyn_cast<func::CallOp>(op)) {
    auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        op, call.getCalleeAttr());
    auto signature = getTaskSignature(callee);
    if (failed(signature))
      return failure();
    needs.signature = *signature;
    SmallVector<Type> types(call.getResultTypes());
    llvm::append_range(types, call.getOperandTypes());
    for (Type type : types) {
      RankedTensorType shaped = getShapedType(type);
      if (!shaped || !isa<FloatType>(shaped.getElementType()))
        continue;
      if (std::optional<DType> dtype = getDType(shaped.getElementType()))
        needs.dtype = *dtype;
      break;
    }
    return needs;
  }
  auto task = cast<TaskOpInterface>(op);
  needs.signature = getSignature(task);
  SmallVector<TaskTensor> tensors = getTaskTensors(task);
  bool hasDType = false;
  for (const TaskTensor &tensor : tensors) {
    if (!tensor.value)
      continue;
    if (tensor.param->optional)
      needs.presentOperands.push_back(tensor.param->name);
    RankedTensorType type = getShapedType(tensor.value.getType());
    if (hasDType || tensor.param->element || !type)
      continue;
    if (std::optional<DType> dtype = getDType(type.getElementType())) {
      needs.dtype = *dtype;
      hasDType = true;
    }
  }
  needs.staticAxes = getStaticAxes(tensors);
  for (const ScalarParam &variant : needs.signature.variants)
    if (needs.uncovered.empty())
      needs.uncovered = describeVariant(op, variant, needs.staticAxes);
  return needs;
}

//===----------------------------------------------------------------------===//
// Binding
//===----------------------------------------------------------------------===//

namespace {
/// A function as some of its calls need it.
struct Instance {
  func::FuncOp original, func;
  SmallVector<FlatSymbolRefAttr> bindings; ///< per op, in the order of a walk
  SmallVector<int64_t> callees;            ///< per op: an instance, or -1
};

class Binder {
public:
  using Decide = llvm::function_ref<FlatSymbolRefAttr(Operation *, StringRef)>;

  Binder(ModuleOp module, Decide decide)
      : module(module), symbols(module), decide(decide) {}

  void run() {
    for (func::FuncOp root : getRoots(module))
      getInstance(root, "");
    // All clones are made before anything is changed.
    llvm::SmallPtrSet<Operation *, 16> used;
    llvm::DenseMap<Operation *, Operation *> last;
    for (Instance &instance : instances) {
      Operation *original = instance.original;
      instance.func = instance.original;
      if (used.insert(original).second) {
        last[original] = original;
        continue;
      }
      instance.func = instance.original.clone();
      instance.func.setPrivate();
      symbols.insert(instance.func, std::next(last[original]->getIterator()));
      last[original] = instance.func;
    }
    for (Instance &instance : instances)
      apply(instance);
  }

private:
  /// The instance that serves the call at `prefix`. Two calls whose ops get the
  /// same bindings share one.
  int64_t getInstance(func::FuncOp func, const std::string &prefix) {
    Instance instance;
    instance.original = func;
    std::string key = func.getSymName().str();
    open.insert(func);
    func.walk([&](Operation *op) {
      FlatSymbolRefAttr binding;
      int64_t callee = -1;
      std::string place = joinPlaces(prefix, getPlace(op->getLoc()));
      if (!getTaskOf(op, symbols).empty())
        binding = decide(op, place);
      auto call = dyn_cast<func::CallOp>(op);
      if (call && !binding && !op->hasAttr(attrs::candidate)) {
        auto target = symbols.lookup<func::FuncOp>(call.getCallee());
        if (target && !target.isExternal() && !open.contains(target))
          callee = getInstance(target, place);
      }
      instance.bindings.push_back(binding);
      instance.callees.push_back(callee);
      key += "," + std::to_string(callee);
      if (binding)
        key += binding.getValue();
    });
    open.erase(func);
    auto [found, isNew] = known.try_emplace(key, instances.size());
    if (isNew)
      instances.push_back(std::move(instance));
    return found->second;
  }

  void apply(Instance &instance) {
    size_t index = 0;
    instance.func.walk([&](Operation *op) {
      if (FlatSymbolRefAttr binding = instance.bindings[index])
        op->setAttr(attrs::candidate, binding);
      if (int64_t callee = instance.callees[index]; callee >= 0)
        cast<func::CallOp>(op).setCallee(instances[callee].func.getSymName());
      ++index;
    });
  }

  ModuleOp module;
  SymbolTable symbols;
  Decide decide;
  std::vector<Instance> instances;
  llvm::StringMap<int64_t> known;
  llvm::SmallPtrSet<Operation *, 8> open;
};
} // namespace

void fk::bindSites(
    ModuleOp module,
    llvm::function_ref<FlatSymbolRefAttr(Operation *, StringRef)> decide) {
  Binder(module, decide).run();
}
