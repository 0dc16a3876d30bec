//===- PlanVerifyParts.cpp - Weights, states, launches, candidates --------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/PlanVerifier.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

using namespace fk;

static constexpr size_t maxDeclaredLaunches = 1024;

static bool isConstant(const Expr &expr) {
  return expr && expr.getNode()->op == ExprOp::Constant;
}

//===----------------------------------------------------------------------===//
// Weights and states
//===----------------------------------------------------------------------===//

void PlanVerifier::verifyWeights() {
  for (size_t i = 0; i < plan.weights.size(); ++i) {
    const PlanWeight &weight = plan.weights[i];
    std::string what = "weight '" + weight.name + "'";
    if (weight.name.empty())
      fail("a weight has no name");
    if (!weightIndex.emplace(weight.name, i).second)
      fail(what + " stands twice");
    verifyShape(weight.shape, what);
    if (weight.parts.empty() != weight.ropeTable.has_value())
      fail(what + " must come from somewhere",
           "either parts of the checkpoint or a rotary table",
           weight.ropeTable ? "both" : "neither");
    if (weight.ropeTable) {
      verifyRopeTable(weight, what);
      continue;
    }
    if (weight.shape.empty())
      fail(what + " has no dimension to put parts along", "rank 1 or more");
    for (const Expr &dim : weight.shape)
      if (!isConstant(dim))
        fail(what + " has an extent that is not static", "integers",
             formatDims(weight.shape));
    countElements(weight.shape, ones, what);
    for (const WeightPart &part : weight.parts) {
      if (part.tensor.empty())
        fail("a part of " + what + " names no tensor");
      if (part.begin < 0 || (part.end != -1 && part.end <= part.begin))
        fail("part '" + part.tensor + "' of " + what + " is no range of rows",
             "0 <= begin < end, or end = -1",
             std::to_string(part.begin) + " to " + std::to_string(part.end));
    }
  }
}

void PlanVerifier::verifyRopeTable(const PlanWeight &weight,
                                   const std::string &what) const {
  const RopeTable &table = *weight.ropeTable;
  static constexpr std::string_view types[] = {"default", "linear", "dynamic",
                                               "yarn",    "llama3", "longrope"};
  if (std::find(std::begin(types), std::end(types), table.type) ==
      std::end(types))
    fail(what + " has an unknown rope type",
         "default, linear, dynamic, yarn, llama3 or longrope",
         "'" + table.type + "'");
  if (table.rotaryDim <= 0 || table.rotaryDim % 2 != 0)
    fail(what + " rotates an impossible number of elements",
         "an even number above 0", std::to_string(table.rotaryDim));
  if (!(table.theta > 0) || !(table.factor > 0))
    fail(what + " has a theta or factor that is not above 0");
  if (weight.dtype != DType::F32 || weight.shape.size() != 2 ||
      !isConstant(weight.shape[1]) ||
      weight.shape[1].getNode()->constant != table.rotaryDim)
    fail(what + " has a shape that its rotary table does not give",
         "f32[max_positions, " + std::to_string(table.rotaryDim) + "]",
         std::string(getName(weight.dtype)) + formatDims(weight.shape));
  if (table.type != "longrope")
    return;
  auto pairs = static_cast<size_t>(table.rotaryDim / 2);
  for (const auto *factors : {&table.shortFactor, &table.longFactor})
    if (factors->size() != pairs)
      fail(what + " has a wrong number of longrope factors",
           std::to_string(pairs), std::to_string(factors->size()));
}

void PlanVerifier::verifyStates() {
  for (size_t i = 0; i < plan.states.size(); ++i) {
    const PlanState &state = plan.states[i];
    std::string what = "state '" + state.name + "'";
    if (state.name.empty())
      fail("a state has no name");
    if (!stateIndex.emplace(state.name, i).second)
      fail(what + " stands twice");
    verifyShape(state.shape, what);
    if (state.kind != "kv_cache")
      fail(what + " is of an unknown kind", "kv_cache", "'" + state.kind + "'");
    if (state.shape.size() != 5 || !isConstant(state.shape[0]) ||
        state.shape[0].getNode()->constant != 2 || !isFloat(state.dtype))
      fail(what + " is no kv_cache",
           "[2, pages, page_size, kv_heads, head_dim] of a floating type",
           std::string(getName(state.dtype)) + formatDims(state.shape));
  }
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

/// T: the element type of the first floating tensor.
static std::optional<DType> getElementType(const PlanFunction &function,
                                           const Launch &launch) {
  for (const auto *tensors : {&launch.results, &launch.operands})
    for (const LaunchTensor &tensor : *tensors)
      if (tensor.value >= 0)
        if (DType type = function.values[tensor.value].dtype; isFloat(type))
          return type;
  return std::nullopt;
}

void PlanVerifier::verifyLaunch(const PlanFunction &function,
                                const Launch &launch,
                                const std::string &what) const {
  if (launch.task.empty())
    fail(what + " names no task");
  std::set<std::string> names;
  auto addName = [&](const std::string &name) {
    if (!isIdentifier(name) || name == "workspace")
      fail(what + " has a parameter '" + name + "'",
           "an identifier other than workspace");
    if (!names.insert(name).second)
      fail(what + " has parameter '" + name + "' twice");
  };
  for (const auto *tensors : {&launch.results, &launch.operands})
    for (const LaunchTensor &tensor : *tensors)
      addName(tensor.name);
  for (const auto *scalars : {&launch.scalars, &launch.variants})
    for (const LaunchScalar &scalar : *scalars) {
      addName(scalar.name);
      bool fits = std::isfinite(scalar.value);
      if (scalar.type == DType::I32)
        fits = fits && scalar.value == std::trunc(scalar.value) &&
               std::abs(scalar.value) <= 0x1p31;
      else if (scalar.type == DType::I64)
        fits = fits && scalar.value == std::trunc(scalar.value) &&
               std::abs(scalar.value) <= 0x1p53;
      else if (scalar.type == DType::F32)
        fits =
            fits && std::abs(scalar.value) <= std::numeric_limits<float>::max();
      else
        fail(what + " has a scalar '" + scalar.name + "' of another type",
             "f32, i32 or i64", std::string(getName(scalar.type)));
      if (!fits)
        fail(what + " has a scalar '" + scalar.name + "' that does not fit",
             "a finite " + std::string(getName(scalar.type)),
             std::to_string(scalar.value));
    }
  AxisValues axes;
  for (const auto &[name, extent] : launch.axes) {
    addName(name);
    verifyExtent(extent, "axis '" + name + "' of " + what);
    axes.emplace(name, 0);
  }

  if (launch.kernels.empty())
    fail(what + " has no kernel for task '" + launch.task + "'");
  for (const KernelChoice &kernel : launch.kernels) {
    if (kernel.provider.empty() || kernel.kernel.empty())
      fail(what + " has a kernel without provider or name");
    if (kernel.where)
      verifyAxes(kernel.where, axes,
                 "condition of kernel '" + kernel.kernel + "' of " + what);
    if (!isPlanProvider(kernel.provider))
      continue;
    auto it = candidateIndex.find(kernel.kernel);
    if (it == candidateIndex.end())
      fail(what + " names an unknown candidate", "a candidate of the plan",
           "'" + kernel.kernel + "'");
    verifyCandidateUse(function, launch, plan.candidates[it->second], axes,
                       what);
  }
}

void PlanVerifier::verifyCandidateUse(const PlanFunction &function,
                                      const Launch &launch,
                                      const PlanCandidate &candidate,
                                      const AxisValues &axes,
                                      const std::string &what) const {
  std::string whose = "candidate '" + candidate.name + "' in " + what;
  if (candidate.task != launch.task)
    fail(whose + " is for another task", launch.task, candidate.task);
  auto type = getElementType(function, launch);
  if (!type || std::find(candidate.dtypes.begin(), candidate.dtypes.end(),
                         *type) == candidate.dtypes.end())
    fail(whose + " does not serve the element type", {},
         std::string(type ? getName(*type) : "no floating tensor"));

  std::set<std::string, std::less<>> known = {"workspace"}, absent;
  for (const auto *tensors : {&launch.results, &launch.operands})
    for (const LaunchTensor &tensor : *tensors)
      (tensor.value == -1 ? absent : known).insert(tensor.name);
  for (const LaunchScalar &scalar : launch.scalars)
    known.insert(scalar.name);
  for (const auto &[name, extent] : launch.axes)
    known.insert(name);
  for (const CandidateVariant &variant : candidate.variants) {
    if (variant.where)
      verifyAxes(variant.where, axes, "condition of " + whose);
    verifyAxes(variant.workspaceBytes, axes, "workspace of " + whose);
    for (const DeclaredLaunch &declared : variant.launches) {
      for (const auto *triple :
           {&declared.grid, &declared.block, &declared.cluster})
        for (const Expr &size : *triple)
          verifyAxes(size, axes, "launch '" + declared.entry + "' of " + whose);
      verifyAxes(declared.sharedBytes, axes, "shared memory of " + whose);
      for (const std::string &arg : declared.args)
        if (!known.count(arg))
          fail("launch '" + declared.entry + "' of " + whose +
                   " takes an argument '" + arg + "'",
               absent.count(arg) ? "an operand that is there"
                                 : "a result, operand, scalar or axis of " +
                                       launch.task + ", or workspace");
    }
  }
}

//===----------------------------------------------------------------------===//
// Candidates
//===----------------------------------------------------------------------===//

void PlanVerifier::verifyCandidates() {
  for (const auto &[name, image] : plan.images) {
    if (name.empty())
      fail("an image has no name");
    if (image.kind != "ptx" && image.kind != "cubin" && image.kind != "fatbin")
      fail("image '" + name + "' is of an unknown kind", "ptx, cubin or fatbin",
           "'" + image.kind + "'");
  }
  std::set<std::string> used;
  for (size_t i = 0; i < plan.candidates.size(); ++i) {
    const PlanCandidate &candidate = plan.candidates[i];
    std::string what = "candidate '" + candidate.name + "'";
    if (candidate.name.empty())
      fail("a candidate has no name");
    if (!candidateIndex.emplace(candidate.name, i).second)
      fail(what + " stands twice");
    if (candidate.task.empty())
      fail(what + " names no task");
    if (candidate.dtypes.empty())
      fail(what + " serves no element type");
    if (candidate.variants.empty())
      fail(what + " has no variants");
    size_t launches = 0;
    for (const CandidateVariant &variant : candidate.variants) {
      // Every use of a candidate looks at all of them.
      launches += variant.launches.size();
      if (launches > maxDeclaredLaunches)
        fail(what + " declares too many launches",
             "at most " + std::to_string(maxDeclaredLaunches));
      if (!plan.images.count(variant.image))
        fail(what + " has no image '" + variant.image + "'");
      used.insert(variant.image);
      if (variant.launches.empty())
        fail(what + " launches nothing");
      for (const DeclaredLaunch &launch : variant.launches) {
        if (launch.entry.empty())
          fail("a launch of " + what + " names no entry");
        if (launch.args.empty())
          fail("launch '" + launch.entry + "' of " + what +
               " takes no arguments");
        const Expr constants[] = {
            launch.grid[0],    launch.grid[1],    launch.grid[2],
            launch.block[0],   launch.block[1],   launch.block[2],
            launch.cluster[0], launch.cluster[1], launch.cluster[2]};
        for (const Expr &size : constants)
          if (isConstant(size) && size.getNode()->constant < 1)
            fail("launch '" + launch.entry + "' of " + what + " is empty",
                 "a grid, block and cluster of 1 or more", size.str());
        for (const Expr &bytes : {launch.sharedBytes, variant.workspaceBytes})
          if (isConstant(bytes) && bytes.getNode()->constant < 0)
            fail(what + " wants a negative number of bytes", "0 or more",
                 bytes.str());
      }
    }
  }
  for (const auto &[name, image] : plan.images)
    if (!used.count(name))
      fail("image '" + name + "' belongs to no candidate");
}
