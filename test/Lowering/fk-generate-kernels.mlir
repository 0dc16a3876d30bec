// RUN: fk-opt %s --fk-select-kernels="device=cuda prefer=codegen" --fk-generate-kernels | FileCheck %s
// RUN: fk-opt %s --fk-select-kernels="device=cuda prefer=codegen" --fk-generate-kernels --remarks-filter='.*' --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: fk-opt %s --fk-select-kernels="device=cuda" --fk-generate-kernels | FileCheck %s --check-prefix=DEFAULT

// Nothing is generated unless it is asked for.
// DEFAULT-NOT: codegen
// DEFAULT-NOT: fk.candidate

// REMARK: [Passed] silu {{.*}}fk-select-kernels{{.*}}codegen:silu: generated for these widths
// REMARK: [Missed] silu {{.*}}codegen: dimension 1 of 'result' is not static
// REMARK: [Passed] silu {{.*}}fk-generate-kernels{{.*}}codegen:silu.bf16: grid=
// REMARK: [Passed] silu {{.*}}fk-generate-kernels{{.*}}registers

// One kernel for ops that are alike, another for another width.
// CHECK-DAG: fk.candidate @"codegen:silu.bf16" for "silu"
// CHECK-DAG: fk.candidate @"codegen:silu.bf16#2" for "silu"
// CHECK-NOT: #3
// CHECK-LABEL: func.func @f
// CHECK: fk.silu {{.*}}#fk.kernel<"codegen", "codegen:silu.bf16">
// CHECK: fk.silu {{.*}}#fk.kernel<"codegen", "codegen:silu.bf16">
// CHECK: fk.silu {{.*}}#fk.kernel<"codegen", "codegen:silu.bf16#2">
// CHECK: fk.silu {{.*}}#fk.kernel<"cuda", "silu">
func.func @f(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %y: tensor<?x32xbf16> {fk.dims = ["tokens"]}, %z: tensor<?x?xbf16> {fk.dims = ["tokens", "width"]}) -> (tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x?xbf16>) {
  %0 = fk.silu %x : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %1 = fk.silu %0 : (tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %2 = fk.silu %y : (tensor<?x32xbf16>) -> tensor<?x32xbf16>
  %3 = fk.silu %z : (tensor<?x?xbf16>) -> tensor<?x?xbf16>
  return %1, %2, %3 : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x?xbf16>
}
