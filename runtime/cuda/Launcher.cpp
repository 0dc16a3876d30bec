//===- Launcher.cpp - Declared launches on a CUDA device -------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/Launcher.h"

#include "runtime/LaunchBinding.h"
#include "runtime/support/Error.h"

#include <cstring>
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

/// Adds to a binding what only the device and the loaded image know.
class Packer {
public:
  Packer(Device &device, const LaunchBinder &binder) : binder(binder) {
    const Driver &driver = getDriver();
    device.makeCurrent();
    DeviceId id = 0;
    FK_CUDA(driver, cuCtxGetDevice(&id));
    FK_CUDA(driver, cuDeviceGetAttribute(
                        &maxShared, DeviceMaxSharedMemoryPerBlockOptin, id));
  }

  void pack(PackedLaunch &packed, const LaunchBinding &binding,
            Function function) const {
    packed.function = function;
    packShape(packed, binding);
    packAttributes(packed, binding);
    for (const BoundArgument &argument : binding.args) {
      using Kind = BoundArgument::Kind;
      if (argument.kind == Kind::Workspace)
        packed.workspace.push_back(packed.values.size());
      packed.values.push_back(
          argument.kind == Kind::Tensor
              ? reinterpret_cast<uintptr_t>(argument.tensor->data)
              : argument.bits);
    }
    for (uint64_t &value : packed.values)
      packed.pointers.push_back(&value);
    checkParameters(binding, function);
  }

private:
  void packShape(PackedLaunch &packed, const LaunchBinding &binding) const {
    LaunchConfig &config = packed.config;
    config.gridX = binding.grid[0];
    config.gridY = binding.grid[1];
    config.gridZ = binding.grid[2];
    config.blockX = binding.block[0];
    config.blockY = binding.block[1];
    config.blockZ = binding.block[2];
    config.sharedMemBytes = binding.sharedBytes;
    const Driver &driver = getDriver();
    int maxThreads = 1024, staticShared = 0;
    FK_CUDA(driver, cuFuncGetAttribute(&maxThreads, FunctionMaxThreadsPerBlock,
                                       packed.function));
    FK_CUDA(driver, cuFuncGetAttribute(&staticShared, FunctionSharedSizeBytes,
                                       packed.function));
    const std::string &what = binder.getWhat();
    if (int64_t(binding.getThreads()) > maxThreads)
      throw Error({"too many threads in a block", what,
                   "at most " + std::to_string(maxThreads) + " ('" +
                       binding.entry + "' as it is compiled)",
                   std::to_string(binding.getThreads()) + " for " +
                       binder.describeAxes(),
                   "launch fewer, or compile with __launch_bounds__"});
    const int64_t shared = binding.sharedBytes;
    if (shared + staticShared > maxShared)
      throw Error({"too much shared memory", what,
                   "at most " + std::to_string(maxShared) + " bytes a block, " +
                       std::to_string(staticShared) + " of them static in '" +
                       binding.entry + "'",
                   std::to_string(shared) + " dynamic bytes for " +
                       binder.describeAxes(),
                   "use less, or exclude the shape by 'where'"});
    if (shared + staticShared > 48 * 1024)
      raiseAttribute(packed.function, FunctionMaxDynamicSharedSizeBytes,
                     int(shared));
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

  void packAttributes(PackedLaunch &packed,
                      const LaunchBinding &binding) const {
    LaunchConfig &config = packed.config;
    config.attributes = packed.attributes;
    if (binding.getClusterSize() > 1) {
      LaunchAttribute &attribute = packed.attributes[config.numAttributes++];
      attribute.id = LaunchAttributeClusterDimension;
      attribute.value.clusterDim = {binding.cluster[0], binding.cluster[1],
                                    binding.cluster[2]};
      if (binding.getClusterSize() > 8)
        raiseAttribute(packed.function, FunctionNonPortableClusterSizeAllowed,
                       1);
    }
    if (binding.pdl) {
      LaunchAttribute &attribute = packed.attributes[config.numAttributes++];
      attribute.id = LaunchAttributeProgrammaticStreamSerialization;
      attribute.value.programmaticStreamSerializationAllowed = 1;
    }
  }

  /// What the driver says of the kernel's parameters against what is passed.
  void checkParameters(const LaunchBinding &binding, Function function) const {
    const Driver &driver = getDriver();
    if (!driver.cuFuncGetParamInfo)
      return;
    const std::vector<BoundArgument> &args = binding.args;
    const std::string mend =
        "as 'fk show " + binder.getLaunch().task + "' says";
    size_t count = 0;
    for (;; ++count) {
      size_t offset = 0, size = 0;
      if (driver.cuFuncGetParamInfo(function, count, &offset, &size))
        break;
      if (count < args.size() && size != args[count].bytes)
        throw Error({"parameter " + std::to_string(count) + " of '" +
                         binding.entry + "' has the wrong size",
                     binder.getWhat(),
                     std::to_string(args[count].bytes) + " bytes (" +
                         args[count].name + ")",
                     std::to_string(size) + " bytes", "declare it " + mend});
    }
    if (count != args.size())
      throw Error({"'" + binding.entry + "' has the wrong parameters",
                   binder.getWhat(), std::to_string(args.size()),
                   std::to_string(count), "declare them " + mend});
  }

  const LaunchBinder &binder;
  int maxShared = 0;
};

} // namespace

std::unique_ptr<Kernel>
bindVariant(Device &device, std::shared_ptr<const Image> image,
            const CandidateVariant &variant, const BoundLaunch &launch,
            const std::string &what, const std::string &entrySuffix) {
  LaunchBinder binder(launch, what);
  Packer packer(device, binder);
  auto kernel = std::make_unique<DeclaredKernel>(
      image, binder.getWorkspaceBytes(variant));
  kernel->launches.resize(variant.launches.size());
  for (size_t i = 0; i < variant.launches.size(); ++i) {
    LaunchBinding binding = binder.bind(variant.launches[i], entrySuffix);
    packer.pack(kernel->launches[i], binding,
                image->getFunction(binding.entry));
  }
  return kernel;
}

} // namespace fk::cuda
