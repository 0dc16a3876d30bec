//===- Sample.cu - The next token ------------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One block of 1024 threads a sequence; the draw is that of
// runtime/reference/SamplingReference.h, in the same order and in double, with
// sums over the block instead of one by one. Nothing is sorted: top-k and top-p are
// cuts of the order of the logits, found by bisection of its 32 bits, each step one
// pass over the row (from L2). Greedy is a single pass.
//
//===----------------------------------------------------------------------===//

#include "Common.cuh"
#include "runtime/reference/SamplingReference.h"

namespace fk {

using reference::getOrder;

constexpr int sampleThreads = 1024;

struct SampleScratch {
  double sums[32];
  int counts[32];
  uint64_t keys[32];
  double tile[sampleThreads];
  int found;
};

/// Tokens of an order above `order`, and those of that order before index
/// `tieEnd`, which are the first `ties`.
struct Cut {
  uint32_t order;
  int ties, tieEnd;
};

template <typename T> class Sampler {
public:
  __device__ Sampler(const T *logits, int vocab, SampleScratch &scratch)
      : logits(logits), vocab(vocab), scratch(scratch) {}

  /// The first index of the largest logit.
  __device__ int findLargest() {
    uint64_t best = 0;
    for (int i = threadIdx.x; i < vocab; i += sampleThreads) {
      uint64_t key = (uint64_t(getOrder(toFloat(logits[i]))) << 32) |
                     uint32_t(0xffffffffu - uint32_t(i));
      best = key > best ? key : best;
    }
    for (int offset = 16; offset > 0; offset /= 2) {
      uint64_t other = __shfl_xor_sync(0xffffffffu, best, offset);
      best = other > best ? other : best;
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0)
      scratch.keys[threadIdx.x / 32] = best;
    __syncthreads();
    for (int i = 0; i < 32; ++i)
      best = scratch.keys[i] > best ? scratch.keys[i] : best;
    return int(0xffffffffu - uint32_t(best));
  }

  __device__ int draw(int best, float heat, int topK, float topP,
                      double uniform) {
    temperature = double(heat);
    largest = toFloat(logits[best]);
    Cut cut = cutTopP(cutTopK(topK), double(topP));
    double wanted = uniform * getMass(cut, 0);
    double mass = 0;
    for (int base = 0; base < vocab; base += sampleThreads) {
      int i = base + threadIdx.x;
      double weight = i < vocab ? getWeight(cut, i, 0) : 0;
      double sum = addBlock(weight);
      if (mass + sum > wanted) {
        scratch.tile[threadIdx.x] = weight;
        __syncthreads();
        if (threadIdx.x == 0) {
          int last = base;
          for (int j = 0; j < sampleThreads; ++j) {
            if (scratch.tile[j] == 0)
              continue;
            mass += scratch.tile[j];
            last = base + j;
            if (mass > wanted)
              break;
          }
          scratch.found = last;
        }
        __syncthreads();
        return scratch.found;
      }
      mass += sum;
    }
    // Only rounding can lead here: the last token with any mass.
    int last = 0;
    for (int i = threadIdx.x; i < vocab; i += sampleThreads)
      if (getWeight(cut, i, 0) != 0)
        last = i;
    return maxBlock(last);
  }

private:
  /// exp((logit - largest) / temperature), 1 at the largest; NaN weighs nothing.
  __device__ double getWeight(float logit) const {
    if (logit != logit)
      return 0;
    if (logit == largest)
      return 1;
    return exp((double(logit) - double(largest)) / temperature);
  }

  /// Of token i, 0 where `cut` drops it or its order is below `least`.
  __device__ double getWeight(const Cut &cut, int i, uint32_t least) const {
    float logit = toFloat(logits[i]);
    uint32_t order = getOrder(logit);
    bool kept = order > cut.order || (order == cut.order && i < cut.tieEnd);
    return kept && order >= least ? getWeight(logit) : 0;
  }

  __device__ double addBlock(double value) {
    for (int offset = 16; offset > 0; offset /= 2)
      value += __shfl_xor_sync(0xffffffffu, value, offset);
    __syncthreads();
    if (threadIdx.x % 32 == 0)
      scratch.sums[threadIdx.x / 32] = value;
    __syncthreads();
    value = 0;
    for (int i = 0; i < 32; ++i)
      value += scratch.sums[i];
    return value;
  }

  __device__ int addBlock(int value) {
    value = __reduce_add_sync(0xffffffffu, value);
    __syncthreads();
    if (threadIdx.x % 32 == 0)
      scratch.counts[threadIdx.x / 32] = value;
    __syncthreads();
    return __reduce_add_sync(0xffffffffu, scratch.counts[threadIdx.x % 32]);
  }

  __device__ int maxBlock(int value) {
    value = __reduce_max_sync(0xffffffffu, value);
    __syncthreads();
    if (threadIdx.x % 32 == 0)
      scratch.counts[threadIdx.x / 32] = value;
    __syncthreads();
    return __reduce_max_sync(0xffffffffu, scratch.counts[threadIdx.x % 32]);
  }

  template <typename Predicate> __device__ int count(Predicate predicate) {
    int local = 0;
    for (int i = threadIdx.x; i < vocab; i += sampleThreads)
      local += predicate(getOrder(toFloat(logits[i])));
    return addBlock(local);
  }

  __device__ double getMass(const Cut &cut, uint32_t least) {
    double local = 0;
    for (int i = threadIdx.x; i < vocab; i += sampleThreads)
      local += getWeight(cut, i, least);
    return addBlock(local);
  }

  /// The index behind the ties-th token of just that order.
  __device__ int findTieEnd(uint32_t order, int ties) {
    if (ties <= 0)
      return 0;
    int before = 0;
    for (int base = 0; base < vocab; base += sampleThreads) {
      int i = base + threadIdx.x;
      bool equal = i < vocab && getOrder(toFloat(logits[i])) == order;
      uint32_t ballot = __ballot_sync(0xffffffffu, equal);
      __syncthreads();
      if (threadIdx.x % 32 == 0)
        scratch.counts[threadIdx.x / 32] = __popc(ballot);
      __syncthreads();
      int rank = before, total = before;
      for (int w = 0; w < 32; ++w) {
        rank += w < int(threadIdx.x / 32) ? scratch.counts[w] : 0;
        total += scratch.counts[w];
      }
      if (total >= ties) {
        rank += __popc(ballot & ((1u << (threadIdx.x % 32)) - 1));
        if (equal && rank == ties - 1)
          scratch.found = i + 1;
        __syncthreads();
        return scratch.found;
      }
      before = total;
    }
    return vocab;
  }

  __device__ Cut cutTopK(int topK) {
    if (topK <= 0 || topK >= vocab)
      return {0, vocab, vocab};
    uint32_t order = 0;
    for (int bit = 31; bit >= 0; --bit) {
      uint32_t trial = order | (uint32_t(1) << bit);
      if (count([=](uint32_t o) { return o >= trial; }) >= topK)
        order = trial;
    }
    int ties = topK - count([=](uint32_t o) { return o > order; });
    return {order, ties, findTieEnd(order, ties)};
  }

  __device__ Cut cutTopP(Cut cut, double topP) {
    if (topP >= 1)
      return cut;
    double wanted = topP * getMass(cut, 0);
    uint32_t order = 0, most = getOrder(largest);
    for (int bit = 31; bit >= 0; --bit) {
      uint32_t trial = order | (uint32_t(1) << bit);
      if (trial <= most && getMass(cut, trial) >= wanted)
        order = trial;
    }
    if (order < cut.order)
      return cut;
    int available = count([=](uint32_t o) { return o == order; });
    double local = 0;
    for (int i = threadIdx.x; i < vocab; i += sampleThreads)
      if (getOrder(toFloat(logits[i])) > order)
        local += getWeight(toFloat(logits[i]));
    double above = addBlock(local);
    // The logit of that order, whatever its type: the order can be turned back.
    double weight =
        available ? getWeight(__uint_as_float(
                        order & 0x80000000u ? order & 0x7fffffffu : ~order))
                  : 0;
    if (order == cut.order && cut.ties < available)
      available = cut.ties;
    int ties = 0;
    if (weight > 0 && above > 0)
      ties = int(fmin(fmax((wanted - above) / weight - 2, 0.0),
                      double(available)));
    while (ties < available && (above + ties * weight < wanted ||
                                (ties == 0 && above == 0)))
      ++ties;
    return {order, ties, findTieEnd(order, ties)};
  }

  const T *logits;
  int vocab;
  SampleScratch &scratch;
  double temperature = 1;
  float largest = 0;
};

template <typename T>
__device__ __forceinline__ void
sampleNext(int32_t *next, const T *logits, const float *temperature,
           const int32_t *topK, const float *topP, const int64_t *seed,
           const int32_t *position, int vocab) {
  __shared__ SampleScratch scratch;
  beginKernel();
  int seq = blockIdx.x;
  Sampler<T> sampler(logits + int64_t(seq) * vocab, vocab, scratch);
  int token = sampler.findLargest();
  if (temperature[seq] > 0)
    token = sampler.draw(token, temperature[seq], topK[seq], topP[seq],
                         reference::getUniform(seed[seq], position[seq]));
  if (threadIdx.x == 0)
    next[seq] = token;
}

} // namespace fk

using namespace fk;

#define DEFINE(T)                                                              \
  extern "C" __global__ void __launch_bounds__(1024) sample_##T(               \
      int32_t *next, const T *logits, const float *temperature,                \
      const int32_t *top_k, const float *top_p, const int64_t *seed,           \
      const int32_t *position, int32_t, int32_t vocab) {                       \
    sampleNext(next, logits, temperature, top_k, top_p, seed, position,        \
               vocab);                                                         \
  }
FK_FOR_ALL_TYPES(DEFINE)
