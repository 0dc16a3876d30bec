// A 16 x 8 product of f16 by ldmatrix and mma.sync, in inline PTX.
extern "C" __global__ void mma_matmul(float *c, const unsigned *a,
                                      const unsigned *b, int depth) {
  __shared__ __align__(16) unsigned left[16 * 8], right[16 * 4];
  const unsigned lane = threadIdx.x;
  float sum[4] = {0, 0, 0, 0};
  for (int start = 0; start < depth; start += 16) {
    __syncwarp();
    for (int i = lane; i < 16 * 8; i += 32)
      left[i] = a[i / 8 * (depth / 2) + start / 2 + i % 8];
    for (int i = lane; i < 16 * 4; i += 32)
      right[i] = b[(start + i / 4) * 4 + i % 4];
    __syncwarp();
    unsigned fa[4], fb[2];
    const unsigned la = (unsigned)__cvta_generic_to_shared(
        &left[(lane % 16) * 8 + lane / 16 * 4]);
    const unsigned lb =
        (unsigned)__cvta_generic_to_shared(&right[(lane % 16) * 4]);
    asm volatile(
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
        : "=r"(fa[0]), "=r"(fa[1]), "=r"(fa[2]), "=r"(fa[3])
        : "r"(la)
        : "memory");
    asm volatile(
        "ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
        : "=r"(fb[0]), "=r"(fb[1])
        : "r"(lb)
        : "memory");
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(fa[0]), "r"(fa[1]), "r"(fa[2]), "r"(fa[3]), "r"(fb[0]),
                   "r"(fb[1]));
  }
  const int row = lane / 4, column = lane % 4 * 2;
  *reinterpret_cast<float2 *>(&c[row * 8 + column]) =
      make_float2(sum[0], sum[1]);
  *reinterpret_cast<float2 *>(&c[(row + 8) * 8 + column]) =
      make_float2(sum[2], sum[3]);
}
