//===- LinearOps.td - Matrix product and embedding tasks ---*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_LINEAROPS_TD
#define FK_DIALECTS_FK_LINEAROPS_TD

include "dialects/FK/FKBase.td"

def FK_EmbeddingOp : FK_TaskOp<"embedding", "L1", "linear",
    "result: T[tokens, hidden]; ids: i32[tokens], table: T[vocab, hidden]; "
    "scale: f32; tokens, hidden, vocab",
    "y[t, h] = round_T(scale) * table[ids[t], h]",
    "tokens * hidden"> {
  let arguments = (ins FK_IndexTensor:$ids, FK_Tensor:$table,
                       DefaultValuedAttr<F32Attr, "1.0">:$scale);
  let results = (outs FK_Tensor:$result);
  let hasVerifier = 1;
}

def FK_LinearOp : FK_TaskOp<"linear", "L1", "linear",
    "result: T[tokens, out_features]; input: T[tokens, in_features], "
    "weight: T[out_features, in_features], bias?: T[out_features]; ; "
    "tokens, out_features, in_features",
    "y[t, o] = sum_i(x[t, i] * w[o, i]) + b[o]",
    "2 * tokens * out_features * in_features"> {
  let arguments = (ins FK_Tensor:$input, FK_Tensor:$weight, Optional<FK_Tensor>:$bias);
  let results = (outs FK_Tensor:$result);
}

def FK_QKVLinearOp : FK_TaskOp<"qkv_linear", "L2", "linear",
    "query: T[tokens, q_features], key: T[tokens, kv_features], value: T[tokens, kv_features]; "
    "input: T[tokens, in_features], weight: T[q_features + 2 * kv_features, in_features], "
    "bias?: T[q_features + 2 * kv_features]; ; "
    "tokens, q_features, kv_features, in_features",
    "[q | k | v][t, :] = linear(x[t, :], w, b)",
    "2 * tokens * (q_features + 2 * kv_features) * in_features", [Pure],
    "linear,linear,linear"> {
  let arguments = (ins FK_Tensor:$input, FK_Tensor:$weight, Optional<FK_Tensor>:$bias);
  let results = (outs FK_Tensor:$query, FK_Tensor:$key, FK_Tensor:$value);
}

def FK_GateUpLinearOp : FK_TaskOp<"gate_up_linear", "L2", "linear",
    "gate_up: T[tokens, 2 * intermediate]; input: T[tokens, in_features], "
    "weight: T[2 * intermediate, in_features], bias?: T[2 * intermediate]; ; "
    "tokens, intermediate, in_features",
    "[gate | up][t, :] = linear(x[t, :], w, b)",
    "4 * tokens * intermediate * in_features", [Pure], "linear,linear"> {
  let arguments = (ins FK_Tensor:$input, FK_Tensor:$weight, Optional<FK_Tensor>:$bias);
  let results = (outs FK_Tensor:$gate_up);
}

#endif // FK_DIALECTS_FK_LINEAROPS_TD
