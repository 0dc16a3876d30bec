//===- PlanVerify.cpp - What the runtime demands of a plan ----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A plan's functions: values, launches, calls. Weights, states and candidates
// are PlanVerifyParts.cpp's.
//
//===----------------------------------------------------------------------===//

#include "runtime/PlanVerifier.h"

#include <algorithm>
#include <set>

using namespace fk;
using Kind = PlanValue::Kind;

/// What launches a public function may come to; a plan of the largest models
/// has some ten thousand.
static constexpr int64_t maxLaunches = 10'000'000;
static constexpr int maxCallDepth = 64;
static constexpr size_t maxRank = 16;

std::string fk::formatDims(const Dims &dims) {
  std::string out = "[";
  for (size_t i = 0; i < dims.size(); ++i)
    out += (i ? ", " : "") + dims[i].str();
  return out + "]";
}

bool fk::isIdentifier(std::string_view name) {
  auto isLetter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  auto isDigit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && isLetter(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return isLetter(c) || isDigit(c); });
}

PlanVerifier::PlanVerifier(const Plan &plan, std::string_view where)
    : plan(plan), where(where) {}

void PlanVerifier::fail(std::string what, std::string wanted,
                        std::string got) const {
  throw Error({.what = std::move(what),
               .where = std::string(where),
               .wanted = std::move(wanted),
               .got = std::move(got)});
}

void PlanVerifier::run() {
  if (plan.device != "host" && plan.device != "cuda")
    fail("plan is for an unknown device", "host or cuda",
         "'" + plan.device + "'");
  if (plan.device == "host" && !plan.arch.empty())
    fail("plan for the host names an architecture", "none",
         "'" + plan.arch + "'");
  if (plan.device == "cuda" && !plan.arch.starts_with("sm_"))
    fail("plan for CUDA lacks its architecture", "one such as sm_90a",
         "'" + plan.arch + "'");
  // All symbols alike, since a compiler may know an order among them, and all
  // different, so that none passes for another.
  for (int64_t i = 0; const std::string &symbol : plan.symbols) {
    if (!isIdentifier(symbol))
      fail("symbol '" + symbol + "' is no identifier");
    if (!alike.emplace(symbol, 64).second)
      fail("symbol '" + symbol + "' is declared twice");
    ones.emplace(symbol, 1);
    different.emplace(symbol, 97 + 2 * i++);
  }
  verifyWeights();
  verifyStates();
  verifyCandidates();
  for (size_t i = 0; i < plan.functions.size(); ++i)
    if (!functionIndex.emplace(plan.functions[i].name, i).second)
      fail("function '" + plan.functions[i].name + "' stands twice");
  for (const PlanFunction &function : plan.functions)
    verifyFunction(function);
  for (const PlanFunction &function : plan.functions)
    countLaunches(function, 0);
}

void PlanVerifier::verifyAxes(const Expr &expr, const AxisValues &known,
                              const std::string &what) const {
  if (!expr)
    fail(what + " is empty", "an expression");
  for (const std::string &axis : expr.getAxes())
    if (!known.count(axis)) {
      std::string names;
      for (const auto &[name, value] : known)
        names += (names.empty() ? "" : ", ") + name;
      fail(what + " speaks of '" + axis + "' in '" + expr.str() + "'",
           names.empty() ? "a constant" : "only " + names);
    }
}

int64_t PlanVerifier::evaluate(const Expr &expr, const AxisValues &values,
                               const std::string &what) const {
  try {
    return expr.evaluate(values);
  } catch (const Error &error) {
    fail(what + " cannot be evaluated", {}, error.what());
  }
}

void PlanVerifier::verifyExtent(const Expr &expr,
                                const std::string &what) const {
  verifyAxes(expr, alike, what);
  for (const AxisValues *values : {&ones, &alike})
    if (int64_t extent = evaluate(expr, *values, what); extent < 0)
      fail(what + " is negative", "0 or more",
           expr.str() + " = " + std::to_string(extent));
}

void PlanVerifier::verifyShape(const Dims &dims,
                               const std::string &what) const {
  if (dims.size() > maxRank)
    fail(what + " has too many dimensions",
         "at most " + std::to_string(maxRank), std::to_string(dims.size()));
  for (const Expr &dim : dims)
    verifyExtent(dim, "shape of " + what);
}

int64_t PlanVerifier::countElements(const Dims &dims, const AxisValues &values,
                                    const std::string &what) const {
  int64_t product = 1;
  for (const Expr &dim : dims)
    if (__builtin_mul_overflow(product, evaluate(dim, values, what), &product))
      fail(what + " is impossibly large", "fewer than 2^63 elements",
           formatDims(dims));
  return product;
}

bool PlanVerifier::areEqual(const Dims &a, const Dims &b) const {
  if (a.size() != b.size())
    return false;
  for (size_t i = 0; i < a.size(); ++i)
    for (const AxisValues *values : {&ones, &alike, &different})
      if (evaluate(a[i], *values, "extent") !=
          evaluate(b[i], *values, "extent"))
        return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

namespace {

/// What is known while one function is walked.
struct FunctionState {
  const PlanFunction &function;
  std::string name;
  std::vector<int64_t> roots; ///< the value that a view is a view of, or itself
  std::vector<bool> defined;  ///< by root: whether something is in it
};

} // namespace

static std::string describeValue(const FunctionState &state, int64_t index) {
  const PlanValue &value = state.function.values[index];
  std::string out = "value " + std::to_string(index);
  if (!value.name.empty())
    out += " '" + value.name + "'";
  return out + " of " + state.name;
}

static void checkIndex(const PlanVerifier &verifier, const FunctionState &state,
                       int64_t index, const std::string &what) {
  auto count = static_cast<int64_t>(state.function.values.size());
  if (index < 0 || index >= count)
    verifier.fail(what + " names no value",
                  "an index below " + std::to_string(count),
                  std::to_string(index));
}

static void checkRead(const PlanVerifier &verifier, const FunctionState &state,
                      int64_t index, const std::string &what) {
  checkIndex(verifier, state, index, what);
  if (!state.defined[state.roots[index]])
    verifier.fail(what + " reads " + describeValue(state, index) +
                  " before anything wrote it");
}

static void checkWrite(const PlanVerifier &verifier, FunctionState &state,
                       int64_t index, const std::string &what) {
  checkIndex(verifier, state, index, what);
  Kind kind = state.function.values[state.roots[index]].kind;
  if (kind != Kind::Buffer && kind != Kind::Result)
    verifier.fail(what + " writes " + describeValue(state, index),
                  "a buffer or a result");
}

/// Follows views to what they are views of. Each value is settled once, so that
/// a long chain costs no more than its length.
static void findRoots(const PlanVerifier &verifier, FunctionState &state) {
  const auto &values = state.function.values;
  state.roots.assign(values.size(), -1);
  for (size_t i = 0; i < values.size(); ++i) {
    std::vector<int64_t> chain;
    auto at = static_cast<int64_t>(i);
    while (state.roots[at] < 0 && values[at].kind == Kind::View) {
      if (chain.size() > values.size())
        verifier.fail(describeValue(state, i) + " is a view of itself");
      chain.push_back(at);
      checkIndex(verifier, state, values[at].base, describeValue(state, at));
      at = values[at].base;
    }
    int64_t root = state.roots[at] < 0 ? at : state.roots[at];
    state.roots[at] = root;
    for (int64_t member : chain)
      state.roots[member] = root;
  }
}

void PlanVerifier::verifyRole(const Role &role, bool isPublic, bool isResult,
                              const std::string &what) const {
  if (!isPublic) {
    if (!role.kind.empty())
      fail(what + " has a role", "none in a private function",
           "'" + role.kind + "'");
    return;
  }
  // Who runs the function by its values' names alone needs no roles.
  if (role.kind.empty())
    return;
  static constexpr std::string_view paramKinds[] = {
      "packed", "positions",   "cu_seqlens", "seq_lens",
      "slots",  "block_table", "sampling"};
  static constexpr std::string_view resultKinds[] = {"rows", "sequences"};
  bool known = isResult
                   ? std::find(std::begin(resultKinds), std::end(resultKinds),
                               role.kind) != std::end(resultKinds)
                   : std::find(std::begin(paramKinds), std::end(paramKinds),
                               role.kind) != std::end(paramKinds);
  if (!known)
    fail(what + " has an unknown role",
         isResult ? "rows or sequences"
                  : "packed, positions, cu_seqlens, seq_lens, slots, "
                    "block_table or sampling",
         "'" + role.kind + "'");
  if (!role.rule.empty() && role.rule != "index" && role.rule != "non_padding")
    fail(what + " has an unknown rule", "index or non_padding",
         "'" + role.rule + "'");
}

void PlanVerifier::verifyValue(const PlanFunction &function, size_t index,
                               const std::string &what) const {
  const PlanValue &value = function.values[index];
  verifyShape(value.shape, what);
  auto match = [&](DType dtype, const Dims &shape, const std::string &whose) {
    if (value.dtype != dtype || !areEqual(value.shape, shape))
      fail(what + " differs from " + whose,
           std::string(getName(dtype)) + formatDims(shape),
           std::string(getName(value.dtype)) + formatDims(value.shape));
  };
  switch (value.kind) {
  case Kind::Param:
  case Kind::Result:
    verifyRole(value.role, function.isPublic, value.kind == Kind::Result, what);
    break;
  case Kind::Weight: {
    auto it = weightIndex.find(value.name);
    if (it == weightIndex.end())
      fail(what + " names no weight of the plan");
    const PlanWeight &weight = plan.weights[it->second];
    match(weight.dtype, weight.shape, "its weight");
    break;
  }
  case Kind::State: {
    auto it = stateIndex.find(value.name);
    if (it == stateIndex.end())
      fail(what + " names no state of the plan");
    const PlanState &state = plan.states[it->second];
    match(state.dtype, state.shape, "its state");
    break;
  }
  case Kind::Buffer: {
    if (value.slot < 0 ||
        value.slot >= static_cast<int64_t>(function.slots.size()))
      fail(what + " lies in no slot",
           "a slot below " + std::to_string(function.slots.size()),
           std::to_string(value.slot));
    const Expr &slot = function.slots[value.slot];
    for (const AxisValues *values : {&ones, &alike}) {
      int64_t bytes;
      if (__builtin_mul_overflow(countElements(value.shape, *values, what),
                                 getSizeInBytes(value.dtype), &bytes))
        fail(what + " is impossibly large");
      int64_t room = evaluate(slot, *values, "slot of " + what);
      if (bytes > room)
        fail(what + " does not fit its slot " + std::to_string(value.slot),
             std::to_string(bytes) + " bytes where every symbol is " +
                 std::to_string(values->empty() ? 0 : values->begin()->second),
             slot.str() + " = " + std::to_string(room));
    }
    break;
  }
  case Kind::View: {
    const PlanValue &base = function.values[value.base];
    bool fits = value.dtype == base.dtype;
    for (const AxisValues *values : {&ones, &alike, &different})
      fits = fits && countElements(value.shape, *values, what) ==
                         countElements(base.shape, *values, what);
    if (!fits)
      fail(what + " is no view of its base",
           std::string(getName(base.dtype)) + " and as many elements as " +
               formatDims(base.shape),
           std::string(getName(value.dtype)) + formatDims(value.shape));
    break;
  }
  }
}

/// Params and results must name each of the function's own exactly once.
static void checkInterface(const PlanVerifier &verifier,
                           const FunctionState &state, Kind kind,
                           const std::vector<int64_t> &indices,
                           const std::string &noun) {
  std::vector<bool> seen(state.function.values.size());
  for (int64_t index : indices) {
    checkIndex(verifier, state, index, noun + " of " + state.name);
    if (state.function.values[index].kind != kind || seen[index])
      verifier.fail(describeValue(state, index) + " is listed as a " + noun,
                    "each " + noun + " once, and nothing else");
    seen[index] = true;
  }
  for (size_t i = 0; i < seen.size(); ++i)
    if (state.function.values[i].kind == kind && !seen[i])
      verifier.fail(describeValue(state, i) + " is not listed as a " + noun);
}

void PlanVerifier::verifyFunction(const PlanFunction &function) {
  FunctionState state{function, "function '" + function.name + "'", {}, {}};
  if (function.name.empty())
    fail("a function has no name");
  static constexpr std::string_view levels[] = {"", "L1", "L2", "L3", "L4"};
  if (std::find(std::begin(levels), std::end(levels), function.level) ==
      std::end(levels))
    fail(state.name + " has an unknown level", "L1, L2, L3 or L4",
         "'" + function.level + "'");
  for (size_t i = 0; i < function.slots.size(); ++i)
    verifyExtent(function.slots[i],
                 "slot " + std::to_string(i) + " of " + state.name);
  findRoots(*this, state);
  for (size_t i = 0; i < function.values.size(); ++i)
    verifyShape(function.values[i].shape, describeValue(state, i));
  for (size_t i = 0; i < function.values.size(); ++i)
    verifyValue(function, i, describeValue(state, i));
  checkInterface(*this, state, Kind::Param, function.params, "param");
  checkInterface(*this, state, Kind::Result, function.results, "result");
  if (function.isPublic)
    for (const auto *indices : {&function.params, &function.results}) {
      std::set<std::string_view> names;
      for (int64_t index : *indices)
        if (const std::string &name = function.values[index].name;
            name.empty() || !names.insert(name).second)
          fail(describeValue(state, index) + " cannot be told by its name",
               "a name that is not taken");
    }

  for (const PlanValue &value : function.values)
    state.defined.push_back(value.kind != Kind::Buffer &&
                            value.kind != Kind::Result);
  for (size_t i = 0; i < function.steps.size(); ++i) {
    const PlanStep &step = function.steps[i];
    std::string what = "step " + std::to_string(i);
    if (!step.place.empty())
      what += " (" + step.place + ")";
    what += " of " + state.name;
    std::vector<int64_t> reads, writes;
    if (const auto *launch = std::get_if<Launch>(&step.action)) {
      for (const LaunchTensor &operand : launch->operands)
        if (operand.value != -1)
          reads.push_back(operand.value);
      for (const LaunchTensor &result : launch->results)
        writes.push_back(result.value);
    } else {
      reads = std::get<Call>(step.action).args;
      writes = std::get<Call>(step.action).results;
    }
    std::vector<int64_t> written;
    for (int64_t index : reads)
      checkRead(*this, state, index, what);
    for (int64_t index : writes) {
      checkWrite(*this, state, index, what);
      written.push_back(state.roots[index]);
    }
    std::sort(written.begin(), written.end());
    if (std::adjacent_find(written.begin(), written.end()) != written.end())
      fail(what + " writes one buffer twice");
    for (int64_t root : written)
      state.defined[root] = true;
    if (const auto *launch = std::get_if<Launch>(&step.action))
      verifyLaunch(function, *launch, what);
    else
      verifyCall(function, std::get<Call>(step.action), what);
  }
  for (int64_t result : function.results)
    if (!state.defined[result])
      fail(describeValue(state, result) + " is never written");
}

void PlanVerifier::verifyCall(const PlanFunction &function, const Call &call,
                              const std::string &what) const {
  auto it = functionIndex.find(call.callee);
  if (it == functionIndex.end())
    fail(what + " calls '" + call.callee + "'", "a function of the plan");
  const PlanFunction &callee = plan.functions[it->second];
  auto match = [&](const std::vector<int64_t> &args,
                   const std::vector<int64_t> &params, const char *noun) {
    if (args.size() != params.size())
      fail(what + " passes the wrong number of " + noun + "s to '" +
               call.callee + "'",
           std::to_string(params.size()), std::to_string(args.size()));
    for (size_t i = 0; i < args.size(); ++i) {
      const PlanValue &arg = function.values[args[i]];
      // The callee may not be verified yet.
      if (params[i] < 0 ||
          params[i] >= static_cast<int64_t>(callee.values.size()))
        fail("function '" + callee.name + "' lists a " + noun +
                 " that is no value",
             "an index below " + std::to_string(callee.values.size()),
             std::to_string(params[i]));
      const PlanValue &param = callee.values[params[i]];
      verifyShape(param.shape, noun + (" of '" + callee.name + "'"));
      if (arg.dtype != param.dtype || !areEqual(arg.shape, param.shape))
        fail(what + " passes a " + noun + " that does not fit '" + param.name +
                 "' of '" + call.callee + "'",
             std::string(getName(param.dtype)) + formatDims(param.shape),
             std::string(getName(arg.dtype)) + formatDims(arg.shape));
    }
  };
  match(call.args, callee.params, "param");
  match(call.results, callee.results, "result");
}

int64_t PlanVerifier::countLaunches(const PlanFunction &function, int depth) {
  auto it = launchCounts.find(&function);
  if (it != launchCounts.end()) {
    if (it->second < 0)
      fail("function '" + function.name + "' calls itself",
           "calls without recursion");
    return it->second;
  }
  if (depth > maxCallDepth)
    fail("calls are nested too deeply at function '" + function.name + "'",
         "at most " + std::to_string(maxCallDepth) + " levels");
  launchCounts[&function] = -1;
  int64_t count = 0;
  for (const PlanStep &step : function.steps) {
    if (const auto *call = std::get_if<Call>(&step.action))
      count += countLaunches(
          plan.functions[functionIndex.find(call->callee)->second], depth + 1);
    else
      ++count;
    if (count > maxLaunches)
      fail("function '" + function.name + "' comes to too many launches",
           "at most " + std::to_string(maxLaunches));
  }
  launchCounts[&function] = count;
  return count;
}

void Plan::verify(std::string_view where) const {
  PlanVerifier(*this, where).run();
}
