// RUN: fk-opt %s --verify-diagnostics --split-input-file

func.func @rms_norm_c1(%x: tensor<?x64xbf16>, %w: tensor<64xf32>) {
  // expected-error@+1 {{rms_norm_c1: weight must have elements of type bf16, as input has, got tensor<64xf32>}}
  %y = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xf32>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @rms_norm_c1_float8(%x: tensor<?x64xf8E4M3FN>, %w: tensor<64xf8E4M3FN>) {
  // expected-error@+1 {{rms_norm_c1: input must have elements of type bf16, f16, f32 or f64, got tensor<?x64xf8E4M3FN>}}
  %y = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf8E4M3FN>, tensor<64xf8E4M3FN>) -> tensor<?x64xf8E4M3FN>
  return
}

// -----

func.func @rms_norm_c2(%x: tensor<?x64xbf16>, %w: tensor<32xbf16>) {
  // expected-error@+1 {{rms_norm_c2: weight must be tensor<64xbf16> [hidden], got tensor<32xbf16>}}
  %y = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<32xbf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @rms_norm_c2_rank(%x: tensor<?x64xbf16>, %w: tensor<1x64xbf16>) {
  // expected-error@+1 {{rms_norm_c2: weight must be tensor<64xbf16> [hidden], got tensor<1x64xbf16>}}
  %y = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<1x64xbf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @rms_norm_c2_unranked(%x: tensor<*xbf16>, %w: tensor<64xbf16>) {
  // expected-error@+1 {{rms_norm_c2: input must be tensor<?x64xbf16> [tokens, hidden], got tensor<*xbf16>}}
  %y = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<*xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @rms_norm_c2_result(%x: tensor<4x64xbf16>, %w: tensor<64xbf16>) {
  // expected-error@+1 {{rms_norm_c2: result must be tensor<4x64xbf16> [tokens, hidden], got tensor<5x64xbf16>}}
  %y = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<4x64xbf16>, tensor<64xbf16>) -> tensor<5x64xbf16>
  return
}

// -----

func.func @rms_norm_c3(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>) {
  // expected-error@+1 {{rms_norm_c3: epsilon must be finite and positive, got 0.0}}
  %y = fk.rms_norm %x, %w {epsilon = 0.0 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @rms_norm_c3_nan(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>) {
  // expected-error@+1 {{rms_norm_c3: epsilon must be finite and positive}}
  %y = fk.rms_norm %x, %w {epsilon = 0x7FC00000 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @layer_norm_c1(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>, %b: tensor<64xf32>) {
  // expected-error@+1 {{layer_norm_c1: bias must have elements of type bf16, as input has, got tensor<64xf32>}}
  %y = fk.layer_norm %x, %w, %b {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>, tensor<64xf32>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @layer_norm_c2(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>, %b: tensor<65xbf16>) {
  // expected-error@+1 {{layer_norm_c2: bias must be tensor<64xbf16> [hidden], got tensor<65xbf16>}}
  %y = fk.layer_norm %x, %w, %b {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>, tensor<65xbf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @layer_norm_c3(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>) {
  // expected-error@+1 {{layer_norm_c3: epsilon must be finite and positive}}
  %y = fk.layer_norm %x, %w {epsilon = -1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @l2_norm_c1(%x: tensor<?x64xf32>) {
  // expected-error@+1 {{l2_norm_c1: result must have elements of type f32, as input has, got tensor<?x64xf16>}}
  %y = fk.l2_norm %x {epsilon = 1.0e-12 : f32} : (tensor<?x64xf32>) -> tensor<?x64xf16>
  return
}

// -----

func.func @l2_norm_c2(%x: tensor<?x64xf32>) {
  // expected-error@+1 {{l2_norm_c2: result must be tensor<?x64xf32> [rows, columns], got tensor<?x32xf32>}}
  %y = fk.l2_norm %x {epsilon = 1.0e-12 : f32} : (tensor<?x64xf32>) -> tensor<?x32xf32>
  return
}

// -----

func.func @l2_norm_c3(%x: tensor<?x64xf32>) {
  // expected-error@+1 {{l2_norm_c3: epsilon must be finite and positive}}
  %y = fk.l2_norm %x {epsilon = 0x7F800000 : f32} : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return
}

// -----

func.func @add_rms_norm_c1(%x: tensor<?x64xbf16>, %r: tensor<?x64xf32>, %w: tensor<64xbf16>) {
  // expected-error@+1 {{add_rms_norm_c1: residual must have elements of type bf16, as input has, got tensor<?x64xf32>}}
  %y:2 = fk.add_rms_norm %x, %r, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<?x64xf32>, tensor<64xbf16>) -> (tensor<?x64xbf16>, tensor<?x64xbf16>)
  return
}

// -----

func.func @add_rms_norm_c2(%x: tensor<4x64xbf16>, %r: tensor<5x64xbf16>, %w: tensor<64xbf16>) {
  // expected-error@+1 {{add_rms_norm_c2: residual must be tensor<4x64xbf16> [tokens, hidden], got tensor<5x64xbf16>}}
  %y:2 = fk.add_rms_norm %x, %r, %w {epsilon = 1.0e-5 : f32} : (tensor<4x64xbf16>, tensor<5x64xbf16>, tensor<64xbf16>) -> (tensor<4x64xbf16>, tensor<4x64xbf16>)
  return
}

// -----

func.func @add_rms_norm_c3(%x: tensor<?x64xbf16>, %r: tensor<?x64xbf16>, %w: tensor<64xbf16>) {
  // expected-error@+1 {{add_rms_norm_c3: epsilon must be finite and positive}}
  %y:2 = fk.add_rms_norm %x, %r, %w {epsilon = -0.0 : f32} : (tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<64xbf16>) -> (tensor<?x64xbf16>, tensor<?x64xbf16>)
  return
}
