//===- Program.h - A function bound to memory and kernels ------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A program is a public function of the plan for one set of symbol values: its
// calls flattened into a list of launches, every tensor at its address, every
// launch with its kernel.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_PROGRAM_H
#define FK_RUNTIME_PROGRAM_H

#include "runtime/Device.h"
#include "runtime/Kernel.h"
#include "runtime/Plan.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fk {

struct ProgramStep {
  BoundLaunch launch;
  std::unique_ptr<Kernel> kernel;
  std::string provider, kernelName;
  /// Candidates bound here that do not serve these axes, "" where none.
  std::string uncovered;
};

/// Bounds of the integers in each parameter of a function, known from its role
/// and from the tables it indexes.
struct InputBounds {
  int64_t low = 0, high = -1; ///< inclusive; none where high < low
  std::string meaning;        ///< "a row of the table"
};

struct Program {
  const PlanFunction *function = nullptr;
  AxisValues symbols;
  std::vector<TensorRef> params, results; ///< in the function's order
  std::vector<InputBounds> bounds;        ///< of each param
  size_t paramBytes = 0;                  ///< from the first param to the last
  std::vector<std::unique_ptr<ProgramStep>> steps;
  int64_t workspaceBytes = 0;
  std::unique_ptr<Graph> graph;
};

/// Where a program's tensors lie.
struct ProgramMemory {
  void *params = nullptr;  ///< parameters, one after the other
  void *results = nullptr; ///< results, laid out for the limits
  void *arena = nullptr;
  size_t arenaBytes = 0;
  std::function<const TensorRef &(std::string_view)> getWeight, getState;
  std::function<Provider &(const std::string &)> getProvider;
};

/// Bytes of the arena that a function and its callees need.
int64_t getFrameBytes(const Plan &plan, const PlanFunction &function,
                      const AxisValues &symbols);

/// Bytes of a public function's parameters or results, each aligned to 256;
/// `offsets` gets where each lies.
size_t layOut(const PlanFunction &function, const std::vector<int64_t> &values,
              const AxisValues &symbols, std::vector<size_t> *offsets);

/// Flattens and binds. `limits` are the symbols' values that the results are
/// laid out for. Throws Error where no kernel serves a launch.
std::unique_ptr<Program> buildProgram(const Plan &plan,
                                      const PlanFunction &function,
                                      const AxisValues &symbols,
                                      const AxisValues &limits,
                                      const ProgramMemory &memory);

/// The number of rows of the tables that a parameter's integers index: the
/// smallest over the embedding tasks it goes into; nullopt where there is none.
std::optional<int64_t>
getIndexLimit(const Plan &plan, const PlanFunction &function, size_t param);

} // namespace fk

#endif // FK_RUNTIME_PROGRAM_H
