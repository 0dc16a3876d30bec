//===- XLMRoberta.cpp - XLMRobertaModel -----------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// XLM-R, arXiv 1911.02116; BGE-M3, arXiv 2402.03216: the encoder, positions
// counted from padding_idx + 1 over the ids that are no padding.
//
//===----------------------------------------------------------------------===//

#include "models/retrieval/Encoder.h"

using namespace fk;

static void build(ModelBuilder &b, const Config &config) {
  Encoder model = Encoder::read(config, b.getFolder());
  int64_t paddingIdx = config.getInt("pad_token_id", 1);
  if (paddingIdx < 0 || paddingIdx >= model.vocab ||
      paddingIdx + 1 >= model.positions)
    config.fail("pad_token_id", "an id that leaves positions after it");
  b.setPositions("non_padding", paddingIdx);
  model.build(b, model.positions - paddingIdx - 1);
}

namespace fk {
extern const Architecture xlmRoberta = {
    .name = "XLMRobertaModel",
    .modelType = "xlm-roberta",
    .family = "retrieval",
    .build = build,
    .basePrefix = "roberta.",
    .unusedTensors = {"*embeddings.position_ids", "*embeddings.token_type_ids",
                      "lm_head.*"},
};
} // namespace fk
