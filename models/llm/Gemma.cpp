//===- Gemma.cpp - GemmaForCausalLM ---------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Gemma: Open Models Based on Gemini, arXiv 2403.08295.
//
//   x = sqrt(hidden) * embed_tokens[ids]; norms multiply by 1 + weight
//   x += self_attn(input_layernorm(x))
//   x += mlp(post_attention_layernorm(x)), with gelu
//   logits = embed_tokens . norm(x)
//
//===----------------------------------------------------------------------===//

#include "models/llm/Decoder.h"

using namespace fk;
using mlir::Value;

#include <cmath>

namespace {
struct Gemma : Decoder {
  bool attentionBias = false;

  Value attention(ModelBuilder &b, Value x) const {
    Value q =
        b.splitHeads(b.linear(x, "q_proj", queryWidth(), attentionBias), heads);
    Value k =
        b.splitHeads(b.linear(x, "k_proj", keyWidth(), attentionBias), kvHeads);
    Value v =
        b.splitHeads(b.linear(x, "v_proj", keyWidth(), attentionBias), kvHeads);
    std::tie(q, k) = b.rope(q, k);
    Value y = b.mergeHeads(b.attention(q, k, v, {}));
    return b.linear(y, "o_proj", hidden, attentionBias);
  }

  /// GeGLU: down(gelu(gate(x)) * up(x)).
  Value mlp(ModelBuilder &b, Value x) const {
    Value gate = b.linear(x, "gate_proj", intermediate);
    Value up = b.linear(x, "up_proj", intermediate);
    Value y = b.mul(b.activation(gate, activation), up, "mul");
    return b.linear(y, "down_proj", hidden);
  }

  Value layer(ModelBuilder &b, Value x) const {
    Value h = b.rmsNorm(x, "input_layernorm", epsilon, normOffset);
    h = b.block("attention_block", "self_attn", h,
                [&](Value h) { return attention(b, h); });
    x = b.add(x, h, "attention_residual");
    h = b.rmsNorm(x, "post_attention_layernorm", epsilon, normOffset);
    h = b.block("mlp", "mlp", h, [&](Value h) { return mlp(b, h); });
    return b.add(x, h, "mlp_residual");
  }
};
} // namespace

static void build(ModelBuilder &b, const Config &config) {
  Gemma model{{Decoder::read(config, {.kvHeads = 16,
                                      .headDim = 256,
                                      .activation = "gelu_pytorch_tanh",
                                      .tied = true})}};
  model.attentionBias = config.getBool("attention_bias", false);
  model.embeddingScale = std::sqrt(double(model.hidden));
  model.normOffset = 1.0;
  config.requireValue("use_bidirectional_attention", "false");
  // An older name of hidden_act, which the library no longer reads.
  config.requireValue("hidden_activation",
                      "\"" + config.getString("hidden_act", "") + "\"");
  model.build(b, [&](Value x, int64_t i) {
    return b.block("decoder_layer", "model.layers." + std::to_string(i), x,
                   [&](Value x) { return model.layer(b, x); });
  });
}

namespace fk {
extern const Architecture gemma = {
    .name = "GemmaForCausalLM",
    .modelType = "gemma",
    .family = "llm",
    .build = build,
    .basePrefix = "model.",
    .unusedTensors = {"*.rotary_emb.inv_freq", "lm_head.weight"},
};
} // namespace fk
