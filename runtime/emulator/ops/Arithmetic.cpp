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

void Decoding::bind(Type result, std::initializer_list<Type> sources) const {
  decoder.expectOperands(instruction, 1 + sources.size());
  inst.d = decoder.dest(operand(0),
                        result == Type::Pred ? 0 : ptx::getSizeInBytes(result));
  Reg *regs[] = {&inst.a, &inst.b, &inst.c, &inst.e};
  size_t i = 0;
  for (Type type : sources) {
    *regs[i] = type == Type::Pred ? predicate(operand(1 + i))
                                  : decoder.source(operand(1 + i), type);
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
