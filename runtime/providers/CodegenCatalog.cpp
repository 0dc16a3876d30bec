//===- CodegenCatalog.cpp - What the codegen provider serves --------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Kernels that lib/Codegen makes for one set of widths when a plan is compiled.
// They stand behind the kernels written by hand, and on the host behind the
// reference: a plan has them where they are preferred, or where nothing else
// serves.
//
//===----------------------------------------------------------------------===//

#include "runtime/providers/Catalog.h"

#include <vector>

namespace fk {

std::span<const KernelInfo> getCodegenCatalog() {
  static constexpr std::string_view tasks[] = {
      "add",  "add_rms_norm", "embedding", "gather_last_tokens",
      "gelu", "gelu_and_mul", "l2_norm",   "layer_norm",
      "mul",  "qk_norm_rope", "rms_norm",  "rope",
      "silu", "silu_and_mul", "softmax",   "tanh"};
  static const std::vector<KernelInfo> rows = [] {
    std::vector<KernelInfo> all;
    for (std::string_view task : tasks)
      for (auto [device, priority] : {std::pair("cuda", 5), {"host", -5}})
        all.push_back({task, "codegen", task, device, "bf16,f16,f32", "",
                       priority, "generated for these widths"});
    return all;
  }();
  return rows;
}

} // namespace fk
