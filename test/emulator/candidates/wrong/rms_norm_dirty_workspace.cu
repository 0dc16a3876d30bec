// Wrong: the workspace is added to, and nobody zeroed it.
//
// The tool must find: uninitialized memory or undefined value, wrong values.
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(64)
    add_squares(float *workspace, const __nv_bfloat16 *__restrict__ input,
                int32_t tokens, int32_t hidden) {
  const int32_t column = blockIdx.x * 64 + threadIdx.x;
  const int64_t row = static_cast<int64_t>(blockIdx.y) * hidden;
  if (column < hidden) {
    const float x = __bfloat162float(input[row + column]);
    atomicAdd(workspace + blockIdx.y, x * x);
  }
}

extern "C" __global__ void __launch_bounds__(64)
    scale_row(__nv_bfloat16 *__restrict__ result,
              const float *__restrict__ workspace,
              const __nv_bfloat16 *__restrict__ input,
              const __nv_bfloat16 *__restrict__ weight, float epsilon,
              int32_t tokens, int32_t hidden) {
  const int32_t column = blockIdx.x * 64 + threadIdx.x;
  if (column >= hidden)
    return;
  const int64_t at = static_cast<int64_t>(blockIdx.y) * hidden + column;
  const float scale =
      rsqrtf(workspace[blockIdx.y] / static_cast<float>(hidden) + epsilon);
  result[at] = __float2bfloat16(__bfloat162float(input[at]) * scale *
                                __bfloat162float(weight[column]));
}
