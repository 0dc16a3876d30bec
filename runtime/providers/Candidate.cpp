//===- Candidate.cpp - Runs the candidates of a plan ----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A candidate, a user's or one that the compiler made, is device code with
// declared launches: it is loaded and launched exactly as fk's own kernels are.
// On the host device its PTX is emulated.
//
//===----------------------------------------------------------------------===//

#include "runtime/Device.h"
#include "runtime/Kernel.h"
#include "runtime/LaunchBinding.h"
#include "runtime/cuda/Launcher.h"
#include "runtime/host/Launcher.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <map>

using namespace fk;

namespace {

std::string describeAxes(const BoundLaunch &launch) {
  std::string text;
  for (const auto &[name, value] : launch.axes)
    text += (text.empty() ? "" : ", ") + name + " = " + std::to_string(value);
  return text;
}

class CandidateProvider : public Provider {
public:
  CandidateProvider(Device &device, const Plan &plan, std::string name)
      : device(device), plan(plan), name(std::move(name)) {}

  std::string_view getName() const override { return name; }

  std::unique_ptr<Kernel> bind(std::string_view name,
                               const BoundLaunch &launch) override {
    const PlanCandidate &candidate = find(name, launch);
    if (std::find(candidate.dtypes.begin(), candidate.dtypes.end(),
                  launch.dtype) == candidate.dtypes.end())
      throw Error({"the candidate does not serve the element type",
                   candidate.name + " at " + launch.place,
                   std::string(fk::getName(launch.dtype)), "", ""});
    const CandidateVariant *variant = findVariant(candidate.variants, launch);
    if (!variant)
      throw Error({"the candidate does not cover the shape",
                   candidate.name + " at " + launch.place,
                   "one that its `where` admits", describeAxes(launch), ""});
    if (device.getKind() == "host")
      return host::bindVariant(loadForHost(candidate, variant->image), *variant,
                               launch, candidate.name);
    return cuda::bindVariant(device, load(variant->image), *variant, launch,
                             candidate.name);
  }

private:
  const PlanCandidate &find(std::string_view name,
                            const BoundLaunch &launch) const {
    for (const PlanCandidate &candidate : plan.candidates)
      if (candidate.name == name)
        return candidate;
    throw Error({"the plan has no candidate '" + std::string(name) + "'",
                 launch.place, "", "", "compile it again"});
  }

  const PlanImage &findImage(const std::string &name) const {
    auto found = plan.images.find(name);
    if (found == plan.images.end())
      throw Error({"the plan has no image '" + name + "'", "", "", "",
                   "compile it again"});
    return found->second;
  }

  std::shared_ptr<const cuda::Image> load(const std::string &name) {
    std::shared_ptr<const cuda::Image> &image = images[name];
    if (!image)
      image =
          std::make_shared<cuda::Image>(device, findImage(name).bytes, name);
    return image;
  }

  std::shared_ptr<const host::Image> loadForHost(const PlanCandidate &candidate,
                                                 const std::string &name) {
    std::shared_ptr<const host::Image> &image = hostImages[name];
    if (!image) {
      const PlanImage &found = findImage(name);
      image = std::make_shared<host::Image>(
          found.bytes, found.kind, host::getImageFile(candidate.file, name));
    }
    return image;
  }
  std::map<std::string, std::shared_ptr<const host::Image>> hostImages;

  Device &device;
  const Plan &plan;
  std::string name;
  /// Loaded once a plan; kernels share them.
  std::map<std::string, std::shared_ptr<const cuda::Image>> images;
};

} // namespace

std::unique_ptr<Provider> fk::createCandidateProvider(Device &device,
                                                      const Plan &plan,
                                                      std::string name) {
  return std::make_unique<CandidateProvider>(device, plan, std::move(name));
}
