//===- EvaluatorBody.h - The body of one linalg op -------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_LIB_CODEGEN_EVALUATORBODY_H
#define FK_LIB_CODEGEN_EVALUATORBODY_H

#include "lib/Codegen/Evaluator.h"

namespace fk {

/// What is known of the values of a body while it is emitted.
struct Evaluator::Body {
  explicit Body(llvm::ArrayRef<Coord> loops)
      : loops(loops.begin(), loops.end()) {
    for (const Coord &coord : this->loops)
      if (coord.columns)
        columns = coord.columns;
  }

  Coords loops;
  Columns *columns = nullptr; ///< of the loop over columns, if there is one
  llvm::DenseMap<mlir::Value, Lanes> values;
  llvm::DenseMap<mlir::Value, Coord> coords; ///< values that are columns
  mlir::Operation *skipped = nullptr;        ///< not to be emitted
};

} // namespace fk

#endif // FK_LIB_CODEGEN_EVALUATORBODY_H
