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
    "y[s, h] = x[cu_seqlens[s + 1] - 1, h]", "0 * seqs"> {
  let arguments = (ins FK_Tensor:$input, FK_IndexTensor:$cu_seqlens);
  let results = (outs FK_Tensor:$result);
}

def FK_PoolOp : FK_TaskOp<"pool", "L1", "sampling",
    "result: T[seqs, hidden]; input: T[tokens, hidden], cu_seqlens: i32[seqs + 1]; mean: i32; "
    "tokens, seqs, hidden",
    "y[s, h] = x[cu_seqlens[s], h] (mean = 0) or the mean of the sequence's rows (mean = 1)",
    "tokens * hidden"> {
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
  let arguments = (ins FK_Tensor:$logits, FK_Tensor:$temperature, FK_IndexTensor:$top_k,
                       FK_Tensor:$top_p, FK_IndexTensor:$seed, FK_IndexTensor:$position);
  let results = (outs FK_IndexTensor:$next);
}

#endif // FK_DIALECTS_FK_SAMPLINGOPS_TD
