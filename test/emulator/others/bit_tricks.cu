// Counts, reversals, permutes and funnel shifts, eight words out for two in.
extern "C" __global__ void bit_tricks(unsigned *out, const unsigned *a,
                                      const unsigned *b) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned x = a[i], y = b[i];
  unsigned *o = out + 8 * i;
  o[0] = __popc(x) | __clz(y) << 8 | __ffs(x) << 16;
  o[1] = __brev(x);
  o[2] = __byte_perm(x, y, 0x3615);
  o[3] = __funnelshift_l(x, y, y & 31);
  o[4] = __funnelshift_rc(x, y, y % 40);
  o[5] = (x & y) | (~x & (y << 3)) ^ (x >> 5);
  o[6] = __umulhi(x, y) + __mul24(x, y);
  o[7] = __popcll((unsigned long long)x << 32 | y) ^
         __clzll((unsigned long long)y >> 3);
}
