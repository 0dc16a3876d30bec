// RUN: not fk-opt %s --fk-plan-buffers=at=tokens 2>&1 | FileCheck %s

// CHECK: error: fk-plan-buffers: wanted at=<symbol>=<number>, got 'tokens'
module {}
