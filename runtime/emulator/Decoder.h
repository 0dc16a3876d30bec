//===- Decoder.h - From PTX text to handlers -------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Each family of instructions has a file under ops/ with a table of opcodes.
// An entry reads the modifiers, binds the operands and chooses the handler, a
// template instance for the types at hand. A modifier that nobody took is an
// error: nothing is executed that was not understood whole.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_DECODER_H
#define FK_RUNTIME_EMULATOR_DECODER_H

#include "runtime/emulator/Kernel.h"
#include "runtime/emulator/Ptx.h"

#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fk::emulator {

/// The modifiers of one instruction, each taken once.
class Modifiers {
public:
  explicit Modifiers(const ptx::Instruction &instruction);

  /// Whether it is there; it counts as understood then.
  bool take(std::string_view name);
  /// The one of `names` that is there, or "".
  std::string_view takeOneOf(std::initializer_list<std::string_view> names);
  /// The next type among them, None where there is none left.
  ptx::Type takeType();
  /// The first that `accepts`, or "".
  template <class Predicate> std::string_view takeIf(Predicate accepts) {
    for (size_t i = 0; i < names.size(); ++i)
      if (!taken[i] && accepts(names[i])) {
        taken[i] = true;
        return names[i];
      }
    return {};
  }
  /// The first that nobody took, or "".
  std::string_view getLeft() const;

private:
  std::span<const std::string> names;
  std::vector<bool> taken;
};

class Decoder;
using DecodeFunction = void (*)(Decoder &decoder, Modifiers &modifiers,
                                const ptx::Instruction &instruction,
                                Inst &inst);
struct OpEntry {
  std::string_view opcode;
  DecodeFunction decode;
};

/// The tables of the files under ops/.
std::span<const OpEntry> getControlOps();
std::span<const OpEntry> getMoveOps();
std::span<const OpEntry> getIntegerOps();
std::span<const OpEntry> getFloatOps();
std::span<const OpEntry> getConvertOps();
std::span<const OpEntry> getCompareOps();
std::span<const OpEntry> getMemoryOps();
std::span<const OpEntry> getAtomicOps();
std::span<const OpEntry> getBarrierOps();
std::span<const OpEntry> getWarpOps();
std::span<const OpEntry> getAsyncOps();
std::span<const OpEntry> getMatrixOps();
std::span<const OpEntry> getWgmmaOps();
/// Handlers of calls to the functions that the driver provides: vprintf,
/// __assertfail. nullptr where the emulator does not. ops/System.cpp.
Handler getSystemCall(std::string_view name);

/// Instructions that several families share.
void decodeClusterBarrier(Decoder &decoder, Modifiers &modifiers,
                          const ptx::Instruction &instruction, Inst &inst);
void decodeRedAsync(Decoder &decoder, Modifiers &modifiers,
                    const ptx::Instruction &instruction, Inst &inst);
void decodeStoreAsync(Decoder &decoder, Modifiers &modifiers,
                      const ptx::Instruction &instruction, Inst &inst);

/// For .sync instructions of a warp: waits until every lane of the mask in
/// `mask` has come. Returns the lanes to execute for, or 0 where the fragment
/// waits now and the last one to come executes for it. ops/Barrier.cpp.
uint32_t meetLanes(Warp &warp, const Inst &inst, uint32_t active, Reg mask,
                   bool isBarrier);

class Decoder {
public:
  Decoder(const ptx::Module &module, const ptx::Function &entry);
  Kernel decode();

  //--- For the tables ---------------------------------------------------//

  /// Throws PtxError at `location`.
  [[noreturn]] void fail(ptx::Location location, std::string message) const;
  /// "ld.global.v3.u32 is not supported: <why>"
  [[noreturn]] void failUnsupported(const ptx::Instruction &instruction,
                                    std::string_view why) const;
  /// Fails unless there are between `least` and `most` operands.
  void expectOperands(const ptx::Instruction &instruction, size_t least,
                      size_t most) const;
  void expectOperands(const ptx::Instruction &instruction, size_t n) const {
    expectOperands(instruction, n, n);
  }

  /// A register to write, `bytes` wide (0: a predicate); `_` is a scratch one.
  Reg dest(const ptx::Operand &operand, size_t bytes);
  /// A register to write that may be wider than `bytes`; `width` is its own.
  Reg wideDest(const ptx::Operand &operand, size_t bytes, size_t &width);
  /// A value of `type`: a register of that width, a special register, an
  /// immediate or an address. Pred: a predicate register.
  Reg source(const ptx::Operand &operand, ptx::Type type);
  /// As above, where the register may be wider than `type`.
  Reg wideSource(const ptx::Operand &operand, ptx::Type type, size_t &width);
  /// A constant, `bytes` wide in every lane.
  Reg constant(uint64_t bits, size_t bytes);
  /// A register of the emulator's own.
  Reg scratch(size_t bytes);
  /// The condition code that add.cc writes and addc reads: a predicate of the
  /// emulator's own, undefined until written.
  Reg carryFlag();
  /// A predicate that is always true.
  Reg truePredicate();
  Reg falsePredicate();
  /// Whether `operand` is an integer literal, and its value.
  bool isInteger(const ptx::Operand &operand, int64_t &value) const;
  int64_t integer(const ptx::Operand &operand, std::string_view what) const;

  /// Registers of a vector or tuple; sets Inst::list and listSize.
  void setList(Inst &inst, std::span<const Reg> regs);
  uint32_t addList(std::span<const Reg> regs);

  /// Binds `[base + offset]`: Inst::a, Inst::imm and flags[0] (AddressKind).
  void address(const ptx::Operand &operand, Inst &inst);
  /// As above into other fields.
  struct Address {
    uint8_t kind = 0;
    Reg base;
    int64_t offset = 0;
  };
  Address address(const ptx::Operand &operand);

  /// A variable's or function's address where it is the same for every thread;
  /// false for local memory.
  bool staticAddress(const ptx::Operand &operand, uint64_t &address) const;
  /// Where a variable of local or .param space lies in the frame.
  FrameSlot frameSlot(const ptx::Operand &operand) const;
  /// The width in bytes of a register operand; 0 for predicates.
  size_t getWidth(const ptx::Operand &operand) const;
  ptx::Type getRegisterType(const ptx::Operand &operand) const;

  uint32_t functionOf(const ptx::Operand &operand);
  uint32_t addFunction(const ptx::Function &function);
  /// Makes every function of the module callable, for indirect calls.
  void addAllFunctions();

  Kernel kernel;
  const ptx::Module &module;
  const ptx::Function *function = nullptr; ///< being decoded
  uint32_t functionIndex = 0;

private:
  void layOutEntry();
  void layOutFunction(uint32_t index);
  void decodeFunction(uint32_t index);
  void markRecursion();
  Reg allocate(size_t bytes);
  Reg constantPredicate(uint32_t mask);
  Reg registerOf(uint32_t index) const;
  uint64_t immediateBits(const ptx::Operand &operand, ptx::Type type) const;
  void collectShared(const ptx::Function &function);
  void addShared(const ptx::Variable &variable, const void *key);

  std::map<std::pair<uint64_t, size_t>, Reg> constants;
  std::map<std::string, Reg> specials;
  Reg carry; ///< id 0 until it is needed
  std::vector<std::vector<Reg>> registers;        ///< by function
  std::vector<std::vector<FrameSlot>> variables;  ///< by function
  std::map<const void *, uint32_t> sharedOffsets; ///< by variable
  std::map<std::pair<const void *, size_t>, uint32_t> localShared;
  std::map<std::string_view, DecodeFunction> table;
};

enum AddressKind : uint8_t {
  Address64,       ///< base is 64 bits wide
  Address32,       ///< base is 32 bits wide
  AddressConstant, ///< offset alone
  AddressFrame,    ///< offset in the function's frame
};

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_DECODER_H
