//===- ReferenceCases.h - Launches of every task on random tensors *- C++
//-*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TEST_UNIT_REFERENCECASES_H
#define FK_TEST_UNIT_REFERENCECASES_H

#include "runtime/reference/LaunchCase.h"

#include <string>
#include <vector>

namespace fk::test {

using Case = reference::LaunchCase;
using Shape = Case::Shape;
using reference::getCosSin;
using reference::read;
using reference::write;

inline Case makeLinear(const std::string &task, DType dtype, unsigned seed) {
  Case c(task, dtype, seed);
  c.axis("tokens", 5);
  int64_t rows = 32;
  if (task == "linear") {
    c.axis("out_features", 32).result("result", {5, 32});
  } else if (task == "qkv_linear") {
    c.axis("q_features", 16).axis("kv_features", 8);
    c.result("query", {5, 16}).result("key", {5, 8}).result("value", {5, 8});
  } else {
    c.axis("intermediate", 16).result("gate_up", {5, 32});
  }
  c.axis("in_features", 100).normal("input", {5, 100});
  c.normal("weight", {rows, 100}, 0.1).normal("bias", {rows});
  return c;
}

inline Case makeNorm(const std::string &task, DType dtype, unsigned seed) {
  Case c(task, dtype, seed);
  if (task == "l2_norm") {
    c.axis("rows", 3).axis("columns", 50).result("result", {3, 50});
    c.normal("input", {3, 50}).scalar("epsilon", 1e-12);
    return c;
  }
  c.axis("tokens", 3).axis("hidden", 50).result("result", {3, 50});
  if (task == "add_rms_norm")
    c.result("residual_out", {3, 50});
  c.normal("input", {3, 50}, 1, task == "layer_norm" ? 0.5 : 0);
  if (task == "add_rms_norm")
    c.normal("residual", {3, 50}, 2);
  c.normal("weight", {50}, 0.2, 1).scalar("epsilon", 1e-6);
  if (task == "layer_norm")
    c.normal("bias", {50});
  else
    c.scalar("weight_offset", 1);
  return c;
}

inline Case makeActivation(const std::string &task, DType dtype,
                           unsigned seed) {
  Case c(task, dtype, seed);
  if (task == "softmax") {
    c.axis("rows", 4).axis("columns", 33).result("result", {4, 33});
    c.normal("input", {4, 33}, 3);
    return c;
  }
  bool gated = task == "silu_and_mul" || task == "gelu_and_mul";
  c.axis("tokens", 4).axis(gated ? "intermediate" : "features", 33);
  c.result("result", {4, 33});
  if (gated)
    c.normal("gate_up", {4, 66}, 2);
  else if (task == "add" || task == "mul")
    c.normal("lhs", {4, 33}).normal("rhs", {4, 33});
  else
    c.normal("input", {4, 33}, 2);
  if (task.starts_with("gelu"))
    c.scalar("approximate", seed % 2, DType::I32);
  return c;
}

inline Case makeRope(const std::string &task, DType dtype, unsigned seed) {
  Case c(task, dtype, seed);
  c.axis("tokens", 3).axis("q_heads", 4).axis("kv_heads", 2);
  c.axis("head_dim", 16);
  c.result("query_out", {3, 4, 16}).result("key_out", {3, 2, 16});
  c.normal("query", {3, 4, 16}).normal("key", {3, 2, 16});
  if (task == "qk_norm_rope") {
    c.normal("query_weight", {16}, 0.2, 1).normal("key_weight", {16}, 0.2, 1);
    c.scalar("epsilon", 1e-6).scalar("weight_offset", 0);
  }
  c.integers("positions", {3, 7, 5});
  c.values("cos_sin", {8, 12}, DType::F32, getCosSin(8, 6));
  c.scalar("rotary_dim", 12, DType::I32);
  return c;
}

/// Sequences of 5 and 4 rows. Paged: of 9 and 6 cached rows, pages of 4.
inline Case makeAttention(const std::string &task, DType dtype, unsigned seed) {
  Case c(task, dtype, seed);
  c.axis("tokens", 9).axis("seqs", 2);
  c.axis("q_heads", 4).axis("kv_heads", 2).axis("head_dim", 12);
  c.result("result", {9, 4, 12}).normal("query", {9, 4, 12}, 2);
  if (task == "attention") {
    c.normal("key", {9, 2, 12}).normal("value", {9, 2, 12});
    c.integers("cu_seqlens", {0, 5, 9});
  } else {
    c.axis("pages", 6).axis("page_size", 4).axis("max_blocks", 3);
    c.normal("cache", {2, 6, 4, 2, 12}).integers("cu_seqlens", {0, 5, 9});
    c.integers("seq_lens", {9, 6});
    c.values("block_table", {2, 3}, DType::I32, {5, 0, 3, 1, 4, -1});
  }
  c.normal("sink", {4}).scalar("scale", 0.3).scalar("softcap", 20);
  c.scalar("causal", 1, DType::I32).scalar("window", 4, DType::I32);
  return c;
}

inline Case makeCacheWrite(DType dtype, unsigned seed) {
  Case c("kv_cache_write", dtype, seed);
  c.axis("tokens", 3).axis("pages", 3).axis("page_size", 4);
  c.axis("kv_heads", 2).axis("head_dim", 8);
  c.normal("cache", {2, 3, 4, 2, 8});
  c.normal("key", {3, 2, 8}).normal("value", {3, 2, 8});
  c.integers("slots", {9, -1, 2});
  return c;
}

inline Case makeSample(DType dtype, unsigned seed) {
  Case c("sample", dtype, seed);
  c.axis("seqs", 6).axis("vocab", 200).result("next", {6}, DType::I32);
  // Near each other, so that an element type of fewer bits makes ties.
  c.normal("logits", {6, 200}, 1e-3, 1);
  c.values("temperature", {6}, DType::F32, {0, 0, 0, 0, 1, 0.5});
  c.integers("top_k", {0, 0, 0, 0, 50, 0});
  c.values("top_p", {6}, DType::F32, {1, 1, 1, 1, 1, 0.7});
  c.values("seed", {6}, DType::I64, {1, 2, 3, 4, double(seed), double(seed)});
  c.integers("position", {0, 1, 2, 3, 4, 5});
  return c;
}

inline Case makeRows(const std::string &task, DType dtype, unsigned seed) {
  Case c(task, dtype, seed);
  if (task == "embedding") {
    c.axis("tokens", 5).axis("hidden", 24).axis("vocab", 40);
    c.result("result", {5, 24}).integers("ids", {7, 39, 12, 7, 1});
    c.normal("table", {40, 24}).scalar("scale", seed % 2 ? 1 : 7.3);
    return c;
  }
  c.axis("tokens", 9).axis("seqs", 2).axis("hidden", 24);
  c.result("result", {2, 24}).normal("input", {9, 24});
  c.integers("cu_seqlens", {0, 4, 9});
  if (task == "pool")
    c.scalar("mean", seed % 2, DType::I32);
  return c;
}

inline const std::vector<std::string> &getTasks() {
  static const std::vector<std::string> tasks = {"embedding",
                                                 "linear",
                                                 "qkv_linear",
                                                 "gate_up_linear",
                                                 "rms_norm",
                                                 "layer_norm",
                                                 "l2_norm",
                                                 "add_rms_norm",
                                                 "silu",
                                                 "tanh",
                                                 "gelu",
                                                 "add",
                                                 "mul",
                                                 "softmax",
                                                 "silu_and_mul",
                                                 "gelu_and_mul",
                                                 "rope",
                                                 "qk_norm_rope",
                                                 "attention",
                                                 "paged_attention",
                                                 "pool",
                                                 "kv_cache_write",
                                                 "gather_last_tokens",
                                                 "sample"};
  return tasks;
}

/// A launch of a task; odd and even seeds differ in a variant where there is
/// one.
inline Case makeCase(const std::string &task, DType dtype, unsigned seed) {
  if (task == "kv_cache_write")
    return makeCacheWrite(dtype, seed);
  if (task == "sample")
    return makeSample(dtype, seed);
  if (task == "embedding" || task == "pool" || task == "gather_last_tokens")
    return makeRows(task, dtype, seed);
  if (task.ends_with("linear"))
    return makeLinear(task, dtype, seed);
  if (task == "qk_norm_rope" || task == "rope")
    return makeRope(task, dtype, seed);
  if (task.ends_with("norm"))
    return makeNorm(task, dtype, seed);
  if (task.ends_with("attention"))
    return makeAttention(task, dtype, seed);
  return makeActivation(task, dtype, seed);
}

} // namespace fk::test

#endif // FK_TEST_UNIT_REFERENCECASES_H
