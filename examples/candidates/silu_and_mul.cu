// silu_and_mul: y[t, i] = silu(gate_up[t, i]) * gate_up[t, intermediate + i],
// 16 bytes a load. The width is compiled in: fk defines FK_INTERMEDIATE once
// per distinct width of the model.
//
// fk.launch: grid=(ceildiv(intermediate, 2048),tokens,1) block=(256,1,1)
// fk.launch: where=(intermediate % 8 == 0 && tokens <= 65535)
#include <cuda_bf16.h>
#include <stdint.h>

#ifndef FK_INTERMEDIATE
#define FK_INTERMEDIATE intermediate
#endif

static __device__ float2 unpack(uint32_t word) {
  return make_float2(__uint_as_float(word << 16),
                     __uint_as_float(word & 0xffff0000u));
}
static __device__ float silu(float x) { return x / (1.0f + __expf(-x)); }
/// Two elements of the gate with two of the other half.
static __device__ uint32_t combine(uint32_t gate, uint32_t up) {
  const float2 g = unpack(gate), u = unpack(up);
  const __nv_bfloat162 pair =
      __floats2bfloat162_rn(silu(g.x) * u.x, silu(g.y) * u.y);
  return static_cast<uint32_t>(__bfloat16_as_ushort(pair.x)) |
         static_cast<uint32_t>(__bfloat16_as_ushort(pair.y)) << 16;
}

extern "C" __global__ void __launch_bounds__(256)
    silu_and_mul(__nv_bfloat16 *__restrict__ result,
                 const __nv_bfloat16 *__restrict__ gate_up, int32_t tokens,
                 int32_t intermediate) {
  const int64_t width = FK_INTERMEDIATE;
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x) * 8;
  if (at >= width)
    return;
  const int64_t token = blockIdx.y;
  const __nv_bfloat16 *row = gate_up + token * 2 * width + at;
  const uint4 gate = *reinterpret_cast<const uint4 *>(row);
  const uint4 up = *reinterpret_cast<const uint4 *>(row + width);
  *reinterpret_cast<uint4 *>(result + token * width + at) =
      make_uint4(combine(gate.x, up.x), combine(gate.y, up.y),
                 combine(gate.z, up.z), combine(gate.w, up.w));
}
