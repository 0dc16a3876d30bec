// RUN: not fk-opt %s --fk-fuse=only=add_layer_norm 2>&1 | FileCheck %s

// CHECK: error: fk-fuse: unknown fused task 'add_layer_norm': wanted one of add_rms_norm, {{.*}}, silu_and_mul or all
module {}
