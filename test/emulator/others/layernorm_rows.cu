// Layer norm of f32 rows, Welford's way, merged across a warp.
struct Moments {
  float count, mean, squares;
};
static __device__ Moments merge(Moments a, Moments b) {
  const float count = a.count + b.count;
  if (count == 0)
    return a;
  const float delta = b.mean - a.mean;
  return {count, a.mean + delta * (b.count / count),
          a.squares + b.squares + delta * delta * (a.count * b.count / count)};
}

extern "C" __global__ void layernorm_rows(float *out, const float *in,
                                          const float *weight,
                                          const float *bias, float epsilon,
                                          int columns) {
  const float *row = in + (long long)blockIdx.x * columns;
  Moments m = {0, 0, 0};
  for (int i = threadIdx.x; i < columns; i += 32)
    m = merge(m, {1, row[i], 0});
  for (int offset = 16; offset > 0; offset /= 2) {
    Moments other;
    other.count = __shfl_xor_sync(~0u, m.count, offset);
    other.mean = __shfl_xor_sync(~0u, m.mean, offset);
    other.squares = __shfl_xor_sync(~0u, m.squares, offset);
    m = merge(m, other);
  }
  const float scale = rsqrtf(m.squares / m.count + epsilon);
  for (int i = threadIdx.x; i < columns; i += 32)
    out[(long long)blockIdx.x * columns + i] =
        (row[i] - m.mean) * scale * weight[i] + bias[i];
}
