//===- Decoder.h - What dense decoders share -------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The sizes that every dense decoder's config has, the walk from ids over the
// layers to logits, and the pieces that a layer is mostly made of. Which of
// them a layer has and in what order, each model file says.
//
//===----------------------------------------------------------------------===//

#ifndef FK_MODELS_LLM_DECODER_H
#define FK_MODELS_LLM_DECODER_H

#include "fk/Import/ModelBuilder.h"

namespace fk {

/// What the library assumes where a config is silent.
struct DecoderDefaults {
  std::optional<int64_t> kvHeads = {}; ///< nullopt: as many as heads
  std::optional<int64_t> headDim = {}; ///< nullopt: hidden / heads
  std::string activation = "silu";
  double epsilon = 1e-6;
  bool tied = false;
  RopeRules rope = {};
};

/// [tokens, heads, head_dim] each.
struct AttentionHeads {
  mlir::Value query, key, value;
};

struct Decoder {
  using Value = mlir::Value;

  int64_t vocab, hidden, intermediate, layers;
  int64_t heads, kvHeads, headDim;
  int64_t maxPositions;
  double epsilon;
  Activation activation;
  bool tied;
  RopeTable rope;
  std::vector<int64_t> windows; ///< of each layer; 0: sees all

  // Set by the model file where the paper says so.
  double embeddingScale = 1.0;
  double normOffset = 0.0; ///< added to the weights of every norm

  static Decoder read(const Config &config, const DecoderDefaults &defaults);

  /// One window for all layers, from `sliding_window`.
  void readWindow(const Config &config, std::optional<int64_t> fallback);
  /// A window for some layers, from `layer_types`, or from
  /// `use_sliding_window` and `max_window_layers`.
  void readLayerTypes(const Config &config);

  int64_t queryWidth() const { return heads * headDim; }
  int64_t keyWidth() const { return kvHeads * headDim; }

  /// ids -> embedding -> layers -> norm -> logits, with and without cache.
  /// `layer` gets the hidden rows and the number of the layer.
  void build(ModelBuilder &b,
             llvm::function_ref<Value(Value, int64_t)> layer) const;

  /// x += self_attn(input_layernorm(x)); x += mlp(post_attention_layernorm(x)).
  Value preNormLayer(ModelBuilder &b, Value x,
                     llvm::function_ref<Value(Value)> attention,
                     llvm::function_ref<Value(Value)> mlp) const;

  /// q_proj, k_proj and v_proj, split into heads.
  AttentionHeads projectHeads(ModelBuilder &b, Value x,
                              bool bias = false) const;
  /// Grouped-query attention over rotated queries and keys, the heads merged.
  static Value attend(ModelBuilder &b, AttentionHeads heads,
                      int64_t window = 0);

  /// down_proj(act(gate_proj(x)) * up_proj(x)): SwiGLU where act is silu, GeGLU
  /// where it is gelu.
  Value gatedMlp(ModelBuilder &b, Value x, bool bias = false) const;
};

} // namespace fk

#endif // FK_MODELS_LLM_DECODER_H
