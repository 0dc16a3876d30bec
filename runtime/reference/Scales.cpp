//===- Scales.cpp - The size of the terms behind each result --------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Scales.h"

#include "runtime/reference/ActivationReference.h"
#include "runtime/reference/AttentionReference.h"
#include "runtime/reference/HostDot.h"
#include "runtime/reference/WorkPool.h"

#include <algorithm>
#include <cmath>

using namespace fk;
using namespace fk::reference;

namespace {

using Values = std::vector<std::vector<double>>;

template <typename T> class Scales {
public:
  Scales(const BoundLaunch &launch, const Values &values)
      : launch(launch), values(values), scales(values.size()) {}

  Values compute() {
    std::string_view task = launch.task;
    if (task == "linear")
      multiply({axis("out_features")});
    else if (task == "gate_up_linear")
      multiply({2 * axis("intermediate")});
    else if (task == "qkv_linear")
      multiply({axis("q_features"), axis("kv_features"), axis("kv_features")});
    else if (task == "rms_norm" || task == "l2_norm" || task == "mul" ||
             task == "tanh")
      pointwise([&](size_t i) { return std::abs(values[0][i]); });
    else if (task == "add_rms_norm")
      addRmsNorm();
    else if (task == "layer_norm")
      layerNorm();
    else if (task == "silu")
      pointwise([&](size_t i) { return siluScale(values[0][i], x(i)); });
    else if (task == "gelu")
      pointwise([&](size_t i) { return std::abs(x(i)); });
    else if (task == "add")
      pointwise([&](size_t i) {
        return std::abs(at("lhs", i)) + std::abs(at("rhs", i));
      });
    else if (task == "softmax")
      softmax();
    else if (task == "silu_and_mul" || task == "gelu_and_mul")
      gated(task == "silu_and_mul");
    else if (task == "rope" || task == "qk_norm_rope")
      rotate(task == "qk_norm_rope");
    else if (task == "attention" || task == "paged_attention")
      attention(task == "paged_attention");
    else if (task == "pool" && launch.scalar("mean") != 0)
      pool();
    return std::move(scales);
  }

private:
  const T *in(std::string_view name) const {
    return static_cast<const T *>(launch.operand(name).data);
  }
  const int32_t *index(std::string_view name) const {
    return static_cast<const int32_t *>(launch.operand(name).data);
  }
  double at(std::string_view name, size_t i) const {
    return widen(in(name)[i]);
  }
  double x(size_t i) const { return at("input", i); }
  int64_t axis(std::string_view name) const { return launch.axis(name); }

  template <typename Element> void pointwise(const Element &element) {
    scales[0].resize(values[0].size());
    for (size_t i = 0; i < scales[0].size(); ++i)
      scales[0][i] = element(i);
  }

  static double siluScale(double y, double x) {
    return std::abs(y) * (1 + std::min(std::abs(x), 88.0) / 4);
  }

  void multiply(std::vector<int64_t> widths) {
    int64_t tokens = axis("tokens"), inFeatures = axis("in_features");
    const T *weight = in("weight"), *bias = in("bias");
    auto magnitudes = [](const T *from, int64_t count, double *to) {
      for (int64_t i = 0; i < count; ++i)
        to[i] = std::abs(double(widen(from[i])));
    };
    std::vector<double> inputs(tokens * inFeatures);
    magnitudes(in("input"), tokens * inFeatures, inputs.data());
    WorkPool workers;
    int64_t first = 0;
    for (size_t result = 0; result < widths.size(); ++result) {
      int64_t width = widths[result];
      std::vector<double> &to = scales[result];
      to.resize(tokens * width);
      workers.run(width, 8, [&](int64_t begin, int64_t end) {
        std::vector<double> row(inFeatures);
        for (int64_t o = begin; o < end; ++o) {
          magnitudes(weight + (first + o) * inFeatures, inFeatures, row.data());
          double added = bias ? std::abs(double(widen(bias[first + o]))) : 0;
          for (int64_t t = 0; t < tokens; ++t)
            to[t * width + o] = hostDot(inputs.data() + t * inFeatures,
                                        row.data(), inFeatures) +
                                added;
        }
      });
      first += width;
    }
  }

  void addRmsNorm() {
    scales[1].resize(values[1].size());
    for (size_t i = 0; i < scales[1].size(); ++i)
      scales[1][i] = std::abs(x(i)) + std::abs(at("residual", i));
    // The part of the terms that cancelled in the sum grows with the rest of
    // it.
    pointwise([&](size_t i) {
      double sum = std::abs(values[1][i]);
      return sum == 0 ? 0 : std::abs(values[0][i]) * scales[1][i] / sum;
    });
    // Where the sum vanished, y says nothing of the factor: take the row's rms.
    int64_t hidden = axis("hidden");
    double epsilon = launch.scalar("epsilon");
    double offset = launch.scalar("weight_offset");
    for (int64_t t = 0; t < axis("tokens"); ++t) {
      const double *row = values[1].data() + t * hidden;
      double rstd =
          1 / std::sqrt(hostDot(row, row, hidden) / double(hidden) + epsilon);
      for (int64_t h = 0; h < hidden; ++h) {
        double factor = rstd * std::abs(offset + at("weight", h));
        double &scale = scales[0][t * hidden + h];
        scale = std::max(scale, scales[1][t * hidden + h] * factor);
      }
    }
  }

  void layerNorm() {
    int64_t hidden = axis("hidden");
    double epsilon = launch.scalar("epsilon");
    scales[0].resize(values[0].size());
    for (int64_t t = 0; t < axis("tokens"); ++t) {
      const T *row = in("input") + t * hidden;
      double sum = 0, squares = 0, variance = 0;
      for (int64_t h = 0; h < hidden; ++h) {
        sum += widen(row[h]);
        squares += double(widen(row[h])) * double(widen(row[h]));
      }
      double mean = sum / double(hidden);
      for (int64_t h = 0; h < hidden; ++h)
        variance += (widen(row[h]) - mean) * (widen(row[h]) - mean);
      squares /= double(hidden);
      variance = variance / double(hidden) + epsilon;
      for (int64_t h = 0; h < hidden; ++h) {
        double value = widen(row[h]);
        scales[0][t * hidden + h] =
            (std::abs(value - mean) * squares / variance + std::abs(value) +
             std::abs(mean)) /
                std::sqrt(variance) * std::abs(at("weight", h)) +
            (in("bias") ? std::abs(at("bias", h)) : 0);
      }
    }
  }

  void softmax() {
    int64_t columns = axis("columns");
    scales[0].resize(values[0].size());
    for (int64_t r = 0; r < axis("rows"); ++r) {
      double largest = -INFINITY;
      for (int64_t c = 0; c < columns; ++c)
        largest = std::max(largest, x(r * columns + c));
      for (int64_t c = 0; c < columns; ++c) {
        size_t i = r * columns + c;
        double distance = std::min(largest - x(i), 1e4);
        scales[0][i] = values[0][i] * (1 + distance);
      }
    }
  }

  void gated(bool isSilu) {
    int64_t width = axis("intermediate");
    pointwise([&](size_t i) {
      size_t row = i / width * 2 * width;
      double gate = at("gate_up", row + i % width);
      double up = at("gate_up", row + width + i % width);
      return isSilu ? siluScale(values[0][i], gate)
                    : std::abs(gate) * std::abs(up);
    });
  }

  void rotate(bool normed) {
    int64_t headDim = axis("head_dim"), tokens = axis("tokens");
    int64_t rotaryDim = int64_t(launch.scalar("rotary_dim"));
    const TensorRef &table = launch.operand("cos_sin");
    auto rotateOne = [&](std::vector<double> &to, const T *from,
                         const T *weight, int64_t heads) {
      to.resize(tokens * heads * headDim);
      std::vector<double> head(headDim);
      for (int64_t row = 0; row < tokens * heads; ++row) {
        widenRow(from + row * headDim, head.data(), headDim);
        if (normed)
          rmsNormRow(head.data(), from + row * headDim, weight,
                     float(launch.scalar("epsilon")),
                     float(launch.scalar("weight_offset")), headDim);
        const float *cosSin = static_cast<const float *>(table.data) +
                              index("positions")[row / heads] * table.shape[1];
        int64_t half = rotaryDim / 2;
        for (int64_t i = 0; i < headDim; ++i) {
          double &scale = to[row * headDim + i];
          scale = std::abs(head[i]);
          if (i >= 2 * half)
            continue;
          int64_t pair = i < half ? i : i - half;
          int64_t other = i < half ? i + half : i - half;
          scale = std::abs(head[i] * double(cosSin[pair])) +
                  std::abs(head[other] * double(cosSin[half + pair]));
        }
      }
    };
    rotateOne(scales[0], in("query"), normed ? in("query_weight") : nullptr,
              axis("q_heads"));
    rotateOne(scales[1], in("key"), normed ? in("key_weight") : nullptr,
              axis("kv_heads"));
  }

  /// sum (p + h) |v|, h for weights too small for T's precision; times more
  /// where the error of a logit, which is that of a product of head_dim terms,
  /// moves p by more than the budget's own share.
  template <typename Keys>
  void attentionRow(double *to, const T *query, const Keys &keys,
                    KeyRange range, int64_t kvHead, const T *sink) {
    int64_t headDim = axis("head_dim");
    float scale = float(launch.scalar("scale"));
    float softcap = float(launch.scalar("softcap"));
    std::vector<double> logits;
    double largest = sink ? double(widen(*sink)) : -INFINITY, terms = 0;
    for (int64_t s = range.begin; s < range.end; ++s) {
      const T *key = keys.getKey(s, kvHead);
      logits.push_back(
          attentionLogit<double>(query, key, scale, softcap, headDim));
      largest = std::max(largest, logits.back());
      double sum = 0;
      for (int64_t d = 0; d < headDim; ++d)
        sum += std::abs(double(widen(query[d])) * double(widen(key[d])));
      terms = std::max(terms, sum * std::abs(scale));
    }
    double total = sink ? std::exp(double(widen(*sink)) - largest) : 0;
    for (double &logit : logits)
      total += logit = std::exp(logit - largest);
    ErrorBudget budget = getErrorBudget(launch, "result");
    double share = budget.absolute;
    // A weight rounded to T is off by its roundoff, and below the smallest
    // normal (f16: 2^-14) by half the smallest step.
    double step = budget.tiny / share;
    for (int64_t s = range.begin; s < range.end; ++s)
      for (int64_t d = 0; d < headDim; ++d)
        to[d] += (logits[s - range.begin] + step) / total *
                 std::abs(double(widen(keys.getValue(s, kvHead)[d])));
    double more =
        1 + 8 * floatRoundoff * getGrowth(double(headDim)) * terms / share;
    for (int64_t d = 0; d < headDim; ++d)
      to[d] *= more;
  }

  void attention(bool paged) {
    int64_t tokens = axis("tokens"), qHeads = axis("q_heads");
    int64_t kvHeads = axis("kv_heads"), headDim = axis("head_dim");
    int64_t seqs = axis("seqs");
    auto causal = int32_t(launch.scalar("causal"));
    auto window = int32_t(launch.scalar("window"));
    const int32_t *cu = index("cu_seqlens");
    const T *sink = in("sink");
    scales[0].resize(values[0].size());
    WorkPool workers;
    workers.run(tokens * qHeads, 8, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        int64_t t = row / qHeads, h = row % qHeads, group = qHeads / kvHeads;
        int64_t seq = findSequence(cu, seqs, t);
        if (seq < 0)
          continue;
        double *to = scales[0].data() + row * headDim;
        const T *query = in("query") + row * headDim;
        const T *headSink = sink ? sink + h : nullptr;
        int64_t first = cu[seq], length = cu[seq + 1] - first;
        if (paged) {
          int64_t cached = index("seq_lens")[seq];
          PagedKeys<T> keys = {
              in("cache"),   index("block_table") + seq * axis("max_blocks"),
              axis("pages"), axis("page_size"),
              kvHeads,       headDim};
          attentionRow(to, query, keys,
                       getVisibleKeys(cached - length + t - first, cached,
                                      causal, window),
                       h / group, headSink);
        } else {
          DenseKeys<T> keys = {in("key"), in("value"), first, kvHeads, headDim};
          attentionRow(to, query, keys,
                       getVisibleKeys(t - first, length, causal, window),
                       h / group, headSink);
        }
      }
    });
  }

  void pool() {
    int64_t hidden = axis("hidden");
    const int32_t *cu = index("cu_seqlens");
    pointwise([&](size_t i) {
      int64_t s = i / hidden, h = i % hidden;
      double sum = 0;
      for (int64_t t = cu[s]; t < cu[s + 1]; ++t)
        sum += std::abs(x(t * hidden + h));
      return sum / double(cu[s + 1] - cu[s]);
    });
  }

  const BoundLaunch &launch;
  const Values &values;
  Values scales;
};

} // namespace

double fk::getGrowth(double terms) { return 4 + std::sqrt(terms) / 16; }

Values fk::computeScales(const BoundLaunch &launch, const Values &values) {
  if (launch.dtype == DType::F32)
    return Scales<float>(launch, values).compute();
  if (launch.dtype == DType::BF16)
    return Scales<BF16>(launch, values).compute();
  return Scales<F16>(launch, values).compute();
}
