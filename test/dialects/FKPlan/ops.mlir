// RUN: fk-opt %s | fk-opt | FileCheck %s
// RUN: fk-opt %s --canonicalize --cse | FileCheck %s --check-prefix=CLEAN

fk.weight @norm [#fk.part<"model.norm.weight">] : tensor<64xbf16>
fk.weight @rope.cos_sin rope <"default", rotary_dim = 16, {theta = 1.0e4 : f64}> : tensor<?x16xf32>
fk.state @kv.0 : !fk.kv_cache<16 x 2 x 16 x bf16>

// CHECK-LABEL: func.func private @layer
// CHECK-SAME: %[[X:.*]]: memref<?x64xbf16> {fk.dims = ["tokens"]}
// CHECK-SAME: %[[Y:.*]]: memref<?x64xbf16> {fk.dims = ["tokens"], fkplan.result}
// CHECK-SAME: attributes {fkplan.slots = ["tokens * 128"]}
func.func private @layer(%x: memref<?x64xbf16> {fk.dims = ["tokens"]}, %y: memref<?x64xbf16> {fk.dims = ["tokens"], fkplan.result})
    attributes {fkplan.slots = ["tokens * 128"]} {
  // CHECK: %[[W:.*]] = fkplan.weight @norm : memref<64xbf16>
  %w = fkplan.weight @norm : memref<64xbf16>
  // CHECK: %[[T:.*]] = fkplan.weight @rope.cos_sin : memref<?x16xf32>
  %t = fkplan.weight @rope.cos_sin : memref<?x16xf32>
  // CHECK: %[[S:.*]] = fkplan.state @kv.0 : memref<2x?x16x2x16xbf16>
  %s = fkplan.state @kv.0 : memref<2x?x16x2x16xbf16>
  // CHECK: %[[B:.*]] = fkplan.buffer ["tokens"] slot 0 : memref<?x64xbf16>
  %b = fkplan.buffer ["tokens"] slot 0 : memref<?x64xbf16>
  // CHECK: %[[V:.*]] = fkplan.view %[[B]] ["tokens"] : memref<?x64xbf16> to memref<?x4x16xbf16>
  %v = fkplan.view %b ["tokens"] : memref<?x64xbf16> to memref<?x4x16xbf16>
  // CHECK: fkplan.launch "rms_norm" outs(result = %[[B]] : memref<?x64xbf16>) ins(input = %[[X]] : memref<?x64xbf16>, weight = %[[W]] : memref<64xbf16>)
  // CHECK-SAME: scalars(epsilon = {{.*}} : f32) variants(weight_offset = 0.000000e+00 : f32)
  // CHECK-SAME: axes(tokens = "tokens", hidden = "64")
  // CHECK-SAME: kernels [#fk.kernel<"cuda", "row", where = "tokens <= 8">, #fk.kernel<"reference", "rms_norm">]
  fkplan.launch "rms_norm" outs(result = %b : memref<?x64xbf16>)
      ins(input = %x : memref<?x64xbf16>, weight = %w : memref<64xbf16>)
      scalars(epsilon = 1.0e-5 : f32) variants(weight_offset = 0.0 : f32)
      axes(tokens = "tokens", hidden = "64")
      kernels [#fk.kernel<"cuda", "row", where = "tokens <= 8">, #fk.kernel<"reference", "rms_norm">]
  // An absent optional operand keeps its place.
  // CHECK: fkplan.launch "layer_norm" outs(result = %[[Y]] : memref<?x64xbf16>) ins(input = %[[B]] : memref<?x64xbf16>, weight = %[[W]] : memref<64xbf16>, bias = none)
  // CHECK-SAME: variants() axes
  fkplan.launch "layer_norm" outs(result = %y : memref<?x64xbf16>)
      ins(input = %b : memref<?x64xbf16>, weight = %w : memref<64xbf16>, bias = none)
      scalars(epsilon = 1.0e-5 : f32) variants() axes(tokens = "tokens", hidden = "64")
      kernels [#fk.kernel<"reference", "layer_norm">]
  return
}

// A task that is no op: a candidate that replaces a whole function.
// CHECK-LABEL: func.func @forward
func.func @forward(%x: memref<?x64xbf16> {fk.name = "hidden", fk.dims = ["tokens"], fk.role = {kind = "packed", from = "hidden"}},
                   %y: memref<?x64xbf16> {fk.name = "out", fk.dims = ["tokens"], fk.role = {kind = "rows"}, fkplan.result}) {
  // CHECK: %[[B:.*]] = fkplan.buffer ["tokens"] : memref<?x64xbf16>
  %b = fkplan.buffer ["tokens"] : memref<?x64xbf16>
  // CHECK: fkplan.call @layer outs(%[[B]] : memref<?x64xbf16>) ins(%{{.*}} : memref<?x64xbf16>)
  fkplan.call @layer outs(%b : memref<?x64xbf16>) ins(%x : memref<?x64xbf16>)
  // CHECK: fkplan.launch "decoder_layer" outs(result = %{{.*}}) ins(arg0 = %[[B]] : memref<?x64xbf16>) scalars() variants() axes(tokens = "tokens") kernels [#fk.kernel<"candidate", "decoder_layer:c.ptx">]
  fkplan.launch "decoder_layer" outs(result = %y : memref<?x64xbf16>) ins(arg0 = %b : memref<?x64xbf16>)
      scalars() variants() axes(tokens = "tokens") kernels [#fk.kernel<"candidate", "decoder_layer:c.ptx">]
  return
}

// Two buffers of one shape are two buffers, and launches are not dropped.
// CLEAN-LABEL: func.func @two_buffers
// CLEAN: fkplan.buffer
// CLEAN: fkplan.buffer
// CLEAN: fkplan.launch "silu"
// CLEAN: fkplan.launch "silu"
func.func @two_buffers(%x: memref<4x64xbf16>) {
  %a = fkplan.buffer [] : memref<4x64xbf16>
  %b = fkplan.buffer [] : memref<4x64xbf16>
  fkplan.launch "silu" outs(result = %a : memref<4x64xbf16>) ins(input = %x : memref<4x64xbf16>)
      scalars() variants() axes(tokens = "4", features = "64") kernels [#fk.kernel<"reference", "silu">]
  fkplan.launch "silu" outs(result = %b : memref<4x64xbf16>) ins(input = %x : memref<4x64xbf16>)
      scalars() variants() axes(tokens = "4", features = "64") kernels [#fk.kernel<"reference", "silu">]
  return
}
