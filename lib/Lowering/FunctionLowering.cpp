//===- FunctionLowering.cpp - One function of fk-lower-to-plan ------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "FunctionLowering.h"

#include "CandidateInfo.h"
#include "dialects/FK/SymbolicExpr.h"
#include "fk/Transforms/Places.h"
#include "fk/Transforms/TaskFunctions.h"
#include "runtime/Plan.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace fk;

/// The memref of a tensor or state type.
static MemRefType getMemRefType(Type type) {
  RankedTensorType shaped = getShapedType(type);
  return MemRefType::get(shaped.getShape(), shaped.getElementType());
}

/// The names of the dynamic dimensions of `type`, which is shaped as `shape`.
static ArrayAttr nameDims(MLIRContext *context, MemRefType type,
                          ArrayRef<Expr> shape) {
  SmallVector<Attribute> names;
  for (auto [size, extent] : llvm::zip_equal(type.getShape(), shape))
    if (ShapedType::isDynamic(size))
      names.push_back(StringAttr::get(context, extent.str()));
  return ArrayAttr::get(context, names);
}

LogicalResult FunctionLowering::run() {
  if (!func.getBody().hasOneBlock())
    return func.emitError("'@") << func.getSymName()
                                << "' has several blocks: wanted a straight "
                                   "line of tasks, got control flow";
  if (failed(createFunction()) || failed(placeResults()))
    return failure();
  for (Operation &op : func.getBody().front())
    if (failed(lower(&op)))
      return failure();
  return success();
}

LogicalResult FunctionLowering::createFunction() {
  MLIRContext *context = func.getContext();
  Operation *exit = func.getBody().front().getTerminator();
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> argAttrs;
  SmallVector<Location> locs;
  auto add = [&](Value value, DictionaryAttr attrs, bool isResult) {
    MemRefType type = getMemRefType(value.getType());
    NamedAttrList list(attrs);
    list.erase(fk::attrs::dims);
    if (type.getNumDynamicDims())
      list.set(fk::attrs::dims, nameDims(context, type, dims.getDims(value)));
    if (isResult)
      list.set(fkplan::attrs::result, UnitAttr::get(context));
    types.push_back(type);
    argAttrs.push_back(list.getDictionary(context));
    locs.push_back(value.getLoc());
  };
  for (auto [index, argument] : llvm::enumerate(func.getArguments())) {
    if (!getShapedType(argument.getType()))
      return func.emitError("argument ")
             << index << " of '@" << func.getSymName()
             << "' has no place in a plan: wanted a ranked tensor or a state, "
                "got "
             << argument.getType();
    add(argument, func.getArgAttrDict(index), /*isResult=*/false);
  }
  for (auto [index, value] : llvm::enumerate(exit->getOperands()))
    add(value, func.getResultAttrDict(index), /*isResult=*/true);

  lowered = func::FuncOp::create(builder, func.getLoc(), func.getSymName(),
                                 builder.getFunctionType(types, {}));
  lowered.setVisibility(func.getVisibility());
  if (Attribute task = func->getAttr(fk::attrs::task))
    lowered->setAttr(fk::attrs::task, task);
  lowered.setAllArgAttrs(argAttrs);
  Block *body = builder.createBlock(&lowered.getBody(), {}, types, locs);
  builder.setInsertionPointToStart(body);
  for (auto [argument, buffer] :
       llvm::zip(func.getArguments(), body->getArguments()))
    buffers[argument] = buffer;
  return success();
}

Value FunctionLowering::createView(Value source, MemRefType type,
                                   ArrayRef<Expr> shape, Location loc) {
  if (source.getType() == type)
    return source;
  return fkplan::ViewOp::create(builder, loc, type, source,
                                nameDims(func.getContext(), type, shape));
}

LogicalResult FunctionLowering::placeResults() {
  Operation *exit = func.getBody().front().getTerminator();
  for (auto [index, returned] : llvm::enumerate(exit->getOperands())) {
    // What is returned may be another shape of what was written.
    Value root = returned;
    while (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(
        root.getDefiningOp()))
      root = root.getDefiningOp()->getOperand(0);
    auto emit = [&](StringRef got) {
      return exit->emitError("result ")
             << index << " of '@" << func.getSymName()
             << "' would need a copy: wanted a value that a task writes and "
                "that is returned once, got "
             << got;
    };
    Operation *def = root.getDefiningOp();
    if (!def)
      return emit("an argument");
    if (!isa<TaskOpInterface, func::CallOp>(def))
      return emit(def->getName().getStringRef());
    if (buffers.count(root))
      return emit("a value that is returned already");
    Value result = lowered.getArgument(func.getNumArguments() + index);
    buffers[root] = createView(result, getMemRefType(root.getType()),
                               dims.getDims(root), root.getLoc());
  }
  return success();
}

Value FunctionLowering::getDestination(Value value, Location loc) {
  Value &buffer = buffers[value];
  if (buffer)
    return buffer;
  MemRefType type = getMemRefType(value.getType());
  buffer = fkplan::BufferOp::create(
      builder, loc, type,
      nameDims(func.getContext(), type, dims.getDims(value)), IntegerAttr());
  return buffer;
}

LogicalResult FunctionLowering::lower(Operation *op) {
  Location loc = op->getLoc();
  if (auto task = dyn_cast<TaskOpInterface>(op))
    return lowerTask(task);
  if (auto call = dyn_cast<func::CallOp>(op))
    return lowerCall(call);
  if (auto weight = dyn_cast<GetWeightOp>(op)) {
    buffers[weight.getResult()] = fkplan::WeightOp::create(
        builder, loc, getMemRefType(weight.getType()), weight.getWeightAttr());
    return success();
  }
  if (auto state = dyn_cast<GetStateOp>(op)) {
    buffers[state.getResult()] = fkplan::StateOp::create(
        builder, loc, getMemRefType(state.getResult().getType()),
        state.getStateAttr());
    return success();
  }
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
    Value result = op->getResult(0);
    buffers[result] =
        createView(lookup(op->getOperand(0)), getMemRefType(result.getType()),
                   dims.getDims(result), loc);
    return success();
  }
  if (isa<func::ReturnOp>(op)) {
    func::ReturnOp::create(builder, loc);
    return success();
  }
  // Extents are expressions in a plan; nothing computes them.
  if (llvm::all_of(op->getResultTypes(),
                   [](Type type) { return type.isIntOrIndex(); }) &&
      op->getNumResults())
    return success();
  auto diagnostic = op->emitError("'")
                    << op->getName() << "' has no form in a plan: wanted a "
                    << "task, a reshape or a call at '" << describePlace(op)
                    << "'";
  if (isa<tensor::ConcatOp>(op))
    diagnostic << " (fk-hoist-weights moves concatenation of weights away)";
  return diagnostic;
}

LogicalResult FunctionLowering::lowerTask(TaskOpInterface op) {
  auto kernels = op->getAttrOfType<ArrayAttr>(fk::attrs::kernels);
  if (!kernels)
    return op.emitError("task '")
           << op.getTaskName() << "' has no kernels (run fk-select-kernels)";
  auto axes = dims.getAxes(op);
  if (failed(axes))
    return failure();
  const Signature &signature = getSignature(op);
  SmallVector<std::pair<std::string, Value>> outs, ins;
  for (auto [param, result] :
       llvm::zip_equal(signature.results, op->getResults()))
    outs.push_back({param.name, getDestination(result, op.getLoc())});
  for (const TensorParam &param : signature.operands) {
    Value operand = getOperandByName(op, param.name);
    ins.push_back({param.name, operand ? lookup(operand) : Value()});
    if (operand && !lookup(operand))
      return op.emitError("operand '") << param.name << "' of task '"
                                       << op.getTaskName() << "' has no buffer";
  }
  auto collect = [&](const std::vector<ScalarParam> &params) {
    SmallVector<std::pair<std::string, Attribute>> values;
    for (const ScalarParam &param : params)
      values.push_back({param.name, op->getAttr(param.name)});
    return values;
  };
  fkplan::LaunchOp::create(builder, op.getLoc(), op.getTaskName(), outs, ins,
                           collect(signature.scalars),
                           collect(signature.variants), *axes, kernels);
  return success();
}

LogicalResult FunctionLowering::lowerCall(func::CallOp call) {
  auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
  if (call->hasAttr(fk::attrs::candidate))
    return lowerBoundCall(call, callee);
  auto calleeDims = SymbolicDims::compute(callee);
  if (failed(calleeDims))
    return failure();
  // Symbols mean the same everywhere, so both sides must say the same.
  SmallVector<Value> ins, outs;
  for (auto [index, pair] : llvm::enumerate(
           llvm::zip_equal(call.getOperands(), callee.getArguments()))) {
    auto [operand, argument] = pair;
    for (auto [got, wanted] :
         llvm::zip_equal(dims.getDims(operand), calleeDims->getDims(argument)))
      if (!isSame(got, wanted))
        return call.emitError("argument ")
               << index << " of '@" << call.getCallee()
               << "' has another extent: wanted " << wanted.str() << ", got "
               << got.str()
               << " (a function is compiled for one meaning of its symbols)";
    ins.push_back(lookup(operand));
  }
  for (Value result : call.getResults())
    outs.push_back(getDestination(result, call.getLoc()));
  fkplan::CallOp::create(builder, call.getLoc(), call.getCalleeAttr(), outs,
                         ins);
  return success();
}

LogicalResult FunctionLowering::lowerBoundCall(func::CallOp call,
                                               func::FuncOp callee) {
  // A call of a task function has no kernel but its candidate.
  auto bound = call->getAttrOfType<FlatSymbolRefAttr>(fk::attrs::candidate);
  auto candidate = symbols.lookup<CandidateOp>(bound.getValue());
  if (!candidate)
    return call.emitError("is bound to candidate '")
           << bound.getValue() << "', which the module does not declare";
  auto where = getCandidateWhere(candidate);
  if (failed(where))
    return failure();
  ArrayAttr kernels = builder.getArrayAttr(KernelAttr::get(
      func.getContext(),
      isGenerated(std::string_view(bound.getValue())) ? "codegen" : "candidate",
      bound.getValue(), *where));
  auto signature = getTaskSignature(callee);
  if (failed(signature))
    return failure();
  SmallVector<std::pair<std::string, Value>> outs, ins;
  for (auto [param, result] :
       llvm::zip_equal(signature->results, call.getResults()))
    outs.push_back({param.name, getDestination(result, call.getLoc())});
  for (auto [param, operand] :
       llvm::zip_equal(signature->operands, call.getOperands()))
    ins.push_back({param.name, lookup(operand)});
  // The callee's symbols are the caller's.
  SmallVector<std::pair<std::string, Expr>> axes;
  for (const std::string &axis : signature->axes)
    axes.push_back({axis, Expr::parse(axis, "axis")});
  fkplan::LaunchOp::create(builder, call.getLoc(), signature->task, outs, ins,
                           {}, {}, axes, kernels);
  return success();
}
