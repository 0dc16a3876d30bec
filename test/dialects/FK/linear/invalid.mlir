// RUN: fk-opt %s --verify-diagnostics --split-input-file

func.func @embedding_c1(%ids: tensor<?xi64>, %table: tensor<256x64xbf16>) {
  // expected-error@+1 {{embedding_c1: ids must have elements of type i32, got tensor<?xi64>}}
  %0 = fk.embedding %ids, %table : (tensor<?xi64>, tensor<256x64xbf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @embedding_c2(%ids: tensor<7xi32>, %table: tensor<256x64xbf16>) {
  // expected-error@+1 {{embedding_c2: result must be tensor<7x64xbf16> [tokens, hidden], got tensor<7x32xbf16>}}
  %0 = fk.embedding %ids, %table : (tensor<7xi32>, tensor<256x64xbf16>) -> tensor<7x32xbf16>
  return
}

// -----

func.func @embedding_c3(%ids: tensor<?xi32>, %table: tensor<256x64xbf16>) {
  // expected-error@+1 {{embedding_c3: scale must be finite}}
  %0 = fk.embedding %ids, %table {scale = 0x7F800000 : f32} : (tensor<?xi32>, tensor<256x64xbf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @linear_c1(%x: tensor<?x64xf16>, %w: tensor<128x64xbf16>) {
  // expected-error@+1 {{linear_c1: weight must have elements of type f16, as input has, got tensor<128x64xbf16>}}
  %0 = fk.linear %x, %w : (tensor<?x64xf16>, tensor<128x64xbf16>) -> tensor<?x128xf16>
  return
}

// -----

// The weight is [out, in].
func.func @linear_c2(%x: tensor<?x64xbf16>, %w: tensor<64x128xbf16>) {
  // expected-error@+1 {{linear_c2: weight must be tensor<64x64xbf16> [out_features, in_features], got tensor<64x128xbf16>}}
  %0 = fk.linear %x, %w : (tensor<?x64xbf16>, tensor<64x128xbf16>) -> tensor<?x128xbf16>
  return
}

// -----

func.func @linear_c2_bias(%x: tensor<?x64xbf16>, %w: tensor<128x64xbf16>, %b: tensor<64xbf16>) {
  // expected-error@+1 {{linear_c2: bias must be tensor<128xbf16> [out_features], got tensor<64xbf16>}}
  %0 = fk.linear %x, %w, %b : (tensor<?x64xbf16>, tensor<128x64xbf16>, tensor<64xbf16>) -> tensor<?x128xbf16>
  return
}

// -----

func.func @qkv_linear_c1(%x: tensor<?x64xbf16>, %w: tensor<128x64xbf16>) {
  // expected-error@+1 {{qkv_linear_c1: value must have elements of type bf16, as input has, got tensor<?x32xf32>}}
  %0:3 = fk.qkv_linear %x, %w : (tensor<?x64xbf16>, tensor<128x64xbf16>) -> (tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x32xf32>)
  return
}

// -----

// The weight's rows are an expression over two axes.
func.func @qkv_linear_c2(%x: tensor<?x64xbf16>, %w: tensor<130x64xbf16>) {
  // expected-error@+1 {{qkv_linear_c2: weight must be tensor<128x64xbf16> [q_features + kv_features * 2, in_features], got tensor<130x64xbf16>}}
  %0:3 = fk.qkv_linear %x, %w : (tensor<?x64xbf16>, tensor<130x64xbf16>) -> (tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>)
  return
}

// -----

func.func @gate_up_linear_c1(%x: tensor<?x64xbf16>, %w: tensor<256x64xbf16>, %b: tensor<256xf16>) {
  // expected-error@+1 {{gate_up_linear_c1: bias must have elements of type bf16, as input has, got tensor<256xf16>}}
  %0 = fk.gate_up_linear %x, %w, %b : (tensor<?x64xbf16>, tensor<256x64xbf16>, tensor<256xf16>) -> tensor<?x256xbf16>
  return
}

// -----

// No axis solves 2 * intermediate = 255.
func.func @gate_up_linear_c2(%x: tensor<?x64xbf16>, %w: tensor<255x64xbf16>) {
  // expected-error@+1 {{gate_up_linear_c2: weight must be tensor<?x64xbf16> [intermediate * 2, in_features], got tensor<255x64xbf16>}}
  %0 = fk.gate_up_linear %x, %w : (tensor<?x64xbf16>, tensor<255x64xbf16>) -> tensor<?x255xbf16>
  return
}

// -----

// Extents near the limit of 64 bits do not wrap.
func.func @gate_up_linear_c2_huge(%x: tensor<?x64xbf16>, %w: tensor<9223372036854775806x64xbf16>) {
  // expected-error@+1 {{gate_up_linear_c2: gate_up must be tensor<?x9223372036854775806xbf16>}}
  %0 = fk.gate_up_linear %x, %w : (tensor<?x64xbf16>, tensor<9223372036854775806x64xbf16>) -> tensor<?x2xbf16>
  return
}
