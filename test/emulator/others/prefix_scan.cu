// An inclusive scan of a block, doubling steps in two halves of shared memory.
extern "C" __global__ void prefix_scan(int *out, const int *in, int count) {
  extern __shared__ int buffer[];
  const int t = threadIdx.x, width = blockDim.x;
  const int at = blockIdx.x * width + t;
  int from = 0;
  buffer[t] = at < count ? in[at] : 0;
  __syncthreads();
  for (int step = 1; step < width; step *= 2) {
    const int value = buffer[from * width + t] +
                      (t >= step ? buffer[from * width + t - step] : 0);
    from = 1 - from;
    buffer[from * width + t] = value;
    __syncthreads();
  }
  if (at < count)
    out[at] = buffer[from * width + t];
}
