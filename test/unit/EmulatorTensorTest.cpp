//===- EmulatorTensorTest.cpp - Swizzles, matrix and tensor descriptors ---===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulator/TensorMemory.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace fk::emulator;

namespace {

TEST(TensorMemory, Swizzles) {
  EXPECT_EQ(swizzleAddress(0x1234, Swizzle::None), 0x1234u);
  EXPECT_EQ(swizzleAddress(128, Swizzle::Bytes128), 128u + 16);
  EXPECT_EQ(swizzleAddress(7 * 128 + 16 * 7 + 3, Swizzle::Bytes128),
            7u * 128 + 3);
  EXPECT_EQ(swizzleAddress(8 * 128 + 5, Swizzle::Bytes128), 8u * 128 + 5);
  EXPECT_EQ(swizzleAddress(3 * 128, Swizzle::Bytes64), 3u * 128 + 48);
  EXPECT_EQ(swizzleAddress(4 * 128, Swizzle::Bytes64), 4u * 128);
  EXPECT_EQ(swizzleAddress(128, Swizzle::Bytes32), 128u + 16);
  EXPECT_EQ(swizzleAddress(256, Swizzle::Bytes32), 256u);
  EXPECT_EQ(swizzleAddress(128, Swizzle::Bytes128, 1), 128u);
}

TEST(TensorMemory, MatrixDescriptors) {
  // 128-byte swizzle, stride 1024, start 0x4400, leading 16.
  uint64_t bits =
      uint64_t(1) << 62 | uint64_t(64) << 32 | uint64_t(1) << 16 | 0x440;
  MatrixDescriptor d = decodeMatrixDescriptor(bits);
  EXPECT_EQ(d.start, 0x4400u);
  EXPECT_EQ(d.leading, 16u);
  EXPECT_EQ(d.stride, 1024u);
  EXPECT_EQ(d.phase, 0);
  EXPECT_EQ(d.swizzle, Swizzle::Bytes128);
  EXPECT_EQ(encodeMatrixDescriptor(d), bits);
  EXPECT_EQ(decodeMatrixDescriptor(uint64_t(3) << 62).swizzle,
            Swizzle::Bytes32);
  EXPECT_EQ(decodeMatrixDescriptor(uint64_t(5) << 49).phase, 5);
  // Without a swizzle: core matrices of 8 x 16 bytes.
  MatrixDescriptor plain = {.start = 0x1000, .leading = 128, .stride = 256};
  EXPECT_EQ(getElementAddress(plain, 9, 9, 2, false),
            0x1000u + 256 + 16 + 128 + 2);
  EXPECT_EQ(getElementAddress(plain, 9, 9, 2, true),
            0x1000u + 256 + 2 + 128 + 16);
}

/// A tensor of numbers y * width + x, as u16.
struct Tensor {
  uint64_t width, height;
  TensorMap map;
  Tensor(uint64_t width, uint64_t height, uint32_t boxX, uint32_t boxY,
         Swizzle swizzle)
      : width(width), height(height) {
    map.rank = 2;
    map.type = TensorMapType::U16;
    map.swizzle = swizzle;
    map.address = 0x10000;
    map.dims = {width, height};
    map.strides = {width * 2};
    map.box = {boxX, boxY};
  }
  /// Shared memory after the copy of the box at (x, y) to `tile`.
  std::map<uint32_t, uint16_t> copy(int32_t x, int32_t y, uint32_t tile) const {
    std::map<uint32_t, uint16_t> memory;
    uint32_t total = 0;
    forEachBoxRun(map, {x, y}, [&](const BoxRun &run) {
      EXPECT_EQ(run.tileOffset, total);
      total += run.bytes;
      uint32_t to = swizzleAddress(tile + run.tileOffset, map.swizzle);
      for (uint32_t i = 0; i < run.bytes; i += 2) {
        uint64_t index = (run.globalAddress + i - map.address) / 2;
        memory[to + i] =
            run.isInside ? static_cast<uint16_t>(index) : uint16_t(0xffff);
      }
    });
    EXPECT_EQ(total, getBoxBytes(map));
    return memory;
  }
};

TEST(TensorMemory, CopiedTilesAreWhatWgmmaReads) {
  constexpr uint32_t tile = 0x2000;
  for (Swizzle swizzle :
       {Swizzle::Bytes32, Swizzle::Bytes64, Swizzle::Bytes128}) {
    uint32_t span = getSpan(swizzle), across = span / 2;
    Tensor tensor(across, 64, across, 64, swizzle);
    ASSERT_EQ(checkTensorMap(tensor.map), "");
    auto memory = tensor.copy(0, 0, tile);
    // K-major: x is k, y is m; every step of 16 moves the start by 32 bytes.
    for (unsigned step = 0; step < across / 16; ++step) {
      MatrixDescriptor d = {.start = tile + 32 * step,
                            .leading = 16,
                            .stride = 8 * span,
                            .swizzle = swizzle};
      for (unsigned m = 0; m < 64; ++m)
        for (unsigned k = 0; k < 16; ++k)
          ASSERT_EQ(memory.at(getElementAddress(d, m, k, 2, false)),
                    m * across + step * 16 + k);
    }
    // MN-major: x is m (one span of it), y is k.
    for (unsigned step = 0; step < 4; ++step) {
      MatrixDescriptor d = {.start = tile + 16 * span * step,
                            .leading = 0,
                            .stride = 8 * span,
                            .swizzle = swizzle};
      for (unsigned m = 0; m < across; ++m)
        for (unsigned k = 0; k < 16; ++k)
          ASSERT_EQ(memory.at(getElementAddress(d, m, k, 2, true)),
                    (step * 16 + k) * across + m);
    }
  }
}

TEST(TensorMemory, BoxesAtTheEdge) {
  Tensor tensor(20, 10, 16, 4, Swizzle::None);
  tensor.map.strides = {48};
  EXPECT_EQ(checkTensorMap(tensor.map), "");
  std::map<std::pair<uint32_t, uint32_t>, BoxRun> runs;
  // Columns 12..27 of 20, rows 8..11 of 10.
  forEachBoxRun(tensor.map, {12, 8}, [&](const BoxRun &run) {
    runs[{run.tileOffset / 32, run.tileOffset % 32}] = run;
  });
  ASSERT_EQ(runs.size(), 8u);
  EXPECT_TRUE((runs[{0, 0}].isInside));
  EXPECT_EQ((runs[{0, 0}].bytes), 16u);
  EXPECT_EQ((runs[{1, 0}].globalAddress), 0x10000u + 9 * 48 + 24);
  EXPECT_FALSE((runs[{0, 16}].isInside));
  EXPECT_FALSE((runs[{2, 0}].isInside));
  // From the left: columns -3..12.
  uint32_t outside = 0, inside = 0;
  forEachBoxRun(tensor.map, {-3, -1}, [&](const BoxRun &run) {
    (run.isInside ? inside : outside) += run.bytes;
    if (run.isInside && run.tileOffset == 32 + 6)
      EXPECT_EQ(run.globalAddress, 0x10000u);
    EXPECT_LE(run.tileOffset % 16 + run.bytes, 16u);
  });
  EXPECT_EQ(inside, 3u * 13 * 2);
  EXPECT_EQ(inside + outside, getBoxBytes(tensor.map));
  // Every second row.
  tensor.map.elementStrides = {1, 2};
  EXPECT_EQ(getBoxBytes(tensor.map), 64u);
  std::set<uint64_t> rows;
  forEachBoxRun(tensor.map, {0, 3}, [&](const BoxRun &run) {
    rows.insert((run.globalAddress - 0x10000) / 48);
  });
  EXPECT_EQ(rows, (std::set<uint64_t>{3, 5}));
}

TEST(TensorMemory, RanksOneToFive) {
  for (unsigned rank = 1; rank <= 5; ++rank) {
    TensorMap map;
    map.rank = static_cast<uint8_t>(rank);
    map.type = TensorMapType::F32;
    uint64_t stride = 4 * 8;
    for (unsigned d = 0; d < rank; ++d) {
      map.dims[d] = 8;
      map.box[d] = d ? 2 : 4;
      if (d) {
        map.strides[d - 1] = stride;
        stride *= 8;
      }
    }
    ASSERT_EQ(checkTensorMap(map), "");
    uint64_t count = 0, last = 0;
    forEachBoxRun(map, {4, 1, 2, 3, 6}, [&](const BoxRun &run) {
      EXPECT_TRUE(run.isInside);
      EXPECT_EQ(run.bytes, 16u);
      ++count;
      last = run.globalAddress;
    });
    EXPECT_EQ(count, 1u << (rank - 1));
    uint64_t want = 4 * 4;
    const unsigned end[] = {0, 2, 3, 4, 7};
    for (unsigned d = 1; d < rank; ++d)
      want += end[d] * map.strides[d - 1];
    EXPECT_EQ(last, want);
  }
}

TEST(TensorMemory, BadMapsAreNamed) {
  Tensor good(64, 64, 64, 8, Swizzle::Bytes128);
  auto check = [&](auto change) {
    TensorMap map = good.map;
    change(map);
    return checkTensorMap(map);
  };
  EXPECT_EQ(check([](TensorMap &m) { m.magic = 0; }),
            "its bytes are no tensor map of fk");
  EXPECT_EQ(check([](TensorMap &m) { m.rank = 6; }),
            "the rank is 6, not 1 to 5");
  EXPECT_EQ(check([](TensorMap &m) { m.address += 8; }),
            "the tensor's address is no multiple of 16");
  EXPECT_EQ(check([](TensorMap &m) { m.box[1] = 257; }),
            "the box of dimension 1 is 257, not 1 to 256");
  EXPECT_EQ(
      check([](TensorMap &m) { m.strides[0] = 100; }),
      "the stride of dimension 1 is 100 bytes, not a multiple of 16 below "
      "2^40");
  EXPECT_EQ(check([](TensorMap &m) { m.box[0] = 4; }),
            "a row of the box is 8 bytes, no multiple of 16");
  EXPECT_EQ(check([](TensorMap &m) { m.box[0] = 72; }),
            "a row of the box is 144 bytes, more than the swizzle's 128");
  EXPECT_EQ(check([](TensorMap &m) { m.elementStrides[1] = 9; }),
            "the element stride of dimension 1 is 9, not 1 to 8");
  EXPECT_EQ(check([](TensorMap &m) { m.dims[0] = 0; }),
            "the size of dimension 0 is 0, not 1 to 2^32");
}

} // namespace
