//===- ModelSource.cpp - What a command is given as its model -------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "tools/fk/ModelSource.h"
#include "runtime/support/Error.h"

#include "fk/Import/Import.h"

#include "mlir/Parser/Parser.h"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <algorithm>
#include <iostream>

using namespace fk;
using namespace fk::tool;
namespace fs = std::filesystem;

void tool::addModelOptions(CLI::App &command, ModelOptions &options,
                           bool runs) {
  command
      .add_option("model,--model", options.model,
                  "Hugging Face folder, shipped model's name, .mlir or .fkx")
      ->required();
  command.add_option("--device", options.device, "host, cuda or cuda:N")
      ->capture_default_str();
  command.add_option("--arch", options.arch, "GPU architecture of the plan")
      ->capture_default_str();
  command
      .add_option("--dtype", options.dtype,
                  "auto (as stored), float32, bfloat16 or float16")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "float32", "bfloat16", "float16"}));
  command
      .add_option("--substitute", options.substitutes,
                  "<task>[@<place>]:<file>, several with commas or again")
      ->delimiter(',');
  command
      .add_option("--disable-fusion", options.disabledFusions,
                  "Tasks that fk-fuse must not form")
      ->delimiter(',');
  command
      .add_option("--prefer", options.prefer,
                  "Providers whose kernels come first: codegen, ...")
      ->delimiter(',');
  command.add_flag("--no-clusters", options.noClusters,
                   "With --prefer codegen: one kernel a task");
  command.add_flag("--no-fuse", options.noFuse, "Leave fk-fuse out");
  command.add_flag("--quiet", options.quiet, "No progress on stderr");
  if (!runs)
    return;
  auto *weights =
      command.add_option("--weights", options.weights,
                         "Folder of the checkpoint of an .mlir or .fkx");
  command
      .add_option("--random-weights", options.randomWeights,
                  "Draw weights by this seed instead of loading any")
      ->excludes(weights);
}

/// Prints an error with a line in a file as compilers do; others stay MLIR's.
static mlir::LogicalResult printAtLine(mlir::Diagnostic &diagnostic) {
  auto at = mlir::dyn_cast<mlir::FileLineColLoc>(diagnostic.getLocation());
  if (!at || diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error ||
      !diagnostic.getNotes().empty())
    return mlir::failure();
  llvm::errs() << at.getFilename().getValue() << ":" << at.getLine() << ":"
               << at.getColumn() << ": error: " << diagnostic.str() << "\n";
  return mlir::success();
}

std::unique_ptr<mlir::MLIRContext> tool::createContext() {
  mlir::DialectRegistry registry;
  registerCompileDialects(registry);
  auto context = std::make_unique<mlir::MLIRContext>(
      registry, mlir::MLIRContext::Threading::DISABLED);
  context->loadAllAvailableDialects();
  context->getDiagEngine().registerHandler(printAtLine);
  return context;
}

/// Candidates for the folder models/: beside the binary's tree, or FK_MODELS.
static std::vector<fs::path> getModelRoots() {
  std::vector<fs::path> roots;
  if (const char *variable = std::getenv("FK_MODELS"))
    roots.emplace_back(variable);
  std::error_code error;
  fs::path binary = fs::read_symlink("/proc/self/exe", error);
  for (fs::path dir = binary.parent_path(); dir.has_relative_path();
       dir = dir.parent_path())
    roots.push_back(dir / "models");
  return roots;
}

std::vector<fs::path> tool::listShippedConfigs() {
  std::vector<fs::path> configs;
  for (const fs::path &root : getModelRoots()) {
    std::error_code error;
    for (const auto &family : fs::directory_iterator(root, error)) {
      for (const auto &entry :
           fs::directory_iterator(family.path() / "configs", error))
        if (entry.path().extension() == ".json")
          configs.push_back(entry.path());
    }
    if (!configs.empty())
      break;
  }
  std::sort(configs.begin(), configs.end());
  return configs;
}

static std::optional<fs::path> findShippedConfig(const std::string &name) {
  for (const fs::path &config : listShippedConfigs())
    if (config.stem() == name)
      return config;
  return std::nullopt;
}

static std::optional<DType> getWantedDType(const ModelOptions &options) {
  if (options.dtype == "auto")
    return std::nullopt;
  return parseTorchDType(options.dtype);
}

mlir::OwningOpRef<mlir::ModuleOp>
tool::openModule(mlir::MLIRContext &context, const ModelOptions &options) {
  const fs::path path = options.model;
  ImportOptions import;
  import.dtype = getWantedDType(options);
  if (fs::is_directory(path)) {
    // Weights that are drawn need no checkpoint, only the config beside it.
    if (options.randomWeights)
      return importConfig(context, path / "config.json", import);
    return importModel(context, path, import);
  }
  if (path.extension() == ".mlir") {
    if (import.dtype)
      throw Error({"--dtype cannot change a module", path.string(),
                   "--dtype auto", options.dtype,
                   "import the model's folder again with this --dtype"});
    auto module =
        mlir::parseSourceFile<mlir::ModuleOp>(path.string(), &context);
    if (!module)
      throw Error({"module cannot be parsed", path.string(), "", "",
                   "see the diagnostics above"});
    return module;
  }
  if (auto config = findShippedConfig(options.model))
    return importConfig(context, *config, import);

  std::string names;
  for (const fs::path &config : listShippedConfigs())
    names += (names.empty() ? "" : ", ") + config.stem().string();
  throw Error(
      {"no such model", options.model,
       "a folder with config.json, an .mlir or .fkx file, or one of: " + names,
       fs::exists(path) ? "a file of another kind" : "nothing there",
       "check the path"});
}

Plan tool::compileModule(mlir::ModuleOp module, const ModelOptions &options) {
  CompileOptions compile;
  compile.device = options.device.substr(0, options.device.find(':'));
  compile.arch = options.arch;
  compile.substitutes = options.substitutes;
  compile.disabledFusions = options.disabledFusions;
  compile.prefer = options.prefer;
  compile.growClusters = !options.noClusters;
  compile.fuse = !options.noFuse;
  mlir::FailureOr<Plan> plan = compileToPlan(module, compile);
  if (mlir::failed(plan))
    throw Error({"the model cannot be compiled", options.model, "", "",
                 "see the diagnostics above"});
  return std::move(*plan);
}

Plan tool::openPlan(const ModelOptions &options) {
  const fs::path path = options.model;
  if (path.extension() == ".fkx") {
    if (!options.substitutes.empty())
      throw Error({"a plan takes no substitution any more", path.string(), "",
                   "--substitute", "give --substitute to fk compile"});
    Plan plan = Plan::load(path);
    const std::string kind = options.device.substr(0, options.device.find(':'));
    if (plan.device != kind)
      throw Error({"plan is for another device", path.string(), plan.device,
                   "--device " + options.device,
                   "run it with --device " + plan.device +
                       ", or compile it with --device " + kind});
    return plan;
  }
  auto context = createContext();
  auto module = openModule(*context, options);
  return compileModule(*module, options);
}

fs::path tool::getCheckpointFolder(const ModelOptions &options,
                                   const Plan &plan) {
  if (options.randomWeights)
    return {};
  if (!options.weights.empty())
    return options.weights;
  if (fs::is_directory(options.model))
    return options.model;
  if (!plan.model.checkpoint.empty() && fs::is_directory(plan.model.checkpoint))
    return plan.model.checkpoint;
  throw Error({"the weights are not known", options.model,
               "--weights <folder> or --random-weights <seed>",
               plan.model.checkpoint.empty()
                   ? "neither"
                   : "neither, and " + plan.model.checkpoint + " is gone",
               "name the checkpoint's folder"});
}

std::unique_ptr<Session> tool::openSession(std::shared_ptr<const Plan> plan,
                                           std::shared_ptr<Device> device,
                                           const SessionLimits &limits,
                                           const ModelOptions &options) {
  const fs::path folder = getCheckpointFolder(options, *plan);
  auto session = std::make_unique<Session>(plan, std::move(device), limits);
  if (folder.empty()) {
    session->drawWeights(*options.randomWeights);
    return session;
  }
  const Checkpoint checkpoint = Checkpoint::open(folder);
  const bool show = !options.quiet && isatty(STDERR_FILENO);
  int shown = -1;
  session->loadWeights(checkpoint, [&](size_t done, size_t total) {
    const int percent = total == 0 ? 100 : static_cast<int>(done * 100 / total);
    if (!show || percent == shown)
      return;
    shown = percent;
    std::cerr << "\rweights " << percent << " %" << (percent == 100 ? "\n" : "")
              << std::flush;
  });
  return session;
}
