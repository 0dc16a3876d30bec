//===- ImportErrorTest.cpp - Configs and checkpoints that will not do -----===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Import/Import.h"

#include "ExpectError.h"
#include "ImportFolder.h"

#include "mlir/IR/MLIRContext.h"

using namespace fk;
using Json = nlohmann::json;

namespace {

/// A golden model whose config gets one change.
struct BadConfig {
  const char *name;
  const char *model;
  const char *change;   ///< JSON merge patch; null removes a key
  const char *fragment; ///< of the message
};

class ImportConfigError : public testing::TestWithParam<BadConfig> {};

} // namespace

static void expectImportError(const ImportFolder &folder,
                              const std::string &fragment) {
  mlir::MLIRContext context;
  expectError([&] { importModel(context, folder.path); }, fragment);
}

TEST_P(ImportConfigError, IsNamed) {
  ImportFolder folder(GetParam().model);
  folder.config.merge_patch(Json::parse(GetParam().change));
  folder.writeConfig();
  expectImportError(folder, GetParam().fragment);
}

static const BadConfig badConfigs[] = {
    {"UnknownKey", "llama", R"({"logit_softcap": 30})",
     "unknown key 'logit_softcap' could change the numbers"},
    {"UnknownKeyValue", "llama", R"({"logit_softcap": 30})",
     "got logit_softcap = 30"},
    {"Quantized", "llama", R"({"quantization_config": {"bits": 4}})",
     "unknown key 'quantization_config'"},
    {"UnknownArchitecture", "llama",
     R"({"architectures": ["MambaForCausalLM"]})",
     "wanted one of LlamaForCausalLM, MistralForCausalLM"},
    {"NoArchitecture", "llama",
     R"({"architectures": null, "model_type": "mamba"})", "key 'model_type'"},
    {"NothingNamed", "llama", R"({"architectures": null, "model_type": null})",
     "key 'architectures'"},
    {"OtherModelType", "llama", R"({"model_type": "qwen2"})",
     "wanted \"llama\" for LlamaForCausalLM"},
    {"UnknownActivation", "llama", R"({"hidden_act": "relu6"})",
     "wanted silu, swish, gelu"},
    {"MissingSize", "llama", R"({"hidden_size": null})",
     "key 'hidden_size' of the config"},
    {"MissingVocab", "llama", R"({"vocab_size": null})", "got no such key"},
    {"ZeroLayers", "llama", R"({"num_hidden_layers": 0})",
     "wanted an integer from 1 to 2147483647, got 0"},
    {"NegativeSize", "llama", R"({"intermediate_size": -96})", "got -96"},
    {"HugeSize", "llama", R"({"vocab_size": 4294967296})", "got 4294967296"},
    {"HugerSize", "llama", R"({"vocab_size": 18446744073709551615})",
     "key 'vocab_size'"},
    {"TooManyLayers", "llama", R"({"num_hidden_layers": 1000000})",
     "wanted at most 4096"},
    {"SizeIsText", "llama", R"({"hidden_size": "64"})", "got \"64\""},
    {"SizeIsFraction", "llama", R"({"hidden_size": 64.5})", "got 64.5"},
    {"KeyHeadsDoNotDivide", "llama", R"({"num_key_value_heads": 3})",
     "wanted a divisor of num_attention_heads = 4, got 3"},
    {"MoreKeyHeadsThanHeads", "llama", R"({"num_key_value_heads": 8})",
     "wanted a divisor"},
    {"HeadsDoNotDivide", "llama",
     R"({"num_attention_heads": 6, "head_dim": null,
      "num_key_value_heads": 2})",
     "wanted a multiple of num_attention_heads = 6"},
    {"HeadProduct", "llama", R"({"head_dim": 2147483647})",
     "num_attention_heads * head_dim is too large"},
    {"IntermediateProduct", "llama", R"({"intermediate_size": 2147483647})",
     "2 * intermediate_size is too large"},
    {"OddHead", "llama", R"({"head_dim": 15})", "cannot be paired"},
    {"EpsilonZero", "llama", R"({"rms_norm_eps": 0})", "a number above 0"},
    {"EpsilonText", "llama", R"({"rms_norm_eps": "1e-5"})", "a finite number"},
    {"BiasIsNumber", "llama", R"({"attention_bias": 1})",
     "wanted true or false, got 1"},
    {"TensorParallelPretraining", "llama", R"({"pretraining_tp": 2})",
     "wanted 1 or no such key, got 2"},
    {"DTypesDisagree", "llama", R"({"torch_dtype": "float16"})",
     "torch_dtype and dtype must agree"},
    {"UnknownDType", "llama", R"({"dtype": "float8_e4m3fn"})",
     "wanted float32, bfloat16 or float16"},
    {"EosIsText", "llama", R"({"eos_token_id": "</s>"})",
     "an integer or a list of integers"},
    {"RopeType", "llama", R"({"rope_parameters": {"rope_type": "mrope"}})",
     "wanted default, linear, dynamic, yarn, llama3 or longrope"},
    {"RopeUnknownKey", "llama", R"({"rope_parameters": {"mscale": 2}})",
     "unknown key 'mscale' could change the numbers"},
    {"RopeFactorMissing", "llama", R"({"rope_parameters": {"factor": null}})",
     "key 'factor' of the config"},
    {"RopeBothSpellings", "llama",
     R"({"rope_scaling": {"type": "linear", "factor": 2}})",
     "wanted null, as rope_parameters is there"},
    {"RopeThetaTwice", "llama", R"({"rope_theta": 500000.0})",
     "key 'rope_theta'"},
    {"RopeThetaNegative", "llama", R"({"rope_parameters": {"rope_theta": -1}})",
     "a number above 0"},
    {"RopeFrequencies", "llama",
     R"({"rope_parameters": {"high_freq_factor": 1}})",
     "wanted more than low_freq_factor"},
    {"RopePartial", "llama",
     R"({"rope_parameters": {"partial_rotary_factor": 0.5}})",
     "this architecture rotates whole heads"},
    {"RopeTypesDisagree", "llama", R"({"rope_parameters": {"type": "yarn"}})",
     "key 'rope_type'"},
    {"YarnBetas", "llama-yarn", R"({"rope_parameters": {"beta_fast": 0.5}})",
     "wanted at least beta_slow"},
    {"LongRopeLength", "phi3", R"({"rope_scaling": {"long_factor": [1, 2]}})",
     "8 numbers, one for each pair"},
    {"LongRopeSign", "phi3",
     R"({"rope_scaling": {"long_factor": [1, 2, 3, 4, 5, 6, 7, -8]}})",
     "numbers above 0"},
    {"RopeInterleaved", "llama", R"({"rope_interleaved": true})",
     "wanted false or no such key, got true"},
    {"HeadBias", "phi3", R"({"lm_head_bias": true})", "key 'lm_head_bias'"},
    {"WindowZero", "mistral", R"({"sliding_window": 0})",
     "key 'sliding_window'"},
    {"LayerTypesCount", "qwen2", R"({"layer_types": ["full_attention"]})",
     "one entry for each of num_hidden_layers = 3"},
    {"LayerTypesUnknown", "qwen2", R"({"layer_types": ["full_attention",
      "full_attention", "linear_attention"]})",
     "key 'layer_types'"},
    {"LayerTypesWithoutWindow", "qwen2", R"({"layer_types": ["full_attention",
      "full_attention", "sliding_attention"]})",
     "as use_sliding_window is false"},
    {"GemmaBidirectional", "gemma", R"({"use_bidirectional_attention": true})",
     "key 'use_bidirectional_attention'"},
    {"GemmaActivations", "gemma", R"({"hidden_activation": "gelu"})",
     "key 'hidden_activation'"},
    {"BertHeads", "bert", R"({"num_attention_heads": 5})",
     "wanted a multiple of num_attention_heads = 5, got 64"},
    {"BertRelativePositions", "bert",
     R"({"position_embedding_type": "relative_key"})",
     "wanted \"absolute\" or no such key"},
    {"BertDecoder", "bert", R"({"is_decoder": true})", "key 'is_decoder'"},
    {"XLMRobertaPadding", "xlm-roberta", R"({"pad_token_id": 47})",
     "an id that leaves positions after it"},
};

INSTANTIATE_TEST_SUITE_P(All, ImportConfigError, testing::ValuesIn(badConfigs),
                         [](const auto &info) { return info.param.name; });

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

TEST(ImportError, NoFolder) {
  mlir::MLIRContext context;
  expectError([&] { importModel(context, "/no/such/model"); },
              "no model folder: /no/such/model");
}

TEST(ImportError, NoConfig) {
  ImportFolder folder("llama");
  std::filesystem::remove(folder.path / "config.json");
  expectImportError(folder, "no config.json");
}

TEST(ImportError, SnapshotThatLeavesTheCache) {
  ImportFolder folder("llama");
  std::filesystem::path root = folder.root / "models--a--b";
  std::filesystem::create_directories(root / "refs");
  std::filesystem::create_directories(root / "snapshots");
  writeFileAtomically(root / "refs" / "main", "../../llama");
  mlir::MLIRContext context;
  expectError([&] { importModel(context, root); }, "no config.json");
}

TEST(ImportError, ConfigCutOff) {
  ImportFolder folder("llama");
  std::string text = readTextFile(folder.path / "config.json");
  writeFileAtomically(folder.path / "config.json",
                      text.substr(0, text.size() / 2));
  expectImportError(folder, "config.json");
}

TEST(ImportError, ConfigIsAList) {
  ImportFolder folder("llama");
  writeFileAtomically(folder.path / "config.json", "[1, 2]");
  expectImportError(folder, "the config is no JSON object");
}

TEST(ImportError, ConfigSaysAKeyTwice) {
  ImportFolder folder("llama");
  std::string text = folder.config.dump();
  writeFileAtomically(folder.path / "config.json",
                      "{\"vocab_size\": 512, " + text.substr(1));
  expectImportError(folder, "vocab_size");
}

TEST(ImportError, NoWeights) {
  ImportFolder folder("llama");
  std::filesystem::remove(folder.path / "model.safetensors");
  expectImportError(folder, "model.safetensors");
}

TEST(ImportError, MissingShard) {
  ImportFolder folder("qwen2");
  std::filesystem::remove(folder.path / "model-00002-of-00005.safetensors");
  expectImportError(folder, "model-00002-of-00005.safetensors");
}

TEST(ImportError, MissingTensor) {
  ImportFolder folder("llama");
  folder.editTensors([](TensorToWrite &tensor) {
    return tensor.name != "model.layers.1.mlp.up_proj.weight";
  });
  expectImportError(folder, "tensor 'model.layers.1.mlp.up_proj.weight' is "
                            "missing");
}

TEST(ImportError, MissingHeadOfAnUntiedModel) {
  ImportFolder folder("llama");
  folder.editTensors(
      [](TensorToWrite &tensor) { return tensor.name != "lm_head.weight"; });
  expectImportError(folder, "tensor 'lm_head.weight' is missing");
}

TEST(ImportError, WrongShapeInTheConfig) {
  ImportFolder folder("llama");
  folder.config["intermediate_size"] = 128;
  folder.writeConfig();
  expectImportError(folder, "wanted [128, 64], got [96, 64]");
}

TEST(ImportError, WrongShapeInTheCheckpoint) {
  ImportFolder folder("llama");
  folder.editTensors([](TensorToWrite &tensor) {
    if (tensor.name == "model.norm.weight")
      tensor.shape = {8, 8};
    return true;
  });
  expectImportError(folder, "wanted [64], got [8, 8]");
}

TEST(ImportError, TensorOfAnotherModel) {
  ImportFolder folder("llama");
  folder.addTensor("model.layers.0.self_attn.q_norm.weight", {16});
  expectImportError(folder, "tensor 'model.layers.0.self_attn.q_norm.weight' "
                            "belongs to no part of the model");
}

TEST(ImportError, BiasNobodyAsksFor) {
  ImportFolder folder("llama-bias");
  folder.config["attention_bias"] = false;
  folder.writeConfig();
  expectImportError(folder, "self_attn.k_proj.bias' belongs to no part");
}

TEST(ImportError, IntegerWeight) {
  ImportFolder folder("llama");
  folder.editTensors(
      [](TensorToWrite &tensor) { return tensor.name != "model.norm.weight"; });
  folder.addTensor("model.norm.weight", {64}, DType::I8);
  expectImportError(folder, "wanted F32, BF16 or F16, got I8");
}

TEST(ImportError, DTypeOfTheArithmetic) {
  mlir::MLIRContext context;
  expectError(
      [&] {
        importModel(context, FK_SOURCE_DIR "/test/golden/llama", {DType::I32});
      },
      "wanted float32, bfloat16 or float16, got int32");
}

TEST(ImportError, PoolingOfNoKindWeKnow) {
  ImportFolder folder("bert");
  writeFileAtomically(folder.path / "1_Pooling" / "config.json",
                      R"({"pooling_mode_max_tokens": true})");
  expectImportError(folder, "one of pooling_mode_cls_token and "
                            "pooling_mode_mean_tokens");
}

TEST(ImportError, PoolingOfTwoKinds) {
  ImportFolder folder("bert");
  writeFileAtomically(
      folder.path / "1_Pooling" / "config.json",
      R"({"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true})");
  expectImportError(folder, "key 'pooling_mode_max_tokens'");
}

TEST(ImportError, SentenceModuleFkDoesNotKnow) {
  ImportFolder folder("bert");
  writeFileAtomically(folder.path / "modules.json",
                      R"([{"type": "sentence_transformers.models.Dense"}])");
  expectImportError(folder, "sentence_transformers.models.Dense");
}

TEST(ImportError, GenerationConfigOfTheWrongKind) {
  ImportFolder folder("llama");
  writeFileAtomically(folder.path / "generation_config.json",
                      R"({"eos_token_id": 1.5})");
  expectImportError(folder, "generation_config.json");
}
