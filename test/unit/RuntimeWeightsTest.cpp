//===- RuntimeWeightsTest.cpp - Weights, conversions, rotary tables -------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "RuntimeToy.h"

#include "runtime/Convert.h"
#include "runtime/RopeTable.h"
#include "runtime/Weights.h"

#include <bit>
#include <cmath>
#include <limits>

using namespace fk;
using namespace fk::toy;

namespace {

std::shared_ptr<Plan> planOf(std::vector<PlanWeight> weights) {
  auto plan = std::make_shared<Plan>();
  plan->weights = std::move(weights);
  return plan;
}

std::vector<float> readFloats(const TensorRef &tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.getNumElements()));
  convertElements(tensor.data, tensor.dtype, values.data(), DType::F32,
                  values.size());
  return values;
}

struct WeightsTest : testing::Test {
  TempFolder folder;
  std::unique_ptr<Device> device = createHostDevice();

  void write(const std::vector<TensorToWrite> &tensors) {
    writeSafetensors(folder.path / "model.safetensors", tensors);
  }
  std::vector<float> load(const PlanWeight &weight) {
    WeightStore store(planOf({weight}), *device, {});
    store.load(Checkpoint::open(folder.path), {});
    return readFloats(store.get(weight.name));
  }
};

template <typename T>
std::span<const std::byte> bytes(const std::vector<T> &v) {
  return std::as_bytes(std::span(v));
}

/// A table's row `position`: cosine and sine of pair `i`.
void expectPair(const RopeTable &table, int64_t length, int64_t position,
                size_t i, double cosine, double sine) {
  auto values = computeRopeTable(table, length, position + 1);
  auto width = static_cast<size_t>(table.rotaryDim);
  const float *row = values.data() + static_cast<size_t>(position) * width;
  EXPECT_NEAR(row[i], cosine, 2e-7 * getAttentionFactor(table)) << position;
  EXPECT_NEAR(row[width / 2 + i], sine, 2e-7 * getAttentionFactor(table))
      << position;
}

void expectFrequencies(const RopeTable &table, int64_t length,
                       const std::vector<double> &wanted) {
  auto got = getInverseFrequencies(table, length);
  size_t indices[] = {0, 1, 5, 8, 11, 15};
  ASSERT_EQ(got.size(), 16u);
  for (size_t i = 0; i < 6; ++i)
    EXPECT_NEAR(got[indices[i]], wanted[i], 2e-7 * wanted[i])
        << table.type << " " << indices[i];
}

RopeTable makeTable(std::string type, double theta = 10000, double factor = 1) {
  RopeTable table;
  table.type = std::move(type);
  table.rotaryDim = 32;
  table.theta = theta;
  table.factor = factor;
  table.maxPositions = 64;
  return table;
}

RopeTable makeLongRope() {
  RopeTable table = makeTable("longrope", 10000, 32);
  table.maxPositions = 2048;
  table.originalMaxPositions = 64;
  for (int i = 0; i < 16; ++i) {
    table.longFactor.push_back(1 + 0.25 * i);
    table.shortFactor.push_back(1 + 0.03125 * i);
  }
  return table;
}

} // namespace

TEST(ConvertTest, BFloat16RoundsToNearestEven) {
  EXPECT_EQ(floatToBFloat16(1.0f), 0x3f80);
  EXPECT_EQ(floatToBFloat16(1.0f + 0x1p-8f), 0x3f80);           // tie to even
  EXPECT_EQ(floatToBFloat16(1.0f + 0x1p-7f + 0x1p-8f), 0x3f82); // tie to even
  EXPECT_EQ(floatToBFloat16(1.0f + 0x1p-8f + 0x1p-20f), 0x3f81);
  EXPECT_EQ(floatToBFloat16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(floatToBFloat16(-INFINITY), 0xff80);
  uint16_t nan = floatToBFloat16(std::bit_cast<float>(0x7f800001u));
  EXPECT_GT(nan & 0x7fff, 0x7f80);
}

TEST(ConvertTest, HalfAgreesWithTheCompiler) {
  // Every half, the midpoints between halves, and their neighbours.
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    auto half = static_cast<uint16_t>(bits);
    float value = halfToFloat(half);
    float wanted = static_cast<float>(std::bit_cast<_Float16>(half));
    if (std::isnan(wanted)) {
      EXPECT_TRUE(std::isnan(value));
      continue;
    }
    ASSERT_EQ(value, wanted) << bits;
    float next = halfToFloat(static_cast<uint16_t>(half + 1));
    for (float probe :
         {value, std::nextafter(value, INFINITY), (value + next) / 2,
          std::nextafter((value + next) / 2, INFINITY)}) {
      if (!std::isnan(probe)) {
        ASSERT_EQ(floatToHalf(probe),
                  std::bit_cast<uint16_t>(static_cast<_Float16>(probe)))
            << probe;
      }
    }
  }
}

TEST_F(WeightsTest, PartsAreConcatenated) {
  std::vector<float> q = {1, 2, 3, 4, 5, 6}, k = {7, 8};
  write({{"q", DType::F32, {3, 2}, bytes(q)},
         {"k", DType::F32, {1, 2}, bytes(k)}});
  EXPECT_EQ(load({"kqq",
                  DType::F32,
                  dims({"4", "2"}),
                  {{"k"}, {"q", 1, -1}, {"q", 0, 1}},
                  {}}),
            (std::vector<float>{7, 8, 3, 4, 5, 6, 1, 2}));
}

TEST_F(WeightsTest, ConvertsBetweenFloats) {
  std::vector<float> w = {1, -2.5f, 0x1p-16f, 1 + 0x1p-12f};
  write({{"w", DType::F32, {4}, bytes(w)}});
  EXPECT_EQ(load({"w", DType::BF16, dims({"4"}), {{"w"}}, {}}),
            (std::vector<float>{1, -2.5f, 0x1p-16f, 1}));
  EXPECT_EQ(load({"w", DType::F16, dims({"4"}), {{"w"}}, {}}),
            (std::vector<float>{1, -2.5f, 0x1p-16f, 1}));
  std::vector<uint16_t> b = {0x3f80, 0xc020};
  write({{"b", DType::BF16, {2}, bytes(b)}});
  EXPECT_EQ(load({"b", DType::F32, dims({"2"}), {{"b"}}, {}}),
            (std::vector<float>{1, -2.5f}));
}

TEST_F(WeightsTest, LargerThanAStagingPiece) {
  std::vector<float> w((size_t(9) << 20) / 4);
  for (size_t i = 0; i < w.size(); ++i)
    w[i] = static_cast<float>(i % 1000);
  write({{"w", DType::F32, {static_cast<int64_t>(w.size())}, bytes(w)}});
  PlanWeight weight{"w", DType::F32, {Expr(int64_t(w.size()))}, {{"w"}}, {}};
  WeightStore store(planOf({weight}), *device, {});
  size_t done = 0, total = 0;
  store.load(Checkpoint::open(folder.path), [&](size_t d, size_t t) {
    EXPECT_GE(d, done);
    done = d;
    total = t;
  });
  EXPECT_EQ(readFloats(store.get("w")), w);
  EXPECT_EQ(done, 4 * w.size());
  EXPECT_EQ(total, 4 * w.size());
}

TEST_F(WeightsTest, Errors) {
  std::vector<float> w = {1, 2, 3, 4};
  std::vector<int32_t> n = {1, 2};
  write({{"model.norm.weight", DType::F32, {2, 2}, bytes(w)},
         {"n", DType::I32, {2}, bytes(n)}});
  auto fails = [&](PlanWeight weight,
                   std::initializer_list<const char *> parts) {
    expectError([&] { load(weight); }, parts);
  };
  fails({"w", DType::F32, dims({"2", "2"}), {{"model.morn.weight"}}, {}},
        {"lacks a tensor", "'model.morn.weight'", "model.norm.weight"});
  fails({"w", DType::F32, dims({"2", "3"}), {{"model.norm.weight"}}, {}},
        {"wrong shape", "model.safetensors", "[2, 3]", "[2, 2]"});
  fails({"w",
         DType::F32,
         dims({"3", "3"}),
         {{"model.norm.weight", 0, 2}, {"model.norm.weight", 0, 1}},
         {}},
        {"wrong shape", "[rows, 3]", "[2, 2]"});
  fails({"w", DType::F32, dims({"3", "2"}), {{"model.norm.weight", 0, 3}}, {}},
        {"too few rows", "rows 0 to 3", "2 rows"});
  fails({"w",
         DType::F32,
         dims({"3", "2"}),
         {{"model.norm.weight"}, {"model.norm.weight"}},
         {}},
        {"do not make its rows", "wanted 3", "got 4"});
  fails({"w",
         DType::F32,
         dims({"2", "2"}),
         {{"model.norm.weight", 0, 1}, {"model.norm.weight", 0, 1}},
         {}},
        {"wrong shape", "wanted 1 rows", "got 2"});
  fails({"n", DType::F32, dims({"2"}), {{"n"}}, {}},
        {"wrong element type", "a floating type", "i32"});
}

TEST_F(WeightsTest, DrawnWeightsAreNormalAndRepeat) {
  auto draw = [&](const PlanWeight &weight, uint64_t seed) {
    WeightStore store(planOf({weight}), *device, {});
    EXPECT_FALSE(store.isReady());
    store.draw(seed, {});
    EXPECT_TRUE(store.isReady());
    return readFloats(store.get(weight.name));
  };
  PlanWeight a{"a", DType::F32, dims({"300", "300"}), {{"a"}}, {}};
  std::vector<float> values = draw(a, 1);
  double sum = 0, squares = 0;
  for (float value : values) {
    sum += value;
    squares += double(value) * value;
  }
  double count = static_cast<double>(values.size());
  EXPECT_NEAR(sum / count, 0, 5 * 0.02 / std::sqrt(count));
  EXPECT_NEAR(std::sqrt(squares / count), 0.02, 0.0003);
  EXPECT_EQ(draw(a, 1), values);
  EXPECT_NE(draw(a, 2), values);
  PlanWeight b{"b", DType::F32, dims({"300", "300"}), {{"b"}}, {}};
  EXPECT_NE(draw(b, 1), values);

  PlanWeight norm{"n", DType::BF16, dims({"64"}), {{"norm.weight"}}, {}};
  for (float value : draw(norm, 1))
    EXPECT_NEAR(value, 1, 0.08);
  PlanWeight bias{"n", DType::F32, dims({"64"}), {{"proj.bias"}}, {}};
  for (float value : draw(bias, 1))
    EXPECT_NEAR(value, 0, 0.08);
}

TEST_F(WeightsTest, DrawnPartsAgreeWithWholeTensors) {
  WeightStore store(planOf({{"q", DType::F32, dims({"3", "2"}), {{"q"}}, {}},
                            {"k", DType::F32, dims({"2", "2"}), {{"k"}}, {}},
                            {"kq",
                             DType::F32,
                             dims({"4", "2"}),
                             {{"k", 0, 2}, {"q", 1, 3}},
                             {}}}),
                    *device, {});
  store.draw(7, {});
  auto q = readFloats(store.get("q")), wanted = readFloats(store.get("k"));
  wanted.insert(wanted.end(), q.begin() + 2, q.end());
  EXPECT_EQ(readFloats(store.get("kq")), wanted);
}

TEST_F(WeightsTest, DrawingNeedsKnownRows) {
  WeightStore store(
      planOf({{"qk", DType::F32, dims({"3", "2"}), {{"q"}, {"k"}}, {}}}),
      *device, {});
  expectError([&] { store.draw(7, {}); },
              {"'qk' cannot be drawn", "2 open parts"});
}

TEST_F(WeightsTest, RotaryTablesFollowTheLongestSequence) {
  PlanWeight weight{
      "cos_sin", DType::F32, dims({"max_positions", "32"}), {}, {}};
  weight.ropeTable = makeTable("dynamic", 10000, 2);
  WeightStore store(planOf({weight}), *device, {{"max_positions", 200}});
  EXPECT_TRUE(store.isReady());
  auto stream = device->createStream();
  auto expectLength = [&](int64_t length, int64_t rows) {
    store.setLongestSequence(*stream, length);
    auto got = readFloats(store.get("cos_sin"));
    auto wanted = computeRopeTable(*weight.ropeTable, length, rows);
    got.resize(wanted.size());
    EXPECT_EQ(got, wanted) << length;
  };
  expectLength(10, 200);
  expectLength(150, 150);
  expectLength(151, 151);
  expectLength(64, 200);
}

TEST(RopeTableTest, Default) {
  RopeTable table = makeTable("default");
  expectFrequencies(table, 0,
                    {1, 0.562341332, 0.0562341288, 0.00999999978, 0.00177827943,
                     0.00017782794});
  expectPair(table, 0, 33, 5, -0.2810902, 0.959681332);
  expectPair(table, 0, 99999, 0, -0.509875357, 0.860248268);
  expectPair(table, 0, 99999, 15, 0.482805997, -0.875727355);
}

TEST(RopeTableTest, Linear) {
  RopeTable table = makeTable("linear", 10000, 4);
  expectFrequencies(table, 0,
                    {0.25, 0.140585333, 0.0140585322, 0.00249999994,
                     0.000444569858, 4.44569851e-05});
  expectPair(table, 0, 1000, 5, 0.0785541683, 0.996909857);
}

TEST(RopeTableTest, DynamicGrowsTheBase) {
  RopeTable table = makeTable("dynamic", 10000, 2);
  expectFrequencies(table, 40,
                    {1, 0.562341332, 0.0562341288, 0.00999999978, 0.00177827943,
                     0.00017782794});
  expectFrequencies(table, 100000,
                    {1, 0.328866243, 0.00384677108, 0.000136821429,
                     4.86644558e-06, 5.69231524e-08});
  expectPair(table, 100000, 99999, 5, 0.171007141, 0.985269785);
  EXPECT_EQ(getRopeRegime(table, 64), 0);
  EXPECT_EQ(getRopeRegime(table, 65), 65);
}

TEST(RopeTableTest, Llama3) {
  RopeTable table = makeTable("llama3", 500000, 8);
  table.lowFreqFactor = 1;
  table.highFreqFactor = 4;
  table.originalMaxPositions = 8192;
  expectFrequencies(table, 0,
                    {1, 0.440366626, 0.0165604409, 0.000524846022,
                     1.50962178e-05, 5.6770881e-07});
  expectPair(table, 0, 99999, 5, -0.917813241, -0.397012442);
}

TEST(RopeTableTest, Yarn) {
  RopeTable table = makeTable("yarn", 1000000, 4);
  table.originalMaxPositions = 4096;
  expectFrequencies(table, 0,
                    {1, 0.421696514, 0.00933465082, 0.000250000012,
                     1.87473561e-05, 5.92843435e-07});
  EXPECT_NEAR(getAttentionFactor(table), 1.138629436111989, 1e-12);
  expectPair(table, 0, 1000, 5, -1.13400805, 0.102482349);
}

TEST(RopeTableTest, YarnWithMscaleAndWithoutTruncation) {
  RopeTable table = makeTable("yarn", 10000, 40);
  table.originalMaxPositions = 4096;
  table.mscale = 1;
  table.mscaleAllDim = 0.7;
  table.truncate = false;
  expectFrequencies(table, 0,
                    {1, 0.562341332, 0.0562341288, 0.00552406255,
                     0.000118387645, 4.44569832e-06});
  EXPECT_NEAR(getAttentionFactor(table), 1.0879546075066122, 1e-12);
  table.attentionFactor = 1.5;
  EXPECT_EQ(getAttentionFactor(table), 1.5);
}

TEST(RopeTableTest, LongRopeHasTwoTables) {
  RopeTable table = makeLongRope();
  expectFrequencies(table, 64,
                    {1, 0.545300663, 0.0486349203, 0.00800000038, 0.00132337085,
                     0.00012107435});
  expectFrequencies(table, 65,
                    {1, 0.44987303, 0.0249929465, 0.00333333341, 0.000474207889,
                     3.74374613e-05});
  EXPECT_NEAR(getAttentionFactor(table), 1.3540064007726602, 1e-12);
  expectPair(table, 100000, 99999, 5, 0.179310098, -1.34208095);
  EXPECT_EQ(getRopeRegime(table, 64), getRopeRegime(table, 1));
  EXPECT_NE(getRopeRegime(table, 64), getRopeRegime(table, 65));
}

TEST(RopeTableTest, Errors) {
  auto fails = [](auto change, std::initializer_list<const char *> parts) {
    RopeTable table = makeLongRope();
    change(table);
    expectError([&] { checkRopeTable(table, "weight 'cos_sin'"); }, parts);
  };
  EXPECT_NO_THROW(checkRopeTable(makeLongRope(), "weight"));
  fails([](RopeTable &t) { t.type = "spiral"; }, {"'spiral'", "cos_sin"});
  fails([](RopeTable &t) { t.rotaryDim = 33; }, {"even", "33"});
  fails([](RopeTable &t) { t.theta = 0; }, {"theta"});
  fails([](RopeTable &t) { t.factor = 0; }, {"factor"});
  fails([](RopeTable &t) { t.longFactor.pop_back(); },
        {"16 numbers", "got 15"});
  fails([](RopeTable &t) { t.originalMaxPositions = 0; },
        {"original_max_positions"});
  fails([](RopeTable &t) { t.type = "llama3"; }, {"low_freq_factor"});
}
