// rms_norm, one thread a row: no shared memory, nothing between threads.
//
// fk.launch: grid=(ceildiv(tokens,64),1,1) block=(64,1,1)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void rms_norm(__nv_bfloat16 *__restrict__ result,
                                    const __nv_bfloat16 *__restrict__ input,
                                    const __nv_bfloat16 *__restrict__ weight,
                                    float epsilon, int32_t tokens,
                                    int32_t hidden) {
  const int32_t token = blockIdx.x * blockDim.x + threadIdx.x;
  if (token >= tokens)
    return;
  const int64_t row = static_cast<int64_t>(token) * hidden;
  float sum = 0;
  for (int32_t i = 0; i < hidden; ++i) {
    const float x = __bfloat162float(input[row + i]);
    sum += x * x;
  }
  const float scale = 1.0f / sqrtf(sum / static_cast<float>(hidden) + epsilon);
  for (int32_t i = 0; i < hidden; ++i)
    result[row + i] = __float2bfloat16(__bfloat162float(input[row + i]) *
                                       scale * __bfloat162float(weight[i]));
}
