//===- Launcher.cpp - Declared launches on a CUDA device -------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/Launcher.h"

#include "runtime/support/Error.h"

#include <cstring>
#include <limits>
#include <vector>

namespace fk::cuda {

//===----------------------------------------------------------------------===//
// Image
//===----------------------------------------------------------------------===//

Image::Image(Device &device, std::span<const std::byte> bytes, std::string name)
    : device(device), name(std::move(name)) {
  const Driver &driver = getDriver();
  device.makeCurrent();
  // PTX must end in a zero, which a tensor of a plan does not.
  std::vector<char> text(bytes.size() + 1, 0);
  std::memcpy(text.data(), bytes.data(), bytes.size());
  std::vector<char> log(8192, 0);
  int options[] = {JitErrorLogBuffer, JitErrorLogBufferSizeBytes};
  void *values[] = {log.data(),
                    reinterpret_cast<void *>(uintptr_t(log.size() - 1))};
  Result result =
      driver.cuModuleLoadDataEx(&module, text.data(), 2, options, values);
  if (result == 0)
    return;
  const char *error = nullptr;
  driver.cuGetErrorString(result, &error);
  std::string got = error ? error : "error " + std::to_string(result);
  if (log[0])
    got += ": " + std::string(log.data());
  for (char &c : got)
    if (c == '\n')
      c = ' ';
  throw Error({"the device image does not load", this->name,
               "an image for " + device.getArch(), got,
               "compile it for " + device.getArch() +
                   ", with a toolkit no newer than the driver"});
}

Image::~Image() {
  if (!module)
    return;
  device.makeCurrent();
  getDriver().cuModuleUnload(module);
}

Function Image::getFunction(const std::string &entry) const {
  Function function = nullptr;
  device.makeCurrent();
  if (getDriver().cuModuleGetFunction(&function, module, entry.c_str()) != 0)
    throw Error({"no kernel '" + entry + "' in the device image", name,
                 "an extern \"C\" __global__ function of that name", "",
                 "give the entry that the image has"});
  return function;
}

//===----------------------------------------------------------------------===//
// Binding
//===----------------------------------------------------------------------===//

namespace {

/// One kernel launch with its parameters packed. A workspace parameter is
/// filled in at launch.
struct PackedLaunch {
  Function function = nullptr;
  LaunchConfig config;
  LaunchAttribute attributes[2];
  std::vector<uint64_t> values;  ///< one slot a parameter
  std::vector<size_t> sizes;     ///< bytes of each that count
  std::vector<void *> pointers;  ///< into values
  std::vector<size_t> workspace; ///< slots that are the workspace
};

class DeclaredKernel final : public Kernel {
public:
  DeclaredKernel(std::shared_ptr<const Image> image, int64_t workspaceBytes)
      : image(std::move(image)), workspaceBytes(workspaceBytes) {}

  int64_t getWorkspaceBytes() const override { return workspaceBytes; }

  void launch(Stream &stream, void *workspace) override {
    const Driver &driver = getDriver();
    auto handle = static_cast<StreamHandle>(stream.getHandle());
    for (PackedLaunch &packed : launches) {
      for (size_t slot : packed.workspace)
        packed.values[slot] = reinterpret_cast<uintptr_t>(workspace);
      packed.config.stream = handle;
      FK_CUDA(driver, cuLaunchKernelEx(&packed.config, packed.function,
                                       packed.pointers.data(), nullptr));
    }
  }

  // The packed launches point into themselves: they never move.
  std::vector<PackedLaunch> launches;

private:
  std::shared_ptr<const Image> image; ///< keeps the functions loaded
  int64_t workspaceBytes;
};

std::string describe(const BoundLaunch &launch) {
  std::string text;
  for (const auto &[name, value] : launch.axes)
    text += (text.empty() ? "" : ", ") + name + " = " + std::to_string(value);
  return text;
}

const LaunchScalar *findScalar(const BoundLaunch &launch,
                               std::string_view name) {
  for (const auto *list : {&launch.scalars, &launch.variants})
    for (const LaunchScalar &scalar : *list)
      if (scalar.name == name)
        return &scalar;
  return nullptr;
}

const TensorRef *findTensor(const BoundLaunch &launch, std::string_view name,
                            bool &known) {
  for (const auto *list : {&launch.results, &launch.operands})
    for (const auto &[tensorName, tensor] : *list)
      if (tensorName == name) {
        known = true;
        return tensor ? &tensor : nullptr;
      }
  known = false;
  return nullptr;
}

class Binder {
public:
  Binder(Device &device, const BoundLaunch &launch, const std::string &what)
      : launch(launch), what(what), axes(launch.getAxisValues()) {
    const Driver &driver = getDriver();
    device.makeCurrent();
    DeviceId id = 0;
    FK_CUDA(driver, cuCtxGetDevice(&id));
    FK_CUDA(driver, cuDeviceGetAttribute(
                        &maxShared, DeviceMaxSharedMemoryPerBlockOptin, id));
  }

  int64_t evaluate(const Expr &expr, const char *field, int64_t least,
                   int64_t most) const {
    int64_t value = expr.evaluate(axes);
    if (value < least || value > most)
      throw Error({std::string(field) + " of a launch is out of range", what,
                   std::to_string(least) + " to " + std::to_string(most),
                   std::to_string(value) + " for " + describe(launch),
                   "mend the expression '" + expr.str() +
                       "' or exclude the shape by 'where'"});
    return value;
  }

  void bind(PackedLaunch &packed, const DeclaredLaunch &declared,
            Function function) const {
    packed.function = function;
    bindShape(packed, declared);
    for (const std::string &arg : declared.args)
      bindArgument(packed, arg);
    for (uint64_t &value : packed.values)
      packed.pointers.push_back(&value);
    checkParameters(packed, declared);
  }

private:
  void bindShape(PackedLaunch &packed, const DeclaredLaunch &declared) const {
    constexpr int64_t maxX = std::numeric_limits<int32_t>::max();
    LaunchConfig &config = packed.config;
    config.gridX = evaluate(declared.grid[0], "grid x", 1, maxX);
    config.gridY = evaluate(declared.grid[1], "grid y", 1, 65535);
    config.gridZ = evaluate(declared.grid[2], "grid z", 1, 65535);
    config.blockX = evaluate(declared.block[0], "block x", 1, 1024);
    config.blockY = evaluate(declared.block[1], "block y", 1, 1024);
    config.blockZ = evaluate(declared.block[2], "block z", 1, 64);
    int64_t threads = int64_t(config.blockX) * config.blockY * config.blockZ;
    const Driver &driver = getDriver();
    int maxThreads = 1024, staticShared = 0;
    FK_CUDA(driver, cuFuncGetAttribute(&maxThreads, FunctionMaxThreadsPerBlock,
                                       packed.function));
    FK_CUDA(driver, cuFuncGetAttribute(&staticShared, FunctionSharedSizeBytes,
                                       packed.function));
    if (threads > maxThreads)
      throw Error({"too many threads in a block", what,
                   "at most " + std::to_string(maxThreads) + " ('" +
                       declared.entry + "' as it is compiled)",
                   std::to_string(threads) + " for " + describe(launch),
                   "launch fewer, or compile with __launch_bounds__"});
    int64_t shared = evaluate(declared.sharedBytes, "shared memory", 0,
                              std::numeric_limits<int32_t>::max());
    if (shared + staticShared > maxShared)
      throw Error(
          {"too much shared memory", what,
           "at most " + std::to_string(maxShared) + " bytes a block, " +
               std::to_string(staticShared) + " of them static in '" +
               declared.entry + "'",
           std::to_string(shared) + " dynamic bytes for " + describe(launch),
           "use less, or exclude the shape by 'where'"});
    config.sharedMemBytes = unsigned(shared);
    if (shared + staticShared > 48 * 1024)
      raiseAttribute(packed.function, FunctionMaxDynamicSharedSizeBytes,
                     int(shared));
    bindAttributes(packed, declared);
  }

  /// A function's attribute is shared by all kernels bound to it: never
  /// lowered.
  void raiseAttribute(Function function, int attribute, int value) const {
    const Driver &driver = getDriver();
    int now = 0;
    FK_CUDA(driver, cuFuncGetAttribute(&now, attribute, function));
    if (now < value)
      FK_CUDA(driver, cuFuncSetAttribute(function, attribute, value));
  }

  void bindAttributes(PackedLaunch &packed,
                      const DeclaredLaunch &declared) const {
    LaunchConfig &config = packed.config;
    config.attributes = packed.attributes;
    unsigned cluster[3], size = 1;
    const unsigned grid[3] = {config.gridX, config.gridY, config.gridZ};
    for (int i = 0; i < 3; ++i) {
      cluster[i] = evaluate(declared.cluster[i], "cluster", 1, 16);
      size *= cluster[i];
      if (grid[i] % cluster[i])
        throw Error({"the grid is not a multiple of the cluster", what,
                     "a multiple of " + std::to_string(cluster[i]),
                     std::to_string(grid[i]) + " for " + describe(launch),
                     "round the grid up in its expression"});
    }
    if (size > 16)
      throw Error({"a cluster has too many blocks", what, "at most 16",
                   std::to_string(size) + " for " + describe(launch),
                   "use a smaller cluster"});
    if (size > 1) {
      LaunchAttribute &attribute = packed.attributes[config.numAttributes++];
      attribute.id = LaunchAttributeClusterDimension;
      attribute.value.clusterDim = {cluster[0], cluster[1], cluster[2]};
      if (size > 8)
        raiseAttribute(packed.function, FunctionNonPortableClusterSizeAllowed,
                       1);
    }
    if (declared.pdl) {
      LaunchAttribute &attribute = packed.attributes[config.numAttributes++];
      attribute.id = LaunchAttributeProgrammaticStreamSerialization;
      attribute.value.programmaticStreamSerializationAllowed = 1;
    }
  }

  template <typename T> void push(PackedLaunch &packed, T value) const {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    packed.values.push_back(bits);
    packed.sizes.push_back(sizeof(T));
  }

  void bindArgument(PackedLaunch &packed, std::string_view arg) const {
    if (arg == "workspace") {
      packed.workspace.push_back(packed.values.size());
      push<uint64_t>(packed, 0);
      return;
    }
    bool nullWhereAbsent = arg.ends_with('?');
    if (nullWhereAbsent)
      arg.remove_suffix(1);
    bool isTensor = false;
    if (const TensorRef *tensor = findTensor(launch, arg, isTensor)) {
      push<uint64_t>(packed, reinterpret_cast<uintptr_t>(tensor->data));
      return;
    }
    if (isTensor || nullWhereAbsent) {
      if (nullWhereAbsent)
        push<uint64_t>(packed, 0);
      return;
    }
    if (const LaunchScalar *scalar = findScalar(launch, arg)) {
      if (scalar->type == DType::F32)
        push<float>(packed, float(scalar->value));
      else if (scalar->type == DType::I64)
        push<int64_t>(packed, int64_t(scalar->value));
      else
        push<int32_t>(packed, int32_t(scalar->value));
      return;
    }
    if (auto axis = axes.find(arg); axis != axes.end()) {
      if (axis->second > std::numeric_limits<int32_t>::max())
        throw Error({"axis '" + axis->first + "' does not fit into int32_t",
                     what, "at most 2147483647", std::to_string(axis->second),
                     "use a smaller shape"});
      push<int32_t>(packed, int32_t(axis->second));
      return;
    }
    throw Error(
        {"a launch names an unknown argument", what,
         "a name of the signature of '" + launch.task + "', or workspace",
         std::string(arg), "see 'fk show " + launch.task + "'"});
  }

  /// What the driver says of the kernel's parameters against what is passed.
  void checkParameters(const PackedLaunch &packed,
                       const DeclaredLaunch &declared) const {
    const Driver &driver = getDriver();
    if (!driver.cuFuncGetParamInfo)
      return;
    size_t count = 0;
    for (;; ++count) {
      size_t offset = 0, size = 0;
      if (driver.cuFuncGetParamInfo(packed.function, count, &offset, &size))
        break;
      if (count < packed.sizes.size() && size != packed.sizes[count])
        throw Error({"parameter " + std::to_string(count) + " of '" +
                         declared.entry + "' has the wrong size",
                     what,
                     std::to_string(packed.sizes[count]) + " bytes (" +
                         getArgumentName(declared, count) + ")",
                     std::to_string(size) + " bytes",
                     "declare it as 'fk show " + launch.task + "' says"});
    }
    if (count != packed.sizes.size())
      throw Error({"'" + declared.entry + "' has the wrong parameters", what,
                   std::to_string(packed.sizes.size()), std::to_string(count),
                   "declare them as 'fk show " + launch.task + "' says"});
  }

  /// The argument behind parameter `index`, absent operands being skipped.
  std::string getArgumentName(const DeclaredLaunch &declared,
                              size_t index) const {
    for (const std::string &arg : declared.args) {
      bool isTensor = false;
      bool absent = !findTensor(launch, arg, isTensor) && isTensor;
      if (!absent && index-- == 0)
        return arg;
    }
    return "";
  }

  const BoundLaunch &launch;
  const std::string &what;
  AxisValues axes;
  int maxShared = 0;
};

} // namespace

std::unique_ptr<Kernel>
bindVariant(Device &device, std::shared_ptr<const Image> image,
            const CandidateVariant &variant, const BoundLaunch &launch,
            const std::string &what, const std::string &entrySuffix) {
  Binder binder(device, launch, what);
  int64_t workspaceBytes =
      binder.evaluate(variant.workspaceBytes, "workspace", 0, int64_t(1) << 40);
  auto kernel = std::make_unique<DeclaredKernel>(image, workspaceBytes);
  kernel->launches.resize(variant.launches.size());
  for (size_t i = 0; i < variant.launches.size(); ++i) {
    const DeclaredLaunch &declared = variant.launches[i];
    binder.bind(kernel->launches[i], declared,
                image->getFunction(declared.entry + entrySuffix));
  }
  return kernel;
}

const CandidateVariant *findVariant(std::span<const CandidateVariant> variants,
                                    const BoundLaunch &launch) {
  AxisValues axes = launch.getAxisValues();
  for (const CandidateVariant &variant : variants)
    if (!variant.where || variant.where.holds(axes))
      return &variant;
  return nullptr;
}

} // namespace fk::cuda
