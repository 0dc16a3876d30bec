//===- TaskLinalg.cpp - What each task means, in linalg -------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The formulas are those of runtime/reference, float32 inside. Rows are all
// dimensions but the last; reductions run over the last.
//
//===----------------------------------------------------------------------===//

#include "lib/Codegen/TaskLinalg.h"

#include "dialects/FK/TaskTable.h"
#include "fk/Codegen/Codegen.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace fk;

namespace {

/// An operand of a map and which of the loops index it.
struct Input {
  Value tensor;
  AffineMap map;
};

class TaskEmitter {
public:
  TaskEmitter(OpBuilder &builder, TaskOpInterface op, ScalarLookup scalar)
      : b(builder), op(op), loc(op.getLoc()), scalar(scalar) {}

  FailureOr<SmallVector<Value>> emit() {
    using Results = SmallVector<Value>;
    return llvm::TypeSwitch<Operation *, FailureOr<Results>>(op.getOperation())
        .Case([&](SiluOp task) {
          return Results{
              unary(task.getInput(), [&](Value x) { return silu(x); })};
        })
        .Case([&](TanhOp task) {
          return Results{unary(task.getInput(), [&](Value x) {
            return Value(math::TanhOp::create(b, loc, x));
          })};
        })
        .Case([&](GeluOp task) {
          return Results{
              unary(task.getInput(), [&](Value x) { return gelu(x); })};
        })
        .Case([&](AddOp task) {
          return Results{binary(task.getLhs(), task.getRhs(),
                                [&](Value x, Value y) { return add(x, y); })};
        })
        .Case([&](MulOp task) {
          return Results{binary(task.getLhs(), task.getRhs(),
                                [&](Value x, Value y) { return mul(x, y); })};
        })
        .Case([&](SiluAndMulOp task) {
          return Results{
              gated(task.getGateUp(), [&](Value x) { return silu(x); })};
        })
        .Case([&](GeluAndMulOp task) {
          return Results{
              gated(task.getGateUp(), [&](Value x) { return gelu(x); })};
        })
        .Case([&](SoftmaxOp task) { return Results{softmax(task.getInput())}; })
        .Case([&](RMSNormOp task) {
          Value x = task.getInput();
          Value scale = rmsScale(sumSquares({x}), getColumns(x));
          return Results{scaleRows(x, scale, task.getWeight(), getElement(x))};
        })
        .Case([&](AddRMSNormOp task) { return addRMSNorm(task); })
        .Case([&](LayerNormOp task) { return Results{layerNorm(task)}; })
        .Case([&](L2NormOp task) { return Results{l2Norm(task.getInput())}; })
        .Case([&](RopeOp task) {
          auto rotate = [&](Value x) {
            return rope(split(x, task.getRotaryDim()), getType(x),
                        task.getPositions(), task.getCosSin());
          };
          return Results{rotate(task.getQuery()), rotate(task.getKey())};
        })
        .Case([&](QKNormRopeOp task) {
          auto rotate = [&](Value x, Value weight) {
            return normRope(task, x, weight);
          };
          return Results{rotate(task.getQuery(), task.getQueryWeight()),
                         rotate(task.getKey(), task.getKeyWeight())};
        })
        .Case([&](EmbeddingOp task) { return Results{embedding(task)}; })
        .Case(
            [&](GatherLastTokensOp task) { return Results{gatherLast(task)}; })
        .Default([&](Operation *other) -> FailureOr<Results> {
          return other->emitError("code generation does not know this task");
        });
  }

private:
  //===--------------------------------------------------------------------===//
  // Types, constants, arithmetic
  //===--------------------------------------------------------------------===//

  static RankedTensorType getType(Value value) {
    return cast<RankedTensorType>(value.getType());
  }
  static Type getElement(Value value) {
    return getType(value).getElementType();
  }
  static int64_t getColumns(Value value) {
    return getType(value).getShape().back();
  }

  Value constant(double value) {
    return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(float(value)));
  }
  Value widen(Value x) {
    return x.getType().isF32()
               ? x
               : arith::ExtFOp::create(b, loc, b.getF32Type(), x);
  }
  Value narrow(Value x, Type type) {
    return type.isF32() ? x : arith::TruncFOp::create(b, loc, type, x);
  }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, loc, x, y); }
  /// 1 / x by the approximate instruction; the task's budget admits 2 ulp.
  Value reciprocal(Value x) {
    return arith::DivFOp::create(b, loc, constant(1), x,
                                 arith::FastMathFlags::afn);
  }

  Value silu(Value x) {
    Value negative = arith::NegFOp::create(b, loc, x);
    Value sum = add(constant(1), math::ExpOp::create(b, loc, negative));
    return mul(x, reciprocal(sum));
  }

  Value geluErf(Value x) {
    Value erf =
        math::ErfOp::create(b, loc, mul(x, constant(0.70710678118654752440)));
    return mul(mul(constant(0.5), x), add(constant(1), erf));
  }
  Value geluTanh(Value x) {
    Value cube = mul(mul(mul(constant(0.044715), x), x), x);
    Value inner = mul(constant(0.79788456080286535588), add(x, cube));
    Value tanh = math::TanhOp::create(b, loc, inner);
    return mul(mul(constant(0.5), x), add(constant(1), tanh));
  }
  Value gelu(Value x) {
    Value approximate = scalar("approximate");
    IntegerAttr known;
    if (matchPattern(approximate, m_Constant(&known)))
      return known.getInt() ? geluTanh(x) : geluErf(x);
    Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
    Value isTanh = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne,
                                         approximate, zero);
    auto branch =
        scf::IfOp::create(b, loc, TypeRange{x.getType()}, isTanh, true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, loc, geluTanh(x));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, loc, geluErf(x));
    return branch.getResult(0);
  }

  //===--------------------------------------------------------------------===//
  // Loops
  //===--------------------------------------------------------------------===//

  AffineMap identity(int64_t rank) { return b.getMultiDimIdentityMap(rank); }
  /// All loops but the last.
  AffineMap rows(int64_t rank) {
    return identity(rank).getMajorSubMap(rank - 1);
  }
  AffineMap loop(int64_t rank, int64_t index) {
    return AffineMap::get(rank, 0, b.getAffineDimExpr(index));
  }
  Input each(Value x) { return {x, identity(getType(x).getRank())}; }
  Input eachRow(Value x) { return {x, rows(getType(x).getRank() + 1)}; }
  Input eachColumn(Value x, int64_t rank) { return {x, loop(rank, rank - 1)}; }

  SmallVector<OpFoldResult> sizesOf(Value x) {
    return tensor::getMixedSizes(b, loc, x);
  }

  /// y = body(inputs) over loops of the extents `sizes`.
  template <typename Body>
  Value map(ArrayRef<Input> inputs, ArrayRef<OpFoldResult> sizes, Type element,
            Body body) {
    int64_t rank = sizes.size();
    Value empty = tensor::EmptyOp::create(b, loc, sizes, element);
    SmallVector<Value> operands;
    SmallVector<AffineMap> maps;
    for (const Input &input : inputs) {
      operands.push_back(input.tensor);
      maps.push_back(input.map);
    }
    maps.push_back(identity(rank));
    SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
    return linalg::GenericOp::create(
               b, loc, empty.getType(), operands, empty, maps, kinds,
               [&](OpBuilder &builder, Location, ValueRange args) {
                 OpBuilder::InsertionGuard guard(b);
                 b.setInsertionPoint(builder.getInsertionBlock(),
                                     builder.getInsertionPoint());
                 SmallVector<Value> values;
                 for (Value arg : args.drop_back())
                   values.push_back(isa<FloatType>(arg.getType()) ? widen(arg)
                                                                  : arg);
                 linalg::YieldOp::create(b, loc, body(ValueRange(values)));
               })
        .getResult(0);
  }

  /// The reduction over the last loop of term(inputs), by `combine`.
  template <typename Term, typename Combine>
  Value reduce(ArrayRef<Input> inputs, ArrayRef<OpFoldResult> sizes,
               double init, Term term, Combine combine) {
    int64_t rank = sizes.size();
    Value empty =
        tensor::EmptyOp::create(b, loc, sizes.drop_back(), b.getF32Type());
    Value filled =
        linalg::FillOp::create(b, loc, constant(init), empty).getResult(0);
    SmallVector<Value> operands;
    SmallVector<AffineMap> maps;
    for (const Input &input : inputs) {
      operands.push_back(input.tensor);
      maps.push_back(input.map);
    }
    maps.push_back(rows(rank));
    SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
    kinds.back() = utils::IteratorType::reduction;
    return linalg::GenericOp::create(
               b, loc, filled.getType(), operands, filled, maps, kinds,
               [&](OpBuilder &builder, Location, ValueRange args) {
                 OpBuilder::InsertionGuard guard(b);
                 b.setInsertionPoint(builder.getInsertionBlock(),
                                     builder.getInsertionPoint());
                 SmallVector<Value> values;
                 for (Value arg : args.drop_back())
                   values.push_back(widen(arg));
                 linalg::YieldOp::create(
                     b, loc, combine(args.back(), term(ValueRange(values))));
               })
        .getResult(0);
  }

  template <typename Term>
  Value sum(ArrayRef<Input> inputs, ArrayRef<OpFoldResult> sizes, Term term) {
    return reduce(inputs, sizes, 0, term,
                  [&](Value acc, Value x) { return add(acc, x); });
  }

  template <typename Body> Value unary(Value x, Body body) {
    Type element = getElement(x);
    return map({each(x)}, sizesOf(x), element,
               [&](ValueRange v) { return narrow(body(v[0]), element); });
  }
  template <typename Body> Value binary(Value x, Value y, Body body) {
    Type element = getElement(x);
    return map({each(x), each(y)}, sizesOf(x), element,
               [&](ValueRange v) { return narrow(body(v[0], v[1]), element); });
  }
  /// A number for each row.
  template <typename Body> Value perRow(ArrayRef<Value> inputs, Body body) {
    SmallVector<Input> all;
    for (Value input : inputs)
      all.push_back(each(input));
    return map(all, sizesOf(inputs[0]), b.getF32Type(), body);
  }

  /// Columns [begin, begin + width) of each row.
  Value slice(Value x, int64_t begin, int64_t width) {
    SmallVector<OpFoldResult> sizes = sizesOf(x);
    SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
    sizes.back() = b.getIndexAttr(width);
    offsets.back() = b.getIndexAttr(begin);
    return tensor::ExtractSliceOp::create(b, loc, x, offsets, sizes, strides);
  }

  //===--------------------------------------------------------------------===//
  // Tasks
  //===--------------------------------------------------------------------===//

  template <typename Body> Value gated(Value gateUp, Body body) {
    int64_t width = getColumns(gateUp) / 2;
    return binary(slice(gateUp, 0, width), slice(gateUp, width, width),
                  [&](Value gate, Value up) { return mul(body(gate), up); });
  }

  Value softmax(Value x) {
    SmallVector<OpFoldResult> sizes = sizesOf(x);
    Value largest = reduce(
        {each(x)}, sizes, -std::numeric_limits<float>::infinity(),
        [&](ValueRange v) { return v[0]; },
        [&](Value acc, Value value) {
          return Value(arith::MaxNumFOp::create(b, loc, acc, value));
        });
    Value weights = map(
        {each(x), eachRow(largest)}, sizes, b.getF32Type(), [&](ValueRange v) {
          return Value(math::ExpOp::create(b, loc, sub(v[0], v[1])));
        });
    Value total =
        sum({each(weights)}, sizes, [&](ValueRange v) { return v[0]; });
    Value inverse =
        perRow({total}, [&](ValueRange v) { return div(constant(1), v[0]); });
    Type element = getElement(x);
    return map({each(weights), eachRow(inverse)}, sizes, element,
               [&](ValueRange v) { return narrow(mul(v[0], v[1]), element); });
  }

  /// The sum of the squares of each row that `parts` make up.
  Value sumSquares(ArrayRef<Value> parts) {
    Value total;
    for (Value part : parts) {
      Value squares = sum({each(part)}, sizesOf(part),
                          [&](ValueRange v) { return mul(v[0], v[0]); });
      total = !total ? squares : perRow({total, squares}, [&](ValueRange v) {
        return add(v[0], v[1]);
      });
    }
    return total;
  }

  Value rmsScale(Value squares, int64_t columns) {
    return perRow({squares}, [&](ValueRange v) {
      Value mean = div(v[0], constant(double(columns)));
      Value root = math::SqrtOp::create(b, loc, add(mean, scalar("epsilon")));
      return div(constant(1), root);
    });
  }

  /// x * scale * (weight_offset + weight).
  Value scaleRows(Value x, Value scale, Value weight, Type element) {
    int64_t rank = getType(x).getRank();
    return map({each(x), eachRow(scale), eachColumn(weight, rank)}, sizesOf(x),
               element, [&](ValueRange v) {
                 Value factor = v[2];
                 FloatAttr offset;
                 Value given = scalar("weight_offset");
                 if (!matchPattern(given, m_Constant(&offset)) ||
                     !offset.getValue().isZero())
                   factor = add(given, factor);
                 return narrow(mul(mul(v[0], v[1]), factor), element);
               });
  }

  SmallVector<Value> addRMSNorm(AddRMSNormOp task) {
    Value x = task.getInput();
    Type element = getElement(x);
    SmallVector<OpFoldResult> sizes = sizesOf(x);
    Value total =
        map({each(x), each(task.getResidual())}, sizes, b.getF32Type(),
            [&](ValueRange v) { return add(v[0], v[1]); });
    Value scale = rmsScale(sumSquares({total}), getColumns(x));
    Value result = scaleRows(total, scale, task.getWeight(), element);
    Value rounded = map({each(total)}, sizes, element,
                        [&](ValueRange v) { return narrow(v[0], element); });
    return {result, rounded};
  }

  Value layerNorm(LayerNormOp task) {
    Value x = task.getInput();
    Type element = getElement(x);
    SmallVector<OpFoldResult> sizes = sizesOf(x);
    Value total = sum({each(x)}, sizes, [&](ValueRange v) { return v[0]; });
    auto average = [&](Value value) {
      return div(value, constant(double(getColumns(x))));
    };
    Value mean = perRow({total}, [&](ValueRange v) { return average(v[0]); });
    Value apart = map({each(x), eachRow(mean)}, sizes, b.getF32Type(),
                      [&](ValueRange v) { return sub(v[0], v[1]); });
    Value scale = perRow({sumSquares({apart})}, [&](ValueRange v) {
      Value root =
          math::SqrtOp::create(b, loc, add(average(v[0]), scalar("epsilon")));
      return div(constant(1), root);
    });
    SmallVector<Input> inputs = {each(apart), eachRow(scale),
                                 eachColumn(task.getWeight(), 2)};
    if (task.getBias())
      inputs.push_back(eachColumn(task.getBias(), 2));
    return map(inputs, sizes, element, [&](ValueRange v) {
      Value y = mul(mul(v[0], v[1]), v[2]);
      return narrow(v.size() > 3 ? add(y, v[3]) : y, element);
    });
  }

  Value l2Norm(Value x) {
    Value scale = perRow({sumSquares({x})}, [&](ValueRange v) {
      Value root = math::SqrtOp::create(b, loc, v[0]);
      return div(constant(1),
                 arith::MaxNumFOp::create(b, loc, root, scalar("epsilon")));
    });
    Type element = getElement(x);
    return map({each(x), eachRow(scale)}, sizesOf(x), element,
               [&](ValueRange v) { return narrow(mul(v[0], v[1]), element); });
  }

  /// The halves that are rotated and, where there is one, the rest.
  SmallVector<Value> split(Value x, int64_t rotaryDim) {
    int64_t half = rotaryDim / 2, width = getColumns(x);
    SmallVector<Value> parts = {slice(x, 0, half), slice(x, half, half)};
    if (rotaryDim < width)
      parts.push_back(slice(x, rotaryDim, width - rotaryDim));
    return parts;
  }

  Value rope(ArrayRef<Value> parts, RankedTensorType type, Value positions,
             Value table) {
    Type element = type.getElementType();
    int64_t half = getColumns(parts[0]), rank = type.getRank();
    SmallVector<OpFoldResult> sizes = sizesOf(parts[0]);
    Input row = {positions, loop(rank, 0)};
    auto rotate = [&](bool second) {
      return map({each(parts[0]), each(parts[1]), row}, sizes, element,
                 [&](ValueRange v) {
                   Value position = arith::IndexCastOp::create(
                       b, loc, b.getIndexType(), v[2]);
                   Value column = linalg::IndexOp::create(b, loc, rank - 1);
                   Value offset = arith::ConstantIndexOp::create(b, loc, half);
                   Value behind = arith::AddIOp::create(b, loc, column, offset);
                   Value cos = widen(tensor::ExtractOp::create(
                       b, loc, table, ValueRange{position, column}));
                   Value sin = widen(tensor::ExtractOp::create(
                       b, loc, table, ValueRange{position, behind}));
                   Value y = second ? add(mul(v[1], cos), mul(v[0], sin))
                                    : sub(mul(v[0], cos), mul(v[1], sin));
                   return narrow(y, element);
                 });
    };
    SmallVector<Value> pieces = {rotate(false), rotate(true)};
    if (parts.size() > 2) {
      Value rest = parts[2];
      if (getElement(rest) != element)
        rest = map({each(rest)}, sizesOf(rest), element,
                   [&](ValueRange v) { return narrow(v[0], element); });
      pieces.push_back(rest);
    }
    return tensor::ConcatOp::create(b, loc, type, rank - 1, pieces);
  }

  Value normRope(QKNormRopeOp task, Value x, Value weight) {
    SmallVector<Value> parts = split(x, task.getRotaryDim());
    SmallVector<Value> weights = split(weight, task.getRotaryDim());
    Value scale = rmsScale(sumSquares(parts), getColumns(x));
    for (auto [part, partWeight] : llvm::zip_equal(parts, weights))
      part = scaleRows(part, scale, partWeight, b.getF32Type());
    return rope(parts, getType(x), task.getPositions(), task.getCosSin());
  }

  /// Rows of `table` at row(number of the result's row).
  template <typename Row, typename Body>
  Value gather(Value table, OpFoldResult count, Row row, ArrayRef<Input> inputs,
               Body body) {
    Type element = getElement(table);
    SmallVector<OpFoldResult> sizes = {count,
                                       b.getIndexAttr(getColumns(table))};
    return map(inputs, sizes, element, [&](ValueRange v) {
      Value column = linalg::IndexOp::create(b, loc, 1);
      Value at = arith::IndexCastOp::create(b, loc, b.getIndexType(), row(v));
      return body(
          tensor::ExtractOp::create(b, loc, table, ValueRange{at, column}));
    });
  }

  Value embedding(EmbeddingOp task) {
    Value ids = task.getIds(), table = task.getTable();
    Type element = getElement(table);
    return gather(
        table, tensor::getMixedSize(b, loc, ids, 0),
        [](ValueRange v) { return v[0]; }, {{ids, loop(2, 0)}},
        [&](Value x) {
          Value scale = widen(narrow(scalar("scale"), element));
          return narrow(mul(widen(x), scale), element);
        });
  }

  Value gatherLast(GatherLastTokensOp task) {
    Value ends = task.getCuSeqlens();
    Value count = tensor::DimOp::create(b, loc, ends, 0);
    Value unit = arith::ConstantIndexOp::create(b, loc, 1);
    Value seqs = arith::SubIOp::create(b, loc, count, unit);
    return gather(
        task.getInput(), seqs,
        [&](ValueRange) {
          Value row = linalg::IndexOp::create(b, loc, 0);
          Value next = arith::AddIOp::create(
              b, loc, row, arith::ConstantIndexOp::create(b, loc, 1));
          Value end = tensor::ExtractOp::create(b, loc, ends, next);
          Value step = arith::ConstantOp::create(
              b, loc, b.getIntegerAttr(end.getType(), 1));
          return Value(arith::SubIOp::create(b, loc, end, step));
        },
        {}, [](Value x) { return x; });
  }

  OpBuilder &b;
  TaskOpInterface op;
  Location loc;
  ScalarLookup scalar;
};

} // namespace

bool fk::isGeneratedTask(StringRef task) {
  static constexpr StringLiteral known[] = {
      "silu",     "tanh",         "gelu",         "add",
      "mul",      "softmax",      "silu_and_mul", "gelu_and_mul",
      "rms_norm", "add_rms_norm", "layer_norm",   "l2_norm",
      "rope",     "qk_norm_rope", "embedding",    "gather_last_tokens"};
  return llvm::is_contained(known, task);
}

std::string fk::whyNotGenerated(TaskOpInterface op) {
  if (!isGeneratedTask(op.getTaskName()))
    return "code generation does not know the task";
  for (const TaskTensor &tensor : getTaskTensors(op)) {
    if (!tensor.value)
      continue;
    auto type = dyn_cast<RankedTensorType>(tensor.value.getType());
    if (!type)
      return "'" + tensor.param->name + "' is no tensor";
    Type element = type.getElementType();
    if (!element.isF32() && !element.isBF16() && !element.isF16() &&
        !element.isInteger(32))
      return "'" + tensor.param->name +
             "' has an element type that it does not know";
    if (type.getRank() < 2)
      continue;
    for (int64_t i = 1; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        return "dimension " + std::to_string(i) + " of '" + tensor.param->name +
               "' is not static";
  }
  return "";
}

FailureOr<SmallVector<Value>>
fk::emitTask(OpBuilder &builder, TaskOpInterface op, ScalarLookup scalar) {
  if (std::string why = whyNotGenerated(op); !why.empty())
    return op.emitError("cannot be generated: ") << why;
  return TaskEmitter(builder, op, scalar).emit();
}
