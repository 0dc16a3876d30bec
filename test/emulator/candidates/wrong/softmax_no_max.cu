// Wrong: the greatest element is not taken off first: large ones overflow.
//
// The tool must find: wrong values where elements are large.
//
// fk.launch: grid=(rows,1,1) block=(32,1,1)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(32)
    softmax(__nv_bfloat16 *__restrict__ result,
            const __nv_bfloat16 *__restrict__ input, int32_t rows,
            int32_t columns) {
  const int64_t base = static_cast<int64_t>(blockIdx.x) * columns;
  float total = 0;
  for (int32_t i = threadIdx.x; i < columns; i += 32)
    total += expf(__bfloat162float(input[base + i]));
  for (int32_t offset = 16; offset > 0; offset /= 2)
    total += __shfl_xor_sync(0xffffffffu, total, offset);
  for (int32_t i = threadIdx.x; i < columns; i += 32)
    result[base + i] =
        __float2bfloat16(expf(__bfloat162float(input[base + i])) / total);
}
