//===- Bert.cpp - BertModel -----------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// BERT, arXiv 1810.04805: the encoder, positions counted from 0 in the padded
// row.
//
//===----------------------------------------------------------------------===//

#include "models/retrieval/Encoder.h"

using namespace fk;

static void build(ModelBuilder &b, const Config &config) {
  Encoder model = Encoder::read(config, b.getFolder());
  b.setPositions("index");
  model.build(b, model.positions);
}

namespace fk {
extern const Architecture bert = {
    .name = "BertModel",
    .modelType = "bert",
    .family = "retrieval",
    .build = build,
    .basePrefix = "bert.",
    // The classifier of BertModel's relatives; `cls` is the head of
    // pretraining.
    .harmlessKeys = {"directionality", "pooler_fc_size",
                     "pooler_num_attention_heads", "pooler_num_fc_layers",
                     "pooler_size_per_head", "pooler_type"},
    .unusedTensors = {"*embeddings.position_ids", "*embeddings.token_type_ids",
                      "cls.*"},
};
} // namespace fk
