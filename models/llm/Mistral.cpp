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
  /// Each row sees a window.
  Value attention(ModelBuilder &b, Value x, int64_t window) const {
    Value y = attend(b, projectHeads(b, x), window);
    return b.linear(y, "o_proj", hidden);
  }
};
} // namespace

static void build(ModelBuilder &b, const Config &config) {
  Mistral model{{Decoder::read(config, {.kvHeads = 8})}};
  model.readWindow(config, 4096);
  model.build(b, [&](Value x, int64_t i) {
    return model.preNormLayer(
        b, x, [&](Value h) { return model.attention(b, h, model.windows[i]); },
        [&](Value h) { return model.gatedMlp(b, h); });
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
