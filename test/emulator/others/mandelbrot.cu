// Steps until a point escapes; products and sums rounded one by one.
extern "C" __global__ void mandelbrot(int *steps, int width, int height,
                                      int limit) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width || y >= height)
    return;
  const float cx =
      __fsub_rn(__fmul_rn(__fdiv_rn((float)x, (float)width), 3.0f), 2.0f);
  const float cy =
      __fsub_rn(__fmul_rn(__fdiv_rn((float)y, (float)height), 2.0f), 1.0f);
  float zx = 0, zy = 0;
  int n = 0;
  while (n < limit) {
    const float a = __fmul_rn(zx, zx), b = __fmul_rn(zy, zy);
    if (__fadd_rn(a, b) > 4.0f)
      break;
    zy = __fadd_rn(__fmul_rn(__fmul_rn(2.0f, zx), zy), cy);
    zx = __fadd_rn(__fsub_rn(a, b), cx);
    ++n;
  }
  steps[y * width + x] = n;
}
