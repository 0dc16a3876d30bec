// Wrong: 16 bytes a load also where the width is no multiple of eight.
//
// The tool must find: misaligned, wrong values.
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
  float sum = 0;
  const uint4 *wide = reinterpret_cast<const uint4 *>(input + row);
  for (int32_t v = threadIdx.x; v < hidden / 8; v += 64) {
    const uint4 q = wide[v];
    const uint32_t words[4] = {q.x, q.y, q.z, q.w};
    for (int32_t k = 0; k < 4; ++k) {
      const float a = __uint_as_float(words[k] << 16);
      const float b = __uint_as_float(words[k] & 0xffff0000u);
      sum += a * a + b * b;
    }
  }
  for (int32_t i = hidden / 8 * 8 + threadIdx.x; i < hidden; i += 64) {
    const float x = __bfloat162float(input[row + i]);
    sum += x * x;
  }
  __shared__ float partial[2];
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
