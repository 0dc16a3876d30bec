//===- ModelBuilder.cpp - Functions, captures, weights --------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Import/ModelBuilder.h"

#include "BuilderFrame.h"
#include "WeightSource.h"

#include "runtime/support/Error.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/STLExtras.h"

using namespace fk;
using namespace mlir;

/// Tokens in a page of the cache: what production kernels are tuned for.
static constexpr int64_t pageSize = 16;

namespace {
/// A parameter that a public function may have.
struct InputRule {
  llvm::StringRef name;
  llvm::StringRef element; ///< "i32", "i64", "f32"
  llvm::StringRef dims;    ///< comma-separated
  llvm::StringRef kind;    ///< of its role
  llvm::StringRef from;
};
} // namespace

static constexpr InputRule inputRules[] = {
    {"input_ids", "i32", "tokens", "packed", "input_ids"},
    {"token_type_ids", "i32", "tokens", "packed", "token_type_ids"},
    {"positions", "i32", "tokens", "positions", "position_ids"},
    {"cu_seqlens", "i32", "seqs + 1", "cu_seqlens", ""},
    {"seq_lens", "i32", "seqs", "seq_lens", ""},
    {"slots", "i32", "tokens", "slots", ""},
    {"block_table", "i32", "seqs,max_blocks", "block_table", ""},
    {"temperature", "f32", "seqs", "sampling", "temperature"},
    {"top_k", "i32", "seqs", "sampling", "top_k"},
    {"top_p", "f32", "seqs", "sampling", "top_p"},
    {"seed", "i64", "seqs", "sampling", "seed"},
    {"position", "i32", "seqs", "sampling", "position"},
};

static const InputRule &findInputRule(llvm::StringRef name) {
  const auto *rule = llvm::find_if(
      inputRules, [&](const InputRule &rule) { return rule.name == name; });
  assert(rule != std::end(inputRules) && "no such input");
  return *rule;
}

static Type parseElement(MLIRContext &context, llvm::StringRef name) {
  if (name == "f32")
    return Float32Type::get(&context);
  return IntegerType::get(&context, name == "i64" ? 64 : 32);
}

static FloatType getFloatType(MLIRContext &context, DType dtype) {
  switch (dtype) {
  case DType::BF16:
    return BFloat16Type::get(&context);
  case DType::F16:
    return Float16Type::get(&context);
  default:
    return Float32Type::get(&context);
  }
}

static std::string join(llvm::StringRef path, llvm::StringRef name) {
  if (path.empty() || name.empty())
    return (path + name).str();
  return (path + "." + name).str();
}

ModelBuilder::ModelBuilder(MLIRContext &context,
                           const Architecture &architecture, DType dtype,
                           WeightSource &weights)
    : context(context), builder(&context),
      module(ModuleOp::create(builder.getUnknownLoc())),
      architecture(architecture), weights(weights),
      element(getFloatType(context, dtype)) {}

ModelBuilder::~ModelBuilder() = default;

void ModelBuilder::setLimits(int64_t vocabSize, int64_t maxPositions) {
  this->vocabSize = vocabSize;
  this->maxPositions = maxPositions;
}

void ModelBuilder::setPositions(llvm::StringRef rule, int64_t paddingIdx) {
  positionRule = rule.str();
  this->paddingIdx = paddingIdx;
}

void ModelBuilder::setRope(RopeTable table) { ropeTable = std::move(table); }

bool ModelBuilder::hasWeight(llvm::StringRef name) const {
  return weights.find(name).has_value();
}

bool ModelBuilder::isTied(bool configSays, llvm::StringRef tied,
                          llvm::StringRef source) const {
  if (!configSays)
    return false;
  bool bothThere =
      weights.hasCheckpoint() && weights.find(tied) && weights.find(source);
  return !bothThere || weights.areEqual(tied, source);
}

//===----------------------------------------------------------------------===//
// Values and their symbols
//===----------------------------------------------------------------------===//

Location ModelBuilder::loc(llvm::StringRef name) {
  return NameLoc::get(builder.getStringAttr(name));
}

RankedTensorType ModelBuilder::tensor(llvm::ArrayRef<int64_t> shape,
                                      Type elementType) {
  return RankedTensorType::get(shape, elementType ? elementType : element);
}

int64_t ModelBuilder::width(Value x) const {
  return cast<RankedTensorType>(x.getType()).getShape().back();
}

llvm::StringRef ModelBuilder::symbol(Value x) const {
  auto it = symbols.find(x);
  assert(it != symbols.end() && "a tensor without a symbol");
  return it->second;
}

Value ModelBuilder::named(Value value, llvm::StringRef symbol) {
  symbols[value] = symbol.str();
  return value;
}

/// The fk.dims of a value; null where every extent is static.
ArrayAttr ModelBuilder::makeDims(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.hasStaticShape())
    return {};
  llvm::SmallVector<llvm::StringRef> names;
  symbol(value).split(names, ',');
  return builder.getStrArrayAttr(names);
}

/// How many rows `x` has, as an index: one tensor.dim a function and symbol.
Value ModelBuilder::rowCount(Value x) {
  Value &count = top().rowCounts[symbol(x).str()];
  if (count)
    return count;
  OpBuilder::InsertionGuard guard(builder);
  for (Value argument : top().function.getArguments()) {
    auto it = symbols.find(argument);
    if (it == symbols.end() || it->second != symbol(x))
      continue;
    builder.setInsertionPointToStart(&top().function.getBody().front());
    Location here = argument.getLoc();
    Value zero = arith::ConstantIndexOp::create(builder, here, 0);
    return count = tensor::DimOp::create(builder, here, argument, zero);
  }
  llvm_unreachable("no argument has the rows of this tensor");
}

//===----------------------------------------------------------------------===//
// Captures
//===----------------------------------------------------------------------===//

/// The value of `wanted` in the function at `depth`: in a public function an
/// op, in a block an argument that its caller will hand down.
Value ModelBuilder::capture(size_t depth, Capture wanted) {
  Frame &frame = *frames[depth];
  std::string key =
      std::to_string(int(wanted.kind)) + ":" + std::string(wanted.name);
  auto [it, isNew] = frame.captured.try_emplace(key, frame.captures.size());
  if (!isNew)
    return frame.captures[it->second].value;
  if (frame.isPublic) {
    wanted.value = materialize(frame, wanted);
  } else {
    func::FuncOp function = frame.function;
    unsigned index = function.getNumArguments();
    NamedAttrList attributes;
    if (wanted.kind == Capture::Kind::Input)
      attributes.set(attrs::dims,
                     builder.getStrArrayAttr(llvm::to_vector(
                         llvm::split(findInputRule(wanted.name).dims, ','))));
    else if (wanted.kind == Capture::Kind::RopeTable)
      attributes.set(attrs::dims, builder.getStrArrayAttr({"max_positions"}));
    if (failed(function.insertArgument(index, wanted.type,
                                       attributes.getDictionary(&context),
                                       loc(wanted.name))))
      llvm_unreachable("a function takes any argument");
    wanted.value = function.getArgument(index);
    if (wanted.kind == Capture::Kind::Input)
      named(wanted.value, findInputRule(wanted.name).dims);
    else if (wanted.kind == Capture::Kind::RopeTable)
      named(wanted.value, "max_positions");
  }
  frame.captures.push_back(wanted);
  return wanted.value;
}

Value ModelBuilder::materialize(Frame &frame, const Capture &wanted) {
  switch (wanted.kind) {
  case Capture::Kind::Input:
    for (auto [name, argument] :
         llvm::zip(frame.inputs, frame.function.getArguments()))
      if (name == wanted.name)
        return argument;
    llvm_unreachable("the public function lacks this input");
  case Capture::Kind::Weight:
    declareWeight(wanted.weight);
    return GetWeightOp::create(builder, loc(wanted.name), wanted.type,
                               wanted.name);
  case Capture::Kind::RopeTable:
    declareRope();
    return named(GetWeightOp::create(builder, loc(wanted.name), wanted.type,
                                     wanted.name),
                 "max_positions");
  case Capture::Kind::State: {
    auto [it, isNew] = states.try_emplace(wanted.name, states.size());
    std::string name = "kv." + std::to_string(it->second);
    if (isNew) {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointAfter(lastState ? lastState : lastWeight);
      lastState = StateOp::create(builder, loc(wanted.name), name, wanted.type);
    }
    return GetStateOp::create(builder, loc(wanted.name), wanted.type, name);
  }
  }
  llvm_unreachable("all kinds are handled");
}

Value ModelBuilder::input(llvm::StringRef name) {
  const InputRule &rule = findInputRule(name);
  llvm::SmallVector<int64_t> shape(rule.dims.count(',') + 1,
                                   ShapedType::kDynamic);
  Type type = tensor(shape, parseElement(context, rule.element));
  return capture(frames.size() - 1,
                 {Capture::Kind::Input, name.str(), {}, type, {}});
}

Value ModelBuilder::state(llvm::StringRef name, Type type) {
  return capture(frames.size() - 1,
                 {Capture::Kind::State, name.str(), {}, type, {}});
}

Value ModelBuilder::ropeValue() {
  assert(ropeTable && "setRope comes first");
  Type type = tensor({ShapedType::kDynamic, ropeTable->rotaryDim},
                     builder.getF32Type());
  return capture(frames.size() - 1,
                 {Capture::Kind::RopeTable, "rope.cos_sin", {}, type, {}});
}

Value ModelBuilder::weight(WeightRequest request) {
  std::string name = request.name;
  Type type = request.type;
  return capture(frames.size() - 1,
                 {Capture::Kind::Weight, name, std::move(request), type, {}});
}

Value ModelBuilder::weight(llvm::StringRef name,
                           llvm::ArrayRef<int64_t> shape) {
  return weight({name.str(), name.str(), 0, -1,
                 std::vector<int64_t>(shape.begin(), shape.end()),
                 tensor(shape)});
}

void ModelBuilder::declareWeight(const WeightRequest &request) {
  if (!declared.insert(request.name).second)
    return;
  std::string spelling = weights.use(request.tensor, request.stored);
  auto part = PartAttr::get(&context, spelling, request.begin, request.end);
  OpBuilder::InsertionGuard guard(builder);
  if (lastWeight)
    builder.setInsertionPointAfter(lastWeight);
  else
    builder.setInsertionPointToStart(module->getBody());
  lastWeight =
      WeightOp::create(builder, loc(request.name), request.name,
                       builder.getArrayAttr({part}), nullptr, request.type);
}

void ModelBuilder::declareRope() {
  if (!declared.insert("rope.cos_sin").second)
    return;
  const RopeTable &table = *ropeTable;
  NamedAttrList settings;
  auto number = [&](llvm::StringRef name, double value) {
    settings.set(name, builder.getF64FloatAttr(value));
  };
  number("theta", table.theta);
  bool usesOriginal = table.type != "default" && table.type != "linear";
  if (table.type != "default")
    number("factor", table.factor);
  if (usesOriginal)
    settings.set("original_max_positions",
                 builder.getI64IntegerAttr(table.originalMaxPositions));
  settings.set("max_positions", builder.getI64IntegerAttr(table.maxPositions));
  if (table.type == "llama3") {
    number("low_freq_factor", table.lowFreqFactor);
    number("high_freq_factor", table.highFreqFactor);
  }
  if (table.type == "yarn") {
    number("beta_fast", table.betaFast);
    number("beta_slow", table.betaSlow);
    number("mscale", table.mscale);
    number("mscale_all_dim", table.mscaleAllDim);
    settings.set("truncate", builder.getBoolAttr(table.truncate));
  }
  if (table.type == "yarn" || table.type == "longrope")
    number("attention_factor", table.attentionFactor);
  if (table.type == "longrope") {
    settings.set("short_factor",
                 builder.getDenseF64ArrayAttr(table.shortFactor));
    settings.set("long_factor", builder.getDenseF64ArrayAttr(table.longFactor));
  }
  auto attribute = RopeTableAttr::get(&context, table.type, table.rotaryDim,
                                      settings.getDictionary(&context));
  OpBuilder::InsertionGuard guard(builder);
  if (lastWeight)
    builder.setInsertionPointAfter(lastWeight);
  else
    builder.setInsertionPointToStart(module->getBody());
  lastWeight = WeightOp::create(
      builder, loc("rope.cos_sin"), "rope.cos_sin", nullptr, attribute,
      tensor({ShapedType::kDynamic, table.rotaryDim}, builder.getF32Type()));
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

DictionaryAttr ModelBuilder::makeRole(llvm::StringRef input) {
  const InputRule &rule = findInputRule(input);
  NamedAttrList role;
  role.set("kind", builder.getStringAttr(rule.kind));
  if (!rule.from.empty())
    role.set("from", builder.getStringAttr(rule.from));
  if (rule.kind == "positions") {
    role.set("rule", builder.getStringAttr(positionRule));
    if (positionRule == "non_padding")
      role.set("padding_idx", builder.getI64IntegerAttr(paddingIdx));
  }
  if (input == "token_type_ids")
    role.set("default_value", builder.getI64IntegerAttr(0));
  return role.getDictionary(&context);
}

void ModelBuilder::beginPublic(llvm::StringRef name,
                               llvm::ArrayRef<llvm::StringRef> inputs) {
  builder.setInsertionPointToEnd(module->getBody());
  auto function = func::FuncOp::create(builder, loc(name), name,
                                       builder.getFunctionType({}, {}));
  auto frame = std::make_unique<Frame>();
  frame->function = function;
  frame->isPublic = true;
  Block *body = function.addEntryBlock();
  frames.push_back(std::move(frame));
  builder.setInsertionPointToStart(body);
  for (llvm::StringRef input : inputs) {
    const InputRule &rule = findInputRule(input);
    llvm::SmallVector<llvm::StringRef> dims;
    rule.dims.split(dims, ',');
    llvm::SmallVector<int64_t> shape(dims.size(), ShapedType::kDynamic);
    NamedAttrList attributes;
    attributes.set(attrs::name, builder.getStringAttr(input));
    attributes.set(attrs::dims, builder.getStrArrayAttr(dims));
    attributes.set(attrs::role, makeRole(input));
    unsigned index = function.getNumArguments();
    if (failed(function.insertArgument(
            index, tensor(shape, parseElement(context, rule.element)),
            attributes.getDictionary(&context), loc(input))))
      llvm_unreachable("a function takes any argument");
    named(function.getArgument(index), rule.dims);
    top().inputs.push_back(input.str());
  }
}

void ModelBuilder::endPublic() {
  func::FuncOp function = top().function;
  llvm::SmallVector<Value> values;
  for (const Result &result : results)
    values.push_back(result.value);
  func::ReturnOp::create(builder, function.getLoc(), values);
  function.setFunctionType(builder.getFunctionType(
      function.getArgumentTypes(), ValueRange(values).getTypes()));
  for (auto [index, result] : llvm::enumerate(results)) {
    function.setResultAttr(index, attrs::name,
                           builder.getStringAttr(result.name));
    function.setResultAttr(index, attrs::dims, makeDims(result.value));
    function.setResultAttr(index, attrs::role,
                           builder.getDictionaryAttr(builder.getNamedAttr(
                               "kind", builder.getStringAttr(result.kind))));
  }
  std::string task = llvm::StringRef(architecture.modelType).str();
  std::replace(task.begin(), task.end(), '-', '_');
  if (paged)
    task += "_step";
  function->setAttr(attrs::task, TaskAttr::get(&context, task, Level::L4));
  results.clear();
  frames.pop_back();
}

void ModelBuilder::forward(llvm::ArrayRef<llvm::StringRef> inputs,
                           llvm::function_ref<void()> body) {
  paged = false;
  beginPublic("forward", inputs);
  body();
  endPublic();
}

void ModelBuilder::step(llvm::function_ref<Value()> rows,
                        llvm::function_ref<Value(Value)> logits) {
  paged = true;
  beginPublic("step", {"input_ids", "positions", "cu_seqlens", "seq_lens",
                       "slots", "block_table", "temperature", "top_k", "top_p",
                       "seed", "position"});
  Value answer = logits(gatherLastTokens(rows()));
  Value next =
      SampleOp::create(builder, loc("sample"),
                       tensor({ShapedType::kDynamic}, builder.getI32Type()),
                       answer, input("temperature"), input("top_k"),
                       input("top_p"), input("seed"), input("position"));
  result("next_tokens", "sequences", named(next, "seqs"));
  result("logits", "sequences", answer);
  endPublic();
}

void ModelBuilder::result(llvm::StringRef name, llvm::StringRef kind,
                          Value value) {
  results.push_back({name.str(), kind.str(), value});
}

/// Values of an erased function must not answer for later ones at the same
/// address.
void ModelBuilder::forget(func::FuncOp function) {
  for (Value argument : function.getArguments())
    symbols.erase(argument);
  function.walk([&](Operation *op) {
    for (Value value : op->getResults())
      symbols.erase(value);
  });
}

/// The function to call for `built`: an equal one that is there already, or
/// itself under a name of its own.
func::FuncOp ModelBuilder::keepOrReuse(func::FuncOp built,
                                       llvm::StringRef task) {
  std::vector<func::FuncOp> &known = functions[task.str()];
  for (func::FuncOp other : known) {
    if (other.getFunctionType() == built.getFunctionType() &&
        other.getArgAttrsAttr() == built.getArgAttrsAttr() &&
        OperationEquivalence::isRegionEquivalentTo(
            &other.getBody(), &built.getBody(),
            OperationEquivalence::IgnoreLocations)) {
      forget(built);
      built.erase();
      return other;
    }
  }
  // The task's name says which kind of cache it wants: a paged block takes
  // other operands than a dense one.
  std::string name = (paged ? "paged_" : "") + task.str();
  built->setAttr(attrs::task, TaskAttr::get(&context, name, Level::L3));
  std::string symbol = name;
  for (int count = 1; module->lookupSymbol(symbol); ++count)
    symbol = name + "_" + std::to_string(count);
  built.setName(symbol);
  if (lastFunction)
    module->getBody()->getOperations().insertAfter(
        Block::iterator(lastFunction), built);
  else
    module->getBody()->getOperations().insert(
        Block::iterator(frames.front()->function), built);
  lastFunction = built;
  known.push_back(built);
  return built;
}

Value ModelBuilder::block(llvm::StringRef task, llvm::StringRef path, Value x,
                          llvm::function_ref<Value(Value)> body) {
  OpBuilder::InsertPoint caller = builder.saveInsertionPoint();
  Location here = loc(path.empty() ? task : path);

  builder.clearInsertionPoint();
  auto function = func::FuncOp::create(
      builder, loc(task), task, builder.getFunctionType({x.getType()}, {}));
  function.setPrivate();
  Block *entry = function.addEntryBlock();
  entry->getArgument(0).setLoc(loc("hidden"));
  function.setArgAttr(0, attrs::dims, makeDims(x));
  named(entry->getArgument(0), symbol(x));
  frames.push_back(std::make_unique<Frame>());
  top().function = function;
  builder.setInsertionPointToStart(entry);
  Value answer = body(entry->getArgument(0));
  func::ReturnOp::create(builder, loc(task), answer);
  function.setFunctionType(
      builder.getFunctionType(entry->getArgumentTypes(), {answer.getType()}));
  function.setResultAttr(0, attrs::dims, makeDims(answer));
  std::string rows = symbol(answer).str();
  Type type = answer.getType();
  std::vector<Capture> captures = std::move(top().captures);
  frames.pop_back();
  func::FuncOp callee = keepOrReuse(function, task);

  builder.restoreInsertionPoint(caller);
  llvm::SmallVector<Value> operands = {x};
  for (Capture &wanted : captures) {
    if (wanted.kind == Capture::Kind::State)
      wanted.name = join(path, wanted.name);
    if (wanted.kind == Capture::Kind::Weight && !wanted.weight.absolute) {
      wanted.name = join(path, wanted.name);
      wanted.weight.name = wanted.name;
      wanted.weight.tensor = join(path, wanted.weight.tensor);
    }
    operands.push_back(capture(frames.size() - 1, wanted));
  }
  auto call = func::CallOp::create(builder, here, callee.getSymName(),
                                   TypeRange{type}, operands);
  return named(call.getResult(0), rows);
}

OwningOpRef<ModuleOp>
ModelBuilder::finish(llvm::StringRef name, int64_t padTokenId,
                     llvm::ArrayRef<int64_t> eosTokenIds) {
  NamedAttrList model;
  model.set("architecture", builder.getStringAttr(architecture.name));
  model.set("family", builder.getStringAttr(architecture.family));
  if (weights.hasCheckpoint())
    model.set("checkpoint", builder.getStringAttr(folder));
  model.set("vocab_size", builder.getI64IntegerAttr(vocabSize));
  model.set("max_positions", builder.getI64IntegerAttr(maxPositions));
  model.set("pad_token_id", builder.getI64IntegerAttr(padTokenId));
  model.set("eos_token_ids", builder.getI64ArrayAttr(eosTokenIds));
  model.set("page_size", builder.getI64IntegerAttr(lastState ? pageSize : 0));
  (*module)->setAttr(attrs::model, model.getDictionary(&context));
  module->setSymName(name);
  return std::move(module);
}

Type ModelBuilder::cacheType(int64_t kvHeads, int64_t headDim) {
  return KVCacheType::get(&context, pageSize, kvHeads, headDim, element);
}
