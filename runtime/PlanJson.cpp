//===- PlanJson.cpp - Plans as JSON ---------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Form only: types, keys and ranges of single numbers. What the parts say of
// each other is PlanVerify.cpp's. docs/plan.md shows the form.
//
//===----------------------------------------------------------------------===//

#include "runtime/Plan.h"
#include "runtime/support/Error.h"
#include "runtime/support/Json.h"

#include <cmath>
#include <limits>

using namespace fk;
using nlohmann::json;
using Ordered = nlohmann::ordered_json;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {

constexpr int64_t maxInt = std::numeric_limits<int64_t>::max();
constexpr int64_t minInt = std::numeric_limits<int64_t>::min();

/// A JSON value and the way to it, for messages.
class Node {
public:
  Node(const json &value, std::string path, std::string_view file)
      : value(value), path(std::move(path)), file(file) {}

  [[noreturn]] void fail(const std::string &wanted,
                         const std::string &got) const {
    throw Error({.what = "plan is malformed at " + path,
                 .where = std::string(file),
                 .wanted = wanted,
                 .got = got});
  }
  [[noreturn]] void fail(const std::string &wanted) const {
    fail(wanted, std::string(describeJsonType(value)));
  }

  std::string asString() const {
    if (!value.is_string())
      fail("a string");
    return value.get<std::string>();
  }

  int64_t asInteger(int64_t low = minInt, int64_t high = maxInt) const {
    std::string wanted = "an integer";
    if (low != minInt)
      wanted += ", at least " + std::to_string(low);
    if (high != maxInt)
      wanted += ", at most " + std::to_string(high);
    if (!value.is_number_integer())
      fail(wanted);
    if ((value.is_number_unsigned() &&
         value.get<uint64_t>() > static_cast<uint64_t>(maxInt)) ||
        value.get<int64_t>() < low || value.get<int64_t>() > high)
      fail(wanted, value.dump());
    return value.get<int64_t>();
  }

  double asNumber() const {
    if (!value.is_number())
      fail("a number");
    return value.get<double>();
  }

  bool asBool() const {
    if (!value.is_boolean())
      fail("a boolean");
    return value.get<bool>();
  }

  DType asDType() const {
    std::string name = asString();
    auto type = parseDType(name);
    if (!type)
      fail("an element type such as f32", "'" + name + "'");
    return *type;
  }

  /// Integers stand for themselves; everything else is text.
  Expr asExpr() const {
    if (value.is_number_integer())
      return asInteger();
    if (!value.is_string())
      fail("an integer or an expression");
    return Expr::parse(asString(), std::string(file) + ", " + path);
  }

  Expr asCondition() const {
    return Expr::parseCondition(asString(), std::string(file) + ", " + path);
  }

  std::vector<Node>
  asList(size_t low = 0,
         size_t high = std::numeric_limits<size_t>::max()) const {
    if (!value.is_array())
      fail("a list");
    if (value.size() < low || value.size() > high)
      fail("a list of " + std::to_string(low) +
               (low == high ? "" : " or more") + " entries",
           std::to_string(value.size()));
    std::vector<Node> nodes;
    nodes.reserve(value.size());
    for (size_t i = 0; i < value.size(); ++i)
      nodes.emplace_back(value[i], path + "[" + std::to_string(i) + "]", file);
    return nodes;
  }

  template <typename Item> auto asListOf(Item item) const {
    std::vector<decltype(item(*this))> items;
    for (const Node &node : asList())
      items.push_back(item(node));
    return items;
  }

  const json &get() const { return value; }
  const std::string &getPath() const { return path; }
  std::string_view getFile() const { return file; }

private:
  const json &value;
  std::string path;
  std::string_view file;
};

/// An object of which every key must be known.
class Fields {
public:
  explicit Fields(const Node &node) : node(node) {
    if (!node.get().is_object())
      node.fail("an object");
  }

  /// Reads `key`; it must be there.
  template <typename Read> void need(const char *key, Read read) {
    if (!may(key, read))
      node.fail("key '" + std::string(key) + "'", "an object without it");
  }

  /// Reads `key` where it is there.
  template <typename Read> bool may(const char *key, Read read) {
    known.push_back(key);
    auto it = node.get().find(key);
    if (it == node.get().end())
      return false;
    read(Node(*it, node.getPath() + "." + key, node.getFile()));
    return true;
  }

  void needString(const char *key, std::string &out) {
    need(key, [&](const Node &value) { out = value.asString(); });
  }
  void mayString(const char *key, std::string &out) {
    may(key, [&](const Node &value) { out = value.asString(); });
  }
  void mayInteger(const char *key, int64_t &out, int64_t low = minInt) {
    may(key, [&](const Node &value) { out = value.asInteger(low); });
  }
  void mayNumber(const char *key, double &out) {
    may(key, [&](const Node &value) { out = value.asNumber(); });
  }
  void mayBool(const char *key, bool &out) {
    may(key, [&](const Node &value) { out = value.asBool(); });
  }
  void mayCondition(const char *key, Expr &out) {
    may(key, [&](const Node &value) { out = value.asCondition(); });
  }
  void needDType(const char *key, DType &out) {
    need(key, [&](const Node &value) { out = value.asDType(); });
  }
  void needDims(const char *key, Dims &out) {
    need(key, [&](const Node &value) {
      out = value.asListOf([](const Node &dim) { return dim.asExpr(); });
    });
  }
  /// A list of objects; `read` fills one from its Fields.
  template <typename T, typename Read>
  void readList(const char *key, std::vector<T> &out, Read read) {
    may(key, [&](const Node &value) {
      for (const Node &item : value.asList()) {
        Fields fields(item);
        read(fields, out.emplace_back());
        fields.finish();
      }
    });
  }
  void readIndices(const char *key, std::vector<int64_t> &out) {
    need(key, [&](const Node &value) {
      out = value.asListOf([](const Node &item) { return item.asInteger(0); });
    });
  }

  /// Call last: refuses what nobody asked for.
  void finish() const {
    for (const auto &[key, value] : node.get().items())
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        std::string wanted;
        for (const char *name : known)
          wanted += (wanted.empty() ? "" : ", ") + std::string(name);
        node.fail("keys among " + wanted, "unknown key '" + key + "'");
      }
  }

  const Node &getNode() const { return node; }

private:
  Node node;
  std::vector<const char *> known;
};

void readModel(Fields &fields, ModelInfo &model) {
  fields.mayString("architecture", model.architecture);
  fields.mayString("family", model.family);
  fields.mayInteger("vocab_size", model.vocabSize, 0);
  fields.mayInteger("max_positions", model.maxPositions, 0);
  fields.mayInteger("pad_token_id", model.padTokenId);
  fields.may("eos_token_ids", [&](const Node &value) {
    model.eosTokenIds =
        value.asListOf([](const Node &id) { return id.asInteger(0); });
  });
  fields.mayInteger("page_size", model.pageSize, 0);
  fields.mayString("checkpoint", model.checkpoint);
}

void readRopeTable(Fields &fields, RopeTable &table) {
  auto readFactors = [&](const char *key, std::vector<double> &out) {
    fields.may(key, [&](const Node &value) {
      out = value.asListOf([](const Node &item) { return item.asNumber(); });
    });
  };
  fields.needString("type", table.type);
  fields.need("rotary_dim",
              [&](const Node &value) { table.rotaryDim = value.asInteger(2); });
  fields.mayNumber("theta", table.theta);
  fields.mayNumber("factor", table.factor);
  fields.mayInteger("original_max_positions", table.originalMaxPositions, 0);
  fields.mayInteger("max_positions", table.maxPositions, 0);
  fields.mayNumber("low_freq_factor", table.lowFreqFactor);
  fields.mayNumber("high_freq_factor", table.highFreqFactor);
  fields.mayNumber("beta_fast", table.betaFast);
  fields.mayNumber("beta_slow", table.betaSlow);
  fields.mayNumber("attention_factor", table.attentionFactor);
  fields.mayNumber("mscale", table.mscale);
  fields.mayNumber("mscale_all_dim", table.mscaleAllDim);
  fields.mayBool("truncate", table.truncate);
  readFactors("short_factor", table.shortFactor);
  readFactors("long_factor", table.longFactor);
}

void readWeight(Fields &fields, PlanWeight &weight) {
  fields.needString("name", weight.name);
  fields.needDType("dtype", weight.dtype);
  fields.needDims("shape", weight.shape);
  fields.readList("parts", weight.parts, [](Fields &part, WeightPart &out) {
    part.needString("tensor", out.tensor);
    part.mayInteger("begin", out.begin, 0);
    part.mayInteger("end", out.end, -1);
  });
  fields.may("rope_table", [&](const Node &value) {
    Fields table(value);
    readRopeTable(table, weight.ropeTable.emplace());
    table.finish();
  });
}

constexpr std::pair<const char *, PlanValue::Kind> valueKinds[] = {
    {"param", PlanValue::Kind::Param},   {"result", PlanValue::Kind::Result},
    {"weight", PlanValue::Kind::Weight}, {"state", PlanValue::Kind::State},
    {"buffer", PlanValue::Kind::Buffer}, {"view", PlanValue::Kind::View}};

void readRole(Fields &fields, Role &role) {
  fields.needString("kind", role.kind);
  fields.mayString("from", role.from);
  fields.mayString("rule", role.rule);
  fields.mayInteger("padding_idx", role.paddingIdx);
  fields.may("default",
             [&](const Node &value) { role.defaultValue = value.asInteger(); });
}

void readValue(Fields &fields, PlanValue &value) {
  using Kind = PlanValue::Kind;
  fields.need("kind", [&](const Node &node) {
    std::string name = node.asString();
    for (auto [spelling, kind] : valueKinds)
      if (name == spelling) {
        value.kind = kind;
        return;
      }
    node.fail("param, result, weight, state, buffer or view", "'" + name + "'");
  });
  if (value.kind != Kind::Buffer && value.kind != Kind::View)
    fields.needString("name", value.name);
  fields.needDType("dtype", value.dtype);
  fields.needDims("shape", value.shape);
  if (value.kind == Kind::Param || value.kind == Kind::Result)
    fields.may("role", [&](const Node &node) {
      Fields role(node);
      readRole(role, value.role);
      role.finish();
    });
  if (value.kind == Kind::Buffer)
    fields.need("slot",
                [&](const Node &node) { value.slot = node.asInteger(0); });
  if (value.kind == Kind::View)
    fields.need("base",
                [&](const Node &node) { value.base = node.asInteger(0); });
}

/// Lists of pairs and triples keep the order, which JSON objects do not.
void readTensors(Fields &fields, const char *key,
                 std::vector<LaunchTensor> &out) {
  fields.need(key, [&](const Node &value) {
    out = value.asListOf([](const Node &item) {
      auto pair = item.asList(2, 2);
      return LaunchTensor{pair[0].asString(), pair[1].asInteger(-1)};
    });
  });
}

void readScalars(Fields &fields, const char *key,
                 std::vector<LaunchScalar> &out) {
  fields.may(key, [&](const Node &value) {
    out = value.asListOf([](const Node &item) {
      auto triple = item.asList(3, 3);
      return LaunchScalar{triple[0].asString(), triple[1].asDType(),
                          triple[2].asNumber()};
    });
  });
}

void readLaunch(Fields &fields, Launch &launch) {
  fields.needString("task", launch.task);
  readTensors(fields, "results", launch.results);
  readTensors(fields, "operands", launch.operands);
  readScalars(fields, "scalars", launch.scalars);
  readScalars(fields, "variants", launch.variants);
  fields.need("axes", [&](const Node &value) {
    launch.axes = value.asListOf([](const Node &item) {
      auto pair = item.asList(2, 2);
      return std::pair(pair[0].asString(), pair[1].asExpr());
    });
  });
  fields.readList("kernels", launch.kernels,
                  [](Fields &kernel, KernelChoice &out) {
                    kernel.needString("provider", out.provider);
                    kernel.needString("kernel", out.kernel);
                    kernel.mayCondition("where", out.where);
                  });
}

void readStep(Fields &fields, PlanStep &step) {
  fields.mayString("place", step.place);
  bool isLaunch = fields.may("launch", [&](const Node &node) {
    Fields launch(node);
    readLaunch(launch, step.action.emplace<Launch>());
    launch.finish();
  });
  bool isCall = fields.may("call", [&](const Node &node) {
    Fields call(node);
    Call &out = step.action.emplace<Call>();
    call.needString("callee", out.callee);
    call.readIndices("args", out.args);
    call.readIndices("results", out.results);
    call.finish();
  });
  if (isLaunch == isCall)
    fields.getNode().fail("either 'launch' or 'call'",
                          isLaunch ? "both" : "neither");
}

void readFunction(Fields &fields, PlanFunction &function) {
  fields.needString("name", function.name);
  fields.mayBool("public", function.isPublic);
  fields.mayString("task", function.task);
  fields.mayString("level", function.level);
  fields.readList("values", function.values, readValue);
  fields.readIndices("params", function.params);
  fields.readIndices("results", function.results);
  fields.needDims("slots", function.slots);
  fields.readList("steps", function.steps, readStep);
}

void readTriple(Fields &fields, const char *key, Expr (&out)[3]) {
  fields.may(key, [&](const Node &value) {
    auto triple = value.asList(3, 3);
    for (int i = 0; i < 3; ++i)
      out[i] = triple[i].asExpr();
  });
}

void readCandidate(Fields &fields, PlanCandidate &candidate) {
  fields.needString("name", candidate.name);
  fields.needString("task", candidate.task);
  fields.mayString("file", candidate.file);
  fields.mayString("sha256", candidate.sha256);
  fields.need("dtypes", [&](const Node &value) {
    candidate.dtypes =
        value.asListOf([](const Node &type) { return type.asDType(); });
  });
  auto readDeclared = [](Fields &launch, DeclaredLaunch &out) {
    launch.needString("entry", out.entry);
    readTriple(launch, "grid", out.grid);
    readTriple(launch, "block", out.block);
    readTriple(launch, "cluster", out.cluster);
    launch.may("smem",
               [&](const Node &node) { out.sharedBytes = node.asExpr(); });
    launch.mayBool("pdl", out.pdl);
    launch.need("args", [&](const Node &node) {
      out.args = node.asListOf([](const Node &arg) { return arg.asString(); });
    });
  };
  fields.readList("variants", candidate.variants,
                  [&](Fields &variant, CandidateVariant &out) {
                    variant.mayCondition("where", out.where);
                    variant.needString("image", out.image);
                    variant.may("workspace", [&](const Node &node) {
                      out.workspaceBytes = node.asExpr();
                    });
                    variant.readList("launches", out.launches, readDeclared);
                  });
}

void readPlan(Fields &fields, Plan &plan) {
  fields.need("version", [](const Node &node) {
    if (node.asInteger() != Plan::formatVersion)
      throw Error({.what = "plan has another version",
                   .where = std::string(node.getFile()),
                   .wanted = std::to_string(Plan::formatVersion),
                   .got = std::to_string(node.asInteger()),
                   .mend = "compile it again with this fk"});
  });
  fields.need("model", [&](const Node &node) {
    Fields model(node);
    readModel(model, plan.model);
    model.finish();
  });
  fields.needString("device", plan.device);
  fields.mayString("arch", plan.arch);
  fields.needDType("dtype", plan.dtype);
  fields.need("symbols", [&](const Node &node) {
    plan.symbols =
        node.asListOf([](const Node &name) { return name.asString(); });
  });
  fields.readList("weights", plan.weights, readWeight);
  fields.readList("states", plan.states, [](Fields &state, PlanState &out) {
    state.needString("name", out.name);
    state.needString("kind", out.kind);
    state.needDType("dtype", out.dtype);
    state.needDims("shape", out.shape);
  });
  fields.readList("functions", plan.functions, readFunction);
  fields.readList("candidates", plan.candidates, readCandidate);
  fields.may("images", [&](const Node &node) {
    Fields check(node);
    for (const auto &[name, value] : node.get().items()) {
      Fields image(Node(value, node.getPath() + "." + name, node.getFile()));
      image.needString("kind", plan.images[name].kind);
      image.finish();
    }
  });
  fields.readList("notes", plan.notes, [](Fields &note, Plan::Note &out) {
    note.mayString("pass", out.pass);
    note.mayString("name", out.name);
    note.mayString("place", out.place);
    note.mayString("text", out.text);
    note.mayBool("missed", out.missed);
  });
}

} // namespace

Plan Plan::fromJson(std::string_view text, std::string_view where) {
  json value = parseJson(text, std::string(where));
  Fields fields(Node(value, "the top", where));
  Plan plan;
  readPlan(fields, plan);
  fields.finish();
  plan.verify(where);
  return plan;
}
