//===- GrowClusters.cpp - Joins tasks into clusters -----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/FK.h"
#include "fk/Codegen/Codegen.h"
#include "fk/Transforms/Passes.h"
#include "fk/Transforms/Remarks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

#include <map>
#include <set>

namespace fk {
#define GEN_PASS_DEF_GROWCLUSTERSPASS
#include "fk/Transforms/Passes.h.inc"
} // namespace fk

using namespace mlir;
using namespace fk;

static constexpr StringLiteral passName = "fk-grow-clusters";

static bool isReduction(Operation *op) {
  return isa<RMSNormOp, AddRMSNormOp, LayerNormOp, L2NormOp, SoftmaxOp>(op);
}

/// Ops that a cluster may have: one row of a result at a time.
static bool mayJoin(Operation *op) {
  if (op->hasAttr(attrs::candidate) || op->getNumResults() == 0)
    return false;
  for (Type type : op->getResultTypes()) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || tensor.getRank() != 2 || tensor.isDynamicDim(1))
      return false;
  }
  if (auto task = dyn_cast<TaskOpInterface>(op))
    return !isa<RopeOp, QKNormRopeOp>(op) && whyNotGenerated(task).empty();
  return OpTrait::hasElementwiseMappableTraits(op) && isPure(op);
}

static std::string getName(Operation *op) {
  if (auto task = dyn_cast<TaskOpInterface>(op))
    return task.getTaskName().str();
  return op->getName().stripDialect().str();
}

namespace {

/// Ops of one block that become one kernel, in the block's order.
struct Cluster {
  SmallVector<Operation *> ops;

  bool has(Operation *op) const { return llvm::is_contained(ops, op); }
  int64_t countReductions() const { return llvm::count_if(ops, isReduction); }

  llvm::SetVector<Value> getInputs() const {
    llvm::SetVector<Value> inputs;
    for (Operation *op : ops)
      for (Value operand : op->getOperands())
        if (!operand.getDefiningOp() || !has(operand.getDefiningOp()))
          inputs.insert(operand);
    return inputs;
  }
  SmallVector<Value> getResults() const {
    SmallVector<Value> results;
    for (Operation *op : ops)
      for (Value result : op->getResults())
        if (llvm::any_of(result.getUsers(),
                         [&](Operation *user) { return !has(user); }))
          results.push_back(result);
    return results;
  }
};

class ClusterGrower {
public:
  ClusterGrower(const SymbolicDims &dims, int64_t maxTensors,
                int64_t maxReductions)
      : dims(dims), maxTensors(maxTensors), maxReductions(maxReductions) {}

  /// Grown from the block's last op backwards: a consumer takes its producers.
  std::vector<Cluster> grow(Block &block) {
    std::vector<Cluster> clusters;
    for (Operation &op : llvm::reverse(block)) {
      if (taken.contains(&op) || !mayJoin(&op))
        continue;
      Cluster cluster = {{&op}};
      while (takeProducer(cluster))
        ;
      if (cluster.ops.size() < 2)
        continue;
      taken.insert(cluster.ops.begin(), cluster.ops.end());
      clusters.push_back(std::move(cluster));
    }
    return clusters;
  }

  /// What the values between the cluster's ops cost otherwise, in bytes.
  std::string getSavedBytes(const Cluster &cluster) const {
    int64_t perRow = 0;
    for (Operation *op : cluster.ops)
      for (Value result : op->getResults()) {
        int64_t inside = 0;
        bool isOutside = false;
        llvm::SmallPtrSet<Operation *, 4> users(result.user_begin(),
                                                result.user_end());
        for (Operation *user : users)
          (cluster.has(user) ? void(++inside) : void(isOutside = true));
        auto type = cast<RankedTensorType>(result.getType());
        int64_t bytes = type.getDimSize(1) * type.getElementTypeBitWidth() / 8;
        if (inside > 0)
          perRow += bytes * (inside + !isOutside);
      }
    Expr rows = dims.getDims(cluster.ops.back()->getResult(0))[0];
    return Expr::binary(ExprOp::Mul, rows, Expr(perRow)).str();
  }

private:
  bool takeProducer(Cluster &cluster) {
    for (Operation *op : llvm::reverse(cluster.ops))
      for (Value operand : op->getOperands()) {
        Operation *producer = operand.getDefiningOp();
        if (!producer || producer->getBlock() != op->getBlock() ||
            cluster.has(producer) || taken.contains(producer) ||
            !hasRowsOf(operand, op) || refused.contains({producer, op}))
          continue;
        std::string why = whyNotJoined(cluster, producer);
        if (why.empty()) {
          auto behind = llvm::find_if(cluster.ops, [&](Operation *other) {
            return producer->isBeforeInBlock(other);
          });
          cluster.ops.insert(behind, producer);
          return true;
        }
        refused.insert({producer, op});
        // A matrix product is no missed chance.
        if (!mayJoin(producer) && !producer->hasAttr(attrs::candidate))
          continue;
        reportMissed(op, passName, ::getName(op),
                     ::getName(producer) + " is not joined: " + why);
      }
    return false;
  }

  /// Whether `operand` has the rows of what `op` computes.
  bool hasRowsOf(Value operand, Operation *op) const {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    if (!type || type.getRank() != 2)
      return false;
    return dims.getDims(operand)[0].str() ==
           dims.getDims(op->getResult(0))[0].str();
  }

  std::string whyNotJoined(const Cluster &cluster, Operation *producer) const {
    if (producer->hasAttr(attrs::candidate))
      return "it is bound to a candidate";
    if (!mayJoin(producer))
      return "code generation does not know it";
    Cluster joined = cluster;
    joined.ops.insert(joined.ops.begin(), producer);
    if (joined.countReductions() > maxReductions)
      return "the cluster would reduce " +
             std::to_string(joined.countReductions()) + " times";
    Operation *last = cluster.ops.back();
    for (Value result : producer->getResults())
      for (Operation *user : result.getUsers())
        if (!joined.has(user) && (user->getBlock() != last->getBlock() ||
                                  user->isBeforeInBlock(last)))
          return "'" + ::getName(user) + "' needs its result before the " +
                 "cluster ends";
    int64_t tensors = 0;
    auto count = [&](auto &&values) {
      for (Value value : values)
        tensors += isa<RankedTensorType>(value.getType()) &&
                   cast<RankedTensorType>(value.getType()).getRank() > 1;
    };
    count(joined.getInputs());
    count(joined.getResults());
    if (tensors > maxTensors)
      return "the cluster would have " + std::to_string(tensors) +
             " tensors with rows, more than " + std::to_string(maxTensors);
    return "";
  }

  const SymbolicDims &dims;
  int64_t maxTensors, maxReductions;
  llvm::SmallPtrSet<Operation *, 16> taken;
  std::set<std::pair<Operation *, Operation *>> refused;
};

class GrowClustersPass
    : public fk::impl::GrowClustersPassBase<GrowClustersPass> {
public:
  using GrowClustersPassBase::GrowClustersPassBase;

  void runOnOperation() override {
    if (maxTensors == 0)
      return;
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp func : functions) {
      if (func.isExternal() || !func.getBody().hasOneBlock())
        continue;
      auto dims = SymbolicDims::compute(func);
      if (failed(dims))
        return signalPassFailure();
      ClusterGrower grower(*dims, maxTensors, maxReductions);
      for (const Cluster &cluster : grower.grow(func.getBody().front())) {
        std::string saved = grower.getSavedBytes(cluster);
        func::CallOp call = outline(cluster, *dims, symbols);
        reportApplied(call, passName, call.getCallee(),
                      "joins " + describe(call, symbols) + ": saves " + saved +
                          " bytes");
      }
    }
  }

private:
  std::string describe(func::CallOp call, SymbolTable &symbols) {
    std::string text;
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    for (Operation &op : callee.getBody().front().without_terminator())
      text += (text.empty() ? "" : ", ") + ::getName(&op);
    return text;
  }

  /// Adds the function to the module, or finds the one that is the same.
  func::FuncOp declare(func::FuncOp func, SymbolTable &symbols) {
    std::string text;
    llvm::raw_string_ostream(text) << func;
    auto [known, isNew] = made.try_emplace(text, func);
    if (!isNew) {
      func.erase();
      return known->second;
    }
    StringAttr symbol = symbols.insert(func);
    func->setAttr(attrs::task, TaskAttr::get(func.getContext(),
                                             symbol.getValue(), Level::L2));
    return func;
  }

  /// Moves the ops into a function and calls it in the place of the last one.
  func::CallOp outline(const Cluster &cluster, const SymbolicDims &dims,
                       SymbolTable &symbols) {
    auto inputs = cluster.getInputs();
    SmallVector<Value> results = cluster.getResults();
    Operation *last = cluster.ops.back();
    SmallVector<Type> from, to;
    for (Value input : inputs)
      from.push_back(input.getType());
    for (Value result : results)
      to.push_back(result.getType());
    OpBuilder builder(last);
    std::string name = "cluster";
    for (Operation *op : cluster.ops)
      name += "_" + ::getName(op);

    auto func = func::FuncOp::create(last->getLoc(), name,
                                     builder.getFunctionType(from, to));
    func.setPrivate();
    func->setAttr("cluster", builder.getUnitAttr());
    Block *body = func.addEntryBlock();
    auto nameDims = [&](Value value) {
      SmallVector<std::string> texts;
      auto type = cast<RankedTensorType>(value.getType());
      for (auto [size, extent] :
           llvm::zip_equal(type.getShape(), dims.getDims(value)))
        if (ShapedType::isDynamic(size))
          texts.push_back(extent.str());
      SmallVector<StringRef> names(texts.begin(), texts.end());
      return builder.getStrArrayAttr(names);
    };
    IRMapping mapping;
    for (auto [i, input] : llvm::enumerate(inputs)) {
      mapping.map(input, body->getArgument(i));
      if (ArrayAttr names = nameDims(input); !names.empty())
        func.setArgAttr(i, attrs::dims, names);
    }
    for (auto [i, result] : llvm::enumerate(results))
      if (ArrayAttr names = nameDims(result); !names.empty())
        func.setResultAttr(i, attrs::dims, names);
    builder.setInsertionPointToStart(body);
    for (Operation *op : cluster.ops)
      builder.clone(*op, mapping);
    SmallVector<Value> returned;
    for (Value result : results)
      returned.push_back(mapping.lookup(result));
    func::ReturnOp::create(builder, last->getLoc(), returned);

    func = declare(func, symbols);
    builder.setInsertionPoint(last);
    auto call = func::CallOp::create(builder, last->getLoc(), func,
                                     inputs.getArrayRef());
    for (auto [result, value] : llvm::zip_equal(results, call.getResults()))
      result.replaceUsesWithIf(
          value, [&](OpOperand &use) { return !cluster.has(use.getOwner()); });
    for (Operation *op : llvm::reverse(cluster.ops))
      op->erase();
    return call;
  }

  std::map<std::string, func::FuncOp> made;
};

} // namespace
