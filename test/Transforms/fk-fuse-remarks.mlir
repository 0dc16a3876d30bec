// RUN: fk-opt %s --fk-fuse --remarks-filter=fk-fuse --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s

// A bound op is opaque: the remark says which fusion it cost, where, and who is to blame.
// CHECK: [Missed] add_rms_norm | Category:fk-fuse
// CHECK-SAME: Place=model.layers.*.input_layernorm,
// CHECK-SAME: Text="rms_norm is bound to candidate 'rms_norm:cand.ptx', which is opaque to fusion"
// CHECK: [Passed] add_rms_norm | Category:fk-fuse
// CHECK-SAME: Place=model.layers.*.post_attention_layernorm,
// CHECK-SAME: Text="formed of add + rms_norm"
fk.candidate @"rms_norm:cand.ptx" for "rms_norm" from "cand.ptx" {sha256 = "0000000000000000000000000000000000000000000000000000000000000000", manifest = "{}"}

func.func private @layer(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64xf32>) -> tensor<?x64xf32>
    attributes {fk.task = #fk.task<"decoder_layer", L3>} {
  %0 = fk.add %x, %x : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %1 = fk.rms_norm %0, %w {epsilon = 1.0e-5 : f32, fk.candidate = @"rms_norm:cand.ptx"} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32> loc("input_layernorm")
  %2 = fk.add %1, %x : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %3 = fk.rms_norm %2, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32> loc("post_attention_layernorm")
  return %3 : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}, %w: tensor<64xf32>) -> tensor<?x64xf32> {
  %0 = call @layer(%x, %w) : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32> loc("model.layers.0")
  %1 = call @layer(%0, %w) : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32> loc("model.layers.1")
  return %1 : tensor<?x64xf32>
}
