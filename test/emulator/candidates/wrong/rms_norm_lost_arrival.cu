// Wrong: an mbarrier waits for two arrivals of which one comes.
//
// The tool must find: deadlock or endless.
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
  __shared__ __align__(8) uint64_t arrived;
  const uint32_t barrier =
      static_cast<uint32_t>(__cvta_generic_to_shared(&arrived));
  if (threadIdx.x == 0)
    asm volatile("mbarrier.init.shared.b64 [%0], 2;" ::"r"(barrier) : "memory");
  __syncthreads();
  if (threadIdx.x == 0)
    asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(barrier)
                 : "memory");
  uint32_t done;
  do {
    asm volatile("{\n"
                 ".reg .pred p;\n"
                 "mbarrier.test_wait.parity.shared.b64 p, [%1], 0;\n"
                 "selp.b32 %0, 1, 0, p;\n"
                 "}"
                 : "=r"(done)
                 : "r"(barrier)
                 : "memory");
  } while (!done);
  float sum = 0;
  for (int32_t i = threadIdx.x; i < hidden; i += 64) {
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
