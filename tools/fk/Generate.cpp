//===- Generate.cpp - fk generate -----------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/Batch.h"
#include "runtime/support/Error.h"
#include "tools/fk/Commands.h"
#include "tools/fk/ModelSource.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <charconv>
#include <iostream>

using namespace fk;
using namespace fk::tool;
using json = nlohmann::ordered_json;

namespace {

struct GenerateCommand {
  ModelOptions model;
  std::vector<std::string> prompts;
  int64_t maxNewTokens = 16;
  SamplingParams sampling;
  bool ignoreEos = false, noGraphs = false, asJson = false;
};

/// "1,2,3" -> {1, 2, 3}.
std::vector<int32_t> parseIds(const std::string &text) {
  std::vector<int32_t> ids;
  const char *at = text.data(), *end = at + text.size();
  while (true) {
    while (at != end && *at == ' ')
      ++at;
    int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    if (error != std::errc())
      throw Error({"prompt is not a list of token ids", "--prompt-ids",
                   "integers with commas, such as 1,2,3", text,
                   "tokenize the prompt first"});
    ids.push_back(id);
    at = next;
    while (at != end && *at == ' ')
      ++at;
    if (at == end)
      return ids;
    if (*at++ != ',')
      throw Error({"prompt is not a list of token ids", "--prompt-ids",
                   "integers with commas, such as 1,2,3", text,
                   "tokenize the prompt first"});
  }
}

int runGenerate(const GenerateCommand &options) {
  GenerateRequest request;
  for (const std::string &prompt : options.prompts)
    request.prompts.push_back(parseIds(prompt));
  request.maxNewTokens = options.maxNewTokens;
  request.sampling = {options.sampling};
  request.stopAtEos = !options.ignoreEos;
  request.useGraphs = !options.noGraphs;

  auto plan = std::make_shared<const Plan>(openPlan(options.model));
  std::shared_ptr<Device> device = createDevice(options.model.device);
  auto session =
      openSession(plan, device, limitsFor(*plan, request), options.model);
  const bool single = request.prompts.size() == 1;
  if (single && !options.asJson)
    request.onToken = [](size_t, int32_t token) {
      std::cout << token << " " << std::flush;
    };
  const GenerateResult result = generate(*session, request);

  if (options.asJson) {
    json stops = json::array();
    for (StopReason reason : result.stopReasons)
      stops.push_back(reason == StopReason::EndOfSequence ? "eos" : "length");
    std::cout << json{{"tokens", result.tokens},
                      {"stop_reasons", stops},
                      {"device", device->getDescription()},
                      {"prefill_ms", result.prefillMilliseconds},
                      {"decode_ms", result.decodeMilliseconds}}
                     .dump()
              << "\n";
    return 0;
  }
  if (single) {
    std::cout << "\n";
    return 0;
  }
  for (const std::vector<int32_t> &tokens : result.tokens) {
    for (int32_t token : tokens)
      std::cout << token << " ";
    std::cout << "\n";
  }
  return 0;
}

} // namespace

void tool::addGenerateCommand(CLI::App &app, Action &action) {
  auto *command =
      app.add_subcommand("generate", "New tokens from prompts of ids");
  auto options = std::make_shared<GenerateCommand>();
  addModelOptions(*command, options->model, /*runs=*/true);
  command
      ->add_option("--prompt-ids", options->prompts,
                   "A prompt's token ids, 1,2,3; again for more prompts")
      ->required()
      ->allow_extra_args(false);
  command->add_option("--max-new-tokens", options->maxNewTokens)
      ->capture_default_str();
  command
      ->add_option("--temperature", options->sampling.temperature, "0: greedy")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--top-k", options->sampling.topK, "0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--top-p", options->sampling.topP)
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--seed", options->sampling.seed, "Of the sampling")
      ->capture_default_str();
  command->add_flag("--ignore-eos", options->ignoreEos,
                    "Go on to --max-new-tokens");
  command->add_flag("--no-graphs", options->noGraphs,
                    "Decode without CUDA graphs");
  command->add_flag("--json", options->asJson, "Machine-readable");
  command->callback([options, &action] {
    action = [options] { return runGenerate(*options); };
  });
}
