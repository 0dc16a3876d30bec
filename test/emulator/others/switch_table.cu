// A dense switch, which compilers make a table of (brx.idx), in a loop: a tiny
// machine that every thread runs on its own program.
extern "C" __global__ void switch_table(int *out, const unsigned char *program,
                                        int length) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  int a = t + 1, b = 3, steps = 0;
  for (int at = 0; at < length && steps < 200; ++at, ++steps) {
    switch (program[t * length + at]) {
    case 0:
      a += b;
      break;
    case 1:
      a *= 3;
      break;
    case 2:
      b ^= a;
      break;
    case 3:
      b = a % 17 - b;
      break;
    case 4:
      a = a >> 1;
      break;
    case 5:
      a = -a;
      [[fallthrough]];
    case 6:
      b += 5;
      break;
    case 7:
      if (a > b)
        at += 2;
      break;
    case 8:
      a = a & 0xffff | b << 16;
      break;
    case 9:
      at = length;
      break;
    default:
      a ^= 0x55;
    }
  }
  out[2 * t] = a;
  out[2 * t + 1] = b;
}
