// softmax of f32, a warp a row: the greatest element and the sum in one pass.
//
// fk.launch: grid=(ceildiv(rows,4),1,1) block=(128,1,1)
#include <stdint.h>

extern "C" __global__ void __launch_bounds__(128)
    softmax(float *__restrict__ result, const float *__restrict__ input,
            int32_t rows, int32_t columns) {
  const int32_t lane = threadIdx.x % 32,
                row = blockIdx.x * 4 + threadIdx.x / 32;
  if (row >= rows)
    return;
  const int64_t base = static_cast<int64_t>(row) * columns;
  const float low = __int_as_float(static_cast<int32_t>(0xff800000u));
  float top = low, total = 0;
  for (int32_t i = lane; i < columns; i += 32) {
    const float x = input[base + i];
    if (x > top) {
      total = total * expf(top - x) + expf(x - x); // not 1 if x is infinite
      top = x;
    } else if (x == top && x == low) {
      total += 0.0f; // nothing but minus infinities so far
    } else {
      total += expf(x - top);
    }
  }
  for (int32_t offset = 16; offset > 0; offset /= 2) {
    const float otherTop = __shfl_xor_sync(0xffffffffu, top, offset);
    const float otherTotal = __shfl_xor_sync(0xffffffffu, total, offset);
    const float both = fmaxf(top, otherTop);
    total =
        (top == both ? total : total * expf(top - both)) +
        (otherTop == both ? otherTotal : otherTotal * expf(otherTop - both));
    top = both;
  }
  for (int32_t i = lane; i < columns; i += 32) {
    const float x = input[base + i];
    result[base + i] = expf(x - top) / total;
  }
}
