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
  /// Grouped-query attention; queries, keys and values have biases.
  Value attention(ModelBuilder &b, Value x, int64_t window) const {
    Value q = b.splitHeads(b.linear(x, "q_proj", queryWidth(), true), heads);
    Value k = b.splitHeads(b.linear(x, "k_proj", keyWidth(), true), kvHeads);
    Value v = b.splitHeads(b.linear(x, "v_proj", keyWidth(), true), kvHeads);
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
  Qwen2 model{{Decoder::read(config, {.kvHeads = 32})}};
  model.readLayerTypes(config);
  // Multimodal relatives keep their own rotary positions; this one has none.
  config.requireValue("use_mrope", "false");
  model.build(b, [&](Value x, int64_t i) {
    return b.block(
        "decoder_layer", "model.layers." + std::to_string(i), x,
        [&](Value x) { return model.layer(b, x, model.windows[i]); });
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
