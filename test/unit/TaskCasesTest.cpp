//===- TaskCasesTest.cpp - Shapes and values kernels are tried at ---------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/TaskCases.h"
#include "ExpectError.h"
#include "dialects/FK/TaskTable.h"
#include "runtime/reference/Budget.h"
#include "runtime/reference/Reference.h"
#include "runtime/reference/WorkPool.h"

#include <gtest/gtest.h>

using namespace fk;
using namespace fk::bench;

namespace {

Signature getSignature(llvm::StringRef task) {
  return Signature::parse(lookupTask(task)->signature.str());
}

std::vector<std::string> getOptional(const Signature &signature) {
  std::vector<std::string> names;
  for (const TensorParam &operand : signature.operands)
    if (operand.optional)
      names.push_back(operand.name);
  return names;
}

/// The reference in float, rounded once, is a right kernel: where it is not
/// within the budget, a class asks for what no kernel can give.
void expectFair(const Signature &signature, const TaskShape &shape,
                const TaskCaseOptions &options, WorkPool &pool) {
  reference::LaunchCase made = makeTaskCase(signature, shape.axes, options);
  checkTensors(made.launch);
  checkIndices(made.launch);
  const std::vector<Expected> expected = computeExpected(made.launch);
  runReference(made.launch, pool);
  for (const CheckReport &check : checkResults(expected, made.launch)) {
    std::string axes;
    for (const auto &[name, value] : shape.axes)
      axes += name + "=" + std::to_string(value) + " ";
    // It sums one by one, which lies a little further off than a tree.
    EXPECT_LE(check.fraction, 1.1)
        << signature.task << " " << axes << getName(options.dtype) << " "
        << getName(options.values) << " " << options.variation << ": "
        << check.str();
  }
}

TEST(TaskCases, EveryClassIsFairToTheFloatReference) {
  WorkPool pool;
  for (const TaskDescription &task : getTaskDescriptions()) {
    const Signature signature = Signature::parse(task.signature.str());
    const std::vector<TaskShape> shapes =
        getTaskShapes(signature, /*isHost=*/true, {});
    EXPECT_GE(shapes.size(), 10u) << task.name.str();
    for (size_t i = 0; i < shapes.size(); ++i)
      for (ValueClass values : getValueClasses(signature.task)) {
        const DType types[] = {DType::BF16, DType::F16, DType::F32};
        TaskCaseOptions options;
        options.dtype = types[i % 3];
        options.values = values;
        options.variation = int(i % 2);
        options.seed = unsigned(i + 1);
        if (i % 4 < 2)
          options.presentOperands = getOptional(signature);
        expectFair(signature, shapes[i], options, pool);
      }
  }
}

TEST(TaskCases, ShapesFollowTheChoices) {
  const Signature norm = getSignature("rms_norm");
  const AxisChoices choices = parseAxisChoices({"tokens=1,33;hidden=48"}, norm);
  std::vector<std::pair<int64_t, int64_t>> got;
  for (const TaskShape &shape : getTaskShapes(norm, true, choices))
    got.emplace_back(shape.axes.at("tokens"), shape.axes.at("hidden"));
  EXPECT_EQ(got, (std::vector<std::pair<int64_t, int64_t>>{{1, 48}, {33, 48}}));
}

TEST(TaskCases, ChoicesAreChecked) {
  const Signature norm = getSignature("rms_norm");
  const Signature paged = getSignature("paged_attention");
  expectError([&] { parseAxisChoices({"tokens"}, norm); },
              "this names no values of axes: --shapes");
  expectError([&] { parseAxisChoices({"tokens="}, norm); },
              "this names no values of axes");
  expectError([&] { parseAxisChoices({"tokens=0"}, norm); },
              "this names no values of axes");
  expectError([&] { parseAxisChoices({"tokens=1,x"}, norm); },
              "this names no values of axes");
  expectError([&] { parseAxisChoices({"width=1"}, norm); },
              "the task has no such axis: --shapes: wanted one of tokens, "
              "hidden, got 'width'");
  expectError([&] { parseAxisChoices({"pages=4"}, paged); },
              "axis 'pages' follows from the sequences");
  expectError(
      [&] {
        getTaskShapes(paged, true,
                      parseAxisChoices({"tokens=2;seqs=3"}, paged));
      },
      "there are more sequences than rows");
}

TEST(TaskCases, ASeedGivesTheSameBytes) {
  const Signature norm = getSignature("rms_norm");
  TaskCaseOptions options;
  const AxisValues axes = {{"tokens", 3}, {"hidden", 64}};
  auto read = [&] {
    reference::LaunchCase made = makeTaskCase(norm, axes, options);
    const TensorRef &input = made.launch.operand("input");
    auto *bytes = static_cast<const char *>(input.data);
    return std::string(bytes, size_t(input.getSizeInBytes()));
  };
  const std::string first = read();
  EXPECT_EQ(first, read());
  options.seed = 2;
  EXPECT_NE(first, read());
}

} // namespace
