//===- Run.cpp - fk run ---------------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/CompareTensors.h"
#include "runtime/Batch.h"
#include "runtime/support/Error.h"
#include "tools/fk/Commands.h"
#include "tools/fk/ModelSource.h"
#include "tools/fk/Tensors.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <iostream>
#include <optional>
#include <sstream>

using namespace fk;
using namespace fk::tool;
using json = nlohmann::ordered_json;

namespace {

struct RunCommand {
  ModelOptions model;
  std::string inputs, outputs, expected;
  double tolerance = 1e-4;
  std::optional<double> cosine; ///< judged by this instead, where given
  bool asJson = false;
};

std::string describeCriterion(const RunCommand &options) {
  std::ostringstream text;
  if (options.cosine)
    text << "cosine at least " << *options.cosine;
  else
    text << "tolerance " << options.tolerance;
  return text.str();
}

/// Compares every expected tensor that the model returned; throws Error (Wrong)
/// where one differs by more than the tolerance, or none is there.
json checkExpected(const RunCommand &options, const NamedTensors &outputs) {
  json checks = json::array();
  std::string names, wrong;
  for (const auto &[name, wanted] : readTensors(options.expected)) {
    names += (names.empty() ? "" : ", ") + name;
    for (const auto &[outputName, got] : outputs) {
      if (outputName != name)
        continue;
      const bench::TensorDifference difference =
          bench::compareTensors(wanted, got);
      const bool right = options.cosine
                             ? difference.cosine >= *options.cosine
                             : difference.relative <= options.tolerance;
      checks.push_back({{"name", name},
                        {"relative", difference.relative},
                        {"cosine", difference.cosine},
                        {"right", right}});
      if (!right)
        throw Error({"output '" + name + "' is wrong",
                     "element " + std::to_string(difference.index),
                     std::to_string(difference.wanted) + " (" +
                         describeCriterion(options) + ")",
                     std::to_string(difference.got) + ", relative difference " +
                         std::to_string(difference.relative) + ", cosine " +
                         std::to_string(difference.cosine),
                     ""},
                    ErrorKind::Wrong);
    }
  }
  if (checks.empty())
    throw Error({"nothing to compare", options.expected,
                 "a tensor that the model returns", names,
                 "name the tensors as the library does"});
  return checks;
}

int runModel(const RunCommand &options) {
  const NamedTensors inputs = readTensors(options.inputs);
  auto plan = std::make_shared<const Plan>(openPlan(options.model));
  std::shared_ptr<Device> device = createDevice(options.model.device);
  auto session =
      openSession(plan, device, limitsFor(*plan, inputs), options.model);
  const auto start = std::chrono::steady_clock::now();
  const NamedTensors outputs = runForward(*session, inputs);
  const double milliseconds = std::chrono::duration<double, std::milli>(
                                  std::chrono::steady_clock::now() - start)
                                  .count();
  if (!options.outputs.empty())
    writeTensors(options.outputs, outputs);
  const json checks = options.expected.empty()
                          ? json::array()
                          : checkExpected(options, outputs);

  json tensors = json::array();
  for (const auto &[name, tensor] : outputs)
    tensors.push_back({{"name", name},
                       {"dtype", getTorchName(tensor.dtype)},
                       {"shape", tensor.shape}});
  if (options.asJson) {
    const MemoryReport memory = session->getMemory();
    std::cout << json{{"outputs", options.outputs},
                      {"tensors", tensors},
                      {"checks", checks},
                      {"device", device->getDescription()},
                      {"milliseconds", milliseconds},
                      {"memory_bytes",
                       {{"weights", memory.weights},
                        {"states", memory.states},
                        {"arena", memory.arena},
                        {"workspace", memory.workspace},
                        {"io", memory.io}}}}
                     .dump(2)
              << "\n";
    return 0;
  }
  if (!options.model.quiet)
    for (const json &tensor : tensors)
      std::cout << tensor["name"].get<std::string>() << " "
                << tensor["shape"].dump() << " "
                << tensor["dtype"].get<std::string>() << " -> "
                << (options.outputs.empty() ? "not written" : options.outputs)
                << "\n";
  for (const json &check : checks)
    std::cout << check["name"].get<std::string>()
              << " agrees: relative difference "
              << check["relative"].get<double>() << ", cosine "
              << check["cosine"].get<double>() << " ("
              << describeCriterion(options) << ")\n";
  return 0;
}

} // namespace

void tool::addRunCommand(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand(
      "run",
      "One forward: tensors in and out as the reference library names them");
  auto options = std::make_shared<RunCommand>();
  addModelOptions(*command, options->model, /*runs=*/true);
  command
      ->add_option("--inputs", options->inputs, "safetensors with the inputs")
      ->required();
  auto *outputs = command->add_option("--outputs", options->outputs,
                                      "safetensors to write");
  auto *expected = command->add_option(
      "--expected", options->expected,
      "safetensors with the answer; exit 1 where an output differs");
  command
      ->add_option("--tolerance", options->tolerance,
                   "Largest difference over largest magnitude")
      ->needs(expected)
      ->capture_default_str();
  command
      ->add_option("--cosine", options->cosine,
                   "Judge by the least cosine of the two instead")
      ->needs(expected);
  command->add_flag("--json", options->asJson, "Machine-readable");
  command->callback([options, outputs, expected, &action] {
    if (!*outputs && !*expected)
      throw CLI::RequiredError("--outputs or --expected");
    action = [options] { return runModel(*options); };
  });
}
