//===- ReferenceTest.cpp - What the tasks mean, and the host's kernels ----===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Wanted values come from PyTorch in double precision where it has the
// operation.
//
//===----------------------------------------------------------------------===//

#include "ReferenceCases.h"

#include "runtime/Device.h"
#include "runtime/providers/Catalog.h"
#include "runtime/reference/Reference.h"
#include "runtime/reference/Scalar.h"
#include "runtime/reference/WorkPool.h"
#include "runtime/support/Error.h"

#include <gtest/gtest.h>

using namespace fk;
using namespace fk::test;
using namespace fk::reference;

namespace {

void expectNear(const std::vector<double> &got,
                const std::vector<double> &wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], wanted[i], 2e-8) << "element " << i;
}

//===----------------------------------------------------------------------===//
// Storage types
//===----------------------------------------------------------------------===//

TEST(Scalar, EveryF16AndBF16SurvivesARoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    F16 half{uint16_t(bits)};
    BF16 brain{uint16_t(bits)};
    if (!std::isnan(widen(half)))
      ASSERT_EQ(roundToF16(widen(half)).bits, bits);
    if (!std::isnan(widen(brain)))
      ASSERT_EQ(roundToBF16(widen(brain)).bits, bits);
  }
}

TEST(Scalar, F16IsTheCompilersF16) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000000; ++i) {
    float value = fromBits(random());
    auto native = static_cast<_Float16>(value);
    uint16_t bits;
    memcpy(&bits, &native, 2);
    if (std::isnan(value))
      ASSERT_TRUE(std::isnan(widen(roundToF16(value))));
    else
      ASSERT_EQ(roundToF16(value).bits, bits) << value;
    ASSERT_TRUE(std::isnan(value) || widen(F16{bits}) == float(native));
  }
}

TEST(Scalar, BF16RoundsTiesToEven) {
  EXPECT_EQ(roundToBF16(fromBits(0x3f808000)).bits, 0x3f80);
  EXPECT_EQ(roundToBF16(fromBits(0x3f818000)).bits, 0x3f82);
  EXPECT_EQ(roundToBF16(fromBits(0x3f808001)).bits, 0x3f81);
  EXPECT_EQ(roundToBF16(fromBits(0x7f7fffff)).bits, 0x7f80);
  EXPECT_TRUE(std::isnan(widen(roundToBF16(fromBits(0x7f800001)))));
}

//===----------------------------------------------------------------------===//
// Values of each task
//===----------------------------------------------------------------------===//

const std::vector<double> row = {1, -2, 3, 0.5};
const std::vector<double> rowWeight = {0.5, 1, 2, -1};
/// What a float of 1e-5 is; the goldens were made with the double.
constexpr double smallEpsilon = 1e-5;

Case makeRow(const std::string &task) {
  Case c(task, DType::F32);
  bool rows = task == "softmax" || task == "l2_norm";
  bool norm = task.ends_with("norm") && !rows;
  c.axis(rows ? "rows" : "tokens", 1);
  c.axis(rows ? "columns" : norm ? "hidden" : "features", 4);
  c.result("result", {1, 4}).values("input", {1, 4}, row);
  return c;
}

TEST(Reference, Embedding) {
  Case c("embedding", DType::BF16);
  c.axis("tokens", 2).axis("hidden", 2).axis("vocab", 3);
  c.result("result", {2, 2}).integers("ids", {2, 0});
  c.values("table", {3, 2}, {1, 2, 3, 4, 5, 6}).scalar("scale", 1.001);
  // 1.001 in bf16 is 1.
  expectNear(computeReference(c.launch)[0], {5, 6, 1, 2});
}

TEST(Reference, Linear) {
  Case c("linear", DType::F32);
  c.axis("tokens", 2).axis("out_features", 2).axis("in_features", 3);
  c.result("result", {2, 2}).values("input", {2, 3}, {1, 2, 3, 4, 5, 6});
  c.values("weight", {2, 3}, {1, 0, -1, 2, 1, 0}).values("bias", {2}, {10, 20});
  expectNear(computeReference(c.launch)[0], {8, 24, 8, 33});
  c.launch.operands.back().second = TensorRef();
  expectNear(computeReference(c.launch)[0], {-2, 4, -2, 13});
}

TEST(Reference, QKVLinearSplitsTheRows) {
  Case c("qkv_linear", DType::F32);
  c.axis("tokens", 2).axis("q_features", 2).axis("kv_features", 1);
  c.axis("in_features", 1);
  c.result("query", {2, 2}).result("key", {2, 1}).result("value", {2, 1});
  c.values("input", {2, 1}, {1, 10}).values("weight", {4, 1}, {1, 2, 3, 4});
  std::vector<std::vector<double>> got = computeReference(c.launch);
  expectNear(got[0], {1, 2, 10, 20});
  expectNear(got[1], {3, 30});
  expectNear(got[2], {4, 40});
}

TEST(Reference, GateUpLinear) {
  Case c("gate_up_linear", DType::F32);
  c.axis("tokens", 1).axis("intermediate", 2).axis("in_features", 2);
  c.result("gate_up", {1, 4}).values("input", {1, 2}, {1, 2});
  c.values("weight", {4, 2}, {1, 1, 2, 0, 0, 2, -1, 1});
  expectNear(computeReference(c.launch)[0], {3, 2, 4, 1});
}

TEST(Reference, RMSNorm) {
  Case c = makeRow("rms_norm");
  c.values("weight", {4}, rowWeight).scalar("epsilon", smallEpsilon);
  c.scalar("weight_offset", 0);
  expectNear(computeReference(c.launch)[0],
             {0.2649061, -1.059624398, 3.178873195, -0.2649061});
  c.launch.scalars.back().value = 1;
  expectNear(computeReference(c.launch)[0],
             {0.794718299, -2.119248797, 4.768309793, 0});
}

TEST(Reference, LayerNorm) {
  Case c = makeRow("layer_norm");
  c.values("weight", {4}, rowWeight).values("bias", {4}, {0.5, 0.25, 0, -1});
  c.scalar("epsilon", smallEpsilon);
  expectNear(
      computeReference(c.launch)[0],
      {0.105279195 + 0.5, -1.47390873 + 0.25, 2.66707294, 0.07018613 - 1});
}

TEST(Reference, L2Norm) {
  Case c = makeRow("l2_norm");
  c.scalar("epsilon", 1e-12);
  expectNear(computeReference(c.launch)[0],
             {0.264906471, -0.529812943, 0.794719414, 0.132453236});
  c.launch.scalars.back().value = 8; // the norm is less than that
  expectNear(computeReference(c.launch)[0], {0.125, -0.25, 0.375, 0.0625});
}

TEST(Reference, AddRMSNorm) {
  Case c = makeRow("add_rms_norm");
  c.result("residual_out", {1, 4});
  c.values("residual", {1, 4}, {0.5, 0.5, -1, 1});
  c.values("weight", {4}, rowWeight);
  c.scalar("epsilon", smallEpsilon).scalar("weight_offset", 0);
  std::vector<std::vector<double>> got = computeReference(c.launch);
  expectNear(got[0], {0.45749486, -0.91498972, 2.439972586, -0.91498972});
  expectNear(got[1], {1.5, -1.5, 2, 1.5});
}

TEST(Reference, Pointwise) {
  expectNear(computeReference(makeRow("silu").launch)[0],
             {0.731058579, -0.238405844, 2.85772238, 0.311229666});
  expectNear(computeReference(makeRow("tanh").launch)[0],
             {0.761594156, -0.96402758, 0.995054754, 0.462117157});
  Case gelu = makeRow("gelu");
  gelu.scalar("approximate", 0, DType::I32);
  expectNear(computeReference(gelu.launch)[0],
             {0.841344746, -0.045500264, 2.995950306, 0.345731231});
  gelu.launch.scalars.back().value = 1;
  expectNear(computeReference(gelu.launch)[0],
             {0.841191991, -0.045402306, 2.996362608, 0.34571401});
}

TEST(Reference, AddAndMul) {
  for (bool add : {true, false}) {
    Case c(add ? "add" : "mul", DType::F32);
    c.axis("tokens", 1).axis("features", 2).result("result", {1, 2});
    c.values("lhs", {1, 2}, {1, -2}).values("rhs", {1, 2}, {3, 0.5});
    expectNear(computeReference(c.launch)[0],
               add ? std::vector<double>{4, -1.5} : std::vector<double>{3, -1});
  }
}

TEST(Reference, Softmax) {
  expectNear(computeReference(makeRow("softmax").launch)[0],
             {0.11055375, 0.005504147, 0.816887863, 0.067054239});
}

TEST(Reference, GatedActivations) {
  for (bool silu : {true, false}) {
    Case c(silu ? "silu_and_mul" : "gelu_and_mul", DType::F32);
    c.axis("tokens", 1).axis("intermediate", 2).result("result", {1, 2});
    c.values("gate_up", {1, 4}, row).scalar("approximate", 0, DType::I32);
    expectNear(computeReference(c.launch)[0],
               silu ? std::vector<double>{2.193175736, -0.119202922}
                    : std::vector<double>{2.524034238, -0.022750132});
  }
}

TEST(Reference, RopeTurnsPairsAndLeavesTheRest) {
  Case c("rope", DType::F32);
  c.axis("tokens", 1).axis("q_heads", 1).axis("kv_heads", 1);
  c.axis("head_dim", 5);
  c.result("query_out", {1, 1, 5}).result("key_out", {1, 1, 5});
  c.values("query", {1, 1, 5}, {1, 2, 3, 4, 5});
  c.values("key", {1, 1, 5}, {5, 4, 3, 2, 1}).integers("positions", {1});
  c.values("cos_sin", {2, 4}, DType::F32, {1, 1, 0, 0, 0, 0.5, 1, 0.25});
  c.scalar("rotary_dim", 4, DType::I32);
  std::vector<std::vector<double>> got = computeReference(c.launch);
  expectNear(got[0], {-3, 2 * 0.5 - 4 * 0.25, 1, 4 * 0.5 + 2 * 0.25, 5});
  expectNear(got[1], {-3, 4 * 0.5 - 2 * 0.25, 5, 2 * 0.5 + 4 * 0.25, 1});
}

TEST(Reference, QKNormRopeIsRopeOfTheNormedHeads) {
  Case c = makeRope("qk_norm_rope", DType::F32, 1);
  std::vector<std::vector<double>> got = computeReference(c.launch);
  for (int which = 0; which < 2; ++which) {
    // Each head is a row of rms_norm.
    Case norm("rms_norm", DType::F32);
    const BoundLaunch &l = c.launch;
    TensorRef x = l.operand(which ? "key" : "query");
    int64_t heads = which ? 2 : 4, rows = 3 * heads;
    x.shape = {rows, 16};
    norm.axis("tokens", rows).axis("hidden", 16).result("result", x.shape);
    norm.launch.operands = {
        {"input", x},
        {"weight", l.operand(which ? "key_weight" : "query_weight")}};
    norm.scalar("epsilon", 1e-6).scalar("weight_offset", 0);
    std::vector<double> normed = computeReference(norm.launch)[0];
    for (int64_t r = 0; r < rows; ++r) {
      auto position = int64_t(read(l.operand("positions"), r / heads));
      for (int64_t i = 0; i < 6; ++i) {
        double cosine = read(l.operand("cos_sin"), position * 12 + i);
        double sine = read(l.operand("cos_sin"), position * 12 + 6 + i);
        const double *head = normed.data() + r * 16;
        EXPECT_NEAR(got[which][r * 16 + i],
                    head[i] * cosine - head[i + 6] * sine, 1e-12);
        EXPECT_NEAR(got[which][r * 16 + 6 + i],
                    head[i + 6] * cosine + head[i] * sine, 1e-12);
      }
      EXPECT_EQ(got[which][r * 16 + 15], normed[r * 16 + 15]);
    }
  }
}

Case makeSmallAttention(int causal, int window, double softcap = 0) {
  Case c("attention", DType::F32);
  c.axis("tokens", 3).axis("seqs", 1).axis("q_heads", 2).axis("kv_heads", 1);
  c.axis("head_dim", 2).result("result", {3, 2, 2});
  c.values("query", {3, 2, 2}, {1, 0, 0, 1, .5, .5, -1, 1, 2, -1, 1, 1});
  c.values("key", {3, 1, 2}, {1, 1, 0, -1, 2, .5});
  c.values("value", {3, 1, 2}, {1, 2, 3, -1, -2, .5});
  c.integers("cu_seqlens", {0, 3}).scalar("scale", 0.5);
  c.scalar("causal", causal).scalar("window", window);
  c.scalar("softcap", softcap);
  return c;
}

TEST(Reference, AttentionSeesTheKeysItMay) {
  expectNear(computeReference(makeSmallAttention(1, 0).launch)[0],
             {1, 2, 1, 2, 1.641642602, 1.037536098, 1.755081338, 0.867377994,
              -0.542896125, 0.5, -0.358438208, 0.964791563});
  expectNear(computeReference(makeSmallAttention(0, 0).launch)[0],
             {-0.146793727, 0.681308244, 0.254363343, 0.941696359, 0.05787829,
              0.80375959, 0.901852608, 0.783902449, -0.542896125, 0.5,
              -0.358438208, 0.964791563});
  expectNear(computeReference(makeSmallAttention(1, 2).launch)[0],
             {1, 2, 1, 2, 1.641642602, 1.037536098, 1.755081338, 0.867377994,
              -0.886499306, 0.165949792, -1.25976401, 0.277929203});
  expectNear(computeReference(makeSmallAttention(0, 2).launch)[0],
             {1.755081338, 0.867377994, 1.537882843, 1.193175736, 0.05787829,
              0.80375959, 0.901852608, 0.783902449, -0.886499306, 0.165949792,
              -1.25976401, 0.277929203});
}

TEST(Reference, AttentionSinkAndSoftcap) {
  Case sink = makeSmallAttention(1, 0);
  sink.values("sink", {2}, {0.5, -1});
  expectNear(computeReference(sink.launch)[0],
             {0.5, 1, 0.817574476, 1.635148952, 0.977646157, 0.617883075,
              1.428068048, 0.705764896, -0.45924937, 0.422962469, -0.34008078,
              0.915379722});
  expectNear(computeReference(makeSmallAttention(1, 0, 1).launch)[0],
             {1, 2, 1, 2, 1.660508292, 1.009237561, 1.772967391, 0.840548913,
              0.21307709, 0.5, -0.125259846, 0.943996177});
}

TEST(Reference, PagedAttentionIsAttentionOverTheCachedRows) {
  Case paged = makeAttention("paged_attention", DType::F32, 1);
  std::vector<double> got = computeReference(paged.launch)[0];
  const TensorRef &cache = paged.launch.operand("cache");
  const TensorRef &blocks = paged.launch.operand("block_table");
  const TensorRef &query = paged.launch.operand("query");
  for (int seq = 0; seq < 2; ++seq) {
    // The same sequence dense; queries of rows not asked for are zeros.
    int64_t length = seq ? 6 : 9, queries = seq ? 4 : 5, first = seq ? 5 : 0;
    std::vector<double> q((length - queries) * 48, 0), k, v;
    for (int64_t i = 0; i < queries * 48; ++i)
      q.push_back(read(query, first * 48 + i));
    for (int64_t s = 0; s < length; ++s)
      for (int64_t i = 0; i < 24; ++i) {
        auto page = int64_t(read(blocks, seq * 3 + s / 4));
        k.push_back(read(cache, (page * 4 + s % 4) * 24 + i));
        v.push_back(read(cache, 576 + (page * 4 + s % 4) * 24 + i));
      }
    Case dense("attention", DType::F32);
    dense.axis("tokens", length).axis("seqs", 1);
    dense.axis("q_heads", 4).axis("kv_heads", 2).axis("head_dim", 12);
    dense.result("result", {length, 4, 12}).values("query", {length, 4, 12}, q);
    dense.values("key", {length, 2, 12}, k).values("value", {length, 2, 12}, v);
    dense.integers("cu_seqlens", {0, double(length)});
    dense.launch.operands.emplace_back("sink", paged.launch.operand("sink"));
    dense.launch.scalars = paged.launch.scalars;
    std::vector<double> wanted = computeReference(dense.launch)[0];
    for (int64_t i = 0; i < queries * 48; ++i)
      EXPECT_NEAR(got[first * 48 + i], wanted[(length - queries) * 48 + i],
                  1e-12);
  }
}

TEST(Reference, RowsOfNoSequenceAreZeros) {
  Case c = makeAttention("attention", DType::F32, 1);
  for (auto &[name, tensor] : c.launch.operands)
    if (name == "cu_seqlens")
      write(tensor, 2, 8);
  std::vector<double> got = computeReference(c.launch)[0];
  EXPECT_NE(got[8 * 48 - 1], 0);
  EXPECT_EQ(got[8 * 48], 0);
}

TEST(Reference, KVCacheWriteSkipsMinusOne) {
  Case c = makeCacheWrite(DType::BF16, 1);
  std::vector<double> got = computeReference(c.launch)[0];
  const TensorRef &cache = c.launch.operand("cache");
  for (int64_t i = 0; i < 384; ++i) {
    int64_t slot = i / 16 % 12, within = i % 16;
    const char *source = i < 192 ? "key" : "value";
    double wanted = slot == 9   ? read(c.launch.operand(source), within)
                    : slot == 2 ? read(c.launch.operand(source), 32 + within)
                                : read(cache, i);
    EXPECT_EQ(got[i], wanted) << i;
  }
}

TEST(Reference, GatherAndPool) {
  Case c("gather_last_tokens", DType::F32);
  c.axis("tokens", 3).axis("seqs", 2).axis("hidden", 2);
  c.result("result", {2, 2}).values("input", {3, 2}, {1, 2, 3, 4, 5, 7});
  c.integers("cu_seqlens", {0, 2, 3}).scalar("mean", 0, DType::I32);
  expectNear(computeReference(c.launch)[0], {3, 4, 5, 7});
  c.launch.task = "pool";
  expectNear(computeReference(c.launch)[0], {1, 2, 5, 7});
  c.launch.scalars.back().value = 1;
  expectNear(computeReference(c.launch)[0], {2, 3, 5, 7});
}

//===----------------------------------------------------------------------===//
// The provider
//===----------------------------------------------------------------------===//

TEST(ReferenceProvider, HasEveryTaskOfItsCatalog) {
  EXPECT_EQ(getReferenceCatalog().size(), getTasks().size());
  for (const KernelInfo &row : getReferenceCatalog()) {
    EXPECT_TRUE(hasReference(row.task)) << row.task;
    EXPECT_EQ(row.device, "host");
  }
  EXPECT_FALSE(hasReference("conv"));
}

TEST(ReferenceProvider, RunsABoundLaunch) {
  std::unique_ptr<Device> device = createHostDevice();
  std::unique_ptr<Stream> stream = device->createStream();
  std::unique_ptr<Provider> provider = createReferenceProvider(*device);
  Case c = makeLinear("linear", DType::F32, 1);
  std::unique_ptr<Kernel> kernel = provider->bind("reference", c.launch);
  EXPECT_EQ(kernel->getWorkspaceBytes(), 0);
  kernel->launch(*stream, nullptr);
  std::vector<double> wanted = computeReference(c.launch)[0];
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(read(c.launch.result("result"), i), wanted[i], 1e-5);
}

TEST(ReferenceProvider, ResultsDoNotDependOnTheThreads) {
  WorkPool one(1), four(4);
  for (const std::string &task : getTasks()) {
    Case first = makeCase(task, DType::F32, 3),
         second = makeCase(task, DType::F32, 3);
    runReference(first.launch, one);
    runReference(second.launch, four);
    for (size_t r = 0; r < first.launch.results.size(); ++r) {
      const TensorRef &a = first.launch.results[r].second;
      const TensorRef &b = second.launch.results[r].second;
      EXPECT_EQ(memcmp(a.data, b.data, a.getSizeInBytes()), 0) << task;
    }
  }
}

TEST(WorkPool, RunsEveryUnitOnceAndPassesExceptionsOn) {
  WorkPool pool(3);
  std::vector<int> seen(1000);
  for (int round = 0; round < 50; ++round)
    pool.run(1000, 7, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        ++seen[i];
    });
  EXPECT_EQ(seen, std::vector<int>(1000, 50));
  EXPECT_THROW(pool.run(100, 1,
                        [](int64_t begin, int64_t) {
                          if (begin == 50)
                            throw Error({.what = "no"});
                        }),
               Error);
}

std::string getMessage(const BoundLaunch &launch) {
  std::unique_ptr<Device> device = createHostDevice();
  std::unique_ptr<Stream> stream = device->createStream();
  std::unique_ptr<Provider> provider = createReferenceProvider(*device);
  try {
    provider->bind("reference", launch)->launch(*stream, nullptr);
  } catch (const Error &error) {
    return error.what();
  }
  return "";
}

void expectIndexError(Case c, const char *operand, size_t i, double value,
                      const char *message) {
  write(c.launch.operand(operand), i, value);
  std::string got = getMessage(c.launch);
  EXPECT_NE(got.find(message), std::string::npos) << "message: " << got;
}

TEST(ReferenceProvider, RefusesIndicesOutOfRange) {
  expectIndexError(makeRows("embedding", DType::F32, 1), "ids", 2, 40,
                   "ids[2] is out of range");
  expectIndexError(makeRows("embedding", DType::F32, 1), "ids", 0, -1,
                   "wanted 0 to 39");
  expectIndexError(makeRope("rope", DType::F32, 1), "positions", 1, 8,
                   "longer than the rotary table");
  expectIndexError(makeCacheWrite(DType::F32, 1), "slots", 0, 12,
                   "slots[0] is out of range");
  expectIndexError(makeCacheWrite(DType::F32, 1), "slots", 0, -2,
                   "wanted -1 to 11");
  expectIndexError(makeAttention("attention", DType::F32, 1), "cu_seqlens", 2,
                   10, "cu_seqlens ends behind the rows");
  expectIndexError(makeAttention("attention", DType::F32, 1), "cu_seqlens", 2,
                   4, "cu_seqlens[2] decreases");
  expectIndexError(makeAttention("attention", DType::F32, 1), "cu_seqlens", 0,
                   1, "cu_seqlens[0] is wrong");
  expectIndexError(makeAttention("paged_attention", DType::F32, 1), "seq_lens",
                   1, 13, "seq_lens[1] is out of range");
  expectIndexError(makeAttention("paged_attention", DType::F32, 1),
                   "block_table", 4, 6, "block_table[1, 1] is no page");
  expectIndexError(makeRows("pool", DType::F32, 1), "cu_seqlens", 1, 0,
                   "sequence 0 is empty");
}

TEST(ReferenceProvider, RefusesWhatItCannotBind) {
  Case wrongType = makeLinear("linear", DType::F32, 1);
  wrongType.launch.operands[1].second.dtype = DType::BF16;
  EXPECT_NE(getMessage(wrongType.launch).find("wanted f32, got bf16"),
            std::string::npos);
  Case missing = makeLinear("linear", DType::F32, 1);
  missing.launch.operands[1].second = TensorRef();
  EXPECT_NE(getMessage(missing.launch).find("operand 'weight'"),
            std::string::npos);
  Case unknown("conv", DType::F32);
  EXPECT_NE(getMessage(unknown.launch).find("no reference"), std::string::npos);
  Case integers("add", DType::I8);
  EXPECT_NE(getMessage(integers.launch).find("f32, bf16 or f16"),
            std::string::npos);
  std::unique_ptr<Device> device = createHostDevice();
  EXPECT_THROW(createReferenceProvider(*device)->bind("fast", missing.launch),
               Error);
}

} // namespace
