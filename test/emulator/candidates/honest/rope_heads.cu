// rope, a block a token and head of query or key, a thread a pair.
//
// fk.launch: grid=(q_heads + kv_heads,tokens,1) block=(64,1,1)
// fk.launch: where=(head_dim % 2 == 0 && tokens <= 65535)
#include <cuda_bf16.h>
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(64)
    rope(__nv_bfloat16 *__restrict__ query_out,
         __nv_bfloat16 *__restrict__ key_out,
         const __nv_bfloat16 *__restrict__ query,
         const __nv_bfloat16 *__restrict__ key,
         const int32_t *__restrict__ positions,
         const float *__restrict__ cos_sin, int32_t tokens, int32_t q_heads,
         int32_t kv_heads, int32_t head_dim) {
  const int32_t head = blockIdx.x, token = blockIdx.y, half = head_dim / 2;
  const bool isQuery = head < q_heads;
  const int64_t at =
      (isQuery ? static_cast<int64_t>(token) * q_heads + head
               : static_cast<int64_t>(token) * kv_heads + head - q_heads) *
      head_dim;
  const __nv_bfloat16 *source = (isQuery ? query : key) + at;
  __nv_bfloat16 *target = (isQuery ? query_out : key_out) + at;
  const float *angles =
      cos_sin + static_cast<int64_t>(positions[token]) * head_dim;
  for (int32_t i = threadIdx.x; i < half; i += 64) {
    const float a = __bfloat162float(source[i]);
    const float b = __bfloat162float(source[i + half]);
    const float c = angles[i], s = angles[i + half];
    target[i] = __float2bfloat16(a * c - b * s);
    target[i + half] = __float2bfloat16(b * c + a * s);
  }
}
