// RUN: fk-opt %s --verify-diagnostics --split-input-file

// expected-error@+1 {{knows fk.task, fk.kernels, fk.candidate and fk.model, got "fk.tusk"}}
func.func private @f() attributes {fk.tusk = 1 : i64}

// -----

// expected-error@+1 {{fk.task must be #fk.task<"name", level>, got "mlp"}}
func.func private @f() attributes {fk.task = "mlp"}

// -----

// expected-error@+1 {{fk.task must have a snake_case name, got #fk.task<"My MLP", L3>}}
func.func private @f() attributes {fk.task = #fk.task<"My MLP", L3>}

// -----

// expected-error@+1 {{fk.task on a function must be of level L2, L3 or L4, got L1 (an L1 task is an op)}}
func.func private @f() attributes {fk.task = #fk.task<"mlp", L1>}

// -----

func.func @f(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  // expected-error@+1 {{fk.task belongs on a function}}
  %0 = fk.silu %x {fk.task = #fk.task<"mlp", L3>} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %0 : tensor<?x64xbf16>
}

// -----

// expected-error@+1 {{argument 0: fk.dims must name the 1 dynamic dimensions of 'tensor<?x64xbf16>', got 2 names}}
func.func private @f(tensor<?x64xbf16> {fk.dims = ["tokens", "hidden"]})

// -----

// expected-error@+1 {{argument 0: fk.dims must be an array of strings, got "tokens"}}
func.func private @f(tensor<?x64xbf16> {fk.dims = "tokens"})

// -----

// expected-error@+1 {{argument 0: expression 'tokens +' is malformed at column 9: fk.dims}}
func.func private @f(tensor<?x64xbf16> {fk.dims = ["tokens +"]})

// -----

// expected-error@+1 {{argument 0: fk.dims belongs on a ranked tensor or memref, got 'i32'}}
func.func private @f(i32 {fk.dims = []})

// -----

// expected-error@+1 {{result 0: fk.dims must name the 1 dynamic dimensions of 'tensor<?xi32>', got 0 names}}
func.func private @f() -> (tensor<?xi32> {fk.dims = []})

// -----

// expected-error@+1 {{argument 0: fk.name must be a name, got 1 : i64}}
func.func private @f(tensor<4xi32> {fk.name = 1 : i64})

// -----

// expected-error@+1 {{argument 0: knows fk.dims, fk.name and fk.role, got "fk.dim"}}
func.func private @f(tensor<?xi32> {fk.dim = ["tokens"]})

// -----

// expected-error@+1 {{argument 0: fk.role must be a dictionary whose kind is one of packed, positions, cu_seqlens, seq_lens, slots, sampling, block_table, got {kind = "rows"}}}
func.func private @f(tensor<4xi32> {fk.role = {kind = "rows"}})

// -----

// expected-error@+1 {{result 0: fk.role must be a dictionary whose kind is one of rows, sequences, got {kind = "packed"}}}
func.func private @f() -> (tensor<4xi32> {fk.role = {kind = "packed"}})

// -----

// expected-error@+1 {{argument 0: fk.role knows kind, from, rule, padding_idx and default_value, got "form"}}
func.func private @f(tensor<4xi32> {fk.role = {kind = "packed", form = "input_ids"}})

// -----

// expected-error@+1 {{argument 0: fk.role: padding_idx must be an integer, got "1"}}
func.func private @f(tensor<4xi32> {fk.role = {kind = "positions", padding_idx = "1"}})

// -----

// expected-error@+1 {{argument 0: fk.role: rule must be index or non_padding, got "guess"}}
func.func private @f(tensor<4xi32> {fk.role = {kind = "positions", rule = "guess"}})

// -----

func.func @f(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  // expected-error@+1 {{fk.kernels must be an array of at least one #fk.kernel, got []}}
  %0 = fk.silu %x {fk.kernels = []} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %0 : tensor<?x64xbf16>
}

// -----

func.func @f(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  // expected-error@+1 {{fk.kernels must hold #fk.kernel<"provider", "name">, got "cuda"}}
  %0 = fk.silu %x {fk.kernels = ["cuda"]} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %0 : tensor<?x64xbf16>
}

// -----

func.func @f(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  // expected-error@+1 {{fk.kernels: the condition "hidden == 1" must speak of the axes tokens, features, got 'hidden'}}
  %0 = fk.silu %x {fk.kernels = [#fk.kernel<"cuda", "silu", where = "hidden == 1">]} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %0 : tensor<?x64xbf16>
}

// -----

func.func @f(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  // expected-error@+1 {{fk.kernels: }}
  %0 = fk.silu %x {fk.kernels = [#fk.kernel<"cuda", "silu", where = "tokens ==">]} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %0 : tensor<?x64xbf16>
}

// -----

// expected-error@+1 {{fk.kernels belongs on a task op}}
func.func private @f() attributes {fk.kernels = [#fk.kernel<"cuda", "silu">]}

// -----

func.func @f(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  // expected-error@+1 {{fk.candidate must name an fk.candidate of the module, got @nowhere}}
  %0 = fk.silu %x {fk.candidate = @nowhere} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %0 : tensor<?x64xbf16>
}

// -----

fk.candidate @c for "gelu" from "c.ptx" {manifest = "{}", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
func.func @f(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  // expected-error@+1 {{fk.candidate @c must be for the task silu, got one for gelu}}
  %0 = fk.silu %x {fk.candidate = @c} : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %0 : tensor<?x64xbf16>
}

// -----

fk.candidate @c for "mlp" from "c.ptx" {manifest = "{}", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
func.func private @g(tensor<4xbf16>) -> tensor<4xbf16>
func.func @f(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  // expected-error@+1 {{fk.candidate on a call needs a callee with an fk.task attribute}}
  %0 = call @g(%x) {fk.candidate = @c} : (tensor<4xbf16>) -> tensor<4xbf16>
  return %0 : tensor<4xbf16>
}

// -----

// expected-error@+1 {{fk.candidate belongs on a task op or a call of a function with fk.task}}
func.func private @f() attributes {fk.candidate = @c}

// -----

// expected-error@+1 {{fk.model must be a dictionary, got "llama"}}
module attributes {fk.model = "llama"} {}

// -----

// expected-error@+1 {{fk.model: vocab_size must be an integer, got "many"}}
module attributes {fk.model = {architecture = "A", family = "llm", vocab_size = "many"}} {}

// -----

// expected-error@+1 {{fk.model: eos_token_ids must be an array of integers, got 2 : i64}}
module attributes {fk.model = {architecture = "A", family = "llm", eos_token_ids = 2 : i64}} {}

// -----

// expected-error@+1 {{fk.model: wants 'family'}}
module attributes {fk.model = {architecture = "A"}} {}

// -----

// expected-error@+1 {{fk.model: knows architecture, family, checkpoint, vocab_size, max_positions, pad_token_id, eos_token_ids and page_size, got "size"}}
module attributes {fk.model = {architecture = "A", family = "llm", size = 1 : i64}} {}
