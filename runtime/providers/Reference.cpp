//===- Reference.cpp - The host's kernels ---------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every task by its reference function, on the threads of the provider.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Reference.h"

#include "runtime/Device.h"
#include "runtime/reference/WorkPool.h"
#include "runtime/support/Error.h"

using namespace fk;

namespace {
class ReferenceKernel : public Kernel {
public:
  ReferenceKernel(const BoundLaunch &boundLaunch, WorkPool &pool)
      : boundLaunch(boundLaunch), pool(pool) {}

  /// The host runs a launch as it is enqueued.
  void launch(Stream &, void *) override {
    checkIndices(boundLaunch);
    runReference(boundLaunch, pool);
  }

private:
  const BoundLaunch &boundLaunch;
  WorkPool &pool;
};

class ReferenceProvider : public Provider {
public:
  std::string_view getName() const override { return "reference"; }

  std::unique_ptr<Kernel> bind(std::string_view kernel,
                               const BoundLaunch &launch) override {
    if (kernel != "reference")
      throw Error({.what = "the reference provider has no kernel '" +
                           std::string(kernel) + "'",
                   .where = launch.place,
                   .wanted = "reference",
                   .mend = "compile the plan again"});
    checkTensors(launch);
    if (launch.dtype != DType::F32 && launch.dtype != DType::BF16 &&
        launch.dtype != DType::F16)
      throw Error({.what = "the reference has no '" + launch.task +
                           "' of this element type",
                   .where = launch.place,
                   .wanted = "f32, bf16 or f16",
                   .got = std::string(fk::getName(launch.dtype)),
                   .mend = "choose --dtype float32, bfloat16 or float16"});
    return std::make_unique<ReferenceKernel>(launch, pool);
  }

private:
  WorkPool pool;
};
} // namespace

std::unique_ptr<Provider> fk::createReferenceProvider(Device &device) {
  if (device.getKind() != "host")
    throw Error({.what = "the reference provider runs on the host only",
                 .wanted = "host",
                 .got = device.getKind(),
                 .mend = "compile with --device host"});
  return std::make_unique<ReferenceProvider>();
}
