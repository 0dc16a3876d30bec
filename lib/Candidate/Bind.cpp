//===- Bind.cpp - Declared launches against image and signature -----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "lib/Candidate/Bind.h"
#include "lib/Candidate/Expressions.h"

#include <algorithm>
#include <set>

using namespace fk;

namespace {

/// A parameter as the signature wants it.
struct WantedParam {
  std::string name;
  std::string type; ///< "const bf16 *"
  int64_t bytes = 8;
  std::vector<std::string_view> ptxTypes;
};

WantedParam makePointer(const TensorParam &tensor, bool isResult, DType dtype) {
  std::string element(getName(tensor.element.value_or(dtype)));
  bool isConst = !isResult && !tensor.state;
  return {tensor.name,
          (isConst ? "const " : "") + element + " *",
          8,
          {".u64", ".b64", ".s64"}};
}

WantedParam makeScalar(const ScalarParam &scalar) {
  switch (scalar.type) {
  case DType::F32:
    return {scalar.name, "float", 4, {".f32", ".b32"}};
  case DType::I64:
    return {scalar.name, "int64_t", 8, {".u64", ".s64", ".b64"}};
  default:
    return {scalar.name, "int32_t", 4, {".u32", ".s32", ".b32"}};
  }
}

bool isPresent(const TensorParam &operand, const CandidateTarget &target) {
  return !operand.optional ||
         std::find(target.presentOperands.begin(), target.presentOperands.end(),
                   operand.name) != target.presentOperands.end();
}

/// Every parameter that a launch may name, in the order of the signature.
std::vector<WantedParam> getWantedParams(const Signature &signature,
                                         const CandidateTarget &target,
                                         bool hasWorkspace) {
  std::vector<WantedParam> wanted;
  for (const TensorParam &result : signature.results)
    wanted.push_back(makePointer(result, true, target.dtype));
  for (const TensorParam &operand : signature.operands)
    if (isPresent(operand, target))
      wanted.push_back(makePointer(operand, false, target.dtype));
  for (const ScalarParam &scalar : signature.scalars)
    wanted.push_back(makeScalar(scalar));
  for (const std::string &axis : signature.axes)
    wanted.push_back({axis, "int32_t", 4, {".u32", ".s32", ".b32"}});
  if (hasWorkspace)
    wanted.push_back({"workspace", "void *", 8, {".u64", ".b64", ".s64"}});
  return wanted;
}

std::string describe(const std::vector<WantedParam> &params) {
  std::string text;
  for (const WantedParam &param : params) {
    text += text.empty() ? "(" : ", ";
    text += param.type + (param.type.back() == '*' ? "" : " ") + param.name;
  }
  return text.empty() ? "()" : text + ")";
}

std::string describe(const EntryParam &param) {
  if (param.type.empty() || param.isArray)
    return std::to_string(param.bytes) + " bytes" +
           (param.isArray ? " by value" : "");
  return param.type;
}

bool fits(const WantedParam &wanted, const EntryParam &got) {
  if (got.isArray)
    return false;
  if (got.type.empty())
    return wanted.bytes == got.bytes;
  return std::find(wanted.ptxTypes.begin(), wanted.ptxTypes.end(), got.type) !=
         wanted.ptxTypes.end();
}

std::string count(size_t number) {
  return std::to_string(number) + (number == 1 ? " parameter" : " parameters");
}

void checkParams(const ImageEntry &entry,
                 const std::vector<WantedParam> &wanted,
                 std::string_view where) {
  size_t common = std::min(wanted.size(), entry.params.size());
  size_t first = 0;
  while (first < common && fits(wanted[first], entry.params[first]))
    ++first;
  std::string mend = "the parameters are " + describe(wanted);
  auto nameWanted = [&] {
    return "parameter " + std::to_string(first + 1) + " '" +
           wanted[first].name + "' (" + wanted[first].type + ")";
  };
  if (entry.params.size() < wanted.size())
    failCandidate(
        "'" + entry.name + "' has too few parameters", where,
        count(wanted.size()) + ", " + nameWanted() +
            (first < common ? "" : " among them"),
        count(entry.params.size()) +
            (first < common ? ", there " + describe(entry.params[first]) : ""),
        mend);
  if (first < common)
    failCandidate("'" + entry.name + "' has a wrong parameter", where,
                  nameWanted(), describe(entry.params[first]), mend);
  if (entry.params.size() > wanted.size())
    failCandidate("'" + entry.name + "' has too many parameters", where,
                  count(wanted.size()), count(entry.params.size()), mend);
}

/// What a block may use on an architecture.
struct ArchLimits {
  int64_t shared;
  bool hasClusters;
};
ArchLimits getLimits(std::string_view arch) {
  int64_t number = 0;
  for (char c : arch.substr(std::min<size_t>(3, arch.size())))
    if (c >= '0' && c <= '9')
      number = number * 10 + (c - '0');
  int64_t kib = number == 80 || number == 87                    ? 163
                : number == 86 || number == 89 || number >= 120 ? 99
                : number >= 90                                  ? 227
                : number == 75                                  ? 64
                                                                : 96;
  return {kib * 1024, number >= 90};
}

/// The launch of one declaration at one set of axes.
class LaunchChecker {
public:
  LaunchChecker(const DeclaredLaunch &launch, const ImageEntry &entry,
                const CandidateTarget &target, std::string_view where)
      : launch(launch), entry(entry), target(target), where(where),
        limits(getLimits(target.arch)) {}

  void check(const AxisValues &axes) {
    int64_t grid[3], block[3], cluster[3];
    for (int i = 0; i < 3; ++i) {
      grid[i] = evaluate("grid", launch.grid[i], axes);
      block[i] = evaluate("block", launch.block[i], axes);
      cluster[i] = evaluate("cluster", launch.cluster[i], axes);
    }
    const int64_t gridLimits[3] = {2147483647, 65535, 65535};
    const int64_t blockLimits[3] = {1024, 1024, 64};
    for (int i = 0; i < 3; ++i) {
      checkRange("grid", i, grid[i], gridLimits[i], axes);
      checkRange("block", i, block[i], blockLimits[i], axes);
      checkRange("cluster", i, cluster[i], 16, axes);
    }
    checkThreads(block, axes);
    checkCluster(grid, cluster, axes);
    checkShared(axes);
  }

  bool usesLargeCluster() const { return hasLargeCluster; }

private:
  std::string at(const AxisValues &axes) const {
    std::string text = describeAxes(axes);
    return text.empty() ? "" : " at " + text;
  }

  int64_t evaluate(const char *what, const Expr &expr, const AxisValues &axes) {
    try {
      return expr.evaluate(axes);
    } catch (const Error &error) {
      failCandidate(std::string(what) + " of '" + launch.entry +
                        "' has no value" + at(axes),
                    where, "a number", error.what());
    }
  }

  void checkRange(const char *what, int dimension, int64_t value, int64_t limit,
                  const AxisValues &axes) {
    if (value < 1 || value > limit)
      failCandidate(std::string(what) + "." + "xyz"[dimension] + " of '" +
                        launch.entry + "' is out of range" + at(axes),
                    where, "1 to " + std::to_string(limit),
                    std::to_string(value),
                    "let `where` exclude what it cannot serve");
  }

  void checkThreads(const int64_t *block, const AxisValues &axes) {
    int64_t threads = block[0] * block[1] * block[2];
    if (threads > 1024)
      failCandidate("the block of '" + launch.entry + "' is too large" +
                        at(axes),
                    where, "at most 1024 threads", std::to_string(threads));
    if (entry.requiredBlock &&
        !std::equal(block, block + 3, entry.requiredBlock->begin()))
      failCandidate("the block of '" + launch.entry +
                        "' is not what it was compiled for" + at(axes),
                    where, describeShape(entry.requiredBlock->data()),
                    describeShape(block));
    if (entry.maxThreads && threads > *entry.maxThreads)
      failCandidate("the block of '" + launch.entry +
                        "' is larger than it was compiled for" + at(axes),
                    where,
                    "at most " + std::to_string(*entry.maxThreads) + " threads",
                    std::to_string(threads));
    // Registers are given out to warps in steps of 256.
    int64_t warps = (threads + 31) / 32;
    if (entry.registers > 0 &&
        warps * ((entry.registers * 32 + 255) / 256 * 256) > 65536)
      failCandidate("the block of '" + launch.entry +
                        "' needs more registers than a multiprocessor has" +
                        at(axes),
                    where, "65536",
                    std::to_string(threads) + " threads of " +
                        std::to_string(entry.registers),
                    "use __launch_bounds__");
  }

  void checkCluster(const int64_t *grid, const int64_t *cluster,
                    const AxisValues &axes) {
    int64_t blocks = cluster[0] * cluster[1] * cluster[2];
    if (entry.requiredCluster &&
        !std::equal(cluster, cluster + 3, entry.requiredCluster->begin()))
      failCandidate("the cluster of '" + launch.entry +
                        "' is not what it was compiled for",
                    where, describeShape(entry.requiredCluster->data()),
                    describeShape(cluster));
    if (blocks == 1)
      return;
    if (!limits.hasClusters)
      failCandidate("'" + launch.entry + "' asks for clusters", where,
                    "an architecture from sm_90 on", target.arch);
    if (blocks > 16)
      failCandidate("the cluster of '" + launch.entry + "' is too large" +
                        at(axes),
                    where, "at most 8 blocks, or 16 as a non-portable one",
                    std::to_string(blocks));
    hasLargeCluster |= blocks > 8;
    for (int i = 0; i < 3; ++i)
      if (grid[i] % cluster[i] != 0)
        failCandidate("the grid of '" + launch.entry +
                          "' is no multiple of its cluster" + at(axes),
                      where, "a multiple of " + describeShape(cluster),
                      describeShape(grid));
  }

  void checkShared(const AxisValues &axes) {
    int64_t dynamic = evaluate("smem", launch.sharedBytes, axes);
    int64_t total = 0;
    if (dynamic < 0)
      failCandidate("smem of '" + launch.entry + "' is negative" + at(axes),
                    where, "0 or more bytes", std::to_string(dynamic));
    if (__builtin_add_overflow(dynamic, entry.staticShared, &total) ||
        total > limits.shared)
      failCandidate("'" + launch.entry + "' asks for too much shared memory" +
                        at(axes),
                    where,
                    "at most " + std::to_string(limits.shared) + " bytes on " +
                        target.arch,
                    std::to_string(dynamic) + " + " +
                        std::to_string(entry.staticShared) + " static bytes",
                    "let `where` exclude what it cannot serve");
    // Static memory alone is bound to 48 KiB by every assembler.
    if (entry.staticShared > 48 * 1024)
      failCandidate("'" + launch.entry +
                        "' declares too much static shared "
                        "memory",
                    where, "at most 49152 bytes",
                    std::to_string(entry.staticShared),
                    "declare it extern and ask for it with smem");
  }

  static std::string describeShape(const int64_t *extents) {
    return "(" + std::to_string(extents[0]) + ", " +
           std::to_string(extents[1]) + ", " + std::to_string(extents[2]) + ")";
  }

  const DeclaredLaunch &launch;
  const ImageEntry &entry;
  const CandidateTarget &target;
  std::string_view where;
  ArchLimits limits;
  bool hasLargeCluster = false;
};

/// The static values completed by tiny, odd and large dynamic ones. Static axes
/// that are not known are taken as dynamic.
std::vector<AxisValues> getProbes(const Signature &signature,
                                  const std::vector<AxisValues> &known) {
  std::vector<AxisValues> probes;
  std::vector<AxisValues> bases = known;
  if (bases.empty())
    bases.emplace_back();
  for (const AxisValues &base : bases) {
    for (int64_t value : {1, 7, 2048}) {
      AxisValues probe = base;
      for (const std::string &axis : signature.axes)
        probe.emplace(axis, value);
      probes.push_back(std::move(probe));
    }
  }
  return probes;
}

} // namespace

std::string fk::describeParameters(const Signature &signature,
                                   const CandidateTarget &target,
                                   bool hasWorkspace) {
  return describe(getWantedParams(signature, target, hasWorkspace));
}

/// The entry `name`, or an error that lists those there are.
static const ImageEntry &findEntry(const ImageInfo &image,
                                   const std::string &name,
                                   std::string_view where) {
  if (const ImageEntry *entry = image.find(name))
    return *entry;
  std::string list;
  for (size_t i = 0; i < image.entries.size() && i < 8; ++i)
    list += (list.empty() ? "'" : ", '") + image.entries[i].name + "'";
  if (image.entries.size() > 8)
    list += ", ...";
  failCandidate("it has no entry '" + name + "'", where,
                "an entry of that name, extern \"C\" __global__",
                list.empty() ? "no entry at all" : list);
}

/// The parameters that `declaration` asks for, in its own order.
static std::vector<WantedParam>
selectParams(const LaunchDeclaration &declaration, const Signature &signature,
             const CandidateTarget &target, bool hasWorkspace,
             std::string_view where) {
  std::vector<WantedParam> all =
      getWantedParams(signature, target, hasWorkspace);
  if (declaration.args.empty())
    return all;
  std::vector<WantedParam> selected;
  for (const std::string &name : declaration.args) {
    auto it =
        std::find_if(all.begin(), all.end(), [&](const WantedParam &param) {
          return param.name == name;
        });
    if (it == all.end())
      failCandidate("'" + declaration.entry +
                        "' asks for an unknown argument '" + name + "'",
                    where, "one of " + describe(all), "'" + name + "'",
                    name == "workspace" ? "declare the workspace's size" : "");
    selected.push_back(*it);
  }
  return selected;
}

CandidateVariant
fk::bindVariant(const VariantDeclaration &variant, const ImageInfo &image,
                const Signature &signature, const CandidateTarget &target,
                const std::vector<AxisValues> &axes, std::string_view where,
                bool trailingScratch, std::vector<std::string> &remarks) {
  CandidateVariant bound;
  bound.where = variant.where;
  bool hasWorkspace = bool(variant.workspace);
  if (hasWorkspace)
    bound.workspaceBytes = variant.workspace;
  std::set<std::string> written;
  for (const LaunchDeclaration &declaration : variant.launches) {
    const ImageEntry &entry = findEntry(image, declaration.entry, where);
    std::vector<WantedParam> wanted =
        selectParams(declaration, signature, target, hasWorkspace, where);
    // Triton appends one or two scratch pointers behind the declared ones.
    while (trailingScratch && wanted.size() < entry.params.size() &&
           fits({"", "", 8, {".u64", ".b64", ".s64"}},
                entry.params[wanted.size()]))
      wanted.push_back({"workspace", "void *", 8, {".u64", ".b64", ".s64"}});
    checkParams(entry, wanted, where);

    DeclaredLaunch launch;
    launch.entry = declaration.entry;
    launch.pdl = declaration.pdl;
    launch.sharedBytes = declaration.shared;
    for (const WantedParam &param : wanted) {
      launch.args.push_back(param.name);
      written.insert(param.name);
    }
    std::copy(declaration.grid->begin(), declaration.grid->end(), launch.grid);
    if (declaration.block) {
      std::copy(declaration.block->begin(), declaration.block->end(),
                launch.block);
    } else if (entry.requiredBlock) {
      for (int i = 0; i < 3; ++i)
        launch.block[i] = Expr((*entry.requiredBlock)[i]);
    } else {
      failCandidate("the launch of '" + entry.name + "' has no block", where,
                    "block=(256,1,1) or alike, or .reqntid in the PTX");
    }
    if (declaration.cluster)
      std::copy(declaration.cluster->begin(), declaration.cluster->end(),
                launch.cluster);
    else if (entry.requiredCluster)
      for (int i = 0; i < 3; ++i)
        launch.cluster[i] = Expr((*entry.requiredCluster)[i]);
    if (launch.pdl && entry.waitsForDependents == false)
      failCandidate("'" + entry.name +
                        "' asks for programmatic launch but never "
                        "waits for the launch before it",
                    where, "griddepcontrol.wait before the first read",
                    "none in the PTX", "add it, or leave pdl out");

    LaunchChecker checker(launch, entry, target, where);
    for (const AxisValues &probe : getProbes(signature, axes)) {
      if (bound.where && !bound.where.holds(probe))
        continue;
      checker.check(probe);
      if (hasWorkspace && bound.workspaceBytes.evaluate(probe) < 0)
        failCandidate("the workspace is negative at " + describeAxes(probe),
                      where, "0 or more bytes",
                      std::to_string(bound.workspaceBytes.evaluate(probe)));
    }
    if (checker.usesLargeCluster())
      remarks.push_back("'" + entry.name +
                        "' uses a cluster of more than 8 blocks, which not "
                        "every GPU of the architecture grants");
    bound.launches.push_back(std::move(launch));
  }
  for (const TensorParam &result : signature.results)
    if (!written.count(result.name))
      failCandidate("no launch takes the result '" + result.name + "'", where,
                    "every result among the args");
  return bound;
}
