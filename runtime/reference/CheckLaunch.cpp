//===- CheckLaunch.cpp - What a launch must satisfy before it runs --------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The host has no guard pages around a tensor: an id, slot or block out of
// range would read or write something else's memory. So index operands are
// looked at before each launch.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Reference.h"
#include "runtime/support/Error.h"

#include <algorithm>

using namespace fk;

static std::string str(int64_t value) { return std::to_string(value); }

/// The element type of a tensor by its name in the signatures.
static DType getElementType(const BoundLaunch &launch, std::string_view name) {
  for (std::string_view integer :
       {"ids", "positions", "cu_seqlens", "seq_lens", "block_table", "slots",
        "top_k", "position", "next"})
    if (name == integer)
      return DType::I32;
  for (std::string_view real : {"cos_sin", "temperature", "top_p"})
    if (name == real)
      return DType::F32;
  return name == "seed" ? DType::I64 : launch.dtype;
}

void fk::checkTensors(const BoundLaunch &launch) {
  auto check = [&](const std::string &name, const TensorRef &tensor) {
    DType wanted = getElementType(launch, name);
    if (tensor.dtype != wanted)
      throw Error({.what = "'" + name + "' of task '" + launch.task +
                           "' has the wrong element type",
                   .where = launch.place,
                   .wanted = std::string(getName(wanted)),
                   .got = std::string(getName(tensor.dtype))});
  };
  if (!hasReference(launch.task))
    throw Error({.what = "task '" + launch.task + "' has no reference",
                 .where = launch.place});
  for (const auto &[name, tensor] : launch.results)
    check(name, tensor);
  for (const auto &[name, tensor] : launch.operands) {
    bool optional = name == "bias" || name == "sink";
    if (tensor)
      check(name, tensor);
    else if (!optional && tensor.getNumElements() != 0)
      throw Error({.what = "operand '" + name + "' of task '" + launch.task +
                           "' is absent",
                   .where = launch.place});
  }
}

namespace {
struct IndexCheck {
  const BoundLaunch &launch;

  const int32_t *get(std::string_view name) const {
    return static_cast<const int32_t *>(launch.operand(name).data);
  }

  [[noreturn]] void fail(const std::string &what, const std::string &wanted,
                         const std::string &got,
                         const std::string &mend = "") const {
    throw Error({.what = what + " in task '" + launch.task + "'",
                 .where = launch.place,
                 .wanted = wanted,
                 .got = got,
                 .mend = mend});
  }

  /// Every element of `name` lies in [least, count).
  void inRange(const char *name, int64_t least, int64_t count,
               const std::string &mend) const {
    const TensorRef &tensor = launch.operand(name);
    auto *values = static_cast<const int32_t *>(tensor.data);
    for (int64_t i = 0, n = tensor.getNumElements(); i < n; ++i)
      if (values[i] < least || values[i] >= count)
        fail(std::string(name) + "[" + str(i) + "] is out of range",
             str(least) + " to " + str(count - 1), str(values[i]), mend);
  }

  void cuSeqlens(bool nonEmpty) const {
    auto *cu = get("cu_seqlens");
    int64_t seqs = launch.axis("seqs"), tokens = launch.axis("tokens");
    if (cu[0] != 0)
      fail("cu_seqlens[0] is wrong", "0", str(cu[0]));
    for (int64_t s = 0; s < seqs; ++s) {
      if (cu[s + 1] < cu[s])
        fail("cu_seqlens[" + str(s + 1) + "] decreases",
             "at least " + str(cu[s]), str(cu[s + 1]));
      if (nonEmpty && cu[s + 1] == cu[s])
        fail("sequence " + str(s) + " is empty", "at least one row", "none",
             "leave empty sequences out of the batch");
    }
    if (cu[seqs] > tokens)
      fail("cu_seqlens ends behind the rows", "at most " + str(tokens),
           str(cu[seqs]));
  }

  void blockTable() const {
    auto *cu = get("cu_seqlens"), *lens = get("seq_lens");
    auto *blocks = get("block_table");
    int64_t pageSize = launch.axis("page_size"), pages = launch.axis("pages");
    int64_t maxBlocks = launch.axis("max_blocks");
    int64_t window = int64_t(launch.scalar("window"));
    for (int64_t s = 0, seqs = launch.axis("seqs"); s < seqs; ++s) {
      int64_t queries = cu[s + 1] - cu[s], length = lens[s];
      if (length < queries || length > maxBlocks * pageSize)
        fail("seq_lens[" + str(s) + "] is out of range",
             str(queries) + " (its rows) to " + str(maxBlocks * pageSize) +
                 " (max_blocks * page_size)",
             str(length), "give block_table more columns");
      // Pages before every query's window may have been given back.
      int64_t first =
          window > 0 ? std::max<int64_t>(0, length - queries - window + 1) : 0;
      for (int64_t b = first / pageSize; b * pageSize < length && queries;
           ++b) {
        int32_t page = blocks[s * maxBlocks + b];
        if (page < 0 || page >= pages)
          fail("block_table[" + str(s) + ", " + str(b) + "] is no page",
               "0 to " + str(pages - 1), str(page));
      }
    }
  }
};
} // namespace

void fk::checkIndices(const BoundLaunch &launch) {
  IndexCheck check{launch};
  std::string_view task = launch.task;
  if (task == "embedding")
    check.inRange("ids", 0, launch.axis("vocab"),
                  "the input has an id that the table has no row for");
  if (task == "rope" || task == "qk_norm_rope")
    check.inRange("positions", 0, launch.operand("cos_sin").shape[0],
                  "the sequence is longer than the rotary table");
  if (task == "kv_cache_write")
    check.inRange("slots", -1, launch.axis("pages") * launch.axis("page_size"),
                  "the cache has too few pages");
  if (task == "attention" || task == "paged_attention")
    check.cuSeqlens(/*nonEmpty=*/false);
  if (task == "paged_attention")
    check.blockTable();
  if (task == "gather_last_tokens" || task == "pool")
    check.cuSeqlens(/*nonEmpty=*/true);
}
