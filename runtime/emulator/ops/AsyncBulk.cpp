//===- AsyncBulk.cpp - cp.async.bulk, st.async, red.async -----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every active lane issues its own transfer. Addresses are checked at the
// issue, the bytes move at the completion.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/TensorMemory.h"
#include "runtime/emulator/ops/Async.h"

#include <algorithm>
#include <cstring>

using namespace fk;
using namespace fk::emulator;
using ptx::StateSpace;
using ptx::Type;

namespace {

// The lists of bulk copies: three addresses, and what else there is. Fields
// that an instruction does not have hold constants.
enum {
  SharedBase, ///< or the destination's
  SharedOffset,
  OtherBase, ///< the source's, or the tensor map's
  OtherOffset,
  BarrierBase,
  BarrierOffset,
  SizeReg,
  MaskReg,       ///< of blocks (.multicast), or of bytes (.cp_mask)
  FirstExtraReg, ///< coordinates, or values
};
// Inst::flags.
enum {
  SharedKind = 0,
  OtherKind = 1,
  BarrierKind = 2,
  FormFlag = 3,
  MaskFlag = 4, ///< bytes of MaskReg; 0: there is no mask
  OpFlag = 5,   ///< AtomicOp, with KindOfPiece
  TypeFlag = 6,
  PieceFlag = 7,
};
/// Which way.
enum Form : uint8_t { GlobalToShared, SharedToShared, SharedToGlobal };

constexpr size_t listSize = FirstExtraReg;

struct Operands {
  Warp &warp;
  const Inst &inst;
  std::span<const Reg> list;

  Operands(Warp &warp, const Inst &inst)
      : warp(warp), inst(inst), list(warp.getList(inst)) {}

  /// The lanes whose operands are all defined.
  uint32_t check(uint32_t active) const {
    static constexpr const char *names[] = {
        "the destination's address", nullptr,
        "the source's address",      nullptr,
        "the mbarrier's address",    nullptr,
        "the size of the copy",      "the mask"};
    for (size_t i = 0; i < list.size(); ++i) {
      const char *name = i < FirstExtraReg ? names[i] : "a coordinate";
      if (name && warp.checkDefined(inst, list[i], active, name))
        active &= ~warp.getUndefined(list[i]);
    }
    return active;
  }
  uint64_t address(int field, uint32_t lane) const {
    int kind = field == SharedBase  ? SharedKind
               : field == OtherBase ? OtherKind
                                    : BarrierKind;
    return getAddress(warp, inst.flags[kind], list[field], list[field + 1],
                      lane);
  }
  uint32_t word(int field, uint32_t lane) const {
    return warp.values<uint32_t>(list[field])[lane];
  }
  /// Only 16 bits of it count.
  uint32_t mask(uint32_t lane) const {
    return inst.flags[MaskFlag] == 2
               ? warp.values<uint16_t>(list[MaskReg])[lane]
               : word(MaskReg, lane) & 0xffff;
  }
};

std::shared_ptr<Transfer> begin(Warp &warp, const Inst &inst, uint32_t lane) {
  auto transfer = std::make_shared<Transfer>();
  transfer->warp = &warp;
  transfer->inst = &inst;
  transfer->lane = lane;
  transfer->clock = takeIssueClock(warp);
  transfer->op = static_cast<AtomicOp>(inst.flags[OpFlag]);
  transfer->type = static_cast<Type>(inst.flags[TypeFlag]);
  return transfer;
}

/// Where a load into shared memory goes, and the mbarriers it completes on.
struct Target {
  uint64_t offset = 0; ///< in each block
  std::vector<Block *> blocks;
  std::vector<Transfer::Completion> completions;
};

bool findTargets(const Operands &operands, uint32_t lane, uint64_t bytes,
                 uint32_t alignment, Target &target) {
  Warp &warp = operands.warp;
  const Inst &inst = operands.inst;
  Place to = resolve(warp, inst, lane, StateSpace::Shared,
                     operands.address(SharedBase, lane) & windowMask,
                     static_cast<uint32_t>(bytes), Access::Write, alignment);
  MBarrierPlace barrier =
      findMBarrier(warp, inst, lane, StateSpace::Shared,
                   operands.address(BarrierBase, lane) & windowMask);
  if (!to.data || !barrier.barrier)
    return false;
  Unit &unit = warp.getBlock().getUnit();
  target.offset = to.offset;
  auto offset = static_cast<uint32_t>(barrier.place.offset);
  if (!inst.flags[MaskFlag]) {
    Block &owner = getOwner(warp, to);
    if (barrier.owner != &owner)
      warp.report(FindingKind::InvalidOperation, inst, lane,
                  "the destination is in the shared memory of block rank " +
                      std::to_string(owner.getRank()) +
                      ", the mbarrier in that of rank " +
                      std::to_string(barrier.owner->getRank()));
    target.blocks = {&owner};
    target.completions = {
        {barrier.owner, offset, static_cast<uint32_t>(bytes)}};
    return true;
  }
  uint32_t mask = operands.mask(lane);
  if (!mask || mask >> unit.getBlockCount()) {
    warp.report(FindingKind::InvalidOperation, inst, lane,
                "a multicast to the blocks of mask " + std::to_string(mask) +
                    " in a cluster of " + std::to_string(unit.getBlockCount()));
    return false;
  }
  for (uint32_t rank = 0; rank < unit.getBlockCount(); ++rank) {
    if (!((mask >> rank) & 1))
      continue;
    Block &block = unit.getBlock(rank);
    if (!block.mbarriers.count(offset)) {
      warp.report(
          FindingKind::InvalidOperation, inst, lane,
          "a multicast completes at " +
              describePlace(placeIn(block, offset), offset, warp.getKernel()) +
              " of block rank " + std::to_string(rank) +
              ", where nobody has initialised an mbarrier");
      return false;
    }
    target.blocks.push_back(&block);
    target.completions.push_back(
        {&block, offset, static_cast<uint32_t>(bytes)});
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Bytes in a row
//===----------------------------------------------------------------------===//

/// Runs of bytes whose bit in the mask is set, as .cp_mask has them: the mask
/// repeats every 16 bytes.
void addMasked(Transfer &transfer, Place to, Place from, uint32_t bytes,
               uint32_t mask, Piece::Kind kind) {
  for (uint32_t i = 0; i < bytes; ++i) {
    if (!((mask >> (i % 16)) & 1))
      continue;
    Place a = to, b = from;
    a.data += i, a.offset += i;
    b.data += i, b.offset += i;
    if (a.undefined)
      a.undefined += i;
    if (b.undefined)
      b.undefined += i;
    transfer.pieces.push_back({a, b, 1, kind});
  }
}

void copyBulk(Warp &warp, const Inst &inst, uint32_t active) {
  Operands operands(warp, inst);
  active = operands.check(active);
  auto form = static_cast<Form>(inst.flags[FormFlag]);
  auto kind = static_cast<Piece::Kind>(inst.flags[PieceFlag]);
  constexpr uint32_t alignment = 16;
  forEachLane(active, [&](uint32_t lane) {
    uint32_t bytes = operands.word(SizeReg, lane);
    if (bytes % alignment) {
      warp.report(FindingKind::InvalidOperation, inst, lane,
                  "a bulk copy of " + std::to_string(bytes) +
                      " bytes, which is no multiple of 16");
      return;
    }
    StateSpace source =
        form == GlobalToShared ? StateSpace::Global : StateSpace::Shared;
    uint64_t address = operands.address(OtherBase, lane);
    if (source == StateSpace::Shared)
      address &= windowMask;
    Place from = resolve(warp, inst, lane, source, address, bytes, Access::Read,
                         alignment);
    if (!from.data)
      return;
    if (form != GlobalToShared) {
      if (from.shared != &warp.getBlock().shared)
        warp.report(FindingKind::InvalidOperation, inst, lane,
                    "the source is not in the block's own shared memory");
      checkProxy(warp, inst, lane, from, bytes);
    }
    if (form == SharedToGlobal) {
      Place to = resolve(warp, inst, lane, StateSpace::Global,
                         operands.address(SharedBase, lane), bytes,
                         Access::Write, alignment);
      if (!to.data)
        return;
      auto transfer = begin(warp, inst, lane);
      if (inst.flags[MaskFlag])
        addMasked(*transfer, to, from, bytes, operands.mask(lane), kind);
      else
        transfer->pieces.push_back({to, from, bytes, kind});
      issue(std::move(transfer));
      return;
    }
    Target target;
    if (!findTargets(operands, lane, bytes, alignment, target))
      return;
    auto transfer = begin(warp, inst, lane);
    for (Block *block : target.blocks)
      transfer->pieces.push_back(
          {placeIn(*block, target.offset), from, bytes, kind});
    transfer->completions = std::move(target.completions);
    issue(std::move(transfer));
  });
}

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

void nothing(Warp &, const Inst &, uint32_t) {}

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

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

bool takesType(AtomicOp op, Type type, bool isGlobal) {
  auto is = [&](std::initializer_list<Type> types) {
    return std::find(types.begin(), types.end(), type) != types.end();
  };
  switch (op) {
  case AtomicOp::Add:
    return is({Type::U32, Type::S32, Type::U64}) ||
           (isGlobal && is({Type::F16, Type::BF16, Type::F32, Type::F64}));
  case AtomicOp::Min:
  case AtomicOp::Max:
    return is({Type::U32, Type::S32}) ||
           (isGlobal && is({Type::U64, Type::S64, Type::F16, Type::BF16}));
  case AtomicOp::Increment:
  case AtomicOp::Decrement:
    return is({Type::U32});
  default:
    return is({Type::B32}) || (isGlobal && is({Type::B64}));
  }
}

/// The fields of a list that an instruction does not have.
std::vector<Reg> makeList(Decoder &decoder) {
  std::vector<Reg> list(listSize, decoder.constant(0, 8));
  list[SizeReg] = list[MaskReg] = decoder.constant(0, 4);
  return list;
}

void setAddress(std::vector<Reg> &list, Inst &inst, int field, int kind,
                BoundAddress address) {
  list[field] = address.base;
  list[field + 1] = address.offset;
  inst.flags[kind] = address.kind;
}

/// A mask of 16 bits, in a register of 16 or 32.
void bindMask(Decoder &decoder, const ptx::Operand &operand,
              std::vector<Reg> &list, Inst &inst) {
  size_t width;
  list[MaskReg] = decoder.wideSource(operand, Type::B16, width);
  if (width > 4)
    decoder.fail(operand.location, "a mask has 16 bits");
  inst.flags[MaskFlag] = static_cast<uint8_t>(width);
}

} // namespace

bool emulator::takeReduction(Modifiers &modifiers, AtomicOp &op) {
  std::string_view name = modifiers.takeOneOf(
      {"add", "min", "max", "and", "or", "xor", "inc", "dec"});
  op = name == "min"   ? AtomicOp::Min
       : name == "max" ? AtomicOp::Max
       : name == "and" ? AtomicOp::And
       : name == "or"  ? AtomicOp::Or
       : name == "xor" ? AtomicOp::Xor
       : name == "inc" ? AtomicOp::Increment
       : name == "dec" ? AtomicOp::Decrement
                       : AtomicOp::Add;
  return !name.empty();
}

void emulator::decodeBulk(Decoder &decoder, Modifiers &modifiers,
                          const ptx::Instruction &instruction, Inst &inst) {
  std::span<const ptx::Operand> operands = instruction.operands;
  bool isReduction = inst.imm != 0;
  inst.imm = 0;
  if (modifiers.take("prefetch")) {
    bool isTensor = modifiers.take("tensor");
    if (isTensor) {
      modifiers.takeOneOf({"1d", "2d", "3d", "4d", "5d"});
      modifiers.take("tile");
    }
    if (!modifiers.take("L2") || !modifiers.take("global"))
      if (!isTensor)
        decoder.failUnsupported(instruction, "it wants .L2.global");
    takeCacheHints(modifiers);
    bindAddress(decoder, operands[0]);
    inst.run = nothing;
    return;
  }
  std::string_view to =
      modifiers.takeOneOf({"shared::cluster", "shared::cta", "global"});
  std::string_view from = modifiers.takeOneOf({"shared::cta", "global"});
  bool isGlobal = to == "global";
  if (to.empty() || from.empty() || (isGlobal && from == "global") ||
      (to == "shared::cta" && from == "shared::cta") ||
      (isReduction && from == "global"))
    decoder.failUnsupported(instruction, "that direction");
  Form form = isGlobal           ? SharedToGlobal
              : from == "global" ? GlobalToShared
                                 : SharedToShared;
  bool isGroup = modifiers.take("bulk_group");
  bool isBarrier = modifiers.take("mbarrier::complete_tx::bytes");
  if (isGroup != isGlobal || isBarrier == isGlobal)
    decoder.failUnsupported(
        instruction, isGlobal ? "a copy to global memory wants .bulk_group"
                              : "a copy to shared memory wants "
                                ".mbarrier::complete_tx::bytes");
  bool isMulticast = form == GlobalToShared && to == "shared::cluster" &&
                     modifiers.take("multicast::cluster");
  size_t hints = takeCacheHints(modifiers);
  bool isMasked =
      form == SharedToGlobal && !isReduction && modifiers.take("cp_mask");
  inst.flags[PieceFlag] = Piece::Copy;
  inst.flags[TypeFlag] = static_cast<uint8_t>(Type::B32);
  if (isReduction) {
    AtomicOp op;
    if (!takeReduction(modifiers, op))
      decoder.failUnsupported(instruction, "it names no operation");
    bool isExact = modifiers.take("noftz");
    Type type = modifiers.takeType();
    bool isHalfAdd =
        op == AtomicOp::Add && (type == Type::F16 || type == Type::BF16);
    if (!takesType(op, type, isGlobal) || isExact != isHalfAdd)
      decoder.failUnsupported(instruction, "that operation on that type");
    inst.flags[OpFlag] = static_cast<uint8_t>(op);
    inst.flags[TypeFlag] = static_cast<uint8_t>(type);
    inst.flags[PieceFlag] = Piece::Reduce;
    if (isGlobal)
      decoder.kernel.communicatesAcrossBlocks = true;
  }
  size_t count = (isGlobal ? 3 : 4) + isMulticast + isMasked + hints;
  decoder.expectOperands(instruction, count);
  std::vector<Reg> list = makeList(decoder);
  setAddress(list, inst, SharedBase, SharedKind,
             bindAddress(decoder, operands[0]));
  setAddress(list, inst, OtherBase, OtherKind,
             bindAddress(decoder, operands[1]));
  list[SizeReg] = decoder.source(operands[2], Type::U32);
  if (!isGlobal)
    setAddress(list, inst, BarrierBase, BarrierKind,
               bindAddress(decoder, operands[3]));
  if (isMulticast)
    bindMask(decoder, operands[4], list, inst);
  if (isMasked)
    bindMask(decoder, operands[count - 1], list, inst);
  inst.flags[FormFlag] = form;
  decoder.setList(inst, list);
  inst.isAsync = true;
  inst.run = copyBulk;
}

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
