//===- Tool.h - The entry points of the multi-call binary ------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TOOLS_FK_TOOL_H
#define FK_TOOLS_FK_TOOL_H

namespace fk {

/// `fk <command> ...`; returns the exit code.
int fkMain(int argc, char **argv);
/// `fk-opt ...`, in tools/fk-opt.
int fkOptMain(int argc, char **argv);
/// `fk-run ...`, in tools/fk-run.
int fkRunMain(int argc, char **argv);

} // namespace fk

#endif // FK_TOOLS_FK_TOOL_H
