//===- SamplingOps.td - Row selection, pooling, sampling ---*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_SAMPLINGOPS_TD
#define FK_DIALECTS_FK_SAMPLINGOPS_TD

include "dialects/FK/FKBase.td"

def FK_GatherLastTokensOp : FK_TaskOp<"gather_last_tokens", "L1", "sampling",
    "result: T[seqs, hidden]; input: T[tokens, hidden], cu_seqlens: i32[seqs + 1]; ; "
    "tokens, seqs, hidden",
    "y[s, h] = x[cu_seqlens[s + 1] - 1, h]", "0 * seqs", [Pure], "",
    "input: seqs * hidden"> {
  let summary = "The last row of each sequence";
  let description = [{
    `y[s, h] = x[cu_seqlens[s + 1] - 1, h]`; no sequence is empty.

    Rows are copied. Not in place.
    Libraries: vLLM `hidden_states[logits_indices]`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64; `cu_seqlens` are
      i32.
    - (C2) Ranks and extents are those of the signature.

    Example:
    ```mlir
    %y = fk.gather_last_tokens %x, %cu_seqlens : (tensor<?x64xbf16>, tensor<?xi32>) -> tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins FK_Tensor:$input, FK_IndexTensor:$cu_seqlens);
  let results = (outs FK_Tensor:$result);
}

def FK_PoolOp : FK_TaskOp<"pool", "L1", "sampling",
    "result: T[seqs, hidden]; input: T[tokens, hidden], cu_seqlens: i32[seqs + 1]; mean: i32; "
    "tokens, seqs, hidden",
    "y[s, h] = x[cu_seqlens[s], h] (mean = 0) or the mean of the sequence's rows (mean = 1)",
    "tokens * hidden"> {
  let summary = "One row per sequence: its first, or the mean";
  let description = [{
    `y[s, h] = x[cu_seqlens[s], h]` (mean = 0) or the mean of the sequence's rows (mean = 1); no
    sequence is empty.

    The mean is summed in f32 or better in row order; one rounding to T at the end. Not in place.
    Libraries: sentence-transformers `Pooling`, vLLM `CLSPool`, `MeanPool`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64; `cu_seqlens` are
      i32.
    - (C2) Ranks and extents are those of the signature.
    - (C3) `mean` is 0 or 1.

    Example:
    ```mlir
    %y = fk.pool %x, %cu_seqlens {mean = 1 : i32} : (tensor<?x64xbf16>, tensor<?xi32>) -> tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins FK_Tensor:$input, FK_IndexTensor:$cu_seqlens,
                       DefaultValuedAttr<I32Attr, "0">:$mean);
  let results = (outs FK_Tensor:$result);
  let hasVerifier = 1;
}

def FK_SampleOp : FK_TaskOp<"sample", "L1", "sampling",
    "next: i32[seqs]; logits: T[seqs, vocab], temperature: f32[seqs], top_k: i32[seqs], "
    "top_p: f32[seqs], seed: i64[seqs], position: i32[seqs]; ; seqs, vocab",
    "temperature 0: the first index of the largest logit; else a draw from "
    "softmax(logits / temperature) cut to top_k (0: all) and then top_p, by Philox(seed, position)",
    "5 * seqs * vocab"> {
  let summary = "The next token of each sequence";
  let description = [{
    Temperature 0: the first index of the largest logit. Else a draw from softmax(logits /
    temperature) cut to the top_k largest (0: all; ties by the lower index) and then to the fewest
    of the largest whose mass is at least top_p of what is left. The draw is a function of (seed,
    position): Philox4x32-10 with the seed as key and the position as counter gives a uniform
    number, the token is the first, by index, at which the summed mass exceeds it.

    The distribution is computed in f64, so that a draw does not depend on the arithmetic. Not in
    place.
    Libraries: FlashInfer `sampling.top_k_top_p_sampling_from_probs`, vLLM `Sampler`.

    Constraints:
    - (C1) `logits` are bf16, f16, f32 or f64; `temperature` and `top_p` are f32, `seed` is i64,
      the rest i32.
    - (C2) Ranks and extents are those of the signature.

    Example:
    ```mlir
    %next = fk.sample %logits, %temperature, %top_k, %top_p, %seed, %position : (tensor<?x256xbf16>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>) -> tensor<?xi32>
    ```
  }];
  let arguments = (ins FK_Tensor:$logits, FK_Tensor:$temperature, FK_IndexTensor:$top_k,
                       FK_Tensor:$top_p, FK_IndexTensor:$seed, FK_IndexTensor:$position);
  let results = (outs FK_IndexTensor:$next);
}

#endif // FK_DIALECTS_FK_SAMPLINGOPS_TD
