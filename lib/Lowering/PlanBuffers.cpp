//===- PlanBuffers.cpp - Buffers share the slots of an arena --------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Liveness.h"
#include "dialects/FK/SymbolicExpr.h"
#include "fk/Lowering/Passes.h"
#include "fk/Transforms/Remarks.h"
#include "runtime/support/Error.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"

namespace fk {
#define GEN_PASS_DEF_PLANBUFFERSPASS
#include "fk/Lowering/Passes.h.inc"
} // namespace fk

using namespace mlir;
using namespace fk;

static constexpr StringLiteral passName = "fk-plan-buffers";

namespace {
/// The larger of two sizes for all values of the symbols, as one expression.
Expr maxExprs(const Expr &lhs, const Expr &rhs) {
  auto left = getLinearForm(lhs), right = getLinearForm(rhs);
  if (left && right) {
    // Symbols are not negative, so that factors decide.
    auto covers = [](const LinearForm &large, const LinearForm &small) {
      return large.constant >= small.constant &&
             llvm::all_of(small.factors,
                          [&](const auto &term) {
                            auto it = large.factors.find(term.first);
                            int64_t factor =
                                it == large.factors.end() ? 0 : it->second;
                            return factor >= term.second;
                          }) &&
             llvm::all_of(large.factors, [&](const auto &term) {
               return term.second >= 0 || small.factors.count(term.first);
             });
    };
    if (covers(*left, *right))
      return lhs;
    if (covers(*right, *left))
      return rhs;
  }
  return Expr::parse("max(" + lhs.str() + ", " + rhs.str() + ")", "slot");
}

std::string formatMebibytes(int64_t bytes) {
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::format("%.1f MiB", double(bytes) / (1 << 20));
  return text;
}

class PlanBuffersPass : public fk::impl::PlanBuffersPassBase<PlanBuffersPass> {
public:
  using PlanBuffersPassBase::PlanBuffersPassBase;

  void runOnOperation() override {
    // A prefill of usual length; what fits best is judged there.
    at = {{"tokens", 2048},
          {"seqs", 8},
          {"pages", 1024},
          {"max_blocks", 1024},
          {"max_positions", 8192}};
    for (StringRef text : symbols) {
      auto [name, value] = text.split('=');
      int64_t number;
      if (name.empty() || value.getAsInteger(10, number) || number < 0) {
        getOperation().emitError("fk-plan-buffers: wanted at=<symbol>=<number>,"
                                 " got '")
            << text << "'";
        return signalPassFailure();
      }
      at[name.str()] = number;
    }
    try {
      for (auto func : getOperation().getOps<func::FuncOp>())
        plan(func);
      for (auto func : getOperation().getOps<func::FuncOp>())
        if (func.isPublic())
          reportPeak(func);
    } catch (const Error &error) {
      getOperation().emitError("fk-plan-buffers: ") << error.what();
      signalPassFailure();
    }
  }

private:
  struct Slot {
    Expr bytes;
    int64_t busyUntil; ///< position of the last launch that needs it
  };
  /// Bytes of a function's own arena, with and without reuse, and of the
  /// largest of its callees'.
  struct Peak {
    int64_t reused = 0, separate = 0;
    size_t buffers = 0, slots = 0;
  };

  void plan(func::FuncOp func) {
    Builder builder(func.getContext());
    SmallVector<Slot> slots;
    Peak &peak = peaks[func.getSymName()];
    for (BufferLife &life : computeLives(func)) {
      if (life.begin < 0) {
        life.buffer.erase(); // nothing touches it
        continue;
      }
      Expr bytes = getByteSize(life.buffer);
      peak.separate += bytes.evaluate(at);
      ++peak.buffers;
      size_t index = reuse ? findSlot(slots, bytes, life.begin) : slots.size();
      if (index == slots.size())
        slots.push_back({bytes, life.end});
      else
        slots[index] = {maxExprs(slots[index].bytes, bytes), life.end};
      life.buffer.setSlotAttr(builder.getI64IntegerAttr(index));
    }
    SmallVector<Attribute> sizes;
    for (const Slot &slot : slots) {
      sizes.push_back(builder.getStringAttr(slot.bytes.str()));
      peak.reused += slot.bytes.evaluate(at);
    }
    peak.slots = slots.size();
    func->setAttr(fkplan::attrs::slots, builder.getArrayAttr(sizes));
  }

  /// The free slot that wastes least, else the one that grows least, else a new
  /// one. A slot is busy up to and with the last launch that needs it, so that
  /// no launch writes where it reads.
  size_t findSlot(ArrayRef<Slot> slots, const Expr &bytes, int64_t begin) {
    int64_t wanted = bytes.evaluate(at);
    size_t best = slots.size();
    int64_t bestSlack = 0;
    for (auto [index, slot] : llvm::enumerate(slots)) {
      if (slot.busyUntil >= begin)
        continue;
      if (isSame(slot.bytes, bytes))
        return index;
      int64_t slack = slot.bytes.evaluate(at) - wanted;
      bool better =
          bestSlack >= 0 ? slack >= 0 && slack < bestSlack : slack > bestSlack;
      if (best == slots.size() || better) {
        best = index;
        bestSlack = slack;
      }
    }
    return best;
  }

  /// Adds what the callees of `func` need behind it.
  Peak addCallees(func::FuncOp func) {
    Peak peak = peaks[func.getSymName()];
    Peak largest;
    SymbolTable table(getOperation());
    func.walk([&](fkplan::CallOp call) {
      auto callee = table.lookup<func::FuncOp>(call.getCallee());
      Peak inner = addCallees(callee);
      largest.reused = std::max(largest.reused, inner.reused);
      largest.separate = std::max(largest.separate, inner.separate);
    });
    peak.reused += largest.reused;
    peak.separate += largest.separate;
    return peak;
  }

  void reportPeak(func::FuncOp func) {
    Peak peak = addCallees(func);
    std::string values;
    for (const auto &[name, value] : at)
      values +=
          (values.empty() ? "" : ", ") + name + "=" + std::to_string(value);
    reportApplied(
        func, passName, func.getSymName(),
        "peak " + formatMebibytes(peak.reused) + " in " + Twine(peak.slots) +
            " slots of its own, " + formatMebibytes(peak.separate) + " in " +
            Twine(peak.buffers) + " buffers without reuse, at " + values);
  }

  AxisValues at;
  llvm::StringMap<Peak> peaks;
};
} // namespace
