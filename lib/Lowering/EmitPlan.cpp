//===- EmitPlan.cpp - The plan of a lowered module ------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Elements.h"
#include "PlanSymbols.h"
#include "dialects/FKPlan/FKPlan.h"
#include "fk/Candidate/Candidate.h"
#include "fk/Lowering/Compile.h"
#include "fk/Transforms/Places.h"
#include "runtime/support/Error.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace fk;

static int64_t getInteger(DictionaryAttr dict, StringRef name,
                          int64_t otherwise) {
  auto value = dict ? dict.getAs<IntegerAttr>(name) : IntegerAttr();
  return value ? value.getInt() : otherwise;
}

static std::string getString(DictionaryAttr dict, StringRef name) {
  auto value = dict ? dict.getAs<StringAttr>(name) : StringAttr();
  return value ? value.getValue().str() : std::string();
}

/// A scalar of a kernel or a setting. A float is worth what its type holds.
static double getNumber(Attribute value) {
  if (auto number = dyn_cast<FloatAttr>(value))
    return number.getValueAsDouble();
  auto number = cast<IntegerAttr>(value);
  return number.getType().isInteger(1) ? number.getValue().getZExtValue()
                                       : number.getInt();
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

static ModelInfo emitModel(ModuleOp module) {
  auto dict = module->getAttrOfType<DictionaryAttr>(fk::attrs::model);
  ModelInfo info;
  info.architecture = getString(dict, "architecture");
  info.family = getString(dict, "family");
  info.checkpoint = getString(dict, "checkpoint");
  info.vocabSize = getInteger(dict, "vocab_size", 0);
  info.maxPositions = getInteger(dict, "max_positions", 0);
  info.padTokenId = getInteger(dict, "pad_token_id", -1);
  info.pageSize = getInteger(dict, "page_size", 0);
  if (auto ids = dict ? dict.getAs<ArrayAttr>("eos_token_ids") : ArrayAttr())
    for (auto id : ids.getAsRange<IntegerAttr>())
      info.eosTokenIds.push_back(id.getInt());
  return info;
}

/// Static extents of a type; its one dynamic extent is `symbol`.
static Dims getShape(Type type, StringRef symbol) {
  Dims shape;
  for (int64_t size : getShapedType(type).getShape())
    shape.push_back(ShapedType::isDynamic(size)
                        ? Expr::parse(symbol.str(), "shape")
                        : Expr(size));
  return shape;
}

static RopeTable emitRopeTable(RopeTableAttr attr) {
  RopeTable table;
  table.type = attr.getType().str();
  table.rotaryDim = attr.getRotaryDim();
  DictionaryAttr settings = attr.getSettings();
  auto number = [&](StringRef name, auto &field) {
    if (Attribute value = settings.get(name))
      field = getNumber(value);
  };
  number("theta", table.theta);
  number("factor", table.factor);
  number("original_max_positions", table.originalMaxPositions);
  number("max_positions", table.maxPositions);
  number("low_freq_factor", table.lowFreqFactor);
  number("high_freq_factor", table.highFreqFactor);
  number("beta_fast", table.betaFast);
  number("beta_slow", table.betaSlow);
  number("attention_factor", table.attentionFactor);
  number("mscale", table.mscale);
  number("mscale_all_dim", table.mscaleAllDim);
  number("truncate", table.truncate);
  auto list = [&](StringRef name, std::vector<double> &field) {
    if (auto values = settings.getAs<ArrayAttr>(name))
      for (Attribute value : values)
        field.push_back(getNumber(value));
    else if (auto dense = settings.getAs<DenseF64ArrayAttr>(name))
      field.assign(dense.asArrayRef().begin(), dense.asArrayRef().end());
  };
  list("short_factor", table.shortFactor);
  list("long_factor", table.longFactor);
  return table;
}

static PlanWeight emitWeight(fk::WeightOp op) {
  PlanWeight weight;
  weight.name = op.getSymName().str();
  weight.dtype = *getDType(op.getType());
  weight.shape = getShape(op.getType(), "max_positions");
  if (op.getParts())
    for (auto part : op.getParts()->getAsRange<PartAttr>())
      weight.parts.push_back(
          {part.getTensor().str(), part.getBegin(), part.getEnd()});
  if (op.getRopeTable())
    weight.ropeTable = emitRopeTable(*op.getRopeTable());
  return weight;
}

static PlanState emitState(fk::StateOp op) {
  PlanState state;
  state.name = op.getSymName().str();
  state.kind = "kv_cache";
  state.dtype = *getDType(op.getType());
  state.shape = getShape(op.getType(), "pages");
  return state;
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

namespace {
class FunctionEmitter {
public:
  explicit FunctionEmitter(func::FuncOp func) : func(func) {}

  PlanFunction run() {
    plan.name = func.getSymName().str();
    plan.isPublic = func.isPublic();
    if (auto task = func->getAttrOfType<TaskAttr>(fk::attrs::task)) {
      plan.task = task.getName().str();
      plan.level = stringifyLevel(task.getLevel()).str();
    }
    for (BlockArgument argument : func.getArguments())
      emitArgument(argument);
    if (auto slots = func->getAttrOfType<ArrayAttr>(fkplan::attrs::slots))
      for (StringRef text : slots.getAsValueRange<StringAttr>())
        plan.slots.push_back(Expr::parse(text.str(), "slot"));
    for (Operation &op : func.getBody().front())
      TypeSwitch<Operation *>(&op)
          .Case([&](fkplan::BufferOp buffer) {
            plan.values[add(buffer, PlanValue::Kind::Buffer)].slot =
                *buffer.getSlot();
          })
          .Case([&](fkplan::ViewOp view) {
            int64_t base = indices.lookup(view.getSource());
            plan.values[add(view, PlanValue::Kind::View)].base = base;
          })
          .Case([&](fkplan::WeightOp weight) {
            plan.values[add(weight, PlanValue::Kind::Weight)].name =
                weight.getWeight().str();
          })
          .Case([&](fkplan::StateOp state) {
            plan.values[add(state, PlanValue::Kind::State)].name =
                state.getState().str();
          })
          .Case([&](fkplan::LaunchOp launch) { emitLaunch(launch); })
          .Case([&](fkplan::CallOp call) { emitCall(call); });
    return std::move(plan);
  }

private:
  int64_t add(Value value, PlanValue::Kind kind) {
    auto dims = fkplan::getDims(value);
    plan.values.push_back({.kind = kind,
                           .name = {},
                           .dtype = *getDType(value.getType()),
                           .shape = Dims(dims->begin(), dims->end()),
                           .role = {}});
    int64_t index = plan.values.size() - 1;
    indices[value] = index;
    return index;
  }

  void emitArgument(BlockArgument argument) {
    unsigned number = argument.getArgNumber();
    bool isResult = bool(func.getArgAttr(number, fkplan::attrs::result));
    int64_t index = add(argument, isResult ? PlanValue::Kind::Result
                                           : PlanValue::Kind::Param);
    PlanValue &value = plan.values[index];
    if (auto name = func.getArgAttrOfType<StringAttr>(number, fk::attrs::name))
      value.name = name.getValue().str();
    else
      value.name = getPlace(argument.getLoc());
    if (auto role =
            func.getArgAttrOfType<DictionaryAttr>(number, fk::attrs::role)) {
      value.role = {.kind = getString(role, "kind"),
                    .from = getString(role, "from"),
                    .rule = getString(role, "rule"),
                    .paddingIdx = getInteger(role, "padding_idx", 0),
                    .defaultValue = {}};
      if (role.get("default_value"))
        value.role.defaultValue = getInteger(role, "default_value", 0);
    }
    (isResult ? plan.results : plan.params).push_back(index);
  }

  std::vector<LaunchTensor>
  emitTensors(ArrayRef<std::pair<StringRef, Value>> named) {
    std::vector<LaunchTensor> tensors;
    for (auto [name, value] : named)
      tensors.push_back({name.str(), value ? indices.lookup(value) : -1});
    return tensors;
  }

  static std::vector<LaunchScalar>
  emitScalars(ArrayRef<std::pair<StringRef, Attribute>> named) {
    std::vector<LaunchScalar> scalars;
    for (auto [name, value] : named)
      scalars.push_back({name.str(),
                         *getDType(cast<TypedAttr>(value).getType()),
                         getNumber(value)});
    return scalars;
  }

  void emitLaunch(fkplan::LaunchOp op) {
    Launch launch;
    launch.task = op.getTask().str();
    launch.results = emitTensors(op.getNamedOuts());
    launch.operands = emitTensors(op.getNamedIns());
    launch.scalars = emitScalars(op.getNamedScalars());
    launch.variants = emitScalars(op.getNamedVariants());
    for (auto [name, text] : op.getNamedAxes())
      launch.axes.push_back({name.str(), Expr::parse(text.str(), name.str())});
    for (auto kernel : op.getKernels().getAsRange<KernelAttr>())
      launch.kernels.push_back(
          {kernel.getProvider().str(), kernel.getName().str(),
           kernel.getWhere().empty()
               ? Expr()
               : Expr::parseCondition(kernel.getWhere().str(),
                                      kernel.getName().str())});
    plan.steps.push_back({getPlace(op.getLoc()), std::move(launch)});
  }

  void emitCall(fkplan::CallOp op) {
    Call call;
    call.callee = op.getCallee().str();
    for (Value in : op.getIns())
      call.args.push_back(indices.lookup(in));
    for (Value out : op.getOuts())
      call.results.push_back(indices.lookup(out));
    plan.steps.push_back({getPlace(op.getLoc()), std::move(call)});
  }

  func::FuncOp func;
  PlanFunction plan;
  llvm::DenseMap<Value, int64_t> indices;
};
} // namespace

/// The element type of the arithmetic: that of the first weight from the
/// checkpoint, else of the first floating result.
static DType findDType(const Plan &plan) {
  for (const PlanWeight &weight : plan.weights)
    if (!weight.ropeTable && isFloat(weight.dtype))
      return weight.dtype;
  for (const PlanFunction &function : plan.functions)
    for (int64_t result : function.results)
      if (function.isPublic && isFloat(function.values[result].dtype))
        return function.values[result].dtype;
  return DType::F32;
}

FailureOr<Plan> fk::emitPlan(ModuleOp module, const CompileOptions &options) {
  try {
    Plan plan;
    plan.model = emitModel(module);
    plan.device = options.device;
    plan.arch = options.device == "cuda" ? options.arch : "";
    plan.symbols = collectSymbols(module);
    for (Operation &op : *module.getBody()) {
      if (auto weight = dyn_cast<fk::WeightOp>(op))
        plan.weights.push_back(emitWeight(weight));
      else if (auto state = dyn_cast<fk::StateOp>(op))
        plan.states.push_back(emitState(state));
      else if (auto func = dyn_cast<func::FuncOp>(op))
        plan.functions.push_back(FunctionEmitter(func).run());
      else if (auto candidate = dyn_cast<CandidateOp>(op)) {
        LoadedCandidate loaded = fromManifestText(candidate.getManifest().str(),
                                                  candidate.getSymName().str());
        plan.candidates.push_back(std::move(loaded.info));
        plan.images.merge(loaded.images);
      }
    }
    plan.dtype = findDType(plan);
    plan.verify("the compiled plan");
    return plan;
  } catch (const Error &error) {
    return module.emitError(error.what());
  }
}
