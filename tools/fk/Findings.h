//===- Findings.h - What is printed of kernels that misbehave --*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TOOLS_FK_FINDINGS_H
#define FK_TOOLS_FK_FINDINGS_H

#include "runtime/emulator/Emulator.h"
#include "runtime/support/Error.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace fk::tool {

/// Prints an error as every tool does, "error: ..." on one line. Those of PTX
/// are lines as compilers print them, and the findings of a kernel stand before
/// the error. Returns the exit code.
int printError(const Error &error);

/// A finding in the JSON of fk launch, kernels and sanitize.
nlohmann::ordered_json toJson(const emulator::Finding &finding);

} // namespace fk::tool

#endif // FK_TOOLS_FK_FINDINGS_H
