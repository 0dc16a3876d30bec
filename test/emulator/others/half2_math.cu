// f16x2: each operation is rounded once.
#include <cuda_fp16.h>

extern "C" __global__ void half2_math(__half2 *out, const __half2 *a,
                                      const __half2 *b, const __half2 *c) {
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  const __half2 x = a[i], y = b[i], z = c[i];
  __half2 *o = out + 6 * i;
  o[0] = __hadd2_rn(x, y);
  o[1] = __hmul2_rn(x, y);
  o[2] = __hfma2(x, y, z);
  o[3] = __hmax2(x, __hneg2(y));
  o[4] = __floats2half2_rn(__low2float(x) * 0.5f, __high2float(y) * 3.0f);
  o[5] = __hgt2(x, y);
}
