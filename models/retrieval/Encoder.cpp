//===- Encoder.cpp - The BERT encoder -------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// BERT, arXiv 1810.04805.
//
//   x = LayerNorm(word[ids] + token_type[types] + position[positions])
//   for each layer:  x = LayerNorm(x + dense(attention(x)))
//                    x = LayerNorm(x + dense(gelu(dense(x))))
//   pooler_output = tanh(dense(first row of each sequence))
//
//===----------------------------------------------------------------------===//

#include "models/retrieval/Encoder.h"

#include "runtime/support/Error.h"
#include "runtime/support/Json.h"
#include "runtime/support/Safetensors.h"

#include <nlohmann/json.hpp>

using namespace fk;
using mlir::Value;

Encoder Encoder::read(const Config &config, const std::string &folder) {
  Encoder e;
  e.vocab = config.getSize("vocab_size");
  e.hidden = config.getSize("hidden_size");
  e.intermediate = config.getSize("intermediate_size");
  e.layers = config.getSize("num_hidden_layers");
  if (e.layers > 4096)
    config.fail("num_hidden_layers", "at most 4096");
  e.heads = config.getSize("num_attention_heads");
  if (e.hidden % e.heads)
    config.fail("hidden_size", "a multiple of num_attention_heads = " +
                                   std::to_string(e.heads));
  e.positions = config.getSize("max_position_embeddings");
  e.tokenTypes = config.getSize("type_vocab_size", 2);
  e.epsilon = config.getPositive("layer_norm_eps", 1e-12);
  e.activation = config.getActivation("hidden_act", "gelu");
  config.requireValue("position_embedding_type", "\"absolute\"");
  // Ties the head that this model lacks.
  config.getBool("tie_word_embeddings", true);
  e.pooling = SentencePooling::read(folder);
  return e;
}

SentencePooling SentencePooling::read(const std::string &folder) {
  SentencePooling pooling;
  std::filesystem::path root = folder;
  std::error_code error;
  if (std::filesystem::path modules = root / "modules.json";
      std::filesystem::exists(modules, error)) {
    std::string where = modules.string();
    pooling.normalize = false;
    for (const nlohmann::json &module :
         parseJson(readTextFile(modules, 1 << 20), where)) {
      std::string type =
          module.is_object() ? module.value("type", std::string()) : "";
      std::string kind = type.substr(type.find_last_of('.') + 1);
      if (kind == "Normalize")
        pooling.normalize = true;
      else if (kind != "Transformer" && kind != "Pooling")
        throw Error({"a module of sentence-transformers fk does not know",
                     where, "Transformer, Pooling or Normalize", type,
                     "import a model without it"});
    }
  }
  std::filesystem::path path = root / "1_Pooling" / "config.json";
  if (!std::filesystem::exists(path, error))
    return pooling;
  Config config = Config::read(path);
  pooling.mean = config.getBool("pooling_mode_mean_tokens", false);
  bool first = config.getBool("pooling_mode_cls_token", false);
  if (first == pooling.mean)
    config.fail("pooling_mode_mean_tokens", first ? "false" : "true",
                "one of pooling_mode_cls_token and pooling_mode_mean_tokens");
  for (llvm::StringRef key :
       {"pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens",
        "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"})
    config.requireValue(key, "false");
  config.finish({"word_embedding_dimension", "include_prompt"});
  return pooling;
}

Value Encoder::embeddings(ModelBuilder &b) const {
  Value word = b.embedding(b.input("input_ids"), "embeddings.word_embeddings",
                           vocab, hidden);
  Value type =
      b.embedding(b.input("token_type_ids"), "embeddings.token_type_embeddings",
                  tokenTypes, hidden);
  Value position =
      b.embedding(b.input("positions"), "embeddings.position_embeddings",
                  positions, hidden);
  Value x = b.add(word, type, "embeddings.add_token_type");
  x = b.add(x, position, "embeddings.add_position");
  return b.layerNorm(x, "embeddings.LayerNorm", epsilon);
}

Value Encoder::attention(ModelBuilder &b, Value x) const {
  Value q = b.splitHeads(b.linear(x, "self.query", hidden, true), heads);
  Value k = b.splitHeads(b.linear(x, "self.key", hidden, true), heads);
  Value v = b.splitHeads(b.linear(x, "self.value", hidden, true), heads);
  Value y = b.mergeHeads(b.attention(q, k, v, {.causal = false}));
  y = b.linear(y, "output.dense", hidden, true);
  return b.layerNorm(b.add(y, x, "output.residual"), "output.LayerNorm",
                     epsilon);
}

Value Encoder::mlp(ModelBuilder &b, Value x) const {
  Value y = b.linear(x, "intermediate.dense", intermediate, true);
  y = b.activation(y, activation, "intermediate.intermediate_act_fn");
  y = b.linear(y, "output.dense", hidden, true);
  return b.layerNorm(b.add(y, x, "output.residual"), "output.LayerNorm",
                     epsilon);
}

void Encoder::build(ModelBuilder &b, int64_t longest) const {
  b.setLimits(vocab, longest);
  b.forward({"input_ids", "token_type_ids", "positions", "cu_seqlens"}, [&] {
    Value x = embeddings(b);
    for (int64_t i = 0; i < layers; ++i)
      x = b.block("encoder_layer", "encoder.layer." + std::to_string(i), x,
                  [&](Value x) {
                    x = b.block("attention_block", "attention", x,
                                [&](Value x) { return attention(b, x); });
                    return b.block("mlp", "", x,
                                   [&](Value x) { return mlp(b, x); });
                  });
    b.result("last_hidden_state", "rows", x);

    if (b.hasWeight("pooler.dense.weight")) {
      Value first = b.pool(x, "pooler.first", /*mean=*/false);
      Value y = b.linear(first, "pooler.dense", hidden, true);
      b.result("pooler_output", "sequences", b.tanh(y, "pooler.activation"));
    }

    Value sentence = b.pool(x, "pooling", pooling.mean);
    if (pooling.normalize)
      sentence = b.l2Norm(sentence, "normalize", 1e-12);
    b.result("sentence_embedding", "sequences", sentence);
  });
}
