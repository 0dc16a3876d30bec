//===- List.cpp - fk list and fk show -------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Both print what the dialect, the kernel catalog and models/ say; neither
// keeps a list of its own.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/TaskTable.h"
#include "runtime/Kernel.h"
#include "runtime/support/Error.h"
#include "tools/fk/Commands.h"
#include "tools/fk/ModelSource.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>

using namespace fk;
using json = nlohmann::ordered_json;

namespace {

struct ListOptions {
  std::string level, family;
  bool asJson = false;
};

struct ShowOptions {
  std::string name;
  bool asJson = false;
};

/// "cublaslt, cuda:linear_gemv" of a task; one that serves two devices once.
std::string describeProviders(std::string_view task) {
  std::vector<std::string> names;
  for (const KernelInfo &kernel : getKernelCatalog()) {
    if (kernel.task != task)
      continue;
    std::string name(kernel.provider);
    if (kernel.name != kernel.task && kernel.name != kernel.provider)
      name += ":" + std::string(kernel.name);
    if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  }
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

int runList(const ListOptions &options) {
  json tasks = json::array(), models = json::array();
  for (const TaskDescription &task : getTaskDescriptions()) {
    const std::string level = task.level.str();
    if (!options.level.empty() && options.level != level)
      continue;
    if (!options.family.empty() && options.family != task.family)
      continue;
    tasks.push_back({{"name", task.name.str()},
                     {"level", level},
                     {"family", task.family.str()},
                     {"formula", task.formula.str()},
                     {"providers", describeProviders(task.name)}});
  }
  if (options.level.empty() || options.level == "L4")
    for (const auto &config : tool::listShippedConfigs()) {
      const std::string family =
          config.parent_path().parent_path().filename().string();
      if (options.family.empty() || options.family == family)
        models.push_back({{"name", config.stem().string()},
                          {"level", "L4"},
                          {"family", family},
                          {"config", config.string()}});
    }
  if (options.asJson) {
    std::cout << json{{"tasks", tasks}, {"models", models}}.dump(2) << "\n";
    return 0;
  }
  for (const json &task : tasks)
    std::cout << std::left << std::setw(4) << task["level"].get<std::string>()
              << std::setw(20) << task["name"].get<std::string>()
              << std::setw(12) << task["family"].get<std::string>()
              << task["providers"].get<std::string>() << "\n";
  for (const json &model : models)
    std::cout << std::left << std::setw(4) << "L4" << std::setw(20)
              << model["name"].get<std::string>() << std::setw(12)
              << model["family"].get<std::string>() << "model\n";
  return 0;
}

int showTask(const TaskDescription &task, bool asJson) {
  const Signature signature = Signature::parse(task.signature.str());
  json kernels = json::array();
  for (const KernelInfo &kernel : getKernelCatalog())
    if (kernel.task == std::string_view(task.name))
      kernels.push_back({{"provider", kernel.provider},
                         {"name", kernel.name},
                         {"device", kernel.device},
                         {"dtypes", kernel.dtypes},
                         {"where", kernel.where},
                         {"why", kernel.why}});
  if (asJson) {
    json out = {{"name", task.name.str()},
                {"level", task.level.str()},
                {"family", task.family.str()},
                {"formula", task.formula.str()},
                {"signature", task.signature.str()},
                {"prototype", signature.getPrototype()},
                {"axes", signature.axes},
                {"flops", task.flops.str()},
                {"decomposition", task.decomposition.str()},
                {"description", task.description.str()},
                {"kernels", kernels}};
    std::cout << out.dump(2) << "\n";
    return 0;
  }
  std::cout << task.name.str() << "   " << task.level.str() << ", "
            << task.family.str() << "\n\n  " << task.formula.str()
            << "\n\nprototype\n  " << signature.getPrototype()
            << "\n\nsignature\n  " << task.signature.str() << "\n\naxes\n ";
  for (const std::string &axis : signature.axes)
    std::cout << " " << axis;
  std::cout << "\n\ncost\n  flops " << task.flops.str() << "\n";
  if (!task.decomposition.empty())
    std::cout << "\ndecomposes into\n  " << task.decomposition.str() << "\n";
  if (!task.description.empty())
    std::cout << "\n" << task.description.str() << "\n";
  std::cout << "\nkernels\n";
  for (const json &kernel : kernels) {
    std::cout << "  " << kernel["provider"].get<std::string>() << ":"
              << kernel["name"].get<std::string>() << "  ["
              << kernel["device"].get<std::string>() << "; "
              << kernel["dtypes"].get<std::string>() << "]";
    if (const auto where = kernel["where"].get<std::string>(); !where.empty())
      std::cout << "  where " << where;
    std::cout << "  " << kernel["why"].get<std::string>() << "\n";
  }
  return 0;
}

int runShow(const ShowOptions &options) {
  for (const TaskDescription &task : getTaskDescriptions())
    if (task.name == options.name)
      return showTask(task, options.asJson);

  std::string known;
  for (const auto &config : tool::listShippedConfigs()) {
    if (config.stem() == options.name) {
      std::cout << readTextFile(config);
      return 0;
    }
    known += ", " + config.stem().string();
  }
  std::string tasks;
  for (const TaskDescription &task : getTaskDescriptions())
    tasks += (tasks.empty() ? "" : ", ") + task.name.str();
  throw Error({"no such task or model", "fk show", tasks + known, options.name,
               "fk list prints them"});
}

} // namespace

void tool::addListCommand(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("list", "Tasks and models");
  auto options = std::make_shared<ListOptions>();
  command->add_option("--level", options->level, "L1, L2, L3 or L4")
      ->check(CLI::IsMember({"L1", "L2", "L3", "L4"}));
  command->add_option("--family", options->family,
                      "norm, linear, attention, ...");
  command->add_flag("--json", options->asJson, "Machine-readable");
  command->callback(
      [options, &action] { action = [options] { return runList(*options); }; });
}

void tool::addShowCommand(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand(
      "show", "A task's formula, constraints, prototype, cost and kernels");
  auto options = std::make_shared<ShowOptions>();
  command->add_option("name", options->name, "Task or model")->required();
  command->add_flag("--json", options->asJson, "Machine-readable");
  command->callback(
      [options, &action] { action = [options] { return runShow(*options); }; });
}
