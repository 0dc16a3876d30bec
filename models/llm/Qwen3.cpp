//===- Qwen3.cpp - Qwen3ForCausalLM ---------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Qwen3 Technical Report, arXiv 2505.09388.
//
//   x += self_attn(input_layernorm(x)), q and k normalised head by head
//   x += mlp(post_attention_layernorm(x))
//
//===----------------------------------------------------------------------===//

#include "models/llm/Decoder.h"

using namespace fk;
using mlir::Value;

namespace {
struct Qwen3 : Decoder {
  bool attentionBias = false;

  /// Grouped-query attention; each head of q and k is normalised, then rotated.
  Value attention(ModelBuilder &b, Value x, int64_t window) const {
    Value q =
        b.splitHeads(b.linear(x, "q_proj", queryWidth(), attentionBias), heads);
    Value k =
        b.splitHeads(b.linear(x, "k_proj", keyWidth(), attentionBias), kvHeads);
    Value v =
        b.splitHeads(b.linear(x, "v_proj", keyWidth(), attentionBias), kvHeads);
    q = b.headNorm(q, "q_norm", epsilon);
    k = b.headNorm(k, "k_norm", epsilon);
    std::tie(q, k) = b.rope(q, k);
    Value y = b.mergeHeads(b.attention(q, k, v, {.window = window}));
    return b.linear(y, "o_proj", hidden, attentionBias);
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
  Qwen3 model{{Decoder::read(config, {.kvHeads = 32, .headDim = 128})}};
  model.readLayerTypes(config);
  model.attentionBias = config.getBool("attention_bias", false);
  model.build(b, [&](Value x, int64_t i) {
    return b.block(
        "decoder_layer", "model.layers." + std::to_string(i), x,
        [&](Value x) { return model.layer(b, x, model.windows[i]); });
  });
}

namespace fk {
extern const Architecture qwen3 = {
    .name = "Qwen3ForCausalLM",
    .modelType = "qwen3",
    .family = "llm",
    .build = build,
    .basePrefix = "model.",
    .unusedTensors = {"*.rotary_emb.inv_freq", "lm_head.weight"},
};
} // namespace fk
