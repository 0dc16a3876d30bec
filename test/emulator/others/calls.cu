// Functions that are called: a struct by value and back, an array on the stack,
// recursion, and a pointer to a function.
struct Pair {
  int low, high;
};
static __device__ __noinline__ Pair divide(Pair value, int by) {
  return {value.low / by, value.high % by + value.low % by};
}
static __device__ __noinline__ int weigh(const int *digits, int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i)
    sum += digits[i] * (i + 1);
  return sum;
}
static __device__ __noinline__ int ackermann(int m, int n) {
  if (m == 0)
    return n + 1;
  return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}
static __device__ int twice(int x) { return 2 * x; }
static __device__ int square(int x) { return x * x; }
static __device__ int minus(int x) { return -x; }
using Function = int (*)(int);
static __device__ Function functions[3] = {twice, square, minus};

extern "C" __global__ void calls(int *out, const int *in) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  const int x = in[t];
  int digits[12], count = 0;
  for (int rest = x < 0 ? -x : x; count < 10; ++count) {
    digits[(count * 7) % 10] = rest % 10;
    rest /= 10;
  }
  const Pair pair = divide({x, t}, t % 5 + 2);
  int *o = out + 5 * t;
  o[0] = weigh(digits, count);
  o[1] = pair.low;
  o[2] = pair.high;
  o[3] = ackermann(t % 3, t % 5);
  o[4] = functions[(unsigned)x % 3](x % 1000);
}
