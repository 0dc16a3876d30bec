//===- Arithmetic.cpp - Opcodes that serve several types ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/ops/Arithmetic.h"

#include <algorithm>

using namespace fk;
using namespace fk::emulator;
using ptx::Type;

void Decoding::expectType(Type type,
                          std::initializer_list<Type> allowed) const {
  if (isOneOf(type, allowed))
    return;
  std::string why = "it takes";
  for (Type one : allowed)
    why += " ." + std::string(ptx::getName(one));
  why += type == Type::None ? ", and has no type"
                            : ", not ." + std::string(ptx::getName(type));
  fail(why);
}

namespace {

enum class Kind : uint8_t { Bits, Integer, Float, Predicate };

Kind kindOf(Type type) {
  switch (type) {
  case Type::Pred:
    return Kind::Predicate;
  case Type::B8:
  case Type::B16:
  case Type::B32:
  case Type::B64:
  case Type::B128:
    return Kind::Bits;
  case Type::U8:
  case Type::U16:
  case Type::U32:
  case Type::U64:
  case Type::S8:
  case Type::S16:
  case Type::S32:
  case Type::S64:
  case Type::U16x2:
  case Type::S16x2:
    return Kind::Integer;
  default:
    return Kind::Float;
  }
}

bool fitsRegister(Type reg, Type type) {
  Kind a = kindOf(reg), b = kindOf(type);
  return a == Kind::Bits || b == Kind::Bits ||
         (a == b && (a != Kind::Float || reg == type));
}

bool fitsLiteral(const ptx::Operand &operand, Type type) {
  if (operand.kind == ptx::Operand::Kind::Integer)
    return kindOf(type) != Kind::Float;
  if (kindOf(type) == Kind::Bits)
    return ptx::getSizeInBytes(type) == (operand.isSingle ? 4 : 8);
  return isFloat(type);
}

} // namespace

void Decoding::expectKind(const ptx::Operand &operand, Type type) const {
  using OperandKind = ptx::Operand::Kind;
  if (type == Type::Pred)
    return; // Decoder speaks of predicates.
  std::string typeName = "." + std::string(ptx::getName(type));
  if (operand.kind == OperandKind::Register) {
    Type reg = decoder.getRegisterType(operand);
    if (reg != Type::Pred && !fitsRegister(reg, type))
      decoder.fail(operand.location, "register '" + operand.name + "' is ." +
                                         std::string(ptx::getName(reg)) +
                                         ", where '" + instruction.str() +
                                         "' takes " + typeName);
  }
  bool isLiteral = operand.kind == OperandKind::Integer ||
                   operand.kind == OperandKind::Float;
  if (isLiteral && !fitsLiteral(operand, type))
    decoder.fail(operand.location,
                 (operand.kind == OperandKind::Integer
                      ? "an integer is no "
                      : "a number with a fraction is no ") +
                     typeName + ", which '" + instruction.str() +
                     "' takes here" +
                     (isFloat(type) ? ": write it as 1.0" : ""));
}

Reg Decoding::source(const ptx::Operand &operand, Type type) const {
  expectKind(operand, type);
  return decoder.source(operand, type);
}

Reg Decoding::dest(const ptx::Operand &operand, Type type) const {
  expectKind(operand, type);
  return decoder.dest(operand,
                      type == Type::Pred ? 0 : ptx::getSizeInBytes(type));
}

void Decoding::bind(Type result, std::initializer_list<Type> sources) const {
  decoder.expectOperands(instruction, 1 + sources.size());
  inst.d = dest(operand(0), result);
  Reg *regs[] = {&inst.a, &inst.b, &inst.c, &inst.e};
  size_t i = 0;
  for (Type type : sources) {
    *regs[i] = type == Type::Pred ? predicate(operand(1 + i))
                                  : source(operand(1 + i), type);
    ++i;
  }
}

Reg Decoding::predicate(const ptx::Operand &operand, bool &isNegated) const {
  isNegated = operand.isNegated;
  return decoder.source(operand, Type::Pred);
}

Reg Decoding::predicate(const ptx::Operand &operand) const {
  if (operand.isNegated)
    decoder.fail(operand.location,
                 "'" + instruction.str() + "' takes no negated predicate");
  return decoder.source(operand, Type::Pred);
}

bool Decoding::takeRounding(Rounding &rounding) const {
  std::string_view name = modifiers.takeOneOf({"rn", "rz", "rm", "rp"});
  if (name.empty())
    return false;
  rounding = name == "rn"   ? Rounding::NearestEven
             : name == "rz" ? Rounding::TowardZero
             : name == "rm" ? Rounding::Down
                            : Rounding::Up;
  return true;
}

void emulator::decodeArithmetic(Decoder &decoder, Modifiers &modifiers,
                                const ptx::Instruction &instruction,
                                Inst &inst) {
  Decoding decoding = {decoder, modifiers, instruction, inst};
  if (modifiers.take("f32x2"))
    decoding.fail("packed .f32x2 needs sm_100, and this emulates sm_90");
  Type type = modifiers.takeType();
  if (type == Type::None)
    decoding.fail("it has no type that this opcode takes");
  auto family = isFloat(type)  ? getFloatArithmetic()
                : isHalf(type) ? getHalfArithmetic()
                               : getIntegerArithmetic();
  auto found =
      std::ranges::find(family, instruction.opcode, &TypedEntry::opcode);
  if (found == family.end())
    decoding.fail("'" + instruction.opcode + "' takes no ." +
                  std::string(ptx::getName(type)));
  found->decode(decoding, type);
}
