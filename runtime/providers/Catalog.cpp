//===- Catalog.cpp - Every kernel fk ships ---------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Data and its lookup: the compiler links this file and no provider. `where`
// speaks of the task's axes; among the rows of a task that serve the type, the
// runtime takes the first, by priority, whose `where` holds.
//
//===----------------------------------------------------------------------===//

#include "runtime/providers/Catalog.h"

#include <algorithm>
#include <vector>

namespace fk {

static constexpr std::string_view allTypes = "bf16,f16,f32";
static constexpr std::string_view halfTypes = "bf16,f16";

static constexpr KernelInfo deviceKernels[] = {
    // task, provider, name, device, dtypes, where, priority, why
    {"embedding", "cuda", "embedding", "cuda", allTypes, "", 10,
     "one block a row, 16-byte copies"},
    {"linear", "cuda", "linear_gemv", "cuda", allTypes,
     "tokens == 1 && in_features % 8 == 0", 30,
     "one row: reads the weight once at memory speed"},
    {"linear", "cuda", "linear_skinny", "cuda", allTypes,
     "tokens <= 8 && in_features % 8 == 0", 20,
     "few rows: reads the weight once at memory speed"},
    {"qkv_linear", "cuda", "qkv_linear_gemv", "cuda", allTypes,
     "tokens == 1 && in_features % 8 == 0", 30,
     "one row: reads the weight once at memory speed"},
    {"qkv_linear", "cuda", "qkv_linear_skinny", "cuda", allTypes,
     "tokens <= 8 && in_features % 8 == 0", 20,
     "few rows: reads the weight once at memory speed"},
    {"gate_up_linear", "cuda", "gate_up_linear_gemv", "cuda", allTypes,
     "tokens == 1 && in_features % 8 == 0", 30,
     "one row: reads the weight once at memory speed"},
    {"gate_up_linear", "cuda", "gate_up_linear_skinny", "cuda", allTypes,
     "tokens <= 8 && in_features % 8 == 0", 20,
     "few rows: reads the weight once at memory speed"},
    {"linear", "cublaslt", "linear", "cuda", allTypes, "", 10,
     "tensor-core matrix product, the bias added before rounding"},
    {"qkv_linear", "cublaslt", "qkv_linear", "cuda", allTypes, "", 10,
     "three tensor-core matrix products over the rows of one weight"},
    {"gate_up_linear", "cublaslt", "gate_up_linear", "cuda", allTypes, "", 10,
     "one tensor-core matrix product for gate and up"},

    {"rms_norm", "cuda", "rms_norm", "cuda", allTypes, "", 10,
     "one block a row"},
    {"add_rms_norm", "cuda", "add_rms_norm", "cuda", allTypes, "", 10,
     "one block a row, the sum kept on chip"},
    {"layer_norm", "cuda", "layer_norm", "cuda", allTypes, "", 10,
     "one block a row, two passes over it"},
    {"l2_norm", "cuda", "l2_norm", "cuda", allTypes, "", 10, "one block a row"},

    {"silu", "cuda", "silu", "cuda", allTypes, "", 10, "16-byte accesses"},
    {"tanh", "cuda", "tanh", "cuda", allTypes, "", 10, "16-byte accesses"},
    {"gelu", "cuda", "gelu", "cuda", allTypes, "", 10, "16-byte accesses"},
    {"add", "cuda", "add", "cuda", allTypes, "", 10, "16-byte accesses"},
    {"mul", "cuda", "mul", "cuda", allTypes, "", 10, "16-byte accesses"},
    {"softmax", "cuda", "softmax", "cuda", allTypes, "", 10, "one block a row"},
    {"silu_and_mul", "cuda", "silu_and_mul", "cuda", allTypes, "", 10,
     "16-byte accesses, gate and up read once"},
    {"gelu_and_mul", "cuda", "gelu_and_mul", "cuda", allTypes, "", 10,
     "16-byte accesses, gate and up read once"},

    {"rope", "cuda", "rope", "cuda", allTypes, "", 10,
     "query and key in one launch"},
    {"qk_norm_rope", "cuda", "qk_norm_rope", "cuda", allTypes,
     "head_dim <= 1024", 10, "one warp a head, norm and rotation on chip"},
    {"kv_cache_write", "cuda", "kv_cache_write", "cuda", allTypes, "", 10,
     "key and value in one launch"},
    {"attention", "cuda", "attention_mma", "cuda", halfTypes, "head_dim <= 256",
     20, "tensor cores, online softmax"},
    {"attention", "cuda", "attention_simt", "cuda", "f32", "head_dim <= 256",
     10, "full float32 arithmetic, online softmax"},
    {"paged_attention", "cuda", "paged_attention_decode", "cuda", allTypes,
     "tokens == seqs && head_dim <= 256", 30,
     "one query a sequence: the cache split over many blocks"},
    {"paged_attention", "cuda", "paged_attention_mma", "cuda", halfTypes,
     "head_dim <= 256", 20, "tensor cores, online softmax over pages"},
    {"paged_attention", "cuda", "paged_attention_simt", "cuda", "f32",
     "head_dim <= 256", 10, "full float32 arithmetic over pages"},

    {"gather_last_tokens", "cuda", "gather_last_tokens", "cuda", allTypes, "",
     10, "16-byte copies"},
    {"pool", "cuda", "pool", "cuda", allTypes, "", 10,
     "coalesced down the columns"},
    {"sample", "cuda", "sample", "cuda", allTypes, "", 10,
     "one block a sequence, no sort"},
};

std::span<const KernelInfo> getDeviceCatalog() { return deviceKernels; }

std::span<const KernelInfo> getKernelCatalog() {
  static const std::vector<KernelInfo> all = [] {
    std::vector<KernelInfo> rows(std::begin(deviceKernels),
                                 std::end(deviceKernels));
    for (std::span<const KernelInfo> more :
         {getCodegenCatalog(), getReferenceCatalog()})
      rows.insert(rows.end(), more.begin(), more.end());
    return rows;
  }();
  return all;
}

/// Whether a row's list "bf16,f16" has the type.
static bool serves(const KernelInfo &row, DType dtype) {
  const std::string list = "," + std::string(row.dtypes) + ",";
  return list.find("," + std::string(getName(dtype)) + ",") !=
         std::string::npos;
}

std::vector<const KernelInfo *> findKernels(std::string_view task, DType dtype,
                                            std::string_view device) {
  std::vector<const KernelInfo *> rows;
  for (const KernelInfo &row : getKernelCatalog())
    if (row.task == task && row.device == device && serves(row, dtype))
      rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(), [](auto *lhs, auto *rhs) {
    return lhs->priority > rhs->priority;
  });
  return rows;
}

} // namespace fk
