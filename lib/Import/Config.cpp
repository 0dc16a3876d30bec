//===- Config.cpp - A config.json, read with suspicion --------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Import/Config.h"

#include "runtime/support/Error.h"
#include "runtime/support/Json.h"
#include "runtime/support/Safetensors.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"

#include <nlohmann/json.hpp>

#include <cmath>

using namespace fk;
using llvm::StringRef;
using Json = nlohmann::json;

/// The largest extent an int32_t axis holds.
static constexpr int64_t maxExtent = (int64_t(1) << 31) - 1;

/// Keys of the base class of all configs, and of old versions of it, that speak
/// of training, of other heads, of how outputs are packed, or of generation
/// defaults, which fk takes from the caller.
static constexpr StringRef harmlessEverywhere[] = {
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_commit_hash",
    "_flash_attn_2_enabled",
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "attention_probs_dropout_prob",
    "auto_map",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "early_stopping",
    "embd_pdrop",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "gradient_checkpointing",
    "hidden_dropout_prob",
    "id2label",
    "initializer_range",
    "label2id",
    "length_penalty",
    "max_length",
    "min_length",
    "num_beam_groups",
    "num_beams",
    "num_labels",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "output_scores",
    "prefix",
    "problem_type",
    "remove_invalid_values",
    "resid_pdrop",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "typical_p",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
};

/// Keys that are harmless at one value only.
static constexpr std::pair<StringRef, StringRef> harmlessAtValue[] = {
    {"add_cross_attention", "false"},
    {"cross_attention_hidden_size", "null"},
    {"encoder_no_repeat_ngram_size", "0"},
    {"is_decoder", "false"},
    {"is_encoder_decoder", "false"},
    {"no_repeat_ngram_size", "0"},
    {"pretraining_tp", "1"},
    {"pruned_heads", "{}"},
    {"repetition_penalty", "1.0"},
    {"tie_encoder_decoder", "false"},
};

/// The value as JSON, cut where it is long.
static std::string describe(const Json &value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 80)
    text = text.substr(0, 77) + "...";
  return text;
}

Config Config::read(const std::filesystem::path &path) {
  std::string where = path.string();
  Json object = parseJson(readTextFile(path, size_t(16) << 20), where);
  if (!object.is_object())
    throw Error({"the config is no JSON object", where, "{...}",
                 describe(object), "download the file again"});
  return Config(std::make_shared<const Json>(std::move(object)),
                std::move(where));
}

Config::Config(std::shared_ptr<const Json> object, std::string where)
    : object(std::move(object)), where(std::move(where)) {}

void Config::fail(StringRef key, StringRef wanted, StringRef mend) const {
  auto it = object->find(key.str());
  throw Error({"key '" + key.str() + "' of the config", where, wanted.str(),
               it == object->end() ? "no such key" : describe(*it),
               mend.str()});
}

const Json *Config::find(StringRef key) const {
  used.insert(key.str());
  auto it = object->find(key.str());
  return it == object->end() || it->is_null() ? nullptr : &*it;
}

const Json &Config::at(StringRef key, StringRef wanted) const {
  if (const Json *value = find(key))
    return *value;
  fail(key, wanted, "add the key to the config");
}

bool Config::has(StringRef key) const { return find(key) != nullptr; }

bool Config::isMentioned(StringRef key) const {
  used.insert(key.str());
  return object->contains(key.str());
}

int64_t Config::getInt(StringRef key, std::optional<int64_t> fallback) const {
  constexpr StringRef wanted = "an integer";
  if (fallback && !has(key))
    return *fallback;
  const Json &value = at(key, wanted);
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t(INT64_MAX))
    fail(key, "an integer below 2^63");
  if (!value.is_number_integer())
    fail(key, wanted);
  return value.get<int64_t>();
}

int64_t Config::getSize(StringRef key, std::optional<int64_t> fallback) const {
  if (fallback && !has(key))
    return *fallback;
  constexpr StringRef wanted = "an integer from 1 to 2147483647";
  const Json &value = at(key, wanted);
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() &&
       value.get<uint64_t>() > uint64_t(maxExtent)))
    fail(key, wanted);
  int64_t size = value.get<int64_t>();
  if (size < 1 || size > maxExtent)
    fail(key, wanted);
  return size;
}

double Config::getNumber(StringRef key, std::optional<double> fallback) const {
  if (fallback && !has(key))
    return *fallback;
  const Json &value = at(key, "a number");
  if (!value.is_number() || !std::isfinite(value.get<double>()))
    fail(key, "a finite number");
  return value.get<double>();
}

double Config::getPositive(StringRef key,
                           std::optional<double> fallback) const {
  if (fallback && !has(key))
    return *fallback;
  double number = getNumber(key);
  if (!(number > 0))
    fail(key, "a number above 0");
  return number;
}

bool Config::getBool(StringRef key, bool fallback) const {
  const Json *value = find(key);
  if (!value)
    return fallback;
  if (!value->is_boolean())
    fail(key, "true or false");
  return value->get<bool>();
}

std::string Config::getString(StringRef key,
                              std::optional<std::string> fallback) const {
  if (fallback && !has(key))
    return *fallback;
  const Json &value = at(key, "a string");
  if (!value.is_string())
    fail(key, "a string");
  return value.get<std::string>();
}

std::vector<double> Config::getNumbers(StringRef key) const {
  const Json &value = at(key, "a list of numbers");
  if (!value.is_array())
    fail(key, "a list of numbers");
  std::vector<double> numbers;
  for (const Json &element : value) {
    if (!element.is_number() || !std::isfinite(element.get<double>()))
      fail(key, "a list of finite numbers");
    numbers.push_back(element.get<double>());
  }
  return numbers;
}

std::vector<std::string> Config::getStrings(StringRef key) const {
  const Json &value = at(key, "a list of strings");
  if (!value.is_array())
    fail(key, "a list of strings");
  std::vector<std::string> strings;
  for (const Json &element : value) {
    if (!element.is_string())
      fail(key, "a list of strings");
    strings.push_back(element.get<std::string>());
  }
  return strings;
}

std::vector<int64_t> Config::getIntOrList(StringRef key) const {
  const Json *value = find(key);
  if (!value)
    return {};
  if (value->is_number_integer())
    return {value->get<int64_t>()};
  if (!value->is_array())
    fail(key, "an integer or a list of integers");
  std::vector<int64_t> list;
  for (const Json &element : *value) {
    if (!element.is_number_integer())
      fail(key, "an integer or a list of integers");
    list.push_back(element.get<int64_t>());
  }
  return list;
}

std::optional<Config> Config::getObject(StringRef key) const {
  const Json *value = find(key);
  if (!value)
    return std::nullopt;
  if (!value->is_object())
    fail(key, "an object");
  return Config(std::make_shared<const Json>(*value), where + ": " + key.str());
}

Activation Config::getActivation(StringRef key,
                                 std::optional<std::string> fallback) const {
  std::string name = getString(key, std::move(fallback));
  if (name == "silu" || name == "swish")
    return Activation::Silu;
  if (name == "gelu" || name == "gelu_python")
    return Activation::Gelu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_python_tanh" ||
      name == "gelu_new" || name == "gelu_fast" || name == "gelu_accurate")
    return Activation::GeluTanh;
  fail(key, "silu, swish, gelu, gelu_python, gelu_pytorch_tanh, "
            "gelu_python_tanh, gelu_new, gelu_fast or gelu_accurate");
}

std::optional<DType> Config::getDType() const {
  std::optional<DType> result;
  // Newer files say `dtype`; both must agree where both are there.
  for (StringRef key : {"torch_dtype", "dtype"}) {
    std::string name = getString(key, "auto");
    if (name == "auto")
      continue;
    std::optional<DType> type = parseTorchDType(name);
    if (!type ||
        (*type != DType::F32 && *type != DType::BF16 && *type != DType::F16))
      fail(key, "float32, bfloat16 or float16");
    if (result && *result != *type)
      fail(key, getTorchName(*result), "torch_dtype and dtype must agree");
    result = type;
  }
  return result;
}

void Config::requireValue(StringRef key, StringRef allowed) const {
  used.insert(key.str());
  auto it = object->find(key.str());
  if (it == object->end() || it->is_null() || *it == Json::parse(allowed.str()))
    return;
  fail(key, (allowed + " or no such key").str(),
       "fk does not implement what this key asks for");
}

void Config::finish(llvm::ArrayRef<StringRef> harmless) const {
  for (const auto &[key, value] : object->items()) {
    if (used.count(key) || llvm::is_contained(harmless, key))
      continue;
    throw Error({"unknown key '" + key + "' could change the numbers", where,
                 "", key + " = " + describe(value),
                 "remove the key if the model does not depend on it"});
  }
}

void Config::finishModel(llvm::ArrayRef<StringRef> harmless) const {
  for (const auto &[key, value] : harmlessAtValue)
    requireValue(key, value);
  std::vector<StringRef> all(harmless.begin(), harmless.end());
  all.insert(all.end(), std::begin(harmlessEverywhere),
             std::end(harmlessEverywhere));
  finish(all);
}

int64_t fk::multiplySizes(const Config &config, StringRef what, int64_t a,
                          int64_t b) {
  // Both factors are extents, below 2^31: their product cannot overflow.
  if (a * b <= maxExtent)
    return a * b;
  throw Error({what.str() + " is too large", config.getWhere(),
               "at most 2147483647",
               std::to_string(a) + " * " + std::to_string(b),
               "check the sizes in the config"});
}
