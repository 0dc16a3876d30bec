//===- ReferenceCatalog.cpp - The reference provider's rows ---------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/providers/Catalog.h"

using namespace fk;

/// The reference serves every task at every shape.
static constexpr KernelInfo getRow(std::string_view task) {
  return {task,           "reference", "reference", "host",
          "f32,bf16,f16", "",          0,           "the task's definition"};
}

static constexpr KernelInfo referenceKernels[] = {
    getRow("embedding"),
    getRow("linear"),
    getRow("qkv_linear"),
    getRow("gate_up_linear"),
    getRow("rms_norm"),
    getRow("layer_norm"),
    getRow("l2_norm"),
    getRow("add_rms_norm"),
    getRow("silu"),
    getRow("tanh"),
    getRow("gelu"),
    getRow("add"),
    getRow("mul"),
    getRow("softmax"),
    getRow("silu_and_mul"),
    getRow("gelu_and_mul"),
    getRow("rope"),
    getRow("qk_norm_rope"),
    getRow("attention"),
    getRow("paged_attention"),
    getRow("kv_cache_write"),
    getRow("gather_last_tokens"),
    getRow("pool"),
    getRow("sample"),
};

std::span<const KernelInfo> fk::getReferenceCatalog() {
  return referenceKernels;
}
