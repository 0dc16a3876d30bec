//===- Async.h - What the asynchronous instructions share ------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_OPS_ASYNC_H
#define FK_RUNTIME_EMULATOR_OPS_ASYNC_H

#include "runtime/emulator/AsyncGroups.h"
#include "runtime/emulator/ops/Access.h"

namespace fk::emulator {

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// An address that takes two registers of an instruction's list. A variable of
/// an entry's parameters is a generic address.
struct BoundAddress {
  uint8_t kind = Address64; ///< or Address32
  Reg base, offset;
};
BoundAddress bindAddress(Decoder &decoder, const ptx::Operand &operand);
uint64_t getAddress(Warp &warp, uint8_t kind, Reg base, Reg offset,
                    uint32_t lane);

void decodeAsyncCopy(Decoder &decoder, Modifiers &modifiers,
                     const ptx::Instruction &instruction, Inst &inst);
/// cp.async.bulk and cp.reduce.async.bulk, both modifiers taken.
void decodeBulk(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst);
void decodeTensorBulk(Decoder &decoder, Modifiers &modifiers,
                      const ptx::Instruction &instruction, Inst &inst,
                      bool isReduction);
void decodeMBarrier(Decoder &decoder, Modifiers &modifiers,
                    const ptx::Instruction &instruction, Inst &inst);
void decodeFence(Decoder &decoder, Modifiers &modifiers,
                 const ptx::Instruction &instruction, Inst &inst);
void decodeMapa(Decoder &decoder, Modifiers &modifiers,
                const ptx::Instruction &instruction, Inst &inst);
void decodeGetRank(Decoder &decoder, Modifiers &modifiers,
                   const ptx::Instruction &instruction, Inst &inst);
void decodeIsSpace(Decoder &decoder, Modifiers &modifiers,
                   const ptx::Instruction &instruction, Inst &inst);

/// Takes the operation of a reduction. False: there is none.
bool takeReduction(Modifiers &modifiers, AtomicOp &op);

//===----------------------------------------------------------------------===//
// Executing
//===----------------------------------------------------------------------===//

/// The groups of a warp, made when it first needs them.
Warp::AsyncGroups &getGroups(Warp &warp);

/// What the warp knows now, under a clock of its own: nothing else it does has
/// the same.
IssueClock takeIssueClock(Warp &warp);

/// The block of the warp's cluster that `place`, in shared memory, belongs to.
Block &getOwner(Warp &warp, const Place &place);
/// The same bytes of another block of the cluster.
Place placeIn(Block &block, uint64_t offset);

/// Makes shared memory undefined while a copy into it is under way.
void poison(const Place &place, uint32_t bytes);
/// A region's marks may have come into being since the place was found.
void refresh(Place &place);

/// Reports bytes of shared memory that a thread wrote itself and no
/// fence.proxy.async has made visible to the asynchronous proxy.
void checkProxy(Warp &warp, const Inst &inst, uint32_t lane, const Place &place,
                uint32_t bytes);

/// One step of an asynchronous transfer.
struct Piece {
  enum Kind : uint8_t { Copy, FillZero, FillOnes, Reduce };
  Place to, from;
  uint32_t bytes = 0;
  Kind kind = Copy;
};
/// A transfer that one thread has issued.
struct Transfer {
  Warp *warp = nullptr;
  const Inst *inst = nullptr;
  uint32_t lane = 0;
  IssueClock clock;
  std::vector<Piece> pieces;
  std::vector<std::byte> values; ///< of st.async: what pieces' `from` points to
  AtomicOp op = AtomicOp::Add;
  ptx::Type type = ptx::Type::B32; ///< of reductions
  /// The mbarriers it completes on: block, offset, bytes.
  struct Completion {
    Block *owner = nullptr;
    uint32_t offset = 0;
    uint32_t bytes = 0;
  };
  std::vector<Completion> completions;

  void run(uint32_t stamp) const;
};
/// Queues it: on the block, where it completes on an mbarrier, else in the
/// lane's open bulk group.
void issue(std::shared_ptr<Transfer> transfer);

/// Finds the mbarrier at an address. nullptr: there is none; it was reported.
struct MBarrierPlace {
  MBarrier *barrier = nullptr;
  Block *owner = nullptr;
  Place place;
};
MBarrierPlace findMBarrier(Warp &warp, const Inst &inst, uint32_t lane,
                           ptx::StateSpace space, uint64_t address);
/// An asynchronous operation issued at `clock` has moved `bytes`.
void completeTransaction(Warp &warp, const Inst &inst, uint32_t lane,
                         Block &owner, uint32_t offset, uint32_t bytes,
                         const ClockVector &clock);
/// One arrival that cp.async.mbarrier.arrive promised.
void arriveAsync(Warp &warp, const Inst &inst, uint32_t lane, Block &owner,
                 uint32_t offset, const ClockVector &clock);

/// Does the lane's copies up to number `upTo`, at the clock `stamp`.
void finishCopies(Warp &warp, uint32_t lane, uint64_t upTo, uint32_t stamp);
void finishBulk(Warp &warp, uint32_t lane, uint64_t upTo, uint32_t stamp);

/// The largest count and transaction count of an mbarrier.
constexpr uint32_t maxMBarrierCount = (1u << 20) - 1;

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_OPS_ASYNC_H
