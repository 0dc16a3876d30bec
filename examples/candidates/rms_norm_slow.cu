// rms_norm, right and slow on purpose: one warp a row, two bytes a load, the
// row read three times and the sum of squares taken twice. `fk eval` must call
// it SLOW.
//
// fk.launch: grid=(tokens,1,1) block=(32,1,1)
#include <cuda_bf16.h>
#include <stdint.h>

static __device__ float sumOfSquares(const __nv_bfloat16 *row, int32_t hidden) {
  float sum = 0;
  // Volatile: the compiler may neither widen the loads nor keep the row.
  const volatile unsigned short *bits =
      reinterpret_cast<const volatile unsigned short *>(row);
  for (int32_t i = threadIdx.x; i < hidden; i += 32) {
    const float x = __bfloat162float(__ushort_as_bfloat16(bits[i]));
    sum += x * x;
  }
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  return sum;
}

extern "C" __global__ void __launch_bounds__(32)
    rms_norm(__nv_bfloat16 *result, const __nv_bfloat16 *input,
             const __nv_bfloat16 *weight, float epsilon, int32_t tokens,
             int32_t hidden) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  float sum = sumOfSquares(input + row, hidden);
  sum = 0.5f * (sum + sumOfSquares(input + row, hidden));
  const float scale = rsqrtf(sum / static_cast<float>(hidden) + epsilon);
  const volatile unsigned short *bits =
      reinterpret_cast<const volatile unsigned short *>(input + row);
  for (int32_t i = threadIdx.x; i < hidden; i += 32)
    result[row + i] =
        __float2bfloat16(__bfloat162float(__ushort_as_bfloat16(bits[i])) *
                         scale * __bfloat162float(weight[i]));
}
