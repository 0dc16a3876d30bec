// Horner's rule and a Newton step in double precision.
extern "C" __global__ void polynomial(double *out, const double *in,
                                      const double *coefficients, int degree) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const double x = in[i];
  double y = coefficients[degree];
  for (int k = degree - 1; k >= 0; --k)
    y = fma(y, x, coefficients[k]);
  out[i] = sqrt(y * y + 1.0) / (1.0 + fabs(x)) + rint(x) - floor(x * 0.5);
}
