//===- HostTasks.h - Every task over tensors in host memory -----*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Walks the outputs of a launch and calls the task's reference function for
// each. Instantiated for the reference provider (C = float, results in T) and
// for checks (C = double, results in double).
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_HOSTTASKS_H
#define FK_RUNTIME_REFERENCE_HOSTTASKS_H

#include "runtime/Kernel.h"
#include "runtime/reference/ActivationReference.h"
#include "runtime/reference/AttentionReference.h"
#include "runtime/reference/HostDot.h"
#include "runtime/reference/LinearReference.h"
#include "runtime/reference/NormReference.h"
#include "runtime/reference/SamplingReference.h"
#include "runtime/reference/WorkPool.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <type_traits>
#include <vector>

namespace fk::reference {

/// C: compute type; T: storage of the operands; O: storage of the results.
template <typename C, typename T, typename O> class HostTasks {
public:
  /// `out`: where each result goes, in the signature's order; of `sample`
  /// int32_t (double where O is), of `kv_cache_write` the cache it writes to.
  HostTasks(const BoundLaunch &launch, std::vector<void *> out, WorkPool &pool)
      : launch(launch), out(std::move(out)), pool(pool) {}

  void run() {
    for (const auto &[name, method] : methods)
      if (name == launch.task)
        return (this->*method)();
    throw Error({.what = "task '" + launch.task + "' has no reference",
                 .where = launch.place});
  }

  static bool knows(std::string_view task) {
    return std::any_of(std::begin(methods), std::end(methods),
                       [&](const auto &entry) { return entry.first == task; });
  }

private:
  const T *in(std::string_view name) const {
    return static_cast<const T *>(launch.operand(name).data);
  }
  const int32_t *index(std::string_view name) const {
    return static_cast<const int32_t *>(launch.operand(name).data);
  }
  const float *real(std::string_view name) const {
    return static_cast<const float *>(launch.operand(name).data);
  }
  O *result(size_t i) const { return static_cast<O *>(out[i]); }
  int64_t axis(std::string_view name) const { return launch.axis(name); }
  /// Kernels get their scalars as float.
  float scalar(std::string_view name) const {
    return float(launch.scalar(name));
  }
  int32_t integer(std::string_view name) const {
    return int32_t(launch.scalar(name));
  }

  /// Calls `body(unit)` for each unit; `cost` is about the scalar operations of
  /// one.
  template <typename Body>
  void forEach(int64_t units, int64_t cost, const Body &body) {
    int64_t grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, cost));
    pool.run(units, grain, [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit)
        body(unit);
    });
  }

  /// Calls `body(row, y)` with scratch for a row in C, `width` elements and
  /// `more` behind them, and stores the row.
  template <typename Body>
  void forEachRow(O *to, int64_t rows, int64_t width, int64_t cost,
                  const Body &body, int64_t more = 0) {
    int64_t grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, cost));
    pool.run(rows, grain, [&](int64_t begin, int64_t end) {
      std::vector<C> y(width + more);
      for (int64_t row = begin; row < end; ++row) {
        body(row, y.data());
        storeRow(to + row * width, y.data(), width);
      }
    });
  }

  static void storeRow(O *to, const C *from, int64_t width) {
    for (int64_t i = 0; i < width; ++i)
      store(to[i], from[i]);
  }

  //===--------------------------------------------------------------------===//
  // Linear
  //===--------------------------------------------------------------------===//

  void embedding() {
    const int32_t *ids = index("ids");
    const T *table = in("table");
    float scale = scalar("scale");
    int64_t hidden = axis("hidden");
    O *to = result(0);
    forEach(axis("tokens"), hidden, [&](int64_t t) {
      for (int64_t h = 0; h < hidden; ++h)
        store(to[t * hidden + h],
              embeddingElement<C>(ids, table, scale, hidden, t, h));
    });
  }

  /// linearElement for every token and row of the weight. Operands are widened
  /// to C once, which changes no value; eight weight rows are kept near while
  /// the tokens pass. `put(t, o, value)` stores.
  template <typename Put> void multiply(int64_t outFeatures, const Put &put) {
    int64_t tokens = axis("tokens"), inFeatures = axis("in_features");
    const T *weight = in("weight"), *bias = in("bias");
    std::vector<C> widened;
    const C *x = widenAll(in("input"), tokens * inFeatures, widened);
    int64_t cost = std::max<int64_t>(1, tokens * inFeatures);
    int64_t grain =
        std::clamp<int64_t>((int64_t(1) << 18) / cost / 8, 1, 16) * 8;
    pool.run(outFeatures, grain, [&](int64_t begin, int64_t end) {
      constexpr int64_t block = 8;
      std::vector<C> rows;
      for (int64_t first = begin; first < end; first += block) {
        int64_t count = std::min(block, end - first);
        const C *w =
            widenHere(weight + first * inFeatures, count * inFeatures, rows);
        for (int64_t t = 0; t < tokens; ++t)
          for (int64_t r = 0; r < count; ++r) {
            C sum = hostDot(x + t * inFeatures, w + r * inFeatures, inFeatures);
            put(t, first + r, bias ? sum + C(widen(bias[first + r])) : sum);
          }
      }
    });
  }

  const C *widenHere(const T *from, int64_t count, std::vector<C> &scratch) {
    if constexpr (std::is_same_v<C, T>)
      return from;
    else {
      scratch.resize(count);
      widenRow(from, scratch.data(), count);
      return scratch.data();
    }
  }

  const C *widenAll(const T *from, int64_t count, std::vector<C> &scratch) {
    if constexpr (std::is_same_v<C, T>)
      return from;
    else {
      scratch.resize(count);
      pool.run(count, 32768, [&](int64_t begin, int64_t end) {
        widenRow(from + begin, scratch.data() + begin, end - begin);
      });
      return scratch.data();
    }
  }

  void linear() { multiplyInto(axis("out_features")); }
  void gateUpLinear() { multiplyInto(2 * axis("intermediate")); }
  void multiplyInto(int64_t outFeatures) {
    O *to = result(0);
    multiply(outFeatures, [=](int64_t t, int64_t o, C value) {
      store(to[t * outFeatures + o], value);
    });
  }

  void qkvLinear() {
    int64_t q = axis("q_features"), kv = axis("kv_features");
    O *query = result(0), *key = result(1), *value = result(2);
    multiply(q + 2 * kv, [=](int64_t t, int64_t o, C sum) {
      if (o < q)
        store(query[t * q + o], sum);
      else if (o < q + kv)
        store(key[t * kv + o - q], sum);
      else
        store(value[t * kv + o - q - kv], sum);
    });
  }

  //===--------------------------------------------------------------------===//
  // Norm
  //===--------------------------------------------------------------------===//

  void rmsNorm() {
    const T *x = in("input"), *weight = in("weight");
    float epsilon = scalar("epsilon"), offset = scalar("weight_offset");
    int64_t hidden = axis("hidden");
    forEachRow(result(0), axis("tokens"), hidden, 4 * hidden,
               [&](int64_t t, C *y) {
                 rmsNormRow(y, x + t * hidden, weight, epsilon, offset, hidden);
               });
  }

  void addRmsNorm() {
    const T *x = in("input"), *residual = in("residual"),
            *weight = in("weight");
    float epsilon = scalar("epsilon"), offset = scalar("weight_offset");
    int64_t hidden = axis("hidden");
    O *sums = result(1);
    forEachRow(
        result(0), axis("tokens"), hidden, 5 * hidden,
        [&](int64_t t, C *y) {
          addRmsNormRow(y, y + hidden, x + t * hidden, residual + t * hidden,
                        weight, epsilon, offset, hidden);
          storeRow(sums + t * hidden, y + hidden, hidden);
        },
        hidden);
  }

  void layerNorm() {
    const T *x = in("input"), *weight = in("weight"), *bias = in("bias");
    float epsilon = scalar("epsilon");
    int64_t hidden = axis("hidden");
    forEachRow(result(0), axis("tokens"), hidden, 6 * hidden,
               [&](int64_t t, C *y) {
                 layerNormRow(y, x + t * hidden, weight, bias, epsilon, hidden);
               });
  }

  void l2Norm() {
    const T *x = in("input");
    float epsilon = scalar("epsilon");
    int64_t columns = axis("columns");
    forEachRow(result(0), axis("rows"), columns, 3 * columns,
               [&](int64_t r, C *y) {
                 l2NormRow(y, x + r * columns, epsilon, columns);
               });
  }

  //===--------------------------------------------------------------------===//
  // Activation
  //===--------------------------------------------------------------------===//

  template <typename Element>
  void pointwise(int64_t cost, const Element &element) {
    int64_t count = axis("tokens") * axis("features");
    O *to = result(0);
    forEach(count, cost, [&](int64_t i) { store(to[i], element(i)); });
  }

  void siluTask() {
    const T *x = in("input");
    pointwise(16, [=](int64_t i) { return siluElement<C>(x, i); });
  }
  void tanhTask() {
    const T *x = in("input");
    pointwise(16, [=](int64_t i) { return tanhElement<C>(x, i); });
  }
  void geluTask() {
    const T *x = in("input");
    int32_t approximate = integer("approximate");
    pointwise(32, [=](int64_t i) { return geluElement<C>(x, approximate, i); });
  }
  void add() {
    const T *a = in("lhs"), *b = in("rhs");
    pointwise(1, [=](int64_t i) { return addElement<C>(a, b, i); });
  }
  void mul() {
    const T *a = in("lhs"), *b = in("rhs");
    pointwise(1, [=](int64_t i) { return mulElement<C>(a, b, i); });
  }

  void softmax() {
    const T *x = in("input");
    int64_t columns = axis("columns");
    forEachRow(
        result(0), axis("rows"), columns, 16 * columns,
        [&](int64_t r, C *y) { softmaxRow(y, x + r * columns, columns); });
  }

  void siluAndMul() {
    const T *gateUp = in("gate_up");
    int64_t width = axis("intermediate");
    forEachRow(result(0), axis("tokens"), width, 16 * width,
               [&](int64_t t, C *y) {
                 for (int64_t i = 0; i < width; ++i)
                   y[i] = siluAndMulElement<C>(gateUp, width, t, i);
               });
  }
  void geluAndMul() {
    const T *gateUp = in("gate_up");
    int32_t approximate = integer("approximate");
    int64_t width = axis("intermediate");
    forEachRow(
        result(0), axis("tokens"), width, 32 * width, [&](int64_t t, C *y) {
          for (int64_t i = 0; i < width; ++i)
            y[i] = geluAndMulElement<C>(gateUp, approximate, width, t, i);
        });
  }

  //===--------------------------------------------------------------------===//
  // Attention
  //===--------------------------------------------------------------------===//

  const float *getCosSin(int64_t t) const {
    return real("cos_sin") +
           index("positions")[t] * launch.operand("cos_sin").shape[1];
  }

  void rope() {
    int64_t rotaryDim = integer("rotary_dim"), headDim = axis("head_dim");
    auto rotate = [&](O *to, const T *x, int64_t heads) {
      forEachRow(to, axis("tokens") * heads, headDim, 4 * headDim,
                 [&](int64_t row, C *y) {
                   const float *cosSin = getCosSin(row / heads);
                   for (int64_t i = 0; i < headDim; ++i)
                     y[i] = ropeElement<C>(x + row * headDim, cosSin, rotaryDim,
                                           i);
                 });
    };
    rotate(result(0), in("query"), axis("q_heads"));
    rotate(result(1), in("key"), axis("kv_heads"));
  }

  void qkNormRope() {
    int64_t rotaryDim = integer("rotary_dim"), headDim = axis("head_dim");
    float epsilon = scalar("epsilon"), offset = scalar("weight_offset");
    auto rotate = [&](O *to, const T *x, const T *weight, int64_t heads) {
      forEachRow(
          to, axis("tokens") * heads, headDim, 8 * headDim,
          [&](int64_t row, C *y) {
            normRopeHead(y, x + row * headDim, weight, getCosSin(row / heads),
                         epsilon, offset, rotaryDim, headDim);
          });
    };
    rotate(result(0), in("query"), in("query_weight"), axis("q_heads"));
    rotate(result(1), in("key"), in("key_weight"), axis("kv_heads"));
  }

  void attention() {
    int64_t tokens = axis("tokens"), heads = axis("q_heads");
    int64_t headDim = axis("head_dim");
    forEachRow(result(0), tokens * heads, headDim,
               2 * headDim * std::max<int64_t>(1, tokens / 2),
               [&](int64_t row, C *y) {
                 denseAttentionRow(y, in("query"), in("key"), in("value"),
                                   index("cu_seqlens"), in("sink"),
                                   scalar("scale"), integer("causal"),
                                   integer("window"), scalar("softcap"),
                                   axis("seqs"), heads, axis("kv_heads"),
                                   headDim, row / heads, row % heads);
               });
  }

  void pagedAttention() {
    int64_t tokens = axis("tokens"), heads = axis("q_heads");
    int64_t headDim = axis("head_dim");
    forEachRow(result(0), tokens * heads, headDim, 512 * headDim,
               [&](int64_t row, C *y) {
                 pagedAttentionRow(
                     y, in("query"), in("cache"), index("cu_seqlens"),
                     index("seq_lens"), index("block_table"), in("sink"),
                     scalar("scale"), integer("causal"), integer("window"),
                     scalar("softcap"), axis("seqs"), axis("pages"),
                     axis("page_size"), axis("max_blocks"), heads,
                     axis("kv_heads"), headDim, row / heads, row % heads);
               });
  }

  void kvCacheWrite() {
    const T *key = in("key"), *value = in("value");
    const int32_t *slots = index("slots");
    int64_t rowElements = axis("kv_heads") * axis("head_dim");
    int64_t half = axis("pages") * axis("page_size") * rowElements;
    O *cache = result(0);
    forEach(axis("tokens"), 2 * rowElements, [&](int64_t t) {
      for (int64_t i = 0; i < rowElements; ++i) {
        int64_t to = getCacheIndex(slots, rowElements, t, i);
        if (to < 0)
          return;
        copy(cache[to], key[t * rowElements + i]);
        copy(cache[half + to], value[t * rowElements + i]);
      }
    });
  }

  static void copy(O &to, const T &from) {
    if constexpr (std::is_same_v<O, T>)
      to = from;
    else
      store(to, C(widen(from)));
  }

  //===--------------------------------------------------------------------===//
  // Sampling
  //===--------------------------------------------------------------------===//

  void gatherLastTokens() {
    const T *x = in("input");
    const int32_t *cuSeqlens = index("cu_seqlens");
    int64_t hidden = axis("hidden");
    forEachRow(result(0), axis("seqs"), hidden, hidden, [&](int64_t s, C *y) {
      for (int64_t h = 0; h < hidden; ++h)
        y[h] = gatherLastElement<C>(x, cuSeqlens, hidden, s, h);
    });
  }

  void poolTask() {
    const T *x = in("input");
    const int32_t *cuSeqlens = index("cu_seqlens");
    int32_t mean = integer("mean");
    int64_t hidden = axis("hidden");
    forEachRow(result(0), axis("seqs"), hidden, 64 * hidden,
               [&](int64_t s, C *y) {
                 for (int64_t h = 0; h < hidden; ++h)
                   y[h] = poolElement<C>(x, cuSeqlens, mean, hidden, s, h);
               });
  }

  void sample() {
    using Index =
        std::conditional_t<std::is_same_v<O, double>, double, int32_t>;
    auto *next = static_cast<Index *>(out[0]);
    const T *logits = in("logits");
    const float *temperature = real("temperature"), *topP = real("top_p");
    const int32_t *topK = index("top_k"), *position = index("position");
    auto *seed = static_cast<const int64_t *>(launch.operand("seed").data);
    int64_t vocab = axis("vocab");
    forEach(axis("seqs"), 64 * vocab, [&](int64_t s) {
      next[s] = sampleRow(logits + s * vocab, vocab, temperature[s], topK[s],
                          topP[s], seed[s], position[s]);
    });
  }

  using Method = void (HostTasks::*)();
  static constexpr std::pair<std::string_view, Method> methods[] = {
      {"embedding", &HostTasks::embedding},
      {"linear", &HostTasks::linear},
      {"qkv_linear", &HostTasks::qkvLinear},
      {"gate_up_linear", &HostTasks::gateUpLinear},
      {"rms_norm", &HostTasks::rmsNorm},
      {"layer_norm", &HostTasks::layerNorm},
      {"l2_norm", &HostTasks::l2Norm},
      {"add_rms_norm", &HostTasks::addRmsNorm},
      {"silu", &HostTasks::siluTask},
      {"tanh", &HostTasks::tanhTask},
      {"gelu", &HostTasks::geluTask},
      {"add", &HostTasks::add},
      {"mul", &HostTasks::mul},
      {"softmax", &HostTasks::softmax},
      {"silu_and_mul", &HostTasks::siluAndMul},
      {"gelu_and_mul", &HostTasks::geluAndMul},
      {"rope", &HostTasks::rope},
      {"qk_norm_rope", &HostTasks::qkNormRope},
      {"attention", &HostTasks::attention},
      {"paged_attention", &HostTasks::pagedAttention},
      {"kv_cache_write", &HostTasks::kvCacheWrite},
      {"gather_last_tokens", &HostTasks::gatherLastTokens},
      {"pool", &HostTasks::poolTask},
      {"sample", &HostTasks::sample},
  };

  const BoundLaunch &launch;
  std::vector<void *> out;
  WorkPool &pool;
};

} // namespace fk::reference

#endif // FK_RUNTIME_REFERENCE_HOSTTASKS_H
