//===- LaunchArguments.h - A kernel's launch as a user types it *- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_BENCH_LAUNCHARGUMENTS_H
#define FK_BENCH_LAUNCHARGUMENTS_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fk::bench {

/// One parameter of a kernel.
struct LaunchArgument {
  std::string text;             ///< as typed, for messages
  std::string tensor;           ///< not empty: a pointer to this tensor
  std::vector<std::byte> bytes; ///< of a value, where it is no tensor
};

/// "out,a,i32:128,f32:1e-6,hex:0011ff,null": a tensor's name, a value with its
/// type (i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64), the bytes of a struct
/// or a null pointer. Integers are decimal or 0x...; a value that its type does
/// not hold is an error, one that it rounds is not. Throws Error.
std::vector<LaunchArgument> parseLaunchArguments(std::string_view text);

using Extent3 = std::array<uint32_t, 3>;

/// "4,2,1", "4,2" or "4" with each at least 1 and at most that of `most`.
/// `option` ("--grid") goes into messages. Throws Error.
Extent3 parseExtents(std::string_view text, const std::string &option,
                     const std::array<uint32_t, 3> &most);

/// "128", from `least` to `most`. Throws Error.
int64_t parseNumber(std::string_view text, const std::string &option,
                    int64_t least, int64_t most);

} // namespace fk::bench

#endif // FK_BENCH_LAUNCHARGUMENTS_H
