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
    "tokens * hidden", [Pure], "", "table: tokens * hidden"> {
  let summary = "Rows of a table by index";
  let description = [{
    `y[t, h] = round_T(scale) * table[ids[t], h]`

    The scale is rounded to T first, as the library does; the product is computed in f32 or better
    and rounded to T once. With scale = 1 rows are copied. Not in place.
    Libraries: PyTorch `functional.embedding`, vLLM `VocabParallelEmbedding`; the scale is
    Gemma's.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64; `ids` are i32,
      each in [0, vocab).
    - (C2) Ranks and extents are those of the signature.
    - (C3) `scale` is finite.

    Example:
    ```mlir
    %y = fk.embedding %ids, %table {scale = 8.0 : f32} : (tensor<?xi32>, tensor<256x64xbf16>) -> tensor<?x64xbf16>
    ```
  }];
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
  let summary = "Matrix product with a weight as checkpoints store it";
  let description = [{
    `y[t, o] = sum_i(x[t, i] * w[o, i]) + b[o]`; the weight is [out, in].

    Products are summed in f32 or better, the bias is added to the sum; one rounding to T at the
    end. Not in place.
    Libraries: cuBLASLt `cublasLtMatmul`, PyTorch `functional.linear`, vLLM `LinearBase`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.

    Example:
    ```mlir
    %y = fk.linear %x, %w : (tensor<?x64xbf16>, tensor<128x64xbf16>) -> tensor<?x128xbf16>
    ```
  }];
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
  let summary = "Query, key and value projections as one matrix product";
  let description = [{
    `[q | k | v][t, :] = linear(x[t, :], w, b)`: the weight's rows are those of q, then k, then v.

    Products are summed in f32 or better, the bias is added to the sum; one rounding to T at the
    end. Not in place.
    Libraries: vLLM `QKVParallelLinear`, transformers `Phi3Attention.qkv_proj`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.

    Example:
    ```mlir
    %q, %k, %v = fk.qkv_linear %x, %w : (tensor<?x64xbf16>, tensor<128x64xbf16>) -> (tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>)
    ```
  }];
  let arguments = (ins FK_Tensor:$input, FK_Tensor:$weight, Optional<FK_Tensor>:$bias);
  let results = (outs FK_Tensor:$query, FK_Tensor:$key, FK_Tensor:$value);
}

def FK_GateUpLinearOp : FK_TaskOp<"gate_up_linear", "L2", "linear",
    "gate_up: T[tokens, 2 * intermediate]; input: T[tokens, in_features], "
    "weight: T[2 * intermediate, in_features], bias?: T[2 * intermediate]; ; "
    "tokens, intermediate, in_features",
    "[gate | up][t, :] = linear(x[t, :], w, b)",
    "4 * tokens * intermediate * in_features", [Pure], "linear,linear"> {
  let summary = "Gate and up projections as one matrix product";
  let description = [{
    `[gate | up][t, :] = linear(x[t, :], w, b)`: the weight's rows are those of gate, then up.

    Products are summed in f32 or better, the bias is added to the sum; one rounding to T at the
    end. Not in place.
    Libraries: vLLM `MergedColumnParallelLinear`, transformers `Phi3MLP.gate_up_proj`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64.
    - (C2) Ranks and extents are those of the signature.

    Example:
    ```mlir
    %gate_up = fk.gate_up_linear %x, %w : (tensor<?x64xbf16>, tensor<256x64xbf16>) -> tensor<?x256xbf16>
    ```
  }];
  let arguments = (ins FK_Tensor:$input, FK_Tensor:$weight, Optional<FK_Tensor>:$bias);
  let results = (outs FK_Tensor:$gate_up);
}

#endif // FK_DIALECTS_FK_LINEAROPS_TD
