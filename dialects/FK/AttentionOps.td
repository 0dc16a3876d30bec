//===- AttentionOps.td - Rotary embedding, attention, cache -*- tablegen -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_DIALECTS_FK_ATTENTIONOPS_TD
#define FK_DIALECTS_FK_ATTENTIONOPS_TD

include "dialects/FK/FKBase.td"

def FK_RopeOp : FK_TaskOp<"rope", "L1", "attention",
    "query_out: T[tokens, q_heads, head_dim], key_out: T[tokens, kv_heads, head_dim]; "
    "query: T[tokens, q_heads, head_dim], key: T[tokens, kv_heads, head_dim], "
    "positions: i32[tokens], cos_sin: f32[_, _]; ; "
    "tokens, q_heads, kv_heads, head_dim; rotary_dim: i32 = head_dim",
    "(y[i], y[i + r/2]) = (x[i] cos - x[i + r/2] sin, x[i + r/2] cos + x[i] sin), i < r/2, "
    "r = rotary_dim, angles from row positions[t] of cos_sin; y[i] = x[i] for i >= r",
    "3 * tokens * (q_heads + kv_heads) * head_dim", [Pure], "",
    "cos_sin: tokens * head_dim"> {
  let summary = "Rotary position embedding of query and key";
  let description = [{
    With r = rotary_dim and row positions[t] of `cos_sin` (r/2 cosines, then r/2 sines), for i <
    r/2: `y[i] = x[i] cos[i] - x[i + r/2] sin[i]` and `y[i + r/2] = x[i + r/2] cos[i] + x[i]
    sin[i]`; `y[i] = x[i]` for i >= r. Scalings (linear, dynamic, yarn, llama3, longrope) are in
    the table: `#fk.rope_table`.

    Computed in f32 or better; one rounding to T at the end. In place allowed: `query_out` on
    `query`, `key_out` on `key`.
    Libraries: vLLM `rotary_embedding` (neox style), FlashInfer
    `rope.apply_rope_with_cos_sin_cache`, transformers `apply_rotary_pos_emb`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64; `positions` are
      i32 and `cos_sin` is f32.
    - (C2) Ranks and extents are those of the signature.
    - (C3) `q_heads` is a multiple of `kv_heads`.
    - (C4) `rotary_dim` is even, positive and at most `head_dim`.
    - (C5) `cos_sin` has `rotary_dim` columns.

    Example:
    ```mlir
    %q2, %k2 = fk.rope %q, %k, %positions, %cos_sin {rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
    ```
  }];
  let arguments = (ins FK_Tensor:$query, FK_Tensor:$key, FK_IndexTensor:$positions,
                       FK_Tensor:$cos_sin, I32Attr:$rotary_dim);
  let results = (outs FK_Tensor:$query_out, FK_Tensor:$key_out);
  let hasVerifier = 1;
}

def FK_QKNormRopeOp : FK_TaskOp<"qk_norm_rope", "L2", "attention",
    "query_out: T[tokens, q_heads, head_dim], key_out: T[tokens, kv_heads, head_dim]; "
    "query: T[tokens, q_heads, head_dim], key: T[tokens, kv_heads, head_dim], "
    "query_weight: T[head_dim], key_weight: T[head_dim], "
    "positions: i32[tokens], cos_sin: f32[_, _]; epsilon: f32; "
    "tokens, q_heads, kv_heads, head_dim; rotary_dim: i32 = head_dim, weight_offset: f32 = 0",
    "rope(rms_norm(q per head, wq), rms_norm(k per head, wk))",
    "7 * tokens * (q_heads + kv_heads) * head_dim", [Pure], "rms_norm,rms_norm,rope",
    "cos_sin: tokens * head_dim"> {
  let summary = "Normalisation of each head, then rotary position embedding";
  let description = [{
    `query_out = rope(rms_norm(q per head, query_weight))`, `key_out = rope(rms_norm(k per head,
    key_weight))`

    Computed in f32 or better; one rounding to T at the end. Production kernels may round the
    normalised head to T before it is rotated; the error budget admits both. In place allowed:
    `query_out` on `query`, `key_out` on `key`.
    Libraries: vLLM `fused_qk_norm_rope`, TensorRT-LLM `fusedQKNormRope`, transformers
    `Qwen3Attention`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64; `positions` are
      i32 and `cos_sin` is f32.
    - (C2) Ranks and extents are those of the signature.
    - (C3) `q_heads` is a multiple of `kv_heads`.
    - (C4) `rotary_dim` is even, positive and at most `head_dim`.
    - (C5) `cos_sin` has `rotary_dim` columns.
    - (C6) `epsilon` is finite and positive.

    Example:
    ```mlir
    %q2, %k2 = fk.qk_norm_rope %q, %k, %qw, %kw, %positions, %cos_sin {epsilon = 1.0e-6 : f32, rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
    ```
  }];
  let arguments = (ins FK_Tensor:$query, FK_Tensor:$key, FK_Tensor:$query_weight,
                       FK_Tensor:$key_weight, FK_IndexTensor:$positions, FK_Tensor:$cos_sin,
                       F32Attr:$epsilon, I32Attr:$rotary_dim,
                       DefaultValuedAttr<F32Attr, "0.0">:$weight_offset);
  let results = (outs FK_Tensor:$query_out, FK_Tensor:$key_out);
  let hasVerifier = 1;
}

def FK_AttentionOp : FK_TaskOp<"attention", "L1", "attention",
    "result: T[tokens, q_heads, head_dim]; "
    "query: T[tokens, q_heads, head_dim], key: T[tokens, kv_heads, head_dim], "
    "value: T[tokens, kv_heads, head_dim], cu_seqlens: i32[seqs + 1], sink?: T[q_heads]; "
    "scale: f32, causal: i32, window: i32, softcap: f32; "
    "tokens, seqs, q_heads, kv_heads, head_dim",
    "y[t, h] = softmax_s(cap(scale * q[t, h] . k[s, h / group]), sink[h]) . v, over the keys s "
    "of the same sequence that t may see; cap(x) = softcap * tanh(x / softcap)",
    "4 * tokens * ceildiv(tokens, max(seqs, 1)) * q_heads * head_dim"> {
  let summary = "Attention over a packed batch, without a cache";
  let description = [{
    `y[t, h] = sum_s softmax_s(cap(scale * q[t, h] . k[s, h / group])) v[s, h / group]` over the
    keys of the same sequence, group = q_heads / kv_heads, `cap(x) = softcap * tanh(x / softcap)`;
    softmax over the logits and, where there is one, `sink[h]`, which weighs but adds no value. A
    query at position p of its sequence sees key s where s <= p (causal), and p - s < window (and,
    not causal, s - p < window) where there is a window. A query that sees no key gives zeros.
    Sequence i is the rows [cu_seqlens[i], cu_seqlens[i + 1]). The cost takes sequences of equal
    length that see everything.

    Computed in f32 or better; one rounding to T at the end. Production kernels round the weights
    exp(l - max) to T before they meet the values; the error budget admits both. Not in place.
    Libraries: FlashAttention `flash_attn_varlen_func`, FlashInfer
    `BatchPrefillWithRaggedKVCacheWrapper`, transformers `eager_attention_forward`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64; `cu_seqlens` are
      i32.
    - (C2) Ranks and extents are those of the signature.
    - (C3) `q_heads` is a multiple of `kv_heads`.
    - (C4) `scale` is finite and positive.
    - (C5) `causal` is 0 or 1.
    - (C6) `window` is 0 (none) or positive.
    - (C7) `softcap` is 0 (none) or finite and positive.

    Example:
    ```mlir
    %y = fk.attention %q, %k, %v, %cu_seqlens {scale = 0.25 : f32, causal = 1 : i32, window = 0 : i32, softcap = 0.0 : f32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>) -> tensor<?x4x16xbf16>
    ```
  }];
  let arguments = (ins FK_Tensor:$query, FK_Tensor:$key, FK_Tensor:$value,
                       FK_IndexTensor:$cu_seqlens, Optional<FK_Tensor>:$sink,
                       F32Attr:$scale, DefaultValuedAttr<I32Attr, "1">:$causal,
                       DefaultValuedAttr<I32Attr, "0">:$window,
                       DefaultValuedAttr<F32Attr, "0.0">:$softcap);
  let results = (outs FK_Tensor:$result);
  let hasVerifier = 1;
}

def FK_PagedAttentionOp : FK_TaskOp<"paged_attention", "L1", "attention",
    "result: T[tokens, q_heads, head_dim]; query: T[tokens, q_heads, head_dim], "
    "cache: state T[2, pages, page_size, kv_heads, head_dim], cu_seqlens: i32[seqs + 1], "
    "seq_lens: i32[seqs], block_table: i32[seqs, max_blocks], sink?: T[q_heads]; "
    "scale: f32, causal: i32, window: i32, softcap: f32; "
    "tokens, seqs, pages, page_size, max_blocks, q_heads, kv_heads, head_dim",
    "attention over the first seq_lens[s] cached rows of each sequence; its queries are the "
    "last of them",
    "4 * tokens * max_blocks * page_size * q_heads * head_dim",
    [MemoryEffects<[MemRead]>], "",
    "cache: 2 * seqs * max_blocks * page_size * kv_heads * head_dim"> {
  let summary = "Attention over a paged KV cache, prefill and decode alike";
  let description = [{
    As `attention`, over the first seq_lens[i] cached rows of each sequence; its queries, the rows
    [cu_seqlens[i], cu_seqlens[i + 1]), are at the last positions. Row s lies in page
    `block_table[i, s / page_size]`, row `s % page_size`. Entries of `block_table` behind a
    sequence's last page are not read. The cost takes every page of the table as full.

    Computed in f32 or better; one rounding to T at the end. Production kernels round the weights
    exp(l - max) to T before they meet the values; the error budget admits both. Not in place.
    Libraries: vLLM `paged_attention_v1`/`v2`, FlashInfer `BatchDecodeWithPagedKVCacheWrapper` and
    `BatchPrefillWithPagedKVCacheWrapper`, FlashAttention `flash_attn_with_kvcache`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64, the cache's too;
      index tensors are i32.
    - (C2) Ranks and extents are those of the signature.
    - (C3) `q_heads` is a multiple of `kv_heads`.
    - (C4) `scale` is finite and positive.
    - (C5) `causal` is 0 or 1.
    - (C6) `window` is 0 (none) or positive.
    - (C7) `softcap` is 0 (none) or finite and positive.

    Example:
    ```mlir
    %y = fk.paged_attention %q, %cache, %cu_seqlens, %seq_lens, %block_table {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, !fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x16xbf16>
    ```
  }];
  let arguments = (ins FK_Tensor:$query, FK_KVCacheType:$cache, FK_IndexTensor:$cu_seqlens,
                       FK_IndexTensor:$seq_lens, FK_IndexTensor:$block_table,
                       Optional<FK_Tensor>:$sink, F32Attr:$scale,
                       DefaultValuedAttr<I32Attr, "1">:$causal,
                       DefaultValuedAttr<I32Attr, "0">:$window,
                       DefaultValuedAttr<F32Attr, "0.0">:$softcap);
  let results = (outs FK_Tensor:$result);
  let hasVerifier = 1;
}

def FK_KVCacheWriteOp : FK_TaskOp<"kv_cache_write", "L1", "attention",
    "; cache: state T[2, pages, page_size, kv_heads, head_dim], "
    "key: T[tokens, kv_heads, head_dim], value: T[tokens, kv_heads, head_dim], "
    "slots: i32[tokens]; ; tokens, pages, page_size, kv_heads, head_dim",
    "cache[0, slots[t] / page_size, slots[t] % page_size] = k[t]; cache[1, ...] = v[t]; "
    "a slot of -1 is skipped",
    "0 * tokens", [MemoryEffects<[MemWrite]>], "",
    "cache: 2 * tokens * kv_heads * head_dim"> {
  let summary = "Puts keys and values into their rows of a paged cache";
  let description = [{
    `cache[0, slots[t] / page_size, slots[t] % page_size] = k[t]`, `cache[1, ...] = v[t]`; a slot
    of -1 is skipped. No slot occurs twice.

    Elements are copied. Writes the cache in place.
    Libraries: vLLM `reshape_and_cache_flash`, FlashInfer `page.append_paged_kv_cache`.

    Constraints:
    - (C1) All floating tensors have one element type T: bf16, f16, f32 or f64, the cache's too;
      `slots` are i32.
    - (C2) Ranks and extents are those of the signature.

    Example:
    ```mlir
    fk.kv_cache_write %cache, %k, %v, %slots : (!fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>) -> ()
    ```
  }];
  let arguments = (ins FK_KVCacheType:$cache, FK_Tensor:$key, FK_Tensor:$value,
                       FK_IndexTensor:$slots);
  let results = (outs);
}

#endif // FK_DIALECTS_FK_ATTENTIONOPS_TD
