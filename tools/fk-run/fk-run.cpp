//===- fk-run.cpp - Runs a plan, without the compiler ---------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/Batch.h"
#include "runtime/support/Error.h"
#include "tools/fk/Findings.h"
#include "tools/fk/Tensors.h"
#include "tools/fk/Tool.h"

#include <CLI/CLI.hpp>

#include <iostream>

using namespace fk;

int fk::fkRunMain(int argc, char **argv) {
  CLI::App app("fk-run: one forward of a plan, without the compiler", "fk-run");
  std::string plan, weights, inputs, outputs, device;
  std::optional<uint64_t> randomWeights;
  app.add_option("plan", plan, "The plan, *.fkx")->required();
  app.add_option(
      "--weights", weights,
      "Folder of the checkpoint; the one it was compiled from if none");
  app.add_option("--random-weights", randomWeights, "Draw weights by this seed")
      ->excludes("--weights");
  app.add_option("--inputs", inputs, "safetensors with the inputs")->required();
  app.add_option("--outputs", outputs, "safetensors to write")->required();
  app.add_option("--device", device,
                 "The plan's own if none; cuda:N chooses a GPU");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  try {
    auto loaded = std::make_shared<const Plan>(Plan::load(plan));
    const NamedTensors tensors = tool::readTensors(inputs);
    if (device.empty())
      device = loaded->device;
    Session session(loaded, createDevice(device), limitsFor(*loaded, tensors));
    if (randomWeights)
      session.drawWeights(*randomWeights);
    else
      session.loadWeights(Checkpoint::open(
          weights.empty() ? loaded->model.checkpoint : weights));
    tool::writeTensors(outputs, runForward(session, tensors));
    return 0;
  } catch (const Error &error) {
    return tool::printError(error);
  }
}
