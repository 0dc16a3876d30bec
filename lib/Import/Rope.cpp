//===- Rope.cpp - Rotary settings of a config -----------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Old files say `rope_theta` and `rope_scaling` ({type | rope_type, ...}, or
// null); newer ones `rope_parameters`, with rope_theta inside.
//
//===----------------------------------------------------------------------===//

#include "fk/Import/Config.h"

#include "runtime/support/Error.h"

#include <nlohmann/json.hpp>

using namespace fk;
using llvm::StringRef;

namespace {
/// The settings, wherever the config keeps them.
class RopeReader {
public:
  RopeReader(const Config &config, int64_t headDim, int64_t maxPositions,
             const RopeRules &rules);

  RopeTable read();

private:
  void readRotaryDim();
  void readOriginalMaxPositions();
  void readYarn();
  void readLongRope();
  /// A number of the settings; where they are silent, of the config's top.
  std::optional<double> getShared(StringRef key);

  const Config &config;
  Config settings;
  RopeRules rules;
  RopeTable table;
  int64_t headDim;
};
} // namespace

static Config findSettings(const Config &config) {
  std::optional<Config> old = config.getObject("rope_scaling");
  std::optional<Config> parameters = config.getObject("rope_parameters");
  if (old && parameters)
    config.fail("rope_scaling", "null, as rope_parameters is there",
                "keep one of them");
  if (old)
    return *old;
  if (parameters)
    return *parameters;
  return Config(
      std::make_shared<const nlohmann::json>(nlohmann::json::object()),
      config.getWhere());
}

RopeReader::RopeReader(const Config &config, int64_t headDim,
                       int64_t maxPositions, const RopeRules &rules)
    : config(config), settings(findSettings(config)), rules(rules),
      headDim(headDim) {
  table.maxPositions = maxPositions;
}

std::optional<double> RopeReader::getShared(StringRef key) {
  bool inside = settings.has(key), outside = config.has(key);
  if (inside && outside && settings.getNumber(key) != config.getNumber(key))
    config.fail(key,
                std::to_string(settings.getNumber(key)) +
                    ", as the rotary settings say",
                "keep one of them");
  if (inside)
    return settings.getNumber(key);
  if (outside)
    return config.getNumber(key);
  return std::nullopt;
}

void RopeReader::readRotaryDim() {
  double factor = getShared("partial_rotary_factor").value_or(1.0);
  if (!(factor > 0 && factor <= 1) || (factor != 1 && !rules.partial)) {
    const Config &holder =
        settings.has("partial_rotary_factor") ? settings : config;
    holder.fail("partial_rotary_factor",
                rules.partial ? "a number above 0 and at most 1" : "1",
                rules.partial ? "" : "this architecture rotates whole heads");
  }
  table.rotaryDim = int64_t(double(headDim) * factor);
  if (table.rotaryDim < 2 || table.rotaryDim % 2)
    throw Error(
        {"the rotated part of a head cannot be paired", config.getWhere(),
         "an even number of elements",
         std::to_string(table.rotaryDim) + " of " + std::to_string(headDim),
         "check head_dim and partial_rotary_factor"});
}

void RopeReader::readOriginalMaxPositions() {
  // A value at the top of the config wins, as in the library.
  int64_t top = config.getSize(
      "original_max_position_embeddings",
      rules.originalMaxPositions ? rules.originalMaxPositions : int64_t(-1));
  int64_t inside =
      settings.getSize("original_max_position_embeddings", table.maxPositions);
  bool scaled = table.type == "llama3" || table.type == "yarn" ||
                table.type == "longrope";
  table.originalMaxPositions = !scaled   ? table.maxPositions
                               : top > 0 ? top
                                         : inside;
}

void RopeReader::readYarn() {
  table.factor = settings.getPositive("factor", double(table.maxPositions) /
                                                    table.originalMaxPositions);
  table.attentionFactor = settings.getPositive("attention_factor", 0.0);
  table.mscale = settings.getNumber("mscale", 0.0);
  table.mscaleAllDim = settings.getNumber("mscale_all_dim", 0.0);
  table.betaFast = settings.getPositive("beta_fast", 32.0);
  table.betaSlow = settings.getPositive("beta_slow", 1.0);
  table.truncate = settings.getBool("truncate", true);
  if (table.betaFast < table.betaSlow)
    settings.fail("beta_fast", "at least beta_slow");
}

void RopeReader::readLongRope() {
  table.factor = settings.getPositive("factor", double(table.maxPositions) /
                                                    table.originalMaxPositions);
  table.attentionFactor = settings.getPositive("attention_factor", 0.0);
  table.shortFactor = settings.getNumbers("short_factor");
  table.longFactor = settings.getNumbers("long_factor");
  size_t pairs = table.rotaryDim / 2;
  for (auto [key, list] : {std::pair("short_factor", &table.shortFactor),
                           std::pair("long_factor", &table.longFactor)}) {
    if (list->size() != pairs)
      throw Error({std::string("key '") + key + "' of the config",
                   settings.getWhere(),
                   std::to_string(pairs) + " numbers, one for each pair",
                   std::to_string(list->size()), "check head_dim"});
    for (double number : *list)
      if (!(number > 0))
        settings.fail(key, "numbers above 0");
  }
  if (table.originalMaxPositions < 2)
    config.fail("original_max_position_embeddings", "at least 2");
}

RopeTable RopeReader::read() {
  std::string type = settings.getString("type", "");
  std::string newer = settings.getString("rope_type", type);
  if (!type.empty() && newer != type)
    settings.fail("rope_type", "'" + type + "', as type says",
                  "keep one of them");
  type = newer.empty() ? "default" : newer;
  if (rules.suIsLongRope && (type == "su" || type == "yarn"))
    type = "longrope";
  table.type = type;

  readRotaryDim();
  table.theta = getShared("rope_theta").value_or(10000.0);
  if (!(table.theta > 0))
    config.fail("rope_theta", "a number above 0");
  readOriginalMaxPositions();

  if (type == "linear" || type == "dynamic") {
    table.factor = settings.getPositive("factor");
  } else if (type == "llama3") {
    table.factor = settings.getPositive("factor");
    table.lowFreqFactor = settings.getPositive("low_freq_factor");
    table.highFreqFactor = settings.getPositive("high_freq_factor");
    if (table.highFreqFactor <= table.lowFreqFactor)
      settings.fail("high_freq_factor", "more than low_freq_factor");
  } else if (type == "yarn") {
    readYarn();
  } else if (type == "longrope") {
    readLongRope();
  } else if (type != "default") {
    settings.fail(settings.has("rope_type") ? "rope_type" : "type",
                  "default, linear, dynamic, yarn, llama3 or longrope");
  }
  if (type == "dynamic" && table.rotaryDim <= 2)
    throw Error({"dynamic rotary scaling needs more than one pair",
                 config.getWhere(), "head_dim above 2",
                 std::to_string(table.rotaryDim), "check head_dim"});
  // `finetuned` records how a checkpoint came to be.
  settings.finish({"finetuned"});
  return std::move(table);
}

RopeTable fk::readRope(const Config &config, int64_t headDim,
                       int64_t maxPositions, const RopeRules &rules) {
  return RopeReader(config, headDim, maxPositions, rules).read();
}
