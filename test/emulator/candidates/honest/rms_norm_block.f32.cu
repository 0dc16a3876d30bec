// rms_norm of f32, four floats a load where the width is a multiple of four:
// the row pitch then keeps every row aligned.
//
// fk.launch: grid=(tokens,1,1) block=(128,1,1)
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(128)
    rms_norm(float *__restrict__ result, const float *__restrict__ input,
             const float *__restrict__ weight, float epsilon, int32_t tokens,
             int32_t hidden) {
  __shared__ float partial[4];
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  const bool isWide = hidden % 4 == 0;
  float sum = 0;
  if (isWide) {
    const float4 *x = reinterpret_cast<const float4 *>(input + row);
    for (int32_t v = threadIdx.x; v < hidden / 4; v += 128) {
      const float4 q = x[v];
      sum += q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w;
    }
  } else {
    for (int32_t i = threadIdx.x; i < hidden; i += 128)
      sum += input[row + i] * input[row + i];
  }
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = sum;
  __syncthreads();
  const float total = partial[0] + partial[1] + partial[2] + partial[3];
  const float scale =
      1.0f / sqrtf(total / static_cast<float>(hidden) + epsilon);
  if (isWide) {
    const float4 *x = reinterpret_cast<const float4 *>(input + row);
    const float4 *w = reinterpret_cast<const float4 *>(weight);
    float4 *y = reinterpret_cast<float4 *>(result + row);
    for (int32_t v = threadIdx.x; v < hidden / 4; v += 128)
      y[v] = make_float4(x[v].x * scale * w[v].x, x[v].y * scale * w[v].y,
                         x[v].z * scale * w[v].z, x[v].w * scale * w[v].w);
  } else {
    for (int32_t i = threadIdx.x; i < hidden; i += 128)
      result[row + i] = input[row + i] * scale * weight[i];
  }
}
