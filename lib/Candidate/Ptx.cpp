//===- Ptx.cpp - What a PTX text asks of a launch -------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The emulator's parser reads the text; here its module becomes what a launch
// depends on: entries with their parameters and performance directives, the
// shared memory and the waits that they reach through calls. What instructions
// mean is left to ptxas.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/Ptx.h"
#include "lib/Candidate/Image.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

using namespace fk;

namespace {

/// What one function names in its body.
struct Uses {
  std::set<uint32_t> functions, variables;
  /// Where each function is named first.
  std::map<uint32_t, ptx::Location> places;
  bool waitsForDependents = false;
};

class EntryReader {
public:
  EntryReader(const ptx::Module &module, std::string_view where)
      : module(module), where(where), uses(module.functions.size()) {
    for (uint32_t i = 0; i < module.functions.size(); ++i) {
      collectUses(module.functions[i], uses[i]);
      indices[module.functions[i].name] = i;
    }
  }

  ImageEntry read(uint32_t index) {
    const ptx::Function &function = module.functions[index];
    ImageEntry entry;
    entry.name = function.name;
    for (const ptx::Variable &variable : function.params) {
      EntryParam &param = entry.params.emplace_back();
      param.bytes = static_cast<int64_t>(variable.bytes);
      param.type = "." + std::string(getName(variable.type));
      param.isArray = variable.isArray;
    }
    if (function.requiredBlock)
      entry.requiredBlock = widen(*function.requiredBlock);
    if (function.requiredCluster)
      entry.requiredCluster = widen(*function.requiredCluster);
    if (function.maxBlock) {
      auto [x, y, z] = widen(*function.maxBlock);
      entry.maxThreads = x * y * z;
    }
    entry.waitsForDependents = false;
    reach(index, entry);
    return entry;
  }

private:
  static std::array<int64_t, 3> widen(const std::array<uint32_t, 3> &extents) {
    return {extents[0], extents[1], extents[2]};
  }

  static void collectOperand(const ptx::Operand &operand, Uses &found) {
    if (operand.kind == ptx::Operand::Kind::Function) {
      found.functions.insert(operand.index);
      found.places.try_emplace(operand.index, operand.location);
    } else if (operand.kind == ptx::Operand::Kind::Global) {
      found.variables.insert(operand.index);
    }
    for (const ptx::Operand &part : operand.parts)
      collectOperand(part, found);
  }

  static void collectUses(const ptx::Function &function, Uses &found) {
    for (const ptx::Instruction &instruction : function.instructions) {
      for (const ptx::Operand &operand : instruction.operands)
        collectOperand(operand, found);
      if (instruction.opcode == "griddepcontrol" &&
          std::ranges::find(instruction.modifiers, "wait") !=
              instruction.modifiers.end())
        found.waitsForDependents = true;
    }
  }

  void addShared(const ptx::Variable &variable, ImageEntry &entry) {
    if (variable.space == ptx::StateSpace::Shared && !variable.isExtern)
      entry.staticShared += static_cast<int64_t>(variable.bytes);
  }

  /// Adds what `start` and all that it may call use. A function whose address
  /// stands in a table counts where the table is named.
  void reach(uint32_t start, ImageEntry &entry) {
    std::set<uint32_t> functions = {start}, variables;
    std::vector<uint32_t> work = {start};
    auto call = [&](uint32_t callee) {
      if (functions.insert(callee).second)
        work.push_back(callee);
    };
    while (!work.empty()) {
      const ptx::Function &function = module.functions[work.back()];
      const Uses &own = uses[work.back()];
      work.pop_back();
      entry.waitsForDependents =
          *entry.waitsForDependents || own.waitsForDependents;
      for (const ptx::Variable &variable : function.variables)
        addShared(variable, entry);
      for (uint32_t index : own.variables) {
        if (!variables.insert(index).second)
          continue;
        const ptx::Variable &variable = module.variables[index];
        addShared(variable, entry);
        for (const auto &relocation : variable.relocations)
          if (auto it = indices.find(relocation.symbol); it != indices.end())
            call(it->second);
      }
      for (uint32_t callee : own.functions) {
        if (module.functions[callee].isDeclaration)
          requireProvided(module.functions[callee], entry,
                          own.places.at(callee));
        call(callee);
      }
    }
  }

  /// The driver itself resolves these system calls and no others.
  void requireProvided(const ptx::Function &callee, const ImageEntry &entry,
                       ptx::Location location) {
    const std::string &name = callee.name;
    if (name == "vprintf" || name == "malloc" || name == "free" ||
        name == "__assertfail")
      return;
    throw ptx::PtxError(
        where,
        {{location,
          formatError(
              {"'" + entry.name +
                   "' calls a function that the file does not "
                   "define",
               "", "every function defined in the file", "'" + name + "'",
               name.starts_with("__nv_") ? "link libdevice when compiling it"
                                         : "link it into the PTX"})}});
  }

  const ptx::Module &module;
  std::string_view where;
  std::vector<Uses> uses;
  std::map<std::string_view, uint32_t> indices;
};

struct ArchName {
  int64_t number = 0;
  char suffix = 0; ///< 'a', 'f' or none
};

std::optional<ArchName> parseArch(std::string_view text) {
  if (!text.starts_with("sm_"))
    return std::nullopt;
  text.remove_prefix(3);
  ArchName arch;
  if (!text.empty() && (text.back() == 'a' || text.back() == 'f')) {
    arch.suffix = text.back();
    text.remove_suffix(1);
  }
  auto [end, status] =
      std::from_chars(text.data(), text.data() + text.size(), arch.number);
  if (status != std::errc() || end != text.data() + text.size() ||
      arch.number < 10 || arch.number > 999)
    return std::nullopt;
  return arch;
}

} // namespace

ImageInfo fk::parsePtx(std::string_view text, std::string_view where) {
  ptx::Module module = ptx::parse(text, where);
  ImageInfo info;
  info.kind = "ptx";
  info.target = module.target;
  EntryReader reader(module, where);
  for (uint32_t i = 0; i < module.functions.size(); ++i)
    if (module.functions[i].isEntry && !module.functions[i].isDeclaration)
      info.entries.push_back(reader.read(i));
  return info;
}

void fk::checkTarget(std::string_view imageKind, std::string_view imageTarget,
                     std::string_view archText, std::string_view where) {
  std::optional<ArchName> image = parseArch(imageTarget);
  std::optional<ArchName> arch = parseArch(archText);
  if (!arch)
    failCandidate("unknown architecture", where, "a name such as sm_90a",
                  "'" + std::string(archText) + "'");
  if (!image)
    failCandidate("the image names no known target", where,
                  "a name such as sm_90a",
                  "'" + std::string(imageTarget) + "'");
  bool fits;
  std::string wanted;
  int64_t major = arch->number / 10;
  if (imageKind == "ptx" && image->suffix == 0) {
    fits = image->number <= arch->number;
    wanted = "sm_" + std::to_string(arch->number) + " or older";
  } else if (image->suffix == 'a') {
    fits = imageTarget == archText;
    wanted = archText;
  } else {
    // Machine code and family targets run on the same major version, from the
    // minor one they name.
    fits = image->number / 10 == major && image->number <= arch->number;
    wanted = "code for " + std::string(archText);
  }
  if (!fits)
    failCandidate("the " + std::string(imageKind) + " is for another GPU",
                  where, wanted, std::string(imageTarget),
                  "compile it for " + std::string(archText));
}
