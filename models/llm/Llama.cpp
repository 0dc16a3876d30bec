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

  /// Grouped-query attention over rotated queries and keys.
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

  /// SwiGLU: down(silu(gate(x)) * up(x)).
  Value mlp(ModelBuilder &b, Value x) const {
    Value gate = b.linear(x, "gate_proj", intermediate, mlpBias);
    Value up = b.linear(x, "up_proj", intermediate, mlpBias);
    Value y = b.mul(b.activation(gate, activation), up, "mul");
    return b.linear(y, "down_proj", hidden, mlpBias);
  }

  Value layer(ModelBuilder &b, Value x) const {
    Value h = b.rmsNorm(x, "input_layernorm", epsilon);
    h = b.block("attention_block", "self_attn", h,
                [&](Value h) { return attention(b, h); });
    x = b.add(x, h, "attention_residual");
    h = b.rmsNorm(x, "post_attention_layernorm", epsilon);
    h = b.block("mlp", "mlp", h, [&](Value h) { return mlp(b, h); });
    return b.add(x, h, "mlp_residual");
  }
};
} // namespace

static void build(ModelBuilder &b, const Config &config) {
  Llama model{{Decoder::read(config, {})}};
  model.attentionBias = config.getBool("attention_bias", false);
  model.mlpBias = config.getBool("mlp_bias", false);
  // Relatives pair neighbours, (0, 1), where Llama pairs halves.
  config.requireValue("rope_interleaved", "false");
  model.build(b, [&](Value x, int64_t i) {
    return b.block("decoder_layer", "model.layers." + std::to_string(i), x,
                   [&](Value x) { return model.layer(b, x); });
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
