//===- Codegen.cpp - fk codegen -------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One generated kernel as a file: PTX behind its launch directive, which is
// itself a candidate.
//
//===----------------------------------------------------------------------===//

#include "fk/Codegen/Codegen.h"
#include "runtime/support/Error.h"
#include "runtime/support/Safetensors.h"
#include "tools/fk/Commands.h"

#include <CLI/CLI.hpp>

#include <iostream>

using namespace fk;

namespace {

struct CodegenCommand {
  std::string source; ///< a task, or an .mlir file
  std::string dtype = "bf16", output;
  std::vector<std::string> axes, attributes, operands;
  bool stopAtInput = false;
  CodegenOptions options;
};

/// "hidden=4096" in its parts.
std::pair<std::string, std::string> splitAssignment(const std::string &text,
                                                    const char *option) {
  size_t at = text.find('=');
  if (at == std::string::npos || at == 0 || at + 1 == text.size())
    throw Error(
        {"this is no assignment", option, "name=number", "'" + text + "'"});
  return {text.substr(0, at), text.substr(at + 1)};
}

template <typename T, typename Parse>
T parseNumber(const std::string &text, const char *option, Parse parse) {
  size_t used = 0;
  try {
    T value = parse(text, &used);
    if (used == text.size())
      return value;
  } catch (const std::exception &) {
    // Said below.
  }
  throw Error({"this is no number", option, "", "'" + text + "'"});
}

/// The text that is compiled.
std::string getModule(const CodegenCommand &command) {
  if (command.source.ends_with(".mlir"))
    return readTextFile(command.source);
  TaskRequest request;
  request.task = command.source;
  auto dtype = parseDType(command.dtype);
  if (!dtype)
    throw Error(
        {"unknown element type", "--dtype", "bf16, f16 or f32", command.dtype});
  request.dtype = *dtype;
  request.operands = command.operands;
  for (const std::string &text : command.axes) {
    auto [name, value] = splitAssignment(text, "--axes");
    request.axes[name] = parseNumber<int64_t>(
        value, "--axes", [](const std::string &digits, size_t *used) {
          return std::stoll(digits, used);
        });
  }
  for (const std::string &text : command.attributes) {
    auto [name, value] = splitAssignment(text, "--set");
    request.attributes[name] = parseNumber<double>(
        value, "--set", [](const std::string &digits, size_t *used) {
          return std::stod(digits, used);
        });
  }
  return buildTaskModule(request);
}

int runCodegen(const CodegenCommand &command) {
  std::string text = getModule(command), error;
  if (!command.stopAtInput) {
    mlir::FailureOr<GeneratedKernel> kernel =
        generateKernel(text, command.source, command.options, error);
    if (mlir::failed(kernel))
      throw Error({"no kernel can be generated", command.source, "", error,
                   "widths are given by --axes"});
    if (!error.empty())
      std::cerr << "warning: the kernel is made again each time: " << error
                << "\n";
    text = kernel->getText();
  }
  if (command.output.empty() || command.output == "-")
    std::cout << text;
  else
    writeFileAtomically(command.output, text);
  return 0;
}

} // namespace

void tool::addCodegenCommand(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand(
      "codegen", "A task, or an .mlir file, -> PTX with its launch");
  auto options = std::make_shared<CodegenCommand>();
  command
      ->add_option("source", options->source,
                   "Task, or a file of fk, linalg or gpu ops (.mlir)")
      ->required();
  command
      ->add_option("--dtype", options->dtype, "Element type: bf16, f16 or f32")
      ->capture_default_str();
  command->add_option("--axes", options->axes, "Static axes: hidden=4096,...")
      ->delimiter(',');
  command
      ->add_option("--set", options->attributes,
                   "Variants and the values of scalars: rotary_dim=64,...")
      ->delimiter(',');
  command
      ->add_option("--with", options->operands,
                   "Optional operands that are there: bias,...")
      ->delimiter(',');
  command->add_option("--arch", options->options.arch, "Architecture")
      ->capture_default_str();
  command->add_option("--threads", options->options.threads,
                      "Threads of a row or block; 0: chosen");
  command->add_option("--vectors", options->options.vectors,
                      "Vectors a thread at a time; 0: chosen");
  command->add_option("--held", options->options.held,
                      "Elements of a row a thread may hold");
  command->add_option("--blocks", options->options.blocks,
                      "Most blocks of a pointwise kernel");
  command->add_flag("!--no-pdl", options->options.pdl,
                    "Without griddepcontrol");
  command->add_flag("--print-input", options->stopAtInput,
                    "Print the module that is compiled, for fk-opt");
  command->add_option("-o,--output", options->output,
                      "File; standard output if none");
  command->callback([options, &action] {
    action = [options] { return runCodegen(*options); };
  });
}
