//===- TaskShapes.cpp - Shapes a kernel is tried at -----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/TaskCases.h"
#include "lib/Bench/PagedLayout.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <charconv>
#include <set>

using namespace fk;
using namespace fk::bench;

//===----------------------------------------------------------------------===//
// Static axes
//===----------------------------------------------------------------------===//

namespace {

/// Sets of static axes: values of `axes`, in their order. The first and the
/// last are those at which every class of values is tried, so the last is an
/// odd one.
struct Widths {
  std::vector<std::string> axes;
  std::vector<std::vector<int64_t>> host, cuda;
};

const std::vector<Widths> &getWidths() {
  static const std::vector<Widths> all = {
      {{"hidden", "vocab"},
       {{64, 100}, {96, 257}, {256, 40}, {1024, 33}, {7, 9}, {63, 50}},
       {{4096, 32000}, {2048, 5000}, {5120, 999}, {63, 50}}},
      {{"hidden"},
       {{64}, {96}, {128}, {256}, {1024}, {7}, {63}},
       {{4096}, {1024}, {2048}, {3584}, {5120}, {8192}, {63}}},
      {{"columns"},
       {{64}, {96}, {128}, {256}, {1024}, {7}, {63}},
       {{4096}, {1024}, {2048}, {8192}, {32768}, {63}}},
      {{"features"},
       {{64}, {96}, {128}, {256}, {1024}, {7}, {63}},
       {{4096}, {1024}, {3072}, {14336}, {63}}},
      {{"out_features", "in_features"},
       {{64, 64}, {128, 96}, {96, 128}, {32, 256}, {33, 40}},
       {{4096, 4096}, {1024, 4096}, {2560, 9728}, {33, 40}}},
      {{"q_features", "kv_features", "in_features"},
       {{64, 32, 64}, {128, 32, 96}, {24, 8, 40}},
       {{4096, 1024, 4096}, {896, 128, 896}, {24, 8, 40}}},
      {{"intermediate", "in_features"},
       {{64, 64}, {128, 96}, {40, 24}},
       {{4864, 896}, {11008, 2048}, {40, 24}}},
      {{"intermediate"},
       {{64}, {96}, {128}, {256}, {1024}, {7}, {63}},
       {{14336}, {4864}, {11008}, {3072}, {63}}},
      {{"page_size", "q_heads", "kv_heads", "head_dim"},
       {{16, 4, 2, 64}, {16, 2, 2, 128}, {16, 4, 1, 32}, {4, 3, 1, 20}},
       {{16, 32, 8, 128}, {16, 14, 2, 64}, {16, 8, 1, 256}, {4, 3, 1, 20}}},
      {{"page_size", "kv_heads", "head_dim"},
       {{16, 2, 64}, {16, 8, 128}, {4, 3, 20}},
       {{16, 8, 128}, {16, 2, 64}, {4, 3, 20}}},
      {{"q_heads", "kv_heads", "head_dim"},
       {{4, 2, 64}, {2, 2, 128}, {8, 1, 32}, {4, 2, 16}, {3, 1, 20}},
       {{32, 8, 128}, {14, 2, 64}, {8, 1, 256}, {12, 12, 64}, {3, 1, 20}}},
      {{"vocab"}, {{1000}, {256}, {33}}, {{128256}, {32000}, {33}}},
  };
  return all;
}

/// Axes that vary from call to call; the others are a model's.
bool isDynamic(std::string_view axis) {
  static constexpr std::string_view dynamic[] = {"tokens", "seqs", "rows",
                                                 "pages", "max_blocks"};
  return std::find(std::begin(dynamic), std::end(dynamic), axis) !=
         std::end(dynamic);
}

bool hasAxis(const Signature &signature, std::string_view axis) {
  return std::find(signature.axes.begin(), signature.axes.end(), axis) !=
         signature.axes.end();
}

std::string listAxes(const Signature &signature) {
  std::string text;
  for (const std::string &axis : signature.axes)
    text += (text.empty() ? "" : ", ") + axis;
  return text;
}

/// Every combination of `base` with the chosen values of `axes`.
std::vector<AxisValues> combine(std::vector<AxisValues> base,
                                const std::vector<std::string> &axes,
                                const AxisChoices &choices) {
  for (const std::string &axis : axes) {
    auto chosen = choices.find(axis);
    if (chosen == choices.end())
      continue;
    std::vector<AxisValues> next;
    for (const AxisValues &values : base)
      for (int64_t value : chosen->second) {
        AxisValues copy = values;
        copy[axis] = value;
        if (std::find(next.begin(), next.end(), copy) == next.end())
          next.push_back(std::move(copy));
      }
    base = std::move(next);
  }
  return base;
}

} // namespace

std::vector<AxisValues> bench::getStaticAxes(const Signature &signature,
                                             bool isHost,
                                             const AxisChoices &choices) {
  std::vector<std::string> axes;
  for (const std::string &axis : signature.axes)
    if (!isDynamic(axis))
      axes.push_back(axis);
  std::vector<std::string> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  for (const Widths &widths : getWidths()) {
    std::vector<std::string> names = widths.axes;
    std::sort(names.begin(), names.end());
    if (names != sorted)
      continue;
    std::vector<AxisValues> sets;
    for (const std::vector<int64_t> &values :
         isHost ? widths.host : widths.cuda) {
      AxisValues &set = sets.emplace_back();
      for (size_t i = 0; i < values.size(); ++i)
        set[widths.axes[i]] = values[i];
    }
    return combine(std::move(sets), axes, choices);
  }
  throw Error({"no widths are known to try task '" + signature.task + "' at",
               "fk kernels", "a task of fk list", listAxes(signature), ""});
}

//===----------------------------------------------------------------------===//
// Dynamic axes
//===----------------------------------------------------------------------===//

/// Sequences that `tokens` rows are dealt out to where nobody says.
static int64_t getSequences(int64_t tokens) {
  return tokens < 3 ? tokens : tokens < 8 ? (tokens + 1) / 2 : 5;
}

std::vector<TaskShape> bench::getTaskShapes(const Signature &signature,
                                            bool isHost,
                                            const AxisChoices &choices) {
  const std::string rows = hasAxis(signature, "rows")     ? "rows"
                           : hasAxis(signature, "tokens") ? "tokens"
                                                          : "seqs";
  AxisChoices given = choices;
  if (!given.count(rows))
    given[rows] = {1, 2, 3, 7, 33};
  std::vector<TaskShape> shapes;
  const std::vector<AxisValues> sets =
      getStaticAxes(signature, isHost, choices);
  for (size_t i = 0; i < sets.size(); ++i)
    for (AxisValues axes : combine({sets[i]}, {rows, "seqs"}, given)) {
      if (hasAxis(signature, "seqs") && !axes.count("seqs"))
        axes["seqs"] = getSequences(axes.at(rows));
      if (rows == "tokens" && hasAxis(signature, "seqs") &&
          axes.at("seqs") > axes.at("tokens"))
        throw Error(
            {"there are more sequences than rows", "--shapes",
             "seqs at most tokens = " + std::to_string(axes.at("tokens")),
             std::to_string(axes.at("seqs")), ""});
      if (hasAxis(signature, "pages"))
        completePages(axes);
      shapes.push_back({std::move(axes), i});
    }
  return shapes;
}

AxisChoices bench::parseAxisChoices(const std::vector<std::string> &texts,
                                    const Signature &signature) {
  AxisChoices choices;
  auto fail = [&](const std::string &text) -> Error {
    return Error({"this names no values of axes", "--shapes",
                  "<axis>=<value>,<value>, several behind ; or again",
                  "'" + text + "'", "for instance tokens=1,33"});
  };
  for (const std::string &text : texts)
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find(';', begin), text.size());
      const std::string part = text.substr(begin, end - begin);
      begin = end + 1;
      const size_t equals = part.find('=');
      if (equals == std::string::npos || equals == 0)
        throw fail(part);
      const std::string axis = part.substr(0, equals);
      if (!hasAxis(signature, axis))
        throw Error({"the task has no such axis", "--shapes",
                     "one of " + listAxes(signature), "'" + axis + "'", ""});
      if (axis == "pages" || axis == "max_blocks")
        throw Error({"axis '" + axis + "' follows from the sequences",
                     "--shapes", "tokens, seqs, page_size or a width",
                     "'" + part + "'", ""});
      std::vector<int64_t> values;
      for (size_t at = equals + 1; at <= part.size();) {
        const size_t comma = std::min(part.find(',', at), part.size());
        int64_t value = 0;
        const char *last = part.data() + comma;
        auto [stop, error] = std::from_chars(part.data() + at, last, value);
        if (error != std::errc() || stop != last || value < 1 ||
            value > (int64_t(1) << 24))
          throw fail(part);
        values.push_back(value);
        at = comma + 1;
      }
      choices[axis] = std::move(values);
    }
  return choices;
}
