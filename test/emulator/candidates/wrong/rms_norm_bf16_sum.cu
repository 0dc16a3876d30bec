// Wrong: the squares are summed in bf16, which stops growing.
//
// The tool must find: wrong values (lower precision).
//
// fk.launch: grid=(tokens,1,1) block=(64,1,1)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(64)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  __nv_bfloat16 rough = __float2bfloat16(0);
  for (int32_t i = threadIdx.x; i < hidden; i += 64) {
    const float x = __bfloat162float(input[row + i]);
    rough = __float2bfloat16(__bfloat162float(rough) + x * x);
  }
  float sum = __bfloat162float(rough);
  __shared__ __nv_bfloat16 partial[64];
  partial[threadIdx.x] = __float2bfloat16(sum);
  __syncthreads();
  rough = __float2bfloat16(0);
  for (int32_t i = 0; i < 64; ++i)
    rough = __float2bfloat16(__bfloat162float(rough) +
                             __bfloat162float(partial[i]));
  const float total = __bfloat162float(rough);
  const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);
  for (int32_t i = threadIdx.x; i < hidden; i += 64)
    result[row + i] = __float2bfloat16(__bfloat162float(input[row + i]) *
                                       scale * __bfloat162float(weight[i]));
}
