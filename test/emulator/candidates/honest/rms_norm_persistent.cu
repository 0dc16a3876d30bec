// rms_norm, persistent: at most four blocks walk over all rows. The barrier at
// the end of a row keeps the next one from overwriting sums still being read.
//
// fk.launch: grid=(min(tokens,4),1,1) block=(96,1,1)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(96)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  __shared__ float partial[3];
  for (int32_t token = blockIdx.x; token < tokens; token += gridDim.x) {
    const int64_t row = static_cast<int64_t>(token) * hidden;
    float sum = 0;
    for (int32_t i = threadIdx.x; i < hidden; i += 96) {
      const float x = __bfloat162float(input[row + i]);
      sum += x * x;
    }
    for (int32_t offset = 16; offset > 0; offset /= 2)
      sum += __shfl_xor_sync(0xffffffffu, sum, offset);
    if (threadIdx.x % 32 == 0)
      partial[threadIdx.x / 32] = sum;
    __syncthreads();
    const float total = partial[0] + partial[1] + partial[2];
    const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);
    for (int32_t i = threadIdx.x; i < hidden; i += 96)
      result[row + i] = __float2bfloat16(__bfloat162float(input[row + i]) *
                                         scale * __bfloat162float(weight[i]));
    __syncthreads();
  }
}
