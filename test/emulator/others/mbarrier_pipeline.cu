// A producer warp and a consumer warp over two stages of shared memory, with an
// mbarrier for full and one for empty.
static __device__ unsigned address(const void *p) {
  return (unsigned)__cvta_generic_to_shared(p);
}
static __device__ void wait(unsigned barrier, unsigned parity) {
  asm volatile("{\n"
               ".reg .pred done;\n"
               "again:\n"
               "mbarrier.try_wait.parity.shared.b64 done, [%0], %1;\n"
               "@!done bra again;\n"
               "}" ::"r"(barrier),
               "r"(parity)
               : "memory");
}
static __device__ void arrive(unsigned barrier) {
  asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(barrier) : "memory");
}

extern "C" __global__ void mbarrier_pipeline(int *out, const int *in,
                                             int chunks) {
  __shared__ int stage[2][32];
  __shared__ __align__(8) unsigned long long full[2], empty[2];
  const int lane = threadIdx.x % 32;
  if (threadIdx.x < 2) {
    asm volatile(
        "mbarrier.init.shared.b64 [%0], 32;" ::"r"(address(&full[threadIdx.x]))
        : "memory");
    asm volatile(
        "mbarrier.init.shared.b64 [%0], 32;" ::"r"(address(&empty[threadIdx.x]))
        : "memory");
  }
  __syncthreads();
  int sum = 0;
  for (int c = 0; c < chunks; ++c) {
    const int s = c % 2, phase = c / 2 % 2;
    if (threadIdx.x < 32) {
      if (c >= 2)
        wait(address(&empty[s]), phase ^ 1);
      stage[s][lane] = in[c * 32 + lane] * 2;
      arrive(address(&full[s]));
    } else {
      wait(address(&full[s]), phase);
      sum += stage[s][31 - lane] * (c + 1);
      arrive(address(&empty[s]));
    }
  }
  if (threadIdx.x >= 32)
    out[lane] = sum;
}
