// rms_norm in two launches with a workspace between them, declared by two.json:
// one warp a row takes 1 / rms, then a grid over columns and rows scales.
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(256)
    row_rstd(float *__restrict__ workspace,
             const __nv_bfloat16 *__restrict__ input, float epsilon,
             int32_t tokens, int32_t hidden) {
  const int32_t token = blockIdx.x * 8 + threadIdx.x / 32;
  if (token >= tokens)
    return;
  const __nv_bfloat16 *row = input + static_cast<int64_t>(token) * hidden;
  float sum = 0;
  for (int32_t i = threadIdx.x % 32; i < hidden; i += 32) {
    const float x = __bfloat162float(row[i]);
    sum += x * x;
  }
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0)
    workspace[token] = rsqrtf(sum / static_cast<float>(hidden) + epsilon);
}

extern "C" __global__ void __launch_bounds__(256)
    scale_rows(__nv_bfloat16 *__restrict__ result,
               const float *__restrict__ workspace,
               const __nv_bfloat16 *__restrict__ input,
               const __nv_bfloat16 *__restrict__ weight, int32_t tokens,
               int32_t hidden) {
  const int32_t column = blockIdx.x * 256 + threadIdx.x;
  if (column >= hidden)
    return;
  const int64_t at = static_cast<int64_t>(blockIdx.y) * hidden + column;
  result[at] =
      __float2bfloat16(__bfloat162float(input[at]) * workspace[blockIdx.y] *
                       __bfloat162float(weight[column]));
}
