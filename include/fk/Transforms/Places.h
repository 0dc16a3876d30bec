//===- Places.h - Module paths of ops --------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The place of an op is the path of the module it was imported from. A location
// carries the part of it that is known where the op stands; a function that is
// called once per layer gives each of its ops one place a call.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TRANSFORMS_PLACES_H
#define FK_TRANSFORMS_PLACES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallVector.h"

#include <string>
#include <vector>

namespace fk {

/// The path a location names: the name of a NameLoc (joined to that of its
/// child, if the child is one), caller.callee of a CallSiteLoc, the last of a
/// FusedLoc that names one. Empty where it names none.
std::string getPlace(mlir::Location loc);

/// `prefix`.`rest`, either of which may be empty.
std::string joinPlaces(llvm::StringRef prefix, llvm::StringRef rest);

/// `loc` with the last component of its path replaced by `last`. A location
/// without a path stays as it is.
mlir::Location renamePlace(mlir::Location loc, llvm::StringRef last);

/// The places of the ops of a module, through the calls of their functions.
/// Stands for the module as it was when the map was made.
class PlaceMap {
public:
  explicit PlaceMap(mlir::ModuleOp module);

  /// All places of `op`, each once, in the order of the calls. At least one,
  /// which may be empty.
  llvm::SmallVector<std::string> getPlaces(mlir::Operation *op) const;

  /// One text for all of them: components that differ between calls become `*`
  /// (`model.layers.*.input_layernorm`), as `--substitute` takes them.
  std::string describe(mlir::Operation *op) const;

private:
  /// By function name, the places of its calls.
  llvm::MapVector<llvm::StringRef, std::vector<std::string>> prefixes;
};

/// PlaceMap::describe for a single op; the name of the function where no
/// location says more.
std::string describePlace(mlir::Operation *op);

} // namespace fk

#endif // FK_TRANSFORMS_PLACES_H
