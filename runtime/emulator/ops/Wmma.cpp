//===- Wmma.cpp - wmma ----------------------------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The ISA leaves open which lane holds which element of a wmma fragment. Here
// a tile is made of mma's fragments, so a program that looks inside one finds
// what it would not find on a GPU.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/ops/Wmma.h"

#include <algorithm>
#include <cstring>

using namespace fk;
using namespace fk::emulator;
using ptx::StateSpace;
using ptx::Type;

namespace {

// Inst::flags of loads and stores.
enum {
  KindFlag = 0,
  SpaceFlag = 1,
  OperandFlag = 2,
  TypeFlag = 3,
  RowMajorFlag = 4,
  RowsFlag = 5, ///< m
  ColumnsFlag = 6,
  DepthFlag = 7, ///< k / 4
};

bool isSubByte(MatrixType type) { return getBits(type) < 8; }

/// Moves a tile between memory and a fragment.
void moveTile(Warp &warp, const Inst &inst, uint32_t active, bool isLoad) {
  checkAlignedLanes(warp, inst, active);
  if ((inst.flags[KindFlag] < AddressConstant &&
       warp.checkDefined(inst, inst.a, active, "the address")) ||
      warp.checkDefined(inst, inst.b, active, "the stride"))
    return;
  uint64_t addresses[warpSize];
  gatherAddresses(warp, inst, addresses);
  const uint32_t *strides = warp.values<uint32_t>(inst.b);
  uint32_t first = std::countr_zero(active);
  uint64_t origin = addresses[first];
  uint64_t stride = strides[first];
  bool isUniform = true;
  forEachLane(active, [&](uint32_t lane) {
    isUniform &= addresses[lane] == origin && strides[lane] == stride;
  });
  if (!isUniform)
    warp.report(FindingKind::InvalidOperation, inst, first,
                "lanes of one warp give a tile different addresses or strides");
  auto operand = static_cast<MatrixOperand>(inst.flags[OperandFlag]);
  auto type = static_cast<MatrixType>(inst.flags[TypeFlag]);
  auto space = static_cast<StateSpace>(inst.flags[SpaceFlag]);
  MatrixShape shape = {inst.flags[RowsFlag], inst.flags[ColumnsFlag],
                       inst.flags[DepthFlag] * 4u};
  unsigned bits = getBits(type),
           registerBytes = type == MatrixType::F64 ? 8 : 4;
  // Elements below a byte are moved a register at a time: they lie together.
  unsigned unit = isSubByte(type) ? 32 : bits;
  unsigned units = registerBytes * 8 / unit;
  std::span<const Reg> list = warp.getList(inst);
  for (unsigned r = 0; r < list.size(); ++r) {
    std::byte *reg = warp.values<std::byte>(list[r]);
    bool isFine = true;
    forEachLane(active, [&](uint32_t lane) {
      uint16_t undefined = warp.getUndefinedBytes(list[r], lane);
      for (unsigned u = 0; u < units && isFine; ++u) {
        Position p = locate(operand, shape, type, lane, r, u * (unit / bits));
        uint64_t index = inst.flags[RowMajorFlag] ? p.row * stride + p.column
                                                  : p.column * stride + p.row;
        uint32_t bytes = unit / 8;
        Place place =
            resolve(warp, inst, lane, space, origin + index * bits / 8, bytes,
                    isLoad ? Access::Read : Access::Write, bytes);
        if (!place.data) {
          isFine = false; // One report a register.
          break;
        }
        std::byte *value = reg + lane * registerBytes + u * bytes;
        uint16_t mask =
            static_cast<uint16_t>(((1u << bytes) - 1) << (u * bytes));
        if (isLoad) {
          recordAccess(warp, inst, lane, place, bytes, Access::Read, false);
          uint16_t marks = loadBytes(place, value, bytes);
          undefined = static_cast<uint16_t>((undefined & ~mask) |
                                            (marks << (u * bytes)));
          if (marks)
            warp.noteUndefinedLoad(inst, place.region ? place.region->name
                                                      : "shared memory");
          continue;
        }
        auto marks = static_cast<uint16_t>((undefined & mask) >> (u * bytes));
        if (marks && place.region && !place.region->options.isScratch)
          warp.reportUndefined(inst, 1u << lane,
                               "what is stored to " + place.region->name);
        recordAccess(warp, inst, lane, place, bytes, Access::Write, false);
        storeBytes(place, value, bytes, marks);
      }
      if (isLoad)
        warp.setUndefinedBytes(list[r], lane, isFine ? undefined : 0);
    });
  }
}

void loadTile(Warp &warp, const Inst &inst, uint32_t active) {
  moveTile(warp, inst, active, true);
}
void storeTile(Warp &warp, const Inst &inst, uint32_t active) {
  moveTile(warp, inst, active, false);
}

void multiply(Warp &warp, const Inst &inst, uint32_t active) {
  checkAlignedLanes(warp, inst, active);
  MmaOp op = getMatrixOp(inst);
  std::span<const Reg> list = warp.getList(inst);
  auto take = [&](MatrixOperand operand, MatrixType type) {
    unsigned count = countWmmaRegisters(operand, op.tile.shape, type);
    // Repeated registers add nothing.
    std::span<const Reg> regs =
        list.first(countRegisters(operand, op.tile.shape, type));
    list = list.subspan(count);
    return regs;
  };
  auto d = take(MatrixOperand::C, op.tile.accumulator);
  auto a = take(MatrixOperand::A, op.tile.a);
  auto b = take(MatrixOperand::B, op.tile.b);
  auto c = take(MatrixOperand::C, op.c);
  runProduct(warp, op, a, b, c, d, active);
}

/// Whether wmma has such a tile; `type` is A's and B's.
bool isWmma(MatrixShape shape, MatrixType type) {
  auto is = [&](std::initializer_list<MatrixShape> shapes) {
    return std::find(shapes.begin(), shapes.end(), shape) != shapes.end();
  };
  switch (type) {
  case MatrixType::F16:
  case MatrixType::BF16:
  case MatrixType::S8:
  case MatrixType::U8:
    return is({{16, 16, 16}, {8, 32, 16}, {32, 8, 16}});
  case MatrixType::TF32:
    return is({{16, 16, 8}});
  case MatrixType::S4:
  case MatrixType::U4:
    return is({{8, 8, 32}});
  case MatrixType::B1:
    return is({{8, 8, 128}});
  case MatrixType::F64:
    return is({{8, 8, 4}});
  default:
    return false;
  }
}

bool isWmmaSum(MatrixShape shape, MatrixType type) {
  switch (type) {
  case MatrixType::F16:
    return isWmma(shape, MatrixType::F16);
  case MatrixType::F32:
    return isWmma(shape, MatrixType::F16) || isWmma(shape, MatrixType::TF32);
  case MatrixType::S32:
    return isWmma(shape, MatrixType::S8) || isWmma(shape, MatrixType::S4) ||
           isWmma(shape, MatrixType::B1);
  case MatrixType::F64:
    return isWmma(shape, MatrixType::F64);
  default:
    return false;
  }
}

size_t getRegisterBytes(MatrixType type) {
  return type == MatrixType::F64 ? 8 : 4;
}

void decodeMove(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst, bool isLoad) {
  std::span<const ptx::Operand> operands = instruction.operands;
  std::string_view which = modifiers.takeOneOf({"a", "b", "c", "d"});
  bool isSync = modifiers.take("sync") && modifiers.take("aligned");
  std::string_view layout = modifiers.takeOneOf({"row", "col"});
  std::optional<MatrixShape> shape = takeMatrixShape(modifiers);
  StateSpace space = takeSpace(modifiers);
  std::optional<MatrixType> type = takeMatrixType(modifiers);
  if (which.empty() || (which == "d") == isLoad || !isSync || layout.empty() ||
      !shape || !type)
    decoder.failUnsupported(instruction,
                            "it wants .a, .b, .c or .d, .sync.aligned, a "
                            "layout, a shape and a type");
  bool isSum = which == "c" || which == "d";
  if (!(isSum ? isWmmaSum(*shape, *type) : isWmma(*shape, *type)))
    decoder.failUnsupported(instruction, "that type with that shape");
  bool isRow = layout == "row";
  if (!isSum && isSubByte(*type) && isRow != (which == "a"))
    decoder.failUnsupported(instruction,
                            "elements below a byte want A in rows and B in "
                            "columns");
  MatrixOperand operand = isSum          ? MatrixOperand::C
                          : which == "a" ? MatrixOperand::A
                                         : MatrixOperand::B;
  decoder.expectOperands(instruction, 2, 3);
  std::vector<Reg> regs =
      bindMatrixRegs(decoder, operands[isLoad ? 0 : 1],
                     countWmmaRegisters(operand, *shape, *type),
                     getRegisterBytes(*type), isLoad);
  decoder.setList(inst, regs);
  decoder.address(operands[isLoad ? 1 : 0], inst);
  unsigned rows = operand == MatrixOperand::B ? shape->k : shape->m;
  unsigned columns = operand == MatrixOperand::A ? shape->k : shape->n;
  inst.b = operands.size() == 3 ? decoder.source(operands[2], Type::U32)
                                : decoder.constant(isRow ? columns : rows, 4);
  inst.flags[SpaceFlag] = static_cast<uint8_t>(space);
  inst.flags[OperandFlag] = static_cast<uint8_t>(operand);
  inst.flags[TypeFlag] = static_cast<uint8_t>(*type);
  inst.flags[RowMajorFlag] = isRow;
  inst.flags[RowsFlag] = static_cast<uint8_t>(shape->m);
  inst.flags[ColumnsFlag] = static_cast<uint8_t>(shape->n);
  inst.flags[DepthFlag] = static_cast<uint8_t>(shape->k / 4);
  inst.run = isLoad ? loadTile : storeTile;
}

} // namespace

void emulator::decodeWmma(Decoder &decoder, Modifiers &modifiers,
                          const ptx::Instruction &instruction, Inst &inst) {
  std::string_view action = modifiers.takeOneOf({"load", "store", "mma"});
  if (action == "load" || action == "store")
    return decodeMove(decoder, modifiers, instruction, inst, action == "load");
  if (action.empty())
    decoder.failUnsupported(instruction, "it wants .load, .store or .mma");
  MmaOp op;
  std::string_view bitOp = modifiers.takeOneOf({"xor", "and"});
  bool isBits = !bitOp.empty();
  if (isBits && !modifiers.take("popc"))
    decoder.failUnsupported(instruction, "it wants .popc");
  op.tile.isXor = bitOp == "xor";
  bool isSync = modifiers.take("sync") && modifiers.take("aligned");
  // The layouts are those of the loads; a fragment has none.
  modifiers.takeOneOf({"row", "col"});
  bool hasLayouts = !modifiers.takeOneOf({"row", "col"}).empty();
  std::optional<MatrixShape> shape = takeMatrixShape(modifiers);
  if (!isSync || !hasLayouts || !shape)
    decoder.failUnsupported(instruction,
                            "it wants .sync.aligned, two layouts and a shape");
  bool isRounding = modifiers.take("rn");
  std::optional<MatrixType> types[4];
  for (auto &type : types)
    type = takeMatrixType(modifiers);
  op.tile.satFinite = modifiers.take("satfinite");
  op.tile.shape = *shape;
  if (types[1] && !types[2]) { // D and C of a product of f16.
    op.tile.accumulator = *types[0];
    op.c = *types[1];
    op.tile.a = op.tile.b = MatrixType::F16;
  } else if (types[3]) {
    op.tile.accumulator = *types[0];
    op.tile.a = *types[1];
    op.tile.b = *types[2];
    op.c = *types[3];
  } else {
    decoder.failUnsupported(instruction, "it wants two types or four");
  }
  bool isHalf = op.tile.a == MatrixType::F16;
  bool isInteger = op.tile.accumulator == MatrixType::S32;
  bool isSumRight =
      isHalf ? op.tile.accumulator == MatrixType::F32 ||
                   op.tile.accumulator == MatrixType::F16
      : op.tile.a == MatrixType::BF16 || op.tile.a == MatrixType::TF32
          ? op.tile.accumulator == MatrixType::F32
      : op.tile.a == MatrixType::F64 ? op.tile.accumulator == MatrixType::F64
                                     : isInteger;
  bool isCRight =
      op.c == op.tile.accumulator ||
      (isHalf && (op.c == MatrixType::F32 || op.c == MatrixType::F16));
  if (!isWmma(*shape, op.tile.a) || getBits(op.tile.a) != getBits(op.tile.b) ||
      !isSumRight || !isCRight || isBits != (op.tile.a == MatrixType::B1) ||
      (isRounding && op.tile.a != MatrixType::F64) ||
      (op.tile.satFinite && !isInteger))
    decoder.failUnsupported(instruction, "these types with that shape");
  decoder.expectOperands(instruction, 4);
  std::vector<Reg> list;
  auto bind = [&](size_t index, MatrixOperand operand, MatrixType type) {
    std::vector<Reg> regs =
        bindMatrixRegs(decoder, instruction.operands[index],
                       countWmmaRegisters(operand, *shape, type),
                       getRegisterBytes(type), index == 0);
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
