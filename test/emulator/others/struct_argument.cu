// A struct by value, three dimensions of grid and block, 8- and 16-bit types.
struct Shape {
  int width, height;
  float gain;
  unsigned char offset[3];
};

extern "C" __global__ void struct_argument(short *gradient,
                                           const unsigned char *pixels,
                                           Shape image, signed char bias) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  const int channel = blockIdx.z * blockDim.z + threadIdx.z;
  if (x >= image.width || y >= image.height || channel >= 3)
    return;
  const int at = (y * image.width + x) * 3 + channel;
  const int right = x + 1 < image.width ? at + 3 : at;
  const int difference = pixels[right] - pixels[at];
  gradient[at] =
      (short)((float)difference * image.gain) + image.offset[channel] + bias;
}
