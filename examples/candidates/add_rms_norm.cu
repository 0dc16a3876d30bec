// add_rms_norm: r = x + residual, y = rms_norm(r, w). The sum is rounded to
// bf16 before it is normalised, as serving libraries do, so that y is the norm
// of the residual_out that is stored.
//
// fk.launch: grid=(tokens,1,1) block=(256,1,1) smem=hidden * 4
// fk.launch: where=(hidden <= 49152)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(256)
    add_rms_norm(__nv_bfloat16 *__restrict__ result,
                 __nv_bfloat16 *__restrict__ residual_out,
                 const __nv_bfloat16 *__restrict__ input,
                 const __nv_bfloat16 *__restrict__ residual,
                 const __nv_bfloat16 *__restrict__ weight, float epsilon,
                 int32_t tokens, int32_t hidden) {
  extern __shared__ float kept[];
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  float sum = 0;
  for (int32_t i = threadIdx.x; i < hidden; i += blockDim.x) {
    const __nv_bfloat16 rounded = __float2bfloat16(
        __bfloat162float(input[row + i]) + __bfloat162float(residual[row + i]));
    residual_out[row + i] = rounded;
    const float r = __bfloat162float(rounded);
    kept[i] = r;
    sum += r * r;
  }

  __shared__ float partial[8];
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = sum;
  __syncthreads();
  float total = 0;
  for (int32_t warp = 0; warp < 8; ++warp)
    total += partial[warp];

  const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);
  for (int32_t i = threadIdx.x; i < hidden; i += blockDim.x)
    result[row + i] =
        __float2bfloat16(kept[i] * scale * __bfloat162float(weight[i]));
}
