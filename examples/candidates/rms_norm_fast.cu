// rms_norm for wide rows: one block a row, 16 bytes a load, the row read once
// and kept in registers. A row of 8192 is two vectors a thread.
//
// Bound by memory: 4 bytes an element; nothing is read twice.
//
// fk.launch: grid=(tokens,1,1) block=(512,1,1)
// fk.launch: where=(hidden % 8 == 0 && hidden <= 16384)
#include <cuda_bf16.h>
#include <stdint.h>

static constexpr int32_t threads = 512, lanes = 8, maxVectors = 4;

/// Two bf16 in the halves of a word.
static __device__ float2 unpack(uint32_t word) {
  return make_float2(__uint_as_float(word << 16),
                     __uint_as_float(word & 0xffff0000u));
}
static __device__ uint32_t pack(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return static_cast<uint32_t>(__bfloat16_as_ushort(pair.x)) |
         static_cast<uint32_t>(__bfloat16_as_ushort(pair.y)) << 16;
}
static __device__ float square(uint32_t word) {
  const float2 x = unpack(word);
  return x.x * x.x + x.y * x.y;
}
static __device__ uint32_t scaleWord(uint32_t word, uint32_t weight,
                                     float scale) {
  const float2 x = unpack(word), w = unpack(weight);
  return pack(x.x * scale * w.x, x.y * scale * w.y);
}

extern "C" __global__ void __launch_bounds__(512)
    rms_norm(__nv_bfloat16 *__restrict__ result,
             const __nv_bfloat16 *__restrict__ input,
             const __nv_bfloat16 *__restrict__ weight, float epsilon,
             int32_t tokens, int32_t hidden) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * hidden;
  const uint4 *source = reinterpret_cast<const uint4 *>(input + row);
  const uint4 *scales = reinterpret_cast<const uint4 *>(weight);
  uint4 *target = reinterpret_cast<uint4 *>(result + row);
  const int32_t vectors = hidden / lanes;

  // The weights are fetched before the sum is known, so that their latency
  // hides behind it.
  uint4 kept[maxVectors], weights[maxVectors];
  float sum = 0;
#pragma unroll
  for (int32_t v = 0; v < maxVectors; ++v) {
    const int32_t at = threadIdx.x + v * threads;
    if (at < vectors) {
      kept[v] = source[at];
      weights[v] = scales[at];
      sum += square(kept[v].x) + square(kept[v].y) + square(kept[v].z) +
             square(kept[v].w);
    }
  }

  __shared__ float partial[threads / 32];
#pragma unroll
  for (int32_t offset = 16; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = sum;
  __syncthreads();
  // Every warp adds the sixteen partial sums by itself: no second barrier.
  float total = partial[threadIdx.x % (threads / 32)];
#pragma unroll
  for (int32_t offset = threads / 64; offset > 0; offset /= 2)
    total += __shfl_xor_sync(0xffffffffu, total, offset);
  const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);

#pragma unroll
  for (int32_t v = 0; v < maxVectors; ++v) {
    const int32_t at = threadIdx.x + v * threads;
    if (at < vectors)
      target[at] = make_uint4(scaleWord(kept[v].x, weights[v].x, scale),
                              scaleWord(kept[v].y, weights[v].y, scale),
                              scaleWord(kept[v].z, weights[v].z, scale),
                              scaleWord(kept[v].w, weights[v].w, scale));
  }
}
