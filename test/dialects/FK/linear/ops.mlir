// RUN: fk-opt %s | fk-opt | FileCheck %s

// CHECK-LABEL: func.func @embedding
// CHECK: fk.embedding %{{.*}}, %{{.*}} {scale = 8.000000e+00 : f32} : (tensor<?xi32>, tensor<256x64xbf16>) -> tensor<?x64xbf16>
// The scale defaults to 1 and is then not printed.
// CHECK: fk.embedding %{{.*}}, %{{.*}} : (tensor<?xi32>
func.func @embedding(%ids: tensor<?xi32>, %table: tensor<256x64xbf16>) -> tensor<?x64xbf16> {
  %0 = fk.embedding %ids, %table {scale = 8.0 : f32} : (tensor<?xi32>, tensor<256x64xbf16>) -> tensor<?x64xbf16>
  %1 = fk.embedding %ids, %table : (tensor<?xi32>, tensor<256x64xbf16>) -> tensor<?x64xbf16>
  return %1 : tensor<?x64xbf16>
}

// CHECK-LABEL: func.func @linear
// CHECK: fk.linear %{{.*}}, %{{.*}} : (tensor<?x64xbf16>, tensor<128x64xbf16>) -> tensor<?x128xbf16>
// CHECK: fk.linear %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x64xbf16>, tensor<128x64xbf16>, tensor<128xbf16>) -> tensor<?x128xbf16>
func.func @linear(%x: tensor<?x64xbf16>, %w: tensor<128x64xbf16>, %b: tensor<128xbf16>) -> tensor<?x128xbf16> {
  %0 = fk.linear %x, %w : (tensor<?x64xbf16>, tensor<128x64xbf16>) -> tensor<?x128xbf16>
  %1 = fk.linear %x, %w, %b : (tensor<?x64xbf16>, tensor<128x64xbf16>, tensor<128xbf16>) -> tensor<?x128xbf16>
  return %1 : tensor<?x128xbf16>
}

// CHECK-LABEL: func.func @qkv_linear
// CHECK: %query, %key, %value = fk.qkv_linear
func.func @qkv_linear(%x: tensor<?x64xbf16>, %w: tensor<128x64xbf16>, %b: tensor<128xbf16>) -> tensor<?x32xbf16> {
  %0:3 = fk.qkv_linear %x, %w, %b : (tensor<?x64xbf16>, tensor<128x64xbf16>, tensor<128xbf16>) -> (tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>)
  return %0#2 : tensor<?x32xbf16>
}

// CHECK-LABEL: func.func @gate_up_linear
// CHECK: fk.gate_up_linear %{{.*}}, %{{.*}} : (tensor<?x64xbf16>, tensor<256x64xbf16>) -> tensor<?x256xbf16>
func.func @gate_up_linear(%x: tensor<?x64xbf16>, %w: tensor<256x64xbf16>) -> tensor<?x256xbf16> {
  %0 = fk.gate_up_linear %x, %w : (tensor<?x64xbf16>, tensor<256x64xbf16>) -> tensor<?x256xbf16>
  return %0 : tensor<?x256xbf16>
}
