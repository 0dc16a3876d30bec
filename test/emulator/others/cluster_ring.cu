// A cluster of four blocks: each adds into the next one's shared memory.
#include <cooperative_groups.h>
namespace cg = cooperative_groups;

extern "C" __global__ void __cluster_dims__(4, 1, 1)
    cluster_ring(int *out, const int *in) {
  __shared__ int cell[64];
  cg::cluster_group cluster = cg::this_cluster();
  const unsigned rank = cluster.block_rank(), t = threadIdx.x;
  cell[t] = in[blockIdx.x * 64 + t];
  cluster.sync();
  int *next = cluster.map_shared_rank(cell, (rank + 1) % 4);
  atomicAdd(next + (t + 1) % 64, (int)(rank * 1000 + t));
  cluster.sync();
  out[blockIdx.x * 64 + t] = cell[t] + next[0] * 0;
  cluster.sync();
}
