//===- Findings.cpp - What is printed of kernels that misbehave -----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "tools/fk/Findings.h"

#include "runtime/host/Launcher.h"

#include <nlohmann/json.hpp>

#include <iostream>

using namespace fk;

int tool::printError(const Error &error) {
  if (auto *ptx = dynamic_cast<const ptx::PtxError *>(&error)) {
    for (const std::string &line : ptx->getLines())
      std::cerr << line << "\n";
    return error.getExitCode();
  }
  if (auto *findings = dynamic_cast<const host::FindingsError *>(&error))
    for (const std::string &line : findings->getLines())
      std::cerr << line << "\n";
  std::cerr << "error: " << error.what() << "\n";
  return error.getExitCode();
}

nlohmann::ordered_json tool::toJson(const emulator::Finding &finding) {
  return {{"kind", getName(finding.kind)}, {"kernel", finding.kernel},
          {"line", finding.location.line}, {"column", finding.location.column},
          {"block", finding.block},        {"thread", finding.thread},
          {"address", finding.address},    {"text", finding.text},
          {"count", finding.count}};
}
