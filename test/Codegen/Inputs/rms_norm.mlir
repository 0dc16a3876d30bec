// rms_norm in linalg, as a user would write it.
#id = affine_map<(t, h) -> (t, h)>
#row = affine_map<(t, h) -> (t)>
#col = affine_map<(t, h) -> (h)>
func.func @rms_norm(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>, %eps: f32) -> tensor<?x64xbf16> {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %zero = arith.constant 0.0 : f32
  %n = arith.constant 64.0 : f32
  %e = tensor.empty(%t) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x64xbf16>) outs(%f : tensor<?xf32>) {
  ^bb0(%a: bf16, %acc: f32):
    %b = arith.extf %a : bf16 to f32
    %c = arith.mulf %b, %b : f32
    %d = arith.addf %c, %acc : f32
    linalg.yield %d : f32
  } -> tensor<?xf32>
  %o = tensor.empty(%t) : tensor<?x64xbf16>
  %y = linalg.generic {indexing_maps = [#id, #row, #col, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %s, %w : tensor<?x64xbf16>, tensor<?xf32>, tensor<64xbf16>) outs(%o : tensor<?x64xbf16>) {
  ^bb0(%a: bf16, %sum: f32, %g: bf16, %old: bf16):
    %b = arith.extf %a : bf16 to f32
    %m = arith.divf %sum, %n : f32
    %me = arith.addf %m, %eps : f32
    %r = math.rsqrt %me : f32
    %gf = arith.extf %g : bf16 to f32
    %p = arith.mulf %b, %r : f32
    %q = arith.mulf %p, %gf : f32
    %z = arith.truncf %q : f32 to bf16
    linalg.yield %z : bf16
  } -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}
