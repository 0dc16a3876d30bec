// rms_norm, a warp a row and four rows a block: shuffles alone. The last
// block's idle warps leave before any of them.
//
// fk.launch: grid=(ceildiv(tokens,4),1,1) block=(32,4,1)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(128)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  const int32_t token = blockIdx.x * 4 + threadIdx.y, lane = threadIdx.x;
  if (token >= tokens)
    return;
  const int64_t row = static_cast<int64_t>(token) * hidden;
  float sum = 0;
  for (int32_t i = lane; i < hidden; i += 32) {
    const float x = __bfloat162float(__ldg(input + row + i));
    sum = fmaf(x, x, sum);
  }
#pragma unroll
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  const float scale = rsqrtf(sum / static_cast<float>(hidden) + epsilon);
  for (int32_t i = lane; i < hidden; i += 32)
    result[row + i] = __float2bfloat16(__bfloat162float(input[row + i]) *
                                       scale * __bfloat162float(weight[i]));
}
