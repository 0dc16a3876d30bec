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

  /// Each head of q and k is normalised, then rotated.
  Value attention(ModelBuilder &b, Value x, int64_t window) const {
    auto [q, k, v] = projectHeads(b, x, attentionBias);
    q = b.headNorm(q, "q_norm", epsilon);
    k = b.headNorm(k, "k_norm", epsilon);
    Value y = attend(b, {q, k, v}, window);
    return b.linear(y, "o_proj", hidden, attentionBias);
  }
};
} // namespace

static void build(ModelBuilder &b, const Config &config) {
  Qwen3 model{{Decoder::read(config, {.kvHeads = 32, .headDim = 128})}};
  model.readLayerTypes(config);
  model.attentionBias = config.getBool("attention_bias", false);
  model.build(b, [&](Value x, int64_t i) {
    return model.preNormLayer(
        b, x, [&](Value h) { return model.attention(b, h, model.windows[i]); },
        [&](Value h) { return model.gatedMlp(b, h); });
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
