//===- main.cpp - fk-run --------------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "tools/fk/Tool.h"

int main(int argc, char **argv) { return fk::fkRunMain(argc, argv); }
