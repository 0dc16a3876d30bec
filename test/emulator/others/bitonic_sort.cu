// A bitonic sort of a block's 128 keys with their values.
extern "C" __global__ void bitonic_sort(int *keys, unsigned short *values) {
  __shared__ int key[128];
  __shared__ unsigned short value[128];
  const unsigned t = threadIdx.x, base = blockIdx.x * 128;
  for (unsigned i = t; i < 128; i += 64) {
    key[i] = keys[base + i];
    value[i] = values[base + i];
  }
  for (unsigned size = 2; size <= 128; size *= 2)
    for (unsigned stride = size / 2; stride > 0; stride /= 2) {
      __syncthreads();
      const unsigned low = 2 * t - (t & (stride - 1)), high = low + stride;
      const bool ascending = (low & size) == 0;
      if ((key[low] > key[high]) == ascending) {
        const int k = key[low];
        key[low] = key[high];
        key[high] = k;
        const unsigned short v = value[low];
        value[low] = value[high];
        value[high] = v;
      }
    }
  __syncthreads();
  for (unsigned i = t; i < 128; i += 64) {
    keys[base + i] = key[i];
    values[base + i] = value[i];
  }
}
