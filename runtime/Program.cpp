//===- Program.cpp - A function bound to memory and kernels ---------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/Program.h"

#include "runtime/Shape.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <map>

using namespace fk;

namespace {

/// Deeper calls are a cycle.
constexpr int maxDepth = 64;

size_t alignUp(size_t bytes) { return (bytes + 255) & ~size_t(255); }

const PlanFunction &getCallee(const Plan &plan, const Call &call, int depth) {
  const PlanFunction *callee = plan.findFunction(call.callee);
  if (!callee || depth >= maxDepth)
    throw Error({.what = callee ? "functions of the plan call in a circle"
                                : "the plan calls an unknown function",
                 .where = call.callee,
                 .mend = "compile the model again"});
  return *callee;
}

int64_t evaluateSlot(const PlanFunction &function, size_t slot,
                     const AxisValues &symbols) {
  int64_t bytes = function.slots[slot].evaluate(symbols);
  if (bytes < 0 || bytes > int64_t(1) << 56)
    throw Error({.what = "a slot's size is impossible",
                 .where = "function '" + function.name + "', slot " +
                          std::to_string(slot),
                 .wanted = "at most 2^56 bytes",
                 .got = std::to_string(bytes)});
  return bytes;
}

int64_t getOwnFrameBytes(const PlanFunction &function,
                         const AxisValues &symbols,
                         std::vector<int64_t> *offsets) {
  int64_t total = 0;
  for (size_t slot = 0; slot < function.slots.size(); ++slot) {
    if (offsets)
      offsets->push_back(total);
    total += static_cast<int64_t>(
        alignUp(static_cast<size_t>(evaluateSlot(function, slot, symbols))));
  }
  return total;
}

int64_t getFrameBytesAt(const Plan &plan, const PlanFunction &function,
                        const AxisValues &symbols, int depth,
                        std::map<const PlanFunction *, int64_t> &known) {
  if (auto found = known.find(&function); found != known.end())
    return found->second;
  int64_t callees = 0;
  for (const PlanStep &step : function.steps)
    if (const auto *call = std::get_if<Call>(&step.action))
      callees =
          std::max(callees, getFrameBytesAt(plan, getCallee(plan, *call, depth),
                                            symbols, depth + 1, known));
  return known[&function] =
             getOwnFrameBytes(function, symbols, nullptr) + callees;
}

/// What a function's launches have in common over all its calls.
struct FunctionShape {
  std::vector<std::vector<int64_t>> shapes; ///< per value
  std::vector<int64_t> slotOffsets;
  int64_t frameBytes = 0;
};

class Builder {
public:
  Builder(const Plan &plan, const AxisValues &symbols,
          const ProgramMemory &memory, Program &program)
      : plan(plan), symbols(symbols), memory(memory), program(program) {}

  /// Appends the launches of `function`; `params` and `results` are its
  /// tensors, its frame starts at `frame`.
  void append(const PlanFunction &function,
              const std::vector<TensorRef> &params,
              const std::vector<TensorRef> &results, int64_t frame,
              const std::string &place, int depth) {
    const FunctionShape &shape = getShape(function);
    if (frame + shape.frameBytes > static_cast<int64_t>(memory.arenaBytes))
      throw Error(
          {.what = "a frame does not fit the arena",
           .where = "function '" + function.name + "'",
           .wanted = "at most " + std::to_string(memory.arenaBytes) + " bytes",
           .got = std::to_string(frame + shape.frameBytes),
           .mend = "slots must not shrink as the symbols grow; compile "
                   "the model again"});
    std::vector<TensorRef> values =
        placeValues(function, shape, params, results, frame);
    for (const PlanStep &step : function.steps) {
      std::string inner = place.empty() || step.place.empty()
                              ? place + step.place
                              : place + "." + step.place;
      if (const auto *launch = std::get_if<Launch>(&step.action)) {
        program.steps.push_back(bind(*launch, values, inner));
        continue;
      }
      const auto &call = std::get<Call>(step.action);
      append(getCallee(plan, call, depth), pick(values, call.args),
             pick(values, call.results), frame + shape.frameBytes, inner,
             depth + 1);
    }
  }

private:
  const FunctionShape &getShape(const PlanFunction &function) {
    auto [found, isNew] = shapes.try_emplace(&function);
    if (isNew) {
      FunctionShape &shape = found->second;
      for (const PlanValue &value : function.values)
        shape.shapes.push_back(evaluateDims(
            value.shape, symbols, "function '" + function.name + "'"));
      shape.frameBytes =
          getOwnFrameBytes(function, symbols, &shape.slotOffsets);
    }
    return found->second;
  }

  static std::vector<TensorRef> pick(const std::vector<TensorRef> &values,
                                     const std::vector<int64_t> &indices) {
    std::vector<TensorRef> picked;
    picked.reserve(indices.size());
    for (int64_t index : indices)
      picked.push_back(values.at(static_cast<size_t>(index)));
    return picked;
  }

  std::vector<TensorRef> placeValues(const PlanFunction &function,
                                     const FunctionShape &shape,
                                     const std::vector<TensorRef> &params,
                                     const std::vector<TensorRef> &results,
                                     int64_t frame) {
    std::vector<TensorRef> values(function.values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      const PlanValue &value = function.values[i];
      values[i].dtype = value.dtype;
      values[i].shape = shape.shapes[i];
      if (value.kind == PlanValue::Kind::Buffer)
        values[i].data = static_cast<std::byte *>(memory.arena) + frame +
                         shape.slotOffsets.at(static_cast<size_t>(value.slot));
      else if (value.kind == PlanValue::Kind::Weight)
        values[i].data = memory.getWeight(value.name).data;
      else if (value.kind == PlanValue::Kind::State) {
        values[i].data = memory.getState(value.name).data;
        values[i].isState = true;
      }
    }
    auto take = [&](const std::vector<int64_t> &indices,
                    const std::vector<TensorRef> &given) {
      for (size_t i = 0; i < indices.size(); ++i) {
        TensorRef &value = values.at(static_cast<size_t>(indices[i]));
        value.data = given.at(i).data;
        value.isState = given.at(i).isState;
      }
    };
    take(function.params, params);
    take(function.results, results);
    // A view may name any other value, but views make no circle in a verified
    // plan; the bound stops a circle in any other.
    for (size_t i = 0; i < values.size(); ++i) {
      size_t base = i;
      for (size_t hops = 0; function.values[base].kind == PlanValue::Kind::View;
           ++hops) {
        if (hops > values.size())
          throw Error({.what = "views of the plan form a circle",
                       .where = "function '" + function.name + "'"});
        base = static_cast<size_t>(function.values[base].base);
      }
      values[i].data = values[base].data;
      values[i].isState = values[base].isState;
    }
    return values;
  }

  std::unique_ptr<ProgramStep> bind(const Launch &launch,
                                    const std::vector<TensorRef> &values,
                                    const std::string &place) {
    auto step = std::make_unique<ProgramStep>();
    BoundLaunch &bound = step->launch;
    bound.task = launch.task;
    bound.place = place;
    for (const LaunchTensor &result : launch.results)
      bound.results.emplace_back(result.name,
                                 values.at(static_cast<size_t>(result.value)));
    for (const LaunchTensor &operand : launch.operands)
      bound.operands.emplace_back(
          operand.name, operand.value < 0
                            ? TensorRef()
                            : values.at(static_cast<size_t>(operand.value)));
    bound.dtype = getElementType(bound);
    bound.scalars = launch.scalars;
    bound.variants = launch.variants;
    for (const auto &[name, value] : launch.axes)
      bound.axes.emplace_back(name, value.evaluate(symbols));
    choose(launch, *step);
    step->kernel =
        memory.getProvider(step->provider).bind(step->kernelName, bound);
    program.workspaceBytes =
        std::max(program.workspaceBytes, step->kernel->getWorkspaceBytes());
    return step;
  }

  static DType getElementType(const BoundLaunch &launch) {
    for (const auto *tensors : {&launch.results, &launch.operands})
      for (const auto &[name, tensor] : *tensors)
        if (tensor && isFloat(tensor.dtype))
          return tensor.dtype;
    return DType::F32;
  }

  bool candidateServes(const std::string &name, const AxisValues &axes) const {
    for (const PlanCandidate &candidate : plan.candidates)
      if (candidate.name == name)
        return std::any_of(candidate.variants.begin(), candidate.variants.end(),
                           [&](const CandidateVariant &variant) {
                             return !variant.where || variant.where.holds(axes);
                           });
    throw Error({.what = "the plan lacks a candidate",
                 .wanted = "'" + name + "'",
                 .mend = "compile the model again"});
  }

  void choose(const Launch &launch, ProgramStep &step) const {
    AxisValues axes = step.launch.getAxisValues();
    std::string tried;
    for (const KernelChoice &choice : launch.kernels) {
      bool isCandidate = isPlanProvider(choice.provider);
      bool serves = (!choice.where || choice.where.holds(axes)) &&
                    (!isCandidate || candidateServes(choice.kernel, axes));
      if (serves) {
        step.provider = choice.provider;
        step.kernelName = choice.kernel;
        return;
      }
      if (isCandidate)
        step.uncovered += (step.uncovered.empty() ? "" : ", ") + choice.kernel;
      tried += (tried.empty() ? "" : "; ") + choice.provider + " " +
               choice.kernel +
               (choice.where ? " where " + choice.where.str() : "");
    }
    throw Error({.what = "no kernel serves task '" + launch.task + "'",
                 .where = step.launch.place,
                 .wanted = tried.empty() ? "a kernel" : tried,
                 .got = formatAxes(axes),
                 .mend = "see `fk show " + launch.task + "` for its kernels"});
  }

  const Plan &plan;
  const AxisValues &symbols;
  const ProgramMemory &memory;
  Program &program;
  std::map<const PlanFunction *, FunctionShape> shapes;
};

/// Collects the values of `function` that hold the same memory as `value`.
void collectLimits(const Plan &plan, const PlanFunction &function,
                   int64_t value, int depth, std::optional<int64_t> &limit) {
  auto isSame = [&](int64_t other) {
    for (size_t hops = 0; other >= 0 && hops <= function.values.size();
         ++hops) {
      if (other == value)
        return true;
      const PlanValue &named = function.values.at(static_cast<size_t>(other));
      if (named.kind != PlanValue::Kind::View)
        return false;
      other = named.base;
    }
    return false;
  };
  for (const PlanStep &step : function.steps) {
    if (const auto *call = std::get_if<Call>(&step.action)) {
      const PlanFunction &callee = getCallee(plan, *call, depth);
      for (size_t i = 0; i < call->args.size() && i < callee.params.size(); ++i)
        if (isSame(call->args[i]))
          collectLimits(plan, callee, callee.params[i], depth + 1, limit);
      continue;
    }
    const auto &launch = std::get<Launch>(step.action);
    if (launch.task != "embedding")
      continue;
    bool reads = false;
    for (const LaunchTensor &operand : launch.operands)
      reads |= operand.name == "ids" && isSame(operand.value);
    if (!reads)
      continue;
    for (const auto &[axis, rows] : launch.axes)
      if (axis == "vocab") {
        int64_t count = rows.evaluate({});
        limit = limit ? std::min(*limit, count) : count;
      }
  }
}

} // namespace

int64_t fk::getFrameBytes(const Plan &plan, const PlanFunction &function,
                          const AxisValues &symbols) {
  std::map<const PlanFunction *, int64_t> known;
  return getFrameBytesAt(plan, function, symbols, 0, known);
}

size_t fk::layOut(const PlanFunction &function,
                  const std::vector<int64_t> &values, const AxisValues &symbols,
                  std::vector<size_t> *offsets) {
  size_t total = 0;
  for (int64_t index : values) {
    const PlanValue &value = function.values.at(static_cast<size_t>(index));
    TensorRef tensor{nullptr, value.dtype,
                     evaluateDims(value.shape, symbols,
                                  "'" + value.name + "' of function '" +
                                      function.name + "'")};
    if (offsets)
      offsets->push_back(total);
    total += alignUp(static_cast<size_t>(tensor.getSizeInBytes()));
  }
  return total;
}

std::unique_ptr<Program> fk::buildProgram(const Plan &plan,
                                          const PlanFunction &function,
                                          const AxisValues &symbols,
                                          const AxisValues &limits,
                                          const ProgramMemory &memory) {
  auto program = std::make_unique<Program>();
  program->function = &function;
  program->symbols = symbols;
  auto place = [&](const std::vector<int64_t> &values, const AxisValues &sizes,
                   void *memory, std::vector<TensorRef> &tensors) {
    std::vector<size_t> offsets;
    size_t bytes = layOut(function, values, sizes, &offsets);
    for (size_t i = 0; i < values.size(); ++i) {
      const PlanValue &value =
          function.values.at(static_cast<size_t>(values[i]));
      tensors.push_back({static_cast<std::byte *>(memory) + offsets[i],
                         value.dtype,
                         evaluateDims(value.shape, symbols, value.name)});
    }
    return bytes;
  };
  program->paramBytes =
      place(function.params, symbols, memory.params, program->params);
  place(function.results, limits, memory.results, program->results);
  Builder(plan, symbols, memory, *program)
      .append(function, program->params, program->results, /*frame=*/0,
              /*place=*/"", /*depth=*/0);
  return program;
}

std::optional<int64_t> fk::getIndexLimit(const Plan &plan,
                                         const PlanFunction &function,
                                         size_t param) {
  std::optional<int64_t> limit;
  collectLimits(plan, function, function.params.at(param), 0, limit);
  return limit;
}
