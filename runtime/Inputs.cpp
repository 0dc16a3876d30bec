//===- Inputs.cpp - What a function accepts from its caller ---------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Kernels index tables, pages and rows by these integers without looking; this
// is the place where a wrong one is found.
//
//===----------------------------------------------------------------------===//

#include "runtime/Inputs.h"

#include "runtime/Shape.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cstring>

using namespace fk;

namespace {

int64_t getSymbol(const AxisValues &symbols, std::string_view name) {
  auto found = symbols.find(name);
  return found == symbols.end() ? 0 : found->second;
}

template <typename T>
void checkRange(const HostTensor &tensor, const std::string &name,
                const InputBounds &bounds, int64_t &largest) {
  std::span<const T> values = tensor.as<T>();
  for (size_t i = 0; i < values.size(); ++i) {
    auto value = static_cast<int64_t>(values[i]);
    if (value < bounds.low || value > bounds.high)
      throw Error({.what = "a value of '" + name + "' is out of range",
                   .where = "element " + std::to_string(i),
                   .wanted = bounds.meaning + ", " +
                             std::to_string(bounds.low) + " to " +
                             std::to_string(bounds.high),
                   .got = std::to_string(value)});
    largest = std::max(largest, value);
  }
}

/// Offsets must start at 0, never fall and end at the number of tokens.
void checkOffsets(const HostTensor &tensor, const std::string &name,
                  int64_t tokens) {
  std::span<const int32_t> values = tensor.as<int32_t>();
  if (values.empty() || values.front() != 0 || values.back() != tokens ||
      !std::is_sorted(values.begin(), values.end()))
    throw Error({.what = "'" + name + "' does not cut the tokens",
                 .wanted = "rising numbers from 0 to " + std::to_string(tokens),
                 .got = values.empty()
                            ? "nothing"
                            : std::to_string(values.front()) + " to " +
                                  std::to_string(values.back())});
}

std::string listParams(const PlanFunction &function) {
  std::string text;
  for (int64_t index : function.params)
    text += (text.empty() ? "" : ", ") +
            function.values.at(static_cast<size_t>(index)).name;
  return text.empty() ? "no inputs" : text;
}

} // namespace

std::vector<InputBounds> fk::getInputBounds(const Plan &plan,
                                            const PlanFunction &function,
                                            const AxisValues &symbols) {
  int64_t pages = getSymbol(symbols, "pages");
  int64_t positions = getSymbol(symbols, "max_positions");
  std::vector<InputBounds> bounds;
  for (size_t i = 0; i < function.params.size(); ++i) {
    const PlanValue &value =
        function.values.at(static_cast<size_t>(function.params[i]));
    InputBounds bound;
    const std::string &kind = value.role.kind;
    // Without a rotary table the rows of a position table bound them, below.
    if (kind == "positions" && positions > 0)
      bound = {0, positions - 1, "a position below the session's limit"};
    else if (kind == "seq_lens")
      bound = {1, positions, "a length within the session's limit"};
    else if (kind == "slots")
      bound = {-1, pages * plan.model.pageSize - 1, "a row of the pages or -1"};
    else if (kind == "block_table")
      bound = {0, pages - 1, "a page"};
    if (std::optional<int64_t> limit = getIndexLimit(plan, function, i);
        limit && (bound.high < bound.low || *limit - 1 < bound.high))
      bound = {0, *limit - 1, "a row of the table"};
    bounds.push_back(std::move(bound));
  }
  return bounds;
}

int64_t fk::stageInputs(const Program &program,
                        const std::map<std::string, HostTensor> &inputs,
                        std::byte *staging) {
  const PlanFunction &function = *program.function;
  const std::vector<InputBounds> &bounds = program.bounds;
  std::string where = "function '" + function.name + "'";
  int64_t longest = 0;
  size_t known = 0;
  for (size_t i = 0; i < program.params.size(); ++i) {
    const PlanValue &value =
        function.values.at(static_cast<size_t>(function.params[i]));
    const TensorRef &param = program.params[i];
    auto found = inputs.find(value.name);
    if (found == inputs.end())
      throw Error({.what = "an input is missing",
                   .where = where,
                   .wanted = "'" + value.name + "'",
                   .mend = "it takes " + listParams(function)});
    ++known;
    const HostTensor &tensor = found->second;
    if (tensor.dtype != param.dtype || tensor.shape != param.shape)
      throw Error({.what = "input '" + value.name + "' does not fit",
                   .where = where,
                   .wanted = std::string(getName(param.dtype)) + " " +
                             formatShape(param.shape) + " for " +
                             formatAxes(program.symbols),
                   .got = std::string(getName(tensor.dtype)) + " " +
                          formatShape(tensor.shape)});
    auto bytes = static_cast<size_t>(param.getSizeInBytes());
    if (tensor.bytes.size() != bytes)
      throw Error({.what = "input '" + value.name + "' lacks data",
                   .where = where,
                   .wanted = std::to_string(bytes) + " bytes",
                   .got = std::to_string(tensor.bytes.size())});
    int64_t largest = -1;
    if (bounds[i].high >= bounds[i].low || value.role.kind == "block_table" ||
        value.role.kind == "slots") {
      if (tensor.dtype == DType::I32)
        checkRange<int32_t>(tensor, value.name, bounds[i], largest);
      else if (tensor.dtype == DType::I64)
        checkRange<int64_t>(tensor, value.name, bounds[i], largest);
    }
    if (value.role.kind == "cu_seqlens" && tensor.dtype == DType::I32)
      checkOffsets(tensor, value.name, getSymbol(program.symbols, "tokens"));
    if (value.role.kind == "positions")
      longest = std::max(longest, largest + 1);
    if (bytes) {
      auto offset = static_cast<std::byte *>(param.data) -
                    static_cast<std::byte *>(program.params[0].data);
      std::memcpy(staging + offset, tensor.bytes.data(), bytes);
    }
  }
  if (known != inputs.size())
    for (const auto &[name, tensor] : inputs) {
      bool isParam = std::any_of(
          function.params.begin(), function.params.end(), [&](int64_t index) {
            return function.values.at(static_cast<size_t>(index)).name == name;
          });
      if (!isParam)
        throw Error({.what = "an unknown input",
                     .where = where,
                     .wanted = listParams(function),
                     .got = "'" + name + "'"});
    }
  return longest;
}

HostTensor fk::makeIndexTensor(const PlanValue &param,
                               const std::vector<int64_t> &values,
                               std::vector<int64_t> shape) {
  HostTensor tensor{param.dtype, std::move(shape), {}};
  tensor.bytes.resize(values.size() *
                      static_cast<size_t>(getSizeInBytes(param.dtype)));
  if (param.dtype == DType::I64)
    std::copy(values.begin(), values.end(), tensor.as<int64_t>().begin());
  else if (param.dtype == DType::I32)
    std::transform(values.begin(), values.end(), tensor.as<int32_t>().begin(),
                   [](int64_t value) { return static_cast<int32_t>(value); });
  else
    throw Error({.what = "a parameter of the plan has the wrong element type",
                 .where = "'" + param.name + "'",
                 .wanted = "i32 or i64",
                 .got = std::string(getName(param.dtype))});
  return tensor;
}
