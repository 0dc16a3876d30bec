// silu_and_mul, a grid of at most eight blocks that strides over all elements.
//
// fk.launch: grid=(min(ceildiv(tokens * intermediate,128),8),1,1)
// fk.launch: block=(128,1,1)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(128)
    silu_and_mul(__nv_bfloat16 *__restrict__ result,
                 const __nv_bfloat16 *__restrict__ gate_up, int32_t tokens,
                 int32_t intermediate) {
  const int64_t count = static_cast<int64_t>(tokens) * intermediate;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * 128 + threadIdx.x;
       at < count; at += static_cast<int64_t>(gridDim.x) * 128) {
    const int64_t token = at / intermediate;
    const int64_t source = at + token * intermediate;
    const float x = __bfloat162float(gate_up[source]);
    const float e = expf(-fabsf(x));
    const float silu = x * (x >= 0 ? 1.0f : e) / (1.0f + e);
    result[at] = __float2bfloat16(
        silu * __bfloat162float(gate_up[source + intermediate]));
  }
}
