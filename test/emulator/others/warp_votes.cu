// Votes, matches and shuffles of every kind, also in halves of a warp.
extern "C" __global__ void warp_votes(unsigned *out, const int *in) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32;
  const int x = in[t];
  unsigned *o = out + 8 * t;
  o[0] = __ballot_sync(~0u, x > 0);
  o[1] = __all_sync(~0u, x < 100) | __any_sync(~0u, x == 3) << 1 |
         (__activemask() == ~0u) << 2;
  o[2] = __match_any_sync(~0u, x % 4);
  int same;
  o[3] = __match_all_sync(~0u, x / 1000, &same) + same;
  o[4] = __shfl_up_sync(~0u, x, 3, 16);
  o[5] = __shfl_sync(~0u, x, x & 31);
  if (lane < 16)
    o[6] = __shfl_xor_sync(0x0000ffffu, x, 5);
  else
    o[6] = __reduce_add_sync(0xffff0000u, (unsigned)x);
  __syncwarp();
  o[7] = __shfl_down_sync(~0u, (unsigned)lane * 3, lane % 3 ? 1 : 2);
}
