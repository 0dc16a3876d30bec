//===- EmulatedKernelsTest.cpp - fk's own kernels without a GPU -----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every kernel of runtime/kernels, as the PTX that the build made of it, at the
// shapes and values of `fk kernels`: right within the budget, and without a
// finding.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/TaskTable.h"
#include "fk/Bench/Kernels.h"
#include "runtime/providers/Cuda.h"
#include "runtime/support/Safetensors.h"

#include <gtest/gtest.h>

#include <filesystem>

using namespace fk;
using namespace fk::bench;

namespace {

struct Subject {
  const KernelInfo *info;
  DType dtype;
};

std::vector<Subject> getSubjects() {
  std::vector<Subject> subjects;
  for (const KernelInfo &info : getKernelCatalog())
    for (DType dtype : {DType::BF16, DType::F16, DType::F32})
      if (info.provider == "cuda" && cuda::findKernelRow(info.name, dtype) &&
          ("," + std::string(info.dtypes) + ",")
                  .find("," + std::string(getName(dtype)) + ",") !=
              std::string::npos)
        subjects.push_back({&info, dtype});
  return subjects;
}

Expr conjoin(const Expr &a, std::string_view b) {
  if (b.empty())
    return a;
  return Expr::parseCondition(
      a ? "(" + a.str() + ") && (" + std::string(b) + ")" : std::string(b),
      "test");
}

class EmulatedKernels : public ::testing::TestWithParam<Subject> {};

TEST_P(EmulatedKernels, AreRight) {
  const auto [info, dtype] = GetParam();
  const cuda::KernelRow &row = *cuda::findKernelRow(info->name, dtype);
  const std::filesystem::path ptx =
      std::filesystem::path(FK_KERNELS_DIR) / (std::string(row.unit) + ".ptx");
  if (!std::filesystem::exists(ptx))
    GTEST_SKIP() << "this build has no CUDA compiler";

  PlanCandidate candidate;
  candidate.name = info->name;
  candidate.task = info->task;
  candidate.file = ptx;
  candidate.dtypes = {dtype};
  candidate.variants = cuda::declareKernel(row);
  const std::string image = "candidate." + std::string(row.unit) + ".ptx";
  for (CandidateVariant &variant : candidate.variants) {
    variant.image = image;
    variant.where = conjoin(variant.where, info->where);
    for (DeclaredLaunch &launch : variant.launches)
      launch.entry += "_" + std::string(getName(dtype));
  }
  const std::string text = readTextFile(ptx);
  std::map<std::string, PlanImage> images;
  images[image].kind = "ptx";
  for (char c : text)
    images[image].bytes.push_back(std::byte(c));

  const Signature signature = Signature::parse(
      lookupTask(llvm::StringRef(info->task))->signature.str());
  std::unique_ptr<Device> device = createHostDevice();
  int right = 0;
  for (bool withOptional : {false, true}) {
    KernelsOptions options;
    options.dtype = dtype;
    for (const TensorParam &operand : signature.operands)
      if (operand.optional && withOptional)
        options.presentOperands.push_back(operand.name);
    if (withOptional && options.presentOperands.empty())
      break;
    const KernelsReport report = testKernel(
        *device, signature, candidate, images, options,
        [&](const KernelCase &one) {
          if (one.status != KernelCase::Status::Wrong)
            return;
          std::string what;
          for (const KernelCheck &check : one.checks)
            if (!check.report.passed)
              what += "\n  " + check.str();
          for (const auto *lines : {&one.problems, &one.lines})
            for (const std::string &line : *lines)
              what += "\n  " + line;
          for (const LaunchScalar &scalar : one.scalars)
            what += "\n  " + scalar.name + " = " + std::to_string(scalar.value);
          ADD_FAILURE() << one.describeAxes() << " " << getName(one.values)
                        << what;
        });
    EXPECT_EQ(report.stopped, "");
    right += report.right;
  }
  EXPECT_GE(right, 1) << "no shape is covered";
}

INSTANTIATE_TEST_SUITE_P(Catalog, EmulatedKernels,
                         ::testing::ValuesIn(getSubjects()),
                         [](const auto &test) {
                           return std::string(test.param.info->name) + "_" +
                                  std::string(getName(test.param.dtype));
                         });

} // namespace
