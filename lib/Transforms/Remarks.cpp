//===- Remarks.cpp - Compiler decisions, made visible ---------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Transforms/Remarks.h"
#include "fk/Transforms/Places.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ErrorHandling.h"

#include <tuple>

using namespace mlir;
using Arg = remark::detail::Remark::Arg;

static void report(Operation *op, StringRef pass, StringRef name,
                   const Twine &text, bool missed) {
  // The place is worth computing only where somebody listens.
  if (!op->getContext()->getRemarkEngine())
    return;
  auto opts = remark::RemarkOpts::name(name).category(pass);
  auto inFlight = missed ? remark::missed(op->getLoc(), opts)
                         : remark::passed(op->getLoc(), opts);
  if (!inFlight)
    return;
  inFlight << Arg("Place", fk::describePlace(op)) << Arg("Text", text.str());
}

void fk::reportApplied(Operation *op, StringRef pass, StringRef name,
                       const Twine &text) {
  report(op, pass, name, text, /*missed=*/false);
}

void fk::reportMissed(Operation *op, StringRef pass, StringRef name,
                      const Twine &text) {
  report(op, pass, name, text, /*missed=*/true);
}

namespace {
/// Keeps fk's remarks; the context owns it.
class NoteStreamer : public remark::detail::MLIRRemarkStreamerBase {
public:
  explicit NoteStreamer(std::vector<fk::Plan::Note> &notes) : notes(notes) {}

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    fk::Plan::Note note;
    note.pass = remark.getCategoryName();
    note.name = remark.getRemarkName();
    note.missed = remark.getRemarkType() == llvm::remarks::Type::Missed;
    for (const Arg &arg : remark.getArgs()) {
      if (arg.key == "Place")
        note.place = arg.val;
      else if (arg.key == "Text")
        note.text = arg.val;
    }
    // `forward` and `step` have the same places.
    auto same = [&](const fk::Plan::Note &other) {
      return std::tie(other.pass, other.name, other.place, other.text,
                      other.missed) ==
             std::tie(note.pass, note.name, note.place, note.text, note.missed);
    };
    if (llvm::none_of(notes, same))
      notes.push_back(std::move(note));
  }

private:
  std::vector<fk::Plan::Note> &notes;
};
} // namespace

fk::NoteCollector::NoteCollector(MLIRContext &context,
                                 std::vector<Plan::Note> &notes)
    : context(context) {
  remark::RemarkCategories ours;
  ours.passed = ours.missed = "^fk-.*";
  if (failed(remark::enableOptimizationRemarks(
          context, std::make_unique<NoteStreamer>(notes),
          std::make_unique<remark::RemarkEmittingPolicyAll>(), ours)))
    llvm::report_fatal_error("the remark engine was set up twice");
}

fk::NoteCollector::~NoteCollector() { context.setRemarkEngine(nullptr); }
