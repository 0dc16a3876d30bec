//===- Launcher.cpp - Declared launches on the host device ----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/host/Launcher.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <filesystem>

using namespace fk;
using namespace fk::host;

//===----------------------------------------------------------------------===//
// Image
//===----------------------------------------------------------------------===//

Image::Image(std::span<const std::byte> bytes, std::string_view kind,
             std::string name)
    : file(std::move(name)) {
  if (kind != "ptx")
    throw Error({"a " + std::string(kind) + " needs device cuda", file,
                 "PTX, which the host device emulates", "machine code of a GPU",
                 "give its .ptx or .cu, or use --device cuda"});
  module = emulator::Module::load(
      {reinterpret_cast<const char *>(bytes.data()), bytes.size()}, file);
}

void Image::checkEntry(const std::string &entry) const {
  const ptx::Function *function = module->getPtx().findFunction(entry);
  if (!function || !function->isEntry)
    throw Error({"no kernel '" + entry + "' in the device image", file,
                 "an extern \"C\" __global__ function of that name", "",
                 "give the entry that the image has"});
}

std::string host::getImageFile(const std::string &candidateFile,
                               const std::string &image) {
  std::string file = std::filesystem::path(candidateFile).filename();
  // Behind the candidate's name stands the manifest's source, then defines.
  std::string defines;
  std::string_view rest = image;
  if (size_t at = rest.find(file); at != std::string_view::npos)
    rest.remove_prefix(at + file.size());
  while (rest.starts_with('/')) {
    rest.remove_prefix(1);
    std::string_view part = rest.substr(0, rest.find('/'));
    if (part.find('=') == std::string_view::npos)
      file = part;
    else
      defines += "." + std::string(part);
    rest.remove_prefix(part.size());
  }
  return file.ends_with(".cu") ? file + defines + ".ptx" : file;
}

//===----------------------------------------------------------------------===//
// Findings
//===----------------------------------------------------------------------===//

std::string host::describe(const emulator::Finding &finding,
                           const std::string &file) {
  if (finding.location.line)
    return finding.str(file);
  return file + ": " + std::string(getName(finding.kind)) + ": " +
         finding.text +
         (finding.kernel.empty() ? "" : " (kernel " + finding.kernel + ")");
}

FindingsError::FindingsError(const std::string &what,
                             std::vector<std::string> findings)
    : Error({"the kernel does what no kernel may", what, "no finding",
             findings.size() == 1
                 ? findings.front()
                 : std::to_string(findings.size()) + " findings, the first " +
                       findings.front(),
             "fk sanitize runs it alone"},
            ErrorKind::Wrong),
      lines(std::move(findings)) {}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

namespace {

/// Memory of the host that a launch may touch. Tensors that overlap (an update
/// in place) are one.
struct Extent {
  std::byte *begin = nullptr;
  size_t bytes = 0;
  std::string name;
  emulator::Memory::RegionOptions options;
  uint64_t address = 0;

  std::byte *end() const { return begin + bytes; }
};

class Regions {
public:
  Regions(const BoundLaunch &launch, void *workspace, size_t workspaceBytes) {
    for (const auto &[name, tensor] : launch.results)
      add(name, tensor, {true, false, false});
    for (const auto &[name, tensor] : launch.operands)
      add(name, tensor, {tensor.isState, true, false});
    if (workspaceBytes)
      extents.push_back({static_cast<std::byte *>(workspace),
                         workspaceBytes,
                         "workspace",
                         {true, false, true}});
    merge();
    for (Extent &extent : extents)
      extent.address = memory.addRegion(extent.name, extent.begin, extent.bytes,
                                        extent.options);
  }

  emulator::Memory &getMemory() { return memory; }

  /// What a kernel is given for a pointer of the host; 0 for null.
  uint64_t getAddress(const void *pointer) const {
    auto *at = static_cast<const std::byte *>(pointer);
    for (const Extent &extent : extents)
      if (at == extent.begin || (at >= extent.begin && at < extent.end()))
        return extent.address + uint64_t(at - extent.begin);
    return 0;
  }

  /// Bytes of results that nobody wrote.
  std::vector<emulator::Finding> getUnwritten() const {
    std::vector<emulator::Finding> findings;
    for (const Extent &extent : extents) {
      if (extent.options.isScratch || extent.options.isInitialized)
        continue;
      auto unwritten = memory.getUnwritten(extent.name);
      if (!unwritten.count)
        continue;
      emulator::Finding finding;
      finding.kind = emulator::FindingKind::UninitializedMemory;
      finding.text = std::to_string(unwritten.count) + " of " +
                     std::to_string(extent.bytes) + " bytes of " + extent.name +
                     " are left undefined, the first at " + extent.name +
                     " + " + std::to_string(unwritten.first);
      findings.push_back(std::move(finding));
    }
    return findings;
  }

private:
  void add(const std::string &name, const TensorRef &tensor,
           emulator::Memory::RegionOptions options) {
    if (tensor)
      extents.push_back({static_cast<std::byte *>(tensor.data),
                         size_t(tensor.getSizeInBytes()), name, options});
  }

  void merge() {
    std::sort(extents.begin(), extents.end(),
              [](const Extent &a, const Extent &b) {
                return std::less<>()(a.begin, b.begin);
              });
    std::vector<Extent> merged;
    for (Extent &extent : extents) {
      // Equal begins are one even where one is empty: an address must be found.
      if (merged.empty() || (extent.begin >= merged.back().end() &&
                             extent.begin != merged.back().begin)) {
        merged.push_back(std::move(extent));
        continue;
      }
      Extent &into = merged.back();
      into.bytes = size_t(std::max(into.end(), extent.end()) - into.begin);
      into.name += "/" + extent.name;
      into.options.isWritable |= extent.options.isWritable;
      into.options.isInitialized |= extent.options.isInitialized;
      into.options.isScratch &= extent.options.isScratch;
    }
    extents = std::move(merged);
  }

  std::vector<Extent> extents;
  emulator::Memory memory;
};

//===----------------------------------------------------------------------===//
// Binding
//===----------------------------------------------------------------------===//

/// Whether anything after such a finding would only repeat it.
bool isFatal(const emulator::Finding &finding) {
  using Kind = emulator::FindingKind;
  return finding.kind == Kind::Deadlock ||
         finding.kind == Kind::InstructionBudget ||
         finding.kind == Kind::InvalidOperation ||
         finding.kind == Kind::SharedMemoryLimit;
}

class DeclaredKernel final : public EmulatedKernel {
public:
  DeclaredKernel(std::shared_ptr<const Image> image, const BoundLaunch &launch,
                 std::string what, int64_t workspaceBytes)
      : image(std::move(image)), launchOf(launch), what(std::move(what)),
        workspaceBytes(workspaceBytes) {}

  int64_t getWorkspaceBytes() const override { return workspaceBytes; }
  const std::string &getFile() const override { return image->getFile(); }

  void launch(Stream &, void *workspace) override {
    emulator::Options options;
    options.instructionBudget = uint64_t(1) << 32; // minutes, not hours
    emulator::Report report = run(workspace, options);
    if (report.findings.empty())
      return;
    std::vector<std::string> lines;
    for (const emulator::Finding &finding : report.findings)
      lines.push_back(host::describe(finding, image->getFile()));
    throw FindingsError(
        what + (launchOf.place.empty() ? "" : " at " + launchOf.place),
        std::move(lines));
  }

  emulator::Report run(void *workspace,
                       const emulator::Options &options) override {
    Regions regions(launchOf, workspace, size_t(workspaceBytes));
    emulator::Report total;
    for (const LaunchBinding &binding : bindings) {
      emulator::Report report = emulator::launch(
          image->getModule(), configure(binding, regions, workspace),
          regions.getMemory(), options);
      total.warpInstructions += report.warpInstructions;
      total.laneInstructions += report.laneInstructions;
      bool stops = false;
      for (emulator::Finding &finding : report.findings) {
        stops |= isFatal(finding);
        total.findings.push_back(std::move(finding));
      }
      if (stops)
        return total;
    }
    for (emulator::Finding &finding : regions.getUnwritten())
      total.findings.push_back(std::move(finding));
    return total;
  }

  std::vector<LaunchBinding> bindings;

private:
  emulator::LaunchConfig configure(const LaunchBinding &binding,
                                   const Regions &regions,
                                   const void *workspace) const {
    emulator::LaunchConfig config;
    config.entry = binding.entry;
    config.grid = binding.grid;
    config.block = binding.block;
    config.cluster = binding.cluster;
    config.dynamicShared = binding.sharedBytes;
    for (const BoundArgument &argument : binding.args) {
      uint64_t bits = argument.bits;
      if (argument.kind == BoundArgument::Kind::Tensor)
        bits = regions.getAddress(argument.tensor->data);
      else if (argument.kind == BoundArgument::Kind::Workspace)
        bits = workspaceBytes ? regions.getAddress(workspace) : 0;
      auto *bytes = reinterpret_cast<const std::byte *>(&bits);
      config.args.emplace_back(bytes, bytes + argument.bytes);
    }
    return config;
  }

  std::shared_ptr<const Image> image;
  const BoundLaunch &launchOf;
  std::string what;
  int64_t workspaceBytes;
};

} // namespace

std::unique_ptr<EmulatedKernel>
host::bindVariant(std::shared_ptr<const Image> image,
                  const CandidateVariant &variant, const BoundLaunch &launch,
                  const std::string &what, const std::string &entrySuffix) {
  LaunchBinder binder(launch, what);
  auto kernel = std::make_unique<DeclaredKernel>(
      image, launch, what, binder.getWorkspaceBytes(variant));
  for (const DeclaredLaunch &declared : variant.launches) {
    kernel->bindings.push_back(binder.bind(declared, entrySuffix));
    image->checkEntry(kernel->bindings.back().entry);
  }
  return kernel;
}
