//===- RuntimeToy.h - A plan small enough to check by hand -----*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// forward:  x = table[ids] (vocab 32, width 2); two calls of `layer`, each
//           x = 2 * (x + w); hidden = x + positions; last = its last row of
//           each sequence.
// step:     writes the ids into a paged cache; the next token is the sum of all
//           cached ids of the sequence, modulo 32.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TEST_UNIT_RUNTIMETOY_H
#define FK_TEST_UNIT_RUNTIMETOY_H

#include "runtime/Session.h"
#include "runtime/support/Error.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <string>

namespace fk::toy {

inline Expr expr(const std::string &text) { return Expr::parse(text, "toy"); }

inline Dims dims(std::initializer_list<const char *> texts) {
  Dims result;
  for (const char *text : texts)
    result.push_back(expr(text));
  return result;
}

inline PlanValue value(PlanValue::Kind kind, std::string name, DType dtype,
                       Dims shape, Role role = {}) {
  PlanValue result;
  result.kind = kind;
  result.name = std::move(name);
  result.dtype = dtype;
  result.shape = std::move(shape);
  result.role = std::move(role);
  return result;
}

inline PlanValue buffer(DType dtype, Dims shape, int64_t slot) {
  PlanValue result =
      value(PlanValue::Kind::Buffer, "", dtype, std::move(shape));
  result.slot = slot;
  return result;
}

inline Role role(std::string kind, std::string from = "") {
  Role result;
  result.kind = std::move(kind);
  result.from = std::move(from);
  return result;
}

inline PlanStep launch(std::string place, std::string task,
                       std::vector<LaunchTensor> results,
                       std::vector<LaunchTensor> operands,
                       std::vector<std::pair<std::string, Expr>> axes,
                       std::vector<KernelChoice> kernels = {}) {
  Launch action;
  if (kernels.empty())
    kernels.push_back({"toy", task, Expr()});
  action.task = std::move(task);
  action.results = std::move(results);
  action.operands = std::move(operands);
  action.axes = std::move(axes);
  action.kernels = std::move(kernels);
  return {std::move(place), std::move(action)};
}

inline PlanFunction makeLayer() {
  PlanFunction layer;
  layer.name = "layer";
  layer.task = "layer";
  layer.level = "L3";
  using Kind = PlanValue::Kind;
  layer.values = {
      value(Kind::Param, "x", DType::F32, dims({"tokens", "2"})),
      value(Kind::Param, "w", DType::F32, dims({"2"})),
      buffer(DType::F32, dims({"tokens", "2"}), 0),
      value(Kind::Result, "y", DType::F32, dims({"tokens", "2"})),
  };
  layer.params = {0, 1};
  layer.results = {3};
  layer.slots = {expr("tokens * 8")};
  std::vector<std::pair<std::string, Expr>> axes = {{"tokens", expr("tokens")}};
  layer.steps = {
      launch("add", "add_row", {{"result", 2}}, {{"x", 0}, {"w", 1}}, axes),
      launch("scale", "double", {{"result", 3}}, {{"x", 2}}, axes),
  };
  return layer;
}

inline PlanFunction makeForward() {
  using Kind = PlanValue::Kind;
  PlanFunction forward;
  forward.name = "forward";
  forward.isPublic = true;
  Role positions = role("positions", "position_ids");
  positions.rule = "index";
  forward.values = {
      value(Kind::Param, "input_ids", DType::I32, dims({"tokens"}),
            role("packed", "input_ids")),
      value(Kind::Param, "positions", DType::I32, dims({"tokens"}), positions),
      value(Kind::Param, "cu_seqlens", DType::I32, dims({"seqs + 1"}),
            role("cu_seqlens")),
      value(Kind::Weight, "table", DType::F32, dims({"32", "2"})),
      value(Kind::Weight, "w", DType::F32, dims({"2"})),
      buffer(DType::F32, dims({"tokens", "2"}), 0),
      buffer(DType::F32, dims({"tokens", "2"}), 1),
      value(Kind::Result, "hidden", DType::F32, dims({"tokens", "2"}),
            role("rows")),
      value(Kind::Result, "last", DType::F32, dims({"seqs", "2"}),
            role("sequences")),
  };
  forward.params = {0, 1, 2};
  forward.results = {7, 8};
  forward.slots = {expr("tokens * 8"), expr("tokens * 8")};
  forward.steps = {
      launch("embed", "embedding", {{"result", 5}}, {{"ids", 0}, {"table", 3}},
             {{"tokens", expr("tokens")},
              {"hidden", expr("2")},
              {"vocab", expr("32")}}),
      {"layers.0", Call{"layer", {5, 4}, {6}}},
      {"layers.1", Call{"layer", {6, 4}, {5}}},
      launch("positions", "add_positions", {{"result", 7}},
             {{"x", 5}, {"positions", 1}}, {{"tokens", expr("tokens")}}),
      launch("last", "take_last", {{"result", 8}},
             {{"x", 7}, {"cu_seqlens", 2}}, {{"seqs", expr("seqs")}}),
  };
  return forward;
}

inline PlanFunction makeStep() {
  using Kind = PlanValue::Kind;
  PlanFunction step;
  step.name = "step";
  step.isPublic = true;
  Role positions = role("positions", "position_ids");
  positions.rule = "index";
  step.values = {
      value(Kind::Param, "input_ids", DType::I32, dims({"tokens"}),
            role("packed", "input_ids")),
      value(Kind::Param, "positions", DType::I32, dims({"tokens"}), positions),
      value(Kind::Param, "cu_seqlens", DType::I32, dims({"seqs + 1"}),
            role("cu_seqlens")),
      value(Kind::Param, "seq_lens", DType::I32, dims({"seqs"}),
            role("seq_lens")),
      value(Kind::Param, "slots", DType::I32, dims({"tokens"}), role("slots")),
      value(Kind::Param, "block_table", DType::I32,
            dims({"seqs", "max_blocks"}), role("block_table")),
      value(Kind::Param, "seed", DType::I64, dims({"seqs"}),
            role("sampling", "seed")),
      value(Kind::Param, "position", DType::I32, dims({"seqs"}),
            role("sampling", "position")),
      value(Kind::State, "cache", DType::F32,
            dims({"2", "pages", "4", "1", "1"})),
      value(Kind::Result, "next_tokens", DType::I32, dims({"seqs"}),
            role("sequences")),
  };
  step.params = {0, 1, 2, 3, 4, 5, 6, 7};
  step.results = {9};
  step.steps = {
      launch("write", "write", {},
             {{"cache", 8}, {"ids", 0}, {"slots", 4}, {"positions", 1}},
             {{"tokens", expr("tokens")}}),
      launch(
          "next", "next", {{"next", 9}},
          {{"cache", 8}, {"seq_lens", 3}, {"block_table", 5}, {"position", 7}},
          {{"seqs", expr("seqs")}, {"max_blocks", expr("max_blocks")}}),
  };
  return step;
}

inline Plan makePlan() {
  Plan plan;
  plan.device = "host";
  plan.model.architecture = "Toy";
  plan.model.vocabSize = 32;
  plan.model.pageSize = 4;
  plan.model.eosTokenIds = {2};
  plan.symbols = {"tokens", "seqs", "pages", "max_blocks", "max_positions"};
  PlanWeight table{"table", DType::F32, dims({"32", "2"}), {{"table"}}, {}};
  PlanWeight w{"w", DType::F32, dims({"2"}), {{"w"}}, {}};
  plan.weights = {table, w};
  plan.states = {
      {"cache", "kv_cache", DType::F32, dims({"2", "pages", "4", "1", "1"})}};
  plan.functions = {makeLayer(), makeForward(), makeStep()};
  return plan;
}

/// Runs the toy tasks; `workspace` is what one kernel asks for and fills.
class ToyProvider : public Provider {
public:
  explicit ToyProvider(std::string name = "toy", int64_t workspace = 0)
      : name(std::move(name)), workspace(workspace) {}

  std::string_view getName() const override { return name; }

  std::unique_ptr<Kernel> bind(std::string_view kernel,
                               const BoundLaunch &launch) override {
    return std::make_unique<ToyKernel>(std::string(kernel), launch, workspace);
  }

private:
  class ToyKernel : public Kernel {
  public:
    ToyKernel(std::string task, const BoundLaunch &launch, int64_t workspace)
        : task(std::move(task)), launched(launch), workspace(workspace) {}

    int64_t getWorkspaceBytes() const override { return workspace; }

    void launch(Stream &, void *scratch) override {
      if (workspace)
        std::memset(scratch, 0xff, static_cast<size_t>(workspace));
      if (task == "embedding")
        each(launched.axis("tokens"), [&](int64_t t, int64_t h) {
          f32("result")[2 * t + h] = f32("table")[2 * i32("ids")[t] + h];
        });
      else if (task == "add_row")
        each(launched.axis("tokens"), [&](int64_t t, int64_t h) {
          f32("result")[2 * t + h] = f32("x")[2 * t + h] + f32("w")[h];
        });
      else if (task == "double")
        each(launched.axis("tokens"), [&](int64_t t, int64_t h) {
          f32("result")[2 * t + h] = 2 * f32("x")[2 * t + h];
        });
      else if (task == "add_positions")
        each(launched.axis("tokens"), [&](int64_t t, int64_t h) {
          f32("result")[2 * t + h] =
              f32("x")[2 * t + h] + static_cast<float>(i32("positions")[t]);
        });
      else if (task == "take_last")
        each(launched.axis("seqs"), [&](int64_t s, int64_t h) {
          f32("result")[2 * s + h] =
              f32("x")[2 * (i32("cu_seqlens")[s + 1] - 1) + h];
        });
      else if (task == "write")
        for (int64_t t = 0; t < launched.axis("tokens"); ++t)
          f32("cache")[i32("slots")[t]] = static_cast<float>(i32("ids")[t]);
      else if (task == "next")
        for (int64_t s = 0; s < launched.axis("seqs"); ++s) {
          int64_t sum = 0, length = i32("seq_lens")[s];
          for (int64_t i = 0; i < length; ++i) {
            int64_t page =
                i32("block_table")[s * launched.axis("max_blocks") + i / 4];
            sum += static_cast<int64_t>(f32("cache")[page * 4 + i % 4]);
          }
          EXPECT_EQ(i32("position")[s], length);
          i32("next")[s] = static_cast<int32_t>(sum % 32);
        }
      else
        FAIL() << "no such toy task: " << task;
    }

  private:
    const TensorRef &find(std::string_view name) const {
      for (const auto *tensors : {&launched.results, &launched.operands})
        for (const auto &[key, tensor] : *tensors)
          if (key == name)
            return tensor;
      throw std::logic_error("no tensor " + std::string(name));
    }
    float *f32(std::string_view name) const {
      return static_cast<float *>(find(name).data);
    }
    int32_t *i32(std::string_view name) const {
      return static_cast<int32_t *>(find(name).data);
    }
    static void each(int64_t rows,
                     const std::function<void(int64_t, int64_t)> &body) {
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < 2; ++column)
          body(row, column);
    }

    std::string task;
    const BoundLaunch &launched;
    int64_t workspace;
  };

  std::string name;
  int64_t workspace;
};

template <typename T>
HostTensor tensor(DType dtype, std::vector<int64_t> shape,
                  const std::vector<T> &values) {
  HostTensor result{dtype, std::move(shape), {}};
  result.bytes.resize(values.size() * sizeof(T));
  if (!values.empty())
    std::memcpy(result.bytes.data(), values.data(), result.bytes.size());
  return result;
}

inline HostTensor ints(std::vector<int64_t> shape,
                       const std::vector<int64_t> &values) {
  return tensor<int64_t>(DType::I64, std::move(shape), values);
}

inline std::vector<float> floats(const HostTensor &tensor) {
  auto values = tensor.as<float>();
  return {values.begin(), values.end()};
}

/// A folder of its own that goes when it is left.
class TempFolder {
public:
  TempFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "fk-runtime-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

/// table[i] = (i, i / 2), w = (1, 10).
inline Checkpoint makeCheckpoint(const TempFolder &folder) {
  std::vector<float> table, w = {1, 10};
  for (int i = 0; i < 32; ++i) {
    table.push_back(static_cast<float>(i));
    table.push_back(static_cast<float>(i) / 2);
  }
  writeSafetensors(
      folder.path / "model.safetensors",
      {{"table", DType::F32, {32, 2}, std::as_bytes(std::span(table))},
       {"w", DType::F32, {2}, std::as_bytes(std::span(w))}});
  return Checkpoint::open(folder.path);
}

/// What forward answers for one token.
inline std::vector<float> expectHidden(int64_t id, int64_t position) {
  auto layer = [](float x, float w) { return 2 * (x + w); };
  float p = static_cast<float>(position), x = static_cast<float>(id);
  return {layer(layer(x, 1), 1) + p, layer(layer(x / 2, 10), 10) + p};
}

inline std::unique_ptr<Session> makeSession(const Plan &plan,
                                            SessionLimits limits,
                                            const Checkpoint &checkpoint,
                                            int64_t workspace = 0) {
  auto session = std::make_unique<Session>(std::make_shared<const Plan>(plan),
                                           createHostDevice(), limits);
  session->addProvider(std::make_unique<ToyProvider>("toy", workspace));
  session->loadWeights(checkpoint);
  return session;
}

/// Runs `body` and expects an Error whose text holds every one of `parts`.
inline void expectError(const std::function<void()> &body,
                        std::initializer_list<const char *> parts) {
  try {
    body();
  } catch (const Error &error) {
    for (const char *part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "'" << part << "' is not in: " << error.what();
    return;
  }
  ADD_FAILURE() << "nothing was thrown";
}

} // namespace fk::toy

#endif // FK_TEST_UNIT_RUNTIMETOY_H
