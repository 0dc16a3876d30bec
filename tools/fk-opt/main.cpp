//===- main.cpp - fk-opt as a program of its own --------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "tools/fk-opt/FkOpt.h"

int main(int argc, char **argv) { return fk::fkOptMain(argc, argv); }
