//===- Logic.h - Logic of predicates ---------------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_OPS_LOGIC_H
#define FK_RUNTIME_EMULATOR_OPS_LOGIC_H

#include <cstdint>

namespace fk::emulator {

enum class Logic : uint8_t { And, Or, Xor };

constexpr uint32_t applyLogic(Logic logic, uint32_t a, uint32_t b) {
  return logic == Logic::And ? a & b : logic == Logic::Or ? a | b : a ^ b;
}

/// Lanes of a predicate that are undefined after `a op b`: false and anything
/// is false, true or anything is true.
constexpr uint32_t undefinedLogic(Logic logic, uint32_t a, uint32_t undefinedA,
                                  uint32_t b, uint32_t undefinedB) {
  uint32_t undefined = undefinedA | undefinedB;
  if (!undefined || logic == Logic::Xor)
    return undefined;
  if (logic == Logic::Or) {
    a = ~a;
    b = ~b;
  }
  return undefined & ~((~a & ~undefinedA) | (~b & ~undefinedB));
}

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_OPS_LOGIC_H
