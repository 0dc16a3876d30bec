// RUN: fk-opt %s --fk-compile=device=cuda --dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=PIPELINE
// RUN: fk-opt %s --fk-compile="fuse=false reuse-buffers=false keep-layers=false" --dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=PLAIN
// RUN: not fk-opt %s --fk-compile=substitute=add_rms_norm:a.ptx,rms_norm:b.ptx --dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=SUBSTITUTE

// PIPELINE: builtin.module(fk-inline-tasks{keep-layers=true},fk-fuse,fk-hoist-weights,fk-select-kernels{arch=sm_90a device=cuda},fk-lower-to-plan,fk-plan-buffers{reuse=true},fk-verify-plan)
// PLAIN: builtin.module(fk-inline-tasks{keep-layers=false},fk-hoist-weights,fk-select-kernels{arch=sm_90a device=host},fk-lower-to-plan,fk-plan-buffers{reuse=false},fk-verify-plan)
// A task that only arises by fusion is formed before it is bound.
// SUBSTITUTE: builtin.module(fk-fuse{only=add_rms_norm},fk-substitute{arch=sm_90a substitute=add_rms_norm:a.ptx,rms_norm:b.ptx},fk-inline-tasks
module {}
