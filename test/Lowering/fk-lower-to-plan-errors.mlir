// RUN: fk-opt %s --fk-lower-to-plan --split-input-file --verify-diagnostics

func.func @no_kernels(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}) -> tensor<?x64xf32> {
  // expected-error@below {{task 'silu' has no kernels (run fk-select-kernels)}}
  %0 = fk.silu %x : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

func.func @returns_argument(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}) -> tensor<?x64xf32> {
  // expected-error@below {{result 0 of '@returns_argument' would need a copy: wanted a value that a task writes and that is returned once, got an argument}}
  return %x : tensor<?x64xf32>
}

// -----

func.func @returns_twice(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %0 = fk.silu %x {fk.kernels = [#fk.kernel<"reference", "silu">]} : (tensor<?x64xf32>) -> tensor<?x64xf32>
  // expected-error@below {{result 1 of '@returns_twice' would need a copy: wanted a value that a task writes and that is returned once, got a value that is returned already}}
  return %0, %0 : tensor<?x64xf32>, tensor<?x64xf32>
}

// -----

func.func @leftover_concat(%x: tensor<?x4xf32> {fk.dims = ["tokens"]}, %w: tensor<4x4xf32>) -> tensor<?x8xf32> {
  // expected-error@below {{'tensor.concat' has no form in a plan: wanted a task, a reshape or a call at '@leftover_concat' (fk-hoist-weights moves concatenation of weights away)}}
  %0 = tensor.concat dim(0) %w, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %1 = fk.linear %x, %0 {fk.kernels = [#fk.kernel<"reference", "linear">]} : (tensor<?x4xf32>, tensor<8x4xf32>) -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// -----

// A function is compiled for one meaning of its symbols.
func.func private @rows(%x: tensor<?x4xf32> {fk.dims = ["tokens"]}) -> tensor<?x4xf32> {
  %0 = fk.silu %x {fk.kernels = [#fk.kernel<"reference", "silu">]} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
func.func @other_extent(%x: tensor<?x4xf32> {fk.dims = ["seqs"]}) -> tensor<?x4xf32> {
  // expected-error@below {{argument 0 of '@rows' has another extent: wanted tokens, got seqs}}
  %0 = call @rows(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
