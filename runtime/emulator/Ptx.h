//===- Ptx.h - A PTX module as its text says it ----------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The parsed form of PTX ISA 6.0 to 9.0. Names are resolved here (registers,
// variables, labels, functions); what an instruction's modifiers mean is left
// to the decoder. Nothing here knows how an instruction is executed.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_PTX_H
#define FK_RUNTIME_EMULATOR_PTX_H

#include "runtime/support/Error.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fk::ptx {

/// One-based, as editors count.
struct Location {
  uint32_t line = 0;
  uint32_t column = 0;
};

struct Diagnostic {
  Location location;
  std::string message;
};

/// Text that is no PTX, or PTX that fk does not execute. what() is one line a
/// diagnostic: `k.ptx:12:5: error: unknown register '%r9'`.
class PtxError : public Error {
public:
  PtxError(std::string_view file, std::vector<Diagnostic> diagnostics);
  const char *what() const noexcept override { return lines.c_str(); }
  const std::string &getFile() const { return file; }
  const std::vector<Diagnostic> &getDiagnostics() const { return diagnostics; }
  /// One line each, ready to be printed.
  std::vector<std::string> getLines() const;

private:
  std::string file, lines;
  std::vector<Diagnostic> diagnostics;
};

/// Fundamental and instruction types. The order inside a group is by width.
enum class Type : uint8_t {
  None,
  Pred,
  B8, B16, B32, B64, B128,
  U8, U16, U32, U64,
  S8, S16, S32, S64,
  F16, BF16, F32, F64,
  F16x2, BF16x2, TF32,
  E4M3, E5M2, E4M3x2, E5M2x2,
  U16x2, S16x2, ///< packed integers (add, min, max)
  Opaque,       ///< .texref, .samplerref, .surfref: 64 bits
};

/// Bytes of a value of `type`; Pred: 1, None: 0.
size_t getSizeInBytes(Type type);
/// "u32", without the dot.
std::string_view getName(Type type);
/// By the text after the dot; None where it is no type.
Type parseType(std::string_view text);

enum class StateSpace : uint8_t { None, Const, Global, Local, Param, Shared };

/// A variable of any space but .reg.
struct Variable {
  std::string name;
  StateSpace space = StateSpace::None;
  Type type = Type::None;
  uint64_t alignment = 1;
  uint64_t bytes = 0;      ///< of the whole array; 0: `extern .shared x[]`
  bool isArray = false;
  bool isExtern = false;
  bool isPointer = false;  ///< .ptr on an entry's parameter
  std::vector<std::byte> init; ///< empty, or `bytes` long
  /// Addresses among the initial values.
  struct Relocation {
    uint64_t offset = 0;  ///< in init
    std::string symbol;   ///< a module variable or a function
    int64_t addend = 0;
    bool isGeneric = false;
    uint8_t shift = 0;    ///< of mask(): bits dropped; 0 for a whole address
    uint8_t bytes = 8;
  };
  std::vector<Relocation> relocations;
  Location location;
};

/// A vector register `.reg .v4 .f32 v` is four of these, `v.x` to `v.w`. Of a
/// range `%r<100>` only those that the text uses are here.
struct Register {
  std::string name; ///< as in the text: "%r12"
  Type type = Type::None;
  Location location;
};

/// An operand of an instruction.
struct Operand {
  enum class Kind : uint8_t {
    Register,   ///< index: Function::registers
    Special,    ///< name: "tid.x", "laneid", "clock64", "envreg3" (no %)
    Integer,    ///< bits: 64-bit two's complement
    Float,      ///< bits: of a double, or of a float where isSingle (0f...)
    Variable,   ///< a function's own variable; index: Function::variables
    Param,      ///< index: Function::params
    ReturnParam,///< index: Function::returnParams
    Global,     ///< index: Module::variables (const, global, shared)
    Function,   ///< index: Module::functions
    Label,      ///< index: of the instruction it stands before, or how many
                ///< there are where it stands at the end
    Table,      ///< .branchtargets; index: Function::branchTargets
    Prototype,  ///< .callprototype or .calltargets; index: Function::prototypes
    Vector,     ///< parts: {a, b, c, d}; of a vector register and of %tid too
    Address,    ///< parts[0]: base (any of the above); offset; parts[1..]:
                ///< the rest inside the brackets: coordinates, another address
    List,       ///< parts: (a, b) of a call
    Pair,       ///< parts: p|q
    Sink,       ///< _
  };
  Kind kind = Kind::Sink;
  bool isNegated = false;  ///< !p
  bool isMinus = false;    ///< -x before a register or a symbol
  bool isSingle = false;
  uint32_t index = 0;
  std::string selector;    ///< "b0", "h1": part of a video instruction's operand
  uint64_t bits = 0;
  int64_t offset = 0;      ///< Address; also Variable/Global + constant
  std::string name;        ///< as in the text, for messages; Special: the name
  std::vector<Operand> parts;
  Location location;
};

struct Instruction {
  std::string opcode;                 ///< "ld"
  std::vector<std::string> modifiers; ///< "global", "nc", "v4", "u32", in order,
                                      ///< "::" kept inside: "L1::no_allocate"
  std::vector<Operand> operands;
  bool hasGuard = false;
  bool isGuardNegated = false;
  uint32_t guard = 0; ///< Function::registers
  Location location;
  /// "ld.global.nc.v4.u32", for messages.
  std::string str() const;
};

struct Function {
  std::string name;
  bool isEntry = false;
  bool isDeclaration = false; ///< no body
  bool isVisible = false, isWeak = false, isExtern = false, isNoReturn = false;
  std::vector<Variable> params, returnParams;
  /// A .func may take its parameters in registers: index in `registers` of
  /// each, or ~0u where the parameter is a variable. As long as params.
  std::vector<uint32_t> paramRegisters, returnRegisters;
  std::vector<Register> registers; ///< every scope's, each once
  std::vector<Variable> variables; ///< every scope's: .local, .shared, .param
  std::vector<Instruction> instructions;
  /// Instruction indices of each .branchtargets table.
  std::vector<std::vector<uint32_t>> branchTargets;
  struct Prototype {
    std::vector<Variable> params, returnParams;
    std::vector<std::string> targets; ///< .calltargets
  };
  std::vector<Prototype> prototypes;
  std::optional<std::array<uint32_t, 3>> requiredBlock;   ///< .reqntid
  std::optional<std::array<uint32_t, 3>> maxBlock;        ///< .maxntid
  std::optional<std::array<uint32_t, 3>> requiredCluster; ///< .reqnctapercluster
  bool isExplicitCluster = false;                         ///< .explicitcluster
  Location location;
};

struct Module {
  std::string file; ///< for messages
  int versionMajor = 0, versionMinor = 0;
  std::string target; ///< "sm_90a"
  std::vector<Variable> variables; ///< module scope
  std::vector<Function> functions; ///< a definition replaces its declaration

  const Function *findFunction(std::string_view name) const;
  const Variable *findVariable(std::string_view name) const;
};

/// Parses `text`; `file` names it in messages. Throws PtxError with every
/// syntax error found (at most 20), each at its line and column.
Module parse(std::string_view text, std::string_view file);

} // namespace fk::ptx

#endif // FK_RUNTIME_EMULATOR_PTX_H
