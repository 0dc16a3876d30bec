//===- Decoder.cpp - What dense decoders share ----------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "models/llm/Decoder.h"

#include "runtime/support/Error.h"

using namespace fk;
using mlir::Value;

/// Deeper than any model, shallow enough to build.
static constexpr int64_t maxLayers = 4096;

Decoder Decoder::read(const Config &config, const DecoderDefaults &defaults) {
  Decoder d;
  d.vocab = config.getSize("vocab_size");
  d.hidden = config.getSize("hidden_size");
  d.intermediate = config.getSize("intermediate_size");
  d.layers = config.getSize("num_hidden_layers");
  if (d.layers > maxLayers)
    config.fail("num_hidden_layers", "at most " + std::to_string(maxLayers));
  d.heads = config.getSize("num_attention_heads");

  // The library's constant holds for a missing key; null asks for `heads`.
  bool silent = !config.isMentioned("num_key_value_heads");
  d.kvHeads =
      config.getSize("num_key_value_heads",
                     silent ? defaults.kvHeads.value_or(d.heads) : d.heads);
  if (d.heads % d.kvHeads)
    config.fail("num_key_value_heads", "a divisor of num_attention_heads = " +
                                           std::to_string(d.heads));

  silent = !config.isMentioned("head_dim");
  if (silent && defaults.headDim)
    d.headDim = *defaults.headDim;
  else if (config.has("head_dim"))
    d.headDim = config.getSize("head_dim");
  else if (d.hidden % d.heads == 0)
    d.headDim = d.hidden / d.heads;
  else
    config.fail("hidden_size",
                "a multiple of num_attention_heads = " +
                    std::to_string(d.heads),
                "or give head_dim");
  multiplySizes(config, "num_attention_heads * head_dim", d.heads, d.headDim);
  multiplySizes(config, "2 * intermediate_size", 2, d.intermediate);

  d.maxPositions = config.getSize("max_position_embeddings");
  d.epsilon = config.getPositive("rms_norm_eps", defaults.epsilon);
  d.activation = config.getActivation("hidden_act", defaults.activation);
  d.tied = config.getBool("tie_word_embeddings", defaults.tied);
  d.rope = readRope(config, d.headDim, d.maxPositions, defaults.rope);
  d.windows.assign(d.layers, 0);
  return d;
}

void Decoder::readWindow(const Config &config,
                         std::optional<int64_t> fallback) {
  if (!config.isMentioned("sliding_window"))
    windows.assign(layers, fallback.value_or(0));
  else if (config.has("sliding_window"))
    windows.assign(layers, config.getSize("sliding_window"));
}

void Decoder::readLayerTypes(const Config &config) {
  bool uses = config.getBool("use_sliding_window", false);
  int64_t window = config.getSize("sliding_window", 4096);
  int64_t first = config.getInt("max_window_layers", 28);
  if (!config.has("layer_types")) {
    for (int64_t i = std::max<int64_t>(first, 0); uses && i < layers; ++i)
      windows[i] = window;
    return;
  }
  std::vector<std::string> types = config.getStrings("layer_types");
  if (int64_t(types.size()) != layers)
    config.fail("layer_types", "one entry for each of num_hidden_layers = " +
                                   std::to_string(layers));
  for (auto [type, layerWindow] : llvm::zip(types, windows)) {
    if (type == "sliding_attention" && uses)
      layerWindow = window;
    else if (type != "full_attention")
      config.fail("layer_types", uses ? "full_attention or sliding_attention"
                                      : "full_attention, as use_sliding_window "
                                        "is false");
  }
}

void Decoder::build(ModelBuilder &b,
                    llvm::function_ref<Value(Value, int64_t)> layer) const {
  b.setLimits(vocab, maxPositions);
  b.setRope(rope);
  bool isTied = b.isTied(tied, "lm_head.weight", "model.embed_tokens.weight");

  auto rows = [&] {
    Value x = b.embedding(b.input("input_ids"), "model.embed_tokens", vocab,
                          hidden, embeddingScale);
    for (int64_t i = 0; i < layers; ++i)
      x = b.block("decoder_layer", "model.layers." + std::to_string(i), x,
                  [&](Value x) { return layer(x, i); });
    return x;
  };
  auto logits = [&](Value x) {
    x = b.rmsNorm(x, "model.norm", epsilon, normOffset);
    return isTied
               ? b.linearTied(x, "lm_head", "model.embed_tokens.weight", vocab)
               : b.linear(x, "lm_head", vocab);
  };
  b.forward({"input_ids", "positions", "cu_seqlens"},
            [&] { b.result("logits", "rows", logits(rows())); });
  b.step(rows, logits);
}

Value Decoder::preNormLayer(ModelBuilder &b, Value x,
                            llvm::function_ref<Value(Value)> attention,
                            llvm::function_ref<Value(Value)> mlp) const {
  Value h = b.rmsNorm(x, "input_layernorm", epsilon, normOffset);
  h = b.block("attention_block", "self_attn", h, attention);
  x = b.add(x, h, "attention_residual");
  h = b.rmsNorm(x, "post_attention_layernorm", epsilon, normOffset);
  h = b.block("mlp", "mlp", h, mlp);
  return b.add(x, h, "mlp_residual");
}

AttentionHeads Decoder::projectHeads(ModelBuilder &b, Value x,
                                     bool bias) const {
  Value q = b.splitHeads(b.linear(x, "q_proj", queryWidth(), bias), heads);
  Value k = b.splitHeads(b.linear(x, "k_proj", keyWidth(), bias), kvHeads);
  Value v = b.splitHeads(b.linear(x, "v_proj", keyWidth(), bias), kvHeads);
  return {q, k, v};
}

Value Decoder::attend(ModelBuilder &b, AttentionHeads heads, int64_t window) {
  auto [q, k] = b.rope(heads.query, heads.key);
  return b.mergeHeads(b.attention(q, k, heads.value, {.window = window}));
}

Value Decoder::gatedMlp(ModelBuilder &b, Value x, bool bias) const {
  Value gate = b.linear(x, "gate_proj", intermediate, bias);
  Value up = b.linear(x, "up_proj", intermediate, bias);
  Value y = b.mul(b.activation(gate, activation), up, "mul");
  return b.linear(y, "down_proj", hidden, bias);
}
