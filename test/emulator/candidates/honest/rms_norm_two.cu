// rms_norm in two launches, declared by rms_norm_two.json: 1 / rms of each row
// into the workspace, then a grid over all elements.
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(64)
    row_scale(float *__restrict__ workspace,
              const __nv_bfloat16 *__restrict__ input, float epsilon,
              int32_t tokens, int32_t hidden) {
  const int32_t token = blockIdx.x * 2 + threadIdx.x / 32;
  if (token >= tokens)
    return;
  const __nv_bfloat16 *row = input + static_cast<int64_t>(token) * hidden;
  float sum = 0;
  for (int32_t i = threadIdx.x % 32; i < hidden; i += 32) {
    const float x = __bfloat162float(row[i]);
    sum += x * x;
  }
  for (int32_t offset = 1; offset < 32; offset *= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0)
    workspace[token] = rsqrtf(sum / static_cast<float>(hidden) + epsilon);
}

extern "C" __global__ void __launch_bounds__(128)
    scale_elements(__nv_bfloat16 *__restrict__ result,
                   const float *__restrict__ workspace,
                   const __nv_bfloat16 *__restrict__ input,
                   const __nv_bfloat16 *__restrict__ weight, int32_t tokens,
                   int32_t hidden) {
  const int64_t count = static_cast<int64_t>(tokens) * hidden;
  const int64_t at = static_cast<int64_t>(blockIdx.x) * 128 + threadIdx.x;
  if (at >= count)
    return;
  const int32_t column = static_cast<int32_t>(at % hidden);
  result[at] =
      __float2bfloat16(__bfloat162float(input[at]) * workspace[at / hidden] *
                       __bfloat162float(weight[column]));
}
