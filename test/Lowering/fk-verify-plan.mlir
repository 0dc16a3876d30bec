// RUN: fk-opt %s --fk-verify-plan

// The valid neighbour of every case in fk-verify-plan-errors.mlir.
func.func @good(%x: memref<?x64xf32> {fk.dims = ["tokens"]}, %y: memref<?x64xf32> {fk.dims = ["tokens"], fkplan.result}) attributes {fkplan.slots = ["256 * tokens"]} {
  %a = fkplan.buffer ["tokens"] slot 0 : memref<?x64xf32>
  fkplan.launch "silu" outs(result = %a : memref<?x64xf32>) ins(input = %x : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"cuda", "fast", where = "tokens <= 8">, #fk.kernel<"reference", "silu">]
  fkplan.launch "silu" outs(result = %y : memref<?x64xf32>) ins(input = %a : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  return
}
