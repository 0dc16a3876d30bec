//===- LaunchBinding.cpp - Declared launches at one shape -----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/LaunchBinding.h"

#include "runtime/support/Error.h"

#include <cstring>
#include <limits>

using namespace fk;

static const LaunchScalar *findScalar(const BoundLaunch &launch,
                                      std::string_view name) {
  for (const auto *list : {&launch.scalars, &launch.variants})
    for (const LaunchScalar &scalar : *list)
      if (scalar.name == name)
        return &scalar;
  return nullptr;
}

static const TensorRef *findTensor(const BoundLaunch &launch,
                                   std::string_view name, bool &known) {
  known = true;
  for (const auto *list : {&launch.results, &launch.operands})
    for (const auto &[tensorName, tensor] : *list)
      if (tensorName == name)
        return tensor ? &tensor : nullptr;
  known = false;
  return nullptr;
}

template <typename T>
static BoundArgument makeValue(const std::string &name, T value) {
  BoundArgument argument{BoundArgument::Kind::Value, name, 0, sizeof(T),
                         nullptr};
  std::memcpy(&argument.bits, &value, sizeof(T));
  return argument;
}

std::string LaunchBinder::describeAxes() const {
  std::string text;
  for (const auto &[name, value] : launch.axes)
    text += (text.empty() ? "" : ", ") + name + " = " + std::to_string(value);
  return text;
}

int64_t LaunchBinder::evaluate(const Expr &expr, const char *field,
                               int64_t least, int64_t most) const {
  int64_t value = expr.evaluate(axes);
  if (value < least || value > most)
    throw Error({std::string(field) + " of a launch is out of range", what,
                 std::to_string(least) + " to " + std::to_string(most),
                 std::to_string(value) + " for " + describeAxes(),
                 "mend the expression '" + expr.str() +
                     "' or exclude the shape by 'where'"});
  return value;
}

int64_t LaunchBinder::getWorkspaceBytes(const CandidateVariant &variant) const {
  return evaluate(variant.workspaceBytes, "workspace", 0, int64_t(1) << 40);
}

LaunchBinding LaunchBinder::bind(const DeclaredLaunch &declared,
                                 const std::string &entrySuffix) const {
  LaunchBinding binding;
  binding.entry = declared.entry + entrySuffix;
  binding.pdl = declared.pdl;
  bindShape(binding, declared);
  for (const std::string &arg : declared.args)
    bindArgument(binding, arg);
  return binding;
}

void LaunchBinder::bindShape(LaunchBinding &binding,
                             const DeclaredLaunch &declared) const {
  constexpr int64_t maxInt = std::numeric_limits<int32_t>::max();
  static constexpr const char *gridNames[] = {"grid x", "grid y", "grid z"};
  static constexpr const char *blockNames[] = {"block x", "block y", "block z"};
  const int64_t maxGrid[] = {maxInt, 65535, 65535},
                maxBlock[] = {1024, 1024, 64};
  for (int i = 0; i < 3; ++i) {
    binding.grid[i] =
        uint32_t(evaluate(declared.grid[i], gridNames[i], 1, maxGrid[i]));
    binding.block[i] =
        uint32_t(evaluate(declared.block[i], blockNames[i], 1, maxBlock[i]));
    binding.cluster[i] =
        uint32_t(evaluate(declared.cluster[i], "cluster", 1, 16));
    if (binding.grid[i] % binding.cluster[i])
      throw Error({"the grid is not a multiple of the cluster", what,
                   "a multiple of " + std::to_string(binding.cluster[i]),
                   std::to_string(binding.grid[i]) + " for " + describeAxes(),
                   "round the grid up in its expression"});
  }
  if (binding.getThreads() > 1024)
    throw Error(
        {"too many threads in a block", what, "at most 1024",
         std::to_string(binding.getThreads()) + " for " + describeAxes(),
         "launch fewer"});
  if (binding.getClusterSize() > 16)
    throw Error(
        {"a cluster has too many blocks", what, "at most 16",
         std::to_string(binding.getClusterSize()) + " for " + describeAxes(),
         "use a smaller cluster"});
  binding.sharedBytes =
      uint32_t(evaluate(declared.sharedBytes, "shared memory", 0, maxInt));
}

void LaunchBinder::bindArgument(LaunchBinding &binding,
                                const std::string &declared) const {
  using Kind = BoundArgument::Kind;
  std::string_view name = declared;
  if (name == "workspace") {
    binding.args.push_back({Kind::Workspace, declared, 0, 8, nullptr});
    return;
  }
  bool nullWhereAbsent = name.ends_with('?');
  if (nullWhereAbsent)
    name.remove_suffix(1);
  bool isTensor = false;
  if (const TensorRef *tensor = findTensor(launch, name, isTensor)) {
    binding.args.push_back({Kind::Tensor, declared, 0, 8, tensor});
    return;
  }
  if (isTensor || nullWhereAbsent) {
    if (nullWhereAbsent)
      binding.args.push_back({Kind::Null, declared, 0, 8, nullptr});
    return;
  }
  if (const LaunchScalar *scalar = findScalar(launch, name)) {
    if (scalar->type == DType::F32)
      binding.args.push_back(makeValue(declared, float(scalar->value)));
    else if (scalar->type == DType::I64)
      binding.args.push_back(makeValue(declared, int64_t(scalar->value)));
    else
      binding.args.push_back(makeValue(declared, int32_t(scalar->value)));
    return;
  }
  if (auto axis = axes.find(name); axis != axes.end()) {
    if (axis->second > std::numeric_limits<int32_t>::max())
      throw Error({"axis '" + axis->first + "' does not fit into int32_t", what,
                   "at most 2147483647", std::to_string(axis->second),
                   "use a smaller shape"});
    binding.args.push_back(makeValue(declared, int32_t(axis->second)));
    return;
  }
  throw Error({"a launch names an unknown argument", what,
               "a name of the signature of '" + launch.task + "', or workspace",
               std::string(name), "see 'fk show " + launch.task + "'"});
}

const CandidateVariant *
fk::findVariant(std::span<const CandidateVariant> variants,
                const BoundLaunch &launch) {
  AxisValues axes = launch.getAxisValues();
  for (const CandidateVariant &variant : variants)
    if (!variant.where || variant.where.holds(axes))
      return &variant;
  return nullptr;
}
