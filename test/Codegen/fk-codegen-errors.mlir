// RUN: fk-opt %s --fk-codegen --verify-diagnostics --split-input-file -o /dev/null

// Static widths are what the code is specialised for.
func.func @silu(%x: tensor<?x?xbf16>) -> tensor<?x?xbf16> {
  // expected-error@+1 {{cannot be generated: dimension 1 of 'result' is not static}}
  %0 = fk.silu %x : (tensor<?x?xbf16>) -> tensor<?x?xbf16>
  return %0 : tensor<?x?xbf16>
}

// -----

func.func @silu(%x: tensor<?x64xf64>) -> tensor<?x64xf64> {
  // expected-error@+1 {{'result' has an element type that it does not know}}
  %0 = fk.silu %x : (tensor<?x64xf64>) -> tensor<?x64xf64>
  return %0 : tensor<?x64xf64>
}

// -----

func.func @linear(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16>) -> tensor<?x32xbf16> {
  // expected-error@+1 {{cannot be generated: code generation does not know the task}}
  %0 = fk.linear %x, %w : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  return %0 : tensor<?x32xbf16>
}

// -----

// expected-error@+1 {{has a dynamic dimension without a name in 'tensor<?x64xf32>' (give it by fk.dims)}}
func.func @f(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %0 = math.absf %x : tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// No device library stands behind the code.
func.func @f(%x: tensor<?x64xf32> {fk.dims = ["tokens"]}) -> (tensor<?x64xf32> {fk.dims = ["tokens"]}) {
  // expected-error@+1 {{no instruction computes it: wanted exp, exp2, tanh, erf, rsqrt of float32}}
  %0 = math.sin %x : tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

#id = affine_map<(r, c) -> (r, c)>
#row = affine_map<(r, c) -> (r)>
func.func @f(%x: tensor<?x?xf32> {fk.dims = ["rows", "columns"]}, %o: tensor<?x1xf32> {fk.dims = ["rows"]}) -> (tensor<?x1xf32> {fk.dims = ["rows"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %r = tensor.dim %x, %c0 : tensor<?x?xf32>
  %e = tensor.empty(%r) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  // expected-error@+1 {{reduces over an extent that is not static}}
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x?xf32>) outs(%f : tensor<?xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %d = arith.addf %a, %acc : f32
    linalg.yield %d : f32
  } -> tensor<?xf32>
  %y = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<?xf32>) outs(%o : tensor<?x1xf32>) {
  ^bb0(%a: f32, %old: f32):
    linalg.yield %a : f32
  } -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// expected-error@+1 {{has a wrong type for 'input' of task 'silu': wanted a tensor of rank 2, got 'tensor<64xf32>'}}
func.func @silu(%x: tensor<64xf32>) -> tensor<?x64xf32> {
  %c0 = arith.constant 1 : index
  %e = tensor.empty(%c0) : tensor<?x64xf32>
  return %e : tensor<?x64xf32>
}

// -----

// expected-error@+1 {{calls 'f', which it does not define: wanted code without a device library}}
gpu.module @m {
  llvm.func @f(f32) -> f32
  llvm.func @k(%x: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
    %0 = llvm.load %x : !llvm.ptr<1> -> f32
    %1 = llvm.call @f(%0) : (f32) -> f32
    llvm.store %1, %x : f32, !llvm.ptr<1>
    llvm.return
  }
}
