//===- DialectTest.cpp - Symbolic extents, the task table, costs ----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/Cost.h"
#include "dialects/FK/FK.h"
#include "dialects/FK/SymbolicExpr.h"
#include "dialects/FK/TaskTable.h"
#include "runtime/support/Error.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace fk;

namespace {

std::string simplified(const char *text) {
  return simplify(Expr::parse(text, "the test")).str();
}

TEST(SymbolicExpr, IsOneTextPerPolynomial) {
  EXPECT_EQ(simplified("tokens + tokens"), simplified("2 * tokens"));
  EXPECT_EQ(simplified("(a + b) * (a - b)"), simplified("a * a - b * b"));
  EXPECT_EQ(simplified("b + a"), simplified("a + b"));
  EXPECT_EQ(simplified("seqs + 1 - 1"), "seqs");
  EXPECT_EQ(simplified("tokens - tokens"), "0");
  EXPECT_NE(simplified("a + 1"), simplified("a"));
}

TEST(SymbolicExpr, DividesOut) {
  EXPECT_EQ(simplified("(tokens * 32) / 32"), "tokens");
  EXPECT_EQ(simplified("(tokens * 64 + 31) / 32"), simplified("tokens * 2"));
  EXPECT_EQ(simplified("ceildiv(tokens * 64 + 1, 32)"),
            simplified("tokens * 2 + 1"));
  EXPECT_EQ(simplified("(tokens * 64) % 32"), "0");
  // `/` rounds down, below zero too.
  EXPECT_EQ(simplified("(tokens * 4 - 1) / 4"), simplified("tokens - 1"));
}

TEST(SymbolicExpr, KeepsWhatIsNoPolynomial) {
  EXPECT_EQ(simplified("tokens / 32 + tokens / 32"),
            simplified("2 * (tokens / 32)"));
  EXPECT_EQ(simplified("min(b, a)"), simplified("min(a, b)"));
  AxisValues axes = {{"tokens", 37}, {"a", 3}, {"b", 5}};
  for (const char *text :
       {"tokens / 4 * 4", "tokens % 8 + a * b - 7", "ceildiv(tokens, a + b)",
        "max(a, b) - min(a, b) * tokens", "0 - 3 * tokens", "(a - b) / 2"}) {
    Expr expr = Expr::parse(text, "the test");
    EXPECT_EQ(simplify(expr).evaluate(axes), expr.evaluate(axes)) << text;
  }
}

TEST(SymbolicExpr, LeavesOverflowAlone) {
  Expr expr = Expr::parse("(tokens * 9223372036854775807) * 4", "the test");
  EXPECT_EQ(simplify(expr).str(), expr.str());
}

TEST(SymbolicExpr, FindsLinearForms) {
  auto form = getLinearForm(Expr::parse("q + 2 * kv + 1", "the test"));
  ASSERT_TRUE(form);
  EXPECT_EQ(form->constant, 1);
  EXPECT_EQ(form->factors["q"], 1);
  EXPECT_EQ(form->factors["kv"], 2);
  EXPECT_FALSE(getLinearForm(Expr::parse("a * b", "the test")));
  EXPECT_FALSE(getLinearForm(Expr::parse("a / 2", "the test")));
}

/// A context with the dialects that functions of a model are made of.
class DialectTest : public testing::Test {
protected:
  DialectTest() {
    context.loadDialect<FKDialect, mlir::arith::ArithDialect,
                        mlir::func::FuncDialect, mlir::tensor::TensorDialect>();
  }

  /// The function @f of a module, which must parse.
  mlir::func::FuncOp parse(const std::string &text) {
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    return module ? module->lookupSymbol<mlir::func::FuncOp>("f") : nullptr;
  }

  /// "[tokens, 64]" of each operand of the return of @f.
  std::vector<std::string> getResultDims(const std::string &text) {
    mlir::func::FuncOp func = parse(text);
    if (!func)
      return {"does not parse"};
    mlir::FailureOr<SymbolicDims> dims = SymbolicDims::compute(func);
    if (failed(dims))
      return {"fails"};
    std::vector<std::string> results;
    for (mlir::Value value :
         func.getBody().front().getTerminator()->getOperands()) {
      std::string printed;
      for (const Expr &extent : dims->getDims(value))
        printed += (printed.empty() ? "[" : ", ") + extent.str();
      results.push_back(printed + "]");
    }
    return results;
  }

  /// The diagnostic of a function whose extents cannot be named.
  std::string getFailure(const std::string &text) {
    mlir::func::FuncOp func = parse(text);
    if (!func)
      return "does not parse";
    std::string message;
    mlir::ScopedDiagnosticHandler handler(&context,
                                          [&](mlir::Diagnostic &diagnostic) {
                                            message += diagnostic.str();
                                            return mlir::success();
                                          });
    return succeeded(SymbolicDims::compute(func)) ? "succeeds" : message;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

using Texts = std::vector<std::string>;

TEST_F(DialectTest, TasksNameTheirResults) {
  EXPECT_EQ(getResultDims(R"(
    func.func @f(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %w: tensor<128x64xbf16>) -> tensor<?x64xbf16> {
      %q, %k, %v = fk.qkv_linear %x, %w : (tensor<?x64xbf16>, tensor<128x64xbf16>) -> (tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>)
      return %q : tensor<?x64xbf16>
    })"),
            Texts({"[tokens, 64]"}));
}

TEST_F(DialectTest, SolvesAxesFromExpressions) {
  EXPECT_EQ(getResultDims(R"(
    func.func @f(%x: tensor<?x64xbf16> {fk.dims = ["rows"]}, %c: tensor<?xi32> {fk.dims = ["batch + 1"]}) -> tensor<?x64xbf16> {
      %y = fk.gather_last_tokens %x, %c : (tensor<?x64xbf16>, tensor<?xi32>) -> tensor<?x64xbf16>
      return %y : tensor<?x64xbf16>
    })"),
            Texts({"[batch, 64]"}));
}

TEST_F(DialectTest, FollowsReshapes) {
  EXPECT_EQ(getResultDims(R"(
    func.func @f(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}, %n: index) -> (tensor<?x4x16xbf16>, tensor<?x16xbf16>, tensor<?x64xbf16>) {
      %0 = tensor.expand_shape %x [[0], [1, 2]] output_shape [%n, 4, 16] : tensor<?x64xbf16> into tensor<?x4x16xbf16>
      %1 = tensor.collapse_shape %0 [[0, 1], [2]] : tensor<?x4x16xbf16> into tensor<?x16xbf16>
      %2 = tensor.expand_shape %1 [[0, 1], [2]] output_shape [%n, 4, 16] : tensor<?x16xbf16> into tensor<?x4x16xbf16>
      %3 = tensor.collapse_shape %2 [[0], [1, 2]] : tensor<?x4x16xbf16> into tensor<?x64xbf16>
      return %0, %1, %3 : tensor<?x4x16xbf16>, tensor<?x16xbf16>, tensor<?x64xbf16>
    })"),
            Texts({"[tokens, 4, 16]", "[tokens * 4, 16]", "[tokens, 64]"}));
}

TEST_F(DialectTest, FollowsConcatSliceAndCast) {
  EXPECT_EQ(getResultDims(R"(
    func.func @f(%x: tensor<?x64xbf16> {fk.dims = ["tokens"]}) -> (tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x?xbf16>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %n = tensor.dim %x, %c0 : tensor<?x64xbf16>
      %m = arith.subi %n, %c1 : index
      %0 = tensor.concat dim(0) %x, %x : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
      %1 = tensor.extract_slice %x[0, 32] [%m, 32] [1, 1] : tensor<?x64xbf16> to tensor<?x32xbf16>
      %2 = tensor.cast %x : tensor<?x64xbf16> to tensor<?x?xbf16>
      return %0, %1, %2 : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x?xbf16>
    })"),
            Texts({"[tokens * 2, 64]", "[tokens - 1, 32]", "[tokens, 64]"}));
}

TEST_F(DialectTest, NamesWeightsAndStates) {
  mlir::func::FuncOp func = parse(R"(
    fk.weight @t rope <"default", rotary_dim = 16, {theta = 1.0e4 : f64}> : tensor<?x16xf32>
    fk.state @kv : !fk.kv_cache<16 x 2 x 16 x bf16>
    func.func @f() {
      %t = fk.get_weight @t : tensor<?x16xf32>
      %s = fk.get_state @kv : !fk.kv_cache<16 x 2 x 16 x bf16>
      return
    })");
  ASSERT_TRUE(func);
  mlir::FailureOr<SymbolicDims> dims = SymbolicDims::compute(func);
  ASSERT_TRUE(succeeded(dims));
  func.walk([&](GetWeightOp op) {
    ASSERT_EQ(dims->getDims(op).size(), 2u);
    EXPECT_EQ(dims->getDims(op)[0].str(), "max_positions");
  });
  func.walk([&](GetStateOp op) {
    ASSERT_EQ(dims->getDims(op.getResult()).size(), 5u);
    EXPECT_EQ(dims->getDims(op.getResult())[1].str(), "pages");
  });
}

/// The callee's symbols become what the caller passes, with and without fk.dims
/// on its result.
TEST_F(DialectTest, FollowsCalls) {
  for (const char *result :
       {"tensor<?x32xbf16>", "(tensor<?x32xbf16> {fk.dims = [\"rows\"]})"})
    EXPECT_EQ(getResultDims(std::string(R"(
      func.func private @mlp(%x: tensor<?x64xbf16> {fk.dims = ["rows"]}) -> )") +
                            result + R"( {
        %0 = fk.silu_and_mul %x : (tensor<?x64xbf16>) -> tensor<?x32xbf16>
        return %0 : tensor<?x32xbf16>
      }
      func.func @f(%x: tensor<?x64xbf16> {fk.dims = ["tokens + 3"]}) -> tensor<?x32xbf16> {
        %0 = call @mlp(%x) : (tensor<?x64xbf16>) -> tensor<?x32xbf16>
        return %0 : tensor<?x32xbf16>
      })"),
              Texts({"[tokens + 3, 32]"}));
}

TEST_F(DialectTest, GivesAxesInOrder) {
  mlir::func::FuncOp func = parse(R"(
    func.func @f(%q: tensor<?x4x16xbf16> {fk.dims = ["tokens"]}, %k: tensor<?x2x16xbf16> {fk.dims = ["tokens"]},
                 %c: tensor<?xi32> {fk.dims = ["seqs + 1"]}) -> tensor<?x4x16xbf16> {
      %0 = fk.attention %q, %k, %k, %c {scale = 0.25 : f32} : (tensor<?x4x16xbf16>, tensor<?x2x16xbf16>, tensor<?x2x16xbf16>, tensor<?xi32>) -> tensor<?x4x16xbf16>
      return %0 : tensor<?x4x16xbf16>
    })");
  ASSERT_TRUE(func);
  mlir::FailureOr<SymbolicDims> dims = SymbolicDims::compute(func);
  ASSERT_TRUE(succeeded(dims));
  std::string text;
  func.walk([&](TaskOpInterface op) {
    auto axes = dims->getAxes(op);
    ASSERT_TRUE(succeeded(axes));
    for (auto &[name, value] : *axes)
      text += name + "=" + value.str() + " ";
  });
  EXPECT_EQ(text, "tokens=tokens seqs=seqs q_heads=4 kv_heads=2 head_dim=16 ");
}

TEST_F(DialectTest, FindsOperandsByName) {
  mlir::func::FuncOp func = parse(R"(
    func.func @f(%x: tensor<4x64xbf16>, %w: tensor<64xbf16>) -> tensor<4x64xbf16> {
      %0 = fk.layer_norm %x, %w {epsilon = 1.0e-5 : f32} : (tensor<4x64xbf16>, tensor<64xbf16>) -> tensor<4x64xbf16>
      return %0 : tensor<4x64xbf16>
    })");
  ASSERT_TRUE(func);
  func.walk([&](TaskOpInterface op) {
    EXPECT_EQ(getOperandByName(op, "weight"), func.getArgument(1));
    EXPECT_EQ(getOperandByName(op, "result"), op->getResult(0));
    EXPECT_FALSE(getOperandByName(op, "bias"));
    EXPECT_FALSE(getOperandByName(op, "nothing"));
  });
}

TEST_F(DialectTest, SaysWhichExtentHasNoName) {
  EXPECT_NE(
      getFailure("func.func @f(%x: tensor<?xi32>) { return }")
          .find("argument 0 of type 'tensor<?xi32>' must name its dynamic "
                "dimensions by fk.dims"),
      std::string::npos);
  EXPECT_NE(getFailure(R"(
    func.func @f(%n: index) -> tensor<?xi32> {
      %0 = tensor.empty(%n) : tensor<?xi32>
      return %0 : tensor<?xi32>
    })")
                .find("has a dynamic dimension that no symbol names"),
            std::string::npos);
}

TEST_F(DialectTest, RefusesTwoNamesForOneExtent) {
  EXPECT_NE(getFailure(R"(
    func.func @f(%x: tensor<?x4xf32> {fk.dims = ["a"]}, %y: tensor<?x4xf32> {fk.dims = ["b"]}) -> tensor<?x4xf32> {
      %0 = fk.add %x, %y : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
      return %0 : tensor<?x4xf32>
    })")
                .find("dimension 0 of rhs must be a (tokens), got b"),
            std::string::npos);
}

TEST_F(DialectTest, RefusesRecursion) {
  EXPECT_NE(getFailure(R"(
    func.func @f(%x: tensor<?xi32> {fk.dims = ["a"]}) -> tensor<?xi32> {
      %0 = call @f(%x) : (tensor<?xi32>) -> tensor<?xi32>
      return %0 : tensor<?xi32>
    })")
                .find("which calls itself"),
            std::string::npos);
}

/// The signature speaks of the op as ODS defines it.
TEST_F(DialectTest, SignaturesFitTheOps) {
  EXPECT_GE(getTaskDescriptions().size(), 24u);
  for (const TaskDescription &task : getTaskDescriptions()) {
    SCOPED_TRACE(task.name.str());
    auto name = mlir::RegisteredOperationName::lookup(("fk." + task.name).str(),
                                                      &context);
    ASSERT_TRUE(name);
    const Signature *signature = lookupSignature(task.name);
    ASSERT_NE(signature, nullptr);
    EXPECT_EQ(signature->task, task.name);
    std::vector<std::string> wanted, got;
    for (const auto *params : {&signature->scalars, &signature->variants})
      for (const ScalarParam &param : *params)
        wanted.push_back(param.name);
    for (mlir::StringAttr attribute : name->getAttributeNames())
      got.push_back(attribute.str());
    std::sort(wanted.begin(), wanted.end());
    std::sort(got.begin(), got.end());
    EXPECT_EQ(wanted, got);
    int optional = 0;
    for (const TensorParam &param : signature->operands)
      optional += param.optional;
    EXPECT_LE(optional, 1) << "the operand count tells which is absent";
  }
}

TEST_F(DialectTest, DescriptionsAreWhole) {
  for (const TaskDescription &task : getTaskDescriptions()) {
    SCOPED_TRACE(task.name.str());
    EXPECT_FALSE(task.summary.empty());
    EXPECT_FALSE(task.formula.empty());
    EXPECT_TRUE(task.description.contains("- (C1)"));
    EXPECT_TRUE(task.description.contains("Libraries: "));
    EXPECT_EQ(task.level == "L2", !task.decomposition.empty());
    llvm::SmallVector<llvm::StringRef> parts;
    task.decomposition.split(parts, ',', -1, /*KeepEmpty=*/false);
    for (llvm::StringRef part : parts)
      EXPECT_NE(lookupTask(part), nullptr) << part.str();
  }
  EXPECT_EQ(lookupTask("no_such_task"), nullptr);
  EXPECT_EQ(lookupSignature("no_such_task"), nullptr);
}

/// Every cost can be had from the signature's axes alone.
TEST(Cost, FollowsFromTheAxes) {
  for (const TaskDescription &task : getTaskDescriptions()) {
    SCOPED_TRACE(task.name.str());
    AxisValues axes;
    for (const std::string &axis : lookupSignature(task.name)->axes)
      axes[axis] = 4;
    TaskCost cost = getTaskCost(task.name, axes, DType::BF16);
    EXPECT_GT(cost.bytes, 0);
    EXPECT_GE(cost.flops, 0);
  }
}

TEST(Cost, CountsEveryTensorOnce) {
  AxisValues axes = {{"tokens", 3}, {"hidden", 64}};
  TaskCost cost = getTaskCost("rms_norm", axes, DType::BF16);
  EXPECT_EQ(cost.bytes, 2 * (3 * 64 + 3 * 64 + 64));
  EXPECT_EQ(cost.flops, 4 * 3 * 64);
  // An absent bias is not read.
  EXPECT_EQ(getTaskCost("layer_norm", axes, DType::F32).bytes -
                getTaskCost("layer_norm", axes, DType::F32, {"bias"}).bytes,
            4 * 64);
}

TEST(Cost, CountsOnlyWhatIsTouched) {
  AxisValues axes = {{"tokens", 3}, {"hidden", 64}, {"vocab", 100000}};
  EXPECT_EQ(getTaskCost("embedding", axes, DType::BF16).bytes,
            2 * (3 * 64 + 3 * 64) + 4 * 3);
}

TEST(Cost, RefusesUnknownTasks) {
  EXPECT_THROW(getTaskCost("no_such_task", {}, DType::F32), Error);
  EXPECT_THROW(getTaskCost("rms_norm", {{"tokens", 3}}, DType::F32), Error);
}

} // namespace
