//===- TaskCases.cpp - Values a kernel is tried at ------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/TaskCases.h"
#include "lib/Bench/PagedLayout.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace fk;
using namespace fk::bench;
using reference::LaunchCase;

std::string_view bench::getName(ValueClass values) {
  switch (values) {
  case ValueClass::Normal:
    return "normal";
  case ValueClass::Large:
    return "large";
  case ValueClass::Small:
    return "small";
  case ValueClass::Denormal:
    return "denormal";
  case ValueClass::Cancelling:
    return "cancelling";
  case ValueClass::Zero:
    return "zero";
  case ValueClass::Constant:
    return "constant";
  case ValueClass::NotFinite:
    return "not finite";
  }
  return "";
}

//===----------------------------------------------------------------------===//
// What tasks are alike
//===----------------------------------------------------------------------===//

static bool isLinear(std::string_view task) { return task.ends_with("linear"); }
static bool isRope(std::string_view task) { return task.ends_with("rope"); }
static bool isAttention(std::string_view task) {
  return task.ends_with("attention");
}
static bool isNorm(std::string_view task) {
  return task.ends_with("norm") && !isRope(task);
}
static bool isCopy(std::string_view task) {
  return task == "embedding" || task == "gather_last_tokens" ||
         task == "kv_cache_write";
}

std::vector<ValueClass> bench::getValueClasses(std::string_view task) {
  using enum ValueClass;
  if (task == "sample")
    return {Normal, Constant};
  if (isAttention(task))
    return {Normal, Large, Small, Zero, Constant};
  if (isRope(task))
    return {Normal, Large, Small, Denormal, Zero, Constant};
  if (task == "pool")
    return {Normal, Large, Small, Cancelling, Zero, Constant};
  if (isLinear(task))
    return {Normal, Large, Small, Denormal, Cancelling, Zero, Constant};
  if (isCopy(task))
    return {Normal, Large, Small, Denormal, Zero, Constant, NotFinite};
  return {Normal,     Large, Small,    Denormal,
          Cancelling, Zero,  Constant, NotFinite};
}

/// The powers of two by which Large and Small scale what a task computes on:
/// intermediate results in f32 must stay finite, results in T too.
static int getExponent(std::string_view task, DType dtype, ValueClass values) {
  const bool isHalf = dtype == DType::F16;
  if (values == ValueClass::Denormal)
    return isHalf ? -20 : -130;
  if (values == ValueClass::Small) {
    if (isNorm(task) || task == "qk_norm_rope")
      return -10; // its square is near an epsilon
    return isHalf ? -9 : -50;
  }
  if (isNorm(task) || task == "qk_norm_rope")
    return isHalf ? 12 : 40;
  if (isLinear(task))
    return isHalf ? 4 : 20;
  if (isAttention(task))
    return 2;
  if (task == "softmax")
    return 7;
  if (task == "mul" || task.ends_with("and_mul"))
    return isHalf ? 5 : 10;
  if (task == "silu" || task == "gelu" || task == "tanh")
    return 10;
  return isHalf ? 11 : 60;
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

std::vector<int64_t> bench::splitTokens(int64_t tokens, int64_t seqs) {
  std::vector<int64_t> lengths(size_t(seqs), 1);
  int64_t left = tokens - seqs;
  for (int64_t s = 0; s < seqs && left > 0; ++s) {
    // The first takes half of what is left, and so on; the last all of it.
    const int64_t more = s + 1 == seqs ? left : (left + 1) / 2;
    lengths[size_t(s)] += more;
    left -= more;
  }
  return lengths;
}

std::vector<int64_t> bench::getCachedRows(int64_t seqs, int64_t pageSize) {
  std::vector<int64_t> rows;
  for (int64_t s = 0; s < seqs; ++s)
    rows.push_back((s * 13 + 5) % (2 * pageSize + 3));
  return rows;
}

void bench::completePages(AxisValues &axes) {
  const int64_t pageSize = axes.at("page_size"), tokens = axes.at("tokens");
  auto seqs = axes.find("seqs");
  if (seqs == axes.end()) {
    axes["pages"] = tokens / pageSize + 2;
    return;
  }
  const std::vector<int64_t> lengths = splitTokens(tokens, seqs->second);
  const std::vector<int64_t> cached = getCachedRows(seqs->second, pageSize);
  int64_t pages = 3, most = 1;
  for (size_t s = 0; s < lengths.size(); ++s) {
    const int64_t blocks = (lengths[s] + cached[s] + pageSize - 1) / pageSize;
    pages += blocks;
    most = std::max(most, blocks + 1);
  }
  axes["pages"] = pages;
  axes["max_blocks"] = most;
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

namespace {

class Builder {
public:
  Builder(const Signature &signature, const AxisValues &axes,
          const TaskCaseOptions &options)
      : signature(signature), axes(axes), options(options),
        task(signature.task), made(signature.task, options.dtype),
        random(options.seed) {}

  LaunchCase build() {
    made.launch.place = "";
    for (const std::string &axis : signature.axes)
      made.axis(axis, axes.at(axis));
    for (const TensorParam &result : signature.results)
      made.result(result.name, getShape(result), getType(result));
    for (const TensorParam &operand : signature.operands) {
      if (operand.optional &&
          std::find(options.presentOperands.begin(),
                    options.presentOperands.end(),
                    operand.name) == options.presentOperands.end()) {
        made.absent(operand.name);
        continue;
      }
      made.operand(operand.name, getShape(operand), getType(operand));
      TensorRef &tensor = made.launch.operands.back().second;
      tensor.isState = operand.state;
      if (isFloat(tensor.dtype))
        fillFloats(operand.name, tensor);
      else
        fillIntegers(operand.name, tensor);
    }
    for (const ScalarParam &scalar : signature.scalars)
      made.scalar(scalar.name, getScalar(scalar.name), scalar.type);
    for (const ScalarParam &variant : signature.variants)
      made.variant(variant.name, getDefault(variant), variant.type);
    return std::move(made);
  }

private:
  int64_t axis(std::string_view name) const { return axes.find(name)->second; }

  DType getType(const TensorParam &tensor) const {
    return tensor.element.value_or(options.dtype);
  }

  std::vector<int64_t> getShape(const TensorParam &tensor) const {
    std::vector<int64_t> shape;
    for (const Expr &extent : tensor.shape)
      if (extent)
        shape.push_back(extent.evaluate(axes));
    // The rotary table alone has extents that are no axes: positions, and the
    // elements that are rotated, all of a head.
    if (shape.size() < tensor.shape.size())
      shape = {tablePositions, axis("head_dim")};
    return shape;
  }

  double getDefault(const ScalarParam &variant) const {
    if (auto found = axes.find(variant.defaultValue); found != axes.end())
      return double(found->second);
    return std::strtod(variant.defaultValue.c_str(), nullptr);
  }

  double getScalar(std::string_view name) const {
    const bool other = options.variation == 1;
    if (name == "epsilon")
      return task == "l2_norm" ? (other ? 1e-2 : 1e-12) : other ? 1e-5 : 1e-6;
    if (name == "scale")
      return task == "embedding"
                 ? (other ? 7.3 : 1)
                 : (other ? 0.7 : 1) / std::sqrt(double(axis("head_dim")));
    if (name == "causal")
      return !other;
    if (name == "window")
      return other ? 5 : 0;
    if (name == "softcap")
      return other ? 20 : 0;
    return other; // mean, approximate
  }

  //===--------------------------------------------------------------------===//
  // Floats
  //===--------------------------------------------------------------------===//

  struct Distribution {
    double deviation = 1, mean = 0;
  };

  Distribution getDistribution(std::string_view name) const {
    if (name == "weight" && isLinear(task))
      return {1 / std::sqrt(double(axis("in_features"))), 0};
    if (name.ends_with("weight"))
      return {0.2, 1};
    if (name == "input" && task == "layer_norm")
      return {1, 0.5};
    if (name == "input" && (task == "softmax"))
      return {3, 0};
    if (name == "query" && isAttention(task))
      return {1.5, 0};
    if (name == "residual" || name == "gate_up" || name == "logits")
      return {2, 0};
    return {};
  }

  /// What is computed on, as against parameters of the model.
  static bool isActivation(std::string_view name) {
    return !name.ends_with("weight") && name != "bias" && name != "sink";
  }

  void fill(const TensorRef &tensor, auto value) {
    for (int64_t i = 0, n = tensor.getNumElements(); i < n; ++i)
      reference::write(tensor, size_t(i), value(i));
  }

  void fillFloats(const std::string &name, const TensorRef &tensor) {
    if (name == "cos_sin") {
      const std::vector<double> table =
          reference::getCosSin(int(tensor.shape[0]), int(tensor.shape[1] / 2));
      return fill(tensor, [&](int64_t i) { return table[size_t(i)]; });
    }
    if (name == "temperature" || name == "top_p")
      return fillSampling(name, tensor);
    const Distribution shape = getDistribution(name);
    std::normal_distribution<double> draw(shape.mean, shape.deviation);
    using enum ValueClass;
    if (!isActivation(name) || options.values == Normal)
      return fill(tensor, [&](int64_t) { return draw(random); });
    switch (options.values) {
    case Large:
    case Small:
    case Denormal: {
      // Scores are products of two: one of them alone is scaled.
      const bool scaled = !isAttention(task) || name == "query";
      const double factor = std::ldexp(
          1, scaled ? getExponent(task, options.dtype, options.values) : 0);
      // Below -88 exp overflows in f32, and x / (1 + exp(-x)) is 0 a little
      // before it should be.
      const bool clamped = task.starts_with("silu") || task == "gelu_and_mul";
      return fill(tensor, [&](int64_t) {
        const double value = factor * draw(random);
        return clamped ? std::max(value, -60.0) : value;
      });
    }
    case Zero:
      return fill(tensor, [](int64_t) { return 0.0; });
    case Constant:
      return fill(tensor, [](int64_t) { return 1.5; });
    case Cancelling:
      return fillCancelling(name, tensor);
    case NotFinite:
      fill(tensor, [&](int64_t) { return draw(random); });
      return spoil(name, tensor);
    case Normal:
      break;
    }
  }

  void fillCancelling(const std::string &name, const TensorRef &tensor) {
    std::normal_distribution<double> draw;
    // Two operands that nearly cancel draw the same numbers.
    std::mt19937 same(options.seed + 17);
    if (name == "rhs" || name == "residual")
      return fill(tensor, [&](int64_t) { return -1.015625 * draw(same); });
    if (name == "lhs" || (name == "input" && task == "add_rms_norm"))
      return fill(tensor, [&](int64_t) { return draw(same); });
    if (task == "softmax")
      return fill(tensor, [&](int64_t) { return 200 + draw(random); });
    if (task == "layer_norm")
      return fill(tensor, [&](int64_t) { return 20 + draw(random); });
    if (name == "gate_up")
      return fill(tensor, [&](int64_t) { return -6 + draw(random); });
    return fill(tensor, [&](int64_t i) {
      return (i % 2 ? -8 : 8) + 0.25 * draw(random);
    });
  }

  /// Rows are spoilt, not the whole: the others must stay what they are.
  void spoil(const std::string &name, const TensorRef &tensor) {
    const int64_t columns = tensor.shape.back();
    const int64_t rows = tensor.getNumElements() / columns;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    auto put = [&](int64_t row, int64_t column, double value) {
      if (row < rows)
        reference::write(tensor, size_t(row * columns + column % columns),
                         value);
    };
    // A second operand stays finite: which NaN or infinity wins is not defined.
    if (name == "residual" || name == "rhs")
      return;
    put(0, columns / 2, nan);
    if (task == "softmax") {
      put(1, 1, -infinity);
      put(2, columns - 1, -infinity);
    } else if (task == "tanh" || task == "add" || task == "mul" ||
               isCopy(task)) {
      put(1, columns - 1, infinity);
      put(2, 0, -infinity);
    } else if (task != "layer_norm" && !task.starts_with("gelu") &&
               !task.starts_with("silu")) {
      put(2, columns - 1, infinity);
    }
  }

  void fillSampling(const std::string &name, const TensorRef &tensor) {
    static const std::vector<double> temperatures = {0,   1,   0.7, 0,
                                                     1.5, 1.0, 0.3};
    static const std::vector<double> masses = {1, 1, 1, 0.9, 0.95, 0.8, 0.5};
    const std::vector<double> &from =
        name == "temperature" ? temperatures : masses;
    fill(tensor, [&](int64_t i) { return from[size_t(i) % from.size()]; });
  }

  //===--------------------------------------------------------------------===//
  // Integers
  //===--------------------------------------------------------------------===//

  void fillIntegers(const std::string &name, const TensorRef &tensor) {
    if (name == "ids")
      return fill(tensor, [&](int64_t i) {
        return double((i * 613 + axis("vocab") - 1) % axis("vocab"));
      });
    if (name == "positions")
      return fill(tensor, [](int64_t i) {
        return double((i * 37 + 5) % tablePositions);
      });
    if (name == "position")
      return fill(tensor, [](int64_t i) { return double(17 + i); });
    if (name == "top_k")
      return fill(tensor, [&](int64_t i) {
        const double all[] = {0, 0, 40, 5, 1, 0, double(axis("vocab"))};
        return std::min(all[i % 7], double(axis("vocab")));
      });
    if (name == "seed")
      return fill(tensor, [&](int64_t i) {
        return double(i * 1234567 + int64_t(options.seed));
      });
    if (name == "slots")
      return fillSlots(tensor);
    const std::vector<int64_t> lengths =
        splitTokens(axis("tokens"), axis("seqs"));
    if (name == "cu_seqlens") {
      int64_t sum = 0;
      return fill(tensor, [&](int64_t i) {
        const int64_t before = sum;
        sum += size_t(i) < lengths.size() ? lengths[size_t(i)] : 0;
        return double(before);
      });
    }
    const std::vector<int64_t> cached =
        getCachedRows(axis("seqs"), axis("page_size"));
    if (name == "seq_lens")
      return fill(tensor, [&](int64_t i) {
        return double(lengths[size_t(i)] + cached[size_t(i)]);
      });
    if (name != "block_table")
      throw Error({"nothing is known of operand '" + name + "' of task '" +
                       std::string(task) + "'",
                   "fk kernels", "", "", ""});
    // Pages in a scattered order; entries behind a sequence's end are -1.
    std::vector<int64_t> pages = shuffle(axis("pages"));
    size_t next = 0;
    const int64_t columns = axis("max_blocks"), size = axis("page_size");
    fill(tensor, [&](int64_t i) {
      const size_t s = size_t(i / columns);
      const bool used = (i % columns) * size < lengths[s] + cached[s];
      return used ? double(pages[next++]) : -1.0;
    });
  }

  void fillSlots(const TensorRef &tensor) {
    const std::vector<int64_t> slots =
        shuffle(axis("pages") * axis("page_size"));
    // A row that is not kept has slot -1.
    fill(tensor, [&](int64_t i) {
      return tensor.shape[0] > 2 && i == 1 ? -1.0 : double(slots[size_t(i)]);
    });
  }

  std::vector<int64_t> shuffle(int64_t count) {
    std::vector<int64_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    return order;
  }

  static constexpr int64_t tablePositions = 200;

  const Signature &signature;
  const AxisValues &axes;
  const TaskCaseOptions &options;
  std::string_view task;
  LaunchCase made;
  std::mt19937 random;
};

} // namespace

LaunchCase bench::makeTaskCase(const Signature &signature,
                               const AxisValues &axes,
                               const TaskCaseOptions &options) {
  return Builder(signature, axes, options).build();
}
