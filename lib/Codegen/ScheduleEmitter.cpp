//===- ScheduleEmitter.cpp - One function becomes a kernel ----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The kernel is emitted twice: first aside, one element a thread, to learn what
// it reads and reduces; then with the vectors and the team that follow from it.
//
//===----------------------------------------------------------------------===//

#include "lib/Codegen/ScheduleEmitter.h"
#include "dialects/FK/FK.h"
#include "lib/Codegen/Evaluator.h"
#include "lib/Codegen/KernelFunction.h"
#include "lib/Codegen/RowTeam.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <numeric>

using namespace mlir;
using namespace fk;

namespace {

/// Columns of a result, and where they lie in it.
struct Part {
  unsigned result;
  Value value;
  int64_t offset, extent;
};

/// Results of the same rows.
struct Group {
  SmallVector<Expr> extents;  ///< of the rows' dimensions
  SmallVector<int64_t> shape; ///< of the results
  SmallVector<Part> parts;

  Expr getRows() const {
    Expr rows = 1;
    for (const Expr &extent : extents)
      rows = Expr::binary(ExprOp::Mul, rows, extent);
    return rows;
  }
};

class KernelEmitter {
public:
  KernelEmitter(func::FuncOp func, const ScheduleOptions &options)
      : func(func), options(options), b(func.getContext()), loc(func.getLoc()) {
  }

  LogicalResult run() {
    if (failed(collectGroups()) || failed(survey()))
      return failure();
    createKernel();
    LogicalResult emitted = reduces  ? emitRows()
                            : isFlat ? emitFlat()
                                     : emitPointwise();
    if (failed(emitted))
      return failure();
    b.setInsertionPointToEnd(body);
    gpu::ReturnOp::create(b, loc);
    kernel.setKnownBlockSize(ArrayRef<int32_t>{int32_t(blockThreads), 1, 1});
    kernel->setAttr(attrs::launch, b.getStringAttr(describeLaunch()));
    return success();
  }

private:
  //===--------------------------------------------------------------------===//
  // What there is to do
  //===--------------------------------------------------------------------===//

  LogicalResult collectGroups() {
    Operation *terminator = func.getBody().front().getTerminator();
    if (func.getNumResults() == 0)
      return func.emitError("is no kernel: it has no results");
    for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
      FailureOr<SmallVector<Expr>> extents =
          getExtents(func, value.getType(),
                     func.getResultAttrOfType<ArrayAttr>(i, attrs::dims));
      if (failed(extents))
        return failure();
      auto type = cast<RankedTensorType>(value.getType());
      if (type.getRank() == 0 || type.isDynamicDim(type.getRank() - 1))
        return func.emitError(
                   "has a result whose last dimension is not static: ")
               << type << " (specialise the kernel for its width)";
      Group &group = findGroup(ArrayRef(*extents).drop_back(), type.getShape());
      addParts(group, i, value, 0);
    }
    return success();
  }

  Group &findGroup(ArrayRef<Expr> rows, ArrayRef<int64_t> shape) {
    for (Group &group : groups)
      if (llvm::equal(group.extents, rows,
                      [](const Expr &lhs, const Expr &rhs) {
                        return lhs.str() == rhs.str();
                      }))
        return group;
    groups.push_back(
        {SmallVector<Expr>(rows), SmallVector<int64_t>(shape), {}});
    return groups.back();
  }

  /// A concatenation of columns is written piece by piece.
  void addParts(Group &group, unsigned result, Value value, int64_t offset) {
    auto type = cast<RankedTensorType>(value.getType());
    auto concat = value.getDefiningOp<tensor::ConcatOp>();
    if (!concat || int64_t(concat.getDim()) + 1 != type.getRank()) {
      group.parts.push_back({result, value, offset, type.getShape().back()});
      return;
    }
    for (Value input : concat.getInputs()) {
      addParts(group, result, input, offset);
      offset += cast<RankedTensorType>(input.getType()).getShape().back();
    }
  }

  //===--------------------------------------------------------------------===//
  // The kernel
  //===--------------------------------------------------------------------===//

  void createKernel() {
    b.setInsertionPoint(func);
    module =
        gpu::GPUModuleOp::create(b, loc, (func.getName() + "_module").str());
    b.setInsertionPointToStart(module.getBody());
    SmallVector<Type> types;
    Type pointer = LLVM::LLVMPointerType::get(func.getContext(), 1);
    types.append(func.getNumResults(), pointer);
    for (Type type : func.getArgumentTypes())
      types.push_back(isa<TensorType>(type) ? pointer : type);
    kernel = gpu::GPUFuncOp::create(b, loc, func.getName(),
                                    b.getFunctionType(types, {}));
    kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
    body = &kernel.getBody().front();
    b.setInsertionPointToStart(body);
    mapArguments(body->getArguments());
    if (options.pdl) {
      NVVM::GriddepcontrolOp::create(
          b, loc, NVVM::GridDepActionKind::launch_dependents);
      NVVM::GriddepcontrolOp::create(b, loc, NVVM::GridDepActionKind::wait);
    }
  }

  void mapArguments(ValueRange values) {
    mapping = IRMapping();
    results.assign(values.begin(), values.begin() + func.getNumResults());
    for (auto [from, to] : llvm::zip_equal(
             func.getArguments(), values.drop_front(func.getNumResults())))
      mapping.map(from, to);
  }

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, loc, x, y); }
  Value less(Value x, Value y) {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, x, y);
  }
  Value least(Value x, Value y) { return arith::MinUIOp::create(b, loc, x, y); }
  Value divide(Value x, int64_t by) {
    return by == 1 ? x : Value(arith::DivUIOp::create(b, loc, x, constant(by)));
  }
  Value remainder(Value x, int64_t by) {
    return by == 1 ? constant(0)
                   : Value(arith::RemUIOp::create(b, loc, x, constant(by)));
  }
  Value threadId() {
    return gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x);
  }
  Value blockId() { return gpu::BlockIdOp::create(b, loc, gpu::Dimension::x); }

  FailureOr<Value> emitExtent(const Expr &expr) {
    auto names = func->getAttrOfType<ArrayAttr>(attrs::codegenAxes);
    Value value = emitExpr(b, loc, expr, [&](StringRef axis) -> Value {
      for (auto [i, name] : llvm::enumerate(names ? names : b.getArrayAttr({})))
        if (cast<StringAttr>(name).getValue() == axis) {
          Value argument = mapping.lookup(
              func.getArgument(func.getNumArguments() - names.size() + i));
          return arith::IndexCastUIOp::create(b, loc, b.getIndexType(),
                                              argument);
        }
      return {};
    });
    if (!value)
      return func.emitError("has rows of extent '")
             << expr.str() << "', which its axes do not give";
    return value;
  }

  /// The coordinates of row number `row`, whose inner extents are static.
  FailureOr<Evaluator::Coords> getRowCoords(const Group &group, Value row) {
    Evaluator::Coords coords(group.extents.size());
    for (size_t i = group.extents.size(); i-- > 0;) {
      if (i == 0) {
        coords[i].index = row;
        break;
      }
      if (ShapedType::isDynamic(group.shape[i]))
        return func.emitError(
            "has a dynamic dimension that is not the first of a result");
      coords[i].index = remainder(row, group.shape[i]);
      row = divide(row, group.shape[i]);
    }
    return coords;
  }

  //===--------------------------------------------------------------------===//
  // The survey
  //===--------------------------------------------------------------------===//

  LogicalResult survey() {
    // A function beside the module's others, erased when all is known.
    b.setInsertionPoint(func);
    SmallVector<Type> types(func.getNumResults(),
                            LLVM::LLVMPointerType::get(b.getContext(), 1));
    for (Type type : func.getArgumentTypes())
      types.push_back(isa<TensorType>(type) ? types[0] : type);
    auto scratch =
        func::FuncOp::create(b, loc, "survey", b.getFunctionType(types, {}));
    scratch.setPrivate();
    Block *block = scratch.addEntryBlock();
    b.setInsertionPointToStart(block);
    mapArguments(block->getArguments());
    LogicalResult surveyed = surveyGroups();
    scratch.erase();
    return surveyed;
  }

  LogicalResult surveyGroups() {
    isFlat = groups.size() == 1;
    std::vector<Access> accesses;
    for (const Group &group : groups) {
      EvaluatorHooks hooks;
      std::vector<std::unique_ptr<Columns>> all;
      hooks.getColumns = [&](int64_t extent) {
        reduces = true;
        rowExtent = std::max(rowExtent, extent);
        extents.push_back(extent);
        all.push_back(std::make_unique<Columns>(
            Columns{extent, {constant(0)}, {Value()}}));
        return all.back().get();
      };
      hooks.combineThreads = [](Combine, Value value) { return value; };
      Evaluator evaluator(b, mapping, 1, hooks);
      FailureOr<Evaluator::Coords> coords = getRowCoords(group, constant(0));
      if (failed(coords))
        return failure();
      // Distinct values, so that an access tells which dimension it follows.
      for (Coord &coord : *coords) {
        coord.index = arith::ConstantIndexOp::create(b, loc, 0);
        evaluator.rowIndices.push_back(coord.index);
      }
      evaluator.resultShape = group.shape;
      for (const Part &part : group.parts) {
        Columns columns = {part.extent, {constant(0)}, {Value()}};
        extents.push_back(part.extent);
        rowExtent = std::max(rowExtent, part.extent);
        Evaluator::Coords at = *coords;
        at.push_back({Value(), &columns, 0});
        FailureOr<Lanes> lanes = evaluator.eval(part.value, at);
        if (failed(lanes))
          return failure();
        at.back().offset = part.offset;
        if (failed(evaluator.store(loc, results[part.result],
                                   getResultType(part), at, *lanes, {})))
          return failure();
        evaluator.forget();
      }
      isFlat &= !evaluator.usesRow;
      for (const Access &access : evaluator.accesses)
        accesses.push_back(access);
    }
    int64_t narrowest = 16;
    for (const Access &access : accesses) {
      narrowest = std::min(narrowest, access.bytes);
      isFlat &= access.isFlat;
    }
    width = widest = 16 / narrowest;
    auto divides = [&] {
      return llvm::all_of(
                 extents,
                 [&](int64_t extent) { return extent % width == 0; }) &&
             llvm::all_of(accesses, [&](const Access &access) {
               return llvm::all_of(access.multiples, [&](int64_t multiple) {
                 return multiple % width == 0;
               });
             });
    };
    while (!divides())
      width /= 2;
    return success();
  }

  RankedTensorType getResultType(const Part &part) {
    return cast<RankedTensorType>(func.getResultTypes()[part.result]);
  }

  //===--------------------------------------------------------------------===//
  // Pointwise
  //===--------------------------------------------------------------------===//

  struct Stored {
    Part part;
    Evaluator::Coords coords;
    Lanes lanes;
    Value valid;
    std::unique_ptr<Columns> columns;
    std::shared_ptr<Evaluator> evaluator;
  };

  /// Evaluates parts of a group at one vector of one row.
  LogicalResult evaluateAt(const Group &group, ArrayRef<Part> parts, Value row,
                           Value start, Value valid, int64_t vectorWidth,
                           SmallVectorImpl<Stored> &stored) {
    FailureOr<Evaluator::Coords> coords = getRowCoords(group, row);
    if (failed(coords))
      return failure();
    auto evaluator =
        std::make_shared<Evaluator>(b, mapping, vectorWidth, EvaluatorHooks());
    auto columns =
        std::make_unique<Columns>(Columns{parts[0].extent, {start}, {Value()}});
    SmallVector<Lanes> values;
    Evaluator::Coords at = *coords;
    at.push_back({Value(), columns.get(), 0});
    for (const Part &part : parts) {
      FailureOr<Lanes> lanes = evaluator->eval(part.value, at);
      if (failed(lanes))
        return failure();
      Evaluator::Coords to = at;
      to.back().offset = part.offset;
      stored.push_back({part, to, *lanes, valid, nullptr, evaluator});
    }
    stored.back().columns = std::move(columns);
    return success();
  }

  LogicalResult storeAll(SmallVectorImpl<Stored> &stored) {
    for (Stored &each : stored)
      if (failed(each.evaluator->store(loc, results[each.part.result],
                                       getResultType(each.part), each.coords,
                                       each.lanes, each.valid)))
        return failure();
    return success();
  }

  /// Emits `body(first)` in a loop over tiles of `tile` things, `first` being
  /// the thread's first of the tile.
  template <typename Body>
  LogicalResult emitTiles(Value total, int64_t tile, Body emit) {
    Value start = mul(blockId(), constant(tile));
    Value blocks = gpu::GridDimOp::create(b, loc, gpu::Dimension::x);
    Value step = mul(blocks, constant(tile));
    auto loop = scf::ForOp::create(b, loc, start, total, step);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    return emit(add(loop.getInductionVar(), threadId()));
  }

  void setPointwiseGrid(const Expr &total, int64_t tile) {
    grid = Expr::binary(ExprOp::CeilDiv, total, Expr(tile));
    grid = Expr::binary(ExprOp::Min, grid, Expr(options.blocks));
  }

  /// Rows and columns of all results in one list of vectors.
  LogicalResult emitPointwise() {
    blockThreads = options.threads ? options.threads : 256;
    struct Set {
      const Group *group;
      SmallVector<Part> parts;
      int64_t vectors; ///< of a row
    };
    SmallVector<Set> sets;
    Expr total = 0;
    for (const Group &group : groups) {
      size_t first = sets.size();
      for (const Part &part : group.parts) {
        auto set =
            llvm::find_if(llvm::drop_begin(sets, first), [&](const Set &set) {
              return set.parts[0].extent == part.extent;
            });
        if (set != sets.end()) {
          set->parts.push_back(part);
          continue;
        }
        sets.push_back({&group, {part}, part.extent / width});
        total = Expr::binary(ExprOp::Add, total,
                             Expr::binary(ExprOp::Mul, group.getRows(),
                                          Expr(part.extent / width)));
      }
    }
    int64_t unroll = options.vectors ? options.vectors : 2;
    if (sets.size() > 1)
      unroll = 1;
    setPointwiseGrid(total, blockThreads * unroll);
    FailureOr<Value> count = emitExtent(total);
    if (failed(count))
      return failure();
    SmallVector<Value> counts;
    for (const Set &set : sets) {
      FailureOr<Value> rows = emitExtent(set.group->getRows());
      if (failed(rows))
        return failure();
      counts.push_back(mul(*rows, constant(set.vectors)));
    }
    auto evaluate = [&](const Set &set, Value vector, Value valid,
                        SmallVectorImpl<Stored> &stored) {
      Value start = mul(remainder(vector, set.vectors), constant(width));
      return evaluateAt(*set.group, set.parts, divide(vector, set.vectors),
                        start, valid, width, stored);
    };
    return emitTiles(
        *count, blockThreads * unroll, [&](Value first) -> LogicalResult {
          if (sets.size() == 1) {
            SmallVector<Stored> stored;
            Value last = arith::SubIOp::create(b, loc, *count, constant(1));
            for (int64_t i = 0; i < unroll; ++i) {
              Value vector = add(first, constant(i * blockThreads));
              if (failed(evaluate(sets[0], least(vector, last),
                                  less(vector, *count), stored)))
                return failure();
            }
            return storeAll(stored);
          }
          OpBuilder::InsertionGuard guard(b);
          Value rest = first;
          for (auto [set, size] : llvm::zip_equal(sets, counts)) {
            auto branch =
                scf::IfOp::create(b, loc, TypeRange(), less(rest, size), true);
            b.setInsertionPointToStart(branch.thenBlock());
            SmallVector<Stored> stored;
            if (failed(evaluate(set, rest, {}, stored)) ||
                failed(storeAll(stored)))
              return failure();
            b.setInsertionPointToStart(branch.elseBlock());
            rest = arith::SubIOp::create(b, loc, rest, size);
          }
          return success();
        });
  }

  /// All tensors as one array: vectors, then the last elements one by one.
  LogicalResult emitFlat() {
    blockThreads = options.threads ? options.threads : 256;
    width = widest;
    int64_t unroll = options.vectors ? options.vectors : 2;
    Group flat = groups[0];
    Expr elements =
        Expr::binary(ExprOp::Mul, flat.getRows(), Expr(flat.shape.back()));
    bool hasTail = flat.shape.back() % width != 0;
    int64_t tile = blockThreads * unroll;
    setPointwiseGrid(Expr::binary(ExprOp::CeilDiv, elements, Expr(width)),
                     tile);
    FailureOr<Value> count = emitExtent(elements);
    if (failed(count))
      return failure();
    Value vectors = divide(*count, width);
    auto evaluate = [&](Value start, Value valid, int64_t vectorWidth,
                        SmallVectorImpl<Stored> &stored) {
      // The whole offset is in the columns; rows add nothing.
      Group one = flat;
      auto evaluator = std::make_shared<Evaluator>(b, mapping, vectorWidth,
                                                   EvaluatorHooks());
      auto columns = std::make_unique<Columns>(Columns{0, {start}, {Value()}});
      Evaluator::Coords at(flat.extents.size());
      at.push_back({Value(), columns.get(), 0});
      for (const Part &part : flat.parts) {
        FailureOr<Lanes> lanes = evaluator->eval(part.value, at);
        if (failed(lanes))
          return failure();
        stored.push_back({part, at, *lanes, valid, nullptr, evaluator});
      }
      stored.back().columns = std::move(columns);
      return success();
    };
    LogicalResult emitted =
        emitTiles(vectors, tile, [&](Value first) -> LogicalResult {
          SmallVector<Stored> stored;
          Value last = arith::SubIOp::create(b, loc, vectors, constant(1));
          for (int64_t i = 0; i < unroll; ++i) {
            Value vector = add(first, constant(i * blockThreads));
            if (failed(evaluate(mul(least(vector, last), constant(width)),
                                less(vector, vectors), width, stored)))
              return failure();
          }
          return storeAll(stored);
        });
    if (failed(emitted) || !hasTail)
      return emitted;
    // The first threads of the grid take one each.
    Value thread = add(mul(blockId(), constant(blockThreads)), threadId());
    Value element = add(mul(vectors, constant(width)), thread);
    auto branch =
        scf::IfOp::create(b, loc, TypeRange(), less(element, *count), false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    SmallVector<Stored> stored;
    if (failed(evaluate(element, {}, 1, stored)))
      return failure();
    return storeAll(stored);
  }

  //===--------------------------------------------------------------------===//
  // Rows
  //===--------------------------------------------------------------------===//

  /// Each group has blocks of its own, so that the threads of a block stay
  /// together. Threads behind a group's last row do that row again and store
  /// nothing.
  LogicalResult emitRows() {
    RowTeam team = RowTeam::choose(rowExtent / width, width, options.held,
                                   options.threads);
    blockThreads = team.threads * team.rowsPerBlock;
    Value thread = threadId(), block = blockId();
    Value lane =
        team.rowsPerBlock == 1 ? thread : remainder(thread, team.threads);
    TeamEmitter emitter(b, loc, module, func.getName(), team, lane, width,
                        options.held);
    OpBuilder::InsertionGuard guard(b);
    grid = Expr(0);
    for (const Group &group : groups) {
      Expr blocks = Expr::binary(ExprOp::CeilDiv, group.getRows(),
                                 Expr(team.rowsPerBlock));
      grid = Expr::binary(ExprOp::Add, grid, blocks);
      FailureOr<Value> rows = emitExtent(group.getRows());
      FailureOr<Value> size = emitExtent(blocks);
      if (failed(rows) || failed(size))
        return failure();
      bool isLast = &group == &groups.back();
      scf::IfOp branch;
      if (!isLast) {
        branch =
            scf::IfOp::create(b, loc, TypeRange(), less(block, *size), true);
        b.setInsertionPointToStart(branch.thenBlock());
      }
      Value row = block, valid;
      if (team.rowsPerBlock > 1) {
        row = add(mul(block, constant(team.rowsPerBlock)),
                  divide(thread, team.threads));
        valid = less(row, *rows);
        row = least(row, arith::SubIOp::create(b, loc, *rows, constant(1)));
      }
      if (failed(emitRow(group, row, valid, emitter)))
        return failure();
      if (!isLast) {
        b.setInsertionPointToStart(branch.elseBlock());
        block = arith::SubIOp::create(b, loc, block, *size);
      }
    }
    return success();
  }

  LogicalResult emitRow(const Group &group, Value row, Value valid,
                        TeamEmitter &team) {
    FailureOr<Evaluator::Coords> coords = getRowCoords(group, row);
    if (failed(coords))
      return failure();
    team.startRow();
    Evaluator evaluator(b, mapping, width, team.getHooks());
    SmallVector<std::pair<Part, Evaluator::Coords>> parts;
    for (const Part &part : group.parts) {
      Evaluator::Coords at = *coords;
      at.push_back({Value(), team.getColumns(part.extent), 0});
      parts.push_back({part, at});
    }
    // All that is read of memory is asked for first.
    for (bool loads : {true, false})
      for (auto &[part, at] : parts)
        if ((!loads || !at.back().columns->loopPieces) &&
            failed(evaluator.prepare(part.value, at, loads)))
          return failure();
    SmallVector<Lanes> values;
    for (auto &[part, at] : parts) {
      if (at.back().columns->loopPieces)
        continue;
      FailureOr<Lanes> lanes = evaluator.eval(part.value, at);
      if (failed(lanes))
        return failure();
      values.push_back(*lanes);
    }
    size_t next = 0;
    for (auto &[part, at] : parts)
      if (!at.back().columns->loopPieces)
        if (failed(storePart(evaluator, part, at, values[next++], valid)))
          return failure();
    return emitLoopedParts(evaluator, parts, valid, team);
  }

  LogicalResult storePart(Evaluator &evaluator, const Part &part,
                          Evaluator::Coords at, const Lanes &lanes,
                          Value valid) {
    at.back().offset += part.offset;
    return evaluator.store(loc, results[part.result], getResultType(part), at,
                           lanes, valid);
  }

  /// Parts of one extent share a loop over its pieces.
  LogicalResult
  emitLoopedParts(Evaluator &evaluator,
                  ArrayRef<std::pair<Part, Evaluator::Coords>> parts,
                  Value valid, TeamEmitter &team) {
    SmallVector<Columns *> looped;
    for (const auto &[part, at] : parts)
      if (at.back().columns->loopPieces &&
          !llvm::is_contained(looped, at.back().columns))
        looped.push_back(at.back().columns);
    for (Columns *columns : looped) {
      LogicalResult emitted = success();
      team.getHooks().loop(columns, {}, [&](Columns *piece, ValueRange) {
        SmallVector<std::tuple<Part, Evaluator::Coords, Lanes>> values;
        for (const auto &[part, at] : parts) {
          if (at.back().columns != columns)
            continue;
          Evaluator::Coords inner = at;
          inner.back().columns = piece;
          FailureOr<Lanes> lanes = evaluator.eval(part.value, inner);
          if (failed(lanes)) {
            emitted = failure();
            return SmallVector<Value>();
          }
          values.push_back({part, inner, *lanes});
        }
        for (auto &[part, inner, lanes] : values)
          if (failed(storePart(evaluator, part, inner, lanes, valid)))
            emitted = failure();
        return SmallVector<Value>();
      });
      if (failed(emitted))
        return failure();
    }
    return success();
  }

  //===--------------------------------------------------------------------===//
  // The launch
  //===--------------------------------------------------------------------===//

  std::string describeLaunch() {
    std::string text = "grid=(" + grid.str() + ", 1, 1) block=(" +
                       std::to_string(blockThreads) + ", 1, 1)";
    if (options.pdl)
      text += " pdl=1";
    std::string where;
    if (auto fixed = func->getAttrOfType<DictionaryAttr>(attrs::codegenStatic))
      for (NamedAttribute axis : fixed)
        where += (where.empty() ? "" : " && ") + axis.getName().str() + " == " +
                 std::to_string(cast<IntegerAttr>(axis.getValue()).getInt());
    return where.empty() ? text : text + " where=(" + where + ")";
  }

  func::FuncOp func;
  ScheduleOptions options;
  OpBuilder b;
  Location loc;
  std::vector<Group> groups;

  // Of the survey.
  bool reduces = false, isFlat = false;
  int64_t rowExtent = 0, width = 1, widest = 1;
  SmallVector<int64_t> extents;

  // Of the kernel.
  gpu::GPUModuleOp module;
  gpu::GPUFuncOp kernel;
  Block *body = nullptr;
  IRMapping mapping;
  SmallVector<Value> results;
  int64_t blockThreads = 0;
  Expr grid;
};

} // namespace

LogicalResult fk::scheduleKernel(func::FuncOp func,
                                 const ScheduleOptions &options) {
  return KernelEmitter(func, options).run();
}
