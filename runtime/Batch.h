//===- Batch.h - From the caller's tensors to packed calls -----*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// What lies between the reference library's padded tensors or a list of prompts
// and the plan's packed functions. It knows the roles of runtime/Plan.h and
// nothing of models.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_BATCH_H
#define FK_RUNTIME_BATCH_H

#include "runtime/Session.h"

#include <functional>
#include <string>
#include <vector>

namespace fk {

/// Limits that one forward of `inputs` needs.
SessionLimits limitsFor(const Plan &plan, const NamedTensors &inputs);

/// One forward of a padded batch. `inputs` are named as the reference library
/// names them: what the roles of `forward` ask for ([batch, length], integers
/// of any width) and `attention_mask` (each row one run of ones; none: all
/// ones). Results are float32: rows as [batch, length, ...] with zeros where
/// the mask is zero, sequences as [batch, ...].
NamedTensors runForward(Session &session, const NamedTensors &inputs);

/// The parameters of `forward`, packed, by name: what runForward passes to it.
std::map<std::string, HostTensor> packForward(const Plan &plan,
                                              const NamedTensors &inputs);

/// How the next token of a sequence is drawn; greedy at temperature 0.
struct SamplingParams {
  float temperature = 0;
  int32_t topK = 0; ///< 0: all
  float topP = 1;
  int64_t seed = 0;
};

enum class StopReason { Length, EndOfSequence };

struct GenerateRequest {
  std::vector<std::vector<int32_t>> prompts;
  int64_t maxNewTokens = 16;
  /// One for all prompts, or one each; none: greedy.
  std::vector<SamplingParams> sampling;
  bool stopAtEos = true;
  bool useGraphs = true; ///< for decode, on devices that have graphs
  /// Called for every new token, in the order they are made.
  std::function<void(size_t prompt, int32_t token)> onToken;
};

struct GenerateResult {
  /// New tokens of each prompt, with the one that ended the sequence.
  std::vector<std::vector<int32_t>> tokens;
  std::vector<StopReason> stopReasons;
  double prefillMilliseconds = 0;
  /// One a decode step: from the enqueueing to the token on the host.
  std::vector<double> decodeMilliseconds;
};

/// Limits that generate() needs for these prompts.
SessionLimits limitsFor(const Plan &plan, const GenerateRequest &request);

/// Continues the prompts with the plan's `step`: a prefill of all of them,
/// packed (in pieces of the session's maxTokens), then one step a token. A
/// sequence that has ended leaves the batch. The caches are the session's: one
/// generation at a time.
GenerateResult generate(Session &session, const GenerateRequest &request);

/// The free pages of a paged cache.
class PageAllocator {
public:
  explicit PageAllocator(int64_t pages);
  /// Throws Error (Infrastructure) where none is left.
  int32_t take();
  void give(int32_t page);
  int64_t getFreePages() const { return static_cast<int64_t>(free.size()); }

private:
  std::vector<int32_t> free; ///< the next one is the last
  std::vector<bool> isTaken;
};

} // namespace fk

#endif // FK_RUNTIME_BATCH_H
