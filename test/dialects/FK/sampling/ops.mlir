// RUN: fk-opt %s | fk-opt | FileCheck %s

// CHECK-LABEL: func.func @rows
func.func @rows(%x: tensor<?x64xbf16>, %c: tensor<?xi32>) -> tensor<?x64xbf16> {
  // CHECK: fk.gather_last_tokens %{{.*}}, %{{.*}} : (tensor<?x64xbf16>, tensor<?xi32>) -> tensor<?x64xbf16>
  %0 = fk.gather_last_tokens %x, %c : (tensor<?x64xbf16>, tensor<?xi32>) -> tensor<?x64xbf16>
  // CHECK: fk.pool %{{.*}}, %{{.*}} : (tensor<?x64xbf16>, tensor<?xi32>) -> tensor<?x64xbf16>
  %1 = fk.pool %x, %c : (tensor<?x64xbf16>, tensor<?xi32>) -> tensor<?x64xbf16>
  // CHECK: fk.pool %{{.*}}, %{{.*}} {mean = 1 : i32}
  %2 = fk.pool %x, %c {mean = 1 : i32} : (tensor<?x64xbf16>, tensor<?xi32>) -> tensor<?x64xbf16>
  %3 = fk.add %0, %1 : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %4 = fk.add %3, %2 : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %4 : tensor<?x64xbf16>
}

// CHECK-LABEL: func.func @sample
// CHECK: fk.sample %{{.*}} : (tensor<?x256xbf16>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>) -> tensor<?xi32>
func.func @sample(%l: tensor<?x256xbf16>, %t: tensor<?xf32>, %k: tensor<?xi32>, %p: tensor<?xf32>, %s: tensor<?xi64>, %q: tensor<?xi32>) -> tensor<?xi32> {
  %0 = fk.sample %l, %t, %k, %p, %s, %q : (tensor<?x256xbf16>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>) -> tensor<?xi32>
  return %0 : tensor<?xi32>
}
