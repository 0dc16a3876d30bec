// rms_norm, 16 bytes a load where the row allows it: a row that starts off a
// 16-byte boundary (odd widths) has a scalar head, and every row a scalar tail.
//
// fk.launch: grid=(tokens,1,1) block=(128,1,1)
#include <cuda_bf16.h>
#include <stdint.h>

static __device__ float low(uint32_t word) {
  return __uint_as_float(word << 16);
}
static __device__ float high(uint32_t word) {
  return __uint_as_float(word & 0xffff0000u);
}
static __device__ float square(uint32_t word) {
  return low(word) * low(word) + high(word) * high(word);
}

extern "C" __global__ void __launch_bounds__(128)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  const __nv_bfloat16 *x = input + row;
  const int32_t ahead =
      static_cast<int32_t>((16 - reinterpret_cast<uintptr_t>(x) % 16) % 16 / 2);
  const int32_t head = min(ahead, hidden);
  const int32_t vectors = (hidden - head) / 8;
  const int32_t tail = head + vectors * 8;
  float sum = 0;
  const uint4 *wide = reinterpret_cast<const uint4 *>(x + head);
  for (int32_t v = threadIdx.x; v < vectors; v += 128) {
    const uint4 words = wide[v];
    sum +=
        square(words.x) + square(words.y) + square(words.z) + square(words.w);
  }
  if (static_cast<int32_t>(threadIdx.x) < head) {
    const float one = __bfloat162float(x[threadIdx.x]);
    sum += one * one;
  }
  for (int32_t i = tail + threadIdx.x; i < hidden; i += 128) {
    const float one = __bfloat162float(x[i]);
    sum += one * one;
  }

  __shared__ float partial[4];
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_down_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = sum;
  __syncthreads();
  const float total = partial[0] + partial[1] + partial[2] + partial[3];
  const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);

  // The result's row is aligned as the input's is.
  uint4 *out = reinterpret_cast<uint4 *>(result + row + head);
  for (int32_t v = threadIdx.x; v < vectors; v += 128) {
    const uint4 words = wide[v];
    const __nv_bfloat16 *w = weight + head + v * 8;
    const uint32_t in[4] = {words.x, words.y, words.z, words.w};
    uint32_t made[4];
#pragma unroll
    for (int32_t k = 0; k < 4; ++k) {
      const __nv_bfloat16 a =
          __float2bfloat16(low(in[k]) * scale * __bfloat162float(w[2 * k]));
      const __nv_bfloat16 b = __float2bfloat16(high(in[k]) * scale *
                                               __bfloat162float(w[2 * k + 1]));
      made[k] = static_cast<uint32_t>(__bfloat16_as_ushort(a)) |
                static_cast<uint32_t>(__bfloat16_as_ushort(b)) << 16;
    }
    out[v] = make_uint4(made[0], made[1], made[2], made[3]);
  }
  for (int32_t i = threadIdx.x; i < hidden; i += 128)
    if (i < head || i >= tail)
      result[row + i] = __float2bfloat16(__bfloat162float(x[i]) * scale *
                                         __bfloat162float(weight[i]));
}
