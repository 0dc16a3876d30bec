//===- SingleLaunch.cpp - One launch of any kernel ------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/SingleLaunch.h"

#include "runtime/host/Launcher.h"
#include "runtime/support/Error.h"
#include "runtime/support/File.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <set>

using namespace fk;
using namespace fk::bench;

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

static size_t alignUp(size_t bytes) { return (bytes + 255) & ~size_t(255); }

void LaunchTensors::Free::operator()(std::byte *memory) const {
  std::free(memory);
}

LaunchTensors::LaunchTensors(std::shared_ptr<const SafetensorsFile> given)
    : file(std::move(given)) {
  if (!file)
    return;
  // An empty tensor takes a place too, so that no two begin alike.
  size_t bytes = 256;
  for (const auto &[name, view] : file->getTensors())
    bytes += alignUp(view.bytes.size() + 1);
  storage.reset(static_cast<std::byte *>(std::aligned_alloc(256, bytes)));
  if (!storage)
    throw Error({"out of memory", file->getPath().string(),
                 std::to_string(bytes) + " bytes", "", ""},
                ErrorKind::Infrastructure);
  size_t offset = 0;
  for (const auto &[name, view] : file->getTensors()) {
    std::byte *data = storage.get() + offset;
    if (!view.bytes.empty())
      std::memcpy(data, view.bytes.data(), view.bytes.size());
    tensors.push_back({name, view, data});
    offset += alignUp(view.bytes.size() + 1);
  }
}

bool LaunchTensors::Tensor::isChanged() const {
  return !view.bytes.empty() &&
         std::memcmp(data, view.bytes.data(), view.bytes.size()) != 0;
}

LaunchTensors::Tensor &LaunchTensors::find(const std::string &name,
                                           const std::string &where) {
  std::string names;
  for (Tensor &tensor : tensors) {
    if (tensor.name == name)
      return tensor;
    names += (names.empty() ? "" : ", ") + tensor.name;
  }
  throw Error(
      {"argument '" + name + "' is no tensor of the inputs and no value", where,
       (names.empty() ? std::string("no tensor is given") : "one of " + names) +
           ", or i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64:value, "
           "hex:bytes or null",
       "'" + name + "'", names.empty() ? "give --inputs with the tensor" : ""});
}

void LaunchTensors::write(const std::filesystem::path &path) const {
  if (!file) {
    writeSafetensors(path, {});
    return;
  }
  auto text = [](const std::byte *data, size_t bytes) {
    return std::string_view(reinterpret_cast<const char *>(data), bytes);
  };
  std::vector<const Tensor *> inOrder;
  size_t dataBytes = 0;
  for (const Tensor &tensor : tensors) {
    inOrder.push_back(&tensor);
    dataBytes += tensor.view.bytes.size();
  }
  std::sort(inOrder.begin(), inOrder.end(),
            [](const Tensor *a, const Tensor *b) {
              return std::less<>()(a->view.bytes.data(), b->view.bytes.data());
            });
  std::span<const std::byte> bytes = file->getBytes();
  std::vector<std::string_view> pieces = {
      text(bytes.data(), bytes.size() - dataBytes)};
  for (const Tensor *tensor : inOrder)
    pieces.push_back(text(tensor->data, tensor->view.bytes.size()));
  writePiecesAtomically(path, pieces);
}

//===----------------------------------------------------------------------===//
// Checking
//===----------------------------------------------------------------------===//

/// "ns::f<int>" of "_ZN2ns1fIiEEvPT_"; the name itself where it is not mangled.
static std::string getPlainName(const std::string &mangled) {
  int status = 0;
  std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status),
      std::free);
  if (!text)
    return mangled;
  std::string name = text.get();
  // The parameters are the last group of parentheses outside any <>.
  int depth = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    depth += name[i] == '<';
    depth -= name[i] == '>';
    bool isAnonymous = name.compare(i, 11, "(anonymous ") == 0;
    if (name[i] == '(' && depth == 0 && !isAnonymous) {
      name.erase(i);
      break;
    }
  }
  // A template's instance is printed with the type it returns.
  return name.starts_with("void ") ? name.substr(5) : name;
}

std::string bench::chooseEntry(const std::vector<std::string> &entries,
                               const std::string &wanted,
                               const std::string &file) {
  if (wanted.empty() && entries.size() == 1)
    return entries.front();
  std::vector<std::string> matches;
  std::string list;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i] == wanted)
      return wanted;
    const std::string plain = getPlainName(entries[i]);
    if (plain == wanted)
      matches.push_back(entries[i]);
    if (i == 16)
      list += ", ...";
    else if (i < 16)
      list += (i ? ", " : "") +
              (plain == entries[i] ? plain : plain + " (" + entries[i] + ")");
  }
  if (matches.size() == 1)
    return matches.front();
  if (entries.empty())
    throw Error({"there is no kernel in the image", file,
                 "a .visible .entry (a __global__ function)", "none", ""});
  throw Error({wanted.empty()       ? "the image has several kernels"
               : matches.size() > 1 ? "several kernels bear the name"
                                    : "there is no such kernel",
               file, "--entry with one of " + list,
               wanted.empty() ? "no --entry" : "'" + wanted + "'",
               matches.size() > 1 ? "give its mangled name" : ""});
}

static std::string str(const Extent3 &extent) {
  return std::to_string(extent[0]) + "," + std::to_string(extent[1]) + "," +
         std::to_string(extent[2]);
}

static void checkShape(const ptx::Function &function, SingleLaunch &launch) {
  const std::string whose = "'" + launch.entry + "'";
  const uint64_t threads =
      uint64_t(launch.block[0]) * launch.block[1] * launch.block[2];
  if (threads > 1024)
    throw Error({"too many threads in a block", "--block", "at most 1024",
                 std::to_string(threads), ""});
  if (function.requiredBlock && launch.block != *function.requiredBlock)
    throw Error({"the block is not what " + whose + " was compiled for",
                 "--block", str(*function.requiredBlock) + " (.reqntid)",
                 str(launch.block), ""});
  if (function.maxBlock) {
    const Extent3 &most = *function.maxBlock;
    const uint64_t limit = uint64_t(most[0]) * most[1] * most[2];
    if (threads > limit)
      throw Error({"the block is larger than " + whose + " was compiled for",
                   "--block",
                   "at most " + std::to_string(limit) + " threads (.maxntid)",
                   std::to_string(threads), ""});
  }
  if (function.requiredCluster) {
    if (!launch.hasCluster)
      launch.cluster = *function.requiredCluster;
    else if (launch.cluster != *function.requiredCluster)
      throw Error({"the cluster is not what " + whose + " was compiled for",
                   "--cluster",
                   str(*function.requiredCluster) + " (.reqnctapercluster)",
                   str(launch.cluster), ""});
  }
  if (uint64_t(launch.cluster[0]) * launch.cluster[1] * launch.cluster[2] > 16)
    throw Error({"a cluster has too many blocks", "--cluster", "at most 16",
                 str(launch.cluster), ""});
  for (int i = 0; i < 3; ++i)
    if (launch.grid[i] % launch.cluster[i])
      throw Error({"the grid is no multiple of the cluster", "--grid",
                   "a multiple of " + str(launch.cluster), str(launch.grid),
                   ""});
}

static std::string describe(const ptx::Variable &param) {
  return std::to_string(param.bytes) + " bytes (." +
         std::string(getName(param.type)) + " " + param.name + ")";
}

void bench::checkAgainst(const ptx::Module &module, SingleLaunch &launch) {
  std::vector<std::string> entries;
  for (const ptx::Function &function : module.functions)
    if (function.isEntry && !function.isDeclaration)
      entries.push_back(function.name);
  launch.entry = chooseEntry(entries, launch.entry, launch.file);
  const ptx::Function &function = *module.findFunction(launch.entry);
  checkShape(function, launch);
  const std::vector<ptx::Variable> &params = function.params;
  for (size_t i = 0; i < std::min(params.size(), launch.args.size()); ++i) {
    const LaunchArgument &argument = launch.args[i];
    const size_t bytes = argument.tensor.empty() ? argument.bytes.size() : 8;
    if (params[i].bytes != bytes)
      throw Error({"argument " + std::to_string(i + 1) + " of '" +
                       launch.entry + "' has the wrong size",
                   "--args", describe(params[i]),
                   std::to_string(bytes) + " bytes ('" + argument.text + "')",
                   "give the type that the kernel declares"});
  }
  if (params.size() != launch.args.size())
    throw Error({"'" + launch.entry + "' takes another number of arguments",
                 "--args", std::to_string(params.size()),
                 std::to_string(launch.args.size()),
                 launch.args.size() < params.size()
                     ? "the next is " + describe(params[launch.args.size()])
                     : ""});
}

//===----------------------------------------------------------------------===//
// The host
//===----------------------------------------------------------------------===//

namespace {

emulator::Report runOnce(const emulator::Module &module,
                         const SingleLaunch &launch, LaunchTensors &tensors,
                         const emulator::Options &options) {
  emulator::Memory memory;
  std::map<std::string, uint64_t> addresses;
  emulator::LaunchConfig config;
  config.entry = launch.entry;
  config.grid = launch.grid;
  config.block = launch.block;
  config.cluster = launch.cluster;
  config.dynamicShared = launch.sharedBytes;
  for (const LaunchArgument &argument : launch.args) {
    if (argument.tensor.empty()) {
      config.args.push_back(argument.bytes);
      continue;
    }
    auto [found, isNew] = addresses.try_emplace(argument.tensor);
    if (isNew) {
      LaunchTensors::Tensor &tensor = tensors.find(argument.tensor, "--args");
      found->second =
          memory.addRegion(tensor.name, tensor.data, tensor.view.bytes.size());
    }
    auto *bytes = reinterpret_cast<const std::byte *>(&found->second);
    config.args.emplace_back(bytes, bytes + sizeof(uint64_t));
  }
  return emulator::launch(module, config, memory, options);
}

/// Tensors that differ from the deterministic schedule's.
void compareSchedule(const LaunchTensors &first, const LaunchTensors &other,
                     uint64_t seed, const std::string &entry,
                     std::set<std::string> &known,
                     std::vector<emulator::Finding> &findings) {
  for (size_t i = 0; i < first.get().size(); ++i) {
    const LaunchTensors::Tensor &a = first.get()[i], &b = other.get()[i];
    const size_t bytes = a.view.bytes.size();
    const auto at = std::mismatch(a.data, a.data + bytes, b.data).first;
    if (at == a.data + bytes || !known.insert(a.name).second)
      continue;
    emulator::Finding finding;
    finding.kind = emulator::FindingKind::ScheduleDependent;
    finding.kernel = entry;
    finding.text = "tensor " + a.name +
                   " differs between interleavings, first at " + a.name +
                   " + " + std::to_string(at - a.data) + " (seed " +
                   std::to_string(seed) + ")";
    findings.push_back(std::move(finding));
  }
}

} // namespace

SingleLaunchReport bench::launchOnHost(const SingleLaunch &given,
                                       LaunchTensors &tensors,
                                       const SingleLaunchOptions &options) {
  if (given.kind != "ptx")
    throw Error({"a " + given.kind + " needs device cuda", given.file,
                 "PTX, which the host device emulates", "machine code of a GPU",
                 "give its .ptx or .cu, or use --device cuda"});
  SingleLaunch launch = given;
  auto module = emulator::Module::load(launch.image, launch.file);
  checkAgainst(module->getPtx(), launch);

  SingleLaunchReport report;
  report.entry = launch.entry;
  emulator::Options run;
  run.instructionBudget = options.instructionBudget;
  run.printed = &report.printed;
  emulator::Report first = runOnce(*module, launch, tensors, run);
  report.warpInstructions = first.warpInstructions;
  report.laneInstructions = first.laneInstructions;
  report.findings = std::move(first.findings);

  std::set<std::string> known, differing;
  for (const emulator::Finding &finding : report.findings)
    known.insert(host::describe(finding, launch.file));
  for (int i = 0; i < options.schedules; ++i) {
    std::string ignored;
    run.printed = &ignored;
    run.scheduleSeed = std::max<uint64_t>(options.seed + i, 1);
    LaunchTensors copies = tensors.copyOriginal();
    emulator::Report other = runOnce(*module, launch, copies, run);
    for (emulator::Finding &finding : other.findings)
      if (known.insert(host::describe(finding, launch.file)).second)
        report.findings.push_back(std::move(finding));
    compareSchedule(tensors, copies, run.scheduleSeed, launch.entry, differing,
                    report.findings);
  }
  for (const emulator::Finding &finding : report.findings)
    report.lines.push_back(host::describe(finding, launch.file));
  return report;
}
