//===- CudaTest.cpp - The cuda provider's kernels as data -----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ReferenceCases.h"

#include "runtime/LaunchBinding.h"
#include "runtime/cuda/Launcher.h"
#include "runtime/kernels/Images.h"
#include "runtime/providers/Catalog.h"
#include "runtime/providers/Cuda.h"
#include "runtime/support/Error.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

using namespace fk;
using namespace fk::test;

namespace {

constexpr DType types[] = {DType::BF16, DType::F16, DType::F32};

bool hasType(std::string_view list, DType type) {
  return ("," + std::string(list) + ",")
             .find("," + std::string(getName(type)) + ",") != std::string::npos;
}

/// "64", "f32", "32": the parameters of an entry, as its PTX declares them.
std::vector<std::string> readParameters(const std::string &ptx,
                                        const std::string &entry) {
  size_t at = ptx.find(".entry " + entry + "(");
  EXPECT_NE(at, std::string::npos) << "no entry " << entry;
  if (at == std::string::npos)
    return {};
  std::stringstream text(ptx.substr(at, ptx.find(')', at) - at));
  std::vector<std::string> kinds;
  for (std::string word; text >> word;)
    if (word == ".param") {
      text >> word;
      kinds.push_back(word);
    }
  return kinds;
}

std::string readUnit(std::string_view unit) {
  std::ifstream file(std::string(FK_KERNELS_DIR) + "/" + std::string(unit) +
                     ".ptx");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What PTX calls a parameter for that argument.
std::string getKind(const BoundLaunch &launch, std::string arg) {
  if (arg.ends_with('?'))
    arg.pop_back();
  for (const auto &[name, value] : launch.axes)
    if (name == arg)
      return ".u32";
  for (const LaunchScalar &scalar : launch.scalars)
    if (scalar.name == arg)
      return scalar.type == DType::F32 ? ".f32" : ".u32";
  for (const auto *list : {&launch.results, &launch.operands})
    for (const auto &[name, tensor] : *list)
      if (name == arg)
        return ".u64";
  return arg == "workspace" ? ".u64" : "unknown argument " + arg;
}

TEST(CudaKernels, EveryCatalogRowIsDeclared) {
  for (const KernelInfo &info : getDeviceCatalog()) {
    if (info.provider != "cuda")
      continue;
    for (DType type : types)
      EXPECT_EQ(cuda::findKernelRow(info.name, type) != nullptr,
                hasType(info.dtypes, type))
          << info.name << " " << getName(type);
  }
}

TEST(CudaKernels, EveryDeclaredKernelIsInTheCatalog) {
  std::set<std::string_view> names;
  for (const KernelInfo &info : getDeviceCatalog())
    if (info.provider == "cuda")
      EXPECT_TRUE(names.insert(info.name).second) << info.name << " twice";
  for (const cuda::KernelRow &row : cuda::getKernelRows())
    EXPECT_TRUE(names.count(row.name)) << row.name;
}

TEST(CudaKernels, AreFoundBestFirst) {
  auto find = [](std::string_view task, DType type, std::string_view device) {
    std::string names;
    for (const KernelInfo *info : findKernels(task, type, device))
      names += std::string(info->name) + " ";
    return names;
  };
  EXPECT_EQ(find("linear", DType::BF16, "cuda"),
            "linear_gemv linear_skinny linear ");
  EXPECT_EQ(find("paged_attention", DType::F16, "cuda"),
            "paged_attention_decode paged_attention_mma ");
  EXPECT_EQ(find("paged_attention", DType::F32, "cuda"),
            "paged_attention_decode paged_attention_simt ");
  EXPECT_EQ(find("linear", DType::BF16, "host"), "reference ");
  EXPECT_EQ(find("linear", DType::I32, "cuda"), "");
  EXPECT_EQ(find("conv", DType::BF16, "cuda"), "");
}

TEST(CudaKernels, ConditionsSpeakOfTheTasksAxes) {
  for (const KernelInfo &info : getDeviceCatalog()) {
    if (info.where.empty())
      continue;
    Case made = makeCase(std::string(info.task), DType::BF16, 1);
    Expr where = Expr::parseCondition(info.where, info.name);
    EXPECT_NO_THROW(where.evaluate(made.launch.getAxisValues())) << info.name;
  }
}

void expectParameters(const std::string &ptx, const BoundLaunch &made,
                      const DeclaredLaunch &launch, DType type) {
  std::vector<std::string> wanted;
  for (const std::string &arg : launch.args)
    wanted.push_back(getKind(made, arg));
  std::string entry = launch.entry + "_" + std::string(getName(type));
  std::vector<std::string> got = readParameters(ptx, entry);
  for (std::string &kind : got)
    kind = kind == ".b64" ? ".u64" : kind == ".b32" ? ".u32" : kind;
  EXPECT_EQ(got, wanted) << entry;
}

/// Every entry has, in order, the parameters that its declared launch passes.
TEST(CudaKernels, ParametersMatchTheDeviceCode) {
  if (cuda::getKernelImages().empty())
    GTEST_SKIP() << "built without a CUDA compiler";
  std::map<std::string_view, std::string> units;
  for (const KernelInfo &info : getDeviceCatalog()) {
    if (info.provider != "cuda")
      continue;
    Case made = makeCase(std::string(info.task), DType::BF16, 1);
    for (DType type : types) {
      const cuda::KernelRow *row = cuda::findKernelRow(info.name, type);
      if (!row)
        continue;
      std::string &ptx = units[row->unit];
      if (ptx.empty())
        ptx = readUnit(row->unit);
      for (const CandidateVariant &variant : cuda::declareKernel(*row))
        for (const DeclaredLaunch &launch : variant.launches)
          expectParameters(ptx, made.launch, launch, type);
    }
  }
}

/// The one kernel of no task: what cublaslt launches for a bias at odd places.
TEST(CudaKernels, BroadcastRowsIsAnyRowsLaunch) {
  std::vector<CandidateVariant> variants =
      cuda::declareKernel(cuda::getBroadcastRow());
  ASSERT_EQ(variants.size(), 1u);
  EXPECT_FALSE(variants[0].where); // cublaslt takes the first
  ASSERT_EQ(variants[0].launches.size(), 1u);
  const DeclaredLaunch &launch = variants[0].launches[0];
  BoundLaunch made;
  made.results = {{"result", {}}};
  made.operands = {{"bias", {}}};
  made.axes = {{"tokens", 33}, {"features", 0}};
  for (int64_t features : {1, 9, 129, 514, 128257}) {
    made.axes[1].second = features;
    AxisValues axes = made.getAxisValues();
    EXPECT_EQ(launch.grid[0].evaluate(axes), 33);
    EXPECT_EQ(launch.grid[1].evaluate(axes), 1);
    int64_t threads = launch.block[0].evaluate(axes);
    EXPECT_TRUE(threads >= 32 && threads <= 1024 && threads % 32 == 0);
  }
  if (cuda::getKernelImages().empty())
    GTEST_SKIP() << "built without a CUDA compiler";
  std::string ptx = readUnit(cuda::getBroadcastRow().unit);
  for (DType type : types)
    expectParameters(ptx, made, launch, type);
}

/// Grids and workspaces are within limits over the axes that kernels serve.
TEST(CudaKernels, LaunchesAreWithinLimits) {
  for (const KernelInfo &info : getDeviceCatalog()) {
    if (info.provider != "cuda")
      continue;
    Case made = makeCase(std::string(info.task), DType::F32, 1);
    for (DType type : types) {
      const cuda::KernelRow *row = cuda::findKernelRow(info.name, type);
      if (!row)
        continue;
      for (int64_t scale : {1, 3, 16, 100}) {
        for (auto &[name, value] : made.launch.axes)
          value = name == "head_dim" ? std::min<int64_t>(256, 24 * scale)
                                     : 8 * scale;
        AxisValues axes = made.launch.getAxisValues();
        std::vector<CandidateVariant> variants = cuda::declareKernel(*row);
        const CandidateVariant *variant =
            findVariant(variants, made.launch);
        ASSERT_TRUE(variant) << info.name;
        EXPECT_GE(variant->workspaceBytes.evaluate(axes), 0);
        for (const DeclaredLaunch &launch : variant->launches) {
          int64_t threads = launch.block[0].evaluate(axes);
          EXPECT_TRUE(threads >= 32 && threads <= 1024 && threads % 32 == 0)
              << launch.entry;
          for (const Expr &extent : launch.grid)
            EXPECT_TRUE(extent.evaluate(axes) >= 1 &&
                        extent.evaluate(axes) <= 65536)
                << launch.entry << " " << extent.str();
        }
      }
    }
  }
}

TEST(CudaKernels, DecodeSplitsFillTheDevice) {
  Case made = makeCase("paged_attention", DType::BF16, 1);
  auto getParts = [&](int64_t seqs, int64_t maxBlocks) {
    for (auto &[name, value] : made.launch.axes)
      value = name == "seqs" || name == "tokens" ? seqs
              : name == "max_blocks"             ? maxBlocks
              : name == "page_size"              ? 16
              : name == "kv_heads"               ? 8
              : name == "q_heads"                ? 32
                                                 : 128;
    std::vector<CandidateVariant> variants = cuda::declareKernel(
        *cuda::findKernelRow("paged_attention_decode", DType::BF16));
    const CandidateVariant *variant = findVariant(variants, made.launch);
    return variant->launches[0].grid[0].evaluate(made.launch.getAxisValues());
  };
  EXPECT_EQ(getParts(1, 64), 32);  // 1024 keys: 32 a part
  EXPECT_EQ(getParts(1, 512), 64); // never more than 64
  EXPECT_EQ(getParts(32, 512), 3); // enough blocks without
  EXPECT_EQ(getParts(128, 512), 1);
}

TEST(CudaKernels, VariantsDefaultToTheFirstThatHolds) {
  Case made("linear", DType::BF16);
  made.axis("tokens", 4).axis("out_features", 9000).axis("in_features", 64);
  std::vector<CandidateVariant> variants =
      cuda::declareKernel(*cuda::findKernelRow("linear_skinny", DType::BF16));
  const CandidateVariant *variant = findVariant(variants, made.launch);
  ASSERT_TRUE(variant);
  EXPECT_EQ(variant->launches[0].entry, "linear_skinny2");
}

} // namespace
