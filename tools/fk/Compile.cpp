//===- Compile.cpp - fk import and fk compile -----------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "tools/fk/Commands.h"
#include "tools/fk/ModelSource.h"

#include "llvm/Support/raw_ostream.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <iostream>

using namespace fk;
using namespace fk::tool;
using json = nlohmann::ordered_json;

namespace {

struct ImportCommand {
  ModelOptions model;
  std::string output;
};

struct CompileCommand {
  ModelOptions model;
  std::string output;
  bool asJson = false;
  bool printNotes = false;
};

int runImport(const ImportCommand &options) {
  auto context = createContext();
  auto module = openModule(*context, options.model);
  std::string text;
  llvm::raw_string_ostream stream(text);
  mlir::OpPrintingFlags flags;
  flags.enableDebugInfo(/*enable=*/true, /*prettyForm=*/false);
  module->print(stream, flags);
  text += '\n';
  if (options.output.empty() || options.output == "-") {
    std::cout << text;
    return 0;
  }
  writeFileAtomically(options.output, text);
  return 0;
}

int runCompile(const CompileCommand &options) {
  const auto start = std::chrono::steady_clock::now();
  auto context = createContext();
  auto module = openModule(*context, options.model);
  const auto imported = std::chrono::steady_clock::now();
  const Plan plan = compileModule(*module, options.model);
  plan.save(options.output);
  const auto done = std::chrono::steady_clock::now();

  size_t launches = 0, lost = 0;
  for (const PlanFunction &function : plan.functions)
    launches += function.steps.size();
  for (const Plan::Note &note : plan.notes)
    lost += note.missed;
  const double importSeconds =
      std::chrono::duration<double>(imported - start).count();
  const double compileSeconds =
      std::chrono::duration<double>(done - imported).count();
  if (options.asJson) {
    json notes = json::array();
    for (const Plan::Note &note : plan.notes)
      notes.push_back({{"pass", note.pass},
                       {"name", note.name},
                       {"place", note.place},
                       {"text", note.text},
                       {"missed", note.missed}});
    std::cout << json{{"output", options.output},
                      {"device", plan.device},
                      {"dtype", getTorchName(plan.dtype)},
                      {"functions", plan.functions.size()},
                      {"steps", launches},
                      {"weights", plan.weights.size()},
                      {"import_seconds", importSeconds},
                      {"compile_seconds", compileSeconds},
                      {"notes", notes}}
                     .dump(2)
              << "\n";
    return 0;
  }
  if (options.printNotes)
    for (const Plan::Note &note : plan.notes)
      std::cout << note.pass << (note.missed ? ": missed " : ": ") << note.name
                << " at " << note.place << ": " << note.text << "\n";
  if (!options.model.quiet)
    std::cout << options.output << ": " << plan.functions.size()
              << " functions, " << launches << " steps, " << plan.weights.size()
              << " weights, " << getTorchName(plan.dtype) << " on "
              << plan.device << "; import " << importSeconds << " s, compile "
              << compileSeconds << " s"
              << (lost ? "; " + std::to_string(lost) + " fusions lost" : "")
              << "\n";
  return 0;
}

} // namespace

void tool::addImportCommand(CLI::App &app, Action &action) {
  auto *command =
      app.add_subcommand("import", "A model's folder -> fk dialect");
  auto options = std::make_shared<ImportCommand>();
  command
      ->add_option("model,--model", options->model.model,
                   "Hugging Face folder or shipped model's name")
      ->required();
  command
      ->add_option("--dtype", options->model.dtype,
                   "auto (as stored), float32, bfloat16 or float16")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "float32", "bfloat16", "float16"}));
  command->add_option("-o,--output", options->output,
                      "File; standard output if none");
  command->callback([options, &action] {
    action = [options] { return runImport(*options); };
  });
}

void tool::addCompileCommand(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("compile", "A model -> plan (.fkx)");
  auto options = std::make_shared<CompileCommand>();
  addModelOptions(*command, options->model, /*runs=*/false);
  command->add_option("-o,--output", options->output, "The plan, *.fkx")
      ->required();
  command->add_flag("--json", options->asJson, "Machine-readable");
  command->add_flag("--notes", options->printNotes,
                    "Print what the passes did and could not do");
  command->callback([options, &action] {
    action = [options] { return runCompile(*options); };
  });
}
