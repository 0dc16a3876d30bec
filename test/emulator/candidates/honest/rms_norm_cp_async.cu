// rms_norm, the row staged in shared memory by cp.async, two chunks in flight.
//
// fk.launch: grid=(tokens,1,1) block=(64,1,1) smem=hidden * 2
// fk.launch: where=(hidden % 8 == 0 && hidden <= 98304)
#include <cuda_bf16.h>
#include <stdint.h>

static __device__ void copy16(uint32_t shared, const void *global) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared),
               "l"(global)
               : "memory");
}

extern "C" __global__ void __launch_bounds__(64)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  extern __shared__ __align__(16) __nv_bfloat16 kept[];
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  const uint32_t base = static_cast<uint32_t>(__cvta_generic_to_shared(kept));
  const int32_t vectors = hidden / 8, first = (vectors + 1) / 2;
  for (int32_t v = threadIdx.x; v < first; v += 64)
    copy16(base + v * 16, input + row + v * 8);
  asm volatile("cp.async.commit_group;" ::: "memory");
  for (int32_t v = first + threadIdx.x; v < vectors; v += 64)
    copy16(base + v * 16, input + row + v * 8);
  asm volatile("cp.async.commit_group;" ::: "memory");

  float sum = 0;
  asm volatile("cp.async.wait_group 1;" ::: "memory");
  __syncthreads();
  for (int32_t i = threadIdx.x; i < first * 8; i += 64) {
    const float x = __bfloat162float(kept[i]);
    sum += x * x;
  }
  asm volatile("cp.async.wait_group 0;" ::: "memory");
  __syncthreads();
  for (int32_t i = first * 8 + threadIdx.x; i < hidden; i += 64) {
    const float x = __bfloat162float(kept[i]);
    sum += x * x;
  }
  __shared__ float partial[2];
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = sum;
  __syncthreads();
  const float scale =
      rsqrtf((partial[0] + partial[1]) / static_cast<float>(hidden) + epsilon);
  for (int32_t i = threadIdx.x; i < hidden; i += 64)
    result[row + i] = __float2bfloat16(__bfloat162float(kept[i]) * scale *
                                       __bfloat162float(weight[i]));
}
