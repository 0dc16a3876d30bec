//===- Batch.cpp - Padded tensors to a packed forward and back ------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/Batch.h"

#include "runtime/Convert.h"
#include "runtime/Inputs.h"
#include "runtime/Program.h"
#include "runtime/Shape.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <set>

using namespace fk;

namespace {

const std::string maskName = "attention_mask";

/// A [batch, length] tensor of integers as the caller gave it.
struct Grid {
  int64_t batch = 0, length = 0;
  std::vector<int64_t> values;

  int64_t at(int64_t row, int64_t column) const {
    return values[static_cast<size_t>(row * length + column)];
  }
};

template <typename T>
void appendValues(const HostTensor &tensor, std::vector<int64_t> &values) {
  for (T value : tensor.as<T>())
    values.push_back(static_cast<int64_t>(value));
}

Grid readGrid(const std::string &name, const HostTensor &tensor) {
  if (tensor.shape.size() != 2)
    throw Error({.what = "input '" + name + "' has the wrong rank",
                 .wanted = "[batch, length]",
                 .got = formatShape(tensor.shape)});
  if (tensor.shape[0] < 1 || tensor.shape[1] < 1)
    throw Error({.what = "input '" + name + "' is empty",
                 .wanted = "at least one row and one column",
                 .got = formatShape(tensor.shape)});
  Grid grid{tensor.shape[0], tensor.shape[1], {}};
  switch (tensor.dtype) {
  case DType::I64:
    appendValues<int64_t>(tensor, grid.values);
    break;
  case DType::I32:
    appendValues<int32_t>(tensor, grid.values);
    break;
  case DType::I16:
    appendValues<int16_t>(tensor, grid.values);
    break;
  case DType::I8:
    appendValues<int8_t>(tensor, grid.values);
    break;
  case DType::U8:
  case DType::Bool:
    appendValues<uint8_t>(tensor, grid.values);
    break;
  case DType::F32: // masks are sometimes floats
    for (float value : tensor.as<float>()) {
      // A value that is no integer becomes one that no check lets through.
      bool isWhole = value >= -1e9f && value <= 1e9f &&
                     value == static_cast<float>(static_cast<int64_t>(value));
      grid.values.push_back(isWhole ? static_cast<int64_t>(value)
                                    : std::numeric_limits<int64_t>::min());
    }
    break;
  default:
    throw Error({.what = "input '" + name + "' has the wrong element type",
                 .wanted = "integers",
                 .got = std::string(getName(tensor.dtype))});
  }
  if (static_cast<int64_t>(grid.values.size()) != grid.batch * grid.length)
    throw Error({.what = "input '" + name + "' lacks data",
                 .wanted = formatShape(tensor.shape),
                 .got = std::to_string(grid.values.size()) + " elements"});
  return grid;
}

const PlanFunction &getForward(const Plan &plan) {
  const PlanFunction *forward = plan.findFunction("forward");
  if (!forward || !forward->isPublic)
    throw Error({.what = "the plan has no function 'forward'",
                 .where = plan.model.architecture,
                 .mend = "compile the model again"});
  return *forward;
}

/// The rows that are computed, and where they came from.
class Packing {
public:
  Packing(const Plan &plan, const NamedTensors &inputs)
      : plan(plan), forward(getForward(plan)) {
    readInputs(inputs);
    readMask();
    for (size_t i = 0; i < forward.params.size(); ++i)
      addParam(i);
  }

  SessionLimits getLimits() const {
    return {tokens, batch, largestPosition + 1, /*pages=*/0};
  }

  /// The packed parameters by name.
  std::map<std::string, HostTensor> getParams() const {
    std::map<std::string, HostTensor> given;
    for (size_t i = 0; i < forward.params.size(); ++i) {
      const std::vector<int64_t> &values = params[i];
      given.emplace(getParam(i).name,
                    makeIndexTensor(getParam(i), values,
                                    {static_cast<int64_t>(values.size())}));
    }
    return given;
  }

  const Plan &plan;
  const PlanFunction &forward;
  int64_t batch = 0, length = 0, tokens = 0;
  std::vector<int64_t> starts, counts;      ///< of each row's run of ones
  std::vector<std::vector<int64_t>> params; ///< values of each parameter
  int64_t largestPosition = -1;
  int64_t longest = 0; ///< as the reference library counts it, padding and all

private:
  const PlanValue &getParam(size_t index) const {
    return forward.values.at(static_cast<size_t>(forward.params[index]));
  }

  void readInputs(const NamedTensors &inputs) {
    std::vector<std::string> known;
    for (size_t i = 0; i < forward.params.size(); ++i) {
      const Role &role = getParam(i).role;
      if ((role.kind == "packed" || role.kind == "positions") &&
          std::find(known.begin(), known.end(), role.from) == known.end())
        known.push_back(role.from);
    }
    known.push_back(maskName);
    std::string names;
    for (const std::string &name : known)
      names += (names.empty() ? "" : ", ") + name;
    for (const auto &[name, tensor] : inputs) {
      if (std::find(known.begin(), known.end(), name) == known.end())
        throw Error({.what = "an unknown input",
                     .where = plan.model.architecture,
                     .wanted = names,
                     .got = "'" + name + "'"});
      if (!grids.emplace(name, readGrid(name, tensor)).second)
        throw Error(
            {.what = "an input is given twice", .got = "'" + name + "'"});
    }
    if (grids.empty())
      throw Error({.what = "no inputs",
                   .where = plan.model.architecture,
                   .wanted = names});
    // Everything but positions, of which one row may serve all, has one shape.
    std::string first;
    for (const auto &[name, grid] : grids) {
      if (isPositions(name))
        continue;
      if (first.empty()) {
        first = name;
        batch = grid.batch;
        length = grid.length;
      }
      checkShape(name, grid, first);
    }
    if (first.empty())
      throw Error({.what = "positions alone make no batch",
                   .where = plan.model.architecture,
                   .wanted = names});
    for (const auto &[name, grid] : grids)
      if (isPositions(name) && !(grid.batch == 1 && grid.length == length))
        checkShape(name, grid, first);
  }

  bool isPositions(const std::string &name) const {
    for (size_t i = 0; i < forward.params.size(); ++i)
      if (getParam(i).role.from == name)
        return getParam(i).role.kind == "positions";
    return false;
  }

  void checkShape(const std::string &name, const Grid &grid,
                  const std::string &first) const {
    if (grid.batch != batch || grid.length != length)
      throw Error(
          {.what = "input '" + name + "' has the wrong shape",
           .wanted = "that of '" + first + "', " +
                     formatShape(std::vector<int64_t>{batch, length}),
           .got = formatShape(std::vector<int64_t>{grid.batch, grid.length})});
  }

  void readMask() {
    auto found = grids.find(maskName);
    for (int64_t row = 0; row < batch; ++row) {
      int64_t begin = 0, end = length;
      if (found != grids.end()) {
        const Grid &mask = found->second;
        for (int64_t column = 0; column < length; ++column)
          if (int64_t value = mask.at(row, column); value != 0 && value != 1)
            throw Error({.what = "'" + maskName + "' holds more than 0 and 1",
                         .where = "row " + std::to_string(row) + ", column " +
                                  std::to_string(column),
                         .wanted = "0 or 1",
                         .got = value == std::numeric_limits<int64_t>::min()
                                    ? "no integer"
                                    : std::to_string(value)});
        auto rowBegin = mask.values.begin() + row * length;
        auto rowEnd = rowBegin + length;
        auto firstOne = std::find(rowBegin, rowEnd, 1);
        auto firstZero = std::find(firstOne, rowEnd, 0);
        if (firstOne == rowEnd)
          throw Error({.what = "a row of '" + maskName + "' hides everything",
                       .where = "row " + std::to_string(row),
                       .wanted = "at least one 1",
                       .got = "only zeros",
                       .mend = "leave the row out"});
        if (auto again = std::find(firstZero, rowEnd, 1); again != rowEnd)
          throw Error({.what = "a row of '" + maskName + "' has a hole",
                       .where = "row " + std::to_string(row),
                       .wanted = "one run of ones",
                       .got = "a 1 behind a 0 in column " +
                              std::to_string(again - rowBegin),
                       .mend = "pad on one side only"});
        begin = firstOne - rowBegin;
        end = firstZero - rowBegin;
      }
      starts.push_back(begin);
      counts.push_back(end - begin);
      tokens += end - begin;
    }
    if (tokens > std::numeric_limits<int32_t>::max())
      throw Error({.what = "the batch has too many tokens",
                   .wanted = "at most 2^31 - 1",
                   .got = std::to_string(tokens)});
  }

  void addParam(size_t index) {
    const Role &role = getParam(index).role;
    std::vector<int64_t> values;
    if (role.kind == "cu_seqlens") {
      values.push_back(0);
      for (int64_t count : counts)
        values.push_back(values.back() + count);
    } else if (role.kind == "seq_lens") {
      values = counts;
    } else if (role.kind == "packed") {
      values = pack(index, role);
    } else if (role.kind == "positions") {
      values = makePositions(index, role);
    } else {
      throw Error({.what = "the plan's 'forward' asks for what a batch lacks",
                   .where = "parameter '" + getParam(index).name + "'",
                   .wanted = "packed, positions, cu_seqlens or seq_lens",
                   .got = "'" + role.kind + "'",
                   .mend = "compile the model again"});
    }
    params.push_back(std::move(values));
  }

  /// The rows of `grid`, without the masked ones, each below `limit`.
  std::vector<int64_t> takeRows(const std::string &name, const Grid &grid,
                                std::optional<int64_t> limit) const {
    std::vector<int64_t> values;
    values.reserve(static_cast<size_t>(tokens));
    for (int64_t row = 0; row < batch; ++row)
      for (int64_t i = 0; i < counts[static_cast<size_t>(row)]; ++i) {
        int64_t column = starts[static_cast<size_t>(row)] + i;
        int64_t value = grid.at(grid.batch == 1 ? 0 : row, column);
        if (value < 0 || (limit && value >= *limit))
          throw Error({.what = "a value of '" + name + "' is out of range",
                       .where = "row " + std::to_string(row) + ", column " +
                                std::to_string(column),
                       .wanted = limit ? "0 to " + std::to_string(*limit - 1)
                                       : "no negative number",
                       .got = value == std::numeric_limits<int64_t>::min()
                                  ? "no integer"
                                  : std::to_string(value)});
        values.push_back(value);
      }
    return values;
  }

  std::vector<int64_t> pack(size_t index, const Role &role) const {
    auto found = grids.find(role.from);
    if (found != grids.end())
      return takeRows(role.from, found->second,
                      getIndexLimit(plan, forward, index));
    if (!role.defaultValue)
      throw Error({.what = "an input is missing",
                   .where = plan.model.architecture,
                   .wanted = "'" + role.from + "'"});
    return std::vector<int64_t>(static_cast<size_t>(tokens),
                                *role.defaultValue);
  }

  std::vector<int64_t> makePositions(size_t index, const Role &role) {
    auto found = grids.find(role.from);
    Grid grid = found != grids.end() ? found->second : derivePositions(role);
    longest = std::max(
        longest, *std::max_element(grid.values.begin(), grid.values.end()) + 1);
    std::optional<int64_t> limit = getIndexLimit(plan, forward, index);
    if (!limit)
      limit = std::numeric_limits<int32_t>::max();
    std::vector<int64_t> values =
        takeRows(found != grids.end() ? role.from : "positions", grid, limit);
    for (int64_t value : values)
      largestPosition = std::max(largestPosition, value);
    return values;
  }

  Grid derivePositions(const Role &role) const {
    Grid grid{batch, length, {}};
    const Grid *ids = nullptr;
    if (role.rule == "non_padding") {
      auto found = grids.find("input_ids");
      if (found == grids.end())
        throw Error({.what = "an input is missing",
                     .where = plan.model.architecture,
                     .wanted = "'input_ids' or '" + role.from + "'"});
      ids = &found->second;
    }
    for (int64_t row = 0; row < batch; ++row)
      for (int64_t column = 0, rank = 0; column < length; ++column) {
        bool isPadding = ids && ids->at(row, column) == role.paddingIdx;
        if (!ids)
          grid.values.push_back(column);
        else
          grid.values.push_back(isPadding ? role.paddingIdx
                                          : role.paddingIdx + ++rank);
      }
    return grid;
  }

  std::map<std::string, Grid> grids;
};

/// A result of the packed batch as the caller's [batch, length, ...].
HostTensor unpack(const Packing &packing, const PlanValue &result,
                  const HostTensor &packed) {
  bool isRows = result.role.kind == "rows";
  std::vector<int64_t> shape = packed.shape;
  int64_t rows = isRows ? packing.tokens : packing.batch;
  if ((!isRows && result.role.kind != "sequences") || shape.empty() ||
      shape[0] != rows)
    throw Error({.what = "a result of the plan has the wrong role",
                 .where = "'" + result.name + "'",
                 .wanted = "rows or sequences of " + std::to_string(rows),
                 .got = "'" + result.role.kind + "' " + formatShape(shape),
                 .mend = "compile the model again"});
  int64_t width = packed.getNumElements() / rows;
  HostTensor tensor{DType::F32, std::move(shape), {}};
  if (isRows) {
    tensor.shape[0] = packing.batch;
    tensor.shape.insert(tensor.shape.begin() + 1, packing.length);
  }
  tensor.bytes.resize(static_cast<size_t>(tensor.getNumElements()) * 4);
  auto elementBytes = static_cast<size_t>(getSizeInBytes(packed.dtype));
  auto copy = [&](int64_t from, int64_t to, int64_t count) {
    convertElements(
        packed.bytes.data() + static_cast<size_t>(from * width) * elementBytes,
        packed.dtype, tensor.bytes.data() + static_cast<size_t>(to * width) * 4,
        DType::F32, static_cast<size_t>(count * width));
  };
  if (!isRows) {
    copy(0, 0, rows);
    return tensor;
  }
  int64_t from = 0;
  for (int64_t row = 0; row < packing.batch; ++row) {
    int64_t count = packing.counts[static_cast<size_t>(row)];
    copy(from, row * packing.length + packing.starts[static_cast<size_t>(row)],
         count);
    from += count;
  }
  return tensor;
}

} // namespace

SessionLimits fk::limitsFor(const Plan &plan, const NamedTensors &inputs) {
  return Packing(plan, inputs).getLimits();
}

std::map<std::string, HostTensor> fk::packForward(const Plan &plan,
                                                  const NamedTensors &inputs) {
  return Packing(plan, inputs).getParams();
}

NamedTensors fk::runForward(Session &session, const NamedTensors &inputs) {
  const Plan &plan = session.getPlan();
  Packing packing(plan, inputs);
  const PlanFunction &forward = packing.forward;
  AxisValues symbols = {{"tokens", packing.tokens}, {"seqs", packing.batch}};
  for (auto symbol = symbols.begin(); symbol != symbols.end();)
    symbol = std::find(plan.symbols.begin(), plan.symbols.end(),
                       symbol->first) == plan.symbols.end()
                 ? symbols.erase(symbol)
                 : std::next(symbol);

  const std::map<std::string, HostTensor> given = packing.getParams();
  session.setLongestSequence(packing.longest);
  try {
    session.run("forward", symbols, given);
  } catch (...) {
    session.setLongestSequence(0);
    throw;
  }
  session.setLongestSequence(0);

  NamedTensors outputs;
  for (int64_t index : forward.results) {
    const PlanValue &result = forward.values.at(static_cast<size_t>(index));
    outputs.emplace_back(
        result.name, unpack(packing, result, session.getResult(result.name)));
  }
  return outputs;
}
