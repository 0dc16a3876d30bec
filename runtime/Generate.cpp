//===- Generate.cpp - Prompts to new tokens over a paged cache ------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/Batch.h"

#include "runtime/Program.h"
#include "runtime/StepInputs.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <utility>

using namespace fk;

PageAllocator::PageAllocator(int64_t pages)
    : isTaken(static_cast<size_t>(pages)) {
  for (int64_t page = pages; page > 0; --page)
    free.push_back(static_cast<int32_t>(page - 1));
}

int32_t PageAllocator::take() {
  if (free.empty())
    throw Error({.what = "the cache has no free page",
                 .wanted = "1 page",
                 .got = "all " + std::to_string(isTaken.size()) + " in use",
                 .mend = "raise the session's pages or lower the batch"},
                ErrorKind::Infrastructure);
  int32_t page = free.back();
  free.pop_back();
  isTaken[static_cast<size_t>(page)] = true;
  return page;
}

void PageAllocator::give(int32_t page) {
  if (page < 0 || static_cast<size_t>(page) >= isTaken.size() ||
      !isTaken[static_cast<size_t>(page)])
    throw Error({.what = "a page is given back that nobody holds",
                 .got = std::to_string(page)});
  isTaken[static_cast<size_t>(page)] = false;
  free.push_back(page);
}

namespace {

using Clock = std::chrono::steady_clock;

double getMillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start)
      .count();
}

/// The rows of cache that a prompt comes to need: its last new token is never
/// fed back.
int64_t getCachedLength(const std::vector<int32_t> &prompt,
                        int64_t maxNewTokens) {
  return static_cast<int64_t>(prompt.size()) + maxNewTokens - 1;
}

void checkRequest(const Plan &plan, const GenerateRequest &request) {
  const PlanFunction &step = getStepFunction(plan);
  if (request.prompts.empty())
    throw Error({.what = "nothing to continue", .wanted = "a prompt"});
  constexpr int64_t mostTokens = int64_t(1) << 30;
  if (request.maxNewTokens < 1 || request.maxNewTokens > mostTokens)
    throw Error({.what = "the number of new tokens is impossible",
                 .wanted = "1 to " + std::to_string(mostTokens),
                 .got = std::to_string(request.maxNewTokens)});
  size_t samplings = request.sampling.size();
  if (samplings > 1 && samplings != request.prompts.size())
    throw Error({.what = "sampling parameters do not fit the prompts",
                 .wanted = "one, or one for each of " +
                           std::to_string(request.prompts.size()) + " prompts",
                 .got = std::to_string(samplings)});
  for (const SamplingParams &sampling : request.sampling)
    if (!(sampling.temperature >= 0) || sampling.topK < 0 ||
        !(sampling.topP > 0 && sampling.topP <= 1))
      throw Error({.what = "a sampling parameter is out of range",
                   .wanted = "temperature >= 0, top_k >= 0, 0 < top_p <= 1",
                   .got = std::to_string(sampling.temperature) + ", " +
                          std::to_string(sampling.topK) + ", " +
                          std::to_string(sampling.topP)});
  std::optional<int64_t> limit;
  if (plan.model.vocabSize > 0)
    limit = plan.model.vocabSize;
  for (size_t i = 0; i < step.params.size(); ++i)
    if (step.values.at(static_cast<size_t>(step.params[i])).role.from ==
        "input_ids")
      if (std::optional<int64_t> rows = getIndexLimit(plan, step, i))
        limit = rows;
  for (size_t row = 0; row < request.prompts.size(); ++row) {
    const std::vector<int32_t> &prompt = request.prompts[row];
    std::string where = "prompt " + std::to_string(row);
    if (prompt.empty())
      throw Error({.what = "a prompt is empty",
                   .where = where,
                   .wanted = "at least one token"});
    for (size_t i = 0; i < prompt.size(); ++i)
      if (prompt[i] < 0 || (limit && prompt[i] >= *limit))
        throw Error({.what = "a token is out of range",
                     .where = where + ", token " + std::to_string(i),
                     .wanted = limit ? "0 to " + std::to_string(*limit - 1)
                                     : "no negative number",
                     .got = std::to_string(prompt[i])});
  }
}

void checkLimits(const SessionLimits &have, const SessionLimits &need) {
  auto check = [](const char *name, int64_t have, int64_t need) {
    if (have < need)
      throw Error({.what = "the session is too small for the prompts",
                   .where = name,
                   .wanted = std::to_string(need),
                   .got = std::to_string(have),
                   .mend = "raise the session's limits"});
  };
  check("maxSeqs", have.maxSeqs, need.maxSeqs);
  check("maxTokens", have.maxTokens, need.maxSeqs); // a decode step's
  check("maxPositions", have.maxPositions, need.maxPositions);
  check("pages", have.pages, need.pages);
}

/// A prompt on its way.
struct Sequence {
  size_t prompt = 0;           ///< its index in the request
  std::vector<int32_t> tokens; ///< the prompt, then the new ones
  int64_t cached = 0;          ///< tokens that have been fed
  std::vector<int32_t> pages;
  SamplingParams sampling;
};

class Generator {
public:
  Generator(Session &session, const GenerateRequest &request)
      : session(session), plan(session.getPlan()), request(request),
        allocator(session.getLimits().pages), pageSize(plan.model.pageSize) {
    for (size_t i = 0; i < request.prompts.size(); ++i) {
      Sequence sequence;
      sequence.prompt = i;
      sequence.tokens = request.prompts[i];
      if (!request.sampling.empty())
        sequence.sampling =
            request.sampling[request.sampling.size() == 1 ? 0 : i];
      active.push_back(std::move(sequence));
    }
    result.tokens.resize(request.prompts.size());
    result.stopReasons.resize(request.prompts.size(), StopReason::Length);
  }

  ~Generator() { session.setLongestSequence(0); }
  Generator(const Generator &) = delete;
  Generator &operator=(const Generator &) = delete;

  GenerateResult run() {
    auto start = Clock::now();
    prefill();
    result.prefillMilliseconds = getMillisecondsSince(start);
    while (!active.empty()) {
      start = Clock::now();
      std::vector<Piece> batch;
      for (Sequence &sequence : active)
        batch.push_back({&sequence, 1});
      std::vector<int32_t> next = runStep(batch, request.useGraphs);
      result.decodeMilliseconds.push_back(getMillisecondsSince(start));
      for (size_t i = 0; i < batch.size(); ++i)
        accept(*batch[i].sequence, next[i]);
      dropFinished();
    }
    return std::move(result);
  }

private:
  /// Tokens of a sequence that one call feeds.
  struct Piece {
    Sequence *sequence;
    int64_t count;
  };

  /// Feeds all prompts. A prompt that does not fit the rest of a call goes on
  /// in the next one; its answer counts when its last token was fed.
  void prefill() {
    int64_t maxTokens = session.getLimits().maxTokens;
    size_t current = 0;
    while (current < active.size()) {
      std::vector<Piece> batch;
      int64_t room = maxTokens;
      for (size_t i = current; i < active.size() && room > 0; ++i) {
        Sequence &sequence = active[i];
        int64_t count =
            std::min(room, static_cast<int64_t>(sequence.tokens.size()) -
                               sequence.cached);
        batch.push_back({&sequence, count});
        room -= count;
      }
      std::vector<int32_t> next = runStep(batch, /*useGraph=*/false);
      for (size_t i = 0; i < batch.size(); ++i) {
        Sequence &sequence = *batch[i].sequence;
        if (sequence.cached < static_cast<int64_t>(sequence.tokens.size()))
          continue;
        accept(sequence, next[i]);
        ++current;
      }
    }
    dropFinished();
  }

  void accept(Sequence &sequence, int32_t token) {
    sequence.tokens.push_back(token);
    result.tokens[sequence.prompt].push_back(token);
    if (request.onToken)
      request.onToken(sequence.prompt, token);
    const std::vector<int64_t> &ends = plan.model.eosTokenIds;
    if (request.stopAtEos &&
        std::find(ends.begin(), ends.end(), token) != ends.end())
      result.stopReasons[sequence.prompt] = StopReason::EndOfSequence;
  }

  bool isFinished(const Sequence &sequence) const {
    return result.stopReasons[sequence.prompt] == StopReason::EndOfSequence ||
           static_cast<int64_t>(result.tokens[sequence.prompt].size()) >=
               request.maxNewTokens;
  }

  void dropFinished() {
    std::erase_if(active, [&](const Sequence &sequence) {
      if (!isFinished(sequence))
        return false;
      for (int32_t page : sequence.pages)
        allocator.give(page);
      return true;
    });
  }

  /// Runs `step` over the pieces; returns the token behind each.
  std::vector<int32_t> runStep(const std::vector<Piece> &batch, bool useGraph) {
    int64_t tokens = 0, longest = 0;
    std::vector<StepSequence> fed;
    for (const Piece &piece : batch) {
      Sequence &sequence = *piece.sequence;
      tokens += piece.count;
      while (static_cast<int64_t>(sequence.pages.size()) * pageSize <
             sequence.cached + piece.count)
        sequence.pages.push_back(allocator.take());
      fed.push_back({sequence.tokens, sequence.pages, sequence.cached,
                     piece.count, sequence.sampling});
    }
    // All prompts of a batch share one rotary table, as in the library.
    for (const Sequence &sequence : active)
      longest = std::max(longest, static_cast<int64_t>(sequence.tokens.size()));
    auto seqs = static_cast<int64_t>(batch.size());
    session.setLongestSequence(longest);
    session.run("step", {{"tokens", tokens}, {"seqs", seqs}},
                makeStepInputs(plan, session.getLimits(), fed), useGraph);
    HostTensor next = session.getResult("next_tokens");
    for (const Piece &piece : batch)
      piece.sequence->cached += piece.count;
    std::span<const int32_t> values = std::as_const(next).as<int32_t>();
    return {values.begin(), values.end()};
  }

  Session &session;
  const Plan &plan;
  const GenerateRequest &request;
  PageAllocator allocator;
  int64_t pageSize;
  std::vector<Sequence> active;
  GenerateResult result;
};

} // namespace

SessionLimits fk::limitsFor(const Plan &plan, const GenerateRequest &request) {
  checkRequest(plan, request);
  SessionLimits limits;
  int64_t pageSize = plan.model.pageSize;
  for (const std::vector<int32_t> &prompt : request.prompts) {
    int64_t cached = getCachedLength(prompt, request.maxNewTokens);
    limits.maxTokens += static_cast<int64_t>(prompt.size());
    limits.maxPositions = std::max(limits.maxPositions, cached);
    limits.pages += (cached + pageSize - 1) / pageSize;
    ++limits.maxSeqs;
  }
  return limits;
}

GenerateResult fk::generate(Session &session, const GenerateRequest &request) {
  SessionLimits need = limitsFor(session.getPlan(), request);
  checkLimits(session.getLimits(), need);
  return Generator(session, request).run();
}
