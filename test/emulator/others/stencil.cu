// A five-point stencil with its coefficients in constant memory, the edge kept.
__constant__ float coefficients[5] = {-4.0f, 1.0f, 1.0f, 1.0f, 1.0f};

extern "C" __global__ void stencil(float *out, const float *in, int width,
                                   int height) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width || y >= height)
    return;
  const int at = y * width + x;
  if (x == 0 || y == 0 || x == width - 1 || y == height - 1) {
    out[at] = in[at];
    return;
  }
  const int offsets[5] = {0, -1, 1, -width, width};
  float sum = 0;
  for (int k = 0; k < 5; ++k)
    sum += coefficients[k] * in[at + offsets[k]];
  out[at] = sum;
}
