// c = a + b, one element a thread.
extern "C" __global__ void vector_add(float *c, const float *a, const float *b,
                                      int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count)
    c[i] = a[i] + b[i];
}
