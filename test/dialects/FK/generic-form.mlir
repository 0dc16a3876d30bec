// RUN: fk-opt %s --verify-diagnostics --split-input-file

// What the assembly format would not let through is still checked, and never
// read out of bounds.

func.func @too_many(%x: tensor<4x4xf32>) {
  // expected-error@+1 {{'fk.silu' op requires a single operand}}
  %0 = "fk.silu"(%x, %x) : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return
}

// -----

func.func @too_few(%x: tensor<4x4xf32>) {
  // expected-error@+1 {{'fk.attention' op expected 4 or more operands, but found 1}}
  %0 = "fk.attention"(%x) {scale = 1.0 : f32} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return
}

// -----

func.func @two_optional(%x: tensor<4x4x4xf32>, %c: tensor<2xi32>, %s: tensor<4xf32>) {
  // expected-error@+1 {{operand group starting at #4 requires 0 or 1 element, but found 2}}
  %0 = "fk.attention"(%x, %x, %x, %c, %s, %s) {scale = 1.0 : f32} : (tensor<4x4x4xf32>, tensor<4x4x4xf32>, tensor<4x4x4xf32>, tensor<2xi32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4x4x4xf32>
  return
}

// -----

func.func @missing_attribute(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>) {
  // expected-error@+1 {{'fk.rms_norm' op requires attribute 'epsilon'}}
  %0 = "fk.rms_norm"(%x, %w) : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  return
}
