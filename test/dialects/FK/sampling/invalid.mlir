// RUN: fk-opt %s --verify-diagnostics --split-input-file

func.func @gather_last_tokens_c1(%x: tensor<?x64xbf16>, %c: tensor<?xi64>) {
  // expected-error@+1 {{gather_last_tokens_c1: cu_seqlens must have elements of type i32, got tensor<?xi64>}}
  %0 = fk.gather_last_tokens %x, %c : (tensor<?x64xbf16>, tensor<?xi64>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @gather_last_tokens_c2(%x: tensor<?x64xbf16>, %c: tensor<4xi32>) {
  // expected-error@+1 {{gather_last_tokens_c2: result must be tensor<3x64xbf16> [seqs, hidden], got tensor<4x64xbf16>}}
  %0 = fk.gather_last_tokens %x, %c : (tensor<?x64xbf16>, tensor<4xi32>) -> tensor<4x64xbf16>
  return
}

// -----

func.func @pool_c1(%x: tensor<?x64xbf16>, %c: tensor<?xi32>) {
  // expected-error@+1 {{pool_c1: result must have elements of type bf16, as input has, got tensor<?x64xf32>}}
  %0 = fk.pool %x, %c : (tensor<?x64xbf16>, tensor<?xi32>) -> tensor<?x64xf32>
  return
}

// -----

func.func @pool_c2(%x: tensor<?x64xbf16>, %c: tensor<?xi32>) {
  // expected-error@+1 {{pool_c2: result must be tensor<?x64xbf16> [seqs, hidden], got tensor<?x32xbf16>}}
  %0 = fk.pool %x, %c : (tensor<?x64xbf16>, tensor<?xi32>) -> tensor<?x32xbf16>
  return
}

// -----

func.func @pool_c3(%x: tensor<?x64xbf16>, %c: tensor<?xi32>) {
  // expected-error@+1 {{pool_c3: mean must be 0 or 1, got 3}}
  %0 = fk.pool %x, %c {mean = 3 : i32} : (tensor<?x64xbf16>, tensor<?xi32>) -> tensor<?x64xbf16>
  return
}

// -----

func.func @sample_c1(%l: tensor<?x256xbf16>, %t: tensor<?xf32>, %k: tensor<?xi32>, %p: tensor<?xf32>, %s: tensor<?xi32>, %q: tensor<?xi32>) {
  // expected-error@+1 {{sample_c1: seed must have elements of type i64, got tensor<?xi32>}}
  %0 = fk.sample %l, %t, %k, %p, %s, %q : (tensor<?x256xbf16>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?xi32>
  return
}

// -----

func.func @sample_c1_temperature(%l: tensor<?x256xbf16>, %t: tensor<?xbf16>, %k: tensor<?xi32>, %p: tensor<?xf32>, %s: tensor<?xi64>, %q: tensor<?xi32>) {
  // expected-error@+1 {{sample_c1: temperature must have elements of type f32, got tensor<?xbf16>}}
  %0 = fk.sample %l, %t, %k, %p, %s, %q : (tensor<?x256xbf16>, tensor<?xbf16>, tensor<?xi32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>) -> tensor<?xi32>
  return
}

// -----

func.func @sample_c1_next(%l: tensor<?x256xbf16>, %t: tensor<?xf32>, %k: tensor<?xi32>, %p: tensor<?xf32>, %s: tensor<?xi64>, %q: tensor<?xi32>) {
  // expected-error@+1 {{sample_c1: next must have elements of type i32, got tensor<?xi64>}}
  %0 = fk.sample %l, %t, %k, %p, %s, %q : (tensor<?x256xbf16>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>) -> tensor<?xi64>
  return
}

// -----

func.func @sample_c2(%l: tensor<5x256xbf16>, %t: tensor<?xf32>, %k: tensor<4xi32>, %p: tensor<?xf32>, %s: tensor<?xi64>, %q: tensor<?xi32>) {
  // expected-error@+1 {{sample_c2: top_k must be tensor<5xi32> [seqs], got tensor<4xi32>}}
  %0 = fk.sample %l, %t, %k, %p, %s, %q : (tensor<5x256xbf16>, tensor<?xf32>, tensor<4xi32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>) -> tensor<5xi32>
  return
}
