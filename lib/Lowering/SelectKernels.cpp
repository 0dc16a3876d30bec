//===- SelectKernels.cpp - Which kernels do a task ------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Lowering/Passes.h"

#include "CandidateInfo.h"
#include "Elements.h"
#include "dialects/FK/FK.h"
#include "fk/Codegen/Codegen.h"
#include "fk/Transforms/Places.h"
#include "fk/Transforms/Remarks.h"
#include "runtime/Kernel.h"
#include "runtime/support/Error.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <algorithm>

namespace fk {
#define GEN_PASS_DEF_SELECTKERNELSPASS
#include "fk/Lowering/Passes.h.inc"
} // namespace fk

using namespace mlir;
using namespace fk;

static constexpr StringLiteral passName = "fk-select-kernels";

using AxisExprs = ArrayRef<std::pair<std::string, Expr>>;

namespace {
/// What is known of a condition when the plan is made.
enum class Known { Always, Never, Depends };

/// Decides a condition whose axes are all static. Throws Error.
Known decide(const Expr &where, AxisExprs axes) {
  if (!where)
    return Known::Always;
  Expr bound = where.substitute([&](std::string_view name) {
    for (const auto &[axis, extent] : axes)
      if (axis == name && extent.getAxes().empty())
        return extent;
    return Expr();
  });
  if (!bound.getAxes().empty())
    return Known::Depends;
  return bound.holds({}) ? Known::Always : Known::Never;
}

class SelectKernelsPass
    : public fk::impl::SelectKernelsPassBase<SelectKernelsPass> {
public:
  using SelectKernelsPassBase::SelectKernelsPassBase;

  void runOnOperation() override {
    if (device != "host" && device != "cuda") {
      getOperation().emitError("fk-select-kernels: unknown device '")
          << device << "': wanted host or cuda";
      return signalPassFailure();
    }
    StringRef number = arch;
    if (device == "cuda" && (!number.consume_front("sm_") ||
                             number.take_while(llvm::isDigit).empty())) {
      getOperation().emitError("fk-select-kernels: unknown architecture '")
          << arch << "': wanted one such as sm_90a";
      return signalPassFailure();
    }
    SymbolTable symbols(getOperation());
    bool failedAny = false;
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal() || isCluster(func))
        continue;
      auto dims = SymbolicDims::compute(func);
      if (failed(dims))
        return signalPassFailure();
      func.walk([&](TaskOpInterface op) {
        failedAny |= failed(select(op, *dims, symbols));
      });
    }
    if (failedAny)
      signalPassFailure();
  }

private:
  LogicalResult select(TaskOpInterface op, const SymbolicDims &dims,
                       SymbolTable &symbols) {
    auto axes = dims.getAxes(op);
    if (failed(axes))
      return failure();
    std::optional<DType> dtype = getTaskDType(op);
    if (!dtype)
      return op.emitError("has no floating element type");

    SmallVector<Attribute> kernels;
    bool complete = false;
    // One more kernel that can do it, unless its condition never holds.
    auto add = [&](StringRef provider, StringRef name, StringRef where,
                   StringRef why) -> LogicalResult {
      try {
        Expr condition =
            where.empty() ? Expr() : Expr::parseCondition(where.str(), name);
        Known known = decide(condition, *axes);
        if (known == Known::Never) {
          reportMissed(op, passName, op.getTaskName(),
                       provider + ":" + name + " does not serve this shape (" +
                           where + ")");
          return failure();
        }
        complete = known == Known::Always;
        kernels.push_back(KernelAttr::get(&getContext(), provider, name,
                                          complete ? StringRef() : where));
        reportApplied(op, passName, op.getTaskName(),
                      provider + ":" + name +
                          (complete ? Twine() : " where " + where) + ": " +
                          why);
        return success();
      } catch (const Error &error) {
        return op.emitError("condition of kernel ")
               << provider << ":" << name << ": " << error.what();
      }
    };

    if (auto bound = op->getAttrOfType<FlatSymbolRefAttr>(attrs::candidate)) {
      auto candidate = symbols.lookup<CandidateOp>(bound.getValue());
      if (!candidate)
        return op.emitError("is bound to candidate '")
               << bound.getValue() << "', which the module does not declare";
      auto where = getCandidateWhere(candidate);
      if (failed(where))
        return failure();
      if (failed(add("candidate", bound.getValue(), *where,
                     "bound by --substitute")))
        return op.emitError("candidate '")
               << bound.getValue() << "' does not serve this op at '"
               << describePlace(op) << "': wanted a shape where " << *where
               << (" (bind it to other places with --substitute=" +
                   op.getTaskName() + "@<place>:<file>, or widen its where)")
                      .str();
    }
    std::vector<const KernelInfo *> rows =
        findKernels(op.getTaskName(), *dtype, device.getValue());
    std::stable_sort(rows.begin(), rows.end(), [&](auto *lhs, auto *rhs) {
      return getRank(lhs->provider) < getRank(rhs->provider);
    });
    for (const KernelInfo *row : rows) {
      if (complete)
        break;
      std::string why =
          row->provider == "codegen" ? whyNotGenerated(op) : std::string();
      if (!why.empty()) {
        reportMissed(op, passName, op.getTaskName(), "codegen: " + why);
        continue;
      }
      (void)add(row->provider, row->name, row->where, row->why);
    }
    if (!complete)
      return emitNoKernel(op, *dtype, kernels);
    op->setAttr(attrs::kernels, ArrayAttr::get(&getContext(), kernels));
    return success();
  }

  /// Preferred providers come first, in the order given.
  size_t getRank(std::string_view provider) const {
    return llvm::find(prefer, std::string(provider)) - prefer.begin();
  }

  LogicalResult emitNoKernel(TaskOpInterface op, DType dtype,
                             ArrayRef<Attribute> partial) {
    SmallVector<std::string> others;
    for (const KernelInfo &row : getKernelCatalog())
      if (op.getTaskName() == StringRef(row.task))
        others.push_back(
            (Twine(row.provider) + ":" + row.name + " (" + row.device + ", " +
             row.dtypes +
             (row.where.empty() ? Twine() : Twine(", where ") + row.where) +
             ")")
                .str());
    auto diagnostic = op.emitError("no kernel of task '")
                      << op.getTaskName() << "' for "
                      << StringRef(fk::getName(dtype)) << " on " << device
                      << " serves every shape at '" << describePlace(op)
                      << "': there is ";
    if (others.empty())
      diagnostic << "none at all";
    else
      diagnostic << llvm::join(others, "; ");
    if (!partial.empty())
      diagnostic << ", and " << partial.size()
                 << " of these are conditional on a dynamic axis";
    return diagnostic;
  }
};
} // namespace
