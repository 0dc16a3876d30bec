// kv_cache_write, the plain way: a candidate that writes a state in place.
// kv_cache_write.ptx beside this file is what `nvcc -ptx -arch=compute_80 -O3`
// makes of it.
//
// fk.launch: grid=(tokens,1,1) block=(128,1,1)
#include <stdint.h>

extern "C" __global__ void
kv_cache_write(uint16_t *cache, const uint16_t *key, const uint16_t *value,
               const int32_t *slots, int32_t tokens, int32_t pages,
               int32_t page_size, int32_t kv_heads, int32_t head_dim) {
  const int64_t row = static_cast<int64_t>(kv_heads) * head_dim;
  const int64_t slot = slots[blockIdx.x];
  if (slot < 0)
    return;
  const int64_t half = static_cast<int64_t>(pages) * page_size * row;
  for (int64_t i = threadIdx.x; i < row; i += blockDim.x) {
    cache[slot * row + i] = key[blockIdx.x * row + i];
    cache[half + slot * row + i] = value[blockIdx.x * row + i];
  }
}
