//===- DType.h - Element types of tensors ----------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_SUPPORT_DTYPE_H
#define FK_RUNTIME_SUPPORT_DTYPE_H

#include <cstdint>
#include <optional>
#include <string_view>

namespace fk {

/// Element types, as safetensors knows them.
enum class DType : uint8_t { F64, F32, F16, BF16, I64, I32, I16, I8, U8, Bool };

/// Bytes of one element.
int64_t getSizeInBytes(DType type);

/// The short name used in plans, signatures and MLIR: "f32", "bf16", "i32".
std::string_view getName(DType type);
std::optional<DType> parseDType(std::string_view name);

/// The safetensors spelling: "F32", "BF16", "I32", "BOOL".
std::string_view getSafetensorsName(DType type);
std::optional<DType> parseSafetensorsDType(std::string_view name);

/// The Hugging Face and command line spelling: "float32", "bfloat16".
std::string_view getTorchName(DType type);
std::optional<DType> parseTorchDType(std::string_view name);

bool isFloat(DType type);

/// The unit roundoff of a floating type: half the distance from 1 to the next
/// value (2^-24 for f32, 2^-8 for bf16, 2^-11 for f16). 0 for a type that is not
/// floating.
double getUnitRoundoff(DType type);

} // namespace fk

#endif // FK_RUNTIME_SUPPORT_DTYPE_H
