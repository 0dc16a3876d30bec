// Two halves of a block hand a buffer over by named barriers (arrive and sync).
extern "C" __global__ void named_barriers(int *out, const int *in, int rounds) {
  __shared__ int buffer[64];
  const int t = threadIdx.x % 64;
  int sum = 0;
  for (int r = 0; r < rounds; ++r) {
    if (threadIdx.x < 64) {
      if (r > 0)
        asm volatile("bar.sync 2, 128;" ::: "memory");
      buffer[t] = in[r * 64 + t];
      asm volatile("bar.arrive 1, 128;" ::: "memory");
    } else {
      asm volatile("bar.sync 1, 128;" ::: "memory");
      sum += buffer[63 - t] * (r + 1);
      if (r + 1 < rounds)
        asm volatile("bar.arrive 2, 128;" ::: "memory");
    }
  }
  if (threadIdx.x >= 64)
    out[t] = sum;
}
