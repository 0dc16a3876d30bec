//===- Candidate.cpp - A user's kernel, checked and described -------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Candidate/Candidate.h"
#include "lib/Candidate/Bind.h"
#include "lib/Candidate/Expressions.h"
#include "lib/Candidate/Load.h"
#include "lib/Candidate/Toolchain.h"
#include "runtime/support/Safetensors.h"

#include <algorithm>
#include <set>

using namespace fk;
namespace fs = std::filesystem;

namespace {

constexpr size_t maxFileBytes = size_t(64) << 20;

bool isTaskName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string listDTypes(const std::vector<DType> &types) {
  std::string list;
  for (DType type : types)
    list += (list.empty() ? "" : ", ") + std::string(getName(type));
  return list;
}

/// Builds one candidate from its declaration.
class Loader {
public:
  Loader(const fs::path &file, const Signature &signature,
         const CandidateTarget &target)
      : file(fs::absolute(file).lexically_normal()), where(file.string()),
        signature(signature), target(target) {}

  /// Of PTX that was generated instead of read.
  LoadedCandidate loadGenerated(std::string_view kind, std::string_view ptx) {
    if (kind == "task")
      file = file.filename();
    where = file.string();
    loaded.info.task = signature.task;
    loaded.info.name = signature.task + ":" + file.filename().string();
    loaded.info.file = file;
    loaded.info.sha256 = getSha256(ptx);
    loaded.info.dtypes = {target.dtype}; // what a task was generated for
    if (kind == "mlir")
      loaded.info.dtypes = getFileDTypes(file);
    checkDType();
    std::optional<VariantDeclaration> directive =
        parseDirective(ptx, where, signature);
    if (!directive)
      failCandidate("the generated PTX does not say how to launch it", where);
    directive->source = file;
    std::vector<AxisValues> served = getServed(directive->where);
    if (served.empty() && !target.staticAxes.empty())
      failCandidate("the candidate serves none of the shapes", where,
                    describeShapes(), "where " + directive->where.str());
    ImageSource source = {std::string(kind), file, getSha256(ptx),
                          target.arch,       {},   std::string(ptx)};
    addImage(*directive, source, source.text, served);
    return std::move(loaded);
  }

  LoadedCandidate load() {
    std::string kind = getImageKind(file);
    std::string text = readCandidateFile(file);
    loaded.info.task = signature.task;
    loaded.info.name = signature.task + ":" + file.filename().string();
    loaded.info.file = file;
    loaded.info.sha256 = getSha256(text);

    Declaration declaration = declare(kind, text);
    loaded.info.dtypes = declaration.dtypes;
    checkDType();
    for (const VariantDeclaration &variant : declaration.variants)
      addVariant(variant);
    if (loaded.info.variants.empty())
      failCandidate("the candidate serves none of the shapes", where,
                    describeShapes(), "where " + describeWhere(declaration));
    return std::move(loaded);
  }

private:
  void checkDType() const {
    const std::vector<DType> &served = loaded.info.dtypes;
    if (std::find(served.begin(), served.end(), target.dtype) == served.end())
      failCandidate("the candidate does not serve the op's element type", where,
                    std::string(getName(target.dtype)), listDTypes(served),
                    "name the file " + file.stem().stem().string() + "." +
                        std::string(getName(target.dtype)) +
                        file.extension().string() +
                        ", or say \"dtypes\" in a manifest, if it does");
  }

  Declaration declare(const std::string &kind, const std::string &text) {
    if (kind == "json") {
      if (isTritonMetadata(text, where))
        failCandidate("this is Triton's metadata, not a candidate", where,
                      "the .ptx or .cubin beside it", "",
                      "give that file; its metadata is found by name");
      return parseManifest(text, file, signature);
    }
    std::optional<VariantDeclaration> directive;
    if (kind == "ptx" || kind == "cu")
      directive = parseDirective(text, where, signature);
    fs::path beside = file;
    beside.replace_extension(".json");
    std::error_code error;
    if ((kind != "cu" && kind != "ptx") || (kind == "ptx" && !directive) ||
        kind == "ptx") {
      if (fs::exists(beside, error) && !error) {
        std::string metadata = readCandidateFile(beside);
        if (isTritonMetadata(metadata, beside.string())) {
          isTriton = true;
          directive = parseTritonMetadata(metadata, beside.string(), signature,
                                          directive);
          loaded.remarks.push_back("launch read from Triton's " +
                                   beside.filename().string());
        } else if (!directive) {
          return parseManifest(metadata, beside, signature);
        }
      }
    }
    if (!directive)
      failCandidate(
          kind == "ptx" || kind == "cu"
              ? "the file does not say how to launch it"
              : "the image has no manifest",
          where,
          kind == "ptx" || kind == "cu"
              ? "a line // fk.launch: grid=(tokens,1,1) block=(256,1,1)"
              : beside.filename().string() + " beside it",
          "none");
    directive->source = file;
    return {getFileDTypes(file), {*directive}};
  }

  std::string describeShapes() const {
    std::string text;
    for (const AxisValues &axes : target.staticAxes)
      text += (text.empty() ? "" : " or ") + describeAxes(axes);
    return text.empty() ? "any shape" : text;
  }

  static std::string describeWhere(const Declaration &declaration) {
    std::string text;
    for (const VariantDeclaration &variant : declaration.variants)
      text += (text.empty() ? "" : ", or ") +
              (variant.where ? variant.where.str() : std::string("always"));
    return text;
  }

  /// The static shapes that a `where` does not rule out.
  std::vector<AxisValues> getServed(const Expr &condition) const {
    std::vector<AxisValues> served;
    for (const AxisValues &axes : target.staticAxes) {
      std::optional<int64_t> known =
          condition ? evaluateKnown(condition, axes) : 1;
      if (!known || *known)
        served.push_back(axes);
    }
    return served;
  }

  void addVariant(const VariantDeclaration &variant) {
    std::vector<AxisValues> served = getServed(variant.where);
    if (served.empty() && !target.staticAxes.empty())
      return; // Not covered; the caller reports what is left over.
    std::string kind = getImageKind(variant.source);
    std::string text = readCandidateFile(variant.source);
    ImageSource source = {kind, variant.source, getSha256(text), "", {}, {}};
    if (kind != "cu") {
      addImage(variant, source, text, served);
      return;
    }
    source.arch = target.arch;
    // One image per distinct set of the axes that the text speaks of.
    std::map<std::map<std::string, int64_t>, std::vector<AxisValues>> sets;
    for (const AxisValues &axes : served)
      sets[getDefines(axes, text)].push_back(axes);
    if (served.empty())
      sets[{}] = {};
    for (const auto &[defines, axes] : sets) {
      VariantDeclaration specialised = variant;
      for (const auto &[axis, value] :
           axes.empty() ? AxisValues() : axes.front())
        if (defines.count(getDefine(axis)))
          specialised.where =
              conjoin(Expr::parseCondition(
                          axis + " == " + std::to_string(value), where),
                      specialised.where);
      source.defines = defines;
      addImage(specialised, source,
               compileCuda(variant.source, text, target.arch, defines), axes);
    }
  }

  static std::string getDefine(std::string axis) {
    std::transform(axis.begin(), axis.end(), axis.begin(), [](unsigned char c) {
      return static_cast<char>(std::toupper(c));
    });
    return "FK_" + axis;
  }

  static std::map<std::string, int64_t> getDefines(const AxisValues &axes,
                                                   std::string_view text) {
    std::map<std::string, int64_t> defines;
    for (const auto &[axis, value] : axes)
      if (text.find(getDefine(axis)) != std::string_view::npos)
        defines[getDefine(axis)] = value;
    return defines;
  }

  std::string describeSource(const ImageSource &source) const {
    std::string text = fs::path(source.file).filename() == file.filename()
                           ? where
                           : source.file;
    for (const auto &[name, value] : source.defines)
      text += " -D" + name + "=" + std::to_string(value);
    return text;
  }

  void addImage(const VariantDeclaration &variant, const ImageSource &source,
                const std::string &bytes, const std::vector<AxisValues> &axes) {
    std::string place = describeSource(source);
    ImageInfo image = inspect(source.kind, bytes, place);
    checkTarget(image.kind == "ptx" ? "ptx" : "cubin", image.target,
                target.arch, place);
    // Before ptxas, whose messages speak of instructions: what is wrong with
    // the declaration.
    std::vector<std::string> ignored;
    bindVariant(variant, image, signature, target, axes, place, isTriton,
                ignored);
    if (image.kind == "ptx")
      assembleImage(bytes, image, place);
    CandidateVariant bound = bindVariant(variant, image, signature, target,
                                         axes, place, isTriton, loaded.remarks);
    describeEntries(bound, image, source);
    bound.image = nameImage(source);
    PlanImage planImage;
    planImage.kind = image.kind;
    auto data = reinterpret_cast<const std::byte *>(bytes.data());
    planImage.bytes.assign(data, data + bytes.size());
    loaded.images[bound.image] = std::move(planImage);
    loaded.sources[bound.image] = source;
    loaded.info.variants.push_back(std::move(bound));
  }

  ImageInfo inspect(const std::string &kind, const std::string &bytes,
                    const std::string &place) {
    if (kind == "cubin")
      return parseCubin(bytes, place);
    if (kind == "fatbin")
      return parseFatbin(bytes, target.arch, place);
    return parsePtx(bytes, place);
  }

  void assembleImage(const std::string &bytes, ImageInfo &image,
                     const std::string &place) {
    auto entries = assemble(bytes, target.arch, place);
    if (!entries) {
      loaded.remarks.push_back(
          "not assembled: ptxas is not found (CUDA_HOME, the PATH, "
          "/usr/local/cuda; `make deps` brings one)");
      return;
    }
    for (ImageEntry &entry : image.entries) {
      auto it = entries->find(entry.name);
      if (it == entries->end())
        continue;
      entry.registers = it->second.registers;
      if (it->second.spillBytes > 0)
        loaded.remarks.push_back("'" + entry.name + "' spills " +
                                 std::to_string(it->second.spillBytes) +
                                 " bytes of registers");
    }
  }

  void describeEntries(const CandidateVariant &bound, const ImageInfo &image,
                       const ImageSource &source) {
    for (const DeclaredLaunch &launch : bound.launches) {
      const ImageEntry *entry = image.find(launch.entry);
      std::string text = "'" + launch.entry + "'";
      for (const auto &[name, value] : source.defines)
        text += " " + name + "=" + std::to_string(value);
      text += ": " + image.target;
      if (entry->registers >= 0)
        text += ", " + std::to_string(entry->registers) + " registers";
      if (entry->staticShared > 0)
        text += ", " + std::to_string(entry->staticShared) +
                " bytes of static shared memory";
      if (std::find(loaded.remarks.begin(), loaded.remarks.end(), text) ==
          loaded.remarks.end())
        loaded.remarks.push_back(text);
    }
  }

  std::string nameImage(const ImageSource &source) const {
    std::string name = "candidate." + loaded.info.name;
    if (fs::path(source.file) != file)
      name +=
          "/" +
          fs::path(source.file).lexically_relative(file.parent_path()).string();
    for (const auto &[define, value] : source.defines)
      name += "/" + define + "=" + std::to_string(value);
    return name;
  }

  fs::path file;
  std::string where;
  const Signature &signature;
  const CandidateTarget &target;
  LoadedCandidate loaded;
  bool isTriton = false;
};

} // namespace

std::string fk::readCandidateFile(const fs::path &file) {
  std::error_code error;
  fs::file_status status = fs::status(file, error);
  if (!fs::exists(status))
    failCandidate("there is no such candidate", file.string(), "a file", "",
                  "check the path");
  if (!fs::is_regular_file(status))
    failCandidate("the candidate is no file", file.string(), "a regular file");
  std::string text = readTextFile(file, maxFileBytes);
  if (text.empty())
    failCandidate("the candidate is empty", file.string());
  return text;
}

std::string fk::getImageKind(const fs::path &file) {
  std::string extension = file.extension().string();
  for (std::string_view known : {"ptx", "cubin", "fatbin", "cu", "json"})
    if (extension == "." + std::string(known))
      return std::string(known);
  if (extension == ".mlir")
    failCandidate("a manifest cannot name an .mlir file", file.string(),
                  ".ptx, .cubin, .fatbin or .cu", ".mlir",
                  "make PTX of it with `fk codegen`, or give it to "
                  "--substitute itself");
  failCandidate("unknown kind of candidate", file.string(),
                ".ptx, .cubin, .fatbin, .cu or .json",
                extension.empty() ? "no suffix" : "'" + extension + "'");
}

LoadedCandidate fk::loadGenerated(std::string_view kind, const fs::path &file,
                                  std::string_view ptx,
                                  const Signature &signature,
                                  const CandidateTarget &target) {
  return Loader(file, signature, target).loadGenerated(kind, ptx);
}

LoadedCandidate fk::loadCandidate(const fs::path &file,
                                  const Signature &signature,
                                  const CandidateTarget &target) {
  return Loader(file, signature, target).load();
}

bool fk::mayCover(const PlanCandidate &candidate,
                  const AxisValues &staticAxes) {
  return std::any_of(candidate.variants.begin(), candidate.variants.end(),
                     [&](const CandidateVariant &variant) {
                       std::optional<int64_t> known =
                           variant.where
                               ? evaluateKnown(variant.where, staticAxes)
                               : 1;
                       return !known || *known;
                     });
}

Expr fk::getCoverage(const PlanCandidate &candidate) {
  std::string text;
  for (const CandidateVariant &variant : candidate.variants) {
    if (!variant.where)
      return {};
    text += (text.empty() ? "(" : " || (") + variant.where.str() + ")";
  }
  return text.empty() ? Expr() : Expr::parseCondition(text, candidate.name);
}

void fk::renameCandidate(LoadedCandidate &candidate, const std::string &name) {
  std::string from = "candidate." + candidate.info.name;
  auto rename = [&](const std::string &image) {
    return "candidate." + name + image.substr(from.size());
  };
  std::map<std::string, PlanImage> images;
  std::map<std::string, ImageSource> sources;
  for (auto &[image, contents] : candidate.images)
    images[rename(image)] = std::move(contents);
  for (auto &[image, source] : candidate.sources)
    sources[rename(image)] = std::move(source);
  for (CandidateVariant &variant : candidate.info.variants)
    variant.image = rename(variant.image);
  candidate.images = std::move(images);
  candidate.sources = std::move(sources);
  candidate.info.name = name;
}

//===----------------------------------------------------------------------===//
// Specs
//===----------------------------------------------------------------------===//

SubstituteSpec SubstituteSpec::parse(std::string_view text) {
  auto fail = [&]() {
    failCandidate("this is no substitution", "--substitute",
                  "<task>[@<place>]:<file>", "'" + std::string(text) + "'",
                  "for instance rms_norm:cand.ptx or "
                  "rms_norm@model.layers.*.input_layernorm:cand.ptx");
  };
  size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon + 1 == text.size())
    fail();
  SubstituteSpec spec;
  std::string_view head = text.substr(0, colon);
  spec.file = text.substr(colon + 1);
  size_t at = head.find('@');
  if (at != std::string_view::npos) {
    spec.place = head.substr(at + 1);
    if (spec.place.empty())
      fail();
    head = head.substr(0, at);
  }
  spec.task = head;
  if (!isTaskName(spec.task))
    fail();
  return spec;
}

bool SubstituteSpec::matchesPlace(std::string_view modulePath) const {
  return place.empty() || matchesGlob(place, modulePath);
}

std::string SubstituteSpec::str() const {
  return task + (place.empty() ? "" : "@" + place) + ":" + file;
}

bool fk::matchesGlob(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() &&
               (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}
