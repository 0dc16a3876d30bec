// A histogram of bytes: atomics in shared memory, then in global memory.
extern "C" __global__ void histogram(unsigned *bins,
                                     const unsigned char *values, int count) {
  __shared__ unsigned mine[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x)
    mine[i] = 0;
  __syncthreads();
  const uchar4 *words = reinterpret_cast<const uchar4 *>(values);
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count / 4;
       i += gridDim.x * blockDim.x) {
    const uchar4 v = words[i];
    atomicAdd(&mine[v.x], 1u);
    atomicAdd(&mine[v.y], 1u);
    atomicAdd(&mine[v.z], 1u);
    atomicAdd(&mine[v.w], 1u);
  }
  if (blockIdx.x == 0 && threadIdx.x < count % 4)
    atomicAdd(&mine[values[count / 4 * 4 + threadIdx.x]], 1u);
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += blockDim.x)
    if (mine[i])
      atomicAdd(&bins[i], mine[i]);
}
