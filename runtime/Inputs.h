//===- Inputs.h - What a function accepts from its caller ------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_INPUTS_H
#define FK_RUNTIME_INPUTS_H

#include "runtime/Program.h"
#include "runtime/Session.h"

#include <optional>
#include <vector>

namespace fk {

/// The bounds of every parameter for these values of the symbols.
std::vector<InputBounds> getInputBounds(const Plan &plan,
                                        const PlanFunction &function,
                                        const AxisValues &symbols);

/// Checks that `inputs` are exactly the program's parameters, of the right type
/// and shape, with every index inside its table, and copies them to `staging`
/// (program.paramBytes bytes, laid out as the parameters are). Returns the
/// longest sequence that the positions speak of, 0 where there are none.
int64_t stageInputs(const Program &program,
                    const std::map<std::string, HostTensor> &inputs,
                    std::byte *staging);

/// A host tensor of a parameter's integer type from 64-bit values. Throws Error
/// where the parameter holds something else.
HostTensor makeIndexTensor(const PlanValue &param,
                           const std::vector<int64_t> &values,
                           std::vector<int64_t> shape);

} // namespace fk

#endif // FK_RUNTIME_INPUTS_H
