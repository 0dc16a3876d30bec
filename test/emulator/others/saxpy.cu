// y = a x + y in double precision, a grid that strides.
extern "C" __global__ void saxpy(double *y, const double *x, double a,
                                 long long count) {
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
       i < count; i += (long long)gridDim.x * blockDim.x)
    y[i] = fma(a, x[i], y[i]);
}
