//===- Access.h - A warp's addresses ---------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_OPS_ACCESS_H
#define FK_RUNTIME_EMULATOR_OPS_ACCESS_H

#include "runtime/emulator/Block.h"
#include "runtime/emulator/ops/Elementwise.h"

#include <string_view>

namespace fk::emulator {

/// How strong an access is, and what it orders.
enum Order : uint8_t {
  OrderWeak,
  OrderRelaxed, ///< volatile, relaxed, mmio: no race among themselves
  OrderAcquire,
  OrderRelease,
  OrderAcqRel,
};

/// What an atomic or a reduction does with the value in memory.
enum class AtomicOp : uint8_t {
  Add,
  Min,
  Max,
  And,
  Or,
  Xor,
  Exchange,
  Compare,
  Increment,
  Decrement,
};
/// One element's new value; neither Exchange nor Compare. ops/Atomic.cpp.
void applyAtomic(ptx::Type type, AtomicOp op, const std::byte *old,
                 const std::byte *operand, std::byte *to);

/// Takes .weak, .volatile, .relaxed.<scope>, .acquire, .release, .acq_rel,
/// .mmio; `fallback` where there is none.
Order takeOrder(Modifiers &modifiers, Order fallback);

/// Takes .global, .shared::cta and the like; None: a generic address.
ptx::StateSpace takeSpace(Modifiers &modifiers);

/// Takes cache operators, eviction priorities and prefetch sizes; returns how
/// many operands they add (.L2::cache_hint: 1).
size_t takeCacheHints(Modifiers &modifiers);

/// The addresses of Inst::a, imm and flags[0], one a lane.
void gatherAddresses(Warp &warp, const Inst &inst, uint64_t *addresses);

/// What a strong access publishes or sees, for the word at `address`.
/// `isWrite`, `isRead`: what the access does.
void synchronize(Warp &warp, ptx::StateSpace space, uint64_t address,
                 Order order, bool isRead, bool isWrite);

/// The space an address lies in, and the address within it.
ptx::StateSpace narrowSpace(ptx::StateSpace space, uint64_t &address);

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_OPS_ACCESS_H
