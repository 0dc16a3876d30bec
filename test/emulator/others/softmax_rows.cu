// Softmax of f32 rows by a block each.
extern "C" __global__ void softmax_rows(float *out, const float *in,
                                        int columns) {
  __shared__ float shared[32];
  const float *row = in + (long long)blockIdx.x * columns;
  const int warps = blockDim.x / 32, lane = threadIdx.x % 32;
  float top = -INFINITY;
  for (int i = threadIdx.x; i < columns; i += blockDim.x)
    top = fmaxf(top, row[i]);
  for (int offset = 16; offset > 0; offset /= 2)
    top = fmaxf(top, __shfl_xor_sync(~0u, top, offset));
  if (lane == 0)
    shared[threadIdx.x / 32] = top;
  __syncthreads();
  for (int i = 0; i < warps; ++i)
    top = fmaxf(top, shared[i]);
  __syncthreads();
  float sum = 0;
  for (int i = threadIdx.x; i < columns; i += blockDim.x)
    sum += __expf(row[i] - top);
  for (int offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(~0u, sum, offset);
  if (lane == 0)
    shared[threadIdx.x / 32] = sum;
  __syncthreads();
  sum = 0;
  for (int i = 0; i < warps; ++i)
    sum += shared[i];
  for (int i = threadIdx.x; i < columns; i += blockDim.x)
    out[(long long)blockIdx.x * columns + i] = __expf(row[i] - top) / sum;
}
