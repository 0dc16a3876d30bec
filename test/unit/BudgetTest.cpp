//===- BudgetTest.cpp - Every task proves its check -----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A budget is worth something if it lets right kernels pass and stops wrong
// ones: zeros, a constant, a copy of the input, the answer to another input,
// arithmetic of the next lower precision.
//
//===----------------------------------------------------------------------===//

#include "ReferenceCases.h"

#include "runtime/reference/AttentionReference.h"
#include "runtime/reference/Budget.h"
#include "runtime/reference/Reference.h"
#include "runtime/reference/WorkPool.h"
#include "runtime/support/Error.h"

#include <gtest/gtest.h>

using namespace fk;
using namespace fk::test;
using fk::reference::BF16;

namespace {

/// What a launch writes to.
std::vector<TensorRef> getOutputs(const BoundLaunch &launch) {
  std::vector<TensorRef> outputs;
  for (const auto &[name, tensor] : launch.results)
    outputs.push_back(tensor);
  if (launch.task == "kv_cache_write")
    outputs.push_back(launch.operand("cache"));
  return outputs;
}

std::vector<std::vector<double>> run(Case &c) {
  WorkPool pool(2);
  runReference(c.launch, pool);
  std::vector<std::vector<double>> values;
  for (const TensorRef &output : getOutputs(c.launch)) {
    values.emplace_back();
    for (int64_t i = 0; i < output.getNumElements(); ++i)
      values.back().push_back(read(output, i));
  }
  return values;
}

/// The parameter is the task; each test goes over element types and two seeds,
/// which differ in a variant of the task where it has one.
class Budget : public testing::TestWithParam<std::string> {
protected:
  template <typename Body>
  void forEachCase(const std::vector<DType> &types, const Body &body) {
    for (DType type : types)
      for (unsigned seed : {3u, 4u}) {
        SCOPED_TRACE(std::string(getName(type)) + ", seed " +
                     std::to_string(seed));
        body(type, seed);
      }
  }

  /// Puts `value(case, expected, result, i)` into every output; each must be
  /// found wrong.
  template <typename Value>
  void expectRejected(DType type, unsigned seed, const Value &value) {
    Case c = makeCase(GetParam(), type, seed);
    std::vector<Expected> expected = computeExpected(c.launch);
    std::vector<TensorRef> outputs = getOutputs(c.launch);
    for (size_t result = 0; result < outputs.size(); ++result)
      for (int64_t i = 0; i < outputs[result].getNumElements(); ++i)
        write(outputs[result], i, value(c, expected[result], result, i));
    for (const CheckReport &report : checkResults(expected, c.launch))
      EXPECT_FALSE(report.passed) << report.str();
  }

  const std::vector<DType> allTypes = {DType::F32, DType::BF16, DType::F16};
};

TEST_P(Budget, AdmitsTheReferenceInFloat) {
  forEachCase(allTypes, [&](DType type, unsigned seed) {
    Case c = makeCase(GetParam(), type, seed);
    std::vector<Expected> expected = computeExpected(c.launch);
    run(c);
    for (const CheckReport &report : checkResults(expected, c.launch))
      EXPECT_TRUE(report.passed) << report.str();
  });
}

TEST_P(Budget, RejectsZeros) {
  forEachCase(allTypes, [&](DType type, unsigned seed) {
    expectRejected(type, seed, [](Case &, const Expected &, size_t, int64_t) {
      return 0.0;
    });
  });
}

TEST_P(Budget, RejectsAConstant) {
  forEachCase(allTypes, [&](DType type, unsigned seed) {
    expectRejected(type, seed,
                   [](Case &, const Expected &expected, size_t, int64_t) {
                     double sum = 0;
                     for (double value : expected.values)
                       sum += value;
                     return sum / double(expected.values.size());
                   });
  });
}

TEST_P(Budget, RejectsNaN) {
  forEachCase(allTypes, [&](DType type, unsigned seed) {
    expectRejected(type, seed,
                   [](Case &, const Expected &expected, size_t, int64_t) {
                     return expected.dtype == DType::I32 ? -1 : NAN;
                   });
  });
}

TEST_P(Budget, RejectsACopyOfTheInput) {
  forEachCase(allTypes, [&](DType type, unsigned seed) {
    expectRejected(
        type, seed, [](Case &c, const Expected &, size_t, int64_t i) {
          for (const auto &[name, tensor] : c.launch.operands)
            if (tensor && tensor.dtype == c.launch.dtype && name != "cache")
              return read(tensor, i % tensor.getNumElements());
          return 0.0;
        });
  });
}

TEST_P(Budget, RejectsAStaleAnswer) {
  forEachCase(allTypes, [&](DType type, unsigned seed) {
    Case before = makeCase(GetParam(), type, seed + 2);
    std::vector<std::vector<double>> stale = run(before);
    expectRejected(type, seed,
                   [&](Case &, const Expected &, size_t result, int64_t i) {
                     return stale[result][i];
                   });
  });
}

/// Operands of 11 significant bits, as tensor cores take f32 unless told not
/// to.
TEST_P(Budget, RejectsTheNextLowerPrecision) {
  forEachCase({DType::F32}, [&](DType type, unsigned seed) {
    Case lower = makeCase(GetParam(), type, seed);
    for (auto &[name, tensor] : lower.launch.operands)
      if (tensor && tensor.dtype == DType::F32 && name != "cos_sin" &&
          name != "temperature" && name != "top_p")
        for (int64_t i = 0; i < tensor.getNumElements(); ++i)
          write(tensor, i,
                reference::roundTo<reference::F16>(float(read(tensor, i))));
    std::vector<std::vector<double>> values = run(lower);
    expectRejected(type, seed,
                   [&](Case &, const Expected &, size_t result, int64_t i) {
                     return values[result][i];
                   });
  });
}

TEST_P(Budget, RejectsAResultOfFewerBits) {
  if (GetParam() == "sample")
    return; // its result is an index
  forEachCase({DType::F32, DType::F16}, [&](DType type, unsigned seed) {
    expectRejected(type, seed,
                   [](Case &, const Expected &expected, size_t, int64_t i) {
                     return reference::roundTo<BF16>(float(expected.values[i]));
                   });
  });
}

INSTANTIATE_TEST_SUITE_P(Tasks, Budget, testing::ValuesIn(getTasks()),
                         [](const auto &info) { return info.param; });

//===----------------------------------------------------------------------===//
// What production kernels round more
//===----------------------------------------------------------------------===//

double toBF16(double value) { return reference::roundTo<BF16>(float(value)); }

/// rms_norm of `x` with the normalised row rounded before the weight.
void normalizeRounded(const BoundLaunch &launch, const std::vector<double> &x) {
  int64_t hidden = launch.axis("hidden");
  for (int64_t t = 0; t < launch.axis("tokens"); ++t) {
    double squares = 0;
    for (int64_t h = 0; h < hidden; ++h)
      squares += x[t * hidden + h] * x[t * hidden + h];
    double rstd = 1 / std::sqrt(squares / double(hidden) + 1e-6);
    for (int64_t h = 0; h < hidden; ++h)
      write(launch.result("result"), t * hidden + h,
            toBF16(x[t * hidden + h] * rstd) *
                (1 + read(launch.operand("weight"), h)));
  }
}

TEST(BudgetAdmits, TheNormalisedRowRounded) {
  Case c = makeNorm("rms_norm", DType::BF16, 5);
  std::vector<double> x;
  for (int i = 0; i < 150; ++i)
    x.push_back(read(c.launch.operand("input"), i));
  normalizeRounded(c.launch, x);
  CheckReport report =
      checkResults(computeExpected(c.launch), c.launch).front();
  EXPECT_TRUE(report.passed) << report.str();
}

TEST(BudgetAdmits, TheSumRoundedBeforeTheNorm) {
  Case c = makeNorm("add_rms_norm", DType::BF16, 5);
  std::vector<double> x;
  for (int i = 0; i < 150; ++i) {
    x.push_back(toBF16(read(c.launch.operand("input"), i) +
                       read(c.launch.operand("residual"), i)));
    write(c.launch.result("residual_out"), i, x.back());
  }
  normalizeRounded(c.launch, x);
  for (const CheckReport &report :
       checkResults(computeExpected(c.launch), c.launch))
    EXPECT_TRUE(report.passed) << report.str();
}

TEST(BudgetAdmits, AttentionWeightsRounded) {
  Case c = makeAttention("attention", DType::BF16, 5);
  const BoundLaunch &l = c.launch;
  for (int64_t t = 0; t < 9; ++t)
    for (int64_t h = 0; h < 4; ++h) {
      int64_t first = t < 5 ? 0 : 5;
      std::vector<double> weights, sums(12);
      double total = std::exp(read(l.operand("sink"), h) - 10);
      for (int64_t s = std::max(first, t - 3); s <= t; ++s) {
        double dot = 0;
        for (int64_t d = 0; d < 12; ++d)
          dot += read(l.operand("query"), (t * 4 + h) * 12 + d) *
                 read(l.operand("key"), (s * 2 + h / 2) * 12 + d);
        double weight = std::exp(20 * std::tanh(double(0.3f) * dot / 20) - 10);
        total += weight;
        for (int64_t d = 0; d < 12; ++d)
          sums[d] += toBF16(weight) *
                     read(l.operand("value"), (s * 2 + h / 2) * 12 + d);
      }
      for (int64_t d = 0; d < 12; ++d)
        write(l.result("result"), (t * 4 + h) * 12 + d, sums[d] / total);
    }
  CheckReport report = checkResults(computeExpected(l), l).front();
  EXPECT_TRUE(report.passed) << report.str();
}

TEST(BudgetRejects, SumsKeptInStorage) {
  Case c = makeLinear("linear", DType::BF16, 5);
  const BoundLaunch &l = c.launch;
  for (int64_t t = 0; t < 5; ++t)
    for (int64_t o = 0; o < 32; ++o) {
      double sum = read(l.operand("bias"), o);
      for (int64_t i = 0; i < 100; ++i)
        sum = toBF16(sum + read(l.operand("input"), t * 100 + i) *
                               read(l.operand("weight"), o * 100 + i));
      write(l.result("result"), t * 32 + o, sum);
    }
  EXPECT_FALSE(checkResults(computeExpected(l), l).front().passed);
}

TEST(BudgetRejects, AMissingKey) {
  // One key fewer in the window, as an off-by-one makes it.
  for (const char *task : {"attention", "paged_attention"}) {
    Case right = makeAttention(task, DType::BF16, 5);
    Case wrong = makeAttention(task, DType::BF16, 5);
    for (LaunchScalar &scalar : wrong.launch.scalars)
      if (scalar.name == "window")
        scalar.value = 3;
    run(wrong);
    std::vector<Expected> expected = computeExpected(right.launch);
    EXPECT_FALSE(
        checkResult(expected[0], wrong.launch.result("result")).passed);
  }
}

TEST(BudgetRejects, OneWrongElement) {
  Case c = makeLinear("linear", DType::F32, 5);
  std::vector<Expected> expected = computeExpected(c.launch);
  run(c);
  double value = read(c.launch.result("result"), 77);
  write(c.launch.result("result"), 77, value + 1e-3);
  CheckReport report = checkResults(expected, c.launch).front();
  EXPECT_EQ(report.wrong, 1);
  EXPECT_EQ(report.worst, 77);
  EXPECT_NEAR(report.got, value + 1e-3, 1e-6);
  EXPECT_NE(report.str().find("result[77]"), std::string::npos);
}

TEST(BudgetAdmits, InfinityWhereStorageEnds) {
  Case c("mul", DType::F16);
  c.axis("tokens", 1).axis("features", 2).result("result", {1, 2});
  c.values("lhs", {1, 2}, {300, 300}).values("rhs", {1, 2}, {300, 2});
  std::vector<Expected> expected = computeExpected(c.launch);
  run(c);
  EXPECT_TRUE(checkResults(expected, c.launch)[0].passed);
  write(c.launch.result("result"), 1, INFINITY);
  EXPECT_FALSE(checkResults(expected, c.launch)[0].passed);
}

TEST(BudgetRejects, AnotherShape) {
  Case c = makeLinear("linear", DType::F32, 5);
  std::vector<Expected> expected = computeExpected(c.launch);
  TensorRef other = c.launch.result("result");
  other.shape = {5, 31};
  EXPECT_THROW(checkResult(expected[0], other), Error);
}

} // namespace
