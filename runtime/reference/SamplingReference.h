//===- SamplingReference.h - Row selection, pooling, sampling ---*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Selection and pooling are functions per element; sampling is one per
// sequence.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_SAMPLINGREFERENCE_H
#define FK_RUNTIME_REFERENCE_SAMPLINGREFERENCE_H

#include "runtime/reference/Scalar.h"

namespace fk::reference {

/// gather_last_tokens: y[s, h] = x[cu_seqlens[s + 1] - 1, h].
template <typename C, typename T>
FK_HOST_DEVICE inline C gatherLastElement(const T *x, const int32_t *cuSeqlens,
                                          int64_t hidden, int64_t s,
                                          int64_t h) {
  return C(widen(x[int64_t(cuSeqlens[s + 1] - 1) * hidden + h]));
}

/// pool: the sequence's first row (mean = 0), or the mean of its rows, summed
/// in C in their order.
template <typename C, typename T>
FK_HOST_DEVICE inline C poolElement(const T *x, const int32_t *cuSeqlens,
                                    int32_t mean, int64_t hidden, int64_t s,
                                    int64_t h) {
  int64_t begin = cuSeqlens[s], end = cuSeqlens[s + 1];
  if (!mean)
    return C(widen(x[begin * hidden + h]));
  C sum = 0;
  for (int64_t t = begin; t < end; ++t)
    sum += C(widen(x[t * hidden + h]));
  return sum / C(end - begin);
}

/// Philox4x32-10 (Salmon et al., 2011): `counter` becomes the four random
/// words.
FK_HOST_DEVICE inline void philox(uint32_t counter[4], uint32_t key0,
                                  uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = uint64_t(0xD2511F53u) * counter[0];
    uint64_t product1 = uint64_t(0xCD9E8D57u) * counter[2];
    uint32_t next0 = uint32_t(product1 >> 32) ^ counter[1] ^ key0;
    uint32_t next2 = uint32_t(product0 >> 32) ^ counter[3] ^ key1;
    counter[1] = uint32_t(product1);
    counter[3] = uint32_t(product0);
    counter[0] = next0;
    counter[2] = next2;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

/// The draw of one sequence: key = seed (low word, high word), counter =
/// (position, 0, 0, 0); the first 27 bits of word 0 and 26 of word 1 are a
/// double in [0, 1).
FK_HOST_DEVICE inline double getUniform(int64_t seed, int32_t position) {
  uint32_t words[4] = {uint32_t(position), 0, 0, 0};
  philox(words, uint32_t(uint64_t(seed)), uint32_t(uint64_t(seed) >> 32));
  return (double(words[0] >> 5) * 67108864.0 + double(words[1] >> 6)) *
         (1.0 / 9007199254740992.0);
}

/// An integer that orders as the logit does; NaN is below all.
FK_HOST_DEVICE inline uint32_t getOrder(float logit) {
  if (logit != logit)
    return 0;
  if (logit == 0) // -0 and 0 are one value
    logit = 0;
  uint32_t bits = getBits(logit);
  return bits & 0x80000000 ? ~bits : bits | 0x80000000;
}

/// Tokens kept: those of an order above `order`, and the first `ties` of those
/// of just that order.
struct TokenCut {
  uint32_t order;
  int64_t ties;
};

/// The temperature softmax of one row and its cuts, in double whatever the
/// storage: a draw must not depend on the compute type.
template <typename T> struct SampleRow {
  const T *logits;
  int64_t vocab;
  double temperature;
  float largest;

  /// exp((logit - largest) / temperature), 1 at the largest; NaN weighs
  /// nothing.
  FK_HOST_DEVICE double getWeight(float logit) const {
    if (logit != logit)
      return 0;
    if (logit == largest) // also where both are infinite
      return 1;
    return std::exp((double(logit) - double(largest)) / temperature);
  }

  /// topK of the largest, ties by the lower index; all where topK is 0,
  /// negative or not below vocab. Found by bisection of the order, so without
  /// scratch.
  FK_HOST_DEVICE TokenCut cutTopK(int64_t topK) const {
    if (topK <= 0 || topK >= vocab)
      return {0, vocab};
    uint32_t order = 0; // the largest order that topK tokens reach
    for (int bit = 31; bit >= 0; --bit) {
      uint32_t trial = order | (uint32_t(1) << bit);
      int64_t count = 0;
      for (int64_t i = 0; i < vocab; ++i)
        count += getOrder(widen(logits[i])) >= trial;
      if (count >= topK)
        order = trial;
    }
    int64_t above = 0;
    for (int64_t i = 0; i < vocab; ++i)
      above += getOrder(widen(logits[i])) > order;
    return {order, topK - above};
  }

  /// Mass of the tokens that `cut` keeps and that are of order `least` or more.
  FK_HOST_DEVICE double getMass(TokenCut cut, uint32_t least) const {
    double mass = 0;
    int64_t ties = cut.ties;
    for (int64_t i = 0; i < vocab; ++i) {
      float logit = widen(logits[i]);
      uint32_t order = getOrder(logit);
      if (order > cut.order
              ? order >= least
              : order == cut.order && ties-- > 0 && order >= least)
        mass += getWeight(logit);
    }
    return mass;
  }

  /// The fewest of the largest tokens of `cut` whose mass is at least topP of
  /// its mass, at least one; ties by the lower index.
  FK_HOST_DEVICE TokenCut cutTopP(TokenCut cut, double topP) const {
    if (topP >= 1)
      return cut;
    double wanted = topP * getMass(cut, 0);
    uint32_t order = 0; // the largest order whose mass reaches `wanted`
    for (int bit = 31; bit >= 0; --bit) {
      uint32_t trial = order | (uint32_t(1) << bit);
      if (trial <= getOrder(largest) && getMass(cut, trial) >= wanted)
        order = trial;
    }
    if (order < cut.order)
      return cut;
    int64_t available = 0;
    double above = 0, weight = 0;
    for (int64_t i = 0; i < vocab; ++i) {
      float logit = widen(logits[i]);
      if (getOrder(logit) > order)
        above += getWeight(logit);
      else if (getOrder(logit) == order) {
        ++available;
        weight = getWeight(logit);
      }
    }
    if (order == cut.order && cut.ties < available)
      available = cut.ties;
    int64_t ties = 0;
    while (ties < available &&
           (above + ties * weight < wanted || (ties == 0 && above == 0)))
      ++ties;
    return {order, ties};
  }

  /// The first token, in index order, at which the kept mass summed so far
  /// exceeds `uniform` of the whole.
  FK_HOST_DEVICE int64_t draw(TokenCut cut, double uniform) const {
    double wanted = uniform * getMass(cut, 0);
    double mass = 0;
    int64_t ties = cut.ties, last = 0;
    for (int64_t i = 0; i < vocab; ++i) {
      float logit = widen(logits[i]);
      uint32_t order = getOrder(logit);
      if (order > cut.order || (order == cut.order && ties-- > 0)) {
        double weight = getWeight(logit);
        if (weight == 0)
          continue;
        mass += weight;
        last = i;
        if (mass > wanted)
          return i;
      }
    }
    return last;
  }
};

/// The first index of the largest logit; NaN loses to everything.
template <typename T>
FK_HOST_DEVICE inline int64_t getLargestIndex(const T *logits, int64_t vocab) {
  int64_t best = 0;
  for (int64_t i = 1; i < vocab; ++i)
    if (getOrder(widen(logits[i])) > getOrder(widen(logits[best])))
      best = i;
  return best;
}

/// sample of one row: the largest logit where temperature is 0 (or below), else
/// a draw from softmax(logits / temperature) cut to topK and then to topP.
template <typename T>
FK_HOST_DEVICE inline int32_t
sampleRow(const T *logits, int64_t vocab, float temperature, int32_t topK,
          float topP, int64_t seed, int32_t position) {
  int64_t best = getLargestIndex(logits, vocab);
  if (!(temperature > 0))
    return int32_t(best);
  SampleRow<T> row = {logits, vocab, double(temperature), widen(logits[best])};
  TokenCut cut = row.cutTopP(row.cutTopK(topK), topP);
  return int32_t(row.draw(cut, getUniform(seed, position)));
}

} // namespace fk::reference

#endif // FK_RUNTIME_REFERENCE_SAMPLINGREFERENCE_H
