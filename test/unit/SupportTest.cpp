//===- SupportTest.cpp - Errors, element types, expressions, signatures ---===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ExpectError.h"

#include "runtime/support/DType.h"
#include "runtime/support/Expr.h"
#include "runtime/support/Json.h"
#include "runtime/support/Signature.h"

#include <cmath>
#include <limits>
#include <random>

using namespace fk;

static int64_t eval(std::string_view text, const AxisValues &axes = {}) {
  return Expr::parse(text, "test").evaluate(axes);
}

static bool holds(std::string_view text, const AxisValues &axes = {}) {
  return Expr::parseCondition(text, "test").holds(axes);
}

//===----------------------------------------------------------------------===//
// Errors and element types
//===----------------------------------------------------------------------===//

TEST(ErrorText, LeavesEmptyPartsOut) {
  EXPECT_EQ(
      formatError(
          {.what = "w", .where = "f", .wanted = "a", .got = "b", .mend = "m"}),
      "w: f: wanted a, got b (m)");
  EXPECT_EQ(formatError({.what = "w", .got = "b"}), "w: got b");
  EXPECT_EQ(formatError({.what = "w", .wanted = "a"}), "w: wanted a");
}

TEST(ErrorText, StaysOnOneLineAndOffTheTerminal) {
  EXPECT_EQ(formatError({.what = "a\nb\x1b[31m"}), "a b\\x1b[31m");
}

TEST(ErrorText, KindIsTheExitCode) {
  EXPECT_EQ(Error({.what = "w"}).getExitCode(), 2);
  EXPECT_EQ(Error({.what = "w"}, ErrorKind::Infrastructure).getExitCode(), 3);
}

TEST(DTypes, NamesLeadBack) {
  for (int i = 0; i <= static_cast<int>(DType::Bool); ++i) {
    auto type = static_cast<DType>(i);
    EXPECT_EQ(parseDType(getName(type)), type);
    EXPECT_EQ(parseSafetensorsDType(getSafetensorsName(type)), type);
    EXPECT_EQ(parseTorchDType(getTorchName(type)), type);
  }
  EXPECT_EQ(parseDType("F32"), std::nullopt);
  EXPECT_EQ(parseTorchDType("bf16"), std::nullopt);
}

TEST(DTypes, UnitRoundoffIsHalfTheStepBehindOne) {
  EXPECT_EQ(getUnitRoundoff(DType::F32),
            double(std::nextafter(1.0f, 2.0f) - 1.0f) / 2);
  EXPECT_EQ(getUnitRoundoff(DType::F64), (std::nextafter(1.0, 2.0) - 1) / 2);
  EXPECT_EQ(getUnitRoundoff(DType::BF16), 1.0 / 256);
  EXPECT_EQ(getUnitRoundoff(DType::F16), 1.0 / 2048);
  EXPECT_EQ(getUnitRoundoff(DType::I32), 0);
}

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

TEST(Exprs, Precedence) {
  EXPECT_EQ(eval("1 + 2 * 3"), 7);
  EXPECT_EQ(eval("(1 + 2) * 3"), 9);
  EXPECT_EQ(eval("10 - 3 - 2"), 5);
  EXPECT_EQ(eval("24 / 4 / 2"), 3);
  EXPECT_EQ(eval("7 - -2"), 9);
  EXPECT_EQ(eval("-(2 + 3) * 2"), -10);
  EXPECT_EQ(eval("(tokens + 7) / 8", {{"tokens", 9}}), 2);
}

TEST(Exprs, DivisionRoundsDown) {
  for (int64_t a = -9; a <= 9; ++a)
    for (int64_t b : {-4, -3, -1, 1, 3, 4}) {
      AxisValues axes = {{"a", a}, {"b", b}};
      EXPECT_EQ(eval("a / b", axes), std::floor(double(a) / b))
          << a << "/" << b;
      EXPECT_EQ(eval("ceildiv(a, b)", axes), std::ceil(double(a) / b));
      EXPECT_EQ(eval("a % b", axes), a - b * eval("a / b", axes));
    }
}

TEST(Exprs, MinMax) { EXPECT_EQ(eval("min(3, max(a, 2))", {{"a", -1}}), 2); }

TEST(Exprs, Conditions) {
  AxisValues axes = {{"hidden", 4096}, {"tokens", 3}};
  EXPECT_TRUE(holds("hidden % 8 == 0 && hidden <= 16384", axes));
  EXPECT_FALSE(holds("hidden % 8 != 0 || tokens > 3", axes));
  EXPECT_TRUE(
      holds("(tokens < 4 || tokens >= 9) && (hidden + 1) > 4096", axes));
  // && binds tighter than ||.
  EXPECT_TRUE(holds("1 == 1 || 1 == 2 && 1 == 2"));
  EXPECT_TRUE(Expr().holds({}));
}

TEST(Exprs, ConditionsStopEarly) {
  EXPECT_FALSE(holds("a != 0 && 8 / a == 2", {{"a", 0}}));
  EXPECT_TRUE(holds("a == 0 || 8 / a == 2", {{"a", 0}}));
}

TEST(Exprs, TheWholeRangeOfIntegers) {
  EXPECT_EQ(eval("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(eval("-9223372036854775808"), std::numeric_limits<int64_t>::min());
}

TEST(Exprs, OverflowIsAnError) {
  const int64_t most = std::numeric_limits<int64_t>::max();
  const int64_t least = std::numeric_limits<int64_t>::min();
  for (auto [text, a, b] : {std::tuple("a + b", most, int64_t(1)),
                            {"a - b", least, 1},
                            {"a * b", most, 2},
                            {"a / b", least, -1},
                            {"ceildiv(a, b)", least, -1}})
    expectError([&] { eval(text, {{"a", a}, {"b", b}}); }, "overflow in");
  EXPECT_EQ(eval("a % b", {{"a", least}, {"b", -1}}), 0);
  for (auto text : {"a / b", "a % b", "ceildiv(a, b)"})
    expectError([&] { eval(text, {{"a", 7}, {"b", 0}}); },
                "wanted a divisor that is not 0, got a = 7, b = 0");
}

TEST(Exprs, UnknownAxis) {
  expectError([] { eval("rows * 2", {{"tokens", 1}, {"hidden", 2}}); },
              "unknown axis 'rows': wanted one of hidden, tokens");
}

TEST(Exprs, MalformedTextNamesTheColumn) {
  const std::pair<std::string, const char *> cases[] = {
      {"", "column 1: test: wanted an expression, got the end"},
      {"2 *", "column 4: test: wanted an integer, an axis or '('"},
      {"(a + b", "column 7: test: wanted ')', got the end"},
      {"a b", "column 3: test: wanted an operator or the end, got 'b'"},
      {"a + (b == c)", "column 5: test: wanted a value, not a condition"},
      {"a < b < c", "column 7: test: wanted an operator or the end"},
      {"a == 1", "column 1: test: wanted a value, not a condition"},
      {"sqrt(a)", "column 1: test: wanted ceildiv, min or max, got 'sqrt(a)'"},
      {"min(a)", "column 6: test: wanted ',', got ')'"},
      {"3x", "column 2: test: wanted an operator after the integer"},
      {"9223372036854775808", "column 1: test: wanted an integer of 64 bits"},
      {"a / 0", "column 5: test: wanted a divisor that is not 0"},
      {"a % (3 - 3)", "column 5: test: wanted a divisor that is not 0"},
      {"4 * 9223372036854775807", "wanted a result that fits in 64 bits"},
      {"a $ b", "column 3"},
      {"a & b", "column 3"},
      {std::string("a\0b", 3), "column 2"},
      {std::string(1000, '('), "wanted at most 64 nested parentheses"},
      {std::string(1000, '-') + "a", "wanted at most 64 nested parentheses"}};
  for (const auto &[text, fragment] : cases)
    expectError([&] { Expr::parse(text, "test"); }, fragment);
  std::string chain = "a";
  for (int i = 0; i < 600; ++i)
    chain += " * a";
  expectError([&] { Expr::parse(chain, "test"); },
              "wanted at most 512 operators");
  expectError([] { Expr::parseCondition("a + 1", "test"); },
              "column 1: test: wanted a condition");
  expectError([] { Expr::parseCondition("a == 1 && b", "test"); },
              "column 11: test: wanted a condition");
}

TEST(Exprs, CanonicalText) {
  const std::pair<const char *, const char *> cases[] = {
      {"2*x + 1 + 2", "x * 2 + 3"},
      {"a-(b-c)", "a - (b - c)"},
      {"a-b-c", "a - b - c"},
      {"a - 3*2", "a - 6"},
      {"-3/x", "-3 / x"},
      {"-x", "0 - x"},
      {"x*1 + 0", "x"},
      {"2 * x * 4", "x * 8"},
      {"8 % x * 2", "8 % x * 2"},
      {"8 % (x * 2)", "8 % (x * 2)"},
      {"(a + b) * 2 - -4", "(a + b) * 2 + 4"},
      {"ceildiv( tokens,256 )", "ceildiv(tokens, 256)"},
      {"x - 9223372036854775807 - 1", "x + -9223372036854775808"}};
  for (auto [text, wanted] : cases) {
    EXPECT_EQ(Expr::parse(text, "test").str(), wanted);
    EXPECT_EQ(Expr::parse(wanted, "test").str(), wanted);
  }
  EXPECT_EQ(Expr::parseCondition("((a==1||b==2)&&1==1)", "test").str(),
            "(a == 1 || b == 2) && 1 == 1");
}

/// A random value of the grammar, with parentheses wherever they may stand.
static std::string makeText(std::mt19937 &random, int depth) {
  static const char *atoms[] = {"a", "b", "c", "0", "1", "2", "7", "-3"};
  if (depth == 0 || random() % 4 == 0)
    return atoms[random() % 8];
  std::string lhs = makeText(random, depth - 1);
  std::string rhs = makeText(random, depth - 1);
  static const char *operators[] = {" + ", " - ", " * ", " / ", " % "};
  static const char *functions[] = {"min", "max", "ceildiv"};
  if (random() % 4 == 0)
    return std::string(functions[random() % 3]) + "(" + lhs + ", " + rhs + ")";
  std::string text = lhs + operators[random() % 5] + rhs;
  return random() % 2 ? "(" + text + ")" : text;
}

TEST(Exprs, PrintedTextMeansTheSame) {
  std::mt19937 random(7);
  int compared = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = makeText(random, 4);
    Expr expr;
    try {
      expr = Expr::parse(text, "test");
    } catch (const Error &) {
      continue; // a constant divisor that is zero
    }
    Expr again = Expr::parse(expr.str(), "test");
    EXPECT_EQ(again.str(), expr.str()) << text;
    for (int64_t a : {-5, 3})
      for (int64_t b : {-2, 9}) {
        AxisValues axes = {{"a", a}, {"b", b}, {"c", 4}};
        auto value = [&](const Expr &of) {
          try {
            return std::to_string(of.evaluate(axes));
          } catch (const Error &) {
            return std::string("error");
          }
        };
        EXPECT_EQ(value(again), value(expr)) << text;
        ++compared;
      }
  }
  EXPECT_GT(compared, 4000);
}

TEST(Exprs, AxesAndSubstitution) {
  Expr expr = Expr::parse("tokens * hidden + min(tokens, rows)", "test");
  EXPECT_EQ(expr.getAxes(),
            (std::vector<std::string>{"hidden", "rows", "tokens"}));
  Expr replaced = expr.substitute([](std::string_view axis) {
    return axis == "hidden"   ? Expr(64)
           : axis == "tokens" ? Expr::parse("seqs + 1", "test")
                              : Expr();
  });
  EXPECT_EQ(replaced.str(), "(seqs + 1) * 64 + min(seqs + 1, rows)");
}

TEST(Exprs, SubstitutionThatDividesByZeroIsReportedLater) {
  Expr expr = Expr::parse("8 / a", "test").substitute([](std::string_view) {
    return Expr(0);
  });
  expectError([&] { expr.evaluate({}); }, "division by zero in '8 / 0'");
}

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

TEST(Signatures, PrototypesOfTheDesign) {
  EXPECT_EQ(Signature::parse("rms_norm(result: T[tokens, hidden]; input: "
                             "T[tokens, hidden], weight: T[hidden]; epsilon: "
                             "f32; tokens, hidden; weight_offset: f32 = 0)")
                .getPrototype(),
            "rms_norm (T *result, const T *input, const T *weight, float "
            "epsilon, int32_t tokens, int32_t hidden)");
  EXPECT_EQ(
      Signature::parse("rope(query_out: T[tokens, q_heads, head_dim], key_out: "
                       "T[tokens, kv_heads, head_dim]; query: T[tokens, "
                       "q_heads, head_dim], key: T[tokens, kv_heads, "
                       "head_dim], positions: i32[tokens], cos_sin: f32[_, _]; "
                       "; tokens, q_heads, kv_heads, head_dim; rotary_dim: i32 "
                       "= head_dim)")
          .getPrototype(),
      "rope (T *query_out, T *key_out, const T *query, const T *key, const "
      "int32_t *positions, const float *cos_sin, int32_t tokens, int32_t "
      "q_heads, int32_t kv_heads, int32_t head_dim)");
  Signature linear = Signature::parse(
      "linear(\n        result: T[tokens, out_features]; input: T[tokens, "
      "in_features], weight: T[out_features, in_features], bias?: "
      "T[out_features]; ; tokens, out_features, in_features)");
  EXPECT_EQ(linear.getPrototype(),
            "linear (T *result, const T *input, const T *weight, int32_t "
            "tokens, int32_t out_features, int32_t in_features)");
  EXPECT_NE(linear.getPrototype(true).find("const T *weight, const T *bias, "),
            std::string::npos);
}

TEST(Signatures, EmptySectionsAndStates) {
  Signature signature = Signature::parse(
      "kv_cache_write(; cache: state T[2, pages, page_size], seed: i64[_]; "
      "; pages, page_size)");
  EXPECT_TRUE(signature.results.empty());
  EXPECT_TRUE(signature.operands[0].state);
  EXPECT_FALSE(signature.operands[1].shape[0]);
  EXPECT_EQ(signature.getPrototype(),
            "kv_cache_write (T *cache, const int64_t *seed, int32_t pages, "
            "int32_t page_size)");
  EXPECT_TRUE(Signature::parse("nothing()").operands.empty());
  EXPECT_TRUE(Signature::parse("scalar(result: T[])").results[0].shape.empty());
}

TEST(Signatures, Variants) {
  Signature signature = Signature::parse(
      "t(r: T[n]; ; ; n; rotary_dim: i32 = n, offset: f32 = -1.5)");
  ASSERT_EQ(signature.variants.size(), 2u);
  EXPECT_EQ(signature.variants[0].defaultValue, "n");
  EXPECT_EQ(signature.variants[1].defaultValue, "-1.5");
}

TEST(Signatures, MalformedText) {
  const std::pair<const char *, const char *> cases[] = {
      {"", "column 1: wanted the task's name"},
      {"t", "column 2: wanted '('"},
      {"t(r T[n])", "column 5: wanted ':', got 'T[n])'"},
      {"t(r: q[n])", "column 6: wanted T or an element type"},
      {"t(r: T[n +]; ; ; n)", "is malformed at column 11: signature of t"},
      {"t(r: T[n)", "wanted"},
      {"t(r: T[n])", "speaks of 'n', which is no axis"},
      {"t(r: T[n]; r: T[n]; ; n)",
       "column 12: wanted a name that is not taken"},
      {"t(r: T[n]; ; r: f32; n)", "wanted a name that is not taken"},
      {"t(; ; e: bf16)", "column 10: wanted f32, i32 or i64"},
      {"t(; ; ; n; v: i32)", "wanted '='"},
      {"t(; ; ; n; v: i32 = m)", "wanted a number or an axis, got 'm)'"},
      {"t(; workspace: T[])", "wanted a name other than 'workspace'"},
      {"t(; ; ; n; ; n)", "wanted ')', got '; n)'"},
      {"t(r: T[], )", "wanted a tensor's name"},
      {"t() x", "wanted the end, got 'x'"}};
  for (auto [text, fragment] : cases)
    expectError([&] { Signature::parse(text); }, fragment);
}

TEST(Signatures, SolvesThroughSums) {
  Signature signature = Signature::parse(
      "t(q: T[tokens, q_features]; w: T[q_features + 2 * kv, in], c: i32[seqs "
      "+ 1], bias?: T[in]; ; tokens, q_features, kv, in, seqs)");
  AxisValues wanted = {
      {"tokens", 5}, {"q_features", 8}, {"kv", 4}, {"in", 3}, {"seqs", 3}};
  EXPECT_EQ(signature.solve({{{5, 8}}, {{16, 3}}, {{4}}, std::nullopt}),
            wanted);
  EXPECT_EQ(signature.solve({{{5, 8}}, {{16, 3}}, {{4}}, {{3}}}), wanted);
  expectError([&] { signature.solve({{{5, 8}}, {{17, 3}}, {{4}}, {}}); },
              "extent 0 of 'w' of t does not fit: wanted q_features + kv * 2, "
              "got 17 in [17, 3]");
  expectError([&] { signature.solve({{{5, 8}}, {{16, 3}}, {{4}}, {{9}}}); },
              "extent 0 of 'bias' of t does not fit: wanted in = 3, got 9");
  expectError([&] { signature.solve({{{5, 8}}, {{16, 3}}, {{0}}, {}}); },
              "axis 'seqs' of t is negative: wanted at least 0, got -1");
}

TEST(Signatures, ShapesThatDoNotFit) {
  Signature signature = Signature::parse(
      "rms_norm(result: T[tokens, hidden]; input: T[tokens, hidden], weight: "
      "T[hidden]; epsilon: f32; tokens, hidden)");
  EXPECT_EQ(signature.solve({{{0, 8}}, {{0, 8}}, {{8}}}),
            (AxisValues{{"tokens", 0}, {"hidden", 8}}));
  expectError([&] { signature.solve({{{2, 8}}, {{2, 8}}, {{4}}}); },
              "extent 0 of 'weight' of rms_norm does not fit: wanted hidden = "
              "8, got 4 in [4]");
  expectError([&] { signature.solve({{{2, 8}}, {{2, 8, 1}}, {{8}}}); },
              "'input' of rms_norm has the wrong rank: wanted [tokens, "
              "hidden], got [2, 8, 1]");
  expectError([&] { signature.solve({{{2, 8}}, {}, {{8}}}); },
              "rms_norm lacks 'input'");
  expectError([&] { signature.solve({{{2, 8}}, {{2, 8}}}); },
              "wrong number of tensors: wanted 3, got 2");
  expectError([&] { signature.solve({{{-2, 8}}, {{-2, 8}}, {{8}}}); },
              "negative extent");
  Signature loose = Signature::parse("t(r: T[_]; ; ; n)");
  expectError([&] { loose.solve({{{2}}}); },
              "axis 'n' of t does not follow from the shapes");
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

TEST(Json, RefusesWhatIsAmbiguous) {
  EXPECT_EQ(parseJson("{\"a\": {\"b\": 1}, \"b\": 2}", "f")["a"]["b"], 1);
  expectError([] { parseJson("{\"a\": 1, \"a\": 2}", "f"); },
              "JSON key 'a' stands twice in one object: f");
  expectError([] { parseJson("{\"a\": 1,}", "f"); },
              "not valid JSON: f: got parse error at line 1, column 9");
  expectError([] { parseJson("[1] 2", "f"); }, "not valid JSON");
  expectError([] { parseJson("[1e999]", "f"); }, "not valid JSON");
  expectError([] { parseJson("[\"\xff\"]", "f"); }, "not valid JSON");
  expectError([] { parseJson(std::string(100000, '['), "f"); },
              "nested too deeply: f: wanted at most 64 levels");
}
