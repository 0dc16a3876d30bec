//===- Llama.cpp - LlamaForCausalLM ---------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The Llama 3 Herd of Models, arXiv 2407.21783; Llama 2, arXiv 2307.09288.
//
//   x = embed_tokens[ids]
//   for each layer:  x += self_attn(input_layernorm(x))
//                    x += mlp(post_attention_layernorm(x))
//   logits = lm_head(norm(x))
//
//===----------------------------------------------------------------------===//

#include "models/llm/Decoder.h"

using namespace fk;
using mlir::Value;

namespace {
struct Llama : Decoder {
  bool attentionBias = false, mlpBias = false;

  Value attention(ModelBuilder &b, Value x) const {
    Value y = attend(b, projectHeads(b, x, attentionBias));
    return b.linear(y, "o_proj", hidden, attentionBias);
  }
};
} // namespace

static void build(ModelBuilder &b, const Config &config) {
  Llama model{{Decoder::read(config, {})}};
  model.attentionBias = config.getBool("attention_bias", false);
  model.mlpBias = config.getBool("mlp_bias", false);
  // Relatives pair neighbours, (0, 1), where Llama pairs halves.
  config.requireValue("rope_interleaved", "false");
  model.build(b, [&](Value x, int64_t) {
    return model.preNormLayer(
        b, x, [&](Value h) { return model.attention(b, h); },
        [&](Value h) { return model.gatedMlp(b, h, model.mlpBias); });
  });
}

namespace fk {
extern const Architecture llama = {
    .name = "LlamaForCausalLM",
    .modelType = "llama",
    .family = "llm",
    .build = build,
    .basePrefix = "model.",
    .harmlessKeys = {"is_llama_config", "max_sequence_length"},
    .unusedTensors = {"*.rotary_emb.inv_freq", "lm_head.weight"},
};
} // namespace fk
