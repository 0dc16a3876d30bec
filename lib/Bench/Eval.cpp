//===- Eval.cpp - Does a candidate win in the model? ----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/Eval.h"

#include "fk/Bench/CompareTensors.h"
#include "fk/Bench/HostLaunch.h"
#include "runtime/Program.h"
#include "runtime/reference/Budget.h"
#include "runtime/reference/Reference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <sstream>

using namespace fk;
using namespace fk::bench;

namespace {

using Inputs = std::map<std::string, HostTensor>;
using Steps = std::vector<const ProgramStep *>;

/// Every session of an evaluation gets the same inputs and caches.
constexpr uint64_t inputSeed = 7;

/// Bytes a launch reads and writes, each tensor once; a cache counts only what
/// is written to it, which is the size of its key and value operands.
double getBytes(const BoundLaunch &launch) {
  double bytes = 0;
  for (const auto &[name, tensor] : launch.results)
    bytes += tensor ? tensor.getSizeInBytes() : 0;
  for (const auto &[name, tensor] : launch.operands)
    if (tensor && name != "cache")
      bytes += tensor.getSizeInBytes();
  return bytes;
}

/// The steps of `program` that `other` has not, by place, task and kernel.
Steps getDifference(const Program &program, const Program &other) {
  auto getKey = [](const ProgramStep &step) {
    return step.launch.place + "|" + step.launch.task + "|" + step.provider +
           ":" + step.kernelName;
  };
  std::multiset<std::string> keys;
  for (const auto &step : other.steps)
    keys.insert(getKey(*step));
  Steps difference;
  for (const auto &step : program.steps) {
    if (auto found = keys.find(getKey(*step)); found != keys.end())
      keys.erase(found);
    else
      difference.push_back(step.get());
  }
  return difference;
}

/// Milliseconds of one call of `function`, inputs included, results left there.
double timeStep(Session &session, const Workload &workload,
                const Inputs &inputs) {
  session.getDevice().makeCurrent();
  Stream &stream = session.getStream();
  stream.synchronize();
  auto start = stream.record();
  session.run(workload.getFunction(), workload.getSymbols(), inputs,
              /*useGraph=*/true);
  auto end = stream.record();
  end->synchronize();
  return end->getMillisecondsSince(*start);
}

/// The launches of `steps`, back to back in one graph.
class StepsInGraph {
public:
  StepsInGraph(Session &session, const Steps &steps) : session(session) {
    session.getDevice().makeCurrent();
    graph = session.getStream().capture([&] {
      for (const ProgramStep *step : steps)
        step->kernel->launch(session.getStream(), session.getWorkspace());
    });
  }

  double time() {
    session.getDevice().makeCurrent();
    Stream &stream = session.getStream();
    auto start = stream.record();
    stream.replay(*graph);
    auto end = stream.record();
    end->synchronize();
    return end->getMillisecondsSince(*start);
  }

private:
  Session &session;
  std::unique_ptr<Graph> graph;
};

/// A buffer larger than L2; writing it leaves nothing else there.
class CacheFlush {
public:
  explicit CacheFlush(Device &device)
      : buffer(device, std::max<size_t>(2 * device.getL2Bytes(), 64 << 20)) {}
  void flush(Stream &stream) {
    stream.fill(buffer.data(), ++pattern, buffer.size());
  }

private:
  DeviceBuffer buffer;
  uint8_t pattern = 0;
};

double timeCold(Session &session, Kernel &kernel, void *workspace,
                CacheFlush &cache) {
  session.getDevice().makeCurrent();
  Stream &stream = session.getStream();
  cache.flush(stream);
  auto start = stream.record();
  kernel.launch(stream, workspace);
  auto end = stream.record();
  end->synchronize();
  return end->getMillisecondsSince(*start);
}

/// The kernel fk would have taken for this launch, from the catalog.
const KernelInfo *findBaselineKernel(const BoundLaunch &launch,
                                     std::string_view device) {
  for (const KernelInfo *info : findKernels(launch.task, launch.dtype, device))
    if (info->where.empty() ||
        Expr::parseCondition(info->where, "kernel catalog")
            .holds(launch.getAxisValues()))
      return info;
  return nullptr;
}

/// Alone and cold, on the shapes of the candidate's first place.
void measureAlone(EvalReport::Swapped &swapped, Session &session,
                  const ProgramStep &step, CacheFlush &cache, int samples) {
  const KernelInfo *info =
      findBaselineKernel(step.launch, session.getDevice().getKind());
  if (!info)
    return; // A task function: its baseline is several launches, timed in the
            // graph.
  auto kernel = session.getProvider(std::string(info->provider))
                    .bind(info->name, step.launch);
  DeviceBuffer workspace(session.getDevice(),
                         std::max<int64_t>(kernel->getWorkspaceBytes(), 256));
  auto baseline = [&] {
    return timeCold(session, *kernel, workspace.data(), cache);
  };
  auto candidate = [&] {
    return timeCold(session, *step.kernel, session.getWorkspace(), cache);
  };
  for (int i = 0; i < 3; ++i) {
    baseline();
    candidate();
  }
  const PairedSamples times = interleave(baseline, candidate, samples);
  swapped.alone = compare(times.baseline, times.candidate);
  swapped.aloneBaseline =
      std::string(info->provider) + ":" + std::string(info->name);
}

/// Runs the candidate's session once and compares what each of its launches
/// wrote with the fp64 reference on what it read.
void checkInPlace(EvalReport &report, Session &session,
                  const Workload &workload, const Inputs &inputs,
                  const Program &program, const EvalOptions &options) {
  std::map<const BoundLaunch *, EvalReport::Swapped *> watched;
  std::map<std::string, int> taken;
  for (const auto &step : program.steps) {
    if (step->provider != "candidate" || !hasReference(step->launch.task))
      continue;
    if (taken[step->kernelName]++ >= options.checkedPlaces)
      continue;
    for (EvalReport::Swapped &swapped : report.swapped)
      if (swapped.candidate == step->kernelName)
        watched[&step->launch] = &swapped;
  }
  if (watched.empty())
    return;

  std::unique_ptr<HostLaunch> before;
  session.setObserver([&](const BoundLaunch &launch, bool after) {
    auto found = watched.find(&launch);
    if (found == watched.end())
      return;
    if (!after) {
      before = std::make_unique<HostLaunch>(launch, session.getStream());
      return;
    }
    PlaceCheck &check = found->second->check;
    found->second->checked = true;
    const std::vector<Expected> expected = computeExpected(before->get());
    const BoundLaunch got = before->fetchResults(launch, session.getStream());
    bool right = true;
    for (const CheckReport &result : checkResults(expected, got)) {
      right &= result.passed;
      if (result.fraction > check.worstFraction || (!result.passed && right)) {
        check.worstFraction = result.fraction;
        check.worst = launch.place + ", " + result.str();
      }
    }
    ++check.places;
    check.wrong += !right;
  });
  session.run(workload.getFunction(), workload.getSymbols(), inputs);
  session.setObserver({});
}

/// The float result with the most elements: logits, or the last hidden state.
std::string findMainResult(const Plan &plan, const PlanFunction &function) {
  std::string name;
  for (int64_t index : function.results) {
    const PlanValue &value = function.values[index];
    if (isFloat(value.dtype) && name.empty())
      name = value.name;
  }
  return name;
}

/// Rows of the main result: the candidate may choose another largest element
/// only where the baseline's own error could swap the two.
void compareAnswers(EvalReport &report, Session &baseline, Session &candidate,
                    const Workload &workload, const Inputs &inputs,
                    const std::optional<HostTensor> &exact) {
  const PlanFunction *function =
      baseline.getPlan().findFunction(workload.getFunction());
  const std::string name = findMainResult(baseline.getPlan(), *function);
  baseline.run(workload.getFunction(), workload.getSymbols(), inputs);
  candidate.run(workload.getFunction(), workload.getSymbols(), inputs);
  const HostTensor wanted = baseline.getResult(name);
  const HostTensor got = candidate.getResult(name);
  report.cosine = compareTensors(wanted, got).cosine;

  // A margin comes from the baseline's own error, never from the candidate's: a
  // wrong candidate would widen it for itself.
  const std::vector<double> e = exact ? toDoubles(*exact) : toDoubles(wanted);
  const std::vector<double> a = toDoubles(wanted), b = toDoubles(got);
  const size_t width = wanted.shape.back();
  const double unit = getUnitRoundoff(baseline.getPlan().dtype);
  bool finite = true;
  for (size_t row = 0; row + width <= a.size(); row += width) {
    size_t first = 0, chosen = 0;
    double difference = 0;
    for (size_t i = 0; i < width; ++i) {
      finite &= std::isfinite(b[row + i]) || !std::isfinite(a[row + i]);
      const double own = exact ? std::abs(a[row + i] - e[row + i])
                               : 8 * unit * std::abs(a[row + i]);
      difference = std::max(difference, own);
      if (b[row + i] > b[row + chosen])
        chosen = i;
      if (a[row + i] > a[row + first])
        first = i;
    }
    ++report.tokensCompared;
    if (chosen == first)
      ++report.tokensEqual;
    else if (a[row + first] - a[row + chosen] <= 2 * difference)
      ++report.tokensWithinMargin;
  }
  // 1 - cosine is half the square of the relative distance. A bf16 answer of a
  // deep model lies some percent from the exact one, whoever computes it.
  bool close;
  if (exact) {
    report.exactBaseline = compareTensors(*exact, wanted).cosine;
    report.exactCandidate = compareTensors(*exact, got).cosine;
    close = 1 - *report.exactCandidate <=
            2 * (1 - *report.exactBaseline) + 8 * unit * unit;
  } else {
    close = 1 - report.cosine <= 128 * unit * unit;
  }
  const bool tokens =
      workload.kind == Workload::Kind::Forward ||
      report.tokensEqual + report.tokensWithinMargin == report.tokensCompared;
  report.modelRight = finite && close && tokens;
}

int64_t countLaunches(const Program &program, std::string_view task) {
  return std::count_if(
      program.steps.begin(), program.steps.end(),
      [&](const auto &step) { return step->launch.task == task; });
}

/// Missed fusions that the candidate's plan has and the baseline's has not. A
/// note speaks of a layer once however often it is called, so places are
/// counted in the programs: launches of the fused task that are gone.
std::vector<FusionChange> getLostFusions(const Plan &baseline,
                                         const Plan &candidate,
                                         const Program &baseProgram,
                                         const Program &program) {
  auto getMissed = [](const Plan &plan) {
    std::set<std::array<std::string, 3>> missed;
    for (const Plan::Note &note : plan.notes)
      if (note.missed)
        missed.insert({note.name, note.text, note.place});
    return missed;
  };
  const auto known = getMissed(baseline);
  std::vector<FusionChange> lost;
  for (const auto &note : getMissed(candidate)) {
    if (known.count(note))
      continue;
    const auto &[fusion, reason, place] = note;
    if (lost.empty() || lost.back().fusion != fusion ||
        lost.back().reason != reason)
      lost.push_back({fusion, reason,
                      countLaunches(baseProgram, fusion) -
                          countLaunches(program, fusion)});
  }
  return lost;
}

std::string composeSentence(const EvalReport &report) {
  if (report.swapped.empty())
    return "baseline only: no candidate was given";
  for (const EvalReport::Swapped &swapped : report.swapped)
    if (swapped.check.wrong > 0)
      return "WRONG: " + swapped.candidate + " at " + swapped.check.worst;
  if (!report.modelRight)
    return "WRONG: the model's answer changed (cosine " +
           std::to_string(report.cosine) + ")";
  if (!report.isVerdict)
    return "right; times on the host device are not verdicts";
  std::string alone;
  for (const EvalReport::Swapped &swapped : report.swapped)
    if (swapped.alone)
      alone = swapped.alone->judgement == Judgement::Fast   ? "wins alone"
              : swapped.alone->judgement == Judgement::Slow ? "loses alone"
                                                            : "no faster alone";
  const char *model = "";
  switch (report.endToEnd.judgement) {
  case Judgement::Fast:
    model = "wins in the model";
    break;
  case Judgement::Slow:
    model = "loses in the model";
    break;
  case Judgement::Same:
    model = "changes nothing in the model";
    break;
  case Judgement::Unsure:
    model = "cannot be told apart in the model";
    break;
  }
  return std::string(getName(report.endToEnd.judgement)) + ": " +
         (alone.empty() ? "" : alone + ", ") + model;
}

} // namespace

bool EvalReport::isWrong() const {
  if (!modelRight)
    return true;
  return std::any_of(swapped.begin(), swapped.end(),
                     [](const Swapped &s) { return s.check.wrong > 0; });
}

HostTensor fk::bench::computeAnswer(Session &session,
                                    const Workload &workload) {
  const Inputs inputs = prepare(workload, session, inputSeed);
  session.run(workload.getFunction(), workload.getSymbols(), inputs);
  return session.getResult(
      findMainResult(session.getPlan(),
                     *session.getPlan().findFunction(workload.getFunction())));
}

EvalReport fk::bench::evaluate(Session &baseline, Session *candidate,
                               const Workload &workload,
                               const std::optional<HostTensor> &exact,
                               const EvalOptions &options) {
  EvalReport report;
  report.workload = workload;
  report.device = baseline.getDevice().getDescription();
  report.isVerdict = baseline.getDevice().getKind() == "cuda";

  const Inputs inputs = prepare(workload, baseline, inputSeed);
  const Program &baseProgram =
      baseline.bind(workload.getFunction(), workload.getSymbols());
  report.launchesBaseline = baseProgram.steps.size();

  auto timeBaseline = [&] { return timeStep(baseline, workload, inputs); };
  if (!candidate) {
    std::vector<double> times;
    for (int i = 0; i < 5; ++i)
      timeBaseline();
    for (int i = 0; i < options.samples; ++i)
      times.push_back(timeBaseline());
    report.endToEnd.baseline = median(times);
    report.memoryBaseline = baseline.getMemory();
    report.sentence = composeSentence(report);
    return report;
  }

  // The same seed gives both sessions the same inputs and caches.
  prepare(workload, *candidate, inputSeed);
  const Program &program =
      candidate->bind(workload.getFunction(), workload.getSymbols());
  report.launchesCandidate = program.steps.size();
  for (const PlanCandidate &info : candidate->getPlan().candidates) {
    if (isGenerated(info.name))
      continue; // The compiler's own: nobody asks for a verdict on it.
    EvalReport::Swapped swapped;
    swapped.candidate = info.name;
    swapped.task = info.task;
    for (const auto &step : program.steps) {
      swapped.places +=
          step->provider == "candidate" && step->kernelName == info.name;
      swapped.uncovered += step->uncovered.find(info.name) != std::string::npos;
    }
    report.swapped.push_back(std::move(swapped));
  }
  report.lost = getLostFusions(baseline.getPlan(), candidate->getPlan(),
                               baseProgram, program);

  checkInPlace(report, *candidate, workload, inputs, program, options);
  compareAnswers(report, baseline, *candidate, workload, inputs, exact);

  const Steps onlyBaseline = getDifference(baseProgram, program);
  const Steps onlyCandidate = getDifference(program, baseProgram);
  for (const ProgramStep *step : onlyBaseline)
    report.bytesBaseline += getBytes(step->launch);
  for (const ProgramStep *step : onlyCandidate)
    report.bytesCandidate += getBytes(step->launch);

  auto timeCandidate = [&] { return timeStep(*candidate, workload, inputs); };
  if (report.isVerdict) {
    CacheFlush cache(candidate->getDevice());
    for (EvalReport::Swapped &swapped : report.swapped)
      for (const auto &step : program.steps)
        if (step->provider == "candidate" &&
            step->kernelName == swapped.candidate) {
          measureAlone(swapped, *candidate, *step, cache, options.samples);
          break;
        }
    if (!onlyBaseline.empty() && !onlyCandidate.empty()) {
      StepsInGraph first(baseline, onlyBaseline),
          second(*candidate, onlyCandidate);
      for (int i = 0; i < 3; ++i) {
        first.time();
        second.time();
      }
      const PairedSamples times =
          interleave([&] { return first.time(); },
                     [&] { return second.time(); }, options.samples);
      report.inGraph = compare(times.baseline, times.candidate);
    }
  }
  for (int i = 0; i < 5; ++i) {
    timeBaseline();
    timeCandidate();
  }
  const PairedSamples times =
      interleave(timeBaseline, timeCandidate, options.samples);
  report.endToEnd = compare(times.baseline, times.candidate);
  report.memoryBaseline = baseline.getMemory();
  report.memoryCandidate = candidate->getMemory();
  report.sentence = composeSentence(report);
  return report;
}
