// add_rms_norm, the sums kept in registers: a width of up to 2048 is eight
// elements a thread.
//
// fk.launch: grid=(tokens,1,1) block=(256,1,1) where=(hidden <= 2048)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(256)
    add_rms_norm(__nv_bfloat16 *__restrict__ result,
                 __nv_bfloat16 *__restrict__ residual_out,
                 const __nv_bfloat16 *__restrict__ input,
                 const __nv_bfloat16 *__restrict__ residual,
                 const __nv_bfloat16 *__restrict__ weight, float epsilon,
                 int32_t tokens, int32_t hidden) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  float kept[8], sum = 0;
#pragma unroll
  for (int32_t k = 0; k < 8; ++k) {
    const int32_t i = k * 256 + threadIdx.x;
    if (i < hidden) {
      const __nv_bfloat16 rounded =
          __float2bfloat16(__bfloat162float(input[row + i]) +
                           __bfloat162float(residual[row + i]));
      residual_out[row + i] = rounded;
      kept[k] = __bfloat162float(rounded);
      sum += kept[k] * kept[k];
    }
  }
  __shared__ float partial[8];
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = sum;
  __syncthreads();
  // The last three steps by the first warp's way in every warp.
  float total = partial[threadIdx.x % 8];
  for (int32_t offset = 4; offset > 0; offset /= 2)
    total += __shfl_xor_sync(0xffffffffu, total, offset, 8);
  const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);
#pragma unroll
  for (int32_t k = 0; k < 8; ++k) {
    const int32_t i = k * 256 + threadIdx.x;
    if (i < hidden)
      result[row + i] =
          __float2bfloat16(kept[k] * scale * __bfloat162float(weight[i]));
  }
}
