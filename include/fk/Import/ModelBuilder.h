//===- ModelBuilder.h - Builds a model task by task ------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// What a model file writes against. Names are module paths relative to the
// block being built: `b.linear(x, "q_proj", n)` inside the block at
// "model.layers.0.self_attn" loads "model.layers.0.self_attn.q_proj.weight" and
// has "q_proj" as its location.
//
// A block is a function with #fk.task. It is built at every call and kept only
// where no function equal to it is there yet, so that equal layers share one
// and layers that differ get their own, without the model file saying so.
// Weights, states, positions and the like that a block asks for become its
// arguments, and its callers hand them down.
//
//===----------------------------------------------------------------------===//

#ifndef FK_IMPORT_MODELBUILDER_H
#define FK_IMPORT_MODELBUILDER_H

#include "fk/Import/Architecture.h"
#include "fk/Import/Config.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>
#include <memory>
#include <utility>

namespace fk {

class WeightSource;

/// How attention weighs and masks.
struct AttentionOptions {
  double scale = 0; ///< of the scores; 0: 1 / sqrt(head_dim)
  bool causal = true;
  int64_t window = 0; ///< a query sees itself and window - 1 before; 0: all
};

class ModelBuilder {
public:
  using Value = mlir::Value;

  ModelBuilder(mlir::MLIRContext &context, const Architecture &architecture,
               DType dtype, WeightSource &weights);
  ~ModelBuilder();

  //===--------------------------------------------------------------------===//
  // The model as a whole
  //===--------------------------------------------------------------------===//

  /// The model's folder, for files beside config.json that change the graph.
  void setFolder(std::string path) { folder = std::move(path); }
  const std::string &getFolder() const { return folder; }

  void setLimits(int64_t vocabSize, int64_t maxPositions);
  /// How positions follow from the ids where the caller gives none: "index", or
  /// "non_padding" with the id of the padding.
  void setPositions(llvm::StringRef rule, int64_t paddingIdx = 0);
  /// The table that `rope` reads.
  void setRope(RopeTable table);

  /// The public function of a packed batch without cache. `inputs` are names of
  /// the table in ModelBuilder.cpp, in the order of the parameters.
  void forward(llvm::ArrayRef<llvm::StringRef> inputs,
               llvm::function_ref<void()> body);
  /// The public function over the paged cache: `rows` gives a row for every
  /// token, `logits` turns the last rows into logits; sampling follows.
  void step(llvm::function_ref<Value()> rows,
            llvm::function_ref<Value(Value)> logits);
  /// A result of the public function: "rows" or "sequences".
  void result(llvm::StringRef name, llvm::StringRef kind, Value value);

  /// An input of the public function, from any depth.
  Value input(llvm::StringRef name);

  /// Whether the checkpoint has a weight; true where there is no checkpoint.
  bool hasWeight(llvm::StringRef name) const;
  /// Whether `tied` is to be the same as `source`: as the config says, unless
  /// the checkpoint has two different tensors.
  bool isTied(bool configSays, llvm::StringRef tied,
              llvm::StringRef source) const;

  //===--------------------------------------------------------------------===//
  // Blocks
  //===--------------------------------------------------------------------===//

  /// Calls `body` as the task function `task` at the module `path`. Where the
  /// library has no module for the block, `path` is empty and the place is the
  /// task's name.
  Value block(llvm::StringRef task, llvm::StringRef path, Value x,
              llvm::function_ref<Value(Value)> body);

  //===--------------------------------------------------------------------===//
  // Tasks
  //===--------------------------------------------------------------------===//

  Value embedding(Value ids, llvm::StringRef name, int64_t rows, int64_t hidden,
                  double scale = 1.0);
  Value linear(Value x, llvm::StringRef name, int64_t outFeatures,
               bool bias = false);
  /// Rows [begin, begin + outFeatures) of a checkpoint tensor of `rows` rows
  /// that holds several projections. `name` is what the projection is called.
  Value linearPart(Value x, llvm::StringRef name, llvm::StringRef fused,
                   int64_t begin, int64_t outFeatures, int64_t rows);
  /// The product with the weight of another module: `weight` is a full path.
  Value linearTied(Value x, llvm::StringRef name, llvm::StringRef weight,
                   int64_t outFeatures);
  Value rmsNorm(Value x, llvm::StringRef name, double epsilon,
                double weightOffset = 0.0);
  /// rms_norm of each head of [tokens, heads, head_dim].
  Value headNorm(Value x, llvm::StringRef name, double epsilon);
  Value layerNorm(Value x, llvm::StringRef name, double epsilon,
                  bool bias = true);
  Value l2Norm(Value x, llvm::StringRef name, double epsilon);

  /// [tokens, heads * head_dim] <-> [tokens, heads, head_dim].
  Value splitHeads(Value x, int64_t heads);
  Value mergeHeads(Value x);
  /// Turns queries and keys by their positions.
  std::pair<Value, Value> rope(Value query, Value key);
  /// Dense in `forward`; in `step` it writes keys and values to the paged cache
  /// and reads them there.
  Value attention(Value query, Value key, Value value,
                  const AttentionOptions &options);

  Value add(Value lhs, Value rhs, llvm::StringRef name);
  Value mul(Value lhs, Value rhs, llvm::StringRef name);
  Value activation(Value x, Activation kind, llvm::StringRef name = "act_fn");
  Value tanh(Value x, llvm::StringRef name);
  /// One row a sequence: the last, the first, or their mean.
  Value gatherLastTokens(Value x);
  Value pool(Value x, llvm::StringRef name, bool mean);

  //===--------------------------------------------------------------------===//
  // For the importer
  //===--------------------------------------------------------------------===//

  mlir::ModuleOp getModule() { return *module; }
  /// Puts `fk.model` on the module and hands it over.
  mlir::OwningOpRef<mlir::ModuleOp> finish(llvm::StringRef name,
                                           int64_t padTokenId,
                                           llvm::ArrayRef<int64_t> eosTokenIds);

private:
  /// A weight as an architecture asks for it.
  struct WeightRequest {
    std::string name;   ///< symbol, relative to the frame
    std::string tensor; ///< of the checkpoint, relative to the frame
    int64_t begin = 0, end = -1;
    std::vector<int64_t> stored; ///< shape of the tensor
    mlir::RankedTensorType type;
    bool absolute = false; ///< names are full paths
  };
  /// What a block takes beyond its input.
  struct Capture {
    enum class Kind { Input, Weight, State, RopeTable };
    Kind kind;
    std::string name;
    WeightRequest weight;
    mlir::Type type;
    mlir::Value value;
  };
  struct Frame;

  Frame &top() { return *frames.back(); }
  mlir::Location loc(llvm::StringRef name);
  mlir::RankedTensorType tensor(llvm::ArrayRef<int64_t> shape,
                                mlir::Type element = {});
  int64_t width(Value x) const;
  llvm::StringRef symbol(Value x) const;
  Value named(Value value, llvm::StringRef symbol);
  Value rowCount(Value x);

  Value capture(size_t depth, Capture wanted);
  Value materialize(Frame &frame, const Capture &wanted);
  Value weight(llvm::StringRef name, llvm::ArrayRef<int64_t> shape);
  Value weight(WeightRequest request);
  Value makeLinear(Value x, llvm::StringRef name, Value weight, Value bias);
  Value state(llvm::StringRef name, mlir::Type type);
  Value ropeValue();
  mlir::Type cacheType(int64_t kvHeads, int64_t headDim);
  void beginPublic(llvm::StringRef name,
                   llvm::ArrayRef<llvm::StringRef> inputs);
  void endPublic();
  mlir::func::FuncOp keepOrReuse(mlir::func::FuncOp built,
                                 llvm::StringRef task);
  void forget(mlir::func::FuncOp function);
  mlir::DictionaryAttr makeRole(llvm::StringRef input);
  mlir::ArrayAttr makeDims(Value value);
  void declareWeight(const WeightRequest &request);
  void declareRope();

  mlir::MLIRContext &context;
  mlir::OpBuilder builder;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  const Architecture &architecture;
  WeightSource &weights;
  mlir::FloatType element;

  std::vector<std::unique_ptr<Frame>> frames;
  std::string folder;
  bool paged = false;
  int64_t vocabSize = 0, maxPositions = 0;
  std::string positionRule = "index";
  int64_t paddingIdx = 0;
  std::optional<RopeTable> ropeTable;

  /// The names of every tensor's dynamic dimensions, comma-separated.
  llvm::DenseMap<Value, std::string> symbols;
  std::map<std::string, std::vector<mlir::func::FuncOp>> functions;
  std::map<std::string, int64_t> states;
  std::set<std::string> declared;
  mlir::Operation *lastWeight = nullptr, *lastState = nullptr,
                  *lastFunction = nullptr;
  struct Result {
    std::string name, kind;
    Value value;
  };
  std::vector<Result> results;
};

} // namespace fk

#endif // FK_IMPORT_MODELBUILDER_H
