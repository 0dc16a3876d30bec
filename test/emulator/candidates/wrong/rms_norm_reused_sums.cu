// Wrong: a persistent block overwrites sums that slower warps still read.
//
// The tool must find: shared memory race.
//
// fk.launch: grid=(1,1,1) block=(64,1,1)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(64)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  __shared__ float partial[2];
  for (int32_t token = 0; token < tokens; ++token) {
    const int64_t row = static_cast<int64_t>(token) * hidden;
    float sum = 0;
    for (int32_t i = threadIdx.x; i < hidden; i += 64) {
      const float x = __bfloat162float(input[row + i]);
      sum += x * x;
    }
    for (int32_t offset = 16; offset > 0; offset /= 2)
      sum += __shfl_xor_sync(0xffffffffu, sum, offset);
    if (threadIdx.x % 32 == 0)
      partial[threadIdx.x / 32] = sum;
    __syncthreads();
    const float total = partial[0] + partial[1];
    const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);
    for (int32_t i = threadIdx.x; i < hidden; i += 64)
      result[row + i] = __float2bfloat16(__bfloat162float(input[row + i]) *
                                         scale * __bfloat162float(weight[i]));
  }
}
