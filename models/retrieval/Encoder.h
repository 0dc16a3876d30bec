//===- Encoder.h - The BERT encoder ----------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_MODELS_RETRIEVAL_ENCODER_H
#define FK_MODELS_RETRIEVAL_ENCODER_H

#include "fk/Import/ModelBuilder.h"

namespace fk {

/// How a sentence becomes one vector, as sentence-transformers' files beside
/// the config say; without them the first row, normalised.
struct SentencePooling {
  bool mean = false;
  bool normalize = true;

  static SentencePooling read(const std::string &folder);
};

/// What BERT and its relatives share: embeddings, post-norm layers, pooler.
struct Encoder {
  int64_t vocab, hidden, intermediate, layers, heads;
  int64_t positions; ///< rows of the position table
  int64_t tokenTypes;
  double epsilon;
  Activation activation;
  SentencePooling pooling;

  static Encoder read(const Config &config, const std::string &folder);

  mlir::Value embeddings(ModelBuilder &b) const;
  mlir::Value attention(ModelBuilder &b, mlir::Value x) const;
  mlir::Value mlp(ModelBuilder &b, mlir::Value x) const;
  /// `longest` sequence the position table can serve.
  void build(ModelBuilder &b, int64_t longest) const;
};

} // namespace fk

#endif // FK_MODELS_RETRIEVAL_ENCODER_H
