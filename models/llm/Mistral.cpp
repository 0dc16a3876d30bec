//===- Mistral.cpp - MistralForCausalLM -----------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Mistral 7B, arXiv 2310.06825.
//
//   x += self_attn(input_layernorm(x)), each row seeing `sliding_window` rows
//   x += mlp(post_attention_layernorm(x))
//
//===----------------------------------------------------------------------===//

#include "models/llm/Decoder.h"

using namespace fk;
using mlir::Value;

namespace {
struct Mistral : Decoder {
  /// Grouped-query attention over rotated queries and keys, in a window.
  Value attention(ModelBuilder &b, Value x, int64_t window) const {
    Value q = b.splitHeads(b.linear(x, "q_proj", queryWidth()), heads);
    Value k = b.splitHeads(b.linear(x, "k_proj", keyWidth()), kvHeads);
    Value v = b.splitHeads(b.linear(x, "v_proj", keyWidth()), kvHeads);
    std::tie(q, k) = b.rope(q, k);
    Value y = b.mergeHeads(b.attention(q, k, v, {.window = window}));
    return b.linear(y, "o_proj", hidden);
  }

  /// SwiGLU: down(silu(gate(x)) * up(x)).
  Value mlp(ModelBuilder &b, Value x) const {
    Value gate = b.linear(x, "gate_proj", intermediate);
    Value up = b.linear(x, "up_proj", intermediate);
    Value y = b.mul(b.activation(gate, activation), up, "mul");
    return b.linear(y, "down_proj", hidden);
  }

  Value layer(ModelBuilder &b, Value x, int64_t window) const {
    Value h = b.rmsNorm(x, "input_layernorm", epsilon);
    h = b.block("attention_block", "self_attn", h,
                [&](Value h) { return attention(b, h, window); });
    x = b.add(x, h, "attention_residual");
    h = b.rmsNorm(x, "post_attention_layernorm", epsilon);
    h = b.block("mlp", "mlp", h, [&](Value h) { return mlp(b, h); });
    return b.add(x, h, "mlp_residual");
  }
};
} // namespace

static void build(ModelBuilder &b, const Config &config) {
  Mistral model{{Decoder::read(config, {.kvHeads = 8})}};
  model.readWindow(config, 4096);
  model.build(b, [&](Value x, int64_t i) {
    return b.block(
        "decoder_layer", "model.layers." + std::to_string(i), x,
        [&](Value x) { return model.layer(b, x, model.windows[i]); });
  });
}

namespace fk {
extern const Architecture mistral = {
    .name = "MistralForCausalLM",
    .modelType = "mistral",
    .family = "llm",
    .build = build,
    .basePrefix = "model.",
    .unusedTensors = {"*.rotary_emb.inv_freq", "lm_head.weight"},
};
} // namespace fk
