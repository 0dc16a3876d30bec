//===- Plan.cpp - Plans as files ------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/Plan.h"
#include "runtime/support/Error.h"
#include "runtime/support/Safetensors.h"

using namespace fk;

static constexpr std::string_view metadataKey = "fk.plan";

const PlanFunction *Plan::findFunction(std::string_view name) const {
  for (const PlanFunction &function : functions)
    if (function.name == name)
      return &function;
  return nullptr;
}

Plan Plan::load(const std::filesystem::path &path) {
  auto file = SafetensorsFile::open(path);
  auto text = file->getMetadata().find(metadataKey);
  if (text == file->getMetadata().end())
    throw Error({.what = "not a plan",
                 .where = path.string(),
                 .wanted = "metadata '" + std::string(metadataKey) + "'",
                 .got = "a safetensors file without it",
                 .mend = "make one with fk compile"});
  Plan plan = fromJson(text->second, path.string());
  for (const auto &[name, tensor] : file->getTensors())
    if (!plan.images.count(name))
      throw Error({.what = "tensor '" + name + "' belongs to no image",
                   .where = path.string()});
  for (auto &[name, image] : plan.images) {
    const TensorView &tensor = file->getTensor(name);
    if (tensor.dtype != DType::U8 || tensor.shape.size() != 1 ||
        tensor.bytes.empty())
      throw Error({.what = "image '" + name + "' is malformed",
                   .where = path.string(),
                   .wanted = "a U8 tensor of rank 1, not empty",
                   .got = std::string(getSafetensorsName(tensor.dtype)) +
                          " of rank " + std::to_string(tensor.shape.size()) +
                          ", " + std::to_string(tensor.bytes.size()) +
                          " bytes"});
    image.bytes.assign(tensor.bytes.begin(), tensor.bytes.end());
  }
  return plan;
}

void Plan::save(const std::filesystem::path &path) const {
  verify(path.string());
  std::vector<TensorToWrite> tensors;
  for (const auto &[name, image] : images) {
    if (image.bytes.empty())
      throw Error(
          {.what = "image '" + name + "' is empty", .where = path.string()});
    tensors.push_back({name,
                       DType::U8,
                       {static_cast<int64_t>(image.bytes.size())},
                       image.bytes});
  }
  writeSafetensors(path, tensors, {{std::string(metadataKey), toJson()}});
}
