//===- Session.cpp - A plan, ready to run on one device -------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Memory of a public function (its parameters, results and arena) is allocated
// for the limits when the function first runs, so that a session that only
// decodes never pays for the logits of every prompt token.
//
//===----------------------------------------------------------------------===//

#include "runtime/Session.h"

#include "runtime/Inputs.h"
#include "runtime/Program.h"
#include "runtime/Providers.h"
#include "runtime/Shape.h"
#include "runtime/Weights.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <list>

using namespace fk;

int64_t HostTensor::getNumElements() const {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

namespace {

/// Programs kept; a decode loop uses one per batch size, a benchmark a few
/// more.
constexpr size_t maxPrograms = 32;
/// Inputs of so many calls may be on their way at once.
constexpr size_t stagingSlots = 4;

/// Pinned host memory that inputs are copied from while the caller goes on.
class StagingRing {
public:
  explicit StagingRing(Device &device) : device(device) {}
  ~StagingRing() {
    for (Slot &slot : slots)
      if (slot.data)
        device.freePinned(slot.data);
  }
  StagingRing(const StagingRing &) = delete;
  StagingRing &operator=(const StagingRing &) = delete;

  /// Memory that no earlier copy still reads.
  std::byte *next(size_t bytes) {
    current = (current + 1) % stagingSlots;
    Slot &slot = slots[current];
    if (slot.copied) {
      slot.copied->synchronize();
      slot.copied.reset();
    }
    if (slot.bytes < bytes) {
      if (slot.data)
        device.freePinned(slot.data);
      slot.data = nullptr;
      slot.bytes = 0;
      slot.data = device.allocatePinned(bytes);
      slot.bytes = bytes;
    }
    return static_cast<std::byte *>(slot.data);
  }

  /// Copies the memory given last.
  void copyTo(Stream &stream, void *dst, size_t bytes) {
    stream.copyToDevice(dst, slots[current].data, bytes);
    slots[current].copied = stream.record();
  }

private:
  struct Slot {
    void *data = nullptr;
    size_t bytes = 0;
    std::unique_ptr<Event> copied;
  };
  Device &device;
  Slot slots[stagingSlots];
  size_t current = 0;
};

struct FunctionMemory {
  DeviceBuffer params, results;
};

struct State {
  DeviceBuffer buffer;
  TensorRef tensor;
};

} // namespace

struct Session::Impl {
  // Destroyed from the last to the first: kernels before their providers,
  // everything on the device before the stream and the device.
  std::shared_ptr<const Plan> plan;
  std::shared_ptr<Device> device;
  SessionLimits limits;
  AxisValues limitSymbols; ///< every symbol at its largest
  std::unique_ptr<Stream> stream;
  std::unique_ptr<StagingRing> staging;
  std::unique_ptr<WeightStore> weights;
  std::map<std::string, State, std::less<>> states;
  std::map<std::string, FunctionMemory> functions;
  DeviceBuffer arena, workspace;
  std::map<std::string, std::unique_ptr<Provider>> providers;
  std::list<std::unique_ptr<Program>> programs; ///< the latest first
  Program *last = nullptr;
  Observer observer;
  int64_t longestSequence = 0;

  Impl(std::shared_ptr<const Plan> givenPlan,
       std::shared_ptr<Device> givenDevice, SessionLimits givenLimits)
      : plan(std::move(givenPlan)), device(std::move(givenDevice)),
        limits(givenLimits) {
    checkDevice();
    setLimitSymbols();
    device->makeCurrent();
    stream = device->createStream();
    staging = std::make_unique<StagingRing>(*device);
    weights = std::make_unique<WeightStore>(plan, *device, limitSymbols);
    for (const PlanState &state : plan->states) {
      TensorRef tensor{nullptr, state.dtype,
                       evaluateDims(state.shape, limitSymbols,
                                    "state '" + state.name + "'")};
      DeviceBuffer buffer(*device,
                          static_cast<size_t>(tensor.getSizeInBytes()));
      tensor.data = buffer.data();
      // Rows that were never written may be read (and masked): no NaN there.
      stream->fill(tensor.data, 0, buffer.size());
      states[state.name] = {std::move(buffer), std::move(tensor)};
    }
  }

  ~Impl() {
    try {
      device->makeCurrent();
      stream->synchronize();
    } catch (const Error &) {
      // The call that failed has reported it.
    }
  }

  void checkDevice() const {
    if (plan->device != device->getKind())
      throw Error({.what = "the plan is for another device",
                   .wanted = plan->device,
                   .got = device->getKind(),
                   .mend = "compile it with --device " + device->getKind()});
    std::string arch = device->getArch();
    if (!plan->arch.empty() && !arch.empty() && plan->arch != arch)
      throw Error({.what = "the plan is for another GPU",
                   .where = device->getDescription(),
                   .wanted = plan->arch,
                   .got = arch,
                   .mend = "compile it with --arch " + arch});
  }

  void setLimitSymbols() {
    auto check = [](const char *name, int64_t value, int64_t least) {
      constexpr int64_t most = int64_t(1) << 31;
      if (value < least || value >= most)
        throw Error({.what = "a session's limit is impossible",
                     .where = name,
                     .wanted = std::to_string(least) + " to " +
                               std::to_string(most - 1),
                     .got = std::to_string(value)});
    };
    check("maxTokens", limits.maxTokens, 1);
    check("maxSeqs", limits.maxSeqs, 1);
    check("maxPositions", limits.maxPositions, 0);
    check("pages", limits.pages, 0);
    int64_t pageSize = plan->model.pageSize;
    // Rows of the cache are numbered in 32 bits.
    if (pageSize > 0)
      check("pages * page size", limits.pages * pageSize, 0);
    AxisValues all = {
        {"tokens", limits.maxTokens},
        {"seqs", limits.maxSeqs},
        {"max_positions", std::max<int64_t>(limits.maxPositions, 1)},
        {"pages", limits.pages},
        {"max_blocks",
         pageSize > 0 ? (limits.maxPositions + pageSize - 1) / pageSize : 0}};
    for (const std::string &symbol : plan->symbols) {
      auto found = all.find(symbol);
      if (found == all.end())
        throw Error({.what = "the plan has an unknown symbol",
                     .wanted = formatAxes(all),
                     .got = "'" + symbol + "'",
                     .mend = "compile the model again"});
      limitSymbols.insert(*found);
    }
  }

  const PlanFunction &getPublicFunction(const std::string &name) const {
    const PlanFunction *function = plan->findFunction(name);
    if (function && function->isPublic)
      return *function;
    std::string names;
    for (const PlanFunction &other : plan->functions)
      if (other.isPublic)
        names += (names.empty() ? "" : ", ") + other.name;
    throw Error({.what = "the plan has no such function",
                 .where = plan->model.architecture,
                 .wanted = names.empty() ? "a public function" : names,
                 .got = "'" + name + "'"});
  }

  AxisValues completeSymbols(const PlanFunction &function,
                             const AxisValues &given) const {
    std::string where = "function '" + function.name + "'";
    AxisValues symbols = limitSymbols;
    for (const auto &[name, value] : given) {
      auto found = symbols.find(name);
      if (found == symbols.end())
        throw Error({.what = "an unknown symbol",
                     .where = where,
                     .wanted = formatAxes(limitSymbols),
                     .got = "'" + name + "'"});
      bool isFree = name == "tokens" || name == "seqs";
      if (isFree ? value < 1 || value > found->second : value != found->second)
        throw Error(
            {.what = "symbol '" + name + "' is out of range",
             .where = where,
             .wanted = (isFree ? "1 to " : "") + std::to_string(found->second),
             .got = std::to_string(value),
             .mend = "the session's limits say so"});
      found->second = value;
    }
    for (const char *name : {"tokens", "seqs"})
      if (symbols.count(name) && !given.count(name))
        throw Error({.what = "a symbol is missing",
                     .where = where,
                     .wanted = std::string("'") + name + "'"});
    return symbols;
  }

  Provider &getProvider(const std::string &name) {
    auto &provider = providers[name];
    if (!provider)
      provider = createProvider(name, *device, *plan);
    return *provider;
  }

  /// The device is idle and no program is left that knows old addresses.
  void dropPrograms() {
    stream->synchronize();
    last = nullptr;
    programs.clear();
  }

  FunctionMemory &getMemory(const PlanFunction &function) {
    auto found = functions.find(function.name);
    if (found == functions.end()) {
      size_t params = layOut(function, function.params, limitSymbols, nullptr);
      size_t results =
          layOut(function, function.results, limitSymbols, nullptr);
      FunctionMemory memory{DeviceBuffer(*device, params),
                            DeviceBuffer(*device, results)};
      auto frame =
          static_cast<size_t>(getFrameBytes(*plan, function, limitSymbols));
      if (frame > arena.size()) {
        dropPrograms();
        arena = DeviceBuffer();
        arena = DeviceBuffer(*device, frame);
      }
      found = functions.emplace(function.name, std::move(memory)).first;
    }
    return found->second;
  }

  Program &getProgram(const PlanFunction &function, const AxisValues &symbols) {
    FunctionMemory &io = getMemory(function);
    auto found = std::find_if(
        programs.begin(), programs.end(), [&](const auto &program) {
          return program->function == &function && program->symbols == symbols;
        });
    if (found != programs.end()) {
      programs.splice(programs.begin(), programs, found);
      return *programs.front();
    }
    ProgramMemory memory;
    memory.params = io.params.data();
    memory.results = io.results.data();
    memory.arena = arena.data();
    memory.arenaBytes = arena.size();
    memory.getWeight = [&](std::string_view name) -> const TensorRef & {
      return weights->get(name);
    };
    memory.getState = [&](std::string_view name) -> const TensorRef & {
      auto state = states.find(name);
      if (state == states.end())
        throw Error(
            {.what = "the plan has no state '" + std::string(name) + "'"});
      if (!state->second.tensor.data)
        throw Error({.what = "the session has no pages",
                     .where = "function '" + function.name + "'",
                     .wanted = "a positive number of pages in its limits",
                     .got = "0"});
      return state->second.tensor;
    };
    memory.getProvider = [&](const std::string &name) -> Provider & {
      return getProvider(name);
    };
    auto program = buildProgram(*plan, function, symbols, limitSymbols, memory);
    program->bounds = getInputBounds(*plan, function, symbols);
    reserveWorkspace(static_cast<size_t>(program->workspaceBytes));
    if (programs.size() >= maxPrograms) {
      stream->synchronize();
      if (last == programs.back().get())
        last = nullptr;
      programs.pop_back();
    }
    programs.push_front(std::move(program));
    return *programs.front();
  }

  void reserveWorkspace(size_t bytes) {
    if (bytes <= workspace.size())
      return;
    stream->synchronize();
    // Captured launches hold the old address; they are captured again.
    for (auto &program : programs)
      program->graph.reset();
    workspace = DeviceBuffer();
    workspace = DeviceBuffer(*device, bytes);
  }

  /// Everything up to the first launch.
  Program &prepare(const std::string &name, const AxisValues &given,
                   const std::map<std::string, HostTensor> &inputs) {
    const PlanFunction &function = getPublicFunction(name);
    if (!weights->isReady())
      throw Error({.what = "the session has no weights yet",
                   .where = "function '" + name + "'",
                   .mend = "load or draw them first"});
    device->makeCurrent();
    Program &program = getProgram(function, completeSymbols(function, given));
    last = nullptr; // its results are about to be overwritten
    std::byte *staged = staging->next(program.paramBytes);
    int64_t longest = stageInputs(program, inputs, staged);
    weights->setLongestSequence(*stream,
                                longestSequence ? longestSequence : longest);
    if (program.paramBytes)
      staging->copyTo(*stream, program.params[0].data, program.paramBytes);
    return program;
  }

  void launchAll(Program &program) {
    for (const auto &step : program.steps)
      step->kernel->launch(*stream, workspace.data());
  }

  void launchObserved(Program &program) {
    for (const auto &step : program.steps) {
      stream->synchronize();
      observer(step->launch, /*after=*/false);
      step->kernel->launch(*stream, workspace.data());
      stream->synchronize();
      observer(step->launch, /*after=*/true);
    }
  }
};

Session::Session(std::shared_ptr<const Plan> plan,
                 std::shared_ptr<Device> device, SessionLimits limits)
    : impl(std::make_unique<Impl>(std::move(plan), std::move(device), limits)) {
}

Session::~Session() = default;

const Plan &Session::getPlan() const { return *impl->plan; }
const SessionLimits &Session::getLimits() const { return impl->limits; }
Device &Session::getDevice() { return *impl->device; }
Stream &Session::getStream() { return *impl->stream; }

void Session::loadWeights(const Checkpoint &checkpoint,
                          const Progress &progress) {
  impl->device->makeCurrent();
  impl->stream->synchronize();
  impl->weights->load(checkpoint, progress);
}

void Session::drawWeights(uint64_t seed, const Progress &progress) {
  impl->device->makeCurrent();
  impl->stream->synchronize();
  impl->weights->draw(seed, progress);
}

void Session::addProvider(std::unique_ptr<Provider> provider) {
  impl->dropPrograms();
  std::string name(provider->getName());
  impl->providers[name] = std::move(provider);
}

void Session::run(const std::string &function, const AxisValues &symbols,
                  const std::map<std::string, HostTensor> &inputs,
                  bool useGraph) {
  Program &program = impl->prepare(function, symbols, inputs);
  if (impl->observer)
    impl->launchObserved(program);
  else if (useGraph && program.graph)
    impl->stream->replay(*program.graph);
  else
    impl->launchAll(program);
  // The first run has loaded what kernels load lazily; only then can it be
  // captured. A graph that a larger workspace invalidated is captured again.
  if (useGraph && !impl->observer && !program.graph)
    program.graph = impl->stream->capture([&] { impl->launchAll(program); });
  impl->last = &program;
}

HostTensor Session::getResult(const std::string &name) {
  if (!impl->last)
    throw Error({.what = "there is no result '" + name + "'",
                 .wanted = "a run that succeeded before"});
  const Program &program = *impl->last;
  std::string names;
  for (size_t i = 0; i < program.results.size(); ++i) {
    const PlanValue &value = program.function->values.at(
        static_cast<size_t>(program.function->results[i]));
    if (value.name == name) {
      const TensorRef &tensor = program.results[i];
      HostTensor result{tensor.dtype, tensor.shape, {}};
      result.bytes.resize(static_cast<size_t>(tensor.getSizeInBytes()));
      impl->device->makeCurrent();
      impl->stream->copyToHost(result.bytes.data(), tensor.data,
                               result.bytes.size());
      impl->stream->synchronize();
      return result;
    }
    names += (names.empty() ? "" : ", ") + value.name;
  }
  throw Error({.what = "an unknown result",
               .where = "function '" + program.function->name + "'",
               .wanted = names,
               .got = "'" + name + "'"});
}

void Session::setLongestSequence(int64_t length) {
  impl->longestSequence = length;
}

const Program &Session::bind(const std::string &function,
                             const AxisValues &symbols) {
  const PlanFunction &named = impl->getPublicFunction(function);
  return impl->getProgram(named, impl->completeSymbols(named, symbols));
}

void *Session::getWorkspace() { return impl->workspace.data(); }

Provider &Session::getProvider(const std::string &name) {
  return impl->getProvider(name);
}

static LaunchRecord makeRecord(const ProgramStep &step) {
  return {step.launch.task, step.launch.place, step.provider,
          step.kernelName,  step.uncovered,    /*milliseconds=*/0};
}

std::vector<LaunchRecord>
Session::profile(const std::string &function, const AxisValues &symbols,
                 const std::map<std::string, HostTensor> &inputs) {
  Program &program = impl->prepare(function, symbols, inputs);
  Stream &stream = *impl->stream;
  std::vector<std::unique_ptr<Event>> events;
  events.push_back(stream.record());
  for (const auto &step : program.steps) {
    step->kernel->launch(stream, impl->workspace.data());
    events.push_back(stream.record());
  }
  stream.synchronize();
  std::vector<LaunchRecord> records;
  for (size_t i = 0; i < program.steps.size(); ++i) {
    LaunchRecord record = makeRecord(*program.steps[i]);
    record.milliseconds = events[i + 1]->getMillisecondsSince(*events[i]);
    records.push_back(std::move(record));
  }
  impl->last = &program;
  return records;
}

void Session::setObserver(Observer observer) {
  impl->observer = std::move(observer);
}

MemoryReport Session::getMemory() const {
  MemoryReport report;
  report.weights = impl->weights->getBytes();
  for (const auto &[name, state] : impl->states)
    report.states += state.buffer.size();
  report.arena = impl->arena.size();
  report.workspace = impl->workspace.size();
  for (const auto &[name, memory] : impl->functions)
    report.io += memory.params.size() + memory.results.size();
  return report;
}

std::vector<LaunchRecord> Session::getLaunches() const {
  std::vector<LaunchRecord> records;
  if (impl->last)
    for (const auto &step : impl->last->steps)
      records.push_back(makeRecord(*step));
  return records;
}
