//===- Cuda.cpp - fk's own kernels -----------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every kernel is data: its image and its declared launches, as a candidate's
// are (runtime/Plan.h), handed to the one launcher. A kernel takes the
// parameters of its task's signature; absent optional operands are null
// pointers (`bias?`), and variants, which a candidate never sees, follow the
// axes. An entry is
// `<entry>_<dtype>`.
//
//===----------------------------------------------------------------------===//

#include "runtime/providers/Cuda.h"

#include "runtime/LaunchBinding.h"
#include "runtime/cuda/Launcher.h"
#include "runtime/kernels/Images.h"
#include "runtime/support/Error.h"

#include <sstream>

namespace fk {

namespace cuda {

// clang-format off
// A thread takes 8 elements of a row.
#define FK_ROW_BLOCK(width) "min(1024, max(32, ceildiv(" width ", 256) * 32))"
// 256 threads with 8 elements each; the kernel strides over the rest.
#define FK_FLAT_GRID "min(65536, ceildiv(tokens * features, 2048))"

#define FK_ATTENTION_ARGS                                                      \
  "result query key value cu_seqlens sink? scale causal window softcap "       \
  "tokens seqs q_heads kv_heads head_dim"
#define FK_PAGED_ARGS                                                          \
  "result query cache cu_seqlens seq_lens block_table sink? scale causal "     \
  "window softcap tokens seqs pages page_size max_blocks q_heads kv_heads "    \
  "head_dim"
#define FK_LINEAR_ARGS                                                         \
  "result input weight bias? tokens out_features in_features"
#define FK_QKV_ARGS                                                            \
  "query key value input weight bias? tokens q_features kv_features "          \
  "in_features"
#define FK_GATE_UP_ARGS                                                        \
  "gate_up input weight bias? tokens intermediate in_features"

// Rows of the weight a block serves: see Linear.cu and LinearMma.cu. Wider blocks read
// the tokens less often and pay where there are enough of them.
#define FK_GEMV(entry, rows, args)                                             \
  {"", "0", {{entry "1", {"ceildiv(" rows ", 8)"}, "128", "0", args}}}
#define FK_FEW(entry, rows, args)                                              \
  {"tokens <= 2", "0", {{entry "2", {"ceildiv(" rows ", 8)"}, "128", "0", args}}},  \
  {"tokens <= 4", "0", {{entry "4", {"ceildiv(" rows ", 16)"}, "128", "0", args}}}, \
  {"", "0", {{entry "8", {"ceildiv(" rows ", 16)"}, "128", "0", args}}}
#define FK_SKINNY(entry, rows, args)                                           \
  {rows " <= 8192", "0", {{entry "1", {"ceildiv(" rows ", 16)"}, "256", "0", args}}}, \
  {"", "0", {{entry "2", {"ceildiv(" rows ", 32)"}, "256", "0", args}}}

// Heads are padded to 64, 128 or 256: see AttentionMma.cu for the shared memory.
#define FK_BY_WIDTH(entry, args)                                               \
  {"head_dim <= 64", "0", {{entry "_d64", {"tokens / 64 + seqs", "q_heads"}, "128", "24576", args}}},   \
  {"head_dim <= 128", "0", {{entry "_d128", {"tokens / 64 + seqs", "q_heads"}, "128", "49152", args}}}, \
  {"head_dim <= 256", "0", {{entry "_d256", {"tokens / 64 + seqs", "q_heads"}, "128", "65536", args}}}

// Parts of a sequence's keys: about four blocks for each of 132 multiprocessors, at
// least 32 keys a part (partGranule of AttentionDecode.cu), at most 64 parts.
#define FK_PARTS                                                               \
  "max(1, min(64, min(ceildiv(max_blocks * page_size, 32), ceildiv(528, seqs * kv_heads))))"
#define FK_DECODE_SHAPE(width, heads, where, blocks)                           \
  {"head_dim <= " width where,                                                 \
   "8 * seqs + seqs * q_heads * (8 + 4 * head_dim) * " FK_PARTS,               \
   {{"paged_attention_decode_d" width "_g" heads, {FK_PARTS, blocks, "seqs"}, "128", "0", \
     "query cache seq_lens block_table scale window softcap seqs pages page_size " \
     "max_blocks q_heads kv_heads head_dim workspace"},                        \
    {"paged_attention_combine", {"q_heads", "seqs"}, "128", "0",              \
     "result sink? seqs q_heads head_dim workspace"}}}
#define FK_DECODE(width)                                                       \
  FK_DECODE_SHAPE(width, "4", " && q_heads <= 4 * kv_heads", "kv_heads"),      \
  FK_DECODE_SHAPE(width, "8", "", "kv_heads * ceildiv(q_heads, 8 * kv_heads)")

static const KernelRow rows[] = {
    {"embedding", "", "Embedding",
     {{"", "0", {{"embedding", {"tokens"}, FK_ROW_BLOCK("hidden"), "0",
                  "result ids table scale tokens hidden vocab"}}}}},
    {"gather_last_tokens", "", "Embedding",
     {{"", "0", {{"gather_last_tokens", {"seqs"}, FK_ROW_BLOCK("hidden"), "0",
                  "result input cu_seqlens tokens seqs hidden"}}}}},
    {"kv_cache_write", "", "Embedding",
     {{"", "0", {{"kv_cache_write", {"tokens", "2"}, FK_ROW_BLOCK("kv_heads * head_dim"), "0",
                  "cache key value slots tokens pages page_size kv_heads head_dim"}}}}},
    {"pool", "", "Embedding",
     {{"", "0", {{"pool", {"seqs", "ceildiv(hidden, 256)"}, "256", "0",
                  "result input cu_seqlens mean tokens seqs hidden"}}}}},

    {"linear_gemv", "", "Linear",
     {FK_GEMV("linear_gemv", "out_features", FK_LINEAR_ARGS)}},
    {"qkv_linear_gemv", "", "Linear",
     {FK_GEMV("qkv_linear_gemv", "q_features + 2 * kv_features", FK_QKV_ARGS)}},
    {"gate_up_linear_gemv", "", "Linear",
     {FK_GEMV("gate_up_linear_gemv", "2 * intermediate", FK_GATE_UP_ARGS)}},
    {"linear_skinny", "bf16,f16", "LinearMma",
     {FK_SKINNY("linear_skinny", "out_features", FK_LINEAR_ARGS)}},
    {"qkv_linear_skinny", "bf16,f16", "LinearMma",
     {FK_SKINNY("qkv_linear_skinny", "q_features + 2 * kv_features", FK_QKV_ARGS)}},
    {"gate_up_linear_skinny", "bf16,f16", "LinearMma",
     {FK_SKINNY("gate_up_linear_skinny", "2 * intermediate", FK_GATE_UP_ARGS)}},
    {"linear_skinny", "f32", "Linear",
     {FK_FEW("linear_gemv", "out_features", FK_LINEAR_ARGS)}},
    {"qkv_linear_skinny", "f32", "Linear",
     {FK_FEW("qkv_linear_gemv", "q_features + 2 * kv_features", FK_QKV_ARGS)}},
    {"gate_up_linear_skinny", "f32", "Linear",
     {FK_FEW("gate_up_linear_gemv", "2 * intermediate", FK_GATE_UP_ARGS)}},

    {"rms_norm", "", "Norm",
     {{"", "0", {{"rms_norm", {"tokens"}, FK_ROW_BLOCK("hidden"), "0",
                  "result input weight epsilon tokens hidden weight_offset"}}}}},
    {"add_rms_norm", "", "Norm",
     {{"", "0", {{"add_rms_norm", {"tokens"}, FK_ROW_BLOCK("hidden"), "0",
                  "result residual_out input residual weight epsilon tokens hidden "
                  "weight_offset"}}}}},
    {"layer_norm", "", "Norm",
     {{"", "0", {{"layer_norm", {"tokens"}, FK_ROW_BLOCK("hidden"), "0",
                  "result input weight bias? epsilon tokens hidden"}}}}},
    {"l2_norm", "", "Norm",
     {{"", "0", {{"l2_norm", {"rows"}, FK_ROW_BLOCK("columns"), "0",
                  "result input epsilon rows columns"}}}}},

    {"silu", "", "Activation",
     {{"", "0", {{"silu", {FK_FLAT_GRID}, "256", "0", "result input tokens features"}}}}},
    {"tanh", "", "Activation",
     {{"", "0", {{"tanh", {FK_FLAT_GRID}, "256", "0", "result input tokens features"}}}}},
    {"gelu", "", "Activation",
     {{"", "0", {{"gelu", {FK_FLAT_GRID}, "256", "0",
                  "result input approximate tokens features"}}}}},
    {"add", "", "Activation",
     {{"", "0", {{"add", {FK_FLAT_GRID}, "256", "0", "result lhs rhs tokens features"}}}}},
    {"mul", "", "Activation",
     {{"", "0", {{"mul", {FK_FLAT_GRID}, "256", "0", "result lhs rhs tokens features"}}}}},
    {"silu_and_mul", "", "Activation",
     {{"", "0", {{"silu_and_mul", {"tokens", "ceildiv(intermediate, 2048)"}, "256", "0",
                  "result gate_up tokens intermediate"}}}}},
    {"gelu_and_mul", "", "Activation",
     {{"", "0", {{"gelu_and_mul", {"tokens", "ceildiv(intermediate, 2048)"}, "256", "0",
                  "result gate_up approximate tokens intermediate"}}}}},
    {"softmax", "", "Activation",
     {{"", "0", {{"softmax", {"rows"}, FK_ROW_BLOCK("columns"), "0",
                  "result input rows columns"}}}}},

    {"rope", "", "Rope",
     {{"", "0", {{"rope", {"tokens", "ceildiv((q_heads + kv_heads) * head_dim, 4096)"}, "256", "0",
                  "query_out key_out query key positions cos_sin tokens q_heads kv_heads "
                  "head_dim rotary_dim"}}}}},
    {"qk_norm_rope", "", "Rope",
     {{"", "0", {{"qk_norm_rope", {"tokens", "ceildiv(q_heads + kv_heads, 8)"}, "256",
                  "32 * head_dim",
                  "query_out key_out query key query_weight key_weight positions cos_sin "
                  "epsilon tokens q_heads kv_heads head_dim rotary_dim weight_offset"}}}}},

    {"attention_mma", "bf16,f16", "AttentionMma",
     {FK_BY_WIDTH("attention_mma", FK_ATTENTION_ARGS)}},
    {"paged_attention_mma", "bf16,f16", "AttentionMma",
     {FK_BY_WIDTH("paged_attention_mma", FK_PAGED_ARGS)}},
    {"attention_simt", "f32", "AttentionSimt",
     {{"", "0", {{"attention_simt", {"ceildiv(tokens, 4)", "q_heads"}, "128", "0",
                  FK_ATTENTION_ARGS}}}}},
    {"paged_attention_simt", "f32", "AttentionSimt",
     {{"", "0", {{"paged_attention_simt", {"ceildiv(tokens, 4)", "q_heads"}, "128", "0",
                  FK_PAGED_ARGS}}}}},
    {"paged_attention_decode", "", "AttentionDecode",
     {FK_DECODE("64"), FK_DECODE("128"), FK_DECODE("256")}},

    {"sample", "", "Sample",
     {{"", "0", {{"sample", {"seqs"}, "1024", "0",
                  "next logits temperature top_k top_p seed position seqs vocab"}}}}},
};

static const KernelRow broadcastRow = {
    "broadcast_rows", "", "Embedding",
    {{"", "0", {{"broadcast_rows", {"tokens"}, FK_ROW_BLOCK("features"), "0",
                 "result bias tokens features"}}}}};
// clang-format on

std::span<const KernelRow> getKernelRows() { return rows; }

const KernelRow &getBroadcastRow() { return broadcastRow; }

std::shared_ptr<const Image> loadUnit(Device &device, std::string_view unit) {
  for (const KernelImage &built : getKernelImages())
    if (built.name == unit)
      return std::make_shared<Image>(device, built.bytes, std::string(unit));
  throw Error({"this build of fk has no CUDA kernels", std::string(unit),
               "a CUDA 13 compiler when fk is configured", "none",
               "run 'make deps', then build again"},
              ErrorKind::Infrastructure);
}

const KernelRow *findKernelRow(std::string_view name, DType dtype) {
  for (const KernelRow &row : rows)
    if (row.name == name &&
        (row.dtypes.empty() ||
         row.dtypes.find(getName(dtype)) != std::string_view::npos))
      return &row;
  return nullptr;
}

std::vector<CandidateVariant> declareKernel(const KernelRow &row) {
  std::vector<CandidateVariant> variants;
  std::string where(row.name);
  auto parse = [&](std::string_view text) { return Expr::parse(text, where); };
  for (const VariantRow &variant : row.variants) {
    CandidateVariant &declared = variants.emplace_back();
    if (!variant.where.empty())
      declared.where = Expr::parseCondition(variant.where, where);
    declared.image = row.unit;
    declared.workspaceBytes = parse(variant.workspace);
    for (const LaunchRow &launch : variant.launches) {
      DeclaredLaunch &to = declared.launches.emplace_back();
      to.entry = launch.entry;
      for (size_t i = 0; i < launch.grid.size(); ++i)
        to.grid[i] = parse(launch.grid[i]);
      to.block[0] = parse(launch.block);
      to.sharedBytes = parse(launch.shared);
      to.pdl = true; // Every kernel of ours waits for the one before it.
      std::stringstream args{std::string(launch.args)};
      for (std::string arg; args >> arg;)
        to.args.push_back(arg);
    }
  }
  return variants;
}

} // namespace cuda

namespace {

class CudaProvider final : public Provider {
public:
  explicit CudaProvider(Device &device) : device(device) {}

  std::string_view getName() const override { return "cuda"; }

  std::unique_ptr<Kernel> bind(std::string_view name,
                               const BoundLaunch &launch) override {
    std::string what = "cuda:" + std::string(name);
    const cuda::KernelRow *row = cuda::findKernelRow(name, launch.dtype);
    if (!row)
      throw Error({"provider cuda has no kernel '" + std::string(name) +
                       "' of " + std::string(fk::getName(launch.dtype)),
                   launch.place, "a kernel of its catalog", "",
                   "compile the plan again with this version of fk"});
    auto [entry, isNew] = declared.try_emplace(row);
    if (isNew)
      entry->second = cuda::declareKernel(*row);
    const CandidateVariant *variant = findVariant(entry->second, launch);
    if (!variant)
      throw Error({"kernel " + what + " does not serve this shape",
                   launch.place, "", "",
                   "compile the plan again with this version of fk"});
    return cuda::bindVariant(device, getImage(row->unit), *variant, launch,
                             what,
                             "_" + std::string(fk::getName(launch.dtype)));
  }

private:
  std::shared_ptr<const cuda::Image> getImage(std::string_view unit) {
    auto &image = images[std::string(unit)];
    if (!image)
      image = cuda::loadUnit(device, unit);
    return image;
  }

  Device &device;
  std::map<std::string, std::shared_ptr<const cuda::Image>> images;
  std::map<const cuda::KernelRow *, std::vector<CandidateVariant>> declared;
};

} // namespace

std::unique_ptr<Provider> createCudaProvider(Device &device) {
  return std::make_unique<CudaProvider>(device);
}

} // namespace fk
