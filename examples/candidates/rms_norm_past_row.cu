// rms_norm, wrong on purpose: the sum of squares takes one element too many, the
// first of the next row. The last row's is past the end of the tensor, which a
// GPU does not notice; `fk sanitize` and every run on the host name the load.
//
// fk.launch: grid=(tokens,1,1) block=(256,1,1)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(256)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  float sum = 0;
  for (int32_t i = threadIdx.x; i <= hidden; i += blockDim.x) {
    const float x = __bfloat162float(input[row + i]);
    sum += x * x;
  }

  __shared__ float partial[8];
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = sum;
  __syncthreads();
  float total = 0;
  for (int32_t warp = 0; warp < 8; ++warp)
    total += partial[warp];

  const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);
  for (int32_t i = threadIdx.x; i < hidden; i += blockDim.x)
    result[row + i] = __float2bfloat16(__bfloat162float(input[row + i]) *
                                       scale * __bfloat162float(weight[i]));
}
