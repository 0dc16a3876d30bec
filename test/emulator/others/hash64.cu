// A 64-bit hash: wide products, rotations, divisions and remainders.
extern "C" __global__ void hash64(unsigned long long *out,
                                  const unsigned long long *in, int rounds) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned long long h = in[i];
  long long s = 0;
  for (int r = 0; r < rounds; ++r) {
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h = h << 27 | h >> 37;
    h += __umul64hi(h, 0xc4ceb9fe1a85ec53ULL) ^ (h % 1000003);
    s += (long long)h / (long long)(r * 7 + 3);
    s ^= (long long)h % (long long)(-5 - r);
  }
  out[2 * i] = h;
  out[2 * i + 1] = (unsigned long long)s;
}
