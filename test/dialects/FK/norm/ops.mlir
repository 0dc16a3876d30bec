// RUN: fk-opt %s | fk-opt | FileCheck %s

// CHECK-LABEL: func.func @rms_norm
// CHECK: fk.rms_norm %{{.*}}, %{{.*}} {epsilon = {{.*}} : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
func.func @rms_norm(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>) -> tensor<?x64xbf16> {
  %y = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// CHECK-LABEL: func.func @gemma_rms_norm
// CHECK: fk.rms_norm {{.*}}weight_offset = 1.000000e+00 : f32
func.func @gemma_rms_norm(%x: tensor<3x64xf32>, %w: tensor<64xf32>) -> tensor<3x64xf32> {
  %y = fk.rms_norm %x, %w {epsilon = 1.0e-6 : f32, weight_offset = 1.0 : f32} : (tensor<3x64xf32>, tensor<64xf32>) -> tensor<3x64xf32>
  return %y : tensor<3x64xf32>
}

// An optional operand may be absent.
// CHECK-LABEL: func.func @layer_norm
// CHECK: fk.layer_norm %{{.*}}, %{{.*}}, %{{.*}} {{.*}} : (tensor<?x64xf16>, tensor<64xf16>, tensor<64xf16>)
// CHECK: fk.layer_norm %{{.*}}, %{{.*}} {{.*}} : (tensor<?x64xf16>, tensor<64xf16>)
func.func @layer_norm(%x: tensor<?x64xf16>, %w: tensor<64xf16>, %b: tensor<64xf16>) -> tensor<?x64xf16> {
  %0 = fk.layer_norm %x, %w, %b {epsilon = 1.0e-5 : f32} : (tensor<?x64xf16>, tensor<64xf16>, tensor<64xf16>) -> tensor<?x64xf16>
  %1 = fk.layer_norm %0, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xf16>, tensor<64xf16>) -> tensor<?x64xf16>
  return %1 : tensor<?x64xf16>
}

// CHECK-LABEL: func.func @l2_norm
// CHECK: fk.l2_norm %{{.*}} {epsilon = {{.*}} : f32} : (tensor<?x64xf32>) -> tensor<?x64xf32>
func.func @l2_norm(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %y = fk.l2_norm %x {epsilon = 1.0e-12 : f32} : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @add_rms_norm
// CHECK: %result, %residual_out = fk.add_rms_norm %{{.*}}, %{{.*}}, %{{.*}} {epsilon
func.func @add_rms_norm(%x: tensor<?x64xbf16>, %r: tensor<?x64xbf16>, %w: tensor<64xbf16>) -> tensor<?x64xbf16> {
  %y:2 = fk.add_rms_norm %x, %r, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<64xbf16>) -> (tensor<?x64xbf16>, tensor<?x64xbf16>)
  return %y#0 : tensor<?x64xbf16>
}

// A task op without uses goes: it is pure.
// RUN: fk-opt %s --canonicalize | FileCheck %s --check-prefix=PURE
// PURE-LABEL: func.func @unused
// PURE-NOT: fk.rms_norm
func.func @unused(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>) {
  %y = fk.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  return
}
