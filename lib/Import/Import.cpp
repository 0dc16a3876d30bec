//===- Import.cpp - Hugging Face folders to the fk dialect ----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Import/Import.h"

#include "WeightSource.h"

#include "dialects/FK/FK.h"
#include "fk/Import/Architecture.h"
#include "fk/Import/Config.h"
#include "fk/Import/ModelBuilder.h"
#include "runtime/support/Error.h"
#include "runtime/support/Safetensors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"

using namespace fk;
using namespace mlir;
namespace fs = std::filesystem;

fs::path fk::resolveModelFolder(const fs::path &dir) {
  std::error_code error;
  if (!fs::is_directory(dir, error))
    throw Error({"no model folder", dir.string(), "a folder with config.json",
                 fs::exists(dir, error) ? "a file" : "nothing there",
                 "give the folder of a downloaded model"});
  if (fs::exists(dir / "config.json", error))
    return dir;
  // The root of a hub cache entry: refs/main names the snapshot.
  if (fs::exists(dir / "refs" / "main", error)) {
    std::string commit = readTextFile(dir / "refs" / "main", 1024);
    commit.erase(commit.find_last_not_of(" \r\n") + 1);
    bool isName = !commit.empty() && commit.find('/') == std::string::npos &&
                  commit != "." && commit != "..";
    fs::path snapshot = dir / "snapshots" / commit;
    if (isName && fs::exists(snapshot / "config.json", error))
      return snapshot;
  }
  throw Error({"no config.json", dir.string(),
               "the config of a model beside its weights", "no such file",
               "give the folder of a downloaded model"});
}

/// The architecture that the config names; where it names none, the one of its
/// model_type.
static const Architecture &findArchitecture(const Config &config) {
  std::string type = config.getString("model_type", "");
  std::string known;
  const Architecture *byType = nullptr;
  std::vector<std::string> names;
  if (config.has("architectures"))
    names = config.getStrings("architectures");
  for (const Architecture *architecture : getArchitectures()) {
    known += (known.empty() ? "" : ", ") + architecture->name.str();
    if (architecture->modelType == type)
      byType = architecture;
    if (names.size() == 1 && architecture->name == names.front()) {
      if (!type.empty() && architecture->modelType != type)
        config.fail("model_type", "\"" + architecture->modelType.str() +
                                      "\" for " + names.front());
      return *architecture;
    }
  }
  if (names.empty() && byType)
    return *byType;
  config.fail(names.empty() && !type.empty() ? "model_type" : "architectures",
              "one of " + known, "fk does not know this architecture");
}

/// What generation_config.json adds: its end-of-sequence ids win over the
/// config's. What it says of sampling is the caller's business, but a penalty
/// changes even greedy tokens, so that one is spoken of.
static void readGenerationConfig(MLIRContext &context, const fs::path &folder,
                                 std::vector<int64_t> &eosTokenIds,
                                 int64_t &padTokenId) {
  std::error_code error;
  fs::path path = folder / "generation_config.json";
  if (!fs::exists(path, error))
    return;
  Config generation = Config::read(path);
  if (generation.has("eos_token_id"))
    eosTokenIds = generation.getIntOrList("eos_token_id");
  if (padTokenId < 0)
    padTokenId = generation.getInt("pad_token_id", -1);
  if (generation.getNumber("repetition_penalty", 1.0) != 1.0)
    emitWarning(FileLineColLoc::get(&context, path.string(), 0, 0))
        << "repetition_penalty is not applied by fk";
  if (generation.getInt("no_repeat_ngram_size", 0) != 0)
    emitWarning(FileLineColLoc::get(&context, path.string(), 0, 0))
        << "no_repeat_ngram_size is not applied by fk";
}

static OwningOpRef<ModuleOp> build(MLIRContext &context, const Config &config,
                                   const fs::path &folder,
                                   const Checkpoint *checkpoint,
                                   const ImportOptions &options) {
  context.loadDialect<FKDialect, func::FuncDialect, tensor::TensorDialect,
                      arith::ArithDialect>();
  const Architecture &architecture = findArchitecture(config);
  WeightSource weights(architecture, folder, checkpoint);

  std::optional<DType> dtype = config.getDType();
  if (std::optional<DType> stored = weights.getStoredDType())
    dtype = stored;
  if (options.dtype)
    dtype = options.dtype;
  // The library's own default.
  if (!dtype)
    dtype = DType::F32;
  if (*dtype != DType::F32 && *dtype != DType::BF16 && *dtype != DType::F16)
    throw Error({"the dtype of the arithmetic", folder.string(),
                 "float32, bfloat16 or float16",
                 std::string(getTorchName(*dtype)), "give --dtype"});

  int64_t padTokenId = config.getInt("pad_token_id", -1);
  std::vector<int64_t> eosTokenIds = config.getIntOrList("eos_token_id");
  readGenerationConfig(context, folder, eosTokenIds, padTokenId);

  ModelBuilder builder(context, architecture, *dtype, weights);
  builder.setFolder(fs::absolute(folder).lexically_normal().string());
  architecture.build(builder, config);
  config.finishModel(architecture.harmlessKeys);
  weights.finish();

  std::string name = architecture.modelType.str();
  std::replace(name.begin(), name.end(), '-', '_');
  OwningOpRef<ModuleOp> module = builder.finish(name, padTokenId, eosTokenIds);
  if (failed(verify(*module)))
    throw Error({"the importer built an invalid module", folder.string(), "",
                 "", "this is a fault of fk; the diagnostics above say what"});
  return module;
}

OwningOpRef<ModuleOp> fk::importModel(MLIRContext &context, const fs::path &dir,
                                      const ImportOptions &options) {
  fs::path folder = resolveModelFolder(dir);
  Config config = Config::read(folder / "config.json");
  // An unknown architecture is said before anything about its weights.
  findArchitecture(config);
  Checkpoint checkpoint = Checkpoint::open(folder);
  return build(context, config, folder, &checkpoint, options);
}

OwningOpRef<ModuleOp> fk::importConfig(MLIRContext &context,
                                       const fs::path &path,
                                       const ImportOptions &options) {
  Config config = Config::read(path);
  return build(context, config, path.parent_path(), nullptr, options);
}
