// RUN: fk-opt %s --verify-diagnostics --split-input-file

// expected-error@+1 {{kv_cache_c1: page_size, kv_heads and head_dim must be positive, got 0 x 2 x 16}}
fk.state @kv : !fk.kv_cache<0 x 2 x 16 x bf16>

// -----

// expected-error@+1 {{kv_cache_c2: elements must be bf16, f16, f32 or f64, got 'i8'}}
fk.state @kv : !fk.kv_cache<16 x 2 x 16 x i8>

// -----

// expected-error@+1 {{rope_table_c1: type must be default, linear, dynamic, yarn, llama3 or longrope, got "spiral"}}
fk.weight @t rope <"spiral", rotary_dim = 16, {theta = 1.0e4 : f64}> : tensor<?x16xf32>

// -----

// expected-error@+1 {{rope_table_c2: rotary_dim must be even and positive, got 15}}
fk.weight @t rope <"default", rotary_dim = 15, {theta = 1.0e4 : f64}> : tensor<?x15xf32>

// -----

// expected-error@+1 {{rope_table_c3: type "linear" needs the setting 'factor'}}
fk.weight @t rope <"linear", rotary_dim = 16, {theta = 1.0e4 : f64}> : tensor<?x16xf32>

// -----

// expected-error@+1 {{rope_table_c3: type "default" has no setting 'factor'}}
fk.weight @t rope <"default", rotary_dim = 16, {theta = 1.0e4 : f64, factor = 2.0 : f64}> : tensor<?x16xf32>

// -----

// expected-error@+1 {{rope_table_c4: theta must be a number, got "big"}}
fk.weight @t rope <"default", rotary_dim = 16, {theta = "big"}> : tensor<?x16xf32>

// -----

// expected-error@+1 {{rope_table_c4: truncate must be a bool, got 1}}
fk.weight @t rope <"yarn", rotary_dim = 16, {theta = 1.0e4 : f64, factor = 2.0 : f64, original_max_positions = 256 : i64, beta_fast = 32.0 : f64, beta_slow = 1.0 : f64, truncate = 1 : i64}> : tensor<?x16xf32>

// -----

// expected-error@+1 {{rope_table_c4: long_factor must be array<f64: ...> of rotary_dim / 2 = 2 numbers, got array<f64: 2.000000e+00>}}
fk.weight @t rope <"longrope", rotary_dim = 4, {theta = 1.0e4 : f64, original_max_positions = 256 : i64, short_factor = array<f64: 1.0, 1.0>, long_factor = array<f64: 2.0>}> : tensor<?x4xf32>

// -----

// expected-error@+1 {{weight_c1: type must be a ranked tensor of at least one dimension, got 'tensor<bf16>'}}
fk.weight @w [#fk.part<"w">] : tensor<bf16>

// -----

// expected-error@+1 {{weight_c2: wants either parts or a rope table, got neither}}
fk.weight @w : tensor<64xbf16>

// -----

// expected-error@+1 {{weight_c2: wants either parts or a rope table, got both}}
fk.weight @w [#fk.part<"w">] rope <"default", rotary_dim = 16, {theta = 1.0e4 : f64}> : tensor<?x16xf32>

// -----

// expected-error@+1 {{weight_c3: a rope table must be 'tensor<?x16xf32>', got 'tensor<?x16xbf16>'}}
fk.weight @w rope <"default", rotary_dim = 16, {theta = 1.0e4 : f64}> : tensor<?x16xbf16>

// -----

// expected-error@+1 {{weight_c4: extents must be static, got 'tensor<?x64xbf16>'}}
fk.weight @w [#fk.part<"w">] : tensor<?x64xbf16>

// -----

// expected-error@+1 {{weight_c5: wants at least one #fk.part}}
fk.weight @w [] : tensor<64xbf16>

// -----

// expected-error@+1 {{weight_c5: a part must be}}
fk.weight @w [#fk.part<"w", 32 to 16>] : tensor<64xbf16>

// -----

// expected-error@+1 {{weight_c5: a part must be}}
fk.weight @w ["w"] : tensor<64xbf16>

// -----

// expected-error@+1 {{weight_c6: the parts must have 64 rows together, as 'tensor<64x8xbf16>' has, got 48}}
fk.weight @w [#fk.part<"a", 0 to 32>, #fk.part<"b", 0 to 16>] : tensor<64x8xbf16>

// -----

// expected-error@+1 {{weight_c6: the parts must have 64 rows together, as 'tensor<64x8xbf16>' has, got 64 before the open-ended ones}}
fk.weight @w [#fk.part<"a", 0 to 64>, #fk.part<"b">] : tensor<64x8xbf16>

// -----

func.func @f() {
  // expected-error@+1 {{get_weight_c1: @w must name an fk.weight of the module}}
  %0 = fk.get_weight @w : tensor<64xbf16>
  return
}

// -----

// expected-note@+1 {{declared here}}
fk.weight @w [#fk.part<"w">] : tensor<64xbf16>
func.func @f() {
  // expected-error@+1 {{get_weight_c2: type must be the declared 'tensor<64xbf16>', got 'tensor<64xf32>'}}
  %0 = fk.get_weight @w : tensor<64xf32>
  return
}

// -----

// expected-error@+1 {{state_c1: type must be !fk.kv_cache, got 'tensor<4xf32>'}}
fk.state @s : tensor<4xf32>

// -----

fk.weight @s [#fk.part<"w">] : tensor<64xbf16>
func.func @f() {
  // expected-error@+1 {{get_state_c1: @s must name an fk.state of the module}}
  %0 = fk.get_state @s : !fk.kv_cache<16 x 2 x 16 x bf16>
  return
}

// -----

// expected-note@+1 {{declared here}}
fk.state @s : !fk.kv_cache<16 x 2 x 16 x bf16>
func.func @f() {
  // expected-error@+1 {{get_state_c2: type must be the declared}}
  %0 = fk.get_state @s : !fk.kv_cache<16 x 2 x 16 x f16>
  return
}

// -----

// expected-error@+1 {{candidate_c1: wants the name of a task}}
fk.candidate @c for "" from "c.ptx" {manifest = "{}", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}

// -----

// expected-error@+1 {{candidate_c2: sha256 must be 64 lower-case hexadecimal digits, got "abc"}}
fk.candidate @c for "rms_norm" from "c.ptx" {manifest = "{}", sha256 = "abc"}
