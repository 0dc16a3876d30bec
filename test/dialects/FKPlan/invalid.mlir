// RUN: fk-opt %s --verify-diagnostics --split-input-file

func.func @f() {
  // expected-error@+1 {{buffer_c1: dims must name the 1 dynamic dimensions of 'memref<?x64xbf16>', got 0 names}}
  %0 = fkplan.buffer [] : memref<?x64xbf16>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{buffer_c1: type must be a ranked memref of identity layout, got 'memref<4x64xbf16, strided<[128, 1]>>'}}
  %0 = fkplan.buffer [] : memref<4x64xbf16, strided<[128, 1]>>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{buffer_c1: expression 'tokens *' is malformed at column 9}}
  %0 = fkplan.buffer ["tokens *"] : memref<?x64xbf16>
  return
}

// -----

func.func @f() attributes {fkplan.slots = ["tokens * 128"]} {
  // expected-error@+1 {{buffer_c2: slot must be below the 1 slots of the function, got 1}}
  %0 = fkplan.buffer ["tokens"] slot 1 : memref<?x64xbf16>
  return
}

// -----

func.func @f() {
  %0 = fkplan.buffer ["tokens"] : memref<?x64xbf16>
  // expected-error@+1 {{view_c1: dims must name the 1 dynamic dimensions}}
  %1 = fkplan.view %0 ["tokens", "4"] : memref<?x64xbf16> to memref<?x4x16xbf16>
  return
}

// -----

func.func @f() {
  %0 = fkplan.buffer ["tokens"] : memref<?x64xbf16>
  // expected-error@+1 {{view_c2: element type must be 'bf16', as that of the source, got 'f16'}}
  %1 = fkplan.view %0 ["tokens"] : memref<?x64xbf16> to memref<?x64xf16>
  return
}

// -----

func.func @f() {
  %0 = fkplan.buffer ["tokens"] : memref<?x64xbf16>
  // expected-error@+1 {{view_c2: must have the source's tokens * 64 elements, got tokens * 48}}
  %1 = fkplan.view %0 ["tokens"] : memref<?x64xbf16> to memref<?x3x16xbf16>
  return
}

// -----

func.func @f(%0: memref<?x64xbf16>) {
  // expected-error@+1 {{view_c2: the source's dynamic dimensions must have names (fk.dims of the argument)}}
  %1 = fkplan.view %0 ["tokens"] : memref<?x64xbf16> to memref<?x4x16xbf16>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{weight_c1: @w must name an fk.weight of the module}}
  %0 = fkplan.weight @w : memref<64xbf16>
  return
}

// -----

// expected-note@+1 {{declared here}}
fk.weight @w [#fk.part<"w">] : tensor<64xbf16>
func.func @f() {
  // expected-error@+1 {{weight_c2: type must be 'memref<64xbf16>', got 'memref<32xbf16>'}}
  %0 = fkplan.weight @w : memref<32xbf16>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{state_c1: @s must name an fk.state of the module}}
  %0 = fkplan.state @s : memref<2x?x16x2x16xbf16>
  return
}

// -----

// expected-note@+1 {{declared here}}
fk.state @s : !fk.kv_cache<16 x 2 x 16 x bf16>
func.func @f() {
  // expected-error@+1 {{state_c2: type must be 'memref<2x?x16x2x16xbf16>', got 'memref<2x?x16x2x8xbf16>'}}
  %0 = fkplan.state @s : memref<2x?x16x2x8xbf16>
  return
}

// -----

func.func @f(%x: memref<4x64xbf16>) {
  // expected-error@+1 {{launch_c1: the name 'x' is given twice}}
  fkplan.launch "mine" outs(x = %x : memref<4x64xbf16>) ins(x = %x : memref<4x64xbf16>)
      scalars() variants() axes() kernels [#fk.kernel<"candidate", "c">]
  return
}

// -----

func.func @f(%x: memref<4x64xbf16>) {
  // expected-error@+1 {{launch_c1: wants one name per scalar, got 0 for 1}}
  "fkplan.launch"(%x) <{task = "mine", out_names = ["y"], in_names = [], in_present = array<i1>, scalar_names = [],
      scalar_values = [1 : i32], variant_names = [], variant_values = [], axis_names = [], axis_values = [],
      kernels = [#fk.kernel<"candidate", "c">], operandSegmentSizes = array<i32: 1, 0>}> : (memref<4x64xbf16>) -> ()
  return
}

// -----

func.func @f(%x: memref<4x64xbf16>) {
  // expected-error@+1 {{launch_c1: in_present must mark 1 operands as present}}
  "fkplan.launch"(%x) <{task = "mine", out_names = [], in_names = ["y"], in_present = array<i1: false>, scalar_names = [],
      scalar_values = [], variant_names = [], variant_values = [], axis_names = [], axis_values = [],
      kernels = [#fk.kernel<"candidate", "c">], operandSegmentSizes = array<i32: 0, 1>}> : (memref<4x64xbf16>) -> ()
  return
}

// -----

func.func @f(%x: memref<4x64xbf16>) {
  // expected-error@+1 {{launch_c2: ins of silu must be (input), got (x)}}
  fkplan.launch "silu" outs(result = %x : memref<4x64xbf16>) ins(x = %x : memref<4x64xbf16>)
      scalars() variants() axes(tokens = "4", features = "64") kernels [#fk.kernel<"reference", "silu">]
  return
}

// -----

func.func @f(%x: memref<4x64xbf16>) {
  // expected-error@+1 {{launch_c2: axes of silu must be (tokens, features), got (features, tokens)}}
  fkplan.launch "silu" outs(result = %x : memref<4x64xbf16>) ins(input = %x : memref<4x64xbf16>)
      scalars() variants() axes(features = "64", tokens = "4") kernels [#fk.kernel<"reference", "silu">]
  return
}

// -----

func.func @f(%x: memref<4x64xbf16>) {
  %y = fkplan.buffer [] : memref<4x64xf16>
  // expected-error@+1 {{launch_c2: input must have elements of type bf16, got 'memref<4x64xf16>'}}
  fkplan.launch "silu" outs(result = %x : memref<4x64xbf16>) ins(input = %y : memref<4x64xf16>)
      scalars() variants() axes(tokens = "4", features = "64") kernels [#fk.kernel<"reference", "silu">]
  return
}

// -----

func.func @f(%x: memref<256xbf16>) {
  // expected-error@+1 {{launch_c2: result must be a memref of 2 dimensions, got 'memref<256xbf16>'}}
  fkplan.launch "silu" outs(result = %x : memref<256xbf16>) ins(input = %x : memref<256xbf16>)
      scalars() variants() axes(tokens = "4", features = "64") kernels [#fk.kernel<"reference", "silu">]
  return
}

// -----

func.func @f(%x: memref<4x64xbf16>) {
  // expected-error@+1 {{launch_c2: input must be given, got none}}
  fkplan.launch "silu" outs(result = %x : memref<4x64xbf16>) ins(input = none)
      scalars() variants() axes(tokens = "4", features = "64") kernels [#fk.kernel<"reference", "silu">]
  return
}

// -----

func.func @f(%x: memref<4x64xbf16>) {
  // expected-error@+1 {{launch_c2: approximate must be i32, got 1.000000e+00 : f32}}
  fkplan.launch "gelu" outs(result = %x : memref<4x64xbf16>) ins(input = %x : memref<4x64xbf16>)
      scalars(approximate = 1.0 : f32) variants() axes(tokens = "4", features = "64") kernels [#fk.kernel<"reference", "gelu">]
  return
}

// -----

func.func @f(%x: memref<4x64xbf16>) {
  // expected-error@+1 {{launch_c3: expression '4 +' is malformed}}
  fkplan.launch "silu" outs(result = %x : memref<4x64xbf16>) ins(input = %x : memref<4x64xbf16>)
      scalars() variants() axes(tokens = "4 +", features = "64") kernels [#fk.kernel<"reference", "silu">]
  return
}

// -----

func.func @f(%x: memref<4x64xbf16>) {
  // expected-error@+1 {{launch_c4: wants at least one kernel}}
  fkplan.launch "silu" outs(result = %x : memref<4x64xbf16>) ins(input = %x : memref<4x64xbf16>)
      scalars() variants() axes(tokens = "4", features = "64") kernels []
  return
}

// -----

func.func @f(%x: memref<4x64xbf16>) {
  // expected-error@+1 {{launch_c4: a kernel must be #fk.kernel<"provider", "name">, got "cuda"}}
  fkplan.launch "silu" outs(result = %x : memref<4x64xbf16>) ins(input = %x : memref<4x64xbf16>)
      scalars() variants() axes(tokens = "4", features = "64") kernels ["cuda"]
  return
}

// -----

func.func @f(%x: memref<4x64xbf16>) {
  // expected-error@+1 {{launch_c4: the condition "hidden == 1" must speak of the launch's axes, got 'hidden'}}
  fkplan.launch "silu" outs(result = %x : memref<4x64xbf16>) ins(input = %x : memref<4x64xbf16>)
      scalars() variants() axes(tokens = "4", features = "64") kernels [#fk.kernel<"cuda", "silu", where = "hidden == 1">]
  return
}

// -----

func.func @f(%x: memref<4xbf16>) {
  // expected-error@+1 {{call_c1: @g must name a function of the module}}
  fkplan.call @g outs() ins(%x : memref<4xbf16>)
  return
}

// -----

func.func private @g(memref<4xbf16>, memref<4xbf16>)
func.func @f(%x: memref<4xbf16>) {
  // expected-error@+1 {{call_c2: @g takes 2 buffers and returns 0 values, got 1 buffers}}
  fkplan.call @g outs() ins(%x : memref<4xbf16>)
  return
}

// -----

func.func private @g(memref<8xbf16>)
func.func @f(%x: memref<4xbf16>) {
  // expected-error@+1 {{call_c2: argument 0 must be 'memref<8xbf16>', got 'memref<4xbf16>'}}
  fkplan.call @g outs() ins(%x : memref<4xbf16>)
  return
}

// -----

func.func private @g(memref<4xbf16> {fkplan.result})
func.func @f(%x: memref<4xbf16>) {
  // expected-error@+1 {{call_c2: argument 0 of @g belongs in outs: it is marked fkplan.result}}
  fkplan.call @g outs() ins(%x : memref<4xbf16>)
  return
}

// -----

// expected-error@+1 {{fkplan.slots must be an array of strings, got 1 : i64}}
func.func private @f() attributes {fkplan.slots = 1 : i64}

// -----

// expected-error@+1 {{expression 'tokens *' is malformed}}
func.func private @f() attributes {fkplan.slots = ["tokens *"]}

// -----

// expected-error@+1 {{knows fkplan.slots, got "fkplan.slot"}}
func.func private @f() attributes {fkplan.slot = ["4"]}

// -----

// expected-error@+1 {{argument 1 must be marked fkplan.result too, as argument 0 before it is: results come last}}
func.func private @f(memref<4xbf16> {fkplan.result}, memref<4xbf16>)

// -----

// expected-error@+1 {{argument 0: fkplan.result must be a unit, got 1 : i64}}
func.func private @f(memref<4xbf16> {fkplan.result = 1 : i64})

// -----

// expected-error@+1 {{argument 0: knows fkplan.result on functions, got "fkplan.output"}}
func.func private @f(memref<4xbf16> {fkplan.output})
