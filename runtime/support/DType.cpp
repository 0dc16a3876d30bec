//===- DType.cpp - Element types of tensors -------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/support/DType.h"

#include <cmath>

using namespace fk;

namespace {

/// One row per enumerator, in its order.
struct DTypeRow {
  DType type;
  int64_t bytes;
  std::string_view name, safetensorsName, torchName;
  int significandBits; ///< 0: not floating
};

constexpr DTypeRow rows[] = {
    {DType::F64, 8, "f64", "F64", "float64", 53},
    {DType::F32, 4, "f32", "F32", "float32", 24},
    {DType::F16, 2, "f16", "F16", "float16", 11},
    {DType::BF16, 2, "bf16", "BF16", "bfloat16", 8},
    {DType::I64, 8, "i64", "I64", "int64", 0},
    {DType::I32, 4, "i32", "I32", "int32", 0},
    {DType::I16, 2, "i16", "I16", "int16", 0},
    {DType::I8, 1, "i8", "I8", "int8", 0},
    {DType::U8, 1, "u8", "U8", "uint8", 0},
    {DType::Bool, 1, "bool", "BOOL", "bool", 0},
};

constexpr bool isInOrder() {
  int i = 0;
  for (const DTypeRow &row : rows)
    if (static_cast<int>(row.type) != i++)
      return false;
  return true;
}
static_assert(isInOrder());

} // namespace

static const DTypeRow &getRow(DType type) {
  return rows[static_cast<int>(type)];
}

static std::optional<DType> find(std::string_view name,
                                 std::string_view DTypeRow::*spelling) {
  for (const DTypeRow &row : rows)
    if (row.*spelling == name)
      return row.type;
  return std::nullopt;
}

int64_t fk::getSizeInBytes(DType type) { return getRow(type).bytes; }

std::string_view fk::getName(DType type) { return getRow(type).name; }

std::optional<DType> fk::parseDType(std::string_view name) {
  return find(name, &DTypeRow::name);
}

std::string_view fk::getSafetensorsName(DType type) {
  return getRow(type).safetensorsName;
}

std::optional<DType> fk::parseSafetensorsDType(std::string_view name) {
  return find(name, &DTypeRow::safetensorsName);
}

std::string_view fk::getTorchName(DType type) { return getRow(type).torchName; }

std::optional<DType> fk::parseTorchDType(std::string_view name) {
  return find(name, &DTypeRow::torchName);
}

bool fk::isFloat(DType type) { return getRow(type).significandBits != 0; }

double fk::getUnitRoundoff(DType type) {
  return isFloat(type) ? std::ldexp(1.0, -getRow(type).significandBits) : 0.0;
}
