// softmax of f16, a block a row: the greatest element, then the sum, each
// through shared memory.
//
// fk.launch: grid=(rows,1,1) block=(64,1,1)
#include <cuda_fp16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(64)
    softmax(__half *__restrict__ result, const __half *__restrict__ input,
            int32_t rows, int32_t columns) {
  __shared__ float shared[64];
  const int64_t base = static_cast<int64_t>(blockIdx.x) * columns;
  float top = __half2float(input[base]);
  bool isNumber = top == top;
  for (int32_t i = threadIdx.x; i < columns; i += 64) {
    const float x = __half2float(input[base + i]);
    isNumber = isNumber && x == x;
    top = fmaxf(top, x);
  }
  shared[threadIdx.x] = isNumber ? top : __int_as_float(0x7fffffff);
  __syncthreads();
  for (int32_t i = 0; i < 64; ++i) {
    const float other = shared[i];
    top = other == other ? fmaxf(top, other) : other;
    if (top != top)
      break;
  }
  __syncthreads();
  float sum = 0;
  for (int32_t i = threadIdx.x; i < columns; i += 64)
    sum += expf(__half2float(input[base + i]) - top);
  shared[threadIdx.x] = sum;
  __syncthreads();
  float total = 0;
  for (int32_t i = 0; i < 64; ++i)
    total += shared[i];
  for (int32_t i = threadIdx.x; i < columns; i += 64)
    result[base + i] =
        __float2half(expf(__half2float(input[base + i]) - top) / total);
}
