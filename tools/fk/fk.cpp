//===- fk.cpp - The fk tool -----------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/support/Error.h"
#include "tools/fk/Commands.h"
#include "tools/fk/Findings.h"
#include "tools/fk/Tool.h"

#include <CLI/CLI.hpp>

#include <iostream>

using namespace fk;

int fk::fkMain(int argc, char **argv) {
  CLI::App app("fk: a compiler that is a GPU-kernel benchmark", "fk");
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of every command");
  app.footer("fk opt ... and fk fk-run ... are the tools fk-opt and fk-run.\n"
             "Exit codes: 0 fine, 1 wrong or slower than asked, 2 bad input or "
             "usage, 3 infrastructure.");

  tool::Action action;
  tool::addListCommand(app, action);
  tool::addShowCommand(app, action);
  tool::addImportCommand(app, action);
  tool::addCompileCommand(app, action);
  tool::addCodegenCommand(app, action);
  tool::addRunCommand(app, action);
  tool::addGenerateCommand(app, action);
  tool::addEvalCommand(app, action);
  tool::addLaunchCommand(app, action);
  tool::addKernelsCommand(app, action);
  tool::addSanitizeCommand(app, action);
  tool::addDoctorCommand(app, action);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    // CLI11 has exit codes of its own; usage is 2 here, --help is 0.
    return app.exit(error) == 0 ? 0 : 2;
  }

  try {
    return action();
  } catch (const Error &error) {
    return tool::printError(error);
  } catch (const std::bad_alloc &) {
    std::cerr << "error: out of host memory\n";
    return static_cast<int>(ErrorKind::Infrastructure);
  }
}
