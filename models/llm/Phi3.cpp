//===- Phi3.cpp - Phi3ForCausalLM -----------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Phi-3 Technical Report, arXiv 2404.14219; LongRoPE, arXiv 2402.13753.
//
//   x += self_attn(input_layernorm(x)), q, k and v in one tensor
//   x += mlp(post_attention_layernorm(x)), gate and up in one tensor
//
//===----------------------------------------------------------------------===//

#include "models/llm/Decoder.h"

using namespace fk;
using mlir::Value;

namespace {
struct Phi3 : Decoder {
  /// Attention whose qkv_proj holds queries, keys and values, in this order.
  Value attention(ModelBuilder &b, Value x, int64_t window) const {
    int64_t q = queryWidth(), kv = keyWidth(), rows = q + 2 * kv;
    Value query = b.linearPart(x, "q_proj", "qkv_proj", 0, q, rows);
    Value key = b.linearPart(x, "k_proj", "qkv_proj", q, kv, rows);
    Value value = b.linearPart(x, "v_proj", "qkv_proj", q + kv, kv, rows);
    query = b.splitHeads(query, heads);
    key = b.splitHeads(key, kvHeads);
    value = b.splitHeads(value, kvHeads);
    return b.linear(attend(b, {query, key, value}, window), "o_proj", hidden);
  }

  /// SwiGLU whose gate_up_proj holds gate, then up.
  Value mlp(ModelBuilder &b, Value x) const {
    int64_t n = intermediate;
    Value gate = b.linearPart(x, "gate_proj", "gate_up_proj", 0, n, 2 * n);
    Value up = b.linearPart(x, "up_proj", "gate_up_proj", n, n, 2 * n);
    Value y = b.mul(b.activation(gate, activation, "activation_fn"), up, "mul");
    return b.linear(y, "down_proj", hidden);
  }
};
} // namespace

static void build(ModelBuilder &b, const Config &config) {
  Phi3 model{{Decoder::read(config, {.epsilon = 1e-5,
                                     .rope = {.partial = true,
                                              .suIsLongRope = true,
                                              .originalMaxPositions = 4096}})}};
  model.readWindow(config, std::nullopt);
  multiplySizes(config, "the width of qkv_proj", 1,
                model.queryWidth() + 2 * model.keyWidth());
  // What remote code of its relatives reads; the library's model does not.
  config.requireValue("attention_bias", "false");
  config.requireValue("mlp_bias", "false");
  config.requireValue("lm_head_bias", "false");
  config.requireValue("full_attn_mod", "1");
  config.requireValue("interpolate_factor", "1");
  model.build(b, [&](Value x, int64_t i) {
    return model.preNormLayer(
        b, x, [&](Value h) { return model.attention(b, h, model.windows[i]); },
        [&](Value h) { return model.mlp(b, h); });
  });
}

namespace fk {
extern const Architecture phi3 = {
    .name = "Phi3ForCausalLM",
    .modelType = "phi3",
    .family = "llm",
    .build = build,
    .basePrefix = "model.",
    .unusedTensors = {"*.rotary_emb.inv_freq", "lm_head.weight"},
};
} // namespace fk
