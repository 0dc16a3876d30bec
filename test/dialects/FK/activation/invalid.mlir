// RUN: fk-opt %s --verify-diagnostics --split-input-file

func.func @silu_c1(%x: tensor<?x64xbf16>) {
  // expected-error@+1 {{silu_c1: result must have elements of type bf16, as input has, got tensor<?x64xf32>}}
  %0 = fk.silu %x : (tensor<?x64xbf16>) -> tensor<?x64xf32>
  return
}

// -----

func.func @silu_c2(%x: tensor<?x64xbf16>) {
  // expected-error@+1 {{silu_c2: result must be tensor<?x64xbf16> [tokens, features], got tensor<64xbf16>}}
  %0 = fk.silu %x : (tensor<?x64xbf16>) -> tensor<64xbf16>
  return
}

// -----

func.func @tanh_c1(%x: tensor<?x64xbf16>) {
  // expected-error@+1 {{tanh_c1: result must have elements of type bf16, as input has, got tensor<?x64xf32>}}
  %0 = fk.tanh %x : (tensor<?x64xbf16>) -> tensor<?x64xf32>
  return
}

// -----

func.func @tanh_c2(%x: tensor<?x64xbf16>) {
  // expected-error@+1 {{tanh_c2: result must be tensor<?x64xbf16> [tokens, features], got tensor<64xbf16>}}
  %0 = fk.tanh %x : (tensor<?x64xbf16>) -> tensor<64xbf16>
  return
}

// -----

func.func @gelu_c1(%x: tensor<?x64xbf16>) {
  // expected-error@+1 {{gelu_c1: result must have elements of type bf16, as input has, got tensor<?x64xf32>}}
  %0 = fk.gelu %x : (tensor<?x64xbf16>) -> tensor<?x64xf32>
  return
}

// -----

func.func @gelu_c2(%x: tensor<?x64xbf16>) {
  // expected-error@+1 {{gelu_c2: result must be tensor<?x64xbf16> [tokens, features], got tensor<64xbf16>}}
  %0 = fk.gelu %x : (tensor<?x64xbf16>) -> tensor<64xbf16>
  return
}

// -----

func.func @gelu_c3(%x: tensor<?x64xbf16>) {
  // expected-error@+1 {{gelu_c3: approximate must be 0 or 1, got 2}}
  %0 = fk.gelu %x {approximate = 2 : i32} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @add_c1(%x: tensor<?x64xbf16>, %y: tensor<?x64xf16>) {
  // expected-error@+1 {{add_c1: rhs must have elements of type bf16, as lhs has, got tensor<?x64xf16>}}
  %0 = fk.add %x, %y : (tensor<?x64xbf16>, tensor<?x64xf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @add_c2(%x: tensor<?x64xbf16>, %y: tensor<?x1xbf16>) {
  // expected-error@+1 {{add_c2: rhs must be tensor<?x64xbf16> [tokens, features], got tensor<?x1xbf16>}}
  %0 = fk.add %x, %y : (tensor<?x64xbf16>, tensor<?x1xbf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @mul_c1(%x: tensor<?x64xbf16>, %y: tensor<?x64xf16>) {
  // expected-error@+1 {{mul_c1: rhs must have elements of type bf16, as lhs has, got tensor<?x64xf16>}}
  %0 = fk.mul %x, %y : (tensor<?x64xbf16>, tensor<?x64xf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @mul_c2(%x: tensor<?x64xbf16>, %y: tensor<?x1xbf16>) {
  // expected-error@+1 {{mul_c2: rhs must be tensor<?x64xbf16> [tokens, features], got tensor<?x1xbf16>}}
  %0 = fk.mul %x, %y : (tensor<?x64xbf16>, tensor<?x1xbf16>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @softmax_c1(%x: tensor<?x64xf32>) {
  // expected-error@+1 {{softmax_c1: result must have elements of type f32, as input has, got tensor<?x64xbf16>}}
  %0 = fk.softmax %x : (tensor<?x64xf32>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @softmax_c2(%x: tensor<8x64xf32>) {
  // expected-error@+1 {{softmax_c2: result must be tensor<8x64xf32> [rows, columns], got tensor<9x64xf32>}}
  %0 = fk.softmax %x : (tensor<8x64xf32>) -> tensor<9x64xf32>
  return
}

// -----

func.func @silu_and_mul_c1(%x: tensor<?x128xbf16>) {
  // expected-error@+1 {{silu_and_mul_c1: result must have elements of type bf16, as gate_up has, got tensor<?x64xf32>}}
  %0 = fk.silu_and_mul %x : (tensor<?x128xbf16>) -> tensor<?x64xf32>
  return
}

// -----

func.func @silu_and_mul_c2(%x: tensor<?x128xbf16>) {
  // expected-error@+1 {{silu_and_mul_c2: result must be tensor<?x64xbf16> [tokens, intermediate], got tensor<?x128xbf16>}}
  %0 = fk.silu_and_mul %x : (tensor<?x128xbf16>) -> tensor<?x128xbf16>
  return
}

// -----

func.func @gelu_and_mul_c1(%x: tensor<?x128xbf16>) {
  // expected-error@+1 {{gelu_and_mul_c1: result must have elements of type bf16, as gate_up has, got tensor<?x64xf32>}}
  %0 = fk.gelu_and_mul %x : (tensor<?x128xbf16>) -> tensor<?x64xf32>
  return
}

// -----

func.func @gelu_and_mul_c2(%x: tensor<?x128xbf16>) {
  // expected-error@+1 {{gelu_and_mul_c2: result must be tensor<?x64xbf16> [tokens, intermediate], got tensor<?x128xbf16>}}
  %0 = fk.gelu_and_mul %x : (tensor<?x128xbf16>) -> tensor<?x128xbf16>
  return
}

// -----

func.func @gelu_and_mul_c3(%x: tensor<?x128xbf16>) {
  // expected-error@+1 {{gelu_and_mul_c3: approximate must be 0 or 1, got -1}}
  %0 = fk.gelu_and_mul %x {approximate = -1 : i32} : (tensor<?x128xbf16>) -> tensor<?x64xbf16>
  return
}
