// silu_and_mul of f16, two elements a load where the width is even; an odd
// width moves every other row off its alignment and goes one by one.
//
// fk.launch: grid=(ceildiv(intermediate,256),tokens,1) block=(128,1,1)
// fk.launch: where=(tokens <= 65535)
#include <cuda_fp16.h>
#include <stdint.h>

static __device__ float silu(float x) {
  // Neither side overflows.
  const float e = expf(-fabsf(x));
  return x * (x >= 0 ? 1.0f : e) / (1.0f + e);
}

extern "C" __global__ void __launch_bounds__(128)
    silu_and_mul(__half *__restrict__ result,
                 const __half *__restrict__ gate_up, int32_t tokens,
                 int32_t intermediate) {
  const int64_t token = blockIdx.y;
  const __half *gate = gate_up + token * 2 * intermediate;
  const __half *up = gate + intermediate;
  __half *out = result + token * intermediate;
  const int32_t at = (blockIdx.x * 128 + threadIdx.x) * 2;
  if (intermediate % 2 == 0) {
    if (at >= intermediate)
      return;
    const float2 g =
        __half22float2(*reinterpret_cast<const __half2 *>(gate + at));
    const float2 u =
        __half22float2(*reinterpret_cast<const __half2 *>(up + at));
    *reinterpret_cast<__half2 *>(out + at) =
        __floats2half2_rn(silu(g.x) * u.x, silu(g.y) * u.y);
    return;
  }
  for (int32_t i = at; i < at + 2 && i < intermediate; ++i)
    out[i] = __float2half(silu(__half2float(gate[i])) * __half2float(up[i]));
}
