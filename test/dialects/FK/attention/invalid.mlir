// RUN: fk-opt %s --verify-diagnostics --split-input-file

func.func @rope_c1(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xbf16>) {
  // expected-error@+1 {{rope_c1: cos_sin must have elements of type f32, got tensor<?x16xbf16>}}
  %0:2 = fk.rope %q, %k, %p, %t {rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>, tensor<?x16xbf16>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @rope_c1_positions(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %p: tensor<?xi64>, %t: tensor<?x16xf32>) {
  // expected-error@+1 {{rope_c1: positions must have elements of type i32, got tensor<?xi64>}}
  %0:2 = fk.rope %q, %k, %p, %t {rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi64>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @rope_c2(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x8xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xf32>) {
  // expected-error@+1 {{rope_c2: key must be tensor<?x2x16xbf16> [tokens, kv_heads, head_dim], got tensor<?x2x8xbf16>}}
  %0:2 = fk.rope %q, %k, %p, %t {rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x8xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x8xbf16>)
  return
}

// -----

func.func @rope_c3(%q: tensor<?x4x16xbf16>, %k: tensor<?x3x16xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xf32>) {
  // expected-error@+1 {{rope_c3: q_heads must be a multiple of kv_heads, got 4 and 3}}
  %0:2 = fk.rope %q, %k, %p, %t {rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x3x16xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x3x16xbf16>)
  return
}

// -----

func.func @rope_c4(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %p: tensor<?xi32>, %t: tensor<?x15xf32>) {
  // expected-error@+1 {{rope_c4: rotary_dim must be even, positive and at most head_dim = 16, got 15}}
  %0:2 = fk.rope %q, %k, %p, %t {rotary_dim = 15 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>, tensor<?x15xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @rope_c4_large(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %p: tensor<?xi32>, %t: tensor<?x18xf32>) {
  // expected-error@+1 {{rope_c4: rotary_dim must be even, positive and at most head_dim = 16, got 18}}
  %0:2 = fk.rope %q, %k, %p, %t {rotary_dim = 18 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>, tensor<?x18xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @rope_c4_negative(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xf32>) {
  // expected-error@+1 {{rope_c4: rotary_dim must be even, positive and at most head_dim = 16, got -2}}
  %0:2 = fk.rope %q, %k, %p, %t {rotary_dim = -2 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @rope_c5(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xf32>) {
  // expected-error@+1 {{rope_c5: cos_sin must have rotary_dim = 8 columns, got}}
  %0:2 = fk.rope %q, %k, %p, %t {rotary_dim = 8 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @qk_norm_rope_c1(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %qw: tensor<16xbf16>, %kw: tensor<16xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xbf16>) {
  // expected-error@+1 {{qk_norm_rope_c1: cos_sin must have elements of type f32, got tensor<?x16xbf16>}}
  %0:2 = fk.qk_norm_rope %q, %k, %qw, %kw, %p, %t {epsilon = 1.0e-6 : f32, rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<?xi32>, tensor<?x16xbf16>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @qk_norm_rope_c1_positions(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %qw: tensor<16xbf16>, %kw: tensor<16xbf16>, %p: tensor<?xi64>, %t: tensor<?x16xf32>) {
  // expected-error@+1 {{qk_norm_rope_c1: positions must have elements of type i32, got tensor<?xi64>}}
  %0:2 = fk.qk_norm_rope %q, %k, %qw, %kw, %p, %t {epsilon = 1.0e-6 : f32, rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<?xi64>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @qk_norm_rope_c2(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x8xbf16>, %qw: tensor<16xbf16>, %kw: tensor<16xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xf32>) {
  // expected-error@+1 {{qk_norm_rope_c2: key must be tensor<?x2x16xbf16> [tokens, kv_heads, head_dim], got tensor<?x2x8xbf16>}}
  %0:2 = fk.qk_norm_rope %q, %k, %qw, %kw, %p, %t {epsilon = 1.0e-6 : f32, rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x8xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x8xbf16>)
  return
}

// -----

func.func @qk_norm_rope_c3(%q: tensor<?x4x16xbf16>, %k: tensor<?x3x16xbf16>, %qw: tensor<16xbf16>, %kw: tensor<16xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xf32>) {
  // expected-error@+1 {{qk_norm_rope_c3: q_heads must be a multiple of kv_heads, got 4 and 3}}
  %0:2 = fk.qk_norm_rope %q, %k, %qw, %kw, %p, %t {epsilon = 1.0e-6 : f32, rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x3x16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x3x16xbf16>)
  return
}

// -----

func.func @qk_norm_rope_c4(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %qw: tensor<16xbf16>, %kw: tensor<16xbf16>, %p: tensor<?xi32>, %t: tensor<?x15xf32>) {
  // expected-error@+1 {{qk_norm_rope_c4: rotary_dim must be even, positive and at most head_dim = 16, got 15}}
  %0:2 = fk.qk_norm_rope %q, %k, %qw, %kw, %p, %t {epsilon = 1.0e-6 : f32, rotary_dim = 15 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<?xi32>, tensor<?x15xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @qk_norm_rope_c4_large(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %qw: tensor<16xbf16>, %kw: tensor<16xbf16>, %p: tensor<?xi32>, %t: tensor<?x18xf32>) {
  // expected-error@+1 {{qk_norm_rope_c4: rotary_dim must be even, positive and at most head_dim = 16, got 18}}
  %0:2 = fk.qk_norm_rope %q, %k, %qw, %kw, %p, %t {epsilon = 1.0e-6 : f32, rotary_dim = 18 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<?xi32>, tensor<?x18xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @qk_norm_rope_c4_negative(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %qw: tensor<16xbf16>, %kw: tensor<16xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xf32>) {
  // expected-error@+1 {{qk_norm_rope_c4: rotary_dim must be even, positive and at most head_dim = 16, got -2}}
  %0:2 = fk.qk_norm_rope %q, %k, %qw, %kw, %p, %t {epsilon = 1.0e-6 : f32, rotary_dim = -2 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @qk_norm_rope_c5(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %qw: tensor<16xbf16>, %kw: tensor<16xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xf32>) {
  // expected-error@+1 {{qk_norm_rope_c5: cos_sin must have rotary_dim = 8 columns, got}}
  %0:2 = fk.qk_norm_rope %q, %k, %qw, %kw, %p, %t {epsilon = 1.0e-6 : f32, rotary_dim = 8 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @qk_norm_rope_c2_weight(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %qw: tensor<16xbf16>, %kw: tensor<8xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xf32>) {
  // expected-error@+1 {{qk_norm_rope_c2: key_weight must be tensor<16xbf16> [head_dim], got tensor<8xbf16>}}
  %0:2 = fk.qk_norm_rope %q, %k, %qw, %kw, %p, %t {epsilon = 1.0e-6 : f32, rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<16xbf16>, tensor<8xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @qk_norm_rope_c6(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %qw: tensor<16xbf16>, %kw: tensor<16xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xf32>) {
  // expected-error@+1 {{qk_norm_rope_c6: epsilon must be finite and positive}}
  %0:2 = fk.qk_norm_rope %q, %k, %qw, %kw, %p, %t {epsilon = 0.0 : f32, rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return
}

// -----

func.func @attention_c1(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %v: tensor<?x2x16xf16>, %c: tensor<?xi32>) {
  // expected-error@+1 {{attention_c1: value must have elements of type bf16, as query has, got tensor<?x2x16xf16>}}
  %0 = fk.attention %q, %k, %v, %c {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?x2x16xf16>, tensor<?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @attention_c2(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %v: tensor<?x2x16xbf16>, %c: tensor<?xi32>, %s: tensor<2xbf16>) {
  // expected-error@+1 {{attention_c2: sink must be tensor<4xbf16> [q_heads], got tensor<2xbf16>}}
  %0 = fk.attention %q, %k, %v, %c, %s {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>, tensor<2xbf16>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @attention_c2_no_sequence(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %v: tensor<?x2x16xbf16>, %c: tensor<0xi32>) {
  // expected-error@+1 {{attention_c2: cu_seqlens must be tensor<?xi32> [seqs + 1], got tensor<0xi32>}}
  %0 = fk.attention %q, %k, %v, %c {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<0xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @attention_c3(%q: tensor<?x4x16xbf16>, %k: tensor<?x3x16xbf16>, %v: tensor<?x3x16xbf16>, %c: tensor<?xi32>) {
  // expected-error@+1 {{attention_c3: q_heads must be a multiple of kv_heads, got 4 and 3}}
  %0 = fk.attention %q, %k, %v, %c {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, tensor<?x3x16xbf16>, tensor<?x3x16xbf16>, tensor<?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @attention_c3_none(%q: tensor<?x4x16xbf16>, %k: tensor<?x0x16xbf16>, %v: tensor<?x0x16xbf16>, %c: tensor<?xi32>) {
  // expected-error@+1 {{attention_c3: q_heads must be a multiple of kv_heads, got 4 and 0}}
  %0 = fk.attention %q, %k, %v, %c {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, tensor<?x0x16xbf16>, tensor<?x0x16xbf16>, tensor<?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @attention_c4(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %v: tensor<?x2x16xbf16>, %c: tensor<?xi32>) {
  // expected-error@+1 {{attention_c4: scale must be finite and positive}}
  %0 = fk.attention %q, %k, %v, %c {scale = 0.0 : f32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @attention_c5(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %v: tensor<?x2x16xbf16>, %c: tensor<?xi32>) {
  // expected-error@+1 {{attention_c5: causal must be 0 or 1, got 2}}
  %0 = fk.attention %q, %k, %v, %c {scale = 0.25 : f32, causal = 2 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @attention_c6(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %v: tensor<?x2x16xbf16>, %c: tensor<?xi32>) {
  // expected-error@+1 {{attention_c6: window must be 0 (none) or positive, got -1}}
  %0 = fk.attention %q, %k, %v, %c {scale = 0.25 : f32, window = -1 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @attention_c7(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %v: tensor<?x2x16xbf16>, %c: tensor<?xi32>) {
  // expected-error@+1 {{attention_c7: softcap must be 0 (none) or finite and positive, got}}
  %0 = fk.attention %q, %k, %v, %c {scale = 0.25 : f32, softcap = -1.0 : f32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @paged_attention_c1(%q: tensor<?x4x16xbf16>, %h: !fk.kv_cache<16 x 2 x 16 x f16>, %c: tensor<?xi32>, %l: tensor<?xi32>, %b: tensor<?x?xi32>) {
  // expected-error@+1 {{paged_attention_c1: cache must have elements of type bf16, as query has, got !fk.kv_cache<16 x 2 x 16 x f16>}}
  %0 = fk.paged_attention %q, %h, %c, %l, %b {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, !fk.kv_cache<16 x 2 x 16 x f16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @paged_attention_c2(%q: tensor<?x4x16xbf16>, %h: !fk.kv_cache<16 x 2 x 8 x bf16>, %c: tensor<?xi32>, %l: tensor<?xi32>, %b: tensor<?x?xi32>) {
  // expected-error@+1 {{paged_attention_c2: cache must be tensor<2x?x16x2x16xbf16> [2, pages, page_size, kv_heads, head_dim], got !fk.kv_cache<16 x 2 x 8 x bf16>}}
  %0 = fk.paged_attention %q, %h, %c, %l, %b {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, !fk.kv_cache<16 x 2 x 8 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @paged_attention_c2_seqs(%q: tensor<?x4x16xbf16>, %h: !fk.kv_cache<16 x 2 x 16 x bf16>, %c: tensor<4xi32>, %l: tensor<3xi32>, %b: tensor<4x?xi32>) {
  // expected-error@+1 {{paged_attention_c2: block_table must be tensor<3x?xi32> [seqs, max_blocks], got tensor<4x?xi32>}}
  %0 = fk.paged_attention %q, %h, %c, %l, %b {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, !fk.kv_cache<16 x 2 x 16 x bf16>, tensor<4xi32>, tensor<3xi32>, tensor<4x?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @paged_attention_c3(%q: tensor<?x4x16xbf16>, %h: !fk.kv_cache<16 x 3 x 16 x bf16>, %c: tensor<?xi32>, %l: tensor<?xi32>, %b: tensor<?x?xi32>) {
  // expected-error@+1 {{paged_attention_c3: q_heads must be a multiple of kv_heads, got 4 and 3}}
  %0 = fk.paged_attention %q, %h, %c, %l, %b {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, !fk.kv_cache<16 x 3 x 16 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @paged_attention_c4(%q: tensor<?x4x16xbf16>, %h: !fk.kv_cache<16 x 2 x 16 x bf16>, %c: tensor<?xi32>, %l: tensor<?xi32>, %b: tensor<?x?xi32>) {
  // expected-error@+1 {{paged_attention_c4: scale must be finite and positive}}
  %0 = fk.paged_attention %q, %h, %c, %l, %b {scale = -0.25 : f32} : (tensor<?x4x16xbf16>, !fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @paged_attention_c5(%q: tensor<?x4x16xbf16>, %h: !fk.kv_cache<16 x 2 x 16 x bf16>, %c: tensor<?xi32>, %l: tensor<?xi32>, %b: tensor<?x?xi32>) {
  // expected-error@+1 {{paged_attention_c5: causal must be 0 or 1, got -1}}
  %0 = fk.paged_attention %q, %h, %c, %l, %b {scale = 0.25 : f32, causal = -1 : i32} : (tensor<?x4x16xbf16>, !fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @paged_attention_c6(%q: tensor<?x4x16xbf16>, %h: !fk.kv_cache<16 x 2 x 16 x bf16>, %c: tensor<?xi32>, %l: tensor<?xi32>, %b: tensor<?x?xi32>) {
  // expected-error@+1 {{paged_attention_c6: window must be 0 (none) or positive, got -5}}
  %0 = fk.paged_attention %q, %h, %c, %l, %b {scale = 0.25 : f32, window = -5 : i32} : (tensor<?x4x16xbf16>, !fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @paged_attention_c7(%q: tensor<?x4x16xbf16>, %h: !fk.kv_cache<16 x 2 x 16 x bf16>, %c: tensor<?xi32>, %l: tensor<?xi32>, %b: tensor<?x?xi32>) {
  // expected-error@+1 {{paged_attention_c7: softcap must be 0 (none) or finite and positive, got}}
  %0 = fk.paged_attention %q, %h, %c, %l, %b {scale = 0.25 : f32, softcap = 0x7F800000 : f32} : (tensor<?x4x16xbf16>, !fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x16xbf16>
  return
}

// -----

func.func @kv_cache_write_c1(%h: !fk.kv_cache<16 x 2 x 16 x bf16>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x16xbf16>, %s: tensor<?xi32>) {
  // expected-error@+1 {{kv_cache_write_c1: key must have elements of type bf16, as cache has, got tensor<?x2x16xf32>}}
  fk.kv_cache_write %h, %k, %v, %s : (!fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?x2x16xf32>, tensor<?x2x16xbf16>, tensor<?xi32>) -> ()
  return
}

// -----

func.func @kv_cache_write_c1_slots(%h: !fk.kv_cache<16 x 2 x 16 x bf16>, %k: tensor<?x2x16xbf16>, %v: tensor<?x2x16xbf16>, %s: tensor<?xi64>) {
  // expected-error@+1 {{kv_cache_write_c1: slots must have elements of type i32, got tensor<?xi64>}}
  fk.kv_cache_write %h, %k, %v, %s : (!fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi64>) -> ()
  return
}

// -----

func.func @kv_cache_write_c2(%h: !fk.kv_cache<16 x 2 x 16 x bf16>, %k: tensor<?x2x16xbf16>, %v: tensor<?x4x16xbf16>, %s: tensor<?xi32>) {
  // expected-error@+1 {{kv_cache_write_c2: value must be tensor<?x2x16xbf16> [tokens, kv_heads, head_dim], got tensor<?x4x16xbf16>}}
  fk.kv_cache_write %h, %k, %v, %s : (!fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?x2x16xbf16>, tensor<?x4x16xbf16>, tensor<?xi32>) -> ()
  return
}
