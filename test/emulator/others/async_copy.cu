// cp.async in two stages, groups committed and waited for one behind.
extern "C" __global__ void async_copy(float *out, const float4 *in,
                                      int chunks) {
  __shared__ float4 stage[2][32];
  const int t = threadIdx.x;
  float sum = 0;
  for (int c = 0; c <= chunks; ++c) {
    if (c < chunks) {
      const unsigned to = (unsigned)__cvta_generic_to_shared(&stage[c % 2][t]);
      asm volatile("cp.async.ca.shared.global [%0], [%1], 16;" ::"r"(to),
                   "l"(in + c * 32 + t)
                   : "memory");
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
    if (c == 0)
      continue;
    asm volatile("cp.async.wait_group 1;" ::: "memory");
    __syncthreads();
    const float4 v = stage[(c - 1) % 2][31 - t];
    sum += (v.x + v.y) * (v.z - v.w);
    __syncthreads();
  }
  out[t] = sum;
}
