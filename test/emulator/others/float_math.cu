// Functions of libdevice in f32; sinf's slow path (Payne and Hanek) too.
extern "C" __global__ void float_math(float *out, const float *in) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const float x = in[i];
  float *o = out + 10 * i;
  o[0] = expf(x * 0.01f);
  o[1] = sinf(x);
  o[2] = cosf(x * 1000.0f);
  o[3] = powf(fabsf(x) + 0.5f, 1.7f);
  o[4] = erff(x * 0.1f);
  o[5] = tanhf(x * 0.2f);
  o[6] = logf(fabsf(x) + 1e-3f);
  o[7] = cbrtf(x);
  o[8] = fmodf(x, 0.7f);
  o[9] = atan2f(x, 2.5f);
}
