// RUN: fk-opt %s --fk-plan-buffers --split-input-file | FileCheck %s
// RUN: fk-opt %s --fk-plan-buffers=reuse=false --split-input-file | FileCheck %s --check-prefix=SEPARATE
// RUN: fk-opt %s --fk-plan-buffers=at=tokens=16384 --split-input-file --remarks-filter=fk-plan-buffers --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// A chain needs two slots: what is read is never written by the same launch.
// CHECK-LABEL: func.func @chain
// CHECK-SAME: fkplan.slots = ["tokens * 256", "tokens * 256"]
// CHECK: %[[A:.*]] = fkplan.buffer ["tokens"] slot 0
// CHECK: %[[B:.*]] = fkplan.buffer ["tokens"] slot 1
// CHECK: %[[C:.*]] = fkplan.buffer ["tokens"] slot 0
// SEPARATE-LABEL: func.func @chain
// SEPARATE-SAME: fkplan.slots = ["tokens * 256", "tokens * 256", "tokens * 256"]
// REMARK: [Passed] chain | Category:fk-plan-buffers
// REMARK-SAME: peak 8.0 MiB in 2 slots of its own, 12.0 MiB in 3 buffers without reuse, at {{.*}}tokens=16384
func.func @chain(%x: memref<?x64xf32> {fk.dims = ["tokens"]}, %y: memref<?x64xf32> {fk.dims = ["tokens"], fkplan.result}) {
  %a = fkplan.buffer ["tokens"] : memref<?x64xf32>
  fkplan.launch "silu" outs(result = %a : memref<?x64xf32>) ins(input = %x : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  %b = fkplan.buffer ["tokens"] : memref<?x64xf32>
  fkplan.launch "silu" outs(result = %b : memref<?x64xf32>) ins(input = %a : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  %c = fkplan.buffer ["tokens"] : memref<?x64xf32>
  fkplan.launch "silu" outs(result = %c : memref<?x64xf32>) ins(input = %b : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  fkplan.launch "silu" outs(result = %y : memref<?x64xf32>) ins(input = %c : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  return
}

// -----

// A view keeps its buffer alive; a slot is as large as the largest buffer in it.
// CHECK-LABEL: func.func @views
// CHECK-SAME: fkplan.slots = ["tokens * 256", "tokens * 512"]
// CHECK: fkplan.buffer ["tokens"] slot 0 : memref<?x64xf32>
// CHECK: fkplan.buffer ["tokens"] slot 1 : memref<?x64xf32>
// CHECK: fkplan.buffer ["tokens"] slot 1 : memref<?x128xf32>
func.func @views(%x: memref<?x64xf32> {fk.dims = ["tokens"]}, %w: memref<128x64xf32>, %y: memref<?x64xf32> {fk.dims = ["tokens"], fkplan.result}) {
  %a = fkplan.buffer ["tokens"] : memref<?x64xf32>
  %v = fkplan.view %a ["tokens"] : memref<?x64xf32> to memref<?x1x64xf32>
  %back = fkplan.view %v ["tokens"] : memref<?x1x64xf32> to memref<?x64xf32>
  fkplan.launch "silu" outs(result = %a : memref<?x64xf32>) ins(input = %x : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  %b = fkplan.buffer ["tokens"] : memref<?x64xf32>
  fkplan.launch "silu" outs(result = %b : memref<?x64xf32>) ins(input = %a : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  %c = fkplan.buffer ["tokens"] : memref<?x128xf32>
  fkplan.launch "linear" outs(result = %c : memref<?x128xf32>) ins(input = %back : memref<?x64xf32>, weight = %w : memref<128x64xf32>, bias = none) scalars() variants() axes(tokens = "tokens", out_features = "128", in_features = "64") kernels [#fk.kernel<"reference", "linear">]
  fkplan.launch "silu_and_mul" outs(result = %y : memref<?x64xf32>) ins(gate_up = %c : memref<?x128xf32>) scalars() variants() axes(tokens = "tokens", intermediate = "64") kernels [#fk.kernel<"reference", "silu_and_mul">]
  return
}

// -----

// What a symbol decides is left to the runtime.
// CHECK-LABEL: func.func @other_symbols
// CHECK-SAME: fkplan.slots = ["max(tokens * 256, seqs * 512)", "seqs * 512"]
func.func @other_symbols(%x: memref<?x64xf32> {fk.dims = ["tokens"]}, %cu: memref<?xi32> {fk.dims = ["seqs + 1"]}, %w: memref<128x64xf32>, %y: memref<?x128xf32> {fk.dims = ["seqs"], fkplan.result}) {
  %a = fkplan.buffer ["tokens"] : memref<?x64xf32>
  fkplan.launch "silu" outs(result = %a : memref<?x64xf32>) ins(input = %x : memref<?x64xf32>) scalars() variants() axes(tokens = "tokens", features = "64") kernels [#fk.kernel<"reference", "silu">]
  %b = fkplan.buffer ["seqs"] : memref<?x64xf32>
  fkplan.launch "gather_last_tokens" outs(result = %b : memref<?x64xf32>) ins(input = %a : memref<?x64xf32>, cu_seqlens = %cu : memref<?xi32>) scalars() variants() axes(tokens = "tokens", seqs = "seqs", hidden = "64") kernels [#fk.kernel<"reference", "gather_last_tokens">]
  %c = fkplan.buffer ["seqs"] : memref<?x128xf32>
  fkplan.launch "linear" outs(result = %c : memref<?x128xf32>) ins(input = %b : memref<?x64xf32>, weight = %w : memref<128x64xf32>, bias = none) scalars() variants() axes(tokens = "seqs", out_features = "128", in_features = "64") kernels [#fk.kernel<"reference", "linear">]
  %d = fkplan.buffer ["seqs"] : memref<?x128xf32>
  fkplan.launch "silu" outs(result = %d : memref<?x128xf32>) ins(input = %c : memref<?x128xf32>) scalars() variants() axes(tokens = "seqs", features = "128") kernels [#fk.kernel<"reference", "silu">]
  fkplan.launch "silu" outs(result = %y : memref<?x128xf32>) ins(input = %d : memref<?x128xf32>) scalars() variants() axes(tokens = "seqs", features = "128") kernels [#fk.kernel<"reference", "silu">]
  return
}
