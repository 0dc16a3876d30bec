// One thread prints; the others write.
#include <cstdio>

extern "C" __global__ void print_values(int *out, const float *in, int count) {
  const int t = threadIdx.x;
  if (t < count)
    out[t] = (int)in[t];
  if (t == 0) {
    printf("%d values, first %.3f, %s %c %5u|%-6d|%08x\n", count, in[0], "text",
           'z', 42u, -7, 0xbeefu);
    printf("wide %lld %e 100%%\n", 1234567890123LL, (double)in[1]);
  }
}
