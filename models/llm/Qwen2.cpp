//===- Qwen2.cpp - Qwen2ForCausalLM ---------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Qwen2 Technical Report, arXiv 2407.10671; Qwen2.5, arXiv 2412.15115.
//
//   x += self_attn(input_layernorm(x)), q, k and v with biases; some layers see
//        a window only
//   x += mlp(post_attention_layernorm(x))
//
//===----------------------------------------------------------------------===//

#include "models/llm/Decoder.h"

using namespace fk;
using mlir::Value;

namespace {
struct Qwen2 : Decoder {
  /// Queries, keys and values have biases, the output has none.
  Value attention(ModelBuilder &b, Value x, int64_t window) const {
    Value y = attend(b, projectHeads(b, x, /*bias=*/true), window);
    return b.linear(y, "o_proj", hidden);
  }
};
} // namespace

static void build(ModelBuilder &b, const Config &config) {
  Qwen2 model{{Decoder::read(config, {.kvHeads = 32})}};
  model.readLayerTypes(config);
  // Multimodal relatives keep their own rotary positions; this one has none.
  config.requireValue("use_mrope", "false");
  model.build(b, [&](Value x, int64_t i) {
    return model.preNormLayer(
        b, x, [&](Value h) { return model.attention(b, h, model.windows[i]); },
        [&](Value h) { return model.gatedMlp(b, h); });
  });
}

namespace fk {
extern const Architecture qwen2 = {
    .name = "Qwen2ForCausalLM",
    .modelType = "qwen2",
    .family = "llm",
    .build = build,
    .basePrefix = "model.",
    .unusedTensors = {"*.rotary_emb.inv_freq", "lm_head.weight"},
};
} // namespace fk
