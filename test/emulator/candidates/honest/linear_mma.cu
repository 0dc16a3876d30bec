// linear by mma.sync.m16n8k16 of bf16: a warp makes 16 tokens x 8 outputs, its
// fragments read straight from global memory, zeros past the edges.
//
// fk.launch: grid=(ceildiv(out_features,8),ceildiv(tokens,16),1) block=(32,1,1)
// fk.launch: where=(tokens <= 1048560)
#include <cuda_bf16.h>
#include <stdint.h>

/// Elements (row, k) and (row, k + 1) of a matrix, as a register of a fragment.
static __device__ uint32_t pair(const __nv_bfloat16 *matrix, int32_t row,
                                int32_t rows, int32_t k, int32_t depth) {
  if (row >= rows)
    return 0;
  const __nv_bfloat16 *at = matrix + static_cast<int64_t>(row) * depth + k;
  const uint32_t low = k < depth ? __bfloat16_as_ushort(at[0]) : 0;
  const uint32_t high = k + 1 < depth ? __bfloat16_as_ushort(at[1]) : 0;
  return low | high << 16;
}

extern "C" __global__ void __launch_bounds__(32)
    linear(__nv_bfloat16 *__restrict__ result,
           const __nv_bfloat16 *__restrict__ input,
           const __nv_bfloat16 *__restrict__ weight, int32_t tokens,
           int32_t out_features, int32_t in_features) {
  const int32_t group = threadIdx.x / 4, member = threadIdx.x % 4;
  const int32_t token = blockIdx.y * 16 + group;
  const int32_t out = blockIdx.x * 8;
  float c[4] = {0, 0, 0, 0};
  for (int32_t start = 0; start < in_features; start += 16) {
    const int32_t k = start + member * 2;
    const uint32_t a0 = pair(input, token, tokens, k, in_features);
    const uint32_t a1 = pair(input, token + 8, tokens, k, in_features);
    const uint32_t a2 = pair(input, token, tokens, k + 8, in_features);
    const uint32_t a3 = pair(input, token + 8, tokens, k + 8, in_features);
    const uint32_t b0 = pair(weight, out + group, out_features, k, in_features);
    const uint32_t b1 =
        pair(weight, out + group, out_features, k + 8, in_features);
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  }
#pragma unroll
  for (int32_t k = 0; k < 4; ++k) {
    const int32_t row = token + k / 2 * 8, column = out + member * 2 + k % 2;
    if (row < tokens && column < out_features)
      result[static_cast<int64_t>(row) * out_features + column] =
          __float2bfloat16(c[k]);
  }
}
