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
    "3 * tokens * (q_heads + kv_heads) * head_dim"> {
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
    "7 * tokens * (q_heads + kv_heads) * head_dim", [Pure], "rms_norm,rms_norm,rope"> {
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
    "4 * tokens * tokens * q_heads * head_dim"> {
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
    [MemoryEffects<[MemRead]>]> {
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
    "0 * tokens", [MemoryEffects<[MemWrite]>]> {
  let arguments = (ins FK_KVCacheType:$cache, FK_Tensor:$key, FK_Tensor:$value,
                       FK_IndexTensor:$slots);
  let results = (outs);
}

#endif // FK_DIALECTS_FK_ATTENTIONOPS_TD
