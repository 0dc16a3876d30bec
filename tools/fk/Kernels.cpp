//===- Kernels.cpp - fk kernels and fk sanitize ---------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/Kernels.h"
#include "dialects/FK/TaskTable.h"
#include "fk/Candidate/Candidate.h"
#include "fk/Codegen/Codegen.h"
#include "runtime/host/Launcher.h"
#include "runtime/support/Error.h"
#include "runtime/support/Safetensors.h"
#include "tools/fk/Commands.h"
#include "tools/fk/Findings.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <set>

using namespace fk;
using namespace fk::bench;
using json = nlohmann::ordered_json;

namespace {

struct KernelsCommand {
  std::string candidate, target, device = "host", arch = "sm_90a";
  std::string dtype = "auto", savePtx;
  std::vector<std::string> shapes;
  unsigned seed = 1;
  int schedules = 0;
  uint64_t budget = KernelsOptions().instructionBudget;
  bool asJson = false;
};

Signature findSignature(const std::string &task) {
  std::string tasks;
  for (const TaskDescription &known : getTaskDescriptions()) {
    if (known.name == task)
      return Signature::parse(known.signature.str());
    tasks += (tasks.empty() ? "" : ", ") + known.name.str();
  }
  throw Error({"no such task", "--target", tasks, task,
               "fk list prints them; a function's task is tried in its model "
               "by fk eval"});
}

/// A candidate does not say which optional operands it takes: none, or all.
LoadedCandidate loadWithOperands(const std::string &file,
                                 const Signature &signature,
                                 CandidateTarget &target) {
  auto loadCandidate =
      file.ends_with(".mlir") ? loadMlirCandidate : fk::loadCandidate;
  target.presentOperands.clear();
  std::vector<std::string> optional;
  for (const TensorParam &operand : signature.operands)
    if (operand.optional)
      optional.push_back(operand.name);
  if (optional.empty())
    return loadCandidate(file, signature, target);
  try {
    return loadCandidate(file, signature, target);
  } catch (const Error &) {
    // As it was thrown: a copy as Error would lose the lines of a PtxError.
    std::exception_ptr first = std::current_exception();
    target.presentOperands = optional;
    try {
      return loadCandidate(file, signature, target);
    } catch (const Error &) {
      std::rethrow_exception(first);
    }
  }
}

/// Loads for the first element type that the candidate serves.
LoadedCandidate load(const KernelsCommand &options, const Signature &signature,
                     const AxisChoices &choices, CandidateTarget &target) {
  target.arch = options.arch;
  target.staticAxes =
      getStaticAxes(signature, options.device == "host", choices);
  if (options.dtype != "auto") {
    auto dtype = parseTorchDType(options.dtype);
    target.dtype = dtype ? *dtype : *parseDType(options.dtype);
    return loadWithOperands(options.candidate, signature, target);
  }
  for (DType dtype : {DType::BF16, DType::F16})
    try {
      target.dtype = dtype;
      return loadWithOperands(options.candidate, signature, target);
    } catch (const Error &error) {
      if (error.getText().what !=
          "the candidate does not serve the op's element type")
        throw;
    }
  target.dtype = DType::F32;
  return loadWithOperands(options.candidate, signature, target);
}

/// What was compiled, under the names that findings give.
void savePtx(const std::filesystem::path &folder,
             const LoadedCandidate &loaded) {
  for (const auto &[name, image] : loaded.images)
    if (image.kind == "ptx")
      writeFileAtomically(folder / host::getImageFile(loaded.info.file, name),
                          {reinterpret_cast<const char *>(image.bytes.data()),
                           image.bytes.size()});
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

std::string_view getName(KernelCase::Status status) {
  switch (status) {
  case KernelCase::Status::Right:
    return "right";
  case KernelCase::Status::Wrong:
    return "WRONG";
  case KernelCase::Status::NotCovered:
    return "not covered";
  }
  return "";
}

/// "epsilon=1e-05", to tell two rows of one shape apart.
std::string describeScalars(const KernelCase &one) {
  std::string text;
  char number[48];
  for (const LaunchScalar &scalar : one.scalars) {
    std::snprintf(number, sizeof number, "%s=%.4g", scalar.name.c_str(),
                  scalar.value);
    text += (text.empty() ? "" : " ") + std::string(number);
  }
  return text;
}

void printCase(const KernelCase &one) {
  std::string worst = "-";
  if (!one.checks.empty()) {
    char text[32];
    const double fraction = one.getWorstFraction();
    if (std::isinf(fraction) || fraction > 9999)
      worst = "> 9999";
    else {
      std::snprintf(text, sizeof text, "%.3f", fraction);
      worst = text;
    }
  }
  std::printf("%-11s %-10s %8s  %s%s%s\n",
              std::string(getName(one.status)).c_str(),
              one.status == KernelCase::Status::NotCovered
                  ? ""
                  : std::string(getName(one.values)).c_str(),
              worst.c_str(), one.describeAxes().c_str(),
              one.scalars.empty() ? "" : "  ", describeScalars(one).c_str());
  for (const KernelCheck &check : one.checks)
    if (!check.report.passed)
      std::printf("    %s\n", check.str().c_str());
  for (const std::string &problem : one.problems)
    std::printf("    %s\n", problem.c_str());
  for (const std::string &line : one.lines)
    std::printf("    %s\n", line.c_str());
  std::fflush(stdout);
}

/// JSON has no infinities.
json toNumber(double value) {
  if (std::isfinite(value))
    return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

json toJson(const KernelCase &one) {
  json axes = json::object(), scalars = json::object();
  for (const auto &[name, value] : one.axes)
    axes[name] = value;
  for (const LaunchScalar &scalar : one.scalars)
    scalars[scalar.name] = scalar.value;
  json results = json::array(), findings = json::array();
  for (const KernelCheck &check : one.checks)
    results.push_back({{"name", check.report.name},
                       {"right", check.report.passed},
                       {"fraction_of_budget", toNumber(check.report.fraction)},
                       {"elements", check.report.elements},
                       {"wrong", check.report.wrong},
                       {"digest", check.digest},
                       {"index", check.index},
                       {"wanted", toNumber(check.report.wanted)},
                       {"got", toNumber(check.report.got)},
                       {"tolerance", toNumber(check.report.tolerance)}});
  for (size_t i = 0; i < one.findings.size(); ++i) {
    findings.push_back(tool::toJson(one.findings[i]));
    findings.back()["message"] = one.lines[i];
  }
  std::string status(getName(one.status));
  return {
      {"shape", axes},       {"values", getName(one.values)},
      {"scalars", scalars},  {"status", status == "WRONG" ? "wrong" : status},
      {"results", results},  {"problems", one.problems},
      {"findings", findings}};
}

std::string summarise(const KernelsReport &report, const std::string &name,
                      DType dtype) {
  double worst = 0;
  for (const KernelCase &one : report.cases)
    worst = std::max(worst, one.getWorstFraction());
  char text[64];
  std::snprintf(text, sizeof text, "worst error %.3f of its budget", worst);
  const int tried = report.right + report.wrong;
  return name + " (" + std::string(fk::getName(dtype)) + ") is " +
         (report.wrong ? "WRONG in " + std::to_string(report.wrong) + " of " +
                             std::to_string(tried) + " cases"
                       : "right in " + std::to_string(tried) + " cases, " +
                             std::string(text)) +
         (report.notCovered
              ? "; " + std::to_string(report.notCovered) + " not covered"
              : "") +
         (report.stopped.empty() ? "" : "; stopped: " + report.stopped);
}

KernelsReport test(const KernelsCommand &options, KernelsOptions run,
                   const std::function<void(const KernelCase &)> &each,
                   std::string &name, DType &dtype) {
  const Signature signature = findSignature(options.target);
  run.shapes = parseAxisChoices(options.shapes, signature);
  run.seed = options.seed;
  run.schedules = options.schedules;
  run.instructionBudget = options.budget;
  CandidateTarget target;
  LoadedCandidate loaded = load(options, signature, run.shapes, target);
  if (!options.savePtx.empty())
    savePtx(options.savePtx, loaded);
  std::unique_ptr<Device> device = createDevice(options.device);
  if (run.schedules && device->getKind() != "host")
    throw Error({"interleavings are chosen in the emulator alone",
                 "--schedules " + std::to_string(run.schedules),
                 "--device host", "--device " + options.device, ""});
  run.dtype = dtype = target.dtype;
  run.presentOperands = target.presentOperands;
  name = loaded.info.name;
  KernelsReport report =
      testKernel(*device, signature, loaded.info, loaded.images, run, each);
  if (!report.right && !report.wrong)
    throw Error({"the candidate covers none of the shapes", name,
                 "a shape where its `where` holds",
                 std::to_string(report.notCovered) + " that it excludes",
                 "give others, such as --shapes hidden=4096"});
  return report;
}

int runKernels(const KernelsCommand &options) {
  if (!options.asJson)
    std::printf("%-11s %-10s %8s  %s\n", "", "values", "error", "shape");
  std::string name;
  DType dtype = DType::BF16;
  const KernelsReport report = test(
      options, {},
      [&](const KernelCase &one) {
        if (!options.asJson)
          printCase(one);
      },
      name, dtype);
  if (options.asJson) {
    json cases = json::array();
    for (const KernelCase &one : report.cases)
      cases.push_back(toJson(one));
    std::cout << json{{"target", options.target},
                      {"candidate", options.candidate},
                      {"device", options.device},
                      {"dtype", fk::getName(dtype)},
                      {"right", report.wrong == 0},
                      {"cases_right", report.right},
                      {"cases_wrong", report.wrong},
                      {"cases_not_covered", report.notCovered},
                      {"stopped", report.stopped},
                      {"cases", cases}}
                     .dump(2)
              << "\n";
  } else {
    std::printf("%s\n", summarise(report, name, dtype).c_str());
  }
  return report.wrong ? static_cast<int>(ErrorKind::Wrong) : 0;
}

/// The line without the numbers of block, thread and address: where shapes
/// differ, one place is printed once.
std::string getPlace(const emulator::Finding &finding,
                     const std::string &line) {
  return finding.location.line
             ? std::to_string(finding.location.line) + ":" +
                   std::to_string(finding.location.column) + ":" +
                   std::string(emulator::getName(finding.kind)) + finding.kernel
             : line;
}

int runSanitize(const KernelsCommand &options) {
  KernelsOptions run;
  run.compares = false;
  std::string name;
  DType dtype = DType::BF16;
  const KernelsReport report = test(options, run, {}, name, dtype);
  std::set<std::string> places;
  json findings = json::array();
  for (const KernelCase &one : report.cases) {
    for (size_t i = 0; i < one.findings.size(); ++i) {
      if (!places.insert(getPlace(one.findings[i], one.lines[i])).second)
        continue;
      findings.push_back(tool::toJson(one.findings[i]));
      findings.back()["message"] = one.lines[i];
      findings.back()["shape"] = one.describeAxes();
      if (!options.asJson)
        std::cout << one.lines[i] << " (at " << one.describeAxes() << ")\n";
    }
    for (const std::string &problem : one.problems)
      if (places.insert(problem).second) {
        findings.push_back(
            {{"message", problem}, {"shape", one.describeAxes()}});
        if (!options.asJson)
          std::cout << name << ": " << problem << " (at " << one.describeAxes()
                    << ")\n";
      }
  }
  if (options.asJson)
    std::cout << json{{"target", options.target},
                      {"candidate", options.candidate},
                      {"findings", findings},
                      {"cases", report.right + report.wrong},
                      {"cases_not_covered", report.notCovered}}
                     .dump(2)
              << "\n";
  else
    std::cout << name << ": " << places.size()
              << (places.size() == 1 ? " finding in " : " findings in ")
              << report.right + report.wrong << " cases"
              << (report.stopped.empty() ? "" : "; stopped: " + report.stopped)
              << "\n";
  return places.empty() ? 0 : static_cast<int>(ErrorKind::Wrong);
}

void addOptions(CLI::App &command, KernelsCommand &options) {
  command.add_option("--target", options.target, "The task (fk list)")
      ->required();
  command
      .add_option("--dtype", options.dtype,
                  "auto (the first it serves), bfloat16, float16, float32")
      ->capture_default_str()
      ->check(CLI::IsMember(
          {"auto", "bfloat16", "float16", "float32", "bf16", "f16", "f32"}));
  command.add_option("--shapes", options.shapes,
                     "Values of axes: tokens=1,33;hidden=4096");
  command.add_option("--arch", options.arch, "What a .cu is compiled for")
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Of values and interleavings")
      ->capture_default_str();
  command
      .add_option("--schedules", options.schedules,
                  "Seeded interleavings to run besides; host only")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  command.add_option("--save-ptx", options.savePtx,
                     "Folder for the PTX that findings name");
  command
      .add_option("--budget", options.budget,
                  "Warp instructions of a launch that count as endless")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_flag("--json", options.asJson, "Machine-readable");
}

} // namespace

void tool::addKernelsCommand(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand(
      "kernels", "Is a kernel right? Every shape and value, on its own");
  auto options = std::make_shared<KernelsCommand>();
  command
      ->add_option("candidate,--candidate", options->candidate,
                   ".ptx, .cu, .json, or .cubin on a GPU")
      ->required();
  command->add_option("--device", options->device, "host, cuda or cuda:N")
      ->capture_default_str();
  addOptions(*command, *options);
  command->callback([options, &action] {
    action = [options] { return runKernels(*options); };
  });
}

void tool::addSanitizeCommand(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand(
      "sanitize", "What a kernel does that none may, without a GPU");
  auto options = std::make_shared<KernelsCommand>();
  command
      ->add_option("candidate,--candidate", options->candidate,
                   ".ptx, .cu or .json")
      ->required();
  addOptions(*command, *options);
  command->callback([options, &action] {
    action = [options] { return runSanitize(*options); };
  });
}
