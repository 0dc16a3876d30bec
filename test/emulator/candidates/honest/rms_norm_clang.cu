// rms_norm for clang, which has no bf16 of the toolkit's here: bits and
// builtins alone. make_ptx.sh makes rms_norm_clang.ptx of it.
//
// fk.launch: grid=(tokens,1,1) block=(64,1,1)
#define GLOBAL __attribute__((global))
#define SHARED __attribute__((shared))

static __attribute__((device)) float widen(unsigned short bits) {
  return __builtin_bit_cast(float, static_cast<unsigned>(bits) << 16);
}
/// To nearest, ties to even; a NaN stays one.
static __attribute__((device)) unsigned short narrow(float x) {
  const unsigned bits = __builtin_bit_cast(unsigned, x);
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return 0x7fff;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

extern "C" GLOBAL __attribute__((launch_bounds(64))) void
rms_norm(unsigned short *__restrict__ result,
         const unsigned short *__restrict__ input,
         const unsigned short *__restrict__ weight, float epsilon, int tokens,
         int hidden) {
  const int thread = __nvvm_read_ptx_sreg_tid_x();
  const long long row =
      static_cast<long long>(__nvvm_read_ptx_sreg_ctaid_x()) * hidden;
  float sum = 0;
  for (int i = thread; i < hidden; i += 64) {
    const float x = widen(input[row + i]);
    sum += x * x;
  }
  static SHARED float partial[2];
  for (int offset = 16; offset > 0; offset /= 2)
    sum += __nvvm_shfl_sync_bfly_f32(0xffffffffu, sum, offset, 31);
  if (thread % 32 == 0)
    partial[thread / 32] = sum;
  __syncthreads();
  const float mean = (partial[0] + partial[1]) / static_cast<float>(hidden);
  const float scale = 1.0f / __nvvm_sqrt_rn_f(mean + epsilon);
  for (int i = thread; i < hidden; i += 64)
    result[row + i] = narrow(widen(input[row + i]) * scale * widen(weight[i]));
}
