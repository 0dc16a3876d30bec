//===- StepInputs.cpp - What `step` is given for a batch ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/StepInputs.h"

#include "runtime/Inputs.h"
#include "runtime/support/Error.h"

#include <algorithm>

using namespace fk;

const PlanFunction &fk::getStepFunction(const Plan &plan) {
  const PlanFunction *step = plan.findFunction("step");
  if (!step || !step->isPublic || plan.model.pageSize < 1)
    throw Error({.what = "the model does not generate",
                 .where = plan.model.architecture,
                 .wanted = "a plan with a function 'step' and a paged cache",
                 .mend = "use `fk run` for its forward"});
  return *step;
}

namespace {

int64_t getTokenInput(const PlanValue &param, const StepSequence &sequence,
                      int64_t index, int64_t pageSize) {
  const Role &role = param.role;
  if (role.kind == "positions")
    return role.rule == "non_padding" ? role.paddingIdx + 1 + index : index;
  if (role.kind == "slots")
    return sequence.pages[static_cast<size_t>(index / pageSize)] * pageSize +
           index % pageSize;
  if (role.kind == "packed" && role.from == "input_ids")
    return sequence.tokens[static_cast<size_t>(index)];
  if (role.kind == "packed" && role.defaultValue)
    return *role.defaultValue;
  throw Error({.what = "the plan's 'step' asks for what a prompt lacks",
               .where = "parameter '" + param.name + "'",
               .got = "'" + role.kind + "' of '" + role.from + "'",
               .mend = "compile the model again"});
}

HostTensor makeSampling(const PlanValue &param,
                        const std::vector<StepSequence> &batch) {
  const std::string &from = param.role.from;
  if (from == "temperature" || from == "top_p") {
    HostTensor tensor{DType::F32, {static_cast<int64_t>(batch.size())}, {}};
    tensor.bytes.resize(batch.size() * 4);
    for (size_t i = 0; i < batch.size(); ++i) {
      const SamplingParams &sampling = batch[i].sampling;
      tensor.as<float>()[i] =
          from == "top_p" ? sampling.topP : sampling.temperature;
    }
    return tensor;
  }
  std::vector<int64_t> values;
  for (const StepSequence &sequence : batch) {
    if (from == "top_k")
      values.push_back(sequence.sampling.topK);
    else if (from == "seed")
      values.push_back(sequence.sampling.seed);
    else if (from == "position")
      values.push_back(sequence.cached + sequence.count);
    else
      throw Error({.what = "the plan's 'step' asks for an unknown sampling "
                           "parameter",
                   .got = "'" + from + "'",
                   .mend = "compile the model again"});
  }
  return makeIndexTensor(param, values, {static_cast<int64_t>(values.size())});
}

HostTensor makeInput(const PlanValue &param,
                     const std::vector<StepSequence> &batch, int64_t pageSize,
                     int64_t maxBlocks) {
  const Role &role = param.role;
  if (role.kind == "sampling")
    return makeSampling(param, batch);
  std::vector<int64_t> values;
  std::vector<int64_t> shape;
  if (role.kind == "cu_seqlens")
    values.push_back(0);
  for (const StepSequence &sequence : batch) {
    if (role.kind == "cu_seqlens") {
      values.push_back(values.back() + sequence.count);
    } else if (role.kind == "seq_lens") {
      values.push_back(sequence.cached + sequence.count);
    } else if (role.kind == "block_table") {
      values.insert(values.end(), sequence.pages.begin(), sequence.pages.end());
      values.resize(values.size() + static_cast<size_t>(maxBlocks) -
                    sequence.pages.size());
    } else {
      for (int64_t i = 0; i < sequence.count; ++i)
        values.push_back(
            getTokenInput(param, sequence, sequence.cached + i, pageSize));
    }
  }
  if (role.kind == "block_table")
    shape = {static_cast<int64_t>(batch.size()), maxBlocks};
  else
    shape = {static_cast<int64_t>(values.size())};
  return makeIndexTensor(param, values, std::move(shape));
}

} // namespace

std::map<std::string, HostTensor>
fk::makeStepInputs(const Plan &plan, const SessionLimits &limits,
                   const std::vector<StepSequence> &batch) {
  const PlanFunction &step = getStepFunction(plan);
  const int64_t pageSize = plan.model.pageSize;
  const int64_t maxBlocks = (limits.maxPositions + pageSize - 1) / pageSize;
  std::map<std::string, HostTensor> inputs;
  for (int64_t index : step.params) {
    const PlanValue &param = step.values.at(static_cast<size_t>(index));
    inputs.emplace(param.name, makeInput(param, batch, pageSize, maxBlocks));
  }
  return inputs;
}
