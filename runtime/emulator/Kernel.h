//===- Kernel.h - The decoded form of an entry -----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// An entry and every function it may reach become one array of instructions.
// Registers have fixed places in a warp's register file, constants are
// registers that nothing writes, and each instruction carries the function that
// executes it for up to 32 lanes.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_KERNEL_H
#define FK_RUNTIME_EMULATOR_KERNEL_H

#include "runtime/emulator/Ptx.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fk::emulator {

struct Inst;
class Warp;

constexpr uint32_t warpSize = 32;
constexpr uint32_t allLanes = 0xffffffffu;
constexpr uint32_t noIndex = 0xffffffffu;

/// Executes `inst` for the lanes of `active` (never empty, except for
/// instructions with Inst::runsIdle).
using Handler = void (*)(Warp &warp, const Inst &inst, uint32_t active);

/// A register's place: 32 values side by side at `offset` of the register file
/// (a predicate: one 32-bit mask); `id` indexes the words of undefined lanes.
/// id 0 is for constants, which are always defined.
struct Reg {
  uint32_t offset = 0;
  uint32_t id = 0;
};

/// What an instruction does to the flow of control: Inst::role.
enum class Role : uint8_t {
  None,
  Branch, ///< to Inst::target
  Call,   ///< of function Inst::target; noIndex: an indirect one
  Leave,  ///< ret, exit: ends the function for the active lanes
  Table,  ///< brx.idx, to one of Kernel::tables[Inst::imm]
};

struct Inst {
  Handler run = nullptr;
  Reg d, d2;         ///< destinations
  Reg a, b, c, e;    ///< sources
  int64_t imm = 0;   ///< an address offset, a table, a count
  uint32_t list = 0; ///< Kernel::lists, for vectors and tuples
  uint32_t listSize = 0;
  uint32_t target = 0;     ///< branch, call: instruction index
  uint32_t join = noIndex; ///< where lanes that part here meet again
  Reg guard;
  bool hasGuard = false, isGuardNegated = false;
  Role role = Role::None;
  bool runsIdle = false; ///< also runs when the guard admits no lane
  bool isAsync = false;  ///< what it accesses, it does not access as a thread
  std::array<uint8_t, 8> flags = {}; ///< the family's own
  uint32_t function = 0;             ///< Kernel::functions
  ptx::Location location;
};

/// A place in a thread's local memory, relative to its function's frame, or in
/// an entry's parameters.
struct FrameSlot {
  uint32_t offset = 0;
  uint32_t bytes = 0;
};

struct KernelFunction {
  const ptx::Function *ptx = nullptr;
  uint32_t begin = 0, end = 0; ///< instructions
  uint32_t frameBytes = 0;     ///< local memory of one activation
  std::vector<FrameSlot> params, returnParams; ///< in the frame
  std::vector<Reg> paramRegs, returnRegs;      ///< .reg parameters, else id 0
  /// The registers to keep when it calls itself: [begin, end) of ids, and of
  /// the file.
  uint32_t firstId = 0, endId = 0, firstOffset = 0, endOffset = 0;
  bool isRecursive = false;
};

/// How one call passes its values.
struct CallSite {
  struct Value {
    bool isReg = false;
    Reg reg; ///< register or constant
    ptx::Type type = ptx::Type::None;
    FrameSlot slot; ///< of a .param variable of the caller
  };
  std::vector<Value> args, results;
  bool isIndirect = false;
};

/// A special register that is known when a warp starts.
struct SpecialSlot {
  std::string name; ///< "tid.x"
  Reg reg;
  uint8_t bytes = 4;
};

struct SharedVariable {
  std::string name;
  uint32_t offset = 0, bytes = 0;
};

struct Kernel {
  const ptx::Function *entry = nullptr;
  std::vector<Inst> code;
  std::vector<KernelFunction> functions; ///< [0] is the entry
  std::map<const ptx::Function *, uint32_t> functionIndex;
  std::vector<Reg> lists;
  std::vector<CallSite> calls;
  std::vector<std::vector<uint32_t>> tables; ///< brx.idx
  std::vector<std::string> strings;          ///< of messages
  /// The register file of a fresh warp: constants in place, the rest zero.
  std::vector<std::byte> file;
  std::vector<uint8_t> registerBytes; ///< by id; 0: a predicate
  uint32_t firstWritableId = 1, endId = 1;
  std::vector<SpecialSlot> specials;
  std::vector<FrameSlot> params; ///< in the parameter buffer
  uint32_t paramBytes = 0;
  std::vector<SharedVariable> shared;
  uint32_t staticShared = 0; ///< bytes; dynamic shared memory follows
  uint32_t sharedAlignment = 16;
  bool communicatesAcrossBlocks =
      false; ///< atomics, volatile, fences, clusters
  bool usesLocal = false;
};

/// Windows of the generic address space. Regions of global memory, constants
/// included, lie above moduleWindow.
constexpr uint64_t sharedWindow = uint64_t(1) << 40;
constexpr uint64_t localWindow = uint64_t(2) << 40;
constexpr uint64_t paramWindow = uint64_t(3) << 40;
constexpr uint64_t functionWindow = uint64_t(4) << 40;
constexpr uint64_t windowMask = (uint64_t(1) << 40) - 1;
/// Variables of the module that runs; regions of Memory.
constexpr uint64_t moduleWindow = uint64_t(8) << 40;
constexpr uint64_t globalWindow = uint64_t(16) << 40;
/// A block's own shared memory starts here, so that no variable has address 0.
constexpr uint32_t sharedBase = 1024;
/// A cluster's block of rank r is seen at (r + 1) << 24 by mapa.
constexpr uint32_t sharedRankShift = 24;
constexpr uint32_t maxSharedBytes = 232448; ///< sm_90: 227 KB a block

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_KERNEL_H
