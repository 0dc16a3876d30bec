// rms_norm, launched while the kernel before it still runs: the weight is no
// other kernel's result and is fetched before the wait, everything else after
// it.
//
// fk.launch: grid=(tokens,1,1) block=(128,1,1) smem=hidden * 2 pdl=1
// fk.launch: where=(hidden <= 98304)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(128)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  extern __shared__ __nv_bfloat16 weights[];
  for (int32_t i = threadIdx.x; i < hidden; i += 128)
    weights[i] = weight[i];
  asm volatile("griddepcontrol.wait;" ::: "memory");
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  float sum = 0;
  for (int32_t i = threadIdx.x; i < hidden; i += 128) {
    const float x = __bfloat162float(input[row + i]);
    sum += x * x;
  }
  __shared__ float partial[4];
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = sum;
  __syncthreads();
  const float total = partial[0] + partial[1] + partial[2] + partial[3];
  const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);
  for (int32_t i = threadIdx.x; i < hidden; i += 128)
    result[row + i] = __float2bfloat16(__bfloat162float(input[row + i]) *
                                       scale * __bfloat162float(weights[i]));
  asm volatile("griddepcontrol.launch_dependents;");
}
