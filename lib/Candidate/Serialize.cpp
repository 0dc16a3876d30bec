//===- Serialize.cpp - What fk.candidate carries in the IR ----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The candidate as a plan writes it (docs/plan.md), and beside its keys
// "images": {"<image>": {"kind", "file", "sha256", "arch", "defines"}}, and
// "text" in those that the compiler made.
//
//===----------------------------------------------------------------------===//

#include "fk/Candidate/Candidate.h"
#include "lib/Candidate/Image.h"
#include "lib/Candidate/Load.h"
#include "lib/Candidate/Toolchain.h"
#include "runtime/support/Json.h"

using namespace fk;
using Json = nlohmann::ordered_json;
using nlohmann::json;

namespace {

Json writeTriple(const Expr (&extents)[3]) {
  Json list = Json::array();
  for (const Expr &extent : extents)
    list.push_back(extent.str());
  return list;
}

Json writeCandidate(const PlanCandidate &candidate) {
  Json root = {{"name", candidate.name},  {"task", candidate.task},
               {"file", candidate.file},  {"sha256", candidate.sha256},
               {"dtypes", Json::array()}, {"variants", Json::array()}};
  for (DType type : candidate.dtypes)
    root["dtypes"].push_back(getName(type));
  for (const CandidateVariant &variant : candidate.variants) {
    Json item = Json::object();
    if (variant.where)
      item["where"] = variant.where.str();
    item["image"] = variant.image;
    item["workspace"] = variant.workspaceBytes.str();
    item["launches"] = Json::array();
    for (const DeclaredLaunch &launch : variant.launches)
      item["launches"].push_back({{"entry", launch.entry},
                                  {"grid", writeTriple(launch.grid)},
                                  {"block", writeTriple(launch.block)},
                                  {"cluster", writeTriple(launch.cluster)},
                                  {"smem", launch.sharedBytes.str()},
                                  {"pdl", launch.pdl},
                                  {"args", launch.args}});
    root["variants"].push_back(std::move(item));
  }
  return root;
}

class Reader {
public:
  explicit Reader(std::string_view where) : where(where) {}

  const json &get(const json &object, const char *key) {
    if (!object.is_object() || !object.contains(key))
      failCandidate("the candidate's manifest is not whole", where,
                    std::string("a key '") + key + "'", "",
                    "bind the candidate again");
    return object.at(key);
  }
  std::string getString(const json &object, const char *key) {
    const json &value = get(object, key);
    if (!value.is_string())
      fail(key, "a string", value);
    return value.get<std::string>();
  }
  const json &getList(const json &object, const char *key) {
    const json &value = get(object, key);
    if (!value.is_array())
      fail(key, "a list", value);
    return value;
  }

  PlanCandidate readCandidate(const json &root) {
    PlanCandidate candidate;
    candidate.name = getString(root, "name");
    candidate.task = getString(root, "task");
    candidate.file = getString(root, "file");
    candidate.sha256 = getString(root, "sha256");
    for (const json &item : getList(root, "dtypes")) {
      std::optional<DType> type;
      if (item.is_string())
        type = parseDType(item.get<std::string>());
      if (!type)
        fail("dtypes", "names of element types", item);
      candidate.dtypes.push_back(*type);
    }
    for (const json &item : getList(root, "variants"))
      candidate.variants.push_back(readVariant(item));
    return candidate;
  }

  ImageSource readSource(const json &item) {
    ImageSource source;
    source.kind = getString(item, "kind");
    source.file = getString(item, "file");
    source.sha256 = getString(item, "sha256");
    source.arch = getString(item, "arch");
    if (item.contains("text"))
      source.text = getString(item, "text");
    for (const auto &[name, value] : get(item, "defines").items()) {
      if (!value.is_number_integer())
        fail("defines", "whole numbers", value);
      source.defines[name] = value.get<int64_t>();
    }
    return source;
  }

  [[noreturn]] void fail(const char *key, const char *wanted,
                         const json &value) {
    failCandidate(std::string("'") + key +
                      "' of the candidate's manifest has "
                      "a wrong type",
                  where, wanted, std::string(describeJsonType(value)));
  }

private:
  CandidateVariant readVariant(const json &item) {
    CandidateVariant variant;
    if (item.is_object() && item.contains("where"))
      variant.where = Expr::parseCondition(getString(item, "where"), where);
    variant.image = getString(item, "image");
    variant.workspaceBytes = Expr::parse(getString(item, "workspace"), where);
    for (const json &child : getList(item, "launches")) {
      DeclaredLaunch launch;
      launch.entry = getString(child, "entry");
      readTriple(child, "grid", launch.grid);
      readTriple(child, "block", launch.block);
      readTriple(child, "cluster", launch.cluster);
      launch.sharedBytes = Expr::parse(getString(child, "smem"), where);
      const json &pdl = get(child, "pdl");
      if (!pdl.is_boolean())
        fail("pdl", "true or false", pdl);
      launch.pdl = pdl.get<bool>();
      for (const json &arg : getList(child, "args")) {
        if (!arg.is_string())
          fail("args", "names", arg);
        launch.args.push_back(arg.get<std::string>());
      }
      variant.launches.push_back(std::move(launch));
    }
    return variant;
  }

  void readTriple(const json &object, const char *key, Expr (&out)[3]) {
    const json &list = getList(object, key);
    if (list.size() != 3)
      fail(key, "three expressions", list);
    for (int i = 0; i < 3; ++i) {
      if (!list[i].is_string())
        fail(key, "three expressions", list[i]);
      out[i] = Expr::parse(list[i].get<std::string>(), where);
    }
  }

  std::string_view where;
};

PlanImage makeImage(const ImageSource &source) {
  bool isGenerated = source.kind == "mlir" || source.kind == "task";
  std::string bytes =
      isGenerated ? source.text : readCandidateFile(source.file);
  if (getSha256(bytes) != source.sha256)
    failCandidate("the candidate's file has changed since it was bound",
                  source.file, "sha256 " + source.sha256, getSha256(bytes),
                  "bind it again");
  PlanImage image;
  image.kind = isGenerated ? "ptx" : source.kind;
  if (source.kind == "cu") {
    bytes = compileCuda(source.file, bytes, source.arch, source.defines);
    image.kind = "ptx";
  }
  auto data = reinterpret_cast<const std::byte *>(bytes.data());
  image.bytes.assign(data, data + bytes.size());
  return image;
}

} // namespace

std::string fk::toManifestText(const LoadedCandidate &candidate) {
  Json root = writeCandidate(candidate.info);
  root["images"] = Json::object();
  for (const auto &[name, source] : candidate.sources) {
    root["images"][name] = {{"kind", source.kind},
                            {"file", source.file},
                            {"sha256", source.sha256},
                            {"arch", source.arch},
                            {"defines", Json(source.defines)}};
    if (!source.text.empty())
      root["images"][name]["text"] = source.text;
  }
  return root.dump();
}

PlanCandidate fk::parseManifestText(std::string_view text,
                                    std::string_view where) {
  json root = parseJson(text, std::string(where));
  Reader reader(where);
  return reader.readCandidate(root);
}

LoadedCandidate fk::fromManifestText(std::string_view text,
                                     std::string_view where) {
  json root = parseJson(text, std::string(where));
  Reader reader(where);
  LoadedCandidate candidate;
  candidate.info = reader.readCandidate(root);
  const json &images = reader.get(root, "images");
  if (!images.is_object())
    reader.fail("images", "an object", images);
  for (const auto &[name, item] : images.items()) {
    candidate.sources[name] = reader.readSource(item);
    candidate.images[name] = makeImage(candidate.sources[name]);
  }
  for (const CandidateVariant &variant : candidate.info.variants)
    if (!candidate.images.count(variant.image))
      failCandidate("the candidate's manifest has no image '" + variant.image +
                        "'",
                    where);
  return candidate;
}
