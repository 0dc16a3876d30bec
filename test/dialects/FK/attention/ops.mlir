// RUN: fk-opt %s | fk-opt | FileCheck %s
// RUN: fk-opt %s --canonicalize | FileCheck %s --check-prefix=EFFECTS

// CHECK-LABEL: func.func @rope
// CHECK: %query_out, %key_out = fk.rope %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {rotary_dim = 16 : i32}
func.func @rope(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xf32>) -> tensor<?x4x16xbf16> {
  %0:2 = fk.rope %q, %k, %p, %t {rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return %0#0 : tensor<?x4x16xbf16>
}

// Part of a head may be rotated.
// CHECK-LABEL: func.func @partial_rope
// CHECK: fk.rope {{.*}} {rotary_dim = 8 : i32}
func.func @partial_rope(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %p: tensor<?xi32>, %t: tensor<?x8xf32>) -> tensor<?x4x16xbf16> {
  %0:2 = fk.rope %q, %k, %p, %t {rotary_dim = 8 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>, tensor<?x8xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return %0#0 : tensor<?x4x16xbf16>
}

// CHECK-LABEL: func.func @qk_norm_rope
// CHECK: fk.qk_norm_rope {{.*}} {epsilon = {{.*}} : f32, rotary_dim = 16 : i32}
func.func @qk_norm_rope(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %w: tensor<16xbf16>, %p: tensor<?xi32>, %t: tensor<?x16xf32>) -> tensor<?x2x16xbf16> {
  %0:2 = fk.qk_norm_rope %q, %k, %w, %w, %p, %t {epsilon = 1.0e-6 : f32, rotary_dim = 16 : i32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<?xi32>, tensor<?x16xf32>) -> (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>)
  return %0#1 : tensor<?x2x16xbf16>
}

// CHECK-LABEL: func.func @attention
// CHECK: fk.attention %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {scale = 2.500000e-01 : f32} :
// CHECK: fk.attention %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {causal = 0 : i32, scale = 2.500000e-01 : f32, softcap = 5.000000e+01 : f32, window = 128 : i32} :
func.func @attention(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %c: tensor<?xi32>, %s: tensor<4xbf16>) -> tensor<?x4x16xbf16> {
  %0 = fk.attention %q, %k, %k, %c {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>) -> tensor<?x4x16xbf16>
  %1 = fk.attention %0, %k, %k, %c, %s {scale = 0.25 : f32, causal = 0 : i32, window = 128 : i32, softcap = 50.0 : f32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>, tensor<4xbf16>) -> tensor<?x4x16xbf16>
  return %1 : tensor<?x4x16xbf16>
}

// CHECK-LABEL: func.func @paged
// CHECK: fk.kv_cache_write %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : (!fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>) -> ()
// CHECK: fk.paged_attention %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {scale = 2.500000e-01 : f32} :
// A write stays, and a read before it is not merged with the one behind it.
// EFFECTS-LABEL: func.func @paged
// EFFECTS: fk.kv_cache_write
// EFFECTS: fk.paged_attention
func.func @paged(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %cache: !fk.kv_cache<16 x 2 x 16 x bf16>, %slots: tensor<?xi32>, %c: tensor<?xi32>, %l: tensor<?xi32>, %b: tensor<?x?xi32>) -> tensor<?x4x16xbf16> {
  fk.kv_cache_write %cache, %k, %k, %slots : (!fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>) -> ()
  %0 = fk.paged_attention %q, %cache, %c, %l, %b {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, !fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x16xbf16>
  return %0 : tensor<?x4x16xbf16>
}

// RUN: fk-opt %s --cse | FileCheck %s --check-prefix=CSE
// CSE-LABEL: func.func @read_write_read
// CSE: fk.paged_attention
// CSE: fk.kv_cache_write
// CSE: fk.paged_attention
func.func @read_write_read(%q: tensor<?x4x16xbf16>, %k: tensor<?x2x16xbf16>, %cache: !fk.kv_cache<16 x 2 x 16 x bf16>, %slots: tensor<?xi32>, %c: tensor<?xi32>, %l: tensor<?xi32>, %b: tensor<?x?xi32>) -> (tensor<?x4x16xbf16>, tensor<?x4x16xbf16>) {
  %0 = fk.paged_attention %q, %cache, %c, %l, %b {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, !fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x16xbf16>
  fk.kv_cache_write %cache, %k, %k, %slots : (!fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>) -> ()
  %1 = fk.paged_attention %q, %cache, %c, %l, %b {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, !fk.kv_cache<16 x 2 x 16 x bf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4x16xbf16>
  return %0, %1 : tensor<?x4x16xbf16>, tensor<?x4x16xbf16>
}
