// RUN: fk-opt %s --fk-inline-tasks --split-input-file --verify-diagnostics

// expected-error@below {{task functions call each other in a circle through @a}}
func.func private @a(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {fk.task = #fk.task<"mlp", L3>} {
  %0 = call @b(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
func.func private @b(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {fk.task = #fk.task<"mlp", L3>} {
  %0 = call @a(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
