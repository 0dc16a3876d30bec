//===- Launch.cpp - fk launch ---------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/SingleLaunch.h"
#include "lib/Candidate/Image.h"
#include "lib/Candidate/Toolchain.h"
#include "runtime/Device.h"
#include "runtime/support/Error.h"
#include "tools/fk/Commands.h"
#include "tools/fk/Findings.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <iostream>
#include <limits>

using namespace fk;
using namespace fk::bench;
using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

struct LaunchCommand {
  std::string kernel, entry, grid = "1", block = "1", cluster, shared = "0";
  std::string inputs, outputs, args, device = "host", arch = "sm_90a";
  std::string schedules = "0", seed = "1", budget, savePtx;
  bool asJson = false, quiet = false;
};

constexpr uint32_t maxGridX = std::numeric_limits<int32_t>::max();

void readImage(const LaunchCommand &options, SingleLaunch &launch) {
  const fs::path path = options.kernel;
  const std::string suffix = path.extension().string();
  if (suffix != ".ptx" && suffix != ".cu" && suffix != ".cubin" &&
      suffix != ".fatbin")
    throw Error({"unknown kind of kernel", options.kernel,
                 ".ptx, .cu, .cubin or .fatbin",
                 suffix.empty() ? "no suffix" : "'" + suffix + "'", ""});
  launch.file = path.filename().string();
  launch.image = readTextFile(path);
  launch.kind = suffix.substr(1);
  if (launch.kind == "cu") {
    launch.image = compileCuda(path, launch.image, options.arch, {});
    launch.file += ".ptx";
    launch.kind = "ptx";
    if (!options.savePtx.empty())
      writeFileAtomically(fs::path(options.savePtx) / launch.file,
                          launch.image);
  }
}

/// The entry of machine code; PTX says it in its text.
void chooseBinaryEntry(const Device &device, SingleLaunch &launch) {
  const ImageInfo image =
      launch.kind == "cubin"
          ? parseCubin(launch.image, launch.file)
          : parseFatbin(launch.image, device.getArch(), launch.file);
  std::vector<std::string> entries;
  for (const ImageEntry &entry : image.entries)
    entries.push_back(entry.name);
  launch.entry = chooseEntry(entries, launch.entry, launch.file);
}

SingleLaunch readLaunch(const LaunchCommand &options) {
  SingleLaunch launch;
  launch.entry = options.entry;
  launch.grid = parseExtents(options.grid, "--grid", {maxGridX, 65535, 65535});
  launch.block = parseExtents(options.block, "--block", {1024, 1024, 64});
  launch.hasCluster = !options.cluster.empty();
  if (launch.hasCluster)
    launch.cluster = parseExtents(options.cluster, "--cluster", {16, 16, 16});
  // What no architecture has is an error on every device.
  launch.sharedBytes =
      uint32_t(parseNumber(options.shared, "--smem", 0, 227 * 1024));
  launch.args = parseLaunchArguments(options.args);
  return launch;
}

SingleLaunchReport execute(const LaunchCommand &options, SingleLaunch &launch,
                           LaunchTensors &tensors) {
  SingleLaunchOptions run;
  run.schedules =
      int(parseNumber(options.schedules, "--schedules", 0, 1 << 20));
  run.seed = uint64_t(parseNumber(options.seed, "--seed", 1,
                                  std::numeric_limits<int32_t>::max()));
  if (!options.budget.empty())
    run.instructionBudget = uint64_t(parseNumber(
        options.budget, "--budget", 1, std::numeric_limits<int64_t>::max()));
  if (options.device == "host")
    return launchOnHost(launch, tensors, run);
  if (run.schedules)
    throw Error({"interleavings are chosen in the emulator alone",
                 "--schedules " + options.schedules, "--device host",
                 "--device " + options.device, ""});
  std::unique_ptr<Device> device = createDevice(options.device);
  if (launch.kind != "ptx")
    chooseBinaryEntry(*device, launch);
  return launchOnCuda(launch, tensors, *device);
}

json toJson(const LaunchCommand &options, const SingleLaunchReport &report,
            const LaunchTensors &tensors) {
  json findings = json::array(), written = json::array();
  for (size_t i = 0; i < report.findings.size(); ++i) {
    findings.push_back(tool::toJson(report.findings[i]));
    findings.back()["message"] = report.lines[i];
  }
  for (const LaunchTensors::Tensor &tensor : tensors.get())
    written.push_back({{"name", tensor.name},
                       {"bytes", tensor.view.bytes.size()},
                       {"changed", tensor.isChanged()}});
  return {{"kernel", report.entry},
          {"device", options.device},
          {"findings", findings},
          {"tensors", written},
          {"printed", report.printed},
          {"warp_instructions", report.warpInstructions},
          {"lane_instructions", report.laneInstructions}};
}

int runLaunch(const LaunchCommand &options) {
  SingleLaunch launch = readLaunch(options);
  LaunchTensors tensors;
  if (!options.inputs.empty())
    tensors = LaunchTensors(SafetensorsFile::open(
        options.inputs, SafetensorsFile::OtherTypes::AsIntegers));
  for (const LaunchArgument &argument : launch.args)
    if (!argument.tensor.empty())
      tensors.find(argument.tensor, "--args");
  readImage(options, launch);
  const SingleLaunchReport report = execute(options, launch, tensors);
  if (!options.outputs.empty())
    tensors.write(options.outputs);

  if (options.asJson) {
    std::cout << toJson(options, report, tensors).dump(2) << "\n";
  } else {
    std::cout << report.printed;
    if (!options.quiet) {
      for (const LaunchTensors::Tensor &tensor : tensors.get())
        if (tensor.isChanged())
          std::cout << "written  " << tensor.name << "\n";
      if (options.device == "host")
        std::cout << report.entry << ": " << report.findings.size()
                  << (report.findings.size() == 1 ? " finding, "
                                                  : " findings, ")
                  << report.laneInstructions << " instructions of lanes\n";
    }
  }
  std::cout.flush();
  for (const std::string &line : report.lines)
    std::cerr << line << "\n";
  return report.findings.empty() ? 0 : static_cast<int>(ErrorKind::Wrong);
}

} // namespace

void tool::addLaunchCommand(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand(
      "launch", "One launch of any kernel on named tensors, CPU or GPU");
  auto options = std::make_shared<LaunchCommand>();
  command
      ->add_option("kernel", options->kernel,
                   ".ptx, .cu, or .cubin and .fatbin on a GPU")
      ->required();
  command->add_option("--entry", options->entry,
                      "The kernel's name, where the file has several");
  command->add_option("--grid", options->grid, "Blocks: x, x,y or x,y,z")
      ->capture_default_str();
  command->add_option("--block", options->block, "Threads of a block")
      ->capture_default_str();
  command->add_option("--cluster", options->cluster, "Blocks of a cluster");
  command
      ->add_option("--smem", options->shared, "Bytes of dynamic shared memory")
      ->capture_default_str();
  command->add_option("--inputs", options->inputs,
                      "safetensors with the tensors that --args names");
  command->add_option(
      "--args", options->args,
      "A tensor's name, <type>:<value>, hex:<bytes> or null, with commas");
  command->add_option("--outputs", options->outputs,
                      "safetensors to write: every tensor of the inputs");
  command->add_option("--device", options->device, "host, cuda or cuda:N")
      ->capture_default_str();
  command->add_option("--arch", options->arch, "What a .cu is compiled for")
      ->capture_default_str();
  command->add_option("--save-ptx", options->savePtx,
                      "Folder for the PTX that a .cu is compiled to");
  command
      ->add_option("--schedules", options->schedules,
                   "Seeded interleavings to run besides; host only")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of the first interleaving")
      ->capture_default_str();
  command->add_option("--budget", options->budget,
                      "Warp instructions that count as endless; host only");
  command->add_flag("--json", options->asJson, "Machine-readable");
  command->add_flag("--quiet", options->quiet, "Only what the kernel prints");
  command->callback([options, &action] {
    action = [options] { return runLaunch(*options); };
  });
}
