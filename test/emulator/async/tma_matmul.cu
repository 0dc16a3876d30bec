// D = A * B^T in bf16 with f32 sums, as kernels of Hopper are written: one warp
// loads tiles through tensor maps into a ring of stages with a 128-byte
// swizzle, a warpgroup multiplies them, and a tensor copy stores the result.
// A is [m, k], B [n, k], D [m, n]; a block makes 64 x 64 of D.
// Compiled by `nvcc -arch=sm_90a -ptx -O3`.
#include <cuda_bf16.h>
#include <stdint.h>

constexpr int stages = 3, tileM = 64, tileN = 64, tileK = 64;

struct alignas(64) TensorMap {
  char bytes[128];
};
struct alignas(1024) Shared {
  __nv_bfloat16 a[stages][tileM * tileK], b[stages][tileN * tileK];
  __nv_bfloat16 d[tileM * tileN];
  uint64_t full[stages], empty[stages];
};

static __device__ uint32_t toShared(const void *p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}
static __device__ void init(uint64_t *bar, uint32_t count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(toShared(bar)),
               "r"(count)
               : "memory");
}
static __device__ void wait(uint64_t *bar, uint32_t parity) {
  asm volatile("{\n.reg .pred p;\nAGAIN:\n"
               "mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 p, [%0], "
               "%1, 0x989680;\n@p bra DONE;\nbra AGAIN;\nDONE:\n}" ::"r"(
                   toShared(bar)),
               "r"(parity)
               : "memory");
}
static __device__ void arrive(uint64_t *bar) {
  asm volatile("mbarrier.arrive.release.cta.shared::cta.b64 _, [%0];" ::"r"(
                   toShared(bar))
               : "memory");
}
static __device__ void expect(uint64_t *bar, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%0], "
               "%1;" ::"r"(toShared(bar)),
               "r"(bytes)
               : "memory");
}
static __device__ void load(void *to, const TensorMap *map, uint64_t *bar,
                            int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::"
               "complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
                   toShared(to)),
               "l"(map), "r"(x), "r"(y), "r"(toShared(bar))
               : "memory");
}
// Rows of 128 bytes, swizzled: groups of 8 rows are 1024 bytes apart.
static __device__ uint64_t describe(const void *p) {
  return uint64_t((toShared(p) & 0x3ffff) >> 4) | uint64_t(1) << 16 |
         uint64_t(1024 >> 4) << 32 | uint64_t(1) << 62;
}

static __device__ void multiply(float (&d)[32], uint64_t a, uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, "
      "%30, %31}, %32, %33, 1, 1, 1, 0, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]),
        "+f"(d[6]), "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]),
        "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
        "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
        "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]),
        "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]),
        "+f"(d[31])
      : "l"(a), "l"(b));
}

extern "C" __global__ void __launch_bounds__(160)
    tma_matmul(const __grid_constant__ TensorMap mapA,
               const __grid_constant__ TensorMap mapB,
               const __grid_constant__ TensorMap mapD, int k) {
  extern __shared__ char raw[];
  Shared &shared = *reinterpret_cast<Shared *>(
      (reinterpret_cast<uintptr_t>(raw) + 1023) & ~uintptr_t(1023));
  const int m0 = blockIdx.y * tileM, n0 = blockIdx.x * tileN;
  const int steps = (k + tileK - 1) / tileK;
  if (threadIdx.x == 0) {
    for (int s = 0; s < stages; ++s) {
      init(&shared.full[s], 1);
      init(&shared.empty[s], 128);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  if (threadIdx.x >= 128) { // The producer.
    if (threadIdx.x == 128)
      for (int i = 0; i < steps; ++i) {
        const int s = i % stages;
        wait(&shared.empty[s], i / stages % 2 ^ 1);
        expect(&shared.full[s], (tileM + tileN) * tileK * 2);
        load(shared.a[s], &mapA, &shared.full[s], i * tileK, m0);
        load(shared.b[s], &mapB, &shared.full[s], i * tileK, n0);
      }
    return;
  }
  float d[32] = {};
  for (int i = 0; i < steps; ++i) {
    const int s = i % stages;
    wait(&shared.full[s], i / stages % 2);
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
    for (int j = 0; j < tileK / 16; ++j)
      multiply(d, describe(shared.a[s]) + 2 * j, describe(shared.b[s]) + 2 * j);
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#ifdef EARLY_RELEASE
    arrive(&shared.empty[s]);
#endif
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
#ifndef EARLY_RELEASE
    arrive(&shared.empty[s]);
#endif
  }
  const int lane = threadIdx.x % 32, row = threadIdx.x / 32 * 16 + lane / 4;
  for (int j = 0; j < 8; ++j)
    for (int half = 0; half < 2; ++half) {
      const int r = row + 8 * half;
      const int piece = (j ^ r % 8) * 8 + lane % 4 * 2;
      *reinterpret_cast<__nv_bfloat162 *>(&shared.d[r * tileN + piece]) =
          __floats2bfloat162_rn(d[4 * j + 2 * half], d[4 * j + 2 * half + 1]);
    }
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  asm volatile("bar.sync 1, 128;" ::: "memory");
  if (threadIdx.x == 0) {
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group "
                 "[%0, {%1, %2}], [%3];" ::"l"(&mapD),
                 "r"(n0), "r"(m0), "r"(toShared(shared.d))
                 : "memory");
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
    asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
  }
}
