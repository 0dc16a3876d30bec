//===- WeightSource.cpp - The checkpoint behind an import -----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "WeightSource.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/Twine.h"

#include <cstring>

using namespace fk;
using llvm::StringRef;

static std::string printShape(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

WeightSource::WeightSource(const Architecture &architecture,
                           const std::filesystem::path &folder,
                           const Checkpoint *checkpoint)
    : architecture(architecture), folder(folder), checkpoint(checkpoint) {}

std::optional<std::string> WeightSource::find(StringRef name) const {
  if (!checkpoint)
    return name.str();
  std::vector<std::string> spellings = {name.str()};
  StringRef prefix = architecture.basePrefix, base = name;
  if (!prefix.empty())
    spellings.push_back(base.consume_front(prefix) ? base.str()
                                                   : (prefix + name).str());
  // Checkpoints converted from TensorFlow.
  for (size_t i = 0, end = spellings.size(); i < end; ++i) {
    StringRef spelling = spellings[i];
    if (spelling.ends_with("LayerNorm.weight"))
      spellings.push_back((spelling.drop_back(6) + "gamma").str());
    else if (spelling.ends_with("LayerNorm.bias"))
      spellings.push_back((spelling.drop_back(4) + "beta").str());
  }
  for (const std::string &spelling : spellings)
    if (checkpoint->find(spelling))
      return spelling;
  return std::nullopt;
}

std::string WeightSource::use(StringRef name,
                              const std::vector<int64_t> &shape) {
  if (!checkpoint)
    return name.str();
  std::optional<std::string> spelling = find(name);
  if (!spelling)
    throw Error(
        {"tensor '" + name.str() + "' is missing", folder.string(),
         "a tensor of shape " + printShape(shape), "none of that name",
         "check that the download is whole and belongs to config.json"});
  const TensorView &tensor = *checkpoint->find(*spelling);
  std::string file = checkpoint->getFileOf(*spelling).string();
  if (tensor.dtype != DType::F32 && tensor.dtype != DType::BF16 &&
      tensor.dtype != DType::F16)
    throw Error({"tensor '" + *spelling + "' has a dtype fk does not load",
                 file, "F32, BF16 or F16",
                 std::string(getSafetensorsName(tensor.dtype)),
                 "quantized checkpoints are not supported"});
  if (tensor.shape != shape)
    throw Error({"tensor '" + *spelling + "' has the wrong shape", file,
                 printShape(shape), printShape(tensor.shape),
                 "check the sizes in config.json"});
  used.insert(*spelling);
  return *spelling;
}

bool WeightSource::areEqual(StringRef a, StringRef b) const {
  std::optional<std::string> first = find(a), second = find(b);
  if (!checkpoint || !first || !second)
    return false;
  const TensorView &x = *checkpoint->find(*first);
  const TensorView &y = *checkpoint->find(*second);
  return x.dtype == y.dtype && x.shape == y.shape &&
         std::memcmp(x.bytes.data(), y.bytes.data(), x.bytes.size()) == 0;
}

std::optional<DType> WeightSource::getStoredDType() const {
  std::optional<DType> stored;
  if (!checkpoint)
    return stored;
  for (const std::string &name : checkpoint->getNames()) {
    DType dtype = checkpoint->find(name)->dtype;
    if (!isFloat(dtype))
      continue;
    if (stored && *stored != dtype)
      return std::nullopt;
    stored = dtype;
  }
  return stored;
}

/// One `*` in `pattern` stands for any text.
static bool matches(StringRef pattern, StringRef name) {
  auto [front, back] = pattern.split('*');
  if (front.size() == pattern.size())
    return pattern == name;
  return name.size() >= front.size() + back.size() && name.starts_with(front) &&
         name.ends_with(back);
}

void WeightSource::finish() const {
  if (!checkpoint)
    return;
  for (const std::string &name : checkpoint->getNames()) {
    if (used.count(name))
      continue;
    bool known = false;
    for (StringRef pattern : architecture.unusedTensors)
      known |= matches(pattern, name);
    if (known)
      continue;
    throw Error({"tensor '" + name + "' belongs to no part of the model",
                 checkpoint->getFileOf(name).string(),
                 "only tensors of " + architecture.name.str(),
                 printShape(checkpoint->find(name)->shape),
                 "check that the checkpoint belongs to config.json"});
  }
}
