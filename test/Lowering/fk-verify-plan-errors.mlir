// RUN: fk-opt %s --fk-verify-plan --split-input-file --verify-diagnostics

// expected-error@below {{'@not_lowered' is not lowered (run fk-lower-to-plan)}}
func.func @not_lowered(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  return %x : tensor<?x64xf32>
}

// -----

// expected-error@below {{argument 0 is no dense buffer: wanted a memref of identity layout, got 'tensor<?x64xf32>'}}
func.func @tensor(%x: tensor<?x64xf32>) {
  return
}

// -----

// expected-error@below {{argument 0 has an extent without a name: 'memref<?x64xf32>'}}
func.func @unnamed(%x: memref<?x64xf32>) {
  return
}

// -----

func.func @unknown_symbol(%x: memref<?x64xf32> {fk.dims = ["tokens"]}) attributes {fkplan.slots = ["256 * rows"]} {
  // expected-error@below {{value speaks of 'rows': wanted a symbol of a public function's parameters (tokens), got rows}}
  %a = fkplan.buffer ["rows"] slot 0 : memref<?x64xf32>
  return
}

// -----

func.func @no_slot(%x: memref<?x64xf32> {fk.dims = ["tokens"]}) {
  // expected-error@below {{buffer lies in no slot (run fk-plan-buffers)}}
  %a = fkplan.buffer ["tokens"] : memref<?x64xf32>
  return
}

// -----

func.func @shared_slot(%x: memref<?x64xf32> {fk.dims = ["tokens"]}, %y: memref<?x64xf32> {fk.dims = ["tokens"], fkplan.result}) attributes {fkplan.slots = ["256 * tokens"]} {
  // expected-note@below {{that buffer}}
  %a = fkplan.buffer ["tokens"] slot 0 : memref<?x64xf32>
  // expected-error@below {{buffer shares slot 0 with a buffer that still lives}}
  %b = fkplan.buffer ["tokens"] slot 0 : memref<?x64xf32>
  fkplan.launch "silu" outs(result = %a : memref<?x64xf32>) ins(input = %x : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  fkplan.launch "silu" outs(result = %b : memref<?x64xf32>) ins(input = %a : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  fkplan.launch "silu" outs(result = %y : memref<?x64xf32>) ins(input = %b : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  return
}

// -----

func.func @conditional(%x: memref<?x64xf32> {fk.dims = ["tokens"]}, %y: memref<?x64xf32> {fk.dims = ["tokens"], fkplan.result}) {
  // expected-error@below {{launch of 'silu' may find no kernel: wanted the last one without a condition, got #fk.kernel<"cuda", "fast", where = "tokens <= 8">}}
  fkplan.launch "silu" outs(result = %y : memref<?x64xf32>) ins(input = %x : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"cuda", "fast", where = "tokens <= 8">]
  return
}

// -----

func.func @unwritten(%x: memref<?x64xf32> {fk.dims = ["tokens"]}, %y: memref<?x64xf32> {fk.dims = ["tokens"], fkplan.result}) attributes {fkplan.slots = ["256 * tokens"]} {
  %a = fkplan.buffer ["tokens"] slot 0 : memref<?x64xf32>
  // expected-error@below {{reads a buffer that nothing wrote}}
  fkplan.launch "silu" outs(result = %y : memref<?x64xf32>) ins(input = %a : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  return
}

// -----

func.func @writes_param(%x: memref<?x64xf32> {fk.dims = ["tokens"]}) {
  // expected-error@below {{writes what is neither buffer nor result}}
  fkplan.launch "silu" outs(result = %x : memref<?x64xf32>) ins(input = %x : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  return
}

// -----

// expected-error@below {{result 1 of '@no_result' is never written}}
func.func @no_result(%x: memref<?x64xf32> {fk.dims = ["tokens"]}, %y: memref<?x64xf32> {fk.dims = ["tokens"], fkplan.result}) {
  return
}

// -----

// expected-error@below {{'@recursive' calls itself}}
func.func @recursive(%x: memref<?x64xf32> {fk.dims = ["tokens"]}) {
  fkplan.call @recursive outs() ins(%x : memref<?x64xf32>)
  return
}
