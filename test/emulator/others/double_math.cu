// Functions of libdevice in f64.
extern "C" __global__ void double_math(double *out, const double *in) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const double x = in[i];
  double *o = out + 6 * i;
  o[0] = exp(x * 0.01);
  o[1] = sin(x);
  o[2] = pow(fabs(x) + 0.5, 1.7);
  o[3] = log(fabs(x) + 1e-3);
  o[4] = 1.0 / x + x / 3.0;
  o[5] = rsqrt(fabs(x) + 1.0) + hypot(x, 3.0);
}
