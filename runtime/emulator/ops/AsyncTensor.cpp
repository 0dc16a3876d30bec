//===- AsyncTensor.cpp - Tensor copies, st.async, red.async --------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/TensorMemory.h"
#include "runtime/emulator/ops/AsyncBulk.h"

#include <algorithm>
#include <cstring>

using namespace fk;
using namespace fk::emulator;
using namespace fk::emulator::bulk;
using ptx::StateSpace;
using ptx::Type;

namespace {

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// The type that a reduction into a tensor works on.
Type getReductionType(TensorMapType type) {
  switch (type) {
  case TensorMapType::U32:
    return Type::U32;
  case TensorMapType::S32:
    return Type::S32;
  case TensorMapType::U64:
    return Type::U64;
  case TensorMapType::S64:
    return Type::S64;
  case TensorMapType::F16:
    return Type::F16;
  case TensorMapType::BF16:
    return Type::BF16;
  case TensorMapType::F32:
    return Type::F32;
  case TensorMapType::F64:
    return Type::F64;
  default:
    return Type::None;
  }
}

bool readTensorMap(const Operands &operands, uint32_t lane, unsigned rank,
                   TensorMap &map) {
  Warp &warp = operands.warp;
  const Inst &inst = operands.inst;
  uint64_t address = operands.address(OtherBase, lane);
  Place place = resolve(warp, inst, lane, StateSpace::None, address,
                        sizeof(TensorMap), Access::Read, 64);
  if (!place.data)
    return false;
  std::memcpy(&map, place.data, sizeof map);
  std::string wrong = checkTensorMap(map);
  if (wrong.empty() && map.rank != rank)
    wrong = "it describes " + std::to_string(map.rank) +
            " dimensions, the instruction has " + std::to_string(rank);
  if (wrong.empty() && (map.type == TensorMapType::F32Flush ||
                        map.type == TensorMapType::TF32Flush))
    wrong = "types that flush subnormals are not emulated";
  if (wrong.empty())
    return true;
  warp.report(FindingKind::InvalidOperation, inst, lane,
              "the tensor map is unusable: " + wrong, address);
  return false;
}

void copyTensor(Warp &warp, const Inst &inst, uint32_t active) {
  Operands operands(warp, inst);
  active = operands.check(active);
  auto form = static_cast<Form>(inst.flags[FormFlag]);
  auto kind = static_cast<Piece::Kind>(inst.flags[PieceFlag]);
  auto rank = static_cast<unsigned>(operands.list.size() - FirstExtraReg);
  constexpr uint32_t alignment = 128;
  forEachLane(active, [&](uint32_t lane) {
    TensorMap map;
    if (!readTensorMap(operands, lane, rank, map))
      return;
    std::array<int32_t, 5> coordinates = {};
    for (unsigned d = 0; d < rank; ++d)
      coordinates[d] =
          static_cast<int32_t>(operands.word(FirstExtraReg + int(d), lane));
    auto bytes = static_cast<uint32_t>(getBoxBytes(map));
    bool isLoad = form == GlobalToShared;
    Target target;
    Place tile;
    if (isLoad) {
      if (!findTargets(operands, lane, bytes, alignment, target))
        return;
    } else {
      tile = resolve(warp, inst, lane, StateSpace::Shared,
                     operands.address(SharedBase, lane) & windowMask, bytes,
                     Access::Read, alignment);
      if (!tile.data)
        return;
      target.offset = tile.offset;
      target.blocks = {&warp.getBlock()};
      checkProxy(warp, inst, lane, tile, bytes);
    }
    auto transfer = begin(warp, inst, lane);
    if (kind == Piece::Reduce) {
      transfer->type = getReductionType(map.type);
      if (transfer->type == Type::None) {
        warp.report(FindingKind::InvalidOperation, inst, lane,
                    "a reduction into a tensor of that type");
        return;
      }
    }
    // The swizzle is of the address in shared memory.
    auto origin = static_cast<uint32_t>(target.offset + sharedBase);
    bool isFine = true;
    forEachBoxRun(map, coordinates, [&](const BoxRun &run) {
      if (!isFine || (!run.isInside && !isLoad))
        return;
      uint32_t offset =
          swizzleAddress(origin + run.tileOffset, map.swizzle) - sharedBase;
      if (uint64_t(offset) + run.bytes > warp.getBlock().shared.bytes) {
        warp.report(FindingKind::OutOfBounds, inst, lane,
                    "the swizzle puts " + std::to_string(run.bytes) +
                        " bytes of the tile at shared memory + " +
                        std::to_string(offset) + ", outside its " +
                        std::to_string(warp.getBlock().shared.bytes) +
                        " bytes");
        isFine = false;
        return;
      }
      Place global;
      if (run.isInside) {
        global =
            resolve(warp, inst, lane, StateSpace::Global, run.globalAddress,
                    run.bytes, isLoad ? Access::Read : Access::Write, 1);
        if (!global.data) {
          isFine = false; // One report a box.
          return;
        }
      }
      for (Block *block : target.blocks) {
        Place shared = placeIn(*block, offset);
        Piece piece = {isLoad ? shared : global, isLoad ? global : shared,
                       run.bytes, kind};
        if (!run.isInside)
          piece.kind = map.fillNaN ? Piece::FillOnes : Piece::FillZero;
        // Runs that continue one another are one piece.
        if (!transfer->pieces.empty() && target.blocks.size() == 1) {
          Piece &last = transfer->pieces.back();
          auto follows = [&](const Place &a, const Place &b) {
            return a.data
                       ? a.data + last.bytes == b.data && a.region == b.region
                       : !b.data;
          };
          if (last.kind == piece.kind && follows(last.to, piece.to) &&
              follows(last.from, piece.from)) {
            last.bytes += piece.bytes;
            continue;
          }
        }
        transfer->pieces.push_back(piece);
      }
    });
    transfer->completions = std::move(target.completions);
    issue(std::move(transfer));
  });
}

//===----------------------------------------------------------------------===//
// st.async, red.async
//===----------------------------------------------------------------------===//

void storeAsync(Warp &warp, const Inst &inst, uint32_t active) {
  Operands operands(warp, inst);
  uint32_t addressed = active;
  for (int field : {int(SharedBase), int(BarrierBase)})
    if (warp.checkDefined(inst, operands.list[field], addressed, "the address"))
      addressed &= ~warp.getUndefined(operands.list[field]);
  std::span<const Reg> values = operands.list.subspan(FirstExtraReg);
  auto type = static_cast<Type>(inst.flags[TypeFlag]);
  auto size = static_cast<uint32_t>(ptx::getSizeInBytes(type));
  uint32_t bytes = size * static_cast<uint32_t>(values.size());
  forEachLane(addressed, [&](uint32_t lane) {
    Target target;
    if (!findTargets(operands, lane, bytes, bytes, target))
      return;
    auto transfer = begin(warp, inst, lane);
    // The values first, then their marks.
    transfer->values.resize(size_t(bytes) * 2);
    for (size_t e = 0; e < values.size(); ++e) {
      std::memcpy(transfer->values.data() + e * size,
                  warp.values<std::byte>(values[e]) + lane * size, size);
      uint16_t undefined = warp.getUndefinedBytes(values[e], lane);
      for (uint32_t i = 0; i < size; ++i)
        transfer->values[bytes + e * size + i] =
            std::byte((undefined >> i) & 1);
    }
    Place from;
    from.data = transfer->values.data();
    from.undefined =
        reinterpret_cast<uint8_t *>(transfer->values.data() + bytes);
    transfer->pieces.push_back(
        {placeIn(*target.blocks[0], target.offset), from, bytes,
         static_cast<Piece::Kind>(inst.flags[PieceFlag])});
    transfer->completions = std::move(target.completions);
    issue(std::move(transfer));
  });
}

} // namespace

void emulator::decodeTensorBulk(Decoder &decoder, Modifiers &modifiers,
                                const ptx::Instruction &instruction, Inst &inst,
                                bool isReduction) {
  std::span<const ptx::Operand> operands = instruction.operands;
  std::string_view dims = modifiers.takeOneOf({"1d", "2d", "3d", "4d", "5d"});
  if (dims.empty())
    decoder.failUnsupported(instruction, "it names no number of dimensions");
  auto rank = static_cast<size_t>(dims[0] - '0');
  if (!modifiers
           .takeIf([](std::string_view n) {
             return n.starts_with("im2col") || n.starts_with("tile::");
           })
           .empty())
    decoder.failUnsupported(instruction, "only the .tile mode is emulated");
  modifiers.take("tile");
  std::string_view to =
      modifiers.takeOneOf({"shared::cluster", "shared::cta", "global"});
  std::string_view from = modifiers.takeOneOf({"shared::cta", "global"});
  bool isStore = to == "global" && from == "shared::cta";
  if (!isStore && (to == "global" || from != "global" || isReduction))
    decoder.failUnsupported(instruction, "that direction");
  bool isGroup = modifiers.take("bulk_group");
  bool isBarrier = modifiers.take("mbarrier::complete_tx::bytes");
  if (isGroup != isStore || isBarrier == isStore)
    decoder.failUnsupported(instruction, isStore
                                             ? "a copy to global memory wants "
                                               ".bulk_group"
                                             : "a copy to shared memory wants "
                                               ".mbarrier::complete_tx::bytes");
  inst.flags[PieceFlag] = Piece::Copy;
  if (isReduction) {
    AtomicOp op;
    if (!takeReduction(modifiers, op))
      decoder.failUnsupported(instruction, "it names no operation");
    inst.flags[OpFlag] = static_cast<uint8_t>(op);
    inst.flags[PieceFlag] = Piece::Reduce;
    decoder.kernel.communicatesAcrossBlocks = true;
  }
  bool isMulticast = !isStore && to == "shared::cluster" &&
                     modifiers.take("multicast::cluster");
  size_t hints = takeCacheHints(modifiers);
  decoder.expectOperands(instruction, (isStore ? 2 : 3) + isMulticast + hints);
  const ptx::Operand &tensor = operands[isStore ? 0 : 1];
  if (tensor.kind != ptx::Operand::Kind::Address || tensor.parts.size() != 2 ||
      tensor.parts[1].kind != ptx::Operand::Kind::Vector ||
      tensor.parts[1].parts.size() != rank)
    decoder.fail(tensor.location, "[map, {coordinates}] with " +
                                      std::to_string(rank) +
                                      " coordinates is wanted");
  std::vector<Reg> list = makeList(decoder);
  setAddress(list, inst, SharedBase, SharedKind,
             bindAddress(decoder, operands[isStore ? 1 : 0]));
  setAddress(list, inst, OtherBase, OtherKind, bindAddress(decoder, tensor));
  if (!isStore)
    setAddress(list, inst, BarrierBase, BarrierKind,
               bindAddress(decoder, operands[2]));
  if (isMulticast)
    bindMask(decoder, operands[3], list, inst);
  inst.flags[FormFlag] = isStore ? SharedToGlobal : GlobalToShared;
  for (const ptx::Operand &coordinate : tensor.parts[1].parts)
    list.push_back(decoder.source(coordinate, Type::S32));
  decoder.setList(inst, list);
  inst.isAsync = true;
  inst.run = copyTensor;
}

/// What st.async and red.async have in common.
static void bindAsyncStore(Decoder &decoder,
                           const ptx::Instruction &instruction, Inst &inst,
                           Type type, size_t count) {
  decoder.expectOperands(instruction, 3);
  std::span<const ptx::Operand> operands = instruction.operands;
  std::vector<Reg> list = makeList(decoder);
  setAddress(list, inst, SharedBase, SharedKind,
             bindAddress(decoder, operands[0]));
  setAddress(list, inst, BarrierBase, BarrierKind,
             bindAddress(decoder, operands[2]));
  std::span<const ptx::Operand> values = {&operands[1], 1};
  if (operands[1].kind == ptx::Operand::Kind::Vector)
    values = operands[1].parts;
  if (values.size() != count)
    decoder.fail(operands[1].location,
                 "'" + instruction.str() + "' stores " + std::to_string(count) +
                     " elements, got " + std::to_string(values.size()));
  for (const ptx::Operand &value : values)
    list.push_back(decoder.source(value, type));
  decoder.setList(inst, list);
  inst.flags[TypeFlag] = static_cast<uint8_t>(type);
  inst.isAsync = true;
  inst.run = storeAsync;
}

void emulator::decodeStoreAsync(Decoder &decoder, Modifiers &modifiers,
                                const ptx::Instruction &instruction,
                                Inst &inst) {
  modifiers.take("weak");
  if (!modifiers.take("mbarrier::complete_tx::bytes"))
    decoder.failUnsupported(instruction,
                            "it wants .mbarrier::complete_tx::bytes");
  modifiers.take("shared::cluster");
  std::string_view vector = modifiers.takeOneOf({"v2", "v4"});
  size_t count = vector.empty() ? 1 : static_cast<size_t>(vector[1] - '0');
  Type type = modifiers.takeType();
  size_t bytes = ptx::getSizeInBytes(type);
  if ((bytes != 4 && bytes != 8) || bytes * count > 16)
    decoder.failUnsupported(instruction, "these types");
  inst.flags[PieceFlag] = Piece::Copy;
  bindAsyncStore(decoder, instruction, inst, type, count);
}

void emulator::decodeRedAsync(Decoder &decoder, Modifiers &modifiers,
                              const ptx::Instruction &instruction, Inst &inst) {
  modifiers.take("relaxed");
  modifiers.take("cluster");
  if (!modifiers.take("mbarrier::complete_tx::bytes"))
    decoder.failUnsupported(instruction,
                            "it wants .mbarrier::complete_tx::bytes");
  modifiers.take("shared::cluster");
  AtomicOp op;
  bool isOp = takeReduction(modifiers, op);
  Type type = modifiers.takeType();
  if (!isOp || !takesType(op, type, false))
    decoder.failUnsupported(instruction, "that operation on that type");
  inst.flags[OpFlag] = static_cast<uint8_t>(op);
  inst.flags[PieceFlag] = Piece::Reduce;
  bindAsyncStore(decoder, instruction, inst, type, 1);
}
