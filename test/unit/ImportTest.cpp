//===- ImportTest.cpp - From config and checkpoint to the module ----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Import/Import.h"

#include "ImportFolder.h"

#include "dialects/FK/FK.h"
#include "fk/Import/Architecture.h"
#include "fk/Import/Config.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace fk;
using Json = nlohmann::json;

static std::string print(mlir::ModuleOp module, bool locations = false) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  mlir::OpPrintingFlags flags;
  flags.enableDebugInfo(locations);
  module.print(stream, flags);
  return text;
}

static int countOf(const std::string &text, const std::string &what) {
  int count = 0;
  for (size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + what.size()))
    ++count;
  return count;
}

/// The functions of a module whose name begins so.
static std::vector<std::string> functionsOf(mlir::ModuleOp module,
                                            llvm::StringRef prefix) {
  std::vector<std::string> names;
  for (auto function : module.getOps<mlir::func::FuncOp>())
    if (function.getSymName().starts_with(prefix))
      names.push_back(function.getSymName().str());
  return names;
}

using Names = std::vector<std::string>;

TEST(Import, EveryGoldenFolderAndShippedConfigIsImported) {
  int models = 0;
  for (const auto &entry :
       std::filesystem::directory_iterator(FK_SOURCE_DIR "/test/golden")) {
    if (!std::filesystem::exists(entry.path() / "config.json"))
      continue;
    mlir::MLIRContext context;
    EXPECT_NO_THROW(importModel(context, entry.path())) << entry.path();
    ++models;
  }
  EXPECT_GE(models, 17);
  for (const char *family : {"llm", "retrieval"})
    for (const auto &entry : std::filesystem::directory_iterator(
             std::string(FK_SOURCE_DIR "/models/") + family + "/configs")) {
      mlir::MLIRContext context;
      EXPECT_NO_THROW(importConfig(context, entry.path())) << entry.path();
    }
}

TEST(Import, Llama8BIsSmallAndFast) {
  mlir::MLIRContext context;
  auto start = std::chrono::steady_clock::now();
  auto module = importConfig(context, FK_SOURCE_DIR
                             "/models/llm/configs/llama-3.1-8b.json");
  std::string text = print(*module, true);
  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  EXPECT_LT(text.size(), size_t(1) << 20);
  EXPECT_LT(seconds, 2.0);
}

TEST(Import, EqualLayersShareOneFunction) {
  mlir::MLIRContext context;
  auto module = importConfig(context, FK_SOURCE_DIR
                             "/models/llm/configs/llama-3.1-8b.json");
  EXPECT_EQ(
      functionsOf(*module, ""),
      (Names{"attention_block", "mlp", "decoder_layer", "paged_attention_block",
             "paged_decoder_layer", "forward", "step"}));
  std::string text = print(*module);
  EXPECT_EQ(countOf(text, "call @decoder_layer("), 32);
  EXPECT_EQ(countOf(text, "call @paged_decoder_layer("), 32);
  EXPECT_EQ(countOf(text, "fk.state @kv."), 32);
}

TEST(Import, LayersThatDifferGetFunctionsOfTheirOwn) {
  mlir::MLIRContext context;
  auto module = importModel(context, FK_SOURCE_DIR "/test/golden/qwen2-window");
  EXPECT_EQ(functionsOf(*module, "decoder_layer"),
            (Names{"decoder_layer", "decoder_layer_1"}));
  EXPECT_EQ(functionsOf(*module, "mlp"), (Names{"mlp"}));
  std::string text = print(*module);
  EXPECT_EQ(countOf(text, "call @decoder_layer("), 1);
  EXPECT_EQ(countOf(text, "call @decoder_layer_1("), 2);
  EXPECT_EQ(countOf(text, "window = 5 : i32"), 2);
}

TEST(Import, ArithmeticIsAsStoredUnlessAsked) {
  mlir::MLIRContext context;
  std::string folder = FK_SOURCE_DIR "/test/golden/llama";
  auto stored = importModel(context, folder);
  EXPECT_NE(print(*stored).find("lm_head.weight\">] : tensor<256x64xbf16>"),
            std::string::npos);
  auto asked = importModel(context, folder, {DType::F32});
  EXPECT_EQ(print(*asked).find("bf16"), std::string::npos);
}

TEST(Import, TiedHeadReadsTheEmbedding) {
  mlir::MLIRContext context;
  auto module = importModel(context, FK_SOURCE_DIR "/test/golden/qwen3");
  std::string text = print(*module);
  EXPECT_EQ(text.find("lm_head"), std::string::npos);
  EXPECT_EQ(countOf(text, "fk.weight @model.embed_tokens.weight"), 1);
}

TEST(Import, TiedHeadThatDiffersInTheCheckpointIsNotTied) {
  ImportFolder folder("llama-bias");
  folder.addTensor("lm_head.weight", {256, 64});
  mlir::MLIRContext context;
  auto module = importModel(context, folder.path);
  EXPECT_NE(print(*module).find("fk.weight @lm_head.weight"),
            std::string::npos);
}

TEST(Import, FusedTensorsAreTakenApart) {
  mlir::MLIRContext context;
  auto module = importModel(context, FK_SOURCE_DIR "/test/golden/phi3");
  std::string text = print(*module);
  for (const char *part :
       {"qkv_proj.weight\", 0 to 64>] : tensor<64x64xbf16>",
        "qkv_proj.weight\", 64 to 96>] : tensor<32x64xbf16>",
        "qkv_proj.weight\", 96 to 128>] : tensor<32x64xbf16>",
        "gate_up_proj.weight\", 0 to 96>] : tensor<96x64xbf16>",
        "gate_up_proj.weight\", 96 to 192>] : tensor<96x64xbf16>"})
    EXPECT_EQ(countOf(text, part), 2) << part;
}

TEST(Import, EncoderNamesRolesAndPooling) {
  mlir::MLIRContext context;
  auto module = importModel(context, FK_SOURCE_DIR "/test/golden/xlm-roberta");
  EXPECT_EQ(functionsOf(*module, ""),
            (Names{"attention_block", "mlp", "encoder_layer", "forward"}));
  std::string text = print(*module);
  for (const char *part :
       {"rule = \"non_padding\"", "padding_idx = 1 : i64",
        "default_value = 0 : i64", "fk.name = \"pooler_output\"",
        "fk.name = \"sentence_embedding\"", "max_positions = 46 : i64",
        "causal = 0 : i32"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
  EXPECT_EQ(text.find("mean = 1"), std::string::npos);
  auto mean = importModel(context, FK_SOURCE_DIR "/test/golden/bert");
  EXPECT_EQ(countOf(print(*mean), "mean = 1"), 1);
}

TEST(Import, PoolerIsLeftOutWhereTheCheckpointHasNone) {
  mlir::MLIRContext context;
  auto module = importModel(context, FK_SOURCE_DIR "/test/golden/bert-head");
  std::string text = print(*module);
  EXPECT_EQ(text.find("pooler_output"), std::string::npos);
  // Its tensors bear the prefix of a model with a head.
  EXPECT_NE(text.find("#fk.part<\"bert.embeddings.LayerNorm.weight\">"),
            std::string::npos);
}

TEST(Import, NamesOfTheBaseModelAloneAreFound) {
  ImportFolder folder("qwen3");
  folder.renameTensors([](const std::string &name) {
    return name.starts_with("model.") ? name.substr(6) : name;
  });
  mlir::MLIRContext context;
  auto module = importModel(context, folder.path);
  EXPECT_NE(print(*module).find("#fk.part<\"embed_tokens.weight\">"),
            std::string::npos);
}

TEST(Import, HarmlessTensorsMayLieUnused) {
  ImportFolder folder("llama");
  folder.addTensor("model.layers.0.self_attn.rotary_emb.inv_freq", {8});
  mlir::MLIRContext context;
  EXPECT_NO_THROW(importModel(context, folder.path));
}

TEST(Import, HubCacheRootLeadsToItsSnapshot) {
  ImportFolder folder("llama");
  std::filesystem::path root = folder.path.parent_path() / "models--a--b";
  std::filesystem::create_directories(root / "refs");
  std::filesystem::create_directories(root / "snapshots");
  std::filesystem::rename(folder.path, root / "snapshots" / "c0ffee");
  writeFileAtomically(root / "refs" / "main", "c0ffee\n");
  EXPECT_EQ(resolveModelFolder(root), root / "snapshots" / "c0ffee");
  mlir::MLIRContext context;
  EXPECT_NO_THROW(importModel(context, root));
}

TEST(Import, ArchitectureFollowsFromTheTypeWhereItIsNotNamed) {
  ImportFolder folder("llama");
  folder.config.erase("architectures");
  folder.writeConfig();
  mlir::MLIRContext context;
  auto module = importModel(context, folder.path);
  EXPECT_NE(print(*module).find("architecture = \"LlamaForCausalLM\""),
            std::string::npos);
}

TEST(Import, GenerationConfigNamesTheEndOfSequence) {
  ImportFolder folder("llama");
  writeFileAtomically(folder.path / "generation_config.json",
                      R"({"eos_token_id": [7, 9], "temperature": 0.6})");
  mlir::MLIRContext context;
  auto module = importModel(context, folder.path);
  EXPECT_NE(print(*module).find("eos_token_ids = [7, 9]"), std::string::npos);
}

TEST(Import, EveryArchitectureIsListedOnce) {
  std::set<std::string> names;
  for (const Architecture *architecture : getArchitectures()) {
    EXPECT_TRUE(names.insert(architecture->name.str()).second);
    EXPECT_TRUE(architecture->build);
  }
  EXPECT_EQ(names.size(), 8u);
}

//===----------------------------------------------------------------------===//
// Rotary settings
//===----------------------------------------------------------------------===//

static RopeTable rope(const char *json, RopeRules rules = {}) {
  Config config(std::make_shared<Json>(Json::parse(json)), "config.json");
  RopeTable table = readRope(config, 16, 512, rules);
  config.finish();
  return table;
}

TEST(ImportRope, OldAndNewSpellingsAgree) {
  RopeTable old = rope(R"({"rope_theta": 5e5, "rope_scaling": {"rope_type":
      "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
      "original_max_position_embeddings": 64}})");
  RopeTable now = rope(R"({"rope_parameters": {"rope_theta": 5e5, "rope_type":
      "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
      "original_max_position_embeddings": 64}})");
  for (const RopeTable &table : {old, now}) {
    EXPECT_EQ(table.type, "llama3");
    EXPECT_EQ(table.theta, 5e5);
    EXPECT_EQ(table.factor, 8);
    EXPECT_EQ(table.originalMaxPositions, 64);
    EXPECT_EQ(table.rotaryDim, 16);
  }
}

TEST(ImportRope, SilenceIsTheDefaultTable) {
  for (const char *json :
       {"{}", R"({"rope_scaling": null})", R"({"rope_parameters": {}})"}) {
    RopeTable table = rope(json);
    EXPECT_EQ(table.type, "default");
    EXPECT_EQ(table.theta, 10000);
  }
}

TEST(ImportRope, LinearAndDynamicByTheOldKey) {
  EXPECT_EQ(rope(R"({"rope_scaling": {"type": "linear", "factor": 4}})").factor,
            4);
  RopeTable dynamic =
      rope(R"({"rope_scaling": {"type": "dynamic", "factor": 2.0}})");
  EXPECT_EQ(dynamic.originalMaxPositions, 512);
  EXPECT_TRUE(dynamic.dependsOnLength());
}

TEST(ImportRope, YarnDefaults) {
  RopeTable table = rope(R"({"rope_parameters": {"rope_type": "yarn",
      "factor": 4, "original_max_position_embeddings": 128,
      "rope_theta": 1e4}})");
  EXPECT_EQ(table.betaFast, 32);
  EXPECT_EQ(table.betaSlow, 1);
  EXPECT_EQ(table.attentionFactor, 0);
  EXPECT_TRUE(table.truncate);
}

TEST(ImportRope, LongRopeFromTheTopOfTheConfig) {
  RopeTable table = rope(R"({"original_max_position_embeddings": 128,
      "partial_rotary_factor": 0.5, "rope_scaling": {"type": "su",
      "short_factor": [1, 1, 1, 1], "long_factor": [2, 3, 4, 5]}})",
                         {.partial = true, .suIsLongRope = true});
  EXPECT_EQ(table.type, "longrope");
  EXPECT_EQ(table.rotaryDim, 8);
  EXPECT_EQ(table.originalMaxPositions, 128);
  EXPECT_EQ(table.factor, 4);
}
