// bf16x2 and conversions from and to f32.
#include <cuda_bf16.h>

extern "C" __global__ void bf16x2_math(__nv_bfloat162 *out,
                                       const __nv_bfloat162 *a,
                                       const __nv_bfloat162 *b,
                                       const __nv_bfloat162 *c) {
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  const __nv_bfloat162 x = a[i], y = b[i], z = c[i];
  __nv_bfloat162 *o = out + 4 * i;
  o[0] = __hfma2(x, y, z);
  o[1] = __hmin2(x, __habs2(y));
  const float2 f = __bfloat1622float2(x);
  o[2] = __floats2bfloat162_rn(f.x * f.y, f.x - f.y);
  o[3] = __hfma2_relu(x, y, z);
}
