//===- Workload.h - The regime a model runs under --------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_BENCH_WORKLOAD_H
#define FK_BENCH_WORKLOAD_H

#include "runtime/Session.h"

#include <map>
#include <string>
#include <string_view>

namespace fk::bench {

/// One call of a public function at fixed sizes.
struct Workload {
  enum class Kind {
    Decode,  ///< `step`, one new token a sequence, `length` rows in its cache
    Prefill, ///< `step`, `length` new tokens a sequence, empty cache
    Forward, ///< `forward`, `length` tokens a sequence, no cache
  };
  Kind kind = Kind::Forward;
  int64_t batch = 1, length = 128;

  /// "decode-b1-c1024", "prefill-b1-2048", "forward-b32-512"; "decode-b1",
  /// "prefill-2048" and "forward-512" leave the rest to the defaults (context
  /// 1024, batch 1). Throws Error for anything else.
  static Workload parse(std::string_view text);
  std::string str() const;
  std::string describe() const; ///< "decode, batch 1, context 1024"

  std::string getFunction() const;
  AxisValues getSymbols() const;
  SessionLimits getLimits(const Plan &plan) const;
  /// Tokens of one call that fills a cache of `context` rows less one.
  static int64_t prefillChunk(int64_t context);
};

/// Inputs of the workload's function by parameter name: ids uniform in the
/// vocabulary by `seed`. For Decode this also fills the caches, by running the
/// context through `step` as a prefill.
std::map<std::string, HostTensor> prepare(const Workload &workload,
                                          Session &session, uint64_t seed);

} // namespace fk::bench

#endif // FK_BENCH_WORKLOAD_H
