// rms_norm, a cluster of four blocks a row in plain PTX: mapa,
// st.shared::cluster and barrier.cluster. Every block sends its sum to every
// block.
//
// fk.launch: grid=(tokens * 4,1,1) block=(32,1,1) cluster=(4,1,1)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(32)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  uint32_t rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  const int64_t row = static_cast<int64_t>(blockIdx.x / 4) * hidden;
  const int32_t share = (hidden + 3) / 4;
  const int32_t begin = min(static_cast<int32_t>(rank) * share, hidden);
  const int32_t end = min(begin + share, hidden);
  float sum = 0;
  for (int32_t i = begin + threadIdx.x; i < end; i += 32) {
    const float x = __bfloat162float(input[row + i]);
    sum += x * x;
  }
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);

  __shared__ float sums[4];
  const uint32_t mine =
      static_cast<uint32_t>(__cvta_generic_to_shared(&sums[rank]));
  // No block may write to another before that one runs.
  asm volatile("barrier.cluster.arrive.aligned;\n"
               "barrier.cluster.wait.aligned;" ::
                   : "memory");
  if (threadIdx.x < 4)
    asm volatile("{\n"
                 ".reg .b32 theirs;\n"
                 "mapa.shared::cluster.u32 theirs, %0, %1;\n"
                 "st.shared::cluster.f32 [theirs], %2;\n"
                 "}" ::"r"(mine),
                 "r"(threadIdx.x), "f"(sum)
                 : "memory");
  asm volatile("barrier.cluster.arrive.release.aligned;\n"
               "barrier.cluster.wait.acquire.aligned;" ::
                   : "memory");
  const float total = sums[0] + sums[1] + sums[2] + sums[3];
  const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);
  for (int32_t i = begin + threadIdx.x; i < end; i += 32)
    result[row + i] = __float2bfloat16(__bfloat162float(input[row + i]) *
                                       scale * __bfloat162float(weight[i]));
}
