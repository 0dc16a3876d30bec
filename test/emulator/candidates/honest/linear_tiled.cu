// linear, tiles of 16 x 16 through shared memory; edges are filled with zeros.
//
// fk.launch: grid=(ceildiv(out_features,16),ceildiv(tokens,16),1)
// fk.launch: block=(16,16,1)
// fk.launch: where=(tokens <= 1048560)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(256)
    linear(__nv_bfloat16 *__restrict__ result,
           const __nv_bfloat16 *__restrict__ input,
           const __nv_bfloat16 *__restrict__ weight, int32_t tokens,
           int32_t out_features, int32_t in_features) {
  __shared__ float left[16][17], right[16][17];
  const int32_t x = threadIdx.x, y = threadIdx.y;
  const int32_t token = blockIdx.y * 16 + y, out = blockIdx.x * 16 + x;
  const int32_t outOfRow = blockIdx.x * 16 + y;
  float sum = 0;
  for (int32_t start = 0; start < in_features; start += 16) {
    const int32_t k = start + x;
    left[y][x] = token < tokens && k < in_features
                     ? __bfloat162float(
                           input[static_cast<int64_t>(token) * in_features + k])
                     : 0.0f;
    right[y][x] =
        outOfRow < out_features && k < in_features
            ? __bfloat162float(
                  weight[static_cast<int64_t>(outOfRow) * in_features + k])
            : 0.0f;
    __syncthreads();
    // Past the row there is nothing to add: an infinity times zero is no zero.
    const int32_t depth = min(16, in_features - start);
    for (int32_t i = 0; i < depth; ++i)
      sum = fmaf(left[y][i], right[x][i], sum);
    __syncthreads();
  }
  if (token < tokens && out < out_features)
    result[static_cast<int64_t>(token) * out_features + out] =
        __float2bfloat16(sum);
}
