//===- Eval.cpp - fk eval -------------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/Eval.h"
#include "runtime/support/Error.h"
#include "tools/fk/Commands.h"
#include "tools/fk/ModelSource.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <iostream>

using namespace fk;
using namespace fk::tool;
using namespace fk::bench;
using json = nlohmann::ordered_json;

namespace {

struct EvalCommand {
  ModelOptions model;
  std::string workload, output;
  int samples = 40;
  bool asJson = false;
};

json toJson(const Comparison &comparison) {
  return {{"baseline_ms", comparison.baseline},
          {"candidate_ms", comparison.candidate},
          {"ratio", comparison.ratio},
          {"interval", {comparison.low, comparison.high}},
          {"judgement", getName(comparison.judgement)}};
}

json toJson(const MemoryReport &memory) {
  return {{"weights", memory.weights}, {"states", memory.states},
          {"arena", memory.arena},     {"workspace", memory.workspace},
          {"io", memory.io},           {"total", memory.total()}};
}

json toJson(const EvalReport &report, const EvalCommand &options) {
  json swapped = json::array();
  for (const EvalReport::Swapped &item : report.swapped) {
    json entry = {{"candidate", item.candidate},
                  {"task", item.task},
                  {"places", item.places},
                  {"uncovered", item.uncovered},
                  {"checked_places", item.check.places},
                  {"wrong_places", item.check.wrong},
                  {"worst_fraction_of_budget", item.check.worstFraction},
                  {"worst", item.check.worst}};
    if (item.alone) {
      entry["alone_cold"] = toJson(*item.alone);
      entry["alone_baseline"] = item.aloneBaseline;
    }
    swapped.push_back(std::move(entry));
  }
  json lost = json::array();
  for (const FusionChange &change : report.lost)
    lost.push_back({{"fusion", change.fusion},
                    {"places", change.places},
                    {"reason", change.reason}});
  json out = {{"model", options.model.model},
              {"workload", report.workload.str()},
              {"device", report.device},
              {"verdict", report.isVerdict},
              {"swapped", swapped},
              {"fusions_lost", lost},
              {"launches",
               {{"baseline", report.launchesBaseline},
                {"candidate", report.launchesCandidate}}},
              {"differing_bytes",
               {{"baseline", report.bytesBaseline},
                {"candidate", report.bytesCandidate}}},
              {"model_correct",
               {{"right", report.modelRight},
                {"cosine", report.cosine},
                {"tokens", report.tokensCompared},
                {"equal", report.tokensEqual},
                {"within_margin", report.tokensWithinMargin}}}};
  if (report.exactBaseline)
    out["model_correct"]["cosine_with_float32"] = {
        {"baseline", *report.exactBaseline},
        {"candidate", *report.exactCandidate}};
  if (report.inGraph)
    out["in_graph"] = toJson(*report.inGraph);
  out["end_to_end"] = toJson(report.endToEnd);
  out["memory_bytes"] = {{"baseline", toJson(report.memoryBaseline)},
                         {"candidate", toJson(report.memoryCandidate)},
                         {"peak", report.peakBytes},
                         {"driver", report.driverBytes}};
  out["sentence"] = report.sentence;
  return out;
}

/// "4.31 us" or "4.02 ms".
std::string formatTime(double milliseconds) {
  char text[32];
  if (milliseconds < 1)
    std::snprintf(text, sizeof text, "%.2f us", milliseconds * 1e3);
  else
    std::snprintf(text, sizeof text, "%.3f ms", milliseconds);
  return text;
}

void printComparison(const char *what, const Comparison &c, bool isVerdict) {
  std::printf("%-14s %12s %12s %8.3f   %.3f .. %.3f   %s\n", what,
              formatTime(c.baseline).c_str(), formatTime(c.candidate).c_str(),
              c.ratio, c.low, c.high,
              isVerdict ? std::string(getName(c.judgement)).c_str()
                        : "(no verdict)");
}

void printReport(const EvalReport &report, const EvalCommand &options,
                 const Plan &plan) {
  std::printf("model     %s, %s%s   workload  %s   device  %s\n",
              options.model.model.c_str(),
              std::string(getTorchName(plan.dtype)).c_str(),
              options.model.randomWeights
                  ? (", random weights (seed " +
                     std::to_string(*options.model.randomWeights) + ")")
                        .c_str()
                  : "",
              report.workload.describe().c_str(), report.device.c_str());
  if (report.swapped.empty()) {
    std::printf(
        "baseline  %s a step, %lld launches; memory %.2f GB (weights "
        "%.2f, states %.2f, arena %.3f, workspace %.3f, io %.3f), "
        "peak %.2f GB, by the driver's count %.2f GB\n",
        formatTime(report.endToEnd.baseline).c_str(),
        static_cast<long long>(report.launchesBaseline),
        report.memoryBaseline.total() / 1e9,
        report.memoryBaseline.weights / 1e9, report.memoryBaseline.states / 1e9,
        report.memoryBaseline.arena / 1e9,
        report.memoryBaseline.workspace / 1e9, report.memoryBaseline.io / 1e9,
        report.peakBytes / 1e9, report.driverBytes / 1e9);
    return;
  }
  for (const EvalReport::Swapped &item : report.swapped) {
    std::printf("swapped   %s in %lld places", item.candidate.c_str(),
                static_cast<long long>(item.places));
    if (item.uncovered)
      std::printf(
          ", %lld more not covered at these shapes (the baseline's kernel "
          "ran there)",
          static_cast<long long>(item.uncovered));
    if (!item.aloneBaseline.empty())
      std::printf("; baseline %s", item.aloneBaseline.c_str());
    std::printf("\n");
  }
  for (const EvalReport::Swapped &item : report.swapped) {
    if (!item.checked)
      std::printf(
          "correct   op in place: not checked, %s has no reference of its "
          "own (the model's answer is)\n",
          item.task.c_str());
    else if (item.check.wrong)
      std::printf("WRONG     op in place: %lld of %lld places; %s\n",
                  static_cast<long long>(item.check.wrong),
                  static_cast<long long>(item.check.places),
                  item.check.worst.c_str());
    else
      std::printf("correct   op in place: yes, worst error %.2f of its budget "
                  "(%lld places)\n",
                  item.check.worstFraction,
                  static_cast<long long>(item.check.places));
  }
  std::printf("%-9s model: %s, cosine %.6f, %lld of %lld rows choose the same, "
              "%lld within their margin\n",
              report.modelRight ? "correct" : "WRONG",
              report.modelRight ? "yes" : "no", report.cosine,
              static_cast<long long>(report.tokensEqual),
              static_cast<long long>(report.tokensCompared),
              static_cast<long long>(report.tokensWithinMargin));
  if (report.exactBaseline)
    std::printf("          cosine with the model in float32: baseline %.6f, "
                "candidate %.6f\n",
                *report.exactBaseline, *report.exactCandidate);
  std::printf("%-14s %12s %12s %8s   95 %% interval\n", "", "baseline",
              "candidate", "ratio");
  for (const EvalReport::Swapped &item : report.swapped)
    if (item.alone)
      printComparison("alone, cold", *item.alone, report.isVerdict);
  if (report.inGraph)
    printComparison("in the graph", *report.inGraph, report.isVerdict);
  printComparison("end to end", report.endToEnd, report.isVerdict);
  std::printf(
      "launches  %lld -> %lld; the steps that differ move %.3f -> %.3f MB\n",
      static_cast<long long>(report.launchesBaseline),
      static_cast<long long>(report.launchesCandidate),
      report.bytesBaseline / 1e6, report.bytesCandidate / 1e6);
  for (const FusionChange &change : report.lost)
    std::printf("lost      %s at %lld place%s: %s\n", change.fusion.c_str(),
                static_cast<long long>(change.places),
                change.places == 1 ? "" : "s", change.reason.c_str());
  std::printf("%s\n", report.sentence.c_str());
}

int runEval(const EvalCommand &options) {
  ModelOptions baselineOptions = options.model;
  baselineOptions.substitutes.clear();
  auto basePlan = std::make_shared<const Plan>(openPlan(baselineOptions));
  const Workload workload = Workload::parse(
      !options.workload.empty() ? options.workload
      : basePlan->findFunction("step")
          ? "decode-b1-c" + std::to_string(std::min<int64_t>(
                                1024, basePlan->model.maxPositions))
          : "forward-b1-128");
  const SessionLimits limits = workload.getLimits(*basePlan);

  std::shared_ptr<const Plan> plan;
  if (!options.model.substitutes.empty())
    plan = std::make_shared<const Plan>(openPlan(options.model));
  std::shared_ptr<Device> device = createDevice(options.model.device);
  // The same model in float32 says how far bf16 alone leads astray. A module or
  // a plan has its dtype already.
  std::optional<HostTensor> exact;
  const std::string extension =
      std::filesystem::path(options.model.model).extension();
  if (plan && extension != ".mlir" && extension != ".fkx") {
    ModelOptions single = baselineOptions;
    single.dtype = "float32";
    auto session = openSession(std::make_shared<const Plan>(openPlan(single)),
                               device, limits, single);
    exact = computeAnswer(*session, workload);
  }
  device->resetPeak();
  const size_t freeBefore = device->getFreeBytes();
  auto baseline = openSession(basePlan, device, limits, baselineOptions);
  std::unique_ptr<Session> candidate;
  if (plan)
    candidate = openSession(plan, device, limits, options.model);

  EvalOptions eval;
  eval.samples = options.samples;
  EvalReport report =
      evaluate(*baseline, candidate.get(), workload, exact, eval);
  if (!candidate) {
    report.peakBytes = device->getPeakBytes();
    report.driverBytes =
        freeBefore - std::min(freeBefore, device->getFreeBytes());
  }
  const std::string text = toJson(report, options).dump(2) + "\n";
  if (!options.output.empty())
    writeFileAtomically(options.output, text);
  if (options.asJson)
    std::cout << text;
  else
    printReport(report, options, *basePlan);
  if (!report.isVerdict && !options.asJson && !candidate)
    std::printf("times on the host device are not verdicts\n");
  return report.isWrong() ? static_cast<int>(ErrorKind::Wrong) : 0;
}

} // namespace

void tool::addEvalCommand(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand(
      "eval", "The verdict: is the candidate right, does it win in the model");
  auto options = std::make_shared<EvalCommand>();
  addModelOptions(*command, options->model, /*runs=*/true);
  command->add_option("--workload", options->workload,
                      "decode-b1-c1024, prefill-b1-2048, forward-b32-512, ...");
  command->add_option("--samples", options->samples, "Timed calls of each side")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("-o,--output", options->output,
                      "Write the JSON report here");
  command->add_flag("--json", options->asJson, "Print the JSON report");
  command->callback(
      [options, &action] { action = [options] { return runEval(*options); }; });
}
