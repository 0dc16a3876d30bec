// rms_norm, a cluster of two blocks a row: each sums half of it, and both read
// the other's sum from its shared memory.
//
// fk.launch: grid=(tokens * 2,1,1) block=(64,1,1) cluster=(2,1,1)
#include <cooperative_groups.h>
#include <cuda_bf16.h>
#include <stdint.h>

namespace cg = cooperative_groups;

extern "C" __global__ void __launch_bounds__(64)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  cg::cluster_group cluster = cg::this_cluster();
  const uint32_t rank = cluster.block_rank();
  const int64_t row = static_cast<int64_t>(blockIdx.x / 2) * hidden;
  const int32_t middle = (hidden + 1) / 2;
  const int32_t begin = rank == 0 ? 0 : middle;
  const int32_t end = rank == 0 ? middle : hidden;
  float sum = 0;
  for (int32_t i = begin + threadIdx.x; i < end; i += 64) {
    const float x = __bfloat162float(input[row + i]);
    sum += x * x;
  }
  __shared__ float partial[2];
  __shared__ float half;
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0)
    half = partial[0] + partial[1];
  cluster.sync();
  const float total =
      *cluster.map_shared_rank(&half, 0) + *cluster.map_shared_rank(&half, 1);
  const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);
  for (int32_t i = begin + threadIdx.x; i < end; i += 64)
    result[row + i] = __float2bfloat16(__bfloat162float(input[row + i]) *
                                       scale * __bfloat162float(weight[i]));
  // A block's shared memory lives as long as the block.
  cluster.sync();
}
