// Atomics of every kind, whose end does not depend on their order.
extern "C" __global__ void atomics(unsigned *u, unsigned long long *w, float *f,
                                   const int *in) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  const int x = in[t];
  atomicAdd(&u[0], (unsigned)x);
  atomicMax((int *)&u[1], x);
  atomicMin(&u[2], (unsigned)x);
  atomicAnd(&u[3], ~(1u << (x & 31)));
  atomicOr(&u[4], 1u << (x & 31));
  atomicXor(&u[5], (unsigned)x);
  atomicInc(&u[6], 99);
  atomicDec(&u[7], 50);
  atomicExch(&u[8 + t % 8], 7u);
  atomicAdd(&w[0], (unsigned long long)(long long)x);
  atomicMax(&w[1], (unsigned long long)x << 20);
  atomicAdd(&f[0], (float)(x % 16));
  // The greatest float by compare and swap.
  unsigned *cell = (unsigned *)&f[1];
  unsigned old = *(volatile unsigned *)cell;
  while (__uint_as_float(old) < (float)x) {
    const unsigned seen = atomicCAS(cell, old, __float_as_uint((float)x));
    if (seen == old)
      break;
    old = seen;
  }
}
