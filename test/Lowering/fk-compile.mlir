// RUN: fk-opt %s --fk-compile=device=cuda --dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=PIPELINE
// RUN: fk-opt %s --fk-compile="fuse=false reuse-buffers=false keep-layers=false" --dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=PLAIN
// RUN: not fk-opt %s --fk-compile=substitute=add_rms_norm:a.ptx,rms_norm:b.ptx --dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=SUBSTITUTE
// RUN: not fk-opt %s --substitute=add_rms_norm@model.*:a.ptx,rms_norm:b.ptx --dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=OPTION

// PIPELINE: builtin.module(
// PIPELINE-NEXT: fk-inline-tasks{keep-layers=true},
// PIPELINE-NEXT: fk-rotate-residuals,
// PIPELINE-NEXT: fk-fuse{ },
// PIPELINE-NEXT: fk-hoist-weights,
// PIPELINE-NEXT: fk-select-kernels{arch=sm_90a device=cuda },
// PIPELINE-NEXT: fk-generate-kernels{arch=sm_90a},
// PIPELINE-NEXT: fk-lower-to-plan,
// PIPELINE-NEXT: fk-plan-buffers{ reuse=true},
// PIPELINE-NEXT: fk-verify-plan
// PIPELINE-NEXT: )

// PLAIN: builtin.module(
// PLAIN-NEXT: fk-inline-tasks{keep-layers=false},
// PLAIN-NEXT: fk-hoist-weights,
// PLAIN-NEXT: fk-select-kernels{arch=sm_90a device=host },
// PLAIN-NEXT: fk-generate-kernels{arch=sm_90a},
// PLAIN-NEXT: fk-lower-to-plan,
// PLAIN-NEXT: fk-plan-buffers{ reuse=false},
// PLAIN-NEXT: fk-verify-plan

// A task that only arises by fusion is formed before it is bound.
// SUBSTITUTE: builtin.module(
// SUBSTITUTE-NEXT: fk-rotate-residuals,
// SUBSTITUTE-NEXT: fk-fuse{ only={add_rms_norm}},
// SUBSTITUTE-NEXT: fk-substitute{arch=sm_90a substitute={add_rms_norm:a.ptx,rms_norm:b.ptx}},
// SUBSTITUTE-NEXT: fk-inline-tasks

// OPTION: builtin.module(
// OPTION-NEXT: fk-rotate-residuals,
// OPTION-NEXT: fk-fuse{ only={add_rms_norm}},
// OPTION-NEXT: fk-substitute{arch=sm_90a substitute={add_rms_norm@model.*:a.ptx,rms_norm:b.ptx}}
// OPTION-NEXT: )
module {}
