//===- main.cpp - fk, and in the static build fk-opt and fk-run -----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "tools/fk/Tool.h"

#include <filesystem>
#include <string_view>

/// One binary serves all three tools: by the name it is called by, or by its
/// first argument (`fk opt ...`, `fk fk-run ...`).
int main(int argc, char **argv) {
  const std::string name = std::filesystem::path(argv[0]).filename().string();
  if (name == "fk-opt")
    return fk::fkOptMain(argc, argv);
  if (name == "fk-run")
    return fk::fkRunMain(argc, argv);
  if (argc > 1) {
    const std::string_view command = argv[1];
    if (command == "opt" || command == "fk-opt")
      return fk::fkOptMain(argc - 1, argv + 1);
    if (command == "fk-run")
      return fk::fkRunMain(argc - 1, argv + 1);
  }
  return fk::fkMain(argc, argv);
}
