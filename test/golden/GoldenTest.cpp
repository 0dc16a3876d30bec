//===- GoldenTest.cpp - Golden models against the reference library -------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Imports, compiles and runs every folder beside this file and compares with
// what make_goldens.py wrote there. `--device=cuda` runs them on a GPU.
//
//===----------------------------------------------------------------------===//

#include "fk/Import/Import.h"
#include "fk/Lowering/Compile.h"
#include "runtime/Batch.h"
#include "runtime/Device.h"
#include "runtime/Session.h"
#include "runtime/support/Error.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>

using namespace fk;
namespace fs = std::filesystem;

static std::string deviceName = "host";
static std::string archName = "sm_90a";

/// Of float32 arithmetic: largest difference over largest magnitude.
static constexpr double float32Tolerance = 1e-4;
/// How many times the library's own bfloat16 error, against its float32 run, fk
/// may be off: two right roundings of the same sums differ by about that.
static constexpr double bfloat16Factor = 2.0;

namespace {
/// One set of inputs of a model: its folder and the prefix of its files.
struct Golden {
  fs::path folder;
  std::string prefix;
};

std::string nameOf(const Golden &golden) {
  std::string name = golden.folder.filename().string();
  if (!golden.prefix.empty())
    name += "_" + golden.prefix.substr(0, golden.prefix.size() - 1);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

void PrintTo(const Golden &golden, std::ostream *stream) {
  *stream << nameOf(golden);
}

/// Goldens that have a file of this name.
std::vector<Golden> findGoldens(const std::string &file) {
  std::vector<Golden> goldens;
  for (const auto &entry : fs::directory_iterator(FK_SOURCE_DIR "/test/golden"))
    for (const char *prefix : {"", "left.", "long."})
      if (fs::exists(entry.path() / (prefix + file)))
        goldens.push_back({entry.path(), prefix});
  std::sort(goldens.begin(), goldens.end(),
            [](const auto &a, const auto &b) { return nameOf(a) < nameOf(b); });
  return goldens;
}

HostTensor toHostTensor(const TensorView &view) {
  return {view.dtype, view.shape, {view.bytes.begin(), view.bytes.end()}};
}

std::shared_ptr<const Plan> compile(const fs::path &folder, DType dtype) {
  mlir::DialectRegistry registry;
  registerCompileDialects(registry);
  mlir::MLIRContext context(registry);
  auto module = importModel(context, folder, {dtype});
  CompileOptions options;
  options.device = deviceName;
  options.arch = archName;
  mlir::FailureOr<Plan> plan = compileToPlan(*module, options);
  if (failed(plan))
    throw Error({"the compilation failed", folder.string(), "", "", ""});
  return std::make_shared<const Plan>(std::move(*plan));
}

std::unique_ptr<Session> open(std::shared_ptr<const Plan> plan,
                              const fs::path &folder,
                              const SessionLimits &limits) {
  auto session = std::make_unique<Session>(
      std::move(plan), std::shared_ptr<Device>(createDevice(deviceName)),
      limits);
  session->loadWeights(Checkpoint::open(folder));
  return session;
}

/// Largest difference over largest magnitude of `wanted`.
double difference(const TensorView &wanted, const TensorView &got) {
  auto *a = reinterpret_cast<const float *>(wanted.bytes.data());
  auto *b = reinterpret_cast<const float *>(got.bytes.data());
  double largest = 0, magnitude = 0;
  for (int64_t i = 0, n = wanted.getNumElements(); i < n; ++i) {
    if (std::isnan(a[i]) || std::isnan(b[i]))
      return INFINITY;
    largest = std::max(largest, std::abs(double(a[i]) - b[i]));
    magnitude = std::max(magnitude, std::abs(double(a[i])));
  }
  return largest / magnitude;
}

TensorView viewOf(const HostTensor &tensor) {
  return {tensor.dtype, tensor.shape, tensor.bytes};
}

class GoldenForward : public testing::TestWithParam<Golden> {
protected:
  /// Runs the forward in `dtype` and hands every expected result to `check`:
  /// name, what the library said in float32, in bfloat16, and what fk says.
  void
  run(DType dtype,
      const std::function<void(const std::string &, const TensorView &,
                               const TensorView &, const TensorView &)> &check);
};
} // namespace

void GoldenForward::run(
    DType dtype,
    const std::function<void(const std::string &, const TensorView &,
                             const TensorView &, const TensorView &)> &check) {
  const auto &[folder, prefix] = GetParam();
  auto inputs = SafetensorsFile::open(folder / (prefix + "inputs.safetensors"));
  NamedTensors tensors;
  for (const auto &[name, view] : inputs->getTensors())
    tensors.emplace_back(name, toHostTensor(view));
  auto plan = compile(folder, dtype);
  auto session = open(plan, folder, limitsFor(*plan, tensors));
  NamedTensors results = runForward(*session, tensors);

  auto expected =
      SafetensorsFile::open(folder / (prefix + "expected.safetensors"));
  for (const auto &[name, view] : expected->getTensors()) {
    if (name.ends_with(".bfloat16"))
      continue;
    auto result = std::find_if(results.begin(), results.end(),
                               [&](auto &r) { return r.first == name; });
    ASSERT_NE(result, results.end()) << name;
    ASSERT_EQ(result->second.dtype, DType::F32) << name;
    ASSERT_EQ(result->second.shape, view.shape) << name;
    check(name, view, expected->getTensor(name + ".bfloat16"),
          viewOf(result->second));
  }
}

TEST_P(GoldenForward, Float32) {
  run(DType::F32, [](const std::string &name, const TensorView &wanted,
                     const TensorView &, const TensorView &got) {
    EXPECT_LE(difference(wanted, got), float32Tolerance) << name;
  });
}

TEST_P(GoldenForward, BFloat16) {
  run(DType::BF16, [](const std::string &name, const TensorView &wanted,
                      const TensorView &library, const TensorView &got) {
    double budget = bfloat16Factor * difference(wanted, library);
    EXPECT_LE(difference(wanted, got), budget) << name;
  });
}

INSTANTIATE_TEST_SUITE_P(All, GoldenForward,
                         testing::ValuesIn(findGoldens("inputs.safetensors")),
                         [](const auto &info) { return nameOf(info.param); });

namespace {
class GoldenGreedy : public testing::TestWithParam<Golden> {
protected:
  /// Tokens must agree wherever the margin exceeds `budget`; behind a step that
  /// may differ, and does, the sequences are no longer comparable.
  void run(DType dtype, double budget);
};
} // namespace

void GoldenGreedy::run(DType dtype, double budget) {
  const auto &[folder, prefix] = GetParam();
  auto answers =
      nlohmann::json::parse(readTextFile(folder / (prefix + "greedy.json")));
  GenerateRequest request;
  request.prompts = answers["prompts"];
  request.maxNewTokens = answers["tokens"][0].size();
  request.stopAtEos = false;
  auto plan = compile(folder, dtype);
  auto session = open(plan, folder, limitsFor(*plan, request));
  GenerateResult result = generate(*session, request);
  ASSERT_EQ(result.tokens.size(), request.prompts.size());
  int64_t compared = 0;
  for (size_t prompt = 0; prompt < result.tokens.size(); ++prompt) {
    std::vector<int32_t> wanted = answers["tokens"][prompt];
    std::vector<double> margins = answers["margins"][prompt];
    ASSERT_EQ(result.tokens[prompt].size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (margins[i] > budget) {
        ASSERT_EQ(result.tokens[prompt][i], wanted[i])
            << "prompt " << prompt << ", token " << i << ", margin "
            << margins[i];
        ++compared;
      } else if (result.tokens[prompt][i] != wanted[i]) {
        break;
      }
    }
  }
  EXPECT_GT(compared, 0);
}

TEST_P(GoldenGreedy, Float32) { run(DType::F32, 2 * float32Tolerance); }

TEST_P(GoldenGreedy, BFloat16) {
  // Both of the largest logits may be off by the budget of the forward.
  const auto &[folder, prefix] = GetParam();
  auto expected = SafetensorsFile::open(folder / "expected.safetensors");
  double error = difference(expected->getTensor("logits"),
                            expected->getTensor("logits.bfloat16"));
  run(DType::BF16, 2 * bfloat16Factor * error);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenGreedy,
                         testing::ValuesIn(findGoldens("greedy.json")),
                         [](const auto &info) { return nameOf(info.param); });

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument.starts_with("--device="))
      deviceName = argument.substr(9);
    else if (argument.starts_with("--arch="))
      archName = argument.substr(7);
    else {
      std::cerr << "error: unknown argument " << argument
                << ": wanted --device=host|cuda or --arch=sm_90a\n";
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
