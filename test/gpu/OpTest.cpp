//===- OpTest.cpp - Every CUDA kernel against the reference ----*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   fk-gpu-optest                     every kernel of the cuda and cublaslt
//   providers
//                                     against the fp64 reference, within its
//                                     budget
//   fk-gpu-optest --time              times of key shapes, L2 flushed, median
//   --kernel NAME --dtype TYPE        only those; --verbose prints every case
//
// Results are poisoned with NaN before a launch, and what lies behind them must
// be as it was. Exit code 1 where a kernel is wrong, 3 where there is no GPU.
//
//===----------------------------------------------------------------------===//

#include "runtime/Device.h"
#include "runtime/Kernel.h"
#include "runtime/reference/Budget.h"
#include "runtime/support/Error.h"
#include "runtime/support/Expr.h"
#include "test/gpu/OpCases.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

using namespace fk;
using namespace fk::test;

namespace {

constexpr size_t guardBytes = 256;
constexpr uint8_t poison = 0xff;

struct Options {
  bool time = false, verbose = false;
  std::string kernel, dtype;
};

/// A launch whose tensors are copies of a host launch's on the device.
class DeviceLaunch {
public:
  DeviceLaunch(const BoundLaunch &host, Device &device, Stream &stream)
      : host(host), launch(host), stream(stream) {
    for (auto &[name, tensor] : launch.results)
      copy(tensor, device, /*poisoned=*/true);
    for (auto &[name, tensor] : launch.operands)
      if (tensor)
        copy(tensor, device, /*poisoned=*/false);
  }

  const BoundLaunch &get() const { return launch; }

  /// Copies what kernels may write back into the host launch. False where
  /// something behind a tensor was overwritten.
  bool fetch() {
    bool intact = true;
    size_t index = 0;
    for (const auto *list : {&host.results, &host.operands})
      for (const auto &[name, tensor] : *list) {
        if (!tensor)
          continue;
        const DeviceBuffer &buffer = buffers[index++];
        if (list == &host.results || name == "cache")
          stream.copyToHost(tensor.data, buffer.data(),
                            tensor.getSizeInBytes());
        std::vector<uint8_t> guard(guardBytes);
        stream.copyToHost(guard.data(), getGuard(buffer), guardBytes);
        stream.synchronize();
        intact &= std::all_of(guard.begin(), guard.end(),
                              [](uint8_t byte) { return byte == poison; });
      }
    return intact;
  }

private:
  static char *getGuard(const DeviceBuffer &buffer) {
    return static_cast<char *>(buffer.data()) + buffer.size() - guardBytes;
  }

  void copy(TensorRef &tensor, Device &device, bool poisoned) {
    size_t bytes = tensor.getSizeInBytes();
    DeviceBuffer &buffer = buffers.emplace_back(device, bytes + guardBytes);
    stream.fill(buffer.data(), poison, bytes + guardBytes);
    if (!poisoned)
      stream.copyToDevice(buffer.data(), tensor.data, bytes);
    tensor.data = buffer.data();
  }

  const BoundLaunch &host;
  BoundLaunch launch;
  Stream &stream;
  std::vector<DeviceBuffer> buffers;
};

class OpTest {
public:
  explicit OpTest(Options options)
      : options(std::move(options)), device(createCudaDevice()),
        stream(device->createStream()) {
    providers["cuda"] = createCudaProvider(*device);
    providers["cublaslt"] = createCublasLtProvider(*device);
  }

  int run() {
    std::printf("%s\n", device->getDescription().c_str());
    return options.time ? timeAll() : checkAll();
  }

private:
  bool isWanted(const KernelInfo &info, DType dtype) const {
    std::string types = "," + std::string(info.dtypes) + ",";
    std::string type(getName(dtype));
    return info.device == "cuda" &&
           providers.count(std::string(info.provider)) &&
           types.find("," + type + ",") != std::string::npos &&
           (options.dtype.empty() || options.dtype == type) &&
           (options.kernel.empty() || options.kernel == info.name);
  }

  static bool serves(const KernelInfo &info, const BoundLaunch &launch) {
    return info.where.empty() || Expr::parseCondition(info.where, info.name)
                                     .holds(launch.getAxisValues());
  }

  std::unique_ptr<Kernel> bind(const KernelInfo &info,
                               const BoundLaunch &launch) {
    return providers.at(std::string(info.provider))->bind(info.name, launch);
  }

  /// Returns the worst fraction of the budget, above 1 where the kernel is
  /// wrong.
  double check(const KernelInfo &info, const BoundLaunch &host,
               const std::vector<Expected> &expected, std::string &failure) {
    DeviceLaunch launch(host, *device, *stream);
    std::unique_ptr<Kernel> kernel = bind(info, launch.get());
    DeviceBuffer workspace(*device,
                           size_t(kernel->getWorkspaceBytes()) + guardBytes);
    stream->fill(workspace.data(), poison, workspace.size());
    kernel->launch(*stream, workspace.data());
    stream->synchronize();
    bool intact = launch.fetch();
    double worst = 0;
    for (const CheckReport &report : checkResults(expected, host)) {
      worst = std::max(worst, report.passed ? report.fraction
                                            : std::max(report.fraction, 2.0));
      if (!report.passed || !(report.fraction <= 1))
        failure = report.str();
    }
    std::vector<uint8_t> guard(guardBytes);
    stream->copyToHost(guard.data(),
                       static_cast<char *>(workspace.data()) +
                           kernel->getWorkspaceBytes(),
                       guardBytes);
    stream->synchronize();
    if (!intact || std::any_of(guard.begin(), guard.end(),
                               [](uint8_t byte) { return byte != poison; })) {
      failure = "wrote behind a tensor or its workspace";
      worst = std::max(worst, 2.0);
    }
    return worst;
  }

  struct Score {
    int cases = 0, failed = 0;
    double worst = 0;
    std::string worstCase;
  };

  int checkAll() {
    std::map<std::string, Score> scores;
    std::vector<OpCase> cases = getCorrectnessCases();
    for (const KernelInfo &info : getKernelCatalog())
      for (DType dtype : {DType::BF16, DType::F16, DType::F32})
        if (isWanted(info, dtype))
          scores[getTitle(info, dtype)]; // listed even if no case reaches it
    for (const OpCase &op : cases)
      for (DType dtype : {DType::BF16, DType::F16, DType::F32})
        checkCase(op, dtype, scores);
    int wrong = 0;
    for (const auto &[title, score] : scores) {
      bool right = score.cases > 0 && score.failed == 0;
      wrong += !right;
      std::printf("%-5s %-44s %3d cases  worst %6.3f of budget  (%s)\n",
                  right ? "ok" : "WRONG", title.c_str(), score.cases,
                  score.worst, score.worstCase.c_str());
    }
    std::printf("%d of %zu kernels wrong\n", wrong, scores.size());
    return wrong ? 1 : 0;
  }

  void checkCase(const OpCase &op, DType dtype,
                 std::map<std::string, Score> &scores) {
    std::vector<const KernelInfo *> wanted;
    for (const KernelInfo &info : getKernelCatalog())
      if (info.task == op.task && isWanted(info, dtype))
        wanted.push_back(&info);
    if (wanted.empty())
      return;
    Case made = op.make(dtype);
    std::vector<Expected> expected;
    std::map<std::string, std::vector<std::byte>> states = saveStates(made);
    for (const KernelInfo *info : wanted) {
      if (!serves(*info, made.launch))
        continue;
      if (expected.empty())
        expected = computeExpected(made.launch);
      restoreStates(made, states);
      Score &score = scores[getTitle(*info, dtype)];
      std::string failure;
      double fraction = 2;
      try {
        fraction = check(*info, made.launch, expected, failure);
      } catch (const Error &error) {
        failure = error.what();
        // After a fault on the device nothing can run any more.
        if (error.getKind() == ErrorKind::Infrastructure) {
          std::printf("FATAL %s %s: %s\n", getTitle(*info, dtype).c_str(),
                      op.label.c_str(), error.what());
          throw;
        }
      }
      ++score.cases;
      if (!failure.empty() || !(fraction <= 1)) {
        ++score.failed;
        std::printf("  %s %s: %s\n", getTitle(*info, dtype).c_str(),
                    op.label.c_str(), failure.c_str());
      } else if (options.verbose) {
        std::printf("  %s %s: %.3f\n", getTitle(*info, dtype).c_str(),
                    op.label.c_str(), fraction);
      }
      if (score.worstCase.empty() || fraction > score.worst) {
        score.worst = fraction;
        score.worstCase = op.label;
      }
    }
  }

  /// A state is written in place: every kernel starts from the same one.
  static std::map<std::string, std::vector<std::byte>>
  saveStates(const Case &made) {
    std::map<std::string, std::vector<std::byte>> states;
    for (const auto &[name, tensor] : made.launch.operands)
      if (name == "cache") {
        const auto *bytes = static_cast<const std::byte *>(tensor.data);
        states[name].assign(bytes, bytes + tensor.getSizeInBytes());
      }
    return states;
  }
  static void
  restoreStates(Case &made,
                const std::map<std::string, std::vector<std::byte>> &states) {
    for (const auto &[name, bytes] : states)
      std::memcpy(made.launch.operand(name).data, bytes.data(), bytes.size());
  }

  static std::string getTitle(const KernelInfo &info, DType dtype) {
    return std::string(info.provider) + ":" + std::string(info.name) + " " +
           std::string(getName(dtype));
  }

  int timeAll() {
    DType dtype =
        options.dtype.empty() ? DType::BF16 : parseDType(options.dtype).value();
    size_t flushBytes = size_t(std::max<int64_t>(device->getL2Bytes(), 1) * 3);
    DeviceBuffer flush(*device, flushBytes);
    std::printf("%-40s %-22s %9s %9s %9s\n", "kernel", "shape", "us", "TB/s",
                "TFLOP/s");
    for (const TimingCase &timing : getTimingCases()) {
      std::vector<const KernelInfo *> wanted;
      for (const KernelInfo &info : getKernelCatalog())
        if (info.task == timing.op.task && isWanted(info, dtype))
          wanted.push_back(&info);
      if (wanted.empty())
        continue;
      Case made = timing.op.make(dtype);
      DeviceLaunch launch(made.launch, *device, *stream);
      for (const KernelInfo *info : wanted)
        if (serves(*info, made.launch))
          timeOne(*info, timing, launch.get(), flush);
    }
    return 0;
  }

  void timeOne(const KernelInfo &info, const TimingCase &timing,
               const BoundLaunch &launch, DeviceBuffer &flush) {
    std::unique_ptr<Kernel> kernel = bind(info, launch);
    DeviceBuffer workspace(
        *device, size_t(std::max<int64_t>(kernel->getWorkspaceBytes(), 256)));
    std::vector<double> times;
    for (int i = 0; i < 35; ++i) {
      stream->fill(flush.data(), uint8_t(i), flush.size());
      std::unique_ptr<Event> start = stream->record();
      kernel->launch(*stream, workspace.data());
      std::unique_ptr<Event> end = stream->record();
      end->synchronize();
      if (i >= 5)
        times.push_back(end->getMillisecondsSince(*start));
    }
    std::nth_element(times.begin(), times.begin() + times.size() / 2,
                     times.end());
    double seconds = times[times.size() / 2] / 1e3;
    std::printf("%-40s %-22s %9.2f %9.3f %9.1f  %s\n",
                getTitle(info, launch.dtype).c_str(), timing.op.label.c_str(),
                seconds * 1e6, timing.bytes / seconds / 1e12,
                timing.flops / seconds / 1e12, kernel->describe().c_str());
    std::fflush(stdout);
  }

  Options options;
  std::shared_ptr<Device> device;
  std::unique_ptr<Stream> stream;
  std::map<std::string, std::unique_ptr<Provider>> providers;
};

} // namespace

int main(int argc, char **argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    bool hasValue = i + 1 < argc;
    if (argument == "--time")
      options.time = true;
    else if (argument == "--verbose")
      options.verbose = true;
    else if (argument == "--kernel" && hasValue)
      options.kernel = argv[++i];
    else if (argument == "--dtype" && hasValue && parseDType(argv[i + 1]))
      options.dtype = argv[++i];
    else {
      std::fprintf(stderr,
                   "error: unknown argument '%s' (usage: fk-gpu-optest "
                   "[--time] [--kernel NAME] [--dtype bf16|f16|f32] "
                   "[--verbose])\n",
                   argument.c_str());
      return 2;
    }
  }
  try {
    return OpTest(options).run();
  } catch (const Error &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return error.getExitCode();
  }
}
