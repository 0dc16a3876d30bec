//===- Commands.h - The commands of the fk tool ----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TOOLS_FK_COMMANDS_H
#define FK_TOOLS_FK_COMMANDS_H

#include <functional>

namespace CLI {
class App;
}

namespace fk::tool {

/// What a chosen command does; returns the exit code.
using Action = std::function<int()>;

/// Each adds its subcommand to `app`; when that is the one chosen, `action` is
/// set to what it does.
void addListCommand(CLI::App &app, Action &action);
void addShowCommand(CLI::App &app, Action &action);
void addImportCommand(CLI::App &app, Action &action);
void addCompileCommand(CLI::App &app, Action &action);
void addCodegenCommand(CLI::App &app, Action &action);
void addRunCommand(CLI::App &app, Action &action);
void addGenerateCommand(CLI::App &app, Action &action);
void addEvalCommand(CLI::App &app, Action &action);
void addLaunchCommand(CLI::App &app, Action &action);
void addKernelsCommand(CLI::App &app, Action &action);
void addSanitizeCommand(CLI::App &app, Action &action);
void addDoctorCommand(CLI::App &app, Action &action);

} // namespace fk::tool

#endif // FK_TOOLS_FK_COMMANDS_H
