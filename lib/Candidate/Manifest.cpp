//===- Manifest.cpp - Several launches, variants, Triton's metadata -------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "lib/Candidate/Declaration.h"
#include "lib/Candidate/Expressions.h"
#include "lib/Candidate/Image.h"
#include "runtime/support/Json.h"

#include <algorithm>

using namespace fk;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

class ManifestReader {
public:
  ManifestReader(const fs::path &file, const Signature &signature)
      : file(file), where(file.string()), signature(signature) {}

  Declaration read(std::string_view text) {
    json root = parseJson(text, where);
    checkKeys(root, "the manifest",
              {"task", "dtypes", "source", "workspace", "where", "launches",
               "variants"});
    if (!root.contains("task"))
      failCandidate("the manifest names no task", where,
                    "\"task\": \"" + signature.task + "\"");
    std::string task = readString(root.at("task"), "task");
    if (task != signature.task)
      failCandidate("the manifest is for another task", where, signature.task,
                    task);
    Declaration declaration;
    readDTypes(root, declaration);
    VariantDeclaration base;
    readShared(root, base);
    if (root.contains("launches") == root.contains("variants"))
      failCandidate("the manifest wants either launches or variants", where,
                    "one of the two",
                    root.contains("launches") ? "both" : "neither");
    if (root.contains("launches")) {
      base.launches = readLaunches(root.at("launches"));
      declaration.variants.push_back(std::move(base));
    } else {
      for (const json &item : readArray(root.at("variants"), "variants", 64))
        declaration.variants.push_back(readVariant(item, base));
    }
    for (const VariantDeclaration &variant : declaration.variants)
      if (variant.source.empty())
        failCandidate("the manifest names no source", where,
                      "\"source\": \"kernel.cu\"");
    return declaration;
  }

private:
  [[noreturn]] void failType(const std::string &key, const char *wanted,
                             const json &value) {
    failCandidate("'" + key + "' has a wrong type", where, wanted,
                  std::string(describeJsonType(value)));
  }

  void checkKeys(const json &object, const std::string &what,
                 const std::vector<std::string_view> &known) {
    if (!object.is_object())
      failType(what, "an object", object);
    for (const auto &[key, value] : object.items()) {
      if (std::find(known.begin(), known.end(), key) != known.end())
        continue;
      std::string list;
      for (std::string_view name : known)
        list += (list.empty() ? "" : ", ") + std::string(name);
      failCandidate("unknown key '" + key + "' in " + what, where, list);
    }
  }

  std::string readString(const json &value, const std::string &key) {
    if (!value.is_string())
      failType(key, "a string", value);
    return value.get<std::string>();
  }

  const json &readArray(const json &value, const std::string &key,
                        size_t limit) {
    if (!value.is_array() || value.empty())
      failType(key, "a list that is not empty", value);
    if (value.size() > limit)
      failCandidate("'" + key + "' is too long", where,
                    "at most " + std::to_string(limit) + " items",
                    std::to_string(value.size()));
    return value;
  }

  /// An expression as text, or a number.
  Expr readExpr(const json &value, const std::string &key) {
    if (value.is_number_integer())
      return parseAxisExpr(std::to_string(value.get<int64_t>()),
                           key + " of " + where, signature);
    if (!value.is_string())
      failType(key, "a whole number or an expression", value);
    return parseAxisExpr(value.get<std::string>(), key + " of " + where,
                         signature);
  }

  Extents readExtents(const json &value, const std::string &key) {
    Extents extents = {1, 1, 1};
    if (!value.is_array()) {
      extents[0] = readExpr(value, key);
      return extents;
    }
    readArray(value, key, 3);
    for (size_t i = 0; i < value.size(); ++i)
      extents[i] = readExpr(value[i], key);
    return extents;
  }

  void readDTypes(const json &root, Declaration &declaration) {
    if (!root.contains("dtypes")) {
      declaration.dtypes = {DType::BF16};
      return;
    }
    for (const json &item : readArray(root.at("dtypes"), "dtypes", 16)) {
      std::string name = readString(item, "dtypes");
      std::optional<DType> type = parseDType(name);
      if (!type)
        failCandidate("unknown element type", where, "bf16, f16, f32, ...",
                      "'" + name + "'");
      declaration.dtypes.push_back(*type);
    }
  }

  /// The keys that a manifest and each of its variants have in common.
  void readShared(const json &object, VariantDeclaration &variant) {
    if (object.contains("source"))
      variant.source = readSource(readString(object.at("source"), "source"));
    if (object.contains("workspace"))
      variant.workspace = readExpr(object.at("workspace"), "workspace");
    if (object.contains("where"))
      variant.where =
          conjoin(variant.where,
                  parseAxisCondition(readString(object.at("where"), "where"),
                                     "where of " + where, signature));
  }

  VariantDeclaration readVariant(const json &item,
                                 const VariantDeclaration &base) {
    checkKeys(item, "a variant", {"where", "workspace", "source", "launches"});
    VariantDeclaration variant = base;
    readShared(item, variant);
    if (!item.contains("launches"))
      failCandidate("a variant has no launches", where, "\"launches\": [...]");
    variant.launches = readLaunches(item.at("launches"));
    return variant;
  }

  std::vector<LaunchDeclaration> readLaunches(const json &list) {
    std::vector<LaunchDeclaration> launches;
    for (const json &item : readArray(list, "launches", 64)) {
      checkKeys(item, "a launch",
                {"entry", "grid", "block", "cluster", "smem", "args", "pdl"});
      LaunchDeclaration launch;
      launch.entry = item.contains("entry")
                         ? readString(item.at("entry"), "entry")
                         : signature.task;
      if (!item.contains("grid"))
        failCandidate("the launch of '" + launch.entry + "' has no grid", where,
                      "\"grid\": [\"tokens\", 1, 1]");
      launch.grid = readExtents(item.at("grid"), "grid");
      if (item.contains("block"))
        launch.block = readExtents(item.at("block"), "block");
      if (item.contains("cluster"))
        launch.cluster = readExtents(item.at("cluster"), "cluster");
      if (item.contains("smem"))
        launch.shared = readExpr(item.at("smem"), "smem");
      if (item.contains("pdl")) {
        const json &pdl = item.at("pdl");
        if (!pdl.is_boolean() && pdl != json(0) && pdl != json(1))
          failType("pdl", "true or false", pdl);
        launch.pdl = pdl.is_boolean() ? pdl.get<bool>() : pdl == json(1);
      }
      if (item.contains("args"))
        for (const json &name : readArray(item.at("args"), "args", 256))
          launch.args.push_back(readString(name, "args"));
      launches.push_back(std::move(launch));
    }
    return launches;
  }

  /// A file in the manifest's folder; symbolic links must stay in it too.
  fs::path readSource(const std::string &name) {
    fs::path relative = name;
    bool leaves = name.empty() || name.find('\0') != std::string::npos ||
                  relative.is_absolute();
    for (const fs::path &part : relative)
      leaves |= part == "..";
    std::error_code error;
    fs::path folder = fs::weakly_canonical(file, error).parent_path();
    fs::path source =
        leaves ? fs::path() : fs::weakly_canonical(folder / relative, error);
    auto [end, rest] = std::mismatch(folder.begin(), folder.end(),
                                     source.begin(), source.end());
    if (leaves || error || end != folder.end())
      failCandidate("the source leaves the manifest's folder", where,
                    "a file in " + folder.string(), "'" + name + "'",
                    "put it beside the manifest");
    if (source.extension() == ".json")
      failCandidate("a manifest names another manifest", where,
                    "a .ptx, .cubin, .fatbin or .cu", "'" + name + "'");
    return source;
  }

  const fs::path &file;
  std::string where;
  const Signature &signature;
};

int64_t readNumber(const json &root, const char *key, int64_t fallback,
                   const std::string &where) {
  auto it = root.find(key);
  if (it == root.end() || it->is_null())
    return fallback;
  if (!it->is_number_integer() || *it < 0 || *it > (int64_t(1) << 40))
    failCandidate(std::string("'") + key + "' is no usable number", where,
                  "a whole number", it->dump().substr(0, 40));
  return it->get<int64_t>();
}

} // namespace

Declaration fk::parseManifest(std::string_view text, const fs::path &file,
                              const Signature &signature) {
  return ManifestReader(file, signature).read(text);
}

bool fk::isTritonMetadata(std::string_view text, const std::string &where) {
  json root = parseJson(text, where);
  return root.is_object() && root.contains("num_warps");
}

VariantDeclaration
fk::parseTritonMetadata(std::string_view text, const std::string &where,
                        const Signature &signature,
                        const std::optional<VariantDeclaration> &directive) {
  json root = parseJson(text, where);
  VariantDeclaration variant;
  if (directive) {
    variant = *directive;
  } else if (auto it = root.find("fk.launch"); it != root.end()) {
    if (!it->is_string())
      failCandidate("'fk.launch' has a wrong type", where, "a string",
                    std::string(describeJsonType(*it)));
    variant = *parseDirective("// fk.launch: " + it->get<std::string>(), where,
                              signature);
  } else {
    failCandidate("Triton's metadata names no grid", where,
                  "a key \"fk.launch\": \"grid=(tokens,1,1)\"", "",
                  "add it, or write a manifest");
  }
  LaunchDeclaration &launch = variant.launches.front();
  if (auto it = root.find("name"); it != root.end()) {
    if (!it->is_string())
      failCandidate("'name' has a wrong type", where, "a string",
                    std::string(describeJsonType(*it)));
    launch.entry = it->get<std::string>();
  }
  int64_t warps = readNumber(root, "num_warps", 4, where);
  if (warps < 1 || warps > 32)
    failCandidate("num_warps is out of range", where, "1 to 32",
                  std::to_string(warps));
  if (!launch.block)
    launch.block = Extents{warps * 32, 1, 1};
  launch.shared = readNumber(root, "shared", 0, where);
  if (auto it = root.find("cluster_dims"); it != root.end() && it->is_array() &&
                                           it->size() == 3 && !launch.cluster) {
    Extents cluster = {1, 1, 1};
    for (int i = 0; i < 3; ++i) {
      if (!(*it)[i].is_number_integer())
        failCandidate("'cluster_dims' has a wrong type", where,
                      "three whole numbers", it->dump().substr(0, 40));
      cluster[i] = (*it)[i].get<int64_t>();
    }
    launch.cluster = cluster;
  }
  int64_t scratch = readNumber(root, "global_scratch_size", 0, where) +
                    readNumber(root, "profile_scratch_size", 0, where);
  if (scratch > 0)
    failCandidate("the kernel wants Triton's global scratch", where,
                  "global_scratch_size and profile_scratch_size of 0",
                  std::to_string(scratch) + " bytes a program",
                  "take its workspace as the last parameter instead");
  return variant;
}
