// Wrong: other threads' writes to residual_out are read without a barrier.
//
// The tool must find: global memory race.
//
// fk.launch: grid=(tokens,1,1) block=(64,1,1)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(64)
    add_rms_norm(__nv_bfloat16 *__restrict__ result,
                 __nv_bfloat16 *residual_out,
                 const __nv_bfloat16 *__restrict__ input,
                 const __nv_bfloat16 *__restrict__ residual,
                 const __nv_bfloat16 *__restrict__ weight, float epsilon,
                 int32_t tokens, int32_t hidden) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  for (int32_t i = threadIdx.x; i < hidden; i += 64)
    residual_out[row + i] = __float2bfloat16(
        __bfloat162float(input[row + i]) + __bfloat162float(residual[row + i]));
  // Each warp sums the whole row by itself: no shared memory.
  float sum = 0;
  for (int32_t i = threadIdx.x % 32; i < hidden; i += 32) {
    const float r = __bfloat162float(residual_out[row + i]);
    sum += r * r;
  }
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  const float scale = rsqrtf(sum / static_cast<float>(hidden) + epsilon);
  for (int32_t i = hidden - 1 - threadIdx.x; i >= 0; i -= 64)
    result[row + i] = __float2bfloat16(__bfloat162float(residual_out[row + i]) *
                                       scale * __bfloat162float(weight[i]));
}
