//===- Matrix.cpp - mma, ldmatrix, stmatrix, movmatrix --------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Warp-wide matrix instructions. An undefined element of A makes a row of the
// result undefined, one of B a column, one of C itself.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/ops/Matrix.h"
#include "runtime/emulator/ops/Wmma.h"

#include <algorithm>
#include <charconv>
#include <cstring>

using namespace fk;
using namespace fk::emulator;
using ptx::StateSpace;
using ptx::Type;

//===----------------------------------------------------------------------===//
// Shapes and types
//===----------------------------------------------------------------------===//

namespace {

struct TypeName {
  std::string_view name;
  MatrixType type;
};
constexpr TypeName typeNames[] = {
    {"f16", MatrixType::F16},   {"bf16", MatrixType::BF16},
    {"tf32", MatrixType::TF32}, {"e4m3", MatrixType::E4M3},
    {"e5m2", MatrixType::E5M2}, {"s8", MatrixType::S8},
    {"u8", MatrixType::U8},     {"s4", MatrixType::S4},
    {"u4", MatrixType::U4},     {"b1", MatrixType::B1},
    {"f32", MatrixType::F32},   {"s32", MatrixType::S32},
    {"f64", MatrixType::F64},
};

const TypeName *findType(std::string_view name) {
  for (const TypeName &known : typeNames)
    if (known.name == name)
      return &known;
  return nullptr;
}

bool parseShape(std::string_view text, MatrixShape &shape) {
  auto number = [&](char letter, unsigned &value) {
    if (text.empty() || text[0] != letter)
      return false;
    auto [end, error] =
        std::from_chars(text.data() + 1, text.data() + text.size(), value);
    if (error != std::errc() || end == text.data() + 1)
      return false;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return true;
  };
  return number('m', shape.m) && number('n', shape.n) && number('k', shape.k) &&
         text.empty();
}

bool isFloat8(MatrixType type) {
  return type == MatrixType::E4M3 || type == MatrixType::E5M2;
}
bool isInt8(MatrixType type) {
  return type == MatrixType::S8 || type == MatrixType::U8;
}
bool isInt4(MatrixType type) {
  return type == MatrixType::S4 || type == MatrixType::U4;
}

/// Whether mma.sync has the product.
bool isMma(const MmaOp &op) {
  MatrixType a = op.tile.a, b = op.tile.b, d = op.tile.accumulator;
  auto is = [&](std::initializer_list<MatrixShape> shapes) {
    return std::find(shapes.begin(), shapes.end(), op.tile.shape) !=
           shapes.end();
  };
  bool isSame = op.c == d;
  bool isFloatSum = d == MatrixType::F32 || d == MatrixType::F16;
  if (a == MatrixType::F16 && b == a && isFloatSum &&
      (op.c == MatrixType::F32 || op.c == MatrixType::F16))
    return is({{8, 8, 4}}) || (isSame && is({{16, 8, 8}, {16, 8, 16}}));
  if (!isSame)
    return false;
  if (a == MatrixType::BF16)
    return b == a && d == MatrixType::F32 && is({{16, 8, 8}, {16, 8, 16}});
  if (a == MatrixType::TF32)
    return b == a && d == MatrixType::F32 && is({{16, 8, 4}, {16, 8, 8}});
  if (isFloat8(a))
    return isFloat8(b) && isFloatSum && is({{16, 8, 16}, {16, 8, 32}});
  if (isInt8(a))
    return isInt8(b) && d == MatrixType::S32 &&
           is({{8, 8, 16}, {16, 8, 16}, {16, 8, 32}});
  if (isInt4(a))
    return isInt4(b) && d == MatrixType::S32 &&
           is({{8, 8, 32}, {16, 8, 32}, {16, 8, 64}});
  if (a == MatrixType::B1)
    return b == a && d == MatrixType::S32 &&
           is({{8, 8, 128}, {16, 8, 128}, {16, 8, 256}});
  return a == MatrixType::F64 && b == a && d == a &&
         is({{8, 8, 4}, {16, 8, 4}, {16, 8, 8}, {16, 8, 16}});
}

bool isQuadPair(const MmaOp &op) {
  return op.tile.a == MatrixType::F16 && op.tile.shape == MatrixShape{8, 8, 4};
}

} // namespace

std::optional<MatrixType> emulator::takeMatrixType(Modifiers &modifiers) {
  std::string_view name =
      modifiers.takeIf([](std::string_view n) { return findType(n); });
  if (name.empty())
    return std::nullopt;
  return findType(name)->type;
}

std::optional<MatrixShape> emulator::takeMatrixShape(Modifiers &modifiers) {
  MatrixShape shape;
  std::string_view name = modifiers.takeIf(
      [&](std::string_view n) { return parseShape(n, shape); });
  if (name.empty())
    return std::nullopt;
  return shape;
}

void emulator::setMatrixFlags(Inst &inst, const MmaOp &op) {
  const TileOp &tile = op.tile;
  inst.flags[MatrixRowsFlag] = static_cast<uint8_t>(tile.shape.m);
  inst.flags[MatrixColumnsFlag] = static_cast<uint8_t>(tile.shape.n / 8);
  inst.flags[MatrixDepthFlag] = static_cast<uint8_t>(tile.shape.k / 4);
  inst.flags[MatrixTypeAFlag] = static_cast<uint8_t>(tile.a);
  inst.flags[MatrixTypeBFlag] = static_cast<uint8_t>(tile.b);
  inst.flags[MatrixTypeDFlag] = static_cast<uint8_t>(tile.accumulator);
  inst.flags[MatrixTypeCFlag] = static_cast<uint8_t>(op.c);
  inst.flags[MatrixBitsFlag] = static_cast<uint8_t>(
      (tile.satFinite ? MatrixSaturates : 0) | (tile.isXor ? MatrixXor : 0) |
      (op.isRowA ? MatrixRowA : 0) | (op.isColumnB ? MatrixColumnB : 0) |
      (tile.negateA ? MatrixNegatesA : 0) |
      (tile.negateB ? MatrixNegatesB : 0));
}

MmaOp emulator::getMatrixOp(const Inst &inst) {
  MmaOp op;
  op.tile.shape = {inst.flags[MatrixRowsFlag],
                   inst.flags[MatrixColumnsFlag] * 8u,
                   inst.flags[MatrixDepthFlag] * 4u};
  op.tile.a = static_cast<MatrixType>(inst.flags[MatrixTypeAFlag]);
  op.tile.b = static_cast<MatrixType>(inst.flags[MatrixTypeBFlag]);
  op.tile.accumulator = static_cast<MatrixType>(inst.flags[MatrixTypeDFlag]);
  op.c = static_cast<MatrixType>(inst.flags[MatrixTypeCFlag]);
  uint8_t bits = inst.flags[MatrixBitsFlag];
  op.tile.satFinite = bits & MatrixSaturates;
  op.tile.isXor = bits & MatrixXor;
  op.isRowA = bits & MatrixRowA;
  op.isColumnB = bits & MatrixColumnB;
  op.tile.negateA = bits & MatrixNegatesA;
  op.tile.negateB = bits & MatrixNegatesB;
  return op;
}

void emulator::checkAlignedLanes(Warp &warp, const Inst &inst,
                                 uint32_t active) {
  if (active == warp.getLive())
    return;
  warp.report(FindingKind::DivergentBarrier, inst, std::countr_zero(active),
              "only " + std::to_string(std::popcount(active)) + " of the " +
                  std::to_string(std::popcount(warp.getLive())) +
                  " running lanes of the warp execute a matrix instruction, "
                  "which is for all of them");
}

std::vector<Reg> emulator::bindMatrixRegs(Decoder &decoder,
                                          const ptx::Operand &operand,
                                          size_t count, size_t bytes,
                                          bool isDest) {
  std::span<const ptx::Operand> parts = {&operand, 1};
  if (operand.kind == ptx::Operand::Kind::Vector)
    parts = operand.parts;
  if (parts.size() != count)
    decoder.fail(operand.location, "a fragment of " + std::to_string(count) +
                                       " registers is wanted, got " +
                                       std::to_string(parts.size()));
  std::vector<Reg> regs;
  for (const ptx::Operand &part : parts)
    regs.push_back(
        isDest ? decoder.dest(part, bytes)
               : decoder.source(part, bytes == 8 ? Type::B64 : Type::B32));
  return regs;
}

//===----------------------------------------------------------------------===//
// mma
//===----------------------------------------------------------------------===//

namespace {

/// A fragment's registers and where their elements are.
struct Fragments {
  const MmaOp &op;
  bool isQuads;

  explicit Fragments(const MmaOp &op) : op(op), isQuads(isQuadPair(op)) {}

  /// Calls fn(lane, element's bytes, block, position); `block` numbers the
  /// quad pair.
  template <class Fn>
  void forEach(MatrixOperand operand, MatrixType type, unsigned reg,
               Fn fn) const {
    unsigned bits = operand == MatrixOperand::C && !isPackedAccumulator(type)
                        ? std::max(32u, getBits(type))
                        : getBits(type);
    unsigned count = type == MatrixType::F64 ? 1 : 32 / bits;
    for (unsigned lane = 0; lane < warpSize; ++lane)
      for (unsigned e = 0; e < count; ++e) {
        Position p =
            isQuads
                ? locateQuadPair(operand, type,
                                 operand == MatrixOperand::A ? op.isRowA
                                                             : !op.isColumnB,
                                 lane, reg, e)
                : locate(operand, op.tile.shape, type, lane, reg, e);
        fn(lane, maskElementBytes(bits, e), isQuads ? getQuadPair(lane) : 0, p);
      }
  }
};

/// What the undefined elements of the operands leave of D: marks by register
/// and lane, as bytes.
void markProduct(Warp &warp, const MmaOp &op, std::span<const Reg> a,
                 std::span<const Reg> b, std::span<const Reg> c,
                 std::span<const Reg> d, uint32_t active) {
  Fragments fragments(op);
  auto [m, n, k] = op.tile.shape;
  std::vector<uint8_t> rows(size_t(4) * m), columns(size_t(4) * n),
      sum(size_t(4) * m * n);
  auto each = [&](std::span<const Reg> regs, MatrixOperand operand,
                  MatrixType type, auto mark) {
    for (unsigned r = 0; r < regs.size(); ++r) {
      if (!(warp.getUndefined(regs[r]) & active))
        continue;
      fragments.forEach(
          operand, type, r,
          [&](unsigned lane, uint16_t bytes, unsigned block, Position p) {
            if (warp.getUndefinedBytes(regs[r], lane) & bytes)
              mark(block, p);
          });
    }
  };
  each(a, MatrixOperand::A, op.tile.a,
       [&](unsigned block, Position p) { rows[block * m + p.row] = 1; });
  each(b, MatrixOperand::B, op.tile.b,
       [&](unsigned block, Position p) { columns[block * n + p.column] = 1; });
  each(c, MatrixOperand::C, op.c, [&](unsigned block, Position p) {
    sum[(block * m + p.row) * n + p.column] = 1;
  });
  for (unsigned r = 0; r < d.size(); ++r) {
    uint16_t undefined[warpSize] = {};
    fragments.forEach(
        MatrixOperand::C, op.tile.accumulator, r,
        [&](unsigned lane, uint16_t bytes, unsigned block, Position p) {
          if (rows[block * m + p.row] || columns[block * n + p.column] ||
              sum[(block * m + p.row) * n + p.column])
            undefined[lane] |= bytes;
        });
    forEachLane(active, [&](uint32_t lane) {
      warp.setUndefinedBytes(d[r], lane, undefined[lane]);
    });
  }
}

} // namespace

void emulator::runProduct(Warp &warp, const MmaOp &op, std::span<const Reg> a,
                          std::span<const Reg> b, std::span<const Reg> c,
                          std::span<const Reg> d, uint32_t active) {
  auto pointers = [&](std::span<const Reg> regs) {
    std::vector<const void *> result;
    for (Reg reg : regs)
      result.push_back(warp.values<std::byte>(reg));
    return result;
  };
  bool isWide = op.tile.a == MatrixType::F64;
  size_t bytes = isWide ? 8 : 4;
  std::vector<uint64_t> fresh(d.size() * warpSize);
  std::vector<void *> results;
  for (size_t r = 0; r < d.size(); ++r)
    results.push_back(reinterpret_cast<std::byte *>(fresh.data()) +
                      r * warpSize * bytes);
  multiplyFragments(op, pointers(a), pointers(b), pointers(c), results);
  uint32_t undefined = 0;
  for (std::span<const Reg> regs : {a, b, c})
    for (Reg reg : regs)
      undefined |= warp.getUndefined(reg) & active;
  if (undefined)
    markProduct(warp, op, a, b, c, d, active);
  for (size_t r = 0; r < d.size(); ++r) {
    if (isWide)
      blend(warp.values<uint64_t>(d[r]),
            static_cast<const uint64_t *>(results[r]), active);
    else
      blend(warp.values<uint32_t>(d[r]),
            static_cast<const uint32_t *>(results[r]), active);
    if (!undefined)
      warp.setUndefined(d[r], active, 0);
  }
}

namespace {

void multiply(Warp &warp, const Inst &inst, uint32_t active) {
  checkAlignedLanes(warp, inst, active);
  MmaOp op = getMatrixOp(inst);
  std::span<const Reg> list = warp.getList(inst);
  auto take = [&](MatrixOperand operand, MatrixType type) {
    unsigned count = isQuadPair(op)
                         ? (operand != MatrixOperand::C ? 2
                            : isPackedAccumulator(type) ? 4
                                                        : 8)
                         : countRegisters(operand, op.tile.shape, type);
    std::span<const Reg> regs = list.first(count);
    list = list.subspan(count);
    return regs;
  };
  auto d = take(MatrixOperand::C, op.tile.accumulator);
  auto a = take(MatrixOperand::A, op.tile.a);
  auto b = take(MatrixOperand::B, op.tile.b);
  auto c = take(MatrixOperand::C, op.c);
  runProduct(warp, op, a, b, c, d, active);
}

void decodeMma(Decoder &decoder, Modifiers &modifiers,
               const ptx::Instruction &instruction, Inst &inst) {
  if (modifiers.take("sp") || modifiers.take("sp::ordered_metadata"))
    decoder.failUnsupported(instruction,
                            "sparse matrix products are not emulated");
  if (!modifiers.take("sync") || !modifiers.take("aligned"))
    decoder.failUnsupported(instruction, "it wants .sync.aligned");
  std::optional<MatrixShape> shape = takeMatrixShape(modifiers);
  std::string_view layoutA = modifiers.takeOneOf({"row", "col"});
  std::string_view layoutB = modifiers.takeOneOf({"row", "col"});
  if (!shape || layoutB.empty())
    decoder.failUnsupported(instruction, "it wants a shape and two layouts");
  MmaOp op;
  op.tile.shape = *shape;
  op.tile.satFinite = modifiers.take("satfinite");
  std::optional<MatrixType> types[4];
  for (auto &type : types)
    type = takeMatrixType(modifiers);
  if (!types[3])
    decoder.failUnsupported(instruction, "it wants the types of D, A, B and C");
  op.tile.accumulator = *types[0];
  op.tile.a = *types[1];
  op.tile.b = *types[2];
  op.c = *types[3];
  op.isRowA = layoutA == "row";
  op.isColumnB = layoutB == "col";
  bool isBits = op.tile.a == MatrixType::B1;
  if (isBits) {
    std::string_view bitOp = modifiers.takeOneOf({"xor", "and"});
    if (bitOp.empty() || !modifiers.take("popc"))
      decoder.failUnsupported(instruction, "it wants .xor.popc or .and.popc");
    op.tile.isXor = bitOp == "xor";
  }
  bool isInteger = op.tile.accumulator == MatrixType::S32;
  if (!isMma(op) || (op.tile.satFinite && (!isInteger || isBits)))
    decoder.failUnsupported(instruction, "these types with that shape");
  if (!isQuadPair(op) && (!op.isRowA || !op.isColumnB))
    decoder.failUnsupported(instruction, "only .row.col has that shape");
  decoder.expectOperands(instruction, 4);
  std::vector<Reg> list;
  auto bind = [&](size_t index, MatrixOperand operand, MatrixType type) {
    unsigned count = isQuadPair(op) ? (operand != MatrixOperand::C ? 2
                                       : isPackedAccumulator(type) ? 4
                                                                   : 8)
                                    : countRegisters(operand, *shape, type);
    std::vector<Reg> regs =
        bindMatrixRegs(decoder, instruction.operands[index], count,
                       type == MatrixType::F64 ? 8 : 4, index == 0);
    list.insert(list.end(), regs.begin(), regs.end());
  };
  bind(0, MatrixOperand::C, op.tile.accumulator);
  bind(1, MatrixOperand::A, op.tile.a);
  bind(2, MatrixOperand::B, op.tile.b);
  bind(3, MatrixOperand::C, op.c);
  decoder.setList(inst, list);
  setMatrixFlags(inst, op);
  inst.run = multiply;
}

//===----------------------------------------------------------------------===//
// ldmatrix, stmatrix, movmatrix
//===----------------------------------------------------------------------===//

enum { KindFlag = 0, SpaceFlag = 1, TransposeFlag = 2 };

/// The rows of `count` matrices, 16 bytes each; row r is lane r's. Lanes whose
/// row cannot be had are left out of the result.
uint32_t findRows(Warp &warp, const Inst &inst, uint32_t active, size_t count,
                  Access access, Place *rows) {
  auto wanted = static_cast<uint32_t>((uint64_t(1) << (8 * count)) - 1);
  wanted &= active;
  if (inst.flags[KindFlag] < AddressConstant &&
      warp.checkDefined(inst, inst.a, wanted, "the address of a row"))
    wanted &= ~warp.getUndefined(inst.a);
  uint64_t addresses[warpSize];
  gatherAddresses(warp, inst, addresses);
  auto space = static_cast<StateSpace>(inst.flags[SpaceFlag]);
  uint32_t found = 0;
  forEachLane(wanted, [&](uint32_t lane) {
    rows[lane] =
        resolve(warp, inst, lane, space, addresses[lane], 16, access, 16);
    if (rows[lane].data && !rows[lane].shared) {
      warp.report(FindingKind::InvalidOperation, inst, lane,
                  "the row of a matrix is not in shared memory",
                  addresses[lane]);
      rows[lane] = {};
    }
    if (rows[lane].data)
      found |= 1u << lane;
  });
  return found;
}

void loadMatrix(Warp &warp, const Inst &inst, uint32_t active) {
  checkAlignedLanes(warp, inst, active);
  std::span<const Reg> list = warp.getList(inst);
  Place rows[warpSize];
  uint32_t found =
      findRows(warp, inst, active, list.size(), Access::Read, rows);
  forEachLane(found, [&](uint32_t lane) {
    recordAccess(warp, inst, lane, rows[lane], 16, Access::Read, false);
    if (std::memchr(rows[lane].undefined, 1, 16))
      warp.noteUndefinedLoad(inst, "shared memory");
  });
  for (unsigned matrix = 0; matrix < list.size(); ++matrix) {
    uint32_t *to = warp.values<uint32_t>(list[matrix]);
    forEachLane(active, [&](uint32_t lane) {
      uint32_t value = 0;
      uint16_t undefined = 0;
      for (unsigned e = 0; e < 2; ++e) {
        MatrixPlace at =
            locateMatrix(matrix, lane, e, inst.flags[TransposeFlag]);
        if (!((found >> at.addressLane) & 1)) {
          // A lane that is not here gives no row; what failed was reported.
          if (!((active >> at.addressLane) & 1))
            undefined |= uint16_t(3) << (2 * e);
          continue;
        }
        const Place &row = rows[at.addressLane];
        uint16_t half;
        std::memcpy(&half, row.data + at.byte, 2);
        value |= uint32_t(half) << (16 * e);
        for (unsigned i = 0; i < 2; ++i)
          undefined |= uint16_t(row.undefined[at.byte + i] & 1) << (2 * e + i);
      }
      to[lane] = value;
      warp.setUndefinedBytes(list[matrix], lane, undefined);
    });
  }
}

void storeMatrix(Warp &warp, const Inst &inst, uint32_t active) {
  checkAlignedLanes(warp, inst, active);
  std::span<const Reg> list = warp.getList(inst);
  Place rows[warpSize];
  uint32_t found =
      findRows(warp, inst, active, list.size(), Access::Write, rows);
  forEachLane(found, [&](uint32_t lane) {
    recordAccess(warp, inst, lane, rows[lane], 16, Access::Write, false);
  });
  for (unsigned matrix = 0; matrix < list.size(); ++matrix) {
    const uint32_t *from = warp.values<uint32_t>(list[matrix]);
    forEachLane(active, [&](uint32_t lane) {
      uint16_t undefined = warp.getUndefinedBytes(list[matrix], lane);
      for (unsigned e = 0; e < 2; ++e) {
        MatrixPlace at =
            locateMatrix(matrix, lane, e, inst.flags[TransposeFlag]);
        if (!((found >> at.addressLane) & 1))
          continue;
        const Place &row = rows[at.addressLane];
        auto half = static_cast<uint16_t>(from[lane] >> (16 * e));
        std::memcpy(row.data + at.byte, &half, 2);
        for (unsigned i = 0; i < 2; ++i)
          row.undefined[at.byte + i] = (undefined >> (2 * e + i)) & 1;
      }
    });
  }
}

void transposeMatrix(Warp &warp, const Inst &inst, uint32_t active) {
  checkAlignedLanes(warp, inst, active);
  const uint32_t *from = warp.values<uint32_t>(inst.a);
  uint32_t result[warpSize];
  uint16_t undefined[warpSize] = {};
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    result[lane] = 0;
    for (unsigned e = 0; e < 2; ++e) {
      LaneHalf source = transposeSource(lane, e);
      result[lane] |= (from[source.lane] >> (16 * source.element) & 0xffff)
                      << (16 * e);
      uint16_t bytes = warp.getUndefinedBytes(inst.a, source.lane);
      if (!((active >> source.lane) & 1))
        bytes = 0xffff;
      undefined[lane] |= (bytes >> (2 * source.element) & 3) << (2 * e);
    }
  }
  blend(warp.values<uint32_t>(inst.d), result, active);
  forEachLane(active, [&](uint32_t lane) {
    warp.setUndefinedBytes(inst.d, lane, undefined[lane]);
  });
}

void decodeMatrixMove(Decoder &decoder, Modifiers &modifiers,
                      const ptx::Instruction &instruction, Inst &inst) {
  if (!modifiers.take("sync") || !modifiers.take("aligned"))
    decoder.failUnsupported(instruction, "it wants .sync.aligned");
  std::string_view shape = modifiers.takeIf([](std::string_view n) {
    return n == "m8n8" || n == "m16n16" || n == "m8n16" || n == "m16n8";
  });
  bool isTransposed = modifiers.take("trans");
  if (shape != "m8n8")
    decoder.failUnsupported(instruction, "sm_90a has .m8n8 alone");
  if (instruction.opcode == "movmatrix") {
    if (!isTransposed || !modifiers.take("b16"))
      decoder.failUnsupported(instruction, "it wants .trans.b16");
    decoder.expectOperands(instruction, 2);
    inst.d = decoder.dest(instruction.operands[0], 4);
    inst.a = decoder.source(instruction.operands[1], Type::B32);
    inst.run = transposeMatrix;
    return;
  }
  bool isLoad = instruction.opcode == "ldmatrix";
  std::string_view number = modifiers.takeOneOf({"x1", "x2", "x4"});
  std::string_view space = modifiers.takeOneOf({"shared", "shared::cta"});
  if (number.empty() || !modifiers.take("b16"))
    decoder.failUnsupported(instruction, "it wants .x1, .x2 or .x4, and .b16");
  decoder.expectOperands(instruction, 2);
  auto count = static_cast<size_t>(number[1] - '0');
  std::vector<Reg> regs = bindMatrixRegs(
      decoder, instruction.operands[isLoad ? 0 : 1], count, 4, isLoad);
  decoder.setList(inst, regs);
  decoder.address(instruction.operands[isLoad ? 1 : 0], inst);
  inst.flags[SpaceFlag] = static_cast<uint8_t>(
      space.empty() ? StateSpace::None : StateSpace::Shared);
  inst.flags[TransposeFlag] = isTransposed;
  inst.run = isLoad ? loadMatrix : storeMatrix;
}

constexpr OpEntry table[] = {
    {"mma", decodeMma},
    {"wmma", decodeWmma},
    {"ldmatrix", decodeMatrixMove},
    {"stmatrix", decodeMatrixMove},
    {"movmatrix", decodeMatrixMove},
};

} // namespace

std::span<const OpEntry> emulator::getMatrixOps() { return table; }
