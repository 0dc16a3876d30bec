//===- FKDialect.cpp - The task dialect -----------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/FK.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace fk;

#include "dialects/FK/FKDialect.cpp.inc"
#include "dialects/FK/FKEnums.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/FK/FKTypes.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/FK/FKAttrs.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/FK/FKOps.cpp.inc"

void FKDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/FK/FKTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/FK/FKAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/FK/FKOps.cpp.inc"
      >();
}
