//===- Kernels.cpp - Is a kernel right? -----------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/Kernels.h"
#include "lib/Bench/GuardedLaunch.h"

#include "runtime/LaunchBinding.h"
#include "runtime/cuda/Launcher.h"
#include "runtime/host/Launcher.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <set>

using namespace fk;
using namespace fk::bench;

//===----------------------------------------------------------------------===//
// Reports
//===----------------------------------------------------------------------===//

std::string KernelCheck::str() const {
  std::string text = report.str(), place;
  for (int64_t i : index)
    place += (place.empty() ? "[" : ", ") + std::to_string(i);
  // "result[191]: ..." is the flat index.
  const size_t close = text.find(']');
  return place.empty() || close == std::string::npos
             ? text
             : report.name + place + text.substr(close);
}

std::string KernelCase::describeAxes() const {
  std::string text;
  for (const auto &[name, value] : axes)
    text += (text.empty() ? "" : " ") + name + "=" + std::to_string(value);
  return text;
}

double KernelCase::getWorstFraction() const {
  double worst = 0;
  for (const KernelCheck &check : checks)
    worst = std::max(worst, check.report.fraction);
  return worst;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

namespace {

std::string getDigest(const TensorRef &tensor) {
  uint64_t hash = 0xcbf29ce484222325u;
  auto *bytes = static_cast<const uint8_t *>(tensor.data);
  for (int64_t i = 0, end = tensor.getSizeInBytes(); i < end; ++i)
    hash = (hash ^ bytes[i]) * 0x100000001b3u;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx",
                static_cast<unsigned long long>(hash));
  return text;
}

using Status = KernelCase::Status;

class KernelTester {
public:
  KernelTester(Device &device, const Signature &signature,
               const PlanCandidate &candidate,
               const std::map<std::string, PlanImage> &images,
               const KernelsOptions &options)
      : device(device), signature(signature), candidate(candidate),
        images(images), options(options), stream(device.createStream()),
        isHost(device.getKind() == "host") {}

  KernelsReport run(const std::function<void(const KernelCase &)> &each) {
    const std::vector<TaskShape> shapes =
        getTaskShapes(signature, isHost, options.shapes);
    const std::vector<size_t> thorough = chooseThorough(shapes);
    for (size_t i = 0; i < shapes.size() && report.stopped.empty(); ++i) {
      const AxisValues &axes = shapes[i].axes;
      add(axes, ValueClass::Normal, int(i % 2), each);
      if (report.cases.back().status == Status::NotCovered)
        continue;
      auto at = std::find(thorough.begin(), thorough.end(), i);
      if (at == thorough.end())
        continue;
      // The other set of scalars too, where it was not the one just run.
      for (ValueClass values : getValueClasses(signature.task))
        for (int variation : {0, 1}) {
          const bool isDone =
              values == ValueClass::Normal && variation == int(i % 2);
          const bool isWanted = thorough.size() == 1 ||
                                values == ValueClass::Normal ||
                                variation == int(at - thorough.begin());
          if (!isDone && isWanted && report.stopped.empty())
            add(axes, values, variation, each);
        }
    }
    return std::move(report);
  }

private:
  /// The shapes at which every class of values is tried: of the first and of
  /// the last set of widths that the candidate covers, the middle one.
  std::vector<size_t> chooseThorough(const std::vector<TaskShape> &shapes) {
    std::map<size_t, std::vector<size_t>> covered;
    for (size_t i = 0; i < shapes.size(); ++i)
      if (covers(shapes[i].axes))
        covered[shapes[i].widths].push_back(i);
    std::vector<size_t> chosen;
    auto choose = [&](const std::vector<size_t> &of) {
      const size_t middle = of[(of.size() * 3) / 4];
      if (chosen.empty() || chosen.back() != middle)
        chosen.push_back(middle);
    };
    if (!covered.empty()) {
      choose(covered.begin()->second);
      choose(covered.rbegin()->second);
    }
    return chosen;
  }

  bool covers(const AxisValues &axes) const {
    return std::any_of(candidate.variants.begin(), candidate.variants.end(),
                       [&](const CandidateVariant &variant) {
                         return !variant.where || variant.where.holds(axes);
                       });
  }

  void add(const AxisValues &axes, ValueClass values, int variation,
           const std::function<void(const KernelCase &)> &each) {
    KernelCase &one = report.cases.emplace_back();
    one.values = values;
    for (const std::string &axis : signature.axes)
      one.axes.emplace_back(axis, axes.at(axis));
    if (!covers(axes)) {
      one.status = Status::NotCovered;
      ++report.notCovered;
    } else {
      TaskCaseOptions make;
      make.dtype = options.dtype;
      make.values = values;
      make.variation = variation;
      make.presentOperands = options.presentOperands;
      make.seed = options.seed * 1000003u + unsigned(report.cases.size());
      reference::LaunchCase made = makeTaskCase(signature, axes, make);
      one.scalars = made.launch.scalars;
      test(one, made.launch);
      const bool wrong = !one.problems.empty() || !one.findings.empty() ||
                         std::any_of(one.checks.begin(), one.checks.end(),
                                     [](const KernelCheck &check) {
                                       return !check.report.passed;
                                     });
      one.status = wrong ? Status::Wrong : Status::Right;
      ++(wrong ? report.wrong : report.right);
    }
    if (each)
      each(one);
  }

  /// Twice, with another poison: a stale result that happens to be right once
  /// is not right again.
  void test(KernelCase &one, const BoundLaunch &host) {
    std::vector<Expected> expected;
    if (options.compares)
      expected = computeExpected(host);
    for (uint8_t poison : {uint8_t(0xff), uint8_t(0x47)}) {
      GuardedLaunch guarded(host, device, *stream, poison);
      try {
        runOn(one, guarded, /*seed=*/0);
      } catch (const Error &error) {
        if (isHost || error.getKind() != ErrorKind::Infrastructure)
          throw;
        // Nothing can run on the device after a fault.
        one.problems.push_back("the kernel faults: " +
                               std::string(error.what()));
        report.stopped = "the device runs nothing after a fault";
        return;
      }
      for (std::string &problem : guarded.fetch())
        one.problems.push_back(std::move(problem));
      if (options.compares)
        compare(one, guarded, expected);
      if (isHost && poison == 0xff)
        tryInterleavings(one, host, guarded);
      const bool failed = !one.problems.empty() || !one.findings.empty() ||
                          std::any_of(one.checks.begin(), one.checks.end(),
                                      [](const KernelCheck &check) {
                                        return !check.report.passed;
                                      });
      if (failed || !options.compares)
        return;
    }
  }

  void compare(KernelCase &one, const GuardedLaunch &guarded,
               const std::vector<Expected> &expected) {
    std::vector<KernelCheck> checks;
    const std::vector<CheckReport> reports =
        checkResults(expected, guarded.getFetched());
    for (const CheckReport &result : reports) {
      KernelCheck check;
      check.report = result;
      const TensorRef &tensor = signature.results.empty()
                                    ? guarded.getFetched().operand(result.name)
                                    : guarded.getFetched().result(result.name);
      int64_t rest = result.worst;
      for (size_t d = tensor.shape.size(); d-- > 0;) {
        check.index.insert(check.index.begin(), rest % tensor.shape[d]);
        rest /= tensor.shape[d];
      }
      check.digest = getDigest(tensor);
      if (!result.passed && !tensor.isState &&
          guarded.isPoison(tensor, result.worst))
        one.problems.push_back("it was never written");
      checks.push_back(std::move(check));
    }
    // Of two runs the worse is kept.
    auto worst = [](const std::vector<KernelCheck> &of) {
      double fraction = -1;
      for (const KernelCheck &check : of)
        fraction = std::max(fraction, check.report.fraction);
      return fraction;
    };
    if (worst(checks) > worst(one.checks))
      one.checks = std::move(checks);
  }

  void runOn(KernelCase &one, GuardedLaunch &guarded, uint64_t seed) {
    const CandidateVariant &variant =
        *findVariant(candidate.variants, guarded.get());
    if (!isHost) {
      auto kernel = cuda::bindVariant(device, loadForCuda(variant.image),
                                      variant, guarded.get(), candidate.name);
      void *workspace =
          guarded.allocateWorkspace(size_t(kernel->getWorkspaceBytes()));
      kernel->launch(*stream, workspace);
      stream->synchronize();
      return;
    }
    auto kernel = host::bindVariant(loadForHost(variant.image), variant,
                                    guarded.get(), candidate.name);
    void *workspace =
        guarded.allocateWorkspace(size_t(kernel->getWorkspaceBytes()));
    emulator::Options run;
    run.instructionBudget = options.instructionBudget;
    run.scheduleSeed = seed;
    std::string printed; // A kernel that prints must not disturb the table.
    run.printed = &printed;
    emulator::Report found = kernel->run(workspace, run);
    for (emulator::Finding &finding : found.findings) {
      std::string line = host::describe(finding, kernel->getFile());
      if (finding.kind == emulator::FindingKind::InstructionBudget)
        report.stopped = "the kernel runs on and on";
      if (std::find(one.lines.begin(), one.lines.end(), line) !=
          one.lines.end())
        continue;
      one.lines.push_back(std::move(line));
      one.findings.push_back(std::move(finding));
    }
  }

  void tryInterleavings(KernelCase &one, const BoundLaunch &host,
                        const GuardedLaunch &first) {
    std::set<std::string> known;
    for (int i = 0; i < options.schedules && report.stopped.empty(); ++i) {
      GuardedLaunch other(host, device, *stream, 0xff);
      const uint64_t seed = options.seed + uint64_t(i);
      runOn(one, other, std::max<uint64_t>(seed, 1));
      other.fetch();
      auto differ = [&](const std::string &name, const TensorRef &a,
                        const TensorRef &b) {
        const auto *x = static_cast<const uint8_t *>(a.data);
        const auto *y = static_cast<const uint8_t *>(b.data);
        const auto bytes = size_t(a.getSizeInBytes());
        const auto *at = std::mismatch(x, x + bytes, y).first;
        if (at == x + bytes || !known.insert(name).second)
          return;
        emulator::Finding finding;
        finding.kind = emulator::FindingKind::ScheduleDependent;
        finding.kernel = candidate.name;
        finding.text = name + " differs between interleavings, first at " +
                       name + " + " + std::to_string(at - x) + " (seed " +
                       std::to_string(seed) + ")";
        one.lines.push_back(host::describe(finding, candidate.name));
        one.findings.push_back(std::move(finding));
      };
      const BoundLaunch &a = first.getFetched(), &b = other.getFetched();
      for (size_t r = 0; r < a.results.size(); ++r)
        differ(a.results[r].first, a.results[r].second, b.results[r].second);
      for (size_t o = 0; o < a.operands.size(); ++o)
        if (a.operands[o].second.isState)
          differ(a.operands[o].first, a.operands[o].second,
                 b.operands[o].second);
    }
  }

  const PlanImage &findImage(const std::string &name) const {
    return images.at(name);
  }
  std::shared_ptr<const host::Image> loadForHost(const std::string &name) {
    std::shared_ptr<const host::Image> &image = hostImages[name];
    if (!image)
      image = std::make_shared<host::Image>(
          findImage(name).bytes, findImage(name).kind,
          host::getImageFile(candidate.file, name));
    return image;
  }
  std::shared_ptr<const cuda::Image> loadForCuda(const std::string &name) {
    std::shared_ptr<const cuda::Image> &image = cudaImages[name];
    if (!image)
      image =
          std::make_shared<cuda::Image>(device, findImage(name).bytes, name);
    return image;
  }

  Device &device;
  const Signature &signature;
  const PlanCandidate &candidate;
  const std::map<std::string, PlanImage> &images;
  const KernelsOptions &options;
  std::unique_ptr<Stream> stream;
  bool isHost;
  std::map<std::string, std::shared_ptr<const host::Image>> hostImages;
  std::map<std::string, std::shared_ptr<const cuda::Image>> cudaImages;
  KernelsReport report;
};

} // namespace

KernelsReport
bench::testKernel(Device &device, const Signature &signature,
                  const PlanCandidate &candidate,
                  const std::map<std::string, PlanImage> &images,
                  const KernelsOptions &options,
                  const std::function<void(const KernelCase &)> &each) {
  return KernelTester(device, signature, candidate, images, options).run(each);
}
