// A matrix product in tiles of 16 x 16.
extern "C" __global__ void matmul_tiled(float *c, const float *a,
                                        const float *b, int m, int n, int k) {
  __shared__ float left[16][16], right[16][16];
  const int row = blockIdx.y * 16 + threadIdx.y;
  const int column = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int start = 0; start < k; start += 16) {
    left[threadIdx.y][threadIdx.x] = row < m && start + threadIdx.x < k
                                         ? a[row * k + start + threadIdx.x]
                                         : 0;
    right[threadIdx.y][threadIdx.x] =
        start + threadIdx.y < k && column < n
            ? b[(start + threadIdx.y) * n + column]
            : 0;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 16; ++i)
      sum += left[threadIdx.y][i] * right[i][threadIdx.x];
    __syncthreads();
  }
  if (row < m && column < n)
    c[row * n + column] = sum;
}
