//===- PlanToJson.cpp - Writing plans as JSON -----------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// What equals its default is left out. PlanJson.cpp reads it back.
//
//===----------------------------------------------------------------------===//

#include "runtime/Plan.h"
#include "runtime/support/Error.h"
#include "runtime/support/Json.h"

using namespace fk;
using Json = nlohmann::ordered_json;

static Json toJson(const Expr &expr) {
  if (expr && expr.getNode()->op == ExprOp::Constant)
    return expr.getNode()->constant;
  return expr.str();
}

static Json toJson(const Dims &dims) {
  Json list = Json::array();
  for (const Expr &dim : dims)
    list.push_back(toJson(dim));
  return list;
}

/// Puts `value` under `key` unless it is what a reader assumes anyway.
template <typename T>
static void put(Json &json, const char *key, const T &value,
                const T &assumed = T()) {
  if (value != assumed)
    json[key] = value;
}

static Json toJson(const ModelInfo &model) {
  Json json = Json::object();
  put(json, "architecture", model.architecture);
  put(json, "family", model.family);
  put(json, "vocab_size", model.vocabSize);
  put(json, "max_positions", model.maxPositions);
  put(json, "pad_token_id", model.padTokenId, int64_t(-1));
  put(json, "eos_token_ids", model.eosTokenIds);
  put(json, "page_size", model.pageSize);
  put(json, "checkpoint", model.checkpoint);
  return json;
}

static Json toJson(const RopeTable &table) {
  const RopeTable assumed;
  Json json = {{"type", table.type}, {"rotary_dim", table.rotaryDim}};
  put(json, "theta", table.theta, assumed.theta);
  put(json, "factor", table.factor, assumed.factor);
  put(json, "original_max_positions", table.originalMaxPositions);
  put(json, "max_positions", table.maxPositions);
  put(json, "low_freq_factor", table.lowFreqFactor);
  put(json, "high_freq_factor", table.highFreqFactor);
  put(json, "beta_fast", table.betaFast);
  put(json, "beta_slow", table.betaSlow);
  put(json, "attention_factor", table.attentionFactor);
  put(json, "mscale", table.mscale);
  put(json, "mscale_all_dim", table.mscaleAllDim);
  put(json, "truncate", table.truncate, assumed.truncate);
  put(json, "short_factor", table.shortFactor);
  put(json, "long_factor", table.longFactor);
  return json;
}

static Json toJson(const PlanWeight &weight) {
  Json json = {{"name", weight.name},
               {"dtype", getName(weight.dtype)},
               {"shape", toJson(weight.shape)}};
  for (const WeightPart &part : weight.parts) {
    Json item = {{"tensor", part.tensor}};
    put(item, "begin", part.begin);
    put(item, "end", part.end, int64_t(-1));
    json["parts"].push_back(std::move(item));
  }
  if (weight.ropeTable)
    json["rope_table"] = toJson(*weight.ropeTable);
  return json;
}

static Json toJson(const Role &role) {
  Json json = {{"kind", role.kind}};
  put(json, "from", role.from);
  put(json, "rule", role.rule);
  put(json, "padding_idx", role.paddingIdx);
  if (role.defaultValue)
    json["default"] = *role.defaultValue;
  return json;
}

static Json toJson(const PlanValue &value) {
  using Kind = PlanValue::Kind;
  static constexpr const char *kinds[] = {"param", "result", "weight",
                                          "state", "buffer", "view"};
  Json json = {{"kind", kinds[static_cast<int>(value.kind)]}};
  if (value.kind != Kind::Buffer && value.kind != Kind::View)
    json["name"] = value.name;
  json["dtype"] = getName(value.dtype);
  json["shape"] = toJson(value.shape);
  if (!value.role.kind.empty())
    json["role"] = toJson(value.role);
  if (value.kind == Kind::Buffer)
    json["slot"] = value.slot;
  if (value.kind == Kind::View)
    json["base"] = value.base;
  return json;
}

static Json toJson(const std::vector<LaunchTensor> &tensors) {
  Json list = Json::array();
  for (const LaunchTensor &tensor : tensors)
    list.push_back(Json::array({tensor.name, tensor.value}));
  return list;
}

static void putScalars(Json &json, const char *key,
                       const std::vector<LaunchScalar> &scalars) {
  for (const LaunchScalar &scalar : scalars) {
    Json triple = Json::array({scalar.name, getName(scalar.type)});
    if (isFloat(scalar.type))
      triple.push_back(scalar.value);
    else
      triple.push_back(static_cast<int64_t>(scalar.value));
    json[key].push_back(std::move(triple));
  }
}

static Json toJson(const Launch &launch) {
  Json json = {{"task", launch.task},
               {"results", toJson(launch.results)},
               {"operands", toJson(launch.operands)}};
  putScalars(json, "scalars", launch.scalars);
  putScalars(json, "variants", launch.variants);
  json["axes"] = Json::array();
  for (const auto &[name, extent] : launch.axes)
    json["axes"].push_back(Json::array({name, toJson(extent)}));
  for (const KernelChoice &kernel : launch.kernels) {
    Json item = {{"provider", kernel.provider}, {"kernel", kernel.kernel}};
    put(item, "where", kernel.where.str());
    json["kernels"].push_back(std::move(item));
  }
  return json;
}

static Json toJson(const PlanStep &step) {
  Json json = Json::object();
  put(json, "place", step.place);
  if (const auto *launch = std::get_if<Launch>(&step.action)) {
    json["launch"] = toJson(*launch);
  } else {
    const auto &call = std::get<Call>(step.action);
    json["call"] = {{"callee", call.callee},
                    {"args", call.args},
                    {"results", call.results}};
  }
  return json;
}

static Json toJson(const PlanFunction &function) {
  Json json = {{"name", function.name}};
  put(json, "public", function.isPublic);
  put(json, "task", function.task);
  put(json, "level", function.level);
  json["values"] = Json::array();
  for (const PlanValue &value : function.values)
    json["values"].push_back(toJson(value));
  json["params"] = function.params;
  json["results"] = function.results;
  json["slots"] = toJson(function.slots);
  json["steps"] = Json::array();
  for (const PlanStep &step : function.steps)
    json["steps"].push_back(toJson(step));
  return json;
}

static Json toJson(const DeclaredLaunch &launch) {
  auto triple = [](const Expr(&exprs)[3]) {
    return Json::array({toJson(exprs[0]), toJson(exprs[1]), toJson(exprs[2])});
  };
  Json json = {{"entry", launch.entry},
               {"grid", triple(launch.grid)},
               {"block", triple(launch.block)}};
  const Json single = Json::array({1, 1, 1});
  put(json, "cluster", triple(launch.cluster), single);
  put(json, "smem", toJson(launch.sharedBytes), Json(0));
  put(json, "pdl", launch.pdl);
  json["args"] = launch.args;
  return json;
}

static Json toJson(const PlanCandidate &candidate) {
  Json json = {{"name", candidate.name}, {"task", candidate.task}};
  put(json, "file", candidate.file);
  put(json, "sha256", candidate.sha256);
  json["dtypes"] = Json::array();
  for (DType type : candidate.dtypes)
    json["dtypes"].push_back(getName(type));
  for (const CandidateVariant &variant : candidate.variants) {
    Json item = Json::object();
    put(item, "where", variant.where.str());
    item["image"] = variant.image;
    put(item, "workspace", toJson(variant.workspaceBytes), Json(0));
    for (const DeclaredLaunch &launch : variant.launches)
      item["launches"].push_back(toJson(launch));
    json["variants"].push_back(std::move(item));
  }
  return json;
}

std::string Plan::toJson() const {
  Json json = {{"version", formatVersion},
               {"model", ::toJson(model)},
               {"device", device}};
  put(json, "arch", arch);
  json["dtype"] = getName(dtype);
  json["symbols"] = symbols;
  for (const PlanWeight &weight : weights)
    json["weights"].push_back(::toJson(weight));
  for (const PlanState &state : states)
    json["states"].push_back({{"name", state.name},
                              {"kind", state.kind},
                              {"dtype", getName(state.dtype)},
                              {"shape", ::toJson(state.shape)}});
  for (const PlanFunction &function : functions)
    json["functions"].push_back(::toJson(function));
  for (const PlanCandidate &candidate : candidates)
    json["candidates"].push_back(::toJson(candidate));
  for (const auto &[name, image] : images)
    json["images"][name] = {{"kind", image.kind}};
  for (const Note &note : notes) {
    Json item = Json::object();
    put(item, "pass", note.pass);
    put(item, "name", note.name);
    put(item, "place", note.place);
    put(item, "text", note.text);
    put(item, "missed", note.missed);
    json["notes"].push_back(std::move(item));
  }
  try {
    return json.dump();
  } catch (const Json::exception &exception) {
    throw Error({.what = "the plan cannot be written as JSON",
                 .got = getJsonMessage(exception)});
  }
}
