//===- Checkpoint.cpp - A folder of weights -------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/support/Error.h"
#include "runtime/support/Json.h"
#include "runtime/support/Safetensors.h"

using namespace fk;
using nlohmann::json;
namespace fs = std::filesystem;

/// A shard's name may hold folders, but nothing that leads out of the
/// checkpoint's. Where links lead is not asked: snapshots of the hub's cache
/// consist of them.
static void checkShardName(const std::string &shard, const std::string &tensor,
                           const fs::path &index) {
  fs::path name(shard);
  bool plain = !shard.empty() && name.is_relative() && name.has_filename() &&
               shard.find('\0') == std::string::npos &&
               shard.find('\\') == std::string::npos;
  for (const fs::path &part : name)
    plain &= part != ".." && part != ".";
  if (!plain)
    throw Error({.what = "shard '" + shard + "' of tensor '" + tensor +
                         "' is no file name inside the folder",
                 .where = index.string(),
                 .wanted = "a name such as model-00001-of-00002.safetensors"});
}

static std::map<std::string, std::string> readIndex(const fs::path &path) {
  json index = parseJson(readTextFile(path), path.string());
  if (!index.is_object() || !index.contains("weight_map"))
    throw Error({.what = "'weight_map' is missing",
                 .where = path.string(),
                 .wanted = "an object with 'weight_map'",
                 .got = std::string(describeJsonType(index))});
  const json &map = index["weight_map"];
  if (!map.is_object() || map.empty())
    throw Error({.what = "'weight_map' is malformed",
                 .where = path.string(),
                 .wanted = "an object from tensor to file, not empty",
                 .got = std::string(describeJsonType(map))});
  std::map<std::string, std::string> shardOf;
  for (const auto &[tensor, shard] : map.items()) {
    if (!shard.is_string())
      throw Error({.what = "'weight_map' is malformed at '" + tensor + "'",
                   .where = path.string(),
                   .wanted = "a file name",
                   .got = std::string(describeJsonType(shard))});
    checkShardName(shard.get<std::string>(), tensor, path);
    shardOf[tensor] = shard.get<std::string>();
  }
  return shardOf;
}

Checkpoint Checkpoint::open(const fs::path &folder) {
  Checkpoint checkpoint;
  std::error_code code;
  fs::path single = folder / "model.safetensors";
  fs::path index = folder / "model.safetensors.index.json";
  // A dangling link counts as there, so that opening it says what is wrong.
  auto isThere = [&](const fs::path &path) {
    return fs::symlink_status(path, code).type() > fs::file_type::not_found;
  };
  if (isThere(single)) {
    checkpoint.files.push_back(SafetensorsFile::open(single));
    for (const auto &[name, view] : checkpoint.files[0]->getTensors())
      checkpoint.fileOf[name] = 0;
    return checkpoint;
  }
  if (!isThere(index)) {
    bool pickled = isThere(folder / "pytorch_model.bin") ||
                   isThere(folder / "pytorch_model.bin.index.json");
    throw Error({.what = fs::is_directory(folder, code)
                             ? "no weights in the folder"
                             : "no such folder",
                 .where = folder.string(),
                 .wanted = "model.safetensors or model.safetensors.index.json",
                 .got = pickled ? "pytorch_model.bin" : "",
                 .mend = pickled ? "save the model as safetensors" : ""});
  }

  std::map<std::string, size_t> shards;
  for (const auto &[tensor, shard] : readIndex(index)) {
    auto [it, isNew] = shards.emplace(shard, checkpoint.files.size());
    if (isNew) {
      if (!fs::exists(folder / shard, code))
        throw Error({.what = "shard '" + shard + "' is missing",
                     .where = folder.string(),
                     .wanted = "the file that " + index.filename().string() +
                               " names for tensor '" + tensor + "'",
                     .mend = "fetch the whole checkpoint"});
      checkpoint.files.push_back(SafetensorsFile::open(folder / shard));
    }
    // Throws where the shard does not hold what the index says.
    checkpoint.files[it->second]->getTensor(tensor);
    checkpoint.fileOf[tensor] = it->second;
  }
  return checkpoint;
}

const TensorView *Checkpoint::find(std::string_view name) const {
  auto it = fileOf.find(name);
  return it == fileOf.end() ? nullptr : &files[it->second]->getTensor(name);
}

fs::path Checkpoint::getFileOf(std::string_view name) const {
  auto it = fileOf.find(name);
  if (it == fileOf.end())
    throw Error(
        {.what = "the checkpoint has no tensor '" + std::string(name) + "'"});
  return files[it->second]->getPath();
}

std::vector<std::string> Checkpoint::getNames() const {
  std::vector<std::string> names;
  for (const auto &[name, file] : fileOf)
    names.push_back(name);
  return names;
}
