//===- ModelSource.h - What a command is given as its model ----*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_TOOLS_FK_MODELSOURCE_H
#define FK_TOOLS_FK_MODELSOURCE_H

#include "fk/Lowering/Compile.h"
#include "runtime/Plan.h"
#include "runtime/Session.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace fk::tool {

/// The options every command that takes a model shares.
struct ModelOptions {
  std::string model; ///< folder, shipped name, .mlir or .fkx
  std::string dtype = "auto";
  std::string device = "host";
  std::string arch = "sm_90a";
  std::string weights; ///< folder of the checkpoint, where `model` is a file
  std::vector<std::string> substitutes;
  std::vector<std::string> disabledFusions;
  std::vector<std::string> prefer;
  bool noFuse = false, noClusters = false;
  std::optional<uint64_t> randomWeights;
  bool quiet = false;
};

/// Adds the model argument and the shared options to a command. `runs`: also
/// those of running it (weights, random weights).
void addModelOptions(CLI::App &command, ModelOptions &options, bool runs);

/// A context with the dialects that models and plans need.
std::unique_ptr<mlir::MLIRContext> createContext();

/// The module of a folder, a shipped model's name or an .mlir file.
mlir::OwningOpRef<mlir::ModuleOp> openModule(mlir::MLIRContext &context,
                                             const ModelOptions &options);

/// Compiles `module`, or throws Error where a pass failed (it has said why).
Plan compileModule(mlir::ModuleOp module, const ModelOptions &options);

/// The plan of a model, compiled here unless it is one already (.fkx).
Plan openPlan(const ModelOptions &options);

/// The folder of the checkpoint of a model; empty where weights are drawn.
std::filesystem::path getCheckpointFolder(const ModelOptions &options,
                                          const Plan &plan);

/// A session with its weights loaded or drawn; says on stderr how far it is
/// unless quiet.
std::unique_ptr<Session> openSession(std::shared_ptr<const Plan> plan,
                                     std::shared_ptr<Device> device,
                                     const SessionLimits &limits,
                                     const ModelOptions &options);

/// Where the configs of shipped models lie (models/<family>/configs).
std::vector<std::filesystem::path> listShippedConfigs();

} // namespace fk::tool

#endif // FK_TOOLS_FK_MODELSOURCE_H
