// rms_norm, the row brought by one cp.async.bulk that an mbarrier counts in,
// and taken back by another from shared memory.
//
// fk.launch: grid=(tokens,1,1) block=(128,1,1) smem=hidden * 2
// fk.launch: where=(hidden % 8 == 0 && hidden <= 98304)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(128)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  extern __shared__ __align__(128) __nv_bfloat16 kept[];
  __shared__ __align__(8) uint64_t arrived;
  __shared__ float partial[4];
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  const uint32_t bytes = hidden * 2;
  const uint32_t base = static_cast<uint32_t>(__cvta_generic_to_shared(kept));
  const uint32_t barrier =
      static_cast<uint32_t>(__cvta_generic_to_shared(&arrived));
  if (threadIdx.x == 0) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(barrier)
                 : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    asm volatile(
        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier),
        "r"(bytes)
        : "memory");
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
                 "bytes [%0], [%1], %2, [%3];" ::"r"(base),
                 "l"(input + row), "r"(bytes), "r"(barrier)
                 : "memory");
  }
  uint32_t done;
  do {
    asm volatile("{\n"
                 ".reg .pred p;\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], 0;\n"
                 "selp.b32 %0, 1, 0, p;\n"
                 "}"
                 : "=r"(done)
                 : "r"(barrier)
                 : "memory");
  } while (!done);

  float sum = 0;
  for (int32_t i = threadIdx.x; i < hidden; i += 128) {
    const float x = __bfloat162float(kept[i]);
    sum += x * x;
  }
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = sum;
  __syncthreads();
  const float total = partial[0] + partial[1] + partial[2] + partial[3];
  const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);
  for (int32_t i = threadIdx.x; i < hidden; i += 128)
    kept[i] = __float2bfloat16(__bfloat162float(kept[i]) * scale *
                               __bfloat162float(weight[i]));
  // What the threads wrote is shown to the copy engine before it reads.
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  if (threadIdx.x == 0) {
    asm volatile(
        "cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(
            result + row),
        "r"(base), "r"(bytes)
        : "memory");
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
    asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
  }
}
