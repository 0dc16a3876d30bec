//===- Plan.h - The lowered model ------------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A plan is what the compiler hands to the runtime: functions of launches over
// values, weights by checkpoint name with their preparation, states, kernel
// images. On disk it is a safetensors file (*.fkx): the JSON below under the
// metadata key "fk.plan", each image a U8 tensor named by its `tensor`.
// docs/plan.md documents the JSON; PlanJson.cpp reads it and PlanVerify.cpp
// checks it, and they trust nothing.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_PLAN_H
#define FK_RUNTIME_PLAN_H

#include "runtime/support/DType.h"
#include "runtime/support/Expr.h"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace fk {

/// One dimension of a plan's tensor: an expression over the plan's symbols.
using Dims = std::vector<Expr>;

/// A piece of a checkpoint tensor: rows [begin, end) of its first dimension;
/// end == -1 means all of them.
struct WeightPart {
  std::string tensor;
  int64_t begin = 0;
  int64_t end = -1;
};

/// Rotary table: cos then sin of each pair's angle, for every position below
/// the symbol `max_positions`. See runtime/RopeTable.h for the formulas.
struct RopeTable {
  std::string type = "default"; ///< default linear dynamic yarn llama3 longrope
  int64_t rotaryDim = 0;
  double theta = 10000;
  double factor = 1;
  int64_t originalMaxPositions = 0; ///< yarn, llama3, longrope, dynamic
  int64_t maxPositions = 0;         ///< the config's max_position_embeddings
  double lowFreqFactor = 0, highFreqFactor = 0;   ///< llama3
  double betaFast = 0, betaSlow = 0;              ///< yarn
  double attentionFactor = 0;                     ///< 0: by the type's rule
  double mscale = 0, mscaleAllDim = 0;            ///< yarn
  bool truncate = true;                           ///< yarn
  std::vector<double> shortFactor, longFactor;    ///< longrope

  /// Whether the table depends on the longest sequence of the batch.
  bool dependsOnLength() const { return type == "dynamic" || type == "longrope"; }
};

/// A weight: `parts` concatenated along dimension 0 and converted to `dtype`, or
/// a rotary table.
struct PlanWeight {
  std::string name;
  DType dtype;
  Dims shape; ///< static, but for a rotary table's first dimension
  std::vector<WeightPart> parts;
  std::optional<RopeTable> ropeTable;
};

/// A state that lives from one call to the next.
struct PlanState {
  std::string name;
  std::string kind; ///< "kv_cache"
  DType dtype;
  Dims shape; ///< kv_cache: [2, pages, page_size, kv_heads, head_dim]
};

/// Where a public function's parameter comes from, or what its result means.
/// The runtime's batching (runtime/Batch.h) knows these rules and nothing of
/// models:
///   packed        rows of the caller's [batch, length] tensor `from`, without the
///                 masked ones
///   positions     `from` if the caller gives it, else by `rule`: "index" (0, 1, ..
///                 in the padded row) or "non_padding" (padding_idx + rank among
///                 the ids that are not `padding_idx`)
///   cu_seqlens, seq_lens, slots, block_table      of the packed batch
///   sampling      the request's temperature, top_k, top_p, seed or position (`from`)
///   rows          a result: [tokens, ...], padded back to [batch, length, ...]
///   sequences     a result: [seqs, ...]
struct Role {
  std::string kind;
  std::string from;
  std::string rule;
  int64_t paddingIdx = 0;
  std::optional<int64_t> defaultValue; ///< `packed`: where the caller gives none
};

/// A value of a function.
struct PlanValue {
  enum class Kind { Param, Result, Weight, State, Buffer, View };
  Kind kind;
  std::string name;  ///< params, results: its name; weights, states: whose
  DType dtype;
  Dims shape;
  Role role;         ///< params and results of public functions
  int64_t slot = -1; ///< Buffer: index into the function's slots
  int64_t base = -1; ///< View: the value it renames the shape of
};

/// An argument of a launch; value == -1 where an optional operand is absent.
struct LaunchTensor {
  std::string name;
  int64_t value = -1;
};

/// A scalar or variant attribute; integers are exact in a double here.
struct LaunchScalar {
  std::string name;
  DType type;
  double value = 0;
};

/// One kernel that can do a launch. The first whose `where` holds does it.
struct KernelChoice {
  std::string provider; ///< "reference", "cuda", "cublaslt", "codegen", ...
  std::string kernel;   ///< its name in the catalog, or the candidate's name
  Expr where;           ///< empty: always
};

struct Launch {
  std::string task;
  std::vector<LaunchTensor> results, operands;
  std::vector<LaunchScalar> scalars, variants;
  std::vector<std::pair<std::string, Expr>> axes; ///< in the signature's order
  std::vector<KernelChoice> kernels;
};

/// A call of another function of the plan; results are the caller's values.
struct Call {
  std::string callee;
  std::vector<int64_t> args, results;
};

struct PlanStep {
  std::string place; ///< module path, "model.layers.0.input_layernorm"; in a
                     ///< function called per layer, relative to the call's
  std::variant<Launch, Call> action;
};

struct PlanFunction {
  std::string name;
  bool isPublic = false;
  std::string task, level; ///< of #fk.task, or empty
  std::vector<PlanValue> values;
  std::vector<int64_t> params, results; ///< indices into values
  std::vector<Expr> slots;              ///< bytes of each arena slot
  std::vector<PlanStep> steps;
};

/// One launch of a candidate, as its manifest declares it.
struct DeclaredLaunch {
  std::string entry;
  Expr grid[3] = {1, 1, 1}, block[3] = {1, 1, 1}, cluster[3] = {1, 1, 1};
  Expr sharedBytes = 0;
  bool pdl = false;
  /// Names from the signature, or "workspace". Never empty in a plan.
  std::vector<std::string> args;
};

/// One set of launches of a candidate, served where `where` holds.
struct CandidateVariant {
  Expr where;
  std::string image; ///< tensor name in the .fkx; in memory, key of `images`
  Expr workspaceBytes = 0;
  std::vector<DeclaredLaunch> launches;
};

struct PlanCandidate {
  std::string name; ///< unique in the plan: "rms_norm:cand.ptx"
  std::string task;
  std::string file, sha256; ///< of the file the user gave
  std::vector<DType> dtypes;
  std::vector<CandidateVariant> variants;
};

/// Names of the candidates that the compiler made begin so; all others are a
/// user's.
inline constexpr std::string_view generatedPrefix = "codegen:";
inline bool isGenerated(std::string_view candidate) {
  return candidate.starts_with(generatedPrefix);
}
/// Whether a provider's kernels are candidates of the plan: a user's
/// ("candidate") or the compiler's ("codegen").
inline bool isPlanProvider(std::string_view provider) {
  return provider == "candidate" || provider == "codegen";
}

struct PlanImage {
  std::string kind; ///< "ptx", "cubin" or "fatbin"
  std::vector<std::byte> bytes;
};

/// What tools need to know of a model and no kernel does.
struct ModelInfo {
  std::string architecture; ///< "LlamaForCausalLM"
  std::string family;       ///< folder under models/: "llm", "retrieval"
  int64_t vocabSize = 0;
  int64_t maxPositions = 0;
  int64_t padTokenId = -1;
  std::vector<int64_t> eosTokenIds;
  int64_t pageSize = 0; ///< of its kv caches, 0 where there are none
  std::string checkpoint; ///< folder it was imported from, "" for a bare config
};

struct Plan {
  static constexpr int64_t formatVersion = 1;

  ModelInfo model;
  std::string device; ///< "host" or "cuda"
  std::string arch;   ///< "sm_90a", empty on host
  DType dtype = DType::F32; ///< of the arithmetic the plan was compiled for
  std::vector<std::string> symbols;
  std::vector<PlanWeight> weights;
  std::vector<PlanState> states;
  std::vector<PlanFunction> functions;
  std::vector<PlanCandidate> candidates;
  std::map<std::string, PlanImage> images;
  /// Fusions formed and lost, from the compiler's remarks; `fk eval` reads them.
  struct Note { std::string pass, name, place, text; bool missed = false; };
  std::vector<Note> notes;

  const PlanFunction *findFunction(std::string_view name) const;

  /// Reads and verifies a *.fkx.
  static Plan load(const std::filesystem::path &path);
  /// Reads and verifies all but the images' bytes, which the JSON only names.
  static Plan fromJson(std::string_view json, std::string_view where);
  std::string toJson() const;
  /// Verifies the plan and writes it aside first.
  void save(const std::filesystem::path &path) const;
  /// Throws Error for anything the runtime could not execute: names, indices,
  /// extents, views, slots, arguments of calls and launches, candidates.
  void verify(std::string_view where) const;
};

} // namespace fk

#endif // FK_RUNTIME_PLAN_H
