//===- Workload.cpp - The regime a model runs under -----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/Workload.h"

#include "runtime/Batch.h"
#include "runtime/StepInputs.h"
#include "runtime/support/Error.h"

#include <charconv>
#include <random>

using namespace fk;
using namespace fk::bench;

static std::string_view getKindName(Workload::Kind kind) {
  switch (kind) {
  case Workload::Kind::Decode:
    return "decode";
  case Workload::Kind::Prefill:
    return "prefill";
  case Workload::Kind::Forward:
    return "forward";
  }
  return "";
}

Workload Workload::parse(std::string_view text) {
  auto fail = [&]() -> Error {
    return Error({"workload is not known", "--workload",
                  "decode-b<batch>-c<context>, prefill-b<batch>-<tokens> or "
                  "forward-b<batch>-<tokens>",
                  std::string(text), "for example decode-b1-c1024"});
  };
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('-', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  Workload workload;
  if (parts[0] == "decode")
    workload.kind = Kind::Decode;
  else if (parts[0] == "prefill")
    workload.kind = Kind::Prefill;
  else if (parts[0] == "forward")
    workload.kind = Kind::Forward;
  else
    throw fail();
  if (workload.kind == Kind::Decode)
    workload.length = 1024;
  for (size_t i = 1; i < parts.size(); ++i) {
    std::string_view number = parts[i];
    int64_t *field = &workload.length;
    if (number.starts_with('b')) {
      field = &workload.batch;
      number.remove_prefix(1);
    } else if (workload.kind == Kind::Decode) {
      if (!number.starts_with('c'))
        throw fail();
      number.remove_prefix(1);
    }
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), *field);
    if (error != std::errc() || end != number.data() + number.size() ||
        *field < 1 || *field > (1 << 22))
      throw fail();
  }
  // One row of a cached sequence is the new token's.
  if (workload.kind == Kind::Decode && workload.length < 2)
    throw fail();
  return workload;
}

std::string Workload::str() const {
  return std::string(getKindName(kind)) + "-b" + std::to_string(batch) + "-" +
         (kind == Kind::Decode ? "c" : "") + std::to_string(length);
}

std::string Workload::describe() const {
  return std::string(getKindName(kind)) + ", batch " + std::to_string(batch) +
         (kind == Kind::Decode ? ", context " : ", tokens ") +
         std::to_string(length);
}

std::string Workload::getFunction() const {
  return kind == Kind::Forward ? "forward" : "step";
}

AxisValues Workload::getSymbols() const {
  return {{"tokens", kind == Kind::Decode ? batch : batch * length},
          {"seqs", batch}};
}

SessionLimits Workload::getLimits(const Plan &plan) const {
  if (!plan.findFunction(getFunction()))
    throw Error({"the model has no such workload", plan.model.architecture,
                 "a workload of its functions",
                 str() + ", which needs '" + getFunction() + "'",
                 "try forward-b" + std::to_string(batch) + "-" +
                     std::to_string(length)});
  if (plan.model.maxPositions > 0 && length > plan.model.maxPositions)
    throw Error({"the workload is longer than the model allows",
                 plan.model.architecture,
                 "at most " + std::to_string(plan.model.maxPositions),
                 std::to_string(length), "choose a shorter one"});
  SessionLimits limits;
  limits.maxSeqs = batch;
  limits.maxPositions = length;
  limits.maxTokens = kind == Kind::Decode
                         ? std::max(batch, prefillChunk(length))
                         : batch * length;
  if (kind != Kind::Forward && plan.model.pageSize > 0)
    limits.pages =
        batch * ((length + plan.model.pageSize - 1) / plan.model.pageSize);
  return limits;
}

int64_t Workload::prefillChunk(int64_t context) {
  // One sequence at a time, so that the arena stays small.
  return context - 1;
}

static std::vector<int32_t> drawIds(const Plan &plan, int64_t count,
                                    std::mt19937_64 &generator) {
  const int64_t vocab = std::max<int64_t>(plan.model.vocabSize, 1);
  std::uniform_int_distribution<int32_t> id(vocab > 20 ? 10 : 0,
                                            static_cast<int32_t>(vocab - 1));
  std::vector<int32_t> ids(count);
  for (int32_t &value : ids)
    value = id(generator);
  return ids;
}

std::map<std::string, HostTensor>
fk::bench::prepare(const Workload &workload, Session &session, uint64_t seed) {
  const Plan &plan = session.getPlan();
  std::mt19937_64 generator(seed);
  if (workload.kind == Workload::Kind::Forward) {
    HostTensor ids{DType::I32, {workload.batch, workload.length}, {}};
    ids.bytes.resize(ids.getNumElements() * sizeof(int32_t));
    const auto drawn = drawIds(plan, ids.getNumElements(), generator);
    std::copy(drawn.begin(), drawn.end(), ids.as<int32_t>().begin());
    return packForward(plan, {{"input_ids", std::move(ids)}});
  }

  const int64_t pageSize = plan.model.pageSize;
  const int64_t pagesEach = (workload.length + pageSize - 1) / pageSize;
  std::vector<std::vector<int32_t>> tokens(workload.batch),
      pages(workload.batch);
  std::vector<StepSequence> batch;
  for (int64_t i = 0; i < workload.batch; ++i) {
    tokens[i] = drawIds(plan, workload.length, generator);
    for (int64_t page = 0; page < pagesEach; ++page)
      pages[i].push_back(static_cast<int32_t>(i * pagesEach + page));
    StepSequence sequence;
    sequence.tokens = tokens[i];
    sequence.pages = pages[i];
    sequence.count = workload.length;
    batch.push_back(sequence);
  }
  if (workload.kind == Workload::Kind::Decode) {
    for (StepSequence &sequence : batch) {
      sequence.count = workload.length - 1;
      session.run("step", {{"tokens", sequence.count}, {"seqs", 1}},
                  makeStepInputs(plan, session.getLimits(), {sequence}));
      sequence.cached = workload.length - 1;
      sequence.count = 1;
    }
  }
  return makeStepInputs(plan, session.getLimits(), batch);
}
