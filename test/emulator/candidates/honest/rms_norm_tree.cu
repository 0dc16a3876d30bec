// rms_norm, the sum by a tree in shared memory: a barrier a step.
//
// fk.launch: grid=(tokens,1,1) block=(128,1,1)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(128)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  __shared__ float sums[128];
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  float sum = 0;
  for (int32_t i = threadIdx.x; i < hidden; i += 128) {
    const float x = __bfloat162float(input[row + i]);
    sum += x * x;
  }
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (int32_t half = 64; half > 0; half /= 2) {
    if (threadIdx.x < half)
      sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  const float scale = rsqrtf(sums[0] / static_cast<float>(hidden) + epsilon);
  for (int32_t i = threadIdx.x; i < hidden; i += 128)
    result[row + i] = __float2bfloat16(__bfloat162float(input[row + i]) *
                                       scale * __bfloat162float(weight[i]));
}
