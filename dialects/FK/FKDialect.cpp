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

/// `, begin to end`, left out where it is the whole tensor.
static ParseResult parsePartRange(AsmParser &parser, int64_t &begin,
                                  int64_t &end) {
  begin = 0;
  end = -1;
  if (failed(parser.parseOptionalComma()))
    return success();
  return failure(parser.parseInteger(begin) || parser.parseKeyword("to") ||
                 parser.parseInteger(end));
}

static void printPartRange(AsmPrinter &printer, int64_t begin, int64_t end) {
  if (begin != 0 || end != -1)
    printer << ", " << begin << " to " << end;
}

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
