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
    Value y = attend(b, projectHeads(b, x, attentionBias));
    return b.linear(y, "o_proj", hidden, attentionBias);
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
  model.build(b, [&](Value x, int64_t) {
    return model.preNormLayer(
        b, x, [&](Value h) { return model.attention(b, h); },
        [&](Value h) { return model.gatedMlp(b, h); });
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
