// RUN: not fk-opt %s --substitute=softmax:x.ptx 2>&1 | FileCheck %s --check-prefix=TASK
// RUN: not fk-opt %s --substitute=rms_norm@model.layer.*:x.ptx 2>&1 | FileCheck %s --check-prefix=PLACE
// RUN: not fk-opt %s --substitute=rms_norm:none.ptx 2>&1 | FileCheck %s --check-prefix=FILE
// RUN: not fk-opt %s --substitute=rms_norm@a:%fk_source/examples/candidates/rms_norm.ptx,rms_norm@?:%fk_source/examples/candidates/rms_norm_fast.ptx 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not fk-opt %s --substitute=rms_norm@gemma:%fk_source/examples/candidates/rms_norm.ptx 2>&1 | FileCheck %s --check-prefix=VARIANT
// RUN: not fk-opt %s --substitute=rms_norm@float:%fk_source/examples/candidates/rms_norm.ptx 2>&1 | FileCheck %s --check-prefix=DTYPE
// RUN: not fk-opt %s --substitute=rms_norm@odd:%fk_source/examples/candidates/rms_norm_fast.ptx 2>&1 | FileCheck %s --check-prefix=WHERE
// RUN: not fk-opt %s --substitute=rms_norm 2>&1 | FileCheck %s --check-prefix=SPEC
// RUN: not fk-opt %s --substitute=silu:%fk_source/examples/candidates/rms_norm.ptx 2>&1 | FileCheck %s --check-prefix=ENTRY
// RUN: not fk-opt %s --substitute=rms_norm:%S/Inputs/malformed.ptx 2>&1 | FileCheck %s --check-prefix=PTX
// RUN: fk-opt %s --substitute=rms_norm@*a*:%fk_source/examples/candidates/rms_norm.ptx --remarks-filter=fk-substitute --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=MISSED

// TASK: error: fk-substitute: nothing to substitute: 'softmax:x.ptx': wanted a task of the module (rms_norm, silu), got 'softmax'
// PLACE: wanted a place of 'rms_norm' (a, gemma, odd), got 'model.layer.*'
// FILE: error: {{.*}}fk-substitute: candidate of 'rms_norm': there is no such candidate: {{.*}}none.ptx: wanted a file
// TWICE: names what is bound already: wanted one candidate for an op, got a second beside @"rms_norm:rms_norm.ptx"
// VARIANT: can serve no place: not covered: weight_offset = 1 (a candidate serves 0)
// DTYPE: wanted a place of 'rms_norm' (a, gemma, odd), got 'float'
// WHERE: the candidate serves none of the shapes: {{.*}}rms_norm_fast.ptx: wanted hidden = 63, got where {{.*}}hidden % 8 == 0
// SPEC: this is no substitution: --substitute: wanted <task>[@<place>]:<file>, got 'rms_norm'
// ENTRY: it has no entry 'silu': {{.*}}rms_norm.ptx: wanted an entry of that name, extern "C" __global__, got 'rms_norm'
// PTX: malformed.ptx:7:16: error: unknown register '%r7'
// PTX: malformed.ptx:8:20: error: wanted ',' or ';' after an operand, got '1'
// PTX: error: {{.*}}fk-substitute: candidate of 'rms_norm' is no PTX that fk reads: {{.*}}malformed.ptx
// MISSED: [Missed] rms_norm
// MISSED-SAME: Place=gemma
// MISSED-SAME: weight_offset
// MISSED: [Passed] rms_norm
// MISSED-SAME: in 1 place

func.func @forward(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %w: tensor<64xbf16>, %y: tensor<?x63xbf16> {fk.dims = ["tokens"]}, %v: tensor<63xbf16>)
    -> (tensor<?x64xbf16>, tensor<?x63xbf16>) {
  %0 = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16> loc("a")
  %1 = fk.rms_norm %0, %w {epsilon = 1.0e-5 : f32, weight_offset = 1.0 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16> loc("gemma")
  %2 = fk.silu %1 : (tensor<?x64xbf16>) -> tensor<?x64xbf16> loc("act")
  %3 = fk.rms_norm %y, %v {epsilon = 1.0e-5 : f32} : (tensor<?x63xbf16>, tensor<63xbf16>) -> tensor<?x63xbf16> loc("odd")
  return %2, %3 : tensor<?x64xbf16>, tensor<?x63xbf16>
}
