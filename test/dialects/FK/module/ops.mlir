// RUN: fk-opt %s --split-input-file | fk-opt --split-input-file | FileCheck %s

// CHECK-LABEL: module @llama attributes {fk.model = {architecture = "LlamaForCausalLM"
module @llama attributes {fk.model = {architecture = "LlamaForCausalLM", family = "llm", vocab_size = 256 : i64,
    max_positions = 512 : i64, pad_token_id = -1 : i64, eos_token_ids = [2], page_size = 16 : i64}} {
  // CHECK: fk.weight @model.norm.weight [#fk.part<"model.norm.weight">] : tensor<64xbf16>
  fk.weight @model.norm.weight [#fk.part<"model.norm.weight">] : tensor<64xbf16>
  // CHECK: fk.weight @qkv [#fk.part<"q">, #fk.part<"kv", 0 to 32>, #fk.part<"kv", 32 to 64>] : tensor<128x64xbf16>
  fk.weight @qkv [#fk.part<"q">, #fk.part<"kv", 0 to 32>, #fk.part<"kv", 32 to 64>] : tensor<128x64xbf16>
  // CHECK: fk.weight @rope.cos_sin rope <"default", rotary_dim = 16, {theta = 1.000000e+04 : f64}> : tensor<?x16xf32>
  fk.weight @rope.cos_sin rope <"default", rotary_dim = 16, {theta = 1.0e4 : f64}> : tensor<?x16xf32>
  // CHECK: fk.state @kv.0 : !fk.kv_cache<16 x 2 x 16 x bf16>
  fk.state @kv.0 : !fk.kv_cache<16 x 2 x 16 x bf16>
  // CHECK: fk.candidate @"rms_norm:cand.ptx" for "rms_norm" from "cand.ptx" {manifest = "{}", sha256 =
  fk.candidate @"rms_norm:cand.ptx" for "rms_norm" from "cand.ptx" {manifest = "{}",
      sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}

  // CHECK-LABEL: func.func private @decoder_layer
  // CHECK-SAME: {fk.dims = ["tokens"]}
  // CHECK-SAME: attributes {fk.task = #fk.task<"decoder_layer", L3>}
  func.func private @decoder_layer(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}) -> tensor<?x64xbf16>
      attributes {fk.task = #fk.task<"decoder_layer", L3>} {
    // CHECK: fk.get_weight @model.norm.weight : tensor<64xbf16>
    %w = fk.get_weight @model.norm.weight : tensor<64xbf16>
    // CHECK: fk.get_state @kv.0 : !fk.kv_cache<16 x 2 x 16 x bf16>
    %s = fk.get_state @kv.0 : !fk.kv_cache<16 x 2 x 16 x bf16>
    // CHECK: fk.rms_norm {{.*}}fk.candidate = @"rms_norm:cand.ptx", fk.kernels = [#fk.kernel<"cuda", "rms_norm", where = "tokens == 1">, #fk.kernel<"reference", "rms_norm">]
    %y = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32, fk.candidate = @"rms_norm:cand.ptx",
        fk.kernels = [#fk.kernel<"cuda", "rms_norm", where = "tokens == 1">, #fk.kernel<"reference", "rms_norm">]} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
    return %y : tensor<?x64xbf16>
  }
  // CHECK-LABEL: func.func @forward
  // CHECK-SAME: fk.role = {from = "input_ids", kind = "packed"}
  // CHECK-SAME: fk.role = {kind = "rows"}
  func.func @forward(%x: tensor<?x64xbf16> {fk.name = "hidden", fk.dims = ["tokens"], fk.role = {kind = "packed", from = "input_ids"}})
      -> (tensor<?x64xbf16> {fk.name = "logits", fk.dims = ["tokens"], fk.role = {kind = "rows"}}) {
    %y = call @decoder_layer(%x) : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
    return %y : tensor<?x64xbf16>
  }
}

// -----

// Every type of rotary table.
// CHECK: fk.weight @linear rope <"linear"
fk.weight @linear rope <"linear", rotary_dim = 4, {theta = 1.0e4 : f64, factor = 2.0 : f64}> : tensor<?x4xf32>
// CHECK: fk.weight @dynamic rope <"dynamic"
fk.weight @dynamic rope <"dynamic", rotary_dim = 4, {theta = 1.0e4 : f64, factor = 2.0 : f64, max_positions = 512 : i64}> : tensor<?x4xf32>
// CHECK: fk.weight @yarn rope <"yarn"
fk.weight @yarn rope <"yarn", rotary_dim = 4, {theta = 1.0e4 : f64, factor = 2.0 : f64, original_max_positions = 256 : i64, beta_fast = 32.0 : f64, beta_slow = 1.0 : f64, truncate = true}> : tensor<?x4xf32>
// CHECK: fk.weight @llama3 rope <"llama3"
fk.weight @llama3 rope <"llama3", rotary_dim = 4, {theta = 5.0e5 : f64, factor = 8.0 : f64, original_max_positions = 256 : i64, low_freq_factor = 1.0 : f64, high_freq_factor = 4.0 : f64}> : tensor<?x4xf32>
// CHECK: fk.weight @longrope rope <"longrope"
fk.weight @longrope rope <"longrope", rotary_dim = 4, {theta = 1.0e4 : f64, original_max_positions = 256 : i64, short_factor = array<f64: 1.0, 1.0>, long_factor = array<f64: 2.0, 4.0>}> : tensor<?x4xf32>
