//===- RowTeam.cpp - The threads that share a row -------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A reduction goes by shuffles within a warp; between warps each writes its
// part to shared memory, and after one barrier every warp combines all of them.
// Each reduction has its own words, so that none needs a second barrier.
//
//===----------------------------------------------------------------------===//

#include "lib/Codegen/RowTeam.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace fk;

RowTeam RowTeam::choose(int64_t vectors, int64_t width, int64_t held,
                        int64_t wanted) {
  // About 256 threads a block, however short the rows are.
  auto several = [](int64_t threads) {
    return RowTeam{threads, 256 / threads};
  };
  if (wanted)
    return wanted > 32 ? RowTeam{wanted, 1} : several(wanted);
  if (vectors <= 128)
    return several(std::min<int64_t>(32, llvm::PowerOf2Ceil(vectors)));
  // Few vectors a thread, so that many threads ask for memory at a time, but
  // more than one, so that the reduction is paid for.
  int64_t most = std::max<int64_t>(1, held / width);
  for (int64_t pieces : {2, 4, 3, 1, 5, 6, 7, 8}) {
    int64_t threads = llvm::alignTo(llvm::divideCeil(vectors, pieces), 32);
    int64_t idle = threads * pieces - vectors;
    if (pieces <= most && threads >= 64 && threads <= 512 &&
        idle * 16 <= vectors)
      return {threads, 1};
  }
  RowTeam best = {1024, 1};
  int64_t least = std::numeric_limits<int64_t>::max();
  for (int64_t threads = 1024; threads >= 128; threads -= 32) {
    int64_t pieces = llvm::divideCeil(vectors, threads);
    int64_t idle = threads * pieces - vectors;
    if (pieces <= most && idle < least) {
      best = {threads, 1};
      least = idle;
    }
  }
  return best;
}

Value TeamEmitter::constant(int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}
Value TeamEmitter::constant32(int64_t value) {
  return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(int32_t(value)));
}

/// Vector number `number` of the row; behind its end the last one again.
void TeamEmitter::addPiece(Columns &to, Value number, int64_t vectors,
                           bool isPartial) {
  Value valid;
  if (isPartial) {
    valid = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, number,
                                  constant(vectors));
    number = arith::MinUIOp::create(b, loc, number, constant(vectors - 1));
  }
  to.starts.push_back(width == 1 ? number
                                 : Value(arith::MulIOp::create(
                                       b, loc, number, constant(width))));
  to.valid.push_back(valid);
}

Columns *TeamEmitter::getColumns(int64_t extent) {
  Columns *&known = columns[extent];
  if (known)
    return known;
  all.push_back(std::make_unique<Columns>());
  known = all.back().get();
  known->extent = extent;
  int64_t vectors = extent / width;
  int64_t pieces = llvm::divideCeil(vectors, team.threads);
  if (pieces * width > held && pieces > 1) {
    known->loopPieces = pieces;
    return known;
  }
  for (int64_t i = 0; i < pieces; ++i) {
    Value number = lane;
    if (i > 0)
      number = arith::AddIOp::create(b, loc, lane, constant(i * team.threads));
    addPiece(*known, number, vectors, (i + 1) * team.threads > vectors);
  }
  return known;
}

EvaluatorHooks TeamEmitter::getHooks() {
  EvaluatorHooks hooks;
  hooks.getColumns = [this](int64_t extent) { return getColumns(extent); };
  hooks.combineThreads = [this](Combine combine, Value value) {
    return combineThreads(combine, value);
  };
  hooks.loop = [this](Columns *looped, ValueRange values, auto emit) {
    auto loop = scf::ForOp::create(
        b, loc, constant(0), constant(looped->loopPieces), constant(1), values);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    all.push_back(std::make_unique<Columns>());
    Columns *piece = all.back().get();
    piece->extent = looped->extent;
    int64_t vectors = looped->extent / width;
    Value first = arith::MulIOp::create(b, loc, loop.getInductionVar(),
                                        constant(team.threads));
    addPiece(*piece, arith::AddIOp::create(b, loc, first, lane), vectors,
             vectors % team.threads != 0);
    SmallVector<Value> next = emit(piece, loop.getRegionIterArgs());
    if (!values.empty())
      scf::YieldOp::create(b, loc, next);
    return SmallVector<Value>(loop.getResults());
  };
  return hooks;
}

Value TeamEmitter::combineValues(Combine combine, Value lhs, Value rhs) {
  switch (combine) {
  case Combine::Add:
    return arith::AddFOp::create(b, loc, lhs, rhs);
  case Combine::Mul:
    return arith::MulFOp::create(b, loc, lhs, rhs);
  case Combine::Max:
    return arith::MaxNumFOp::create(b, loc, lhs, rhs);
  case Combine::Min:
    return arith::MinNumFOp::create(b, loc, lhs, rhs);
  }
  llvm_unreachable("all kinds are handled");
}

/// The combination over `lanes` neighbours, a power of two, in each of them.
Value TeamEmitter::shuffle(Combine combine, Value value, int64_t lanes) {
  Value mask = constant32(-1);
  for (int64_t offset = lanes / 2; offset > 0; offset /= 2) {
    Value other = NVVM::ShflOp::create(b, loc, value.getType(), mask, value,
                                       constant32(offset), constant32(31),
                                       NVVM::ShflKind::bfly, UnitAttr());
    value = combineValues(combine, value, other);
  }
  return value;
}

Value TeamEmitter::combineThreads(Combine combine, Value value) {
  if (team.threads <= 32)
    return shuffle(combine, value, team.threads);
  value = shuffle(combine, value, 32);
  int64_t warps = team.threads / 32;
  Type type = value.getType();
  std::string symbol = (name + "_partials_" + Twine(reductions++)).str();
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    LLVM::GlobalOp::create(b, loc, LLVM::LLVMArrayType::get(type, warps),
                           /*isConstant=*/false, LLVM::Linkage::Internal,
                           symbol, Attribute(), /*alignment=*/16,
                           /*addrSpace=*/3);
  }
  auto pointer = LLVM::LLVMPointerType::get(b.getContext(), 3);
  Value words = LLVM::AddressOfOp::create(b, loc, pointer, symbol);
  auto getWord = [&](Value index) {
    Value wide = arith::IndexCastOp::create(b, loc, b.getI32Type(), index);
    return LLVM::GEPOp::create(b, loc, pointer, type, words,
                               ArrayRef<LLVM::GEPArg>{wide});
  };
  Value warp = arith::DivUIOp::create(b, loc, lane, constant(32));
  Value inWarp = arith::RemUIOp::create(b, loc, lane, constant(32));
  Value isFirst = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                        inWarp, constant(0));
  auto branch = scf::IfOp::create(b, loc, TypeRange(), isFirst, false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    LLVM::StoreOp::create(b, loc, value, getWord(warp), 4);
  }
  gpu::BarrierOp::create(b, loc);
  int64_t lanes = llvm::PowerOf2Ceil(warps);
  Value index = arith::RemUIOp::create(b, loc, inWarp, constant(lanes));
  if (lanes == warps)
    return shuffle(
        combine, LLVM::LoadOp::create(b, loc, type, getWord(index), 4), lanes);
  Value counts = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, index,
                                       constant(warps));
  index = arith::MinUIOp::create(b, loc, index, constant(warps - 1));
  Value part = LLVM::LoadOp::create(b, loc, type, getWord(index), 4);
  IRMapping none;
  Evaluator constants(b, none, 1, {});
  part = arith::SelectOp::create(b, loc, counts, part,
                                 constants.identity(loc, combine, type));
  return shuffle(combine, part, lanes);
}
