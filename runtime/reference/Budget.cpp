//===- Budget.cpp - How far a right result may be from the reference ------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Budget.h"

#include "runtime/reference/Reference.h"
#include "runtime/reference/SamplingReference.h"
#include "runtime/reference/Scales.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace fk;
using namespace fk::reference;

static double getTiny(DType type) {
  return type == DType::F16 ? 0x1p-25 : 0x1p-126;
}

ErrorBudget fk::getErrorBudget(const BoundLaunch &launch,
                               std::string_view result) {
  std::string_view task = launch.task;
  double rounding = 1.25 * getUnitRoundoff(launch.dtype);
  double sum = 4 * floatRoundoff;
  auto over = [&](const char *axis) {
    return sum * getGrowth(double(launch.axis(axis)));
  };
  double tiny = getTiny(launch.dtype);
  if (task == "embedding")
    return float(launch.scalar("scale")) == 1.0f
               ? ErrorBudget{}
               : ErrorBudget{rounding, 0, tiny};
  if (task == "linear" || task == "qkv_linear" || task == "gate_up_linear")
    return {rounding, over("in_features"), tiny};
  if (task == "rms_norm")
    return {2 * rounding, over("hidden"), tiny};
  if (task == "add_rms_norm")
    return result == "residual_out"
               ? ErrorBudget{rounding, sum, tiny}
               : ErrorBudget{3 * rounding, over("hidden"), tiny};
  if (task == "layer_norm")
    return {rounding, over("hidden"), tiny};
  if (task == "l2_norm" || task == "softmax")
    return {rounding, over("columns"), tiny};
  if (task == "silu" || task == "tanh" || task == "gelu")
    return {rounding, 4 * sum, tiny};
  if (task == "add" || task == "mul" || task == "rope")
    return {rounding, sum, tiny};
  if (task == "silu_and_mul" || task == "gelu_and_mul")
    return {2 * rounding, 4 * sum, tiny};
  if (task == "qk_norm_rope")
    return {rounding, 2 * rounding + over("head_dim"), tiny};
  if (task == "attention")
    return {rounding, rounding + over("tokens"), tiny};
  if (task == "paged_attention") {
    double keys = double(launch.axis("max_blocks") * launch.axis("page_size"));
    return {rounding, rounding + sum * getGrowth(keys), tiny};
  }
  if (task == "pool" && launch.scalar("mean") != 0)
    return {rounding, over("tokens"), tiny};
  if (task == "pool" || task == "gather_last_tokens" ||
      task == "kv_cache_write" || task == "sample")
    return {};
  throw Error({.what = "task '" + launch.task + "' has no error budget",
               .where = launch.place});
}

double Expected::getTolerance(size_t element) const {
  double scale = scales.empty() ? 0 : scales[element];
  return budget.relative * std::abs(values[element]) + budget.absolute * scale +
         budget.tiny;
}

/// Tokens that the draw gives when it, or top_p, moves by a little: a kernel
/// may sum the mass in float and in another order.
template <typename T>
static std::vector<int32_t> getAlternatives(const T *logits, int64_t vocab,
                                            double temperature, int32_t topK,
                                            double topP, double uniform) {
  constexpr double slack = 0x1p-14;
  std::vector<int32_t> tokens;
  SampleRow<T> row = {logits, vocab, temperature,
                      widen(logits[getLargestIndex(logits, vocab)])};
  TokenCut largest = row.cutTopK(topK);
  for (double moved : {topP * (1 - slack), topP, topP * (1 + slack)}) {
    TokenCut cut = row.cutTopP(largest, topP < 1 ? moved : topP);
    int64_t first = row.draw(cut, std::max(0.0, uniform - slack));
    int64_t last = row.draw(cut, std::min(1.0, uniform + slack));
    int64_t ties = cut.ties;
    for (int64_t i = 0; i <= last; ++i) {
      uint32_t order = getOrder(widen(logits[i]));
      bool kept = order > cut.order || (order == cut.order && ties-- > 0);
      if (kept && i >= first && row.getWeight(widen(logits[i])) > 0)
        tokens.push_back(int32_t(i));
    }
  }
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  return tokens;
}

template <typename T>
static std::vector<std::vector<int32_t>>
getAllAlternatives(const BoundLaunch &launch) {
  std::vector<std::vector<int32_t>> all(launch.axis("seqs"));
  int64_t vocab = launch.axis("vocab");
  auto at = [&]<typename E>(const char *name, size_t s, E) {
    return static_cast<const E *>(launch.operand(name).data)[s];
  };
  auto *logits = static_cast<const T *>(launch.operand("logits").data);
  for (size_t s = 0; s < all.size(); ++s)
    if (float temperature = at("temperature", s, float()); temperature > 0)
      all[s] = getAlternatives(
          logits + s * vocab, vocab, temperature, at("top_k", s, int32_t()),
          at("top_p", s, float()),
          getUniform(at("seed", s, int64_t()), at("position", s, int32_t())));
  return all;
}

std::vector<Expected> fk::computeExpected(const BoundLaunch &launch) {
  std::vector<std::vector<double>> values = computeReference(launch);
  std::vector<std::vector<double>> scales = computeScales(launch, values);
  std::vector<Expected> expected(values.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    Expected &to = expected[i];
    bool isState = launch.task == "kv_cache_write";
    to.name = isState ? "cache" : launch.results[i].first;
    to.dtype = launch.task == "sample" ? DType::I32 : launch.dtype;
    to.values = std::move(values[i]);
    to.scales = std::move(scales[i]);
    to.budget = getErrorBudget(launch, to.name);
  }
  if (launch.task == "sample") {
    if (launch.dtype == DType::F32)
      expected[0].alternatives = getAllAlternatives<float>(launch);
    else if (launch.dtype == DType::BF16)
      expected[0].alternatives = getAllAlternatives<BF16>(launch);
    else
      expected[0].alternatives = getAllAlternatives<F16>(launch);
  }
  return expected;
}

static double readElement(const TensorRef &tensor, size_t i) {
  switch (tensor.dtype) {
  case DType::F32:
    return static_cast<const float *>(tensor.data)[i];
  case DType::BF16:
    return widen(static_cast<const BF16 *>(tensor.data)[i]);
  case DType::F16:
    return widen(static_cast<const F16 *>(tensor.data)[i]);
  default:
    return static_cast<const int32_t *>(tensor.data)[i];
  }
}

/// `value` as storage of type `type` holds it: infinite where it is too large.
static double roundTo(DType type, double value) {
  auto single = float(value);
  if (type == DType::BF16)
    return reference::roundTo<BF16>(single);
  return type == DType::F16 ? reference::roundTo<F16>(single) : single;
}

/// The error of an element over its tolerance.
static double getFraction(const Expected &expected, size_t i, double got) {
  double wanted = expected.values[i];
  if (expected.dtype == DType::I32) {
    bool right = got == wanted;
    if (!right && !expected.alternatives.empty())
      right = std::binary_search(expected.alternatives[i].begin(),
                                 expected.alternatives[i].end(), int32_t(got));
    return right ? 0 : INFINITY;
  }
  if (std::isnan(wanted) || std::isnan(got))
    return std::isnan(wanted) && std::isnan(got) ? 0 : INFINITY;
  if (std::isinf(got) || std::isinf(wanted))
    return got == roundTo(expected.dtype, wanted) ? 0 : INFINITY;
  double error = std::abs(got - wanted);
  return error == 0 ? 0 : error / expected.getTolerance(i);
}

CheckReport fk::checkResult(const Expected &expected, const TensorRef &got) {
  if (got.dtype != expected.dtype ||
      got.getNumElements() != int64_t(expected.values.size()))
    throw Error({.what = "result '" + expected.name + "' cannot be compared",
                 .wanted = std::to_string(expected.values.size()) + " of " +
                           std::string(getName(expected.dtype)),
                 .got = std::to_string(got.getNumElements()) + " of " +
                        std::string(getName(got.dtype))});
  CheckReport report;
  report.name = expected.name;
  report.elements = got.getNumElements();
  for (size_t i = 0; i < expected.values.size(); ++i) {
    double value = readElement(got, i);
    double fraction = getFraction(expected, i, value);
    bool wrong = !(fraction <= 1);
    report.wrong += wrong;
    if (i == 0 || fraction > report.fraction) {
      report.worst = int64_t(i);
      report.wanted = expected.values[i];
      report.got = value;
      report.tolerance = expected.getTolerance(i);
      report.fraction = fraction;
    }
  }
  report.passed = report.wrong == 0;
  return report;
}

std::vector<CheckReport> fk::checkResults(const std::vector<Expected> &expected,
                                          const BoundLaunch &launch) {
  std::vector<CheckReport> reports;
  for (const Expected &one : expected)
    reports.push_back(checkResult(one, launch.task == "kv_cache_write"
                                           ? launch.operand("cache")
                                           : launch.result(one.name)));
  return reports;
}

std::string CheckReport::str() const {
  char text[200];
  std::snprintf(text, sizeof(text),
                "[%lld]: wanted %.9g, got %.9g (tolerance %.3g); %lld of %lld "
                "elements wrong",
                static_cast<long long>(worst), wanted, got, tolerance,
                static_cast<long long>(wrong),
                static_cast<long long>(elements));
  return name + text;
}
