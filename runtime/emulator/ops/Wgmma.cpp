//===- Wgmma.cpp - wgmma --------------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Each warp of a warpgroup computes its 16 rows when it comes to the
// instruction. What it read from shared memory counts as read until its group
// is waited for, so that who overwrites it early races.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/TensorMemory.h"
#include "runtime/emulator/ops/Async.h"
#include "runtime/emulator/ops/Matrix.h"

#include <algorithm>
#include <cstring>

using namespace fk;
using namespace fk::emulator;
using ptx::Type;

namespace {

/// Inst::imm of wgmma.mma_async.
enum : int64_t {
  RegisterA = 1,
  TransposedA = 2,
  TransposedB = 4,
  ScaleNot = 8
};

/// An operand in shared memory, dense: [mn][k], with the rows that hold
/// undefined bytes.
struct SharedOperand {
  std::vector<uint32_t> elements;
  std::vector<uint8_t> undefined; ///< by mn
  bool isAnyUndefined = false;
  bool isFine = true;
};

class OperandReader {
public:
  OperandReader(Warp &warp, const Inst &inst, uint32_t lane,
                std::vector<uint32_t> &pieces)
      : warp(warp), inst(inst), lane(lane), pieces(pieces) {}

  /// Elements (mn, k) for mn in [first, first + count).
  SharedOperand read(uint64_t bits, unsigned first, unsigned count, unsigned k,
                     unsigned elementBytes, bool isMNMajor,
                     std::string_view what) {
    SharedOperand result;
    result.elements.resize(size_t(count) * k);
    result.undefined.resize(count);
    MatrixDescriptor descriptor = decodeMatrixDescriptor(bits);
    unsigned perPiece = 16 / elementBytes;
    unsigned outer = isMNMajor ? k : count, inner = isMNMajor ? count : k;
    for (unsigned i = 0; i < outer && result.isFine; ++i)
      for (unsigned j = 0; j < inner && result.isFine; j += perPiece) {
        unsigned mn = isMNMajor ? j : i, depth = isMNMajor ? i : j;
        uint32_t address = getElementAddress(descriptor, first + mn, depth,
                                             elementBytes, isMNMajor);
        Place place = find(address, what);
        if (!place.data) {
          result.isFine = false;
          break;
        }
        bool isUndefined = std::memchr(place.undefined, 1, 16) != nullptr;
        for (unsigned e = 0; e < perPiece && j + e < inner; ++e) {
          uint32_t value = 0;
          std::memcpy(&value, place.data + e * elementBytes, elementBytes);
          unsigned row = isMNMajor ? j + e : i, column = isMNMajor ? i : j + e;
          result.elements[size_t(row) * k + column] = value;
          if (isUndefined &&
              std::memchr(place.undefined + e * elementBytes, 1, elementBytes))
            result.undefined[row] = 1;
        }
        result.isAnyUndefined |= isUndefined;
      }
    if (result.isAnyUndefined)
      warp.noteUndefinedLoad(inst, "shared memory");
    return result;
  }

private:
  Place find(uint32_t address, std::string_view what) {
    SharedMemory &shared = warp.getBlock().shared;
    uint64_t offset = uint64_t(address) - sharedBase;
    if (address < sharedBase || offset + 16 > shared.bytes) {
      warp.report(FindingKind::OutOfBounds, inst, lane,
                  "the descriptor of " + std::string(what) +
                      " reads 16 bytes at shared memory + " +
                      std::to_string(int64_t(address) - int64_t(sharedBase)) +
                      ", outside its " + std::to_string(shared.bytes) +
                      " bytes",
                  address);
      return {};
    }
    pieces.push_back(static_cast<uint32_t>(offset));
    Place place = placeIn(warp.getBlock(), offset);
    checkProxy(warp, inst, lane, place, 16);
    return place;
  }

  Warp &warp;
  const Inst &inst;
  uint32_t lane;
  std::vector<uint32_t> &pieces;
};

/// The list: D, then A's registers or its descriptor, then B's descriptor.
void multiplyAsync(Warp &warp, const Inst &inst, uint32_t active) {
  checkAlignedLanes(warp, inst, active);
  uint32_t lane = std::countr_zero(active);
  Block &block = warp.getBlock();
  uint32_t threads = block.getGrid().threads;
  if ((warp.getIndex() / 4 + 1) * 128 > threads) {
    warp.report(FindingKind::InvalidOperation, inst, lane,
                "the warp is of no whole warpgroup: the block has " +
                    std::to_string(threads) + " threads");
    return;
  }
  MmaOp op = getMatrixOp(inst);
  TileOp &tile = op.tile;
  tile.unit = MatrixUnit::Wgmma;
  MatrixShape shape = {16, tile.shape.n, tile.shape.k};
  std::span<const Reg> list = warp.getList(inst);
  std::span<const Reg> d =
      list.first(countRegisters(MatrixOperand::C, shape, tile.accumulator));
  std::span<const Reg> a = list.subspan(d.size(), list.size() - d.size() - 1);
  Reg descriptorB = list.back();
  bool isRegisterA = inst.imm & RegisterA;
  if ((!isRegisterA &&
       warp.checkDefined(inst, a[0], active, "the descriptor of A")) ||
      warp.checkDefined(inst, descriptorB, active, "the descriptor of B") ||
      warp.checkDefined(inst, inst.c, active, "scale-d"))
    return;
  uint32_t scale = warp.predicate(inst.c);
  if (inst.imm & ScaleNot)
    scale = ~scale;
  bool isSame = (scale & active) == 0 || (scale & active) == active;
  auto checkSame = [&](Reg reg) {
    const uint64_t *values = warp.values<uint64_t>(reg);
    forEachLane(active,
                [&](uint32_t l) { isSame &= values[l] == values[lane]; });
  };
  checkSame(descriptorB);
  if (!isRegisterA)
    checkSame(a[0]);
  if (!isSame)
    warp.report(FindingKind::InvalidOperation, inst, lane,
                "lanes of one warp give wgmma different descriptors or "
                "different scale-d");
  bool scaleD = (scale >> lane) & 1;

  Warp::AsyncGroups::Product product;
  product.inst = &inst;
  product.lane = lane;
  product.clock = takeIssueClock(warp);
  OperandReader reader(warp, inst, lane, product.pieces);
  unsigned row = warp.getIndex() % 4 * 16, k = shape.k;
  std::vector<uint32_t> left(size_t(16) * k);
  uint8_t rows[16] = {};
  bool isAnyUndefined = false;
  if (isRegisterA) {
    std::vector<const void *> regs;
    uint32_t undefined = 0;
    for (Reg reg : a) {
      regs.push_back(warp.values<std::byte>(reg));
      undefined |= warp.getUndefined(reg) & active;
    }
    gatherFragment(MatrixOperand::A, shape, tile.a, regs, left.data());
    unsigned bits = getBits(tile.a);
    for (unsigned r = 0; r < a.size() && undefined; ++r)
      forEachLane(active & warp.getUndefined(a[r]), [&](uint32_t l) {
        for (unsigned e = 0; e < 32 / bits; ++e)
          if (warp.getUndefinedBytes(a[r], l) & maskElementBytes(bits, e))
            rows[locate(MatrixOperand::A, shape, tile.a, l, r, e).row] = 1;
      });
    isAnyUndefined = undefined != 0;
  } else {
    SharedOperand operand =
        reader.read(warp.values<uint64_t>(a[0])[lane], row, 16, k,
                    getBits(tile.a) / 8, inst.imm & TransposedA, "A");
    if (!operand.isFine)
      return;
    left = std::move(operand.elements);
    std::copy(operand.undefined.begin(), operand.undefined.end(), rows);
    isAnyUndefined = operand.isAnyUndefined;
  }
  SharedOperand right =
      reader.read(warp.values<uint64_t>(descriptorB)[lane], 0, shape.n, k,
                  getBits(tile.b) / 8, inst.imm & TransposedB, "B");
  if (!right.isFine)
    return;
  isAnyUndefined |= right.isAnyUndefined;

  std::vector<uint32_t> fresh(d.size() * warpSize);
  std::vector<void *> results;
  uint32_t undefinedSum = 0;
  for (size_t r = 0; r < d.size(); ++r) {
    uint32_t *to = fresh.data() + r * warpSize;
    std::memcpy(to, warp.values<uint32_t>(d[r]), warpSize * 4);
    results.push_back(to);
    undefinedSum |= warp.getUndefined(d[r]) & active;
  }
  multiplyWgmma(tile, left.data(), right.elements.data(), scaleD, results);
  bool isPacked = isPackedAccumulator(tile.accumulator);
  for (unsigned r = 0; r < d.size(); ++r) {
    blend(warp.values<uint32_t>(d[r]), fresh.data() + size_t(r) * warpSize,
          active);
    if (!isAnyUndefined && !(scaleD && undefinedSum)) {
      warp.setUndefined(d[r], active, 0);
      continue;
    }
    forEachLane(active, [&](uint32_t l) {
      uint16_t undefined = scaleD ? warp.getUndefinedBytes(d[r], l) : 0;
      for (unsigned e = 0; e < (isPacked ? 2 : 1); ++e) {
        Position p = locate(MatrixOperand::C, shape, tile.accumulator, l, r, e);
        if (rows[p.row] || right.undefined[p.column])
          undefined |= maskElementBytes(isPacked ? 16 : 32, e);
      }
      warp.setUndefinedBytes(d[r], l, undefined);
    });
  }
  getGroups(warp).products.pending.push_back(std::move(product));
}

void fenceWgmma(Warp &warp, const Inst &inst, uint32_t active) {
  checkAlignedLanes(warp, inst, active);
}

void commitProducts(Warp &warp, const Inst &inst, uint32_t active) {
  checkAlignedLanes(warp, inst, active);
  auto &products = getGroups(warp).products;
  products.groups.push_back(products.count());
}

void waitProducts(Warp &warp, const Inst &inst, uint32_t active) {
  checkAlignedLanes(warp, inst, active);
  auto &products = getGroups(warp).products;
  uint32_t now = warp.sync.now();
  while (products.groups.size() > static_cast<size_t>(inst.imm)) {
    uint64_t upTo = products.groups.front();
    products.groups.pop_front();
    while (products.done < upTo) {
      Warp::AsyncGroups::Product product = products.take();
      for (uint32_t offset : product.pieces)
        recordAsyncAccess(warp, *product.inst, product.lane, *product.clock,
                          now, placeIn(warp.getBlock(), offset), 16,
                          Access::Read);
    }
  }
  // Every lane has waited, so the lanes may overwrite one another's operands.
  warp.sync.advance();
}

bool isProduct(const TileOp &tile) {
  MatrixType a = tile.a, b = tile.b, d = tile.accumulator;
  auto [m, n, k] = tile.shape;
  if (m != 64 || n % 8 || n < 8 || n > 256)
    return false;
  bool isFloatSum = d == MatrixType::F16 || d == MatrixType::F32;
  auto isF8 = [](MatrixType t) {
    return t == MatrixType::E4M3 || t == MatrixType::E5M2;
  };
  auto isI8 = [](MatrixType t) {
    return t == MatrixType::S8 || t == MatrixType::U8;
  };
  if (a == MatrixType::F16)
    return b == a && isFloatSum && k == 16;
  if (a == MatrixType::BF16)
    return b == a && d == MatrixType::F32 && k == 16;
  if (a == MatrixType::TF32)
    return b == a && d == MatrixType::F32 && k == 8;
  if (isF8(a))
    return isF8(b) && isFloatSum && k == 32;
  return isI8(a) && isI8(b) && d == MatrixType::S32 && k == 32 &&
         (n <= 24 || n % 16 == 0);
}

void decodeProduct(Decoder &decoder, Modifiers &modifiers,
                   const ptx::Instruction &instruction, Inst &inst) {
  std::span<const ptx::Operand> operands = instruction.operands;
  MmaOp op;
  TileOp &tile = op.tile;
  tile.unit = MatrixUnit::Wgmma;
  std::optional<MatrixShape> shape = takeMatrixShape(modifiers);
  tile.satFinite = modifiers.take("satfinite");
  std::optional<MatrixType> types[3];
  for (auto &type : types)
    type = takeMatrixType(modifiers);
  if (!shape || !types[2])
    decoder.failUnsupported(instruction,
                            "it wants a shape and the types of D, A and B");
  tile.shape = *shape;
  tile.accumulator = op.c = *types[0];
  tile.a = *types[1];
  tile.b = *types[2];
  tile.satFinite |= modifiers.take("satfinite");
  bool isInteger = tile.accumulator == MatrixType::S32;
  if (tile.a == MatrixType::B1)
    decoder.failUnsupported(instruction, "products of bits are not emulated");
  if (!isProduct(tile) || (tile.satFinite && !isInteger))
    decoder.failUnsupported(instruction, "these types with that shape");
  bool isRegisterA =
      operands.size() > 1 && operands[1].kind == ptx::Operand::Kind::Vector;
  bool isHalf = getBits(tile.a) == 16;
  // d, a, b, scale-d; the signs of A and B; the majors of what is in memory.
  size_t signs = isInteger ? 0 : 2;
  size_t majors = isHalf ? (isRegisterA ? 1 : 2) : 0;
  decoder.expectOperands(instruction, 4 + signs + majors);
  MatrixShape share = {16, shape->n, shape->k};
  std::vector<Reg> list = bindMatrixRegs(
      decoder, operands[0],
      countRegisters(MatrixOperand::C, share, tile.accumulator), 4, true);
  if (isRegisterA) {
    std::vector<Reg> regs = bindMatrixRegs(
        decoder, operands[1], countRegisters(MatrixOperand::A, share, tile.a),
        4, false);
    list.insert(list.end(), regs.begin(), regs.end());
    inst.imm |= RegisterA;
  } else {
    list.push_back(decoder.source(operands[1], Type::B64));
  }
  list.push_back(decoder.source(operands[2], Type::B64));
  int64_t value;
  if (decoder.isInteger(operands[3], value)) {
    inst.c = value ? decoder.truePredicate() : decoder.falsePredicate();
  } else {
    inst.c = decoder.source(operands[3], Type::Pred);
    if (operands[3].isNegated)
      inst.imm |= ScaleNot;
  }
  auto constantOf = [&](size_t index, std::initializer_list<int64_t> allowed,
                        std::string_view what) {
    int64_t got = decoder.integer(operands[index], what);
    if (std::find(allowed.begin(), allowed.end(), got) == allowed.end())
      decoder.fail(operands[index].location,
                   std::string(what) + " cannot be " + std::to_string(got));
    return got;
  };
  if (signs) {
    tile.negateA = constantOf(4, {1, -1}, "imm-scale-a") == -1;
    tile.negateB = constantOf(5, {1, -1}, "imm-scale-b") == -1;
  }
  if (majors == 2 && constantOf(6, {0, 1}, "imm-trans-a"))
    inst.imm |= TransposedA;
  if (majors && constantOf(4 + signs + majors - 1, {0, 1}, "imm-trans-b"))
    inst.imm |= TransposedB;
  decoder.setList(inst, list);
  setMatrixFlags(inst, op);
  inst.isAsync = true;
  inst.run = multiplyAsync;
}

void decodeWgmma(Decoder &decoder, Modifiers &modifiers,
                 const ptx::Instruction &instruction, Inst &inst) {
  std::string_view action =
      modifiers.takeOneOf({"fence", "commit_group", "wait_group", "mma_async"});
  if (action.empty())
    decoder.failUnsupported(instruction,
                            "it wants .fence, .mma_async, .commit_group or "
                            ".wait_group");
  if (modifiers.take("sp"))
    decoder.failUnsupported(instruction,
                            "sparse matrix products are not emulated");
  if (!modifiers.take("sync") || !modifiers.take("aligned"))
    decoder.failUnsupported(instruction, "it wants .sync.aligned");
  if (action == "mma_async")
    return decodeProduct(decoder, modifiers, instruction, inst);
  decoder.expectOperands(instruction, action == "wait_group" ? 1 : 0);
  if (action == "wait_group") {
    inst.imm = decoder.integer(instruction.operands[0], "the number of groups");
    if (inst.imm < 0 || inst.imm > 7)
      decoder.fail(instruction.operands[0].location,
                   "wgmma.wait_group takes 0 to 7");
  }
  inst.run = action == "fence"          ? fenceWgmma
             : action == "commit_group" ? commitProducts
                                        : waitProducts;
}

constexpr OpEntry table[] = {{"wgmma", decodeWgmma}};

} // namespace

std::span<const OpEntry> emulator::getWgmmaOps() { return table; }
