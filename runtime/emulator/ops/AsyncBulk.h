//===- AsyncBulk.h - What bulk transfers share -----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_OPS_ASYNCBULK_H
#define FK_RUNTIME_EMULATOR_OPS_ASYNCBULK_H

#include "runtime/emulator/ops/Async.h"

namespace fk::emulator::bulk {

// The lists of bulk copies: three addresses, and what else there is. Fields
// that an instruction does not have hold constants.
enum Field {
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
enum Flag {
  SharedKind = 0,
  OtherKind = 1,
  BarrierKind = 2,
  FormFlag = 3,
  MaskFlag = 4, ///< bytes of MaskReg; 0: there is no mask
  OpFlag = 5,   ///< AtomicOp, where pieces are reductions
  TypeFlag = 6,
  PieceFlag = 7, ///< Piece::Kind
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

/// A transfer of one lane, with nothing in it yet.
std::shared_ptr<Transfer> begin(Warp &warp, const Inst &inst, uint32_t lane);

/// Where a load into shared memory goes, and the mbarriers it completes on.
struct Target {
  uint64_t offset = 0; ///< in each block
  std::vector<Block *> blocks;
  std::vector<Transfer::Completion> completions;
};
/// False: there is none; it was reported.
bool findTargets(const Operands &operands, uint32_t lane, uint64_t bytes,
                 uint32_t alignment, Target &target);

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// Whether a reduction in shared (or global) memory has the type.
bool takesType(AtomicOp op, ptx::Type type, bool isGlobal);
/// A list in which the fields that an instruction does not have are constants.
std::vector<Reg> makeList(Decoder &decoder);
void setAddress(std::vector<Reg> &list, Inst &inst, int field, int kind,
                BoundAddress address);
/// A mask of 16 bits, in a register of 16 or 32.
void bindMask(Decoder &decoder, const ptx::Operand &operand,
              std::vector<Reg> &list, Inst &inst);

} // namespace fk::emulator::bulk

#endif // FK_RUNTIME_EMULATOR_OPS_ASYNCBULK_H
