//===- Substitute.cpp - Binds tasks to candidate kernels ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/FK.h"
#include "fk/Candidate/Candidate.h"
#include "fk/Codegen/Codegen.h"
#include "fk/Transforms/Passes.h"
#include "fk/Transforms/Remarks.h"
#include "lib/Transforms/SubstituteSites.h"
#include "runtime/emulator/Ptx.h"
#include "runtime/support/Error.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

#include <set>

namespace fk {
#define GEN_PASS_DEF_SUBSTITUTEPASS
#include "fk/Transforms/Passes.h.inc"
} // namespace fk

using namespace mlir;
using namespace fk;

static constexpr StringLiteral passName = "fk-substitute";

/// At most `limit` of the names, and how many there are.
static std::string shortenList(ArrayRef<std::string> names, size_t limit) {
  std::string text = llvm::join(names.take_front(limit), ", ");
  if (names.size() > limit)
    text += ", ... (" + std::to_string(names.size()) + " in all)";
  return text;
}

namespace {

/// Sites that one loaded candidate serves.
struct Group {
  SiteNeeds needs; ///< of its first op
  SmallVector<AxisValues> shapes;
  llvm::SetVector<Operation *> ops;
};

class SubstitutePass : public fk::impl::SubstitutePassBase<SubstitutePass> {
public:
  using SubstitutePassBase::SubstitutePassBase;

  void runOnOperation() override {
    for (const std::string &text : substitutes) {
      try {
        if (failed(substitute(SubstituteSpec::parse(text))))
          return signalPassFailure();
      } catch (const Error &error) {
        emitError(getOperation().getLoc()) << passName << ": " << error.what();
        return signalPassFailure();
      }
    }
  }

private:
  LogicalResult substitute(const SubstituteSpec &spec) {
    std::vector<Site> all = collectSites(getOperation()), sites;
    llvm::copy_if(all, std::back_inserter(sites), [&](const Site &site) {
      return site.task == spec.task && spec.matchesPlace(site.place);
    });
    if (sites.empty())
      return reportNoMatch(spec, all);
    std::vector<Group> groups;
    if (failed(group(spec, sites, groups)))
      return failure();

    llvm::DenseMap<Operation *, FlatSymbolRefAttr> bindings;
    for (Group &group : groups)
      if (failed(load(spec, sites, group, bindings)))
        return failure();
    bindSites(getOperation(), [&](Operation *op, StringRef place) {
      auto found = bindings.find(op);
      bool isMeant =
          found != bindings.end() && spec.matchesPlace(std::string_view(place));
      return isMeant ? found->second : FlatSymbolRefAttr();
    });
    return success();
  }

  LogicalResult reportNoMatch(const SubstituteSpec &spec, ArrayRef<Site> all) {
    std::set<std::string> tasks;
    std::vector<std::string> places;
    for (const Site &site : all) {
      tasks.insert(site.task);
      if (site.task == spec.task && !llvm::is_contained(places, site.place))
        places.push_back(site.place);
    }
    std::vector<std::string> sorted(tasks.begin(), tasks.end());
    InFlightDiagnostic diagnostic = emitError(getOperation().getLoc());
    diagnostic << passName << ": nothing to substitute: '" << spec.str()
               << "': wanted ";
    if (places.empty())
      return diagnostic << "a task of the module ("
                        << (sorted.empty() ? "it has none"
                                           : shortenList(sorted, 40))
                        << "), got '" << spec.task << "'";
    return diagnostic << "a place of '" << spec.task << "' ("
                      << shortenList(places, 8) << "), got '" << spec.place
                      << "'";
  }

  /// Sorts the sites by what they ask of a candidate, those left out that no
  /// candidate can serve.
  LogicalResult group(const SubstituteSpec &spec, ArrayRef<Site> sites,
                      std::vector<Group> &groups) {
    llvm::SetVector<Operation *> ops;
    for (const Site &site : sites)
      ops.insert(site.op);
    std::string uncovered;
    for (Operation *op : ops) {
      if (auto bound = op->getAttrOfType<FlatSymbolRefAttr>(attrs::candidate))
        return op->emitError()
               << passName << ": '" << spec.str()
               << "' names what is bound already: wanted one candidate for an "
                  "op, got a second beside "
               << bound << " (tell them apart by <task>@<place>:<file>)";
      FailureOr<SiteNeeds> needs = getSiteNeeds(op);
      if (failed(needs))
        return failure();
      if (!needs->uncovered.empty()) {
        uncovered = needs->uncovered;
        reportMissed(op, passName, spec.task,
                     "not covered by '" + spec.file + "': " + uncovered);
        continue;
      }
      addToGroup(op, *needs, groups);
    }
    if (groups.empty())
      return ops.front()->emitError()
             << passName << ": '" << spec.str()
             << "' can serve no place: not covered: " << uncovered;
    return success();
  }

  static void addToGroup(Operation *op, const SiteNeeds &needs,
                         std::vector<Group> &groups) {
    auto it = llvm::find_if(groups, [&](const Group &group) {
      return group.needs.dtype == needs.dtype &&
             group.needs.presentOperands == needs.presentOperands &&
             group.needs.signature.getPrototype() ==
                 needs.signature.getPrototype();
    });
    if (it == groups.end()) {
      groups.push_back({needs, {}, {}});
      it = std::prev(groups.end());
    }
    if (!llvm::is_contained(it->shapes, needs.staticAxes))
      it->shapes.push_back(needs.staticAxes);
    it->ops.insert(op);
  }

  /// One error a line of the PTX, at that line.
  LogicalResult reportPtx(const SubstituteSpec &spec, Operation *op,
                          const ptx::PtxError &error) {
    for (const ptx::Diagnostic &diagnostic : error.getDiagnostics()) {
      const ptx::Location &at = diagnostic.location;
      emitError(FileLineColLoc::get(&getContext(), error.getFile(), at.line,
                                    at.column))
          << diagnostic.message;
    }
    return op->emitError() << passName << ": candidate of '" << spec.task
                           << "' is no PTX that fk reads: " << spec.file;
  }

  /// Loads the candidate for a group, declares it, and notes the ops it serves.
  LogicalResult load(const SubstituteSpec &spec, ArrayRef<Site> sites,
                     Group &group,
                     llvm::DenseMap<Operation *, FlatSymbolRefAttr> &bindings) {
    CandidateTarget target;
    target.dtype = group.needs.dtype;
    target.arch = arch;
    target.presentOperands = group.needs.presentOperands;
    target.staticAxes.assign(group.shapes.begin(), group.shapes.end());
    LoadedCandidate candidate;
    try {
      bool isMlir = StringRef(spec.file).ends_with(".mlir");
      candidate = (isMlir ? loadMlirCandidate : loadCandidate)(
          spec.file, group.needs.signature, target);
    } catch (const ptx::PtxError &error) {
      return reportPtx(spec, group.ops.front(), error);
    } catch (const Error &error) {
      return group.ops.front()->emitError()
             << passName << ": candidate of '" << spec.task
             << "': " << error.what();
    }
    FlatSymbolRefAttr symbol = declare(candidate);
    Operation *first = nullptr;
    for (Operation *op : group.ops) {
      FailureOr<SiteNeeds> needs = getSiteNeeds(op);
      if (failed(needs))
        return failure();
      if (!mayCover(candidate.info, needs->staticAxes)) {
        reportMissed(op, passName, spec.task,
                     symbol.getValue() +
                         " does not cover this shape (its `where`)");
        continue;
      }
      bindings[op] = symbol;
      size_t places = llvm::count_if(
          sites, [&](const Site &site) { return site.op == op; });
      reportApplied(op, passName, spec.task,
                    "bound to candidate " + symbol.getValue() + " in " +
                        Twine(places) + (places == 1 ? " place" : " places"));
      first = first ? first : op;
    }
    for (const std::string &remark : candidate.remarks)
      reportApplied(first, passName, spec.task,
                    "candidate " + symbol.getValue() + ": " + remark);
    return success();
  }

  /// Adds `fk.candidate`, or finds the same one.
  FlatSymbolRefAttr declare(LoadedCandidate &candidate) {
    SymbolTable symbols(getOperation());
    std::string base = candidate.info.name;
    for (int number = 2;; ++number) {
      auto taken = symbols.lookup(candidate.info.name);
      if (!taken)
        break;
      auto other = dyn_cast<CandidateOp>(taken);
      if (other && other.getManifest() == toManifestText(candidate))
        return FlatSymbolRefAttr::get(other.getSymNameAttr());
      renameCandidate(candidate, base + "#" + std::to_string(number));
    }
    OpBuilder builder = OpBuilder::atBlockBegin(getOperation().getBody());
    auto op = CandidateOp::create(builder, getOperation().getLoc(),
                                  candidate.info.name, candidate.info.task,
                                  candidate.info.file, candidate.info.sha256,
                                  toManifestText(candidate));
    return FlatSymbolRefAttr::get(op.getSymNameAttr());
  }
};

} // namespace
