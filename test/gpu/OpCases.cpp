//===- OpCases.cpp - Shapes at which kernels are tested --------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "test/gpu/OpCases.h"

#include <numeric>

namespace fk::test {

namespace {

using Lengths = std::vector<int64_t>;

std::string join(std::initializer_list<int64_t> extents) {
  std::string text;
  for (int64_t extent : extents)
    text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text;
}

/// Numbers drawn once and repeated: filling a gigabyte one by one takes long.
const std::vector<double> &getPool() {
  static const std::vector<double> pool = [] {
    std::mt19937 random(7);
    std::normal_distribution<double> draw;
    std::vector<double> values(1000003);
    for (double &value : values)
      value = draw(random);
    return values;
  }();
  return pool;
}

std::vector<double> getScaledPool(double deviation) {
  std::vector<double> values = getPool();
  for (double &value : values)
    value *= deviation;
  return values;
}

//===----------------------------------------------------------------------===//
// Builders
//===----------------------------------------------------------------------===//

Case makeLinearCase(const std::string &task, DType dtype, int64_t tokens,
                    int64_t first, int64_t other, int64_t in, bool bias) {
  Case c(task, dtype, unsigned(tokens + first + in));
  c.axis("tokens", tokens);
  int64_t rows = first;
  if (task == "linear") {
    c.axis("out_features", first).result("result", {tokens, first});
  } else if (task == "qkv_linear") {
    rows = first + 2 * other;
    c.axis("q_features", first).axis("kv_features", other);
    c.result("query", {tokens, first}).result("key", {tokens, other});
    c.result("value", {tokens, other});
  } else {
    rows = 2 * first;
    c.axis("intermediate", first).result("gate_up", {tokens, rows});
  }
  c.axis("in_features", in).normal("input", {tokens, in});
  c.values("weight", {rows, in}, getScaledPool(1 / std::sqrt(double(in))));
  if (bias)
    c.normal("bias", {rows});
  else
    c.absent("bias");
  return c;
}

Case makeNormCase(const std::string &task, DType dtype, int64_t rows,
                  int64_t columns, bool variant) {
  Case c(task, dtype, unsigned(rows * 31 + columns));
  if (task == "l2_norm") {
    c.axis("rows", rows).axis("columns", columns);
    c.result("result", {rows, columns}).normal("input", {rows, columns});
    c.scalar("epsilon", 1e-12);
    return c;
  }
  c.axis("tokens", rows).axis("hidden", columns);
  c.result("result", {rows, columns});
  if (task == "add_rms_norm")
    c.result("residual_out", {rows, columns});
  c.normal("input", {rows, columns}, 1, task == "layer_norm" ? 0.5 : 0);
  if (task == "add_rms_norm")
    c.normal("residual", {rows, columns}, 2);
  c.normal("weight", {columns}, 0.2, variant ? 0 : 1).scalar("epsilon", 1e-6);
  if (task != "layer_norm")
    c.scalar("weight_offset", variant ? 1 : 0);
  else if (variant)
    c.normal("bias", {columns});
  else
    c.absent("bias");
  return c;
}

Case makeActivationCase(const std::string &task, DType dtype, int64_t rows,
                        int64_t columns, bool variant) {
  Case c(task, dtype, unsigned(rows * 31 + columns));
  if (task == "softmax") {
    c.axis("rows", rows).axis("columns", columns);
    c.result("result", {rows, columns});
    c.normal("input", {rows, columns}, 3);
    return c;
  }
  bool gated = task.ends_with("and_mul");
  c.axis("tokens", rows).axis(gated ? "intermediate" : "features", columns);
  c.result("result", {rows, columns});
  if (gated)
    c.normal("gate_up", {rows, 2 * columns}, 2);
  else if (task == "add" || task == "mul")
    c.normal("lhs", {rows, columns}).normal("rhs", {rows, columns});
  else
    c.normal("input", {rows, columns}, 2);
  if (task.starts_with("gelu"))
    c.scalar("approximate", variant, DType::I32);
  return c;
}

Case makeRopeCase(const std::string &task, DType dtype, int64_t tokens,
                  int64_t qHeads, int64_t kvHeads, int64_t headDim,
                  int64_t rotaryDim) {
  Case c(task, dtype, unsigned(tokens * 31 + headDim));
  c.axis("tokens", tokens).axis("q_heads", qHeads).axis("kv_heads", kvHeads);
  c.axis("head_dim", headDim);
  c.result("query_out", {tokens, qHeads, headDim});
  c.result("key_out", {tokens, kvHeads, headDim});
  c.normal("query", {tokens, qHeads, headDim});
  c.normal("key", {tokens, kvHeads, headDim});
  if (task == "qk_norm_rope") {
    c.normal("query_weight", {headDim}, 0.2, 1);
    c.normal("key_weight", {headDim}, 0.2, 1);
    c.scalar("epsilon", 1e-6).scalar("weight_offset", 0);
  }
  std::vector<double> positions(tokens);
  for (int64_t t = 0; t < tokens; ++t)
    positions[t] = double((t * 37 + 5) % 200);
  c.integers("positions", positions);
  c.values("cos_sin", {200, rotaryDim}, DType::F32,
           getCosSin(200, int(rotaryDim / 2)));
  c.scalar("rotary_dim", double(rotaryDim), DType::I32);
  return c;
}

struct AttentionOptions {
  int64_t qHeads, kvHeads, headDim;
  bool causal = true;
  int64_t window = 0;
  double softcap = 0;
  bool sink = false;
};

std::vector<double> getCumulative(const Lengths &lengths) {
  std::vector<double> sums = {0};
  for (int64_t length : lengths)
    sums.push_back(sums.back() + double(length));
  return sums;
}

void addAttentionScalars(Case &c, const AttentionOptions &options) {
  if (options.sink)
    c.normal("sink", {options.qHeads});
  else
    c.absent("sink");
  c.scalar("scale", 1 / std::sqrt(double(options.headDim)));
  c.scalar("causal", options.causal, DType::I32);
  c.scalar("window", double(options.window), DType::I32);
  c.scalar("softcap", options.softcap);
}

Case makeAttentionCase(DType dtype, const Lengths &lengths,
                       const AttentionOptions &options) {
  int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), int64_t(0));
  int64_t heads = options.kvHeads, width = options.headDim;
  Case c("attention", dtype, unsigned(tokens + width));
  c.axis("tokens", tokens).axis("seqs", int64_t(lengths.size()));
  c.axis("q_heads", options.qHeads).axis("kv_heads", heads);
  c.axis("head_dim", width);
  c.result("result", {tokens, options.qHeads, width});
  c.normal("query", {tokens, options.qHeads, width}, 1.5);
  c.normal("key", {tokens, heads, width})
      .normal("value", {tokens, heads, width});
  c.integers("cu_seqlens", getCumulative(lengths));
  addAttentionScalars(c, options);
  return c;
}

/// Sequences with `queries` new rows behind `cached` ones; pages are dealt out
/// in a scattered order, unused table entries are -1, unused pages hold numbers
/// too.
Case makePagedCase(DType dtype, const Lengths &queries, const Lengths &cached,
                   int64_t pageSize, const AttentionOptions &options) {
  int64_t tokens = std::accumulate(queries.begin(), queries.end(), int64_t(0));
  auto seqs = int64_t(queries.size());
  int64_t width = options.headDim, maxBlocks = 1, used = 0;
  std::vector<double> lengths;
  for (int64_t s = 0; s < seqs; ++s) {
    int64_t length = queries[s] + cached[s];
    lengths.push_back(double(length));
    int64_t blocks = (length + pageSize - 1) / pageSize;
    maxBlocks = std::max(maxBlocks, blocks + 1);
    used += blocks;
  }
  int64_t pages = used + 3;
  std::vector<double> table(seqs * maxBlocks, -1), order(pages);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(3);
  std::shuffle(order.begin(), order.end(), random);
  int64_t next = 0;
  for (int64_t s = 0; s < seqs; ++s)
    for (int64_t b = 0; b * pageSize < int64_t(lengths[s]); ++b)
      table[s * maxBlocks + b] = order[next++];
  Case c("paged_attention", dtype, unsigned(tokens + width));
  c.axis("tokens", tokens).axis("seqs", seqs).axis("pages", pages);
  c.axis("page_size", pageSize).axis("max_blocks", maxBlocks);
  c.axis("q_heads", options.qHeads).axis("kv_heads", options.kvHeads);
  c.axis("head_dim", width);
  c.result("result", {tokens, options.qHeads, width});
  c.normal("query", {tokens, options.qHeads, width}, 1.5);
  c.values("cache", {2, pages, pageSize, options.kvHeads, width}, getPool());
  c.integers("cu_seqlens", getCumulative(queries));
  c.integers("seq_lens", lengths);
  c.values("block_table", {seqs, maxBlocks}, DType::I32, table);
  addAttentionScalars(c, options);
  return c;
}

Case makeCacheWriteCase(DType dtype, int64_t tokens, int64_t pageSize,
                        int64_t heads, int64_t width) {
  int64_t pages = tokens / pageSize + 2;
  Case c("kv_cache_write", dtype, unsigned(tokens + width));
  c.axis("tokens", tokens).axis("pages", pages).axis("page_size", pageSize);
  c.axis("kv_heads", heads).axis("head_dim", width);
  c.normal("cache", {2, pages, pageSize, heads, width});
  c.normal("key", {tokens, heads, width})
      .normal("value", {tokens, heads, width});
  std::vector<double> slots(pages * pageSize);
  std::iota(slots.begin(), slots.end(), 0);
  std::mt19937 random(5);
  std::shuffle(slots.begin(), slots.end(), random);
  slots.resize(tokens);
  if (tokens > 2)
    slots[1] = -1;
  c.integers("slots", slots);
  return c;
}

Case makeRowsCase(const std::string &task, DType dtype, const Lengths &lengths,
                  int64_t hidden, bool variant) {
  int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), int64_t(0));
  Case c(task, dtype, unsigned(tokens + hidden));
  if (task == "embedding") {
    int64_t vocab = 999;
    c.axis("tokens", tokens).axis("hidden", hidden).axis("vocab", vocab);
    std::vector<double> ids(tokens);
    for (int64_t t = 0; t < tokens; ++t)
      ids[t] = double((t * 613 + vocab - 1) % vocab);
    c.result("result", {tokens, hidden}).integers("ids", ids);
    c.values("table", {vocab, hidden}, getPool());
    c.scalar("scale", variant ? 7.3 : 1);
    return c;
  }
  auto seqs = int64_t(lengths.size());
  c.axis("tokens", tokens).axis("seqs", seqs).axis("hidden", hidden);
  c.result("result", {seqs, hidden}).normal("input", {tokens, hidden});
  c.integers("cu_seqlens", getCumulative(lengths));
  if (task == "pool")
    c.scalar("mean", variant, DType::I32);
  return c;
}

/// Of the rows, a third greedy, others with every kind of cut. `deviation`
/// small makes ties in 16-bit types.
Case makeSampleCase(DType dtype, int64_t seqs, int64_t vocab,
                    double deviation) {
  Case c("sample", dtype, unsigned(seqs + vocab));
  c.axis("seqs", seqs).axis("vocab", vocab);
  c.result("next", {seqs}, DType::I32);
  c.normal("logits", {seqs, vocab}, deviation, 1);
  c.values("temperature", {seqs}, DType::F32, {0, 1, 0.7, 0, 1.5, 1, 0.3});
  c.values("top_k", {seqs}, DType::I32, {0, 0, 40, 5, 1, 0, double(vocab)});
  c.values("top_p", {seqs}, DType::F32, {1, 1, 1, 0.9, 0.95, 0.8, 0.5, 0.05});
  c.values("seed", {seqs}, DType::I64, {1, 2, 1234567890123, 4, 5});
  std::vector<double> positions(seqs);
  std::iota(positions.begin(), positions.end(), 17);
  c.integers("position", positions);
  return c;
}

//===----------------------------------------------------------------------===//
// Correctness
//===----------------------------------------------------------------------===//

class CaseList {
public:
  std::vector<OpCase> cases;

  void add(const std::string &task, const std::string &label,
           std::function<Case(DType)> make) {
    cases.push_back({task, label, std::move(make)});
  }

  void addLinear() {
    struct {
      int64_t tokens, first, other, in;
    } shapes[] = {
        {1, 1, 1, 8},          {1, 7, 3, 24},        {1, 64, 32, 96},
        {1, 4096, 1024, 4096}, {2, 130, 66, 520},    {3, 257, 33, 1024},
        {4, 576, 192, 576},    {5, 33, 9, 264},      {7, 512, 128, 2048},
        {8, 1000, 200, 8},     {8, 2048, 256, 2056}, {9, 64, 32, 96},
        {17, 48, 16, 100},     {33, 129, 65, 257},   {64, 512, 128, 512},
        {200, 384, 128, 320}};
    for (const auto &s : shapes)
      for (bool bias : {false, true})
        for (const char *task : {"linear", "qkv_linear", "gate_up_linear"})
          add(task,
              join({s.tokens, s.first, s.other, s.in}) + (bias ? " bias" : ""),
              [=](DType type) {
                return makeLinearCase(task, type, s.tokens, s.first, s.other,
                                      s.in, bias);
              });
    add("linear", "1x4096x14336", [](DType type) {
      return makeLinearCase("linear", type, 1, 4096, 0, 14336, false);
    });
  }

  void addRows() {
    struct {
      int64_t rows, columns;
    } shapes[] = {{1, 1},    {3, 2},     {2, 7},     {5, 50},
                  {1, 64},   {9, 100},   {4, 257},   {2, 1024},
                  {3, 2052}, {1, 4096},  {33, 4096}, {2, 5120},
                  {3, 8191}, {2, 14336}, {2, 33000}, {1, 65544}};
    for (const auto &s : shapes)
      for (bool variant : {false, true}) {
        std::string label = join({s.rows, s.columns}) + (variant ? "'" : "");
        for (const char *task :
             {"rms_norm", "add_rms_norm", "layer_norm", "l2_norm"})
          add(task, label, [=](DType type) {
            return makeNormCase(task, type, s.rows, s.columns, variant);
          });
        for (const char *task : {"silu", "tanh", "gelu", "add", "mul",
                                 "softmax", "silu_and_mul", "gelu_and_mul"})
          add(task, label, [=](DType type) {
            return makeActivationCase(task, type, s.rows, s.columns, variant);
          });
        for (const char *task : {"embedding", "gather_last_tokens", "pool"})
          add(task, label, [=](DType type) {
            return makeRowsCase(task, type, {s.rows, 1, 6}, s.columns, variant);
          });
      }
  }

  void addRope() {
    struct {
      int64_t tokens, q, kv, width, rotary;
    } shapes[] = {
        {1, 1, 1, 2, 2},       {3, 4, 2, 16, 12},   {1, 32, 8, 128, 128},
        {37, 32, 8, 128, 128}, {5, 6, 3, 24, 24},   {7, 14, 2, 64, 64},
        {4, 32, 32, 96, 96},   {9, 8, 1, 256, 256}, {6, 5, 5, 80, 32},
        {11, 3, 1, 20, 10},    {2, 16, 16, 128, 64}};
    for (const auto &s : shapes)
      for (const char *task : {"rope", "qk_norm_rope"})
        add(task, join({s.tokens, s.q, s.kv, s.width, s.rotary}),
            [=](DType type) {
              return makeRopeCase(task, type, s.tokens, s.q, s.kv, s.width,
                                  s.rotary);
            });
  }

  void addAttention() {
    const std::vector<AttentionOptions> options = {
        {4, 2, 64},
        {4, 4, 128},
        {8, 2, 128, true, 0, 0, true},
        {4, 1, 256, true, 0, 30},
        {6, 2, 24},
        {2, 2, 80, false},
        {4, 2, 96, true, 37},
        {3, 1, 20, false, 9},
        {2, 1, 7, true, 5, 20, true},
        {16, 2, 64, false},
        {9, 1, 128},
        {12, 1, 32},
    };
    const std::vector<Lengths> batches = {{1},  {2, 1, 3},    {63}, {64},
                                          {65}, {130, 1, 77}, {300}};
    for (const AttentionOptions &o : options)
      for (const Lengths &lengths : batches)
        add("attention", describe(lengths, {}, o),
            [=](DType type) { return makeAttentionCase(type, lengths, o); });
    add("attention", "40 sequences", [](DType type) {
      Lengths lengths(40);
      for (int64_t i = 0; i < 40; ++i)
        lengths[i] = 1 + i * 7 % 23;
      return makeAttentionCase(type, lengths, {4, 2, 64});
    });
    struct {
      Lengths queries, cached;
      int64_t pageSize;
    } paged[] = {{{1}, {0}, 16},
                 {{1}, {15}, 16},
                 {{1}, {16}, 16},
                 {{1}, {700}, 16},
                 {{1, 1, 1}, {5, 0, 99}, 4},
                 {{1, 1}, {1023, 200}, 16},
                 {{1}, {3000}, 128},
                 {{1}, {77}, 7},
                 {{5, 4}, {4, 2}, 4},
                 {{64}, {0}, 16},
                 {{65}, {63}, 16},
                 {{130, 1, 20}, {0, 300, 51}, 16},
                 {{33}, {111}, 12}};
    for (const AttentionOptions &o : options)
      for (const auto &p : paged)
        add("paged_attention",
            describe(p.queries, p.cached, o) + " page " +
                std::to_string(p.pageSize),
            [=](DType type) {
              return makePagedCase(type, p.queries, p.cached, p.pageSize, o);
            });
    add("paged_attention", "48 sequences", [](DType type) {
      Lengths cached(48);
      for (int64_t i = 0; i < 48; ++i)
        cached[i] = i * 29 % 150;
      return makePagedCase(type, Lengths(48, 1), cached, 16, {8, 2, 128});
    });
    struct {
      int64_t tokens, pageSize, heads, width;
    } writes[] = {{1, 16, 8, 128}, {3, 4, 2, 8}, {100, 16, 8, 128},
                  {9, 7, 3, 5},    {1, 1, 1, 1}, {40, 16, 2, 24}};
    for (const auto &w : writes)
      add("kv_cache_write", join({w.tokens, w.pageSize, w.heads, w.width}),
          [=](DType type) {
            return makeCacheWriteCase(type, w.tokens, w.pageSize, w.heads,
                                      w.width);
          });
  }

  void addSample() {
    struct {
      int64_t seqs, vocab;
      double deviation;
    } shapes[] = {{1, 1, 1},       {3, 2, 1},     {40, 7, 1},
                  {57, 200, 1e-3}, {80, 1000, 2}, {60, 1025, 0.02},
                  {8, 32000, 2},   {8, 128256, 3}};
    for (const auto &s : shapes)
      add("sample", join({s.seqs, s.vocab}), [=](DType type) {
        return makeSampleCase(type, s.seqs, s.vocab, s.deviation);
      });
  }

private:
  static std::string describe(const Lengths &lengths, const Lengths &cached,
                              const AttentionOptions &o) {
    std::string text;
    for (size_t i = 0; i < lengths.size(); ++i) {
      text += (i ? "," : "") + std::to_string(lengths[i]);
      if (!cached.empty())
        text += "+" + std::to_string(cached[i]);
    }
    text += " " + join({o.qHeads, o.kvHeads, o.headDim});
    text += o.causal ? "" : " bidirectional";
    text += o.window ? " window " + std::to_string(o.window) : "";
    text += o.softcap > 0 ? " softcap" : "";
    return text + (o.sink ? " sink" : "");
  }
};

} // namespace

std::vector<OpCase> getCorrectnessCases() {
  CaseList list;
  list.addLinear();
  list.addRows();
  list.addRope();
  list.addAttention();
  list.addSample();
  return std::move(list.cases);
}

//===----------------------------------------------------------------------===//
// Timing
//===----------------------------------------------------------------------===//

std::vector<TimingCase> getTimingCases() {
  std::vector<TimingCase> cases;
  auto add = [&](const std::string &task, const std::string &label,
                 double bytes, double flops, std::function<Case(DType)> make) {
    cases.push_back({{task, label, std::move(make)}, bytes, flops});
  };
  auto linear = [&](const std::string &task, int64_t tokens, int64_t first,
                    int64_t other, int64_t in) {
    double rows = task == "linear"       ? double(first)
                  : task == "qkv_linear" ? double(first + 2 * other)
                                         : 2.0 * double(first);
    add(task, join({tokens, int64_t(rows), in}),
        2 * (rows * double(in) + double(tokens) * (rows + double(in))),
        2 * rows * double(in) * double(tokens), [=](DType type) {
          return makeLinearCase(task, type, tokens, first, other, in, false);
        });
  };
  for (int64_t tokens : {1, 2, 4, 8, 32, 2048}) {
    linear("qkv_linear", tokens, 4096, 1024, 4096);
    linear("linear", tokens, 4096, 0, 4096);
    linear("gate_up_linear", tokens, 14336, 0, 4096);
    linear("linear", tokens, 4096, 0, 14336);
    if (tokens <= 32)
      linear("linear", tokens, 128256, 0, 4096);
  }
  for (int64_t tokens : {1, 32, 2048}) {
    double row = 2.0 * double(tokens);
    add("rms_norm", join({tokens, 4096}), row * 2 * 4096, 0, [=](DType type) {
      return makeNormCase("rms_norm", type, tokens, 4096, false);
    });
    add("add_rms_norm", join({tokens, 4096}), row * 4 * 4096, 0,
        [=](DType type) {
          return makeNormCase("add_rms_norm", type, tokens, 4096, false);
        });
    add("silu_and_mul", join({tokens, 14336}), row * 3 * 14336, 0,
        [=](DType type) {
          return makeActivationCase("silu_and_mul", type, tokens, 14336, false);
        });
    add("rope", join({tokens, 32, 8, 128}), row * 2 * 40 * 128, 0,
        [=](DType type) {
          return makeRopeCase("rope", type, tokens, 32, 8, 128, 128);
        });
    add("kv_cache_write", join({tokens, 8, 128}), row * 4 * 8 * 128, 0,
        [=](DType type) {
          return makeCacheWriteCase(type, tokens, 16, 8, 128);
        });
  }
  for (int64_t length : {2048, 8192}) {
    double work = 2.0 * 32 * 128 * double(length) * double(length);
    double bytes = 2.0 * 2 * 40 * 128 * double(length);
    add("attention", "prefill " + std::to_string(length), bytes, work,
        [=](DType type) {
          return makeAttentionCase(type, {length}, {32, 8, 128});
        });
    add("paged_attention", "prefill " + std::to_string(length), bytes, work,
        [=](DType type) {
          return makePagedCase(type, {length}, {0}, 16, {32, 8, 128});
        });
  }
  struct {
    int64_t seqs, context;
  } decode[] = {{1, 1024},  {1, 8192},   {8, 1024},
                {32, 1024}, {128, 1024}, {32, 8192}};
  for (const auto &d : decode)
    add("paged_attention", "decode " + join({d.seqs, d.context}),
        2.0 * 2 * 8 * 128 * double(d.seqs * d.context),
        4.0 * 32 * 128 * double(d.seqs * d.context), [=](DType type) {
          return makePagedCase(type, Lengths(d.seqs, 1),
                               Lengths(d.seqs, d.context - 1), 16,
                               {32, 8, 128});
        });
  add("sample", "greedy 1x128256", 2.0 * 128256, 0,
      [](DType type) { return makeSampleCase(type, 1, 128256, 3); });
  return cases;
}

} // namespace fk::test
