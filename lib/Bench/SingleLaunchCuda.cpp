//===- SingleLaunchCuda.cpp - One launch of any kernel on a GPU -----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/SingleLaunch.h"

#include "runtime/cuda/Launcher.h"
#include "runtime/support/Error.h"

#include <map>

using namespace fk;
using namespace fk::bench;

namespace {

/// What the driver says of the parameters; a cubin declares them nowhere else.
void checkParameters(const SingleLaunch &launch, cuda::Function function) {
  const cuda::Driver &driver = cuda::getDriver();
  if (!driver.cuFuncGetParamInfo)
    return;
  size_t count = 0, offset = 0, size = 0;
  for (; !driver.cuFuncGetParamInfo(function, count, &offset, &size); ++count) {
    if (count >= launch.args.size())
      continue;
    const LaunchArgument &argument = launch.args[count];
    const size_t bytes = argument.tensor.empty() ? argument.bytes.size() : 8;
    if (size != bytes)
      throw Error({"argument " + std::to_string(count + 1) + " of '" +
                       launch.entry + "' has the wrong size",
                   "--args", std::to_string(size) + " bytes",
                   std::to_string(bytes) + " bytes ('" + argument.text + "')",
                   "give the type that the kernel declares"});
  }
  if (count != launch.args.size())
    throw Error({"'" + launch.entry + "' takes another number of arguments",
                 "--args", std::to_string(count),
                 std::to_string(launch.args.size()), ""});
}

void setShared(const SingleLaunch &launch, cuda::Function function) {
  const cuda::Driver &driver = cuda::getDriver();
  cuda::DeviceId id = 0;
  int most = 0, used = 0;
  FK_CUDA(driver, cuCtxGetDevice(&id));
  FK_CUDA(driver, cuDeviceGetAttribute(
                      &most, cuda::DeviceMaxSharedMemoryPerBlockOptin, id));
  FK_CUDA(driver,
          cuFuncGetAttribute(&used, cuda::FunctionSharedSizeBytes, function));
  if (int64_t(launch.sharedBytes) + used > most)
    throw Error({"too much shared memory", "--smem",
                 "at most " + std::to_string(most - used) + " bytes beside " +
                     std::to_string(used) + " static ones",
                 std::to_string(launch.sharedBytes), ""});
  FK_CUDA(driver,
          cuFuncSetAttribute(function, cuda::FunctionMaxDynamicSharedSizeBytes,
                             int(launch.sharedBytes)));
}

/// A fault of the kernel: the kernel's, not the machine's.
Error makeFault(const SingleLaunch &launch, const Error &error) {
  return Error({"the kernel faults", launch.file + ", '" + launch.entry + "'",
                "a launch that ends", error.what(), "--device host says where"},
               ErrorKind::Wrong);
}

} // namespace

SingleLaunchReport bench::launchOnCuda(const SingleLaunch &given,
                                       LaunchTensors &tensors, Device &device) {
  SingleLaunch launch = given;
  if (launch.kind == "ptx")
    checkAgainst(ptx::parse(launch.image, launch.file), launch);
  const cuda::Driver &driver = cuda::getDriver();
  auto *image = reinterpret_cast<const std::byte *>(launch.image.data());
  cuda::Image loaded(device, {image, launch.image.size()}, launch.file);
  cuda::Function function = loaded.getFunction(launch.entry);
  checkParameters(launch, function);
  setShared(launch, function);

  std::unique_ptr<Stream> stream = device.createStream();
  std::map<std::string, DeviceBuffer> buffers;
  std::vector<cuda::DevicePtr> addresses(launch.args.size());
  std::vector<void *> parameters;
  for (size_t i = 0; i < launch.args.size(); ++i) {
    LaunchArgument &argument = launch.args[i];
    if (argument.tensor.empty()) {
      parameters.push_back(argument.bytes.data());
      continue;
    }
    auto [found, isNew] = buffers.try_emplace(argument.tensor);
    if (isNew) {
      LaunchTensors::Tensor &tensor = tensors.find(argument.tensor, "--args");
      const size_t bytes = tensor.view.bytes.size();
      found->second = DeviceBuffer(device, std::max<size_t>(bytes, 256));
      stream->copyToDevice(found->second.data(), tensor.data, bytes);
    }
    addresses[i] = reinterpret_cast<cuda::DevicePtr>(found->second.data());
    parameters.push_back(&addresses[i]);
  }

  cuda::LaunchConfig config;
  config.gridX = launch.grid[0];
  config.gridY = launch.grid[1];
  config.gridZ = launch.grid[2];
  config.blockX = launch.block[0];
  config.blockY = launch.block[1];
  config.blockZ = launch.block[2];
  config.sharedMemBytes = launch.sharedBytes;
  config.stream = static_cast<cuda::StreamHandle>(stream->getHandle());
  cuda::LaunchAttribute attribute;
  const Extent3 &cluster = launch.cluster;
  if (const uint32_t size = cluster[0] * cluster[1] * cluster[2]; size > 1) {
    attribute.id = cuda::LaunchAttributeClusterDimension;
    attribute.value.clusterDim = {cluster[0], cluster[1], cluster[2]};
    config.attributes = &attribute;
    config.numAttributes = 1;
    if (size > 8)
      FK_CUDA(driver,
              cuFuncSetAttribute(
                  function, cuda::FunctionNonPortableClusterSizeAllowed, 1));
  }
  stream->synchronize();
  FK_CUDA(driver,
          cuLaunchKernelEx(&config, function, parameters.data(), nullptr));
  try {
    stream->synchronize();
  } catch (const Error &error) {
    throw makeFault(launch, error);
  }
  for (LaunchTensors::Tensor &tensor : tensors.get())
    if (auto found = buffers.find(tensor.name); found != buffers.end())
      stream->copyToHost(tensor.data, found->second.data(),
                         tensor.view.bytes.size());
  stream->synchronize();
  SingleLaunchReport report;
  report.entry = launch.entry;
  return report;
}
