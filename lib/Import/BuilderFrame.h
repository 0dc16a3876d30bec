//===- BuilderFrame.h - A function under construction ----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_IMPORT_BUILDERFRAME_H
#define FK_LIB_IMPORT_BUILDERFRAME_H

#include "fk/Import/ModelBuilder.h"

#include "dialects/FK/FK.h"

namespace fk {

struct ModelBuilder::Frame {
  mlir::func::FuncOp function;
  bool isPublic = false;
  std::vector<std::string> inputs;        ///< public: names of the arguments
  std::vector<Capture> captures;          ///< in the order of first use
  std::map<std::string, size_t> captured; ///< kind and name -> index
  std::map<std::string, Value> rowCounts; ///< symbol -> index value
};

} // namespace fk

#endif // FK_LIB_IMPORT_BUILDERFRAME_H
