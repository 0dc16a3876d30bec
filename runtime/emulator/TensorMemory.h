//===- TensorMemory.h - Swizzles, matrix and tensor descriptors -*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Where wgmma finds an element of an operand in shared memory, and which bytes
// a tensor copy (cp.async.bulk.tensor, tiled mode) moves. im2col mode and the
// interleaved layouts are not there.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_TENSORMEMORY_H
#define FK_RUNTIME_EMULATOR_TENSORMEMORY_H

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace fk::emulator {

/// The numbers are CUtensorMapSwizzle's.
enum class Swizzle : uint8_t {
  None = 0,
  Bytes32 = 1,
  Bytes64 = 2,
  Bytes128 = 3
};

/// Bytes of a row of the pattern; 16 without one.
constexpr uint32_t getSpan(Swizzle swizzle) {
  return 16u << static_cast<unsigned>(swizzle);
}

/// Exchanges 16-byte pieces inside spans: the piece's number is combined by
/// exclusive or with the number of its 128-byte line. `phase` is the line at
/// which the pattern begins (a matrix descriptor's base offset).
constexpr uint32_t swizzleAddress(uint32_t address, Swizzle swizzle,
                                  uint32_t phase = 0) {
  uint32_t mask = getSpan(swizzle) / 16 - 1;
  uint32_t line = (address >> 7) - phase;
  return address ^ ((line & mask) << 4);
}

//===-- wgmma's matrix descriptor -----------------------------------------===//

struct MatrixDescriptor {
  uint32_t start = 0;   ///< in shared memory, bytes; a multiple of 16
  uint32_t leading = 0; ///< leading dimension byte offset
  uint32_t stride = 0;  ///< stride dimension byte offset
  uint8_t phase = 0;    ///< base offset
  Swizzle swizzle = Swizzle::None;
};
MatrixDescriptor decodeMatrixDescriptor(uint64_t bits);
uint64_t encodeMatrixDescriptor(const MatrixDescriptor &descriptor);

/// The shared-memory address of element (mn, k): mn is the row of A or the
/// column of B. isMNMajor (the transposed operands of f16 and bf16): elements
/// of one k lie side by side. k is below 32 bytes' worth of elements.
///
/// In pieces of 16 bytes and groups of 8 rows (of mn, or of k if MN-major):
///   K-major, no swizzle     piece of k: leading, group: stride, row: 16
///   K-major, span S         piece of k: 16, group: stride, row: S
///   MN-major, no swizzle    piece of mn: stride, group of k: leading, k: 16
///   MN-major, span S        piece in the span: 16, span: leading,
///                           group of k: stride, k: S
uint32_t getElementAddress(const MatrixDescriptor &descriptor, unsigned mn,
                           unsigned k, unsigned elementBytes, bool isMNMajor);

//===-- Tensor maps -------------------------------------------------------===//

/// The numbers are CUtensorMapDataType's.
enum class TensorMapType : uint8_t {
  U8,
  U16,
  U32,
  S32,
  U64,
  S64,
  F16,
  F32,
  F64,
  BF16,
  F32Flush,
  TF32,
  TF32Flush
};
unsigned getElementBytes(TensorMapType type);

/// What a kernel's CUtensorMap parameter holds in the emulator. Dimension 0 is
/// the innermost one.
struct alignas(64) TensorMap {
  static constexpr uint32_t validMagic = 0x4d546b66; ///< "fkTM"
  static constexpr unsigned maxRank = 5;

  uint32_t magic = validMagic;
  uint8_t rank = 0;
  TensorMapType type = TensorMapType::U8;
  Swizzle swizzle = Swizzle::None;
  uint8_t fillNaN = 0;  ///< elements outside: all bits one instead of zero
  uint64_t address = 0; ///< of the tensor, in the emulator's global memory
  std::array<uint64_t, 5> dims = {};
  std::array<uint64_t, 4> strides = {}; ///< bytes, of dimensions 1 to 4
  std::array<uint32_t, 5> box = {};
  std::array<uint32_t, 5> elementStrides = {1, 1, 1, 1, 1};
};
static_assert(sizeof(TensorMap) == 128);

/// What is wrong with it by cuTensorMapEncodeTiled's rules; empty: nothing.
std::string checkTensorMap(const TensorMap &map);

/// Elements of the box along a dimension that are moved.
constexpr uint32_t getBoxSteps(const TensorMap &map, unsigned dim) {
  uint32_t step = dim == 0 ? 1 : map.elementStrides[dim];
  return (map.box[dim] + step - 1) / step;
}
/// Bytes that a copy moves (and an mbarrier counts), those outside included.
uint64_t getBoxBytes(const TensorMap &map);

/// Bytes that lie together on both sides, inside one 16-byte piece of shared
/// memory.
struct BoxRun {
  uint64_t globalAddress = 0; ///< of no value unless isInside
  uint32_t tileOffset = 0;    ///< before the swizzle
  uint32_t bytes = 0;
  bool isInside = false; ///< of the tensor; else loads fill, stores skip
};

/// Calls fn(const BoxRun &) for all of the box at `coordinates`, in the order
/// of the tile. A run's place in shared memory is
/// swizzleAddress(tile + run.tileOffset, map.swizzle).
template <class Fn>
void forEachBoxRun(const TensorMap &map,
                   const std::array<int32_t, 5> &coordinates, Fn fn) {
  unsigned elementBytes = getElementBytes(map.type);
  std::array<uint32_t, 5> steps = {1, 1, 1, 1, 1};
  for (unsigned d = 0; d < map.rank; ++d)
    steps[d] = getBoxSteps(map, d);
  uint32_t offset = 0;
  std::array<uint32_t, 5> at = {};
  for (at[4] = 0; at[4] < steps[4]; ++at[4])
    for (at[3] = 0; at[3] < steps[3]; ++at[3])
      for (at[2] = 0; at[2] < steps[2]; ++at[2])
        for (at[1] = 0; at[1] < steps[1]; ++at[1]) {
          bool isRowInside = true;
          uint64_t row = map.address;
          for (unsigned d = 1; d < map.rank; ++d) {
            int64_t x = int64_t(coordinates[d]) +
                        int64_t(at[d]) * map.elementStrides[d];
            isRowInside &= x >= 0 && static_cast<uint64_t>(x) < map.dims[d];
            row += static_cast<uint64_t>(x) * map.strides[d - 1];
          }
          // In bytes along the row: the box, and the tensor's part of it.
          int64_t begin = int64_t(coordinates[0]) * elementBytes;
          int64_t end = begin + int64_t(steps[0]) * elementBytes;
          int64_t limit = static_cast<int64_t>(map.dims[0]) * elementBytes;
          for (int64_t x = begin; x < end;) {
            bool isInside = isRowInside && x >= 0 && x < limit;
            int64_t stop = std::min(end, x + 16 - offset % 16);
            if (x < 0)
              stop = std::min<int64_t>(stop, 0);
            else if (x < limit)
              stop = std::min(stop, limit);
            BoxRun run;
            run.globalAddress = row + static_cast<uint64_t>(x);
            run.tileOffset = offset;
            run.bytes = static_cast<uint32_t>(stop - x);
            run.isInside = isInside;
            fn(static_cast<const BoxRun &>(run));
            offset += run.bytes;
            x = stop;
          }
        }
}

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_TENSORMEMORY_H
