//===- Doctor.cpp - fk doctor ---------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// What is here, what is missing, what that costs, and the line that mends it.
//
//===----------------------------------------------------------------------===//

#include "lib/Candidate/Toolchain.h"
#include "runtime/Device.h"
#include "runtime/Kernel.h"
#include "runtime/support/Error.h"
#include "tools/fk/Commands.h"

#include "llvm/Config/llvm-config.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <iostream>
#include <set>
#include <thread>

using namespace fk;
using json = nlohmann::ordered_json;

namespace {

struct Finding {
  std::string name, state, detail, mend;
};

Finding checkTool(const char *name, const std::string &path, const char *cost) {
  if (!path.empty())
    return {name, "found", path, ""};
  return {name, "missing", cost, "install a CUDA 13 toolkit, or: make deps"};
}

Finding checkDevice() {
  try {
    std::unique_ptr<Device> device = createCudaDevice();
    return {"GPU", "found", device->getDescription(), ""};
  } catch (const Error &error) {
    return {"GPU", "missing", error.getText().what,
            error.getText().mend.empty()
                ? "run with --device host, or on a machine with an NVIDIA GPU"
                : error.getText().mend};
  }
}

Finding checkCublasLt() {
  try {
    std::unique_ptr<Device> device = createCudaDevice();
    createCublasLtProvider(*device);
    return {"cublasLt", "found", "provider cublaslt", ""};
  } catch (const Error &error) {
    return {"cublasLt", "missing", error.getText().what,
            error.getText().mend.empty()
                ? "set FK_CUDA_LIBS to the folder of libcublasLt.so"
                : error.getText().mend};
  }
}

int runDoctor(bool asJson) {
  std::vector<Finding> findings;
  findings.push_back({"fk", "found", "MLIR " LLVM_VERSION_STRING, ""});
  findings.push_back(
      {"CPU", "found",
       std::to_string(std::thread::hardware_concurrency()) + " threads", ""});
  findings.push_back(checkTool("ptxas", findCudaTool("ptxas").string(),
                               "candidates are not assembled before they run"));
  findings.push_back(checkTool("nvcc", findCudaTool("nvcc").string(),
                               ".cu candidates are refused"));
  findings.push_back(checkDevice());
  if (findings.back().state == "found")
    findings.push_back(checkCublasLt());
  std::set<std::string> providers;
  for (const KernelInfo &kernel : getKernelCatalog())
    providers.emplace(kernel.provider);
  std::string names;
  for (const std::string &provider : providers)
    names += (names.empty() ? "" : ", ") + provider;
  findings.push_back({"providers", "built", names, ""});

  if (asJson) {
    json out = json::array();
    for (const Finding &finding : findings)
      out.push_back({{"name", finding.name},
                     {"state", finding.state},
                     {"detail", finding.detail},
                     {"mend", finding.mend}});
    std::cout << out.dump(2) << "\n";
    return 0;
  }
  for (const Finding &finding : findings) {
    std::cout << finding.name << ": " << finding.state << ": "
              << finding.detail;
    if (!finding.mend.empty())
      std::cout << " (" << finding.mend << ")";
    std::cout << "\n";
  }
  return 0;
}

} // namespace

void tool::addDoctorCommand(CLI::App &app, Action &action) {
  auto *command =
      app.add_subcommand("doctor", "What is found, what is missing, the mend");
  auto asJson = std::make_shared<bool>(false);
  command->add_flag("--json", *asJson, "Machine-readable");
  command->callback(
      [asJson, &action] { action = [asJson] { return runDoctor(*asJson); }; });
}
