//===- CandidateProviderTest.cpp - Candidates at run time -----------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ExpectError.h"
#include "runtime/Device.h"
#include "runtime/Kernel.h"
#include "runtime/Plan.h"

#include <gtest/gtest.h>

using namespace fk;

namespace {

class CandidateProvider : public ::testing::Test {
protected:
  void SetUp() override {
    PlanCandidate &candidate = plan.candidates.emplace_back();
    candidate.name = "rms_norm:cand.cubin";
    candidate.file = "/somewhere/cand.cubin";
    candidate.dtypes = {DType::BF16};
    CandidateVariant &variant = candidate.variants.emplace_back();
    variant.where = Expr::parseCondition("hidden <= 64", "test");
    variant.image = "candidate.rms_norm:cand.cubin";
    plan.images[variant.image].kind = "cubin";
    launch.task = "rms_norm";
    launch.place = "model.norm";
    launch.dtype = DType::BF16;
    launch.axes = {{"hidden", 64}};
    host = createHostDevice();
    provider = createCandidateProvider(*host, plan);
  }

  void expectRefused(const std::string &fragment) {
    expectError([&] { provider->bind("rms_norm:cand.cubin", launch); },
                fragment);
  }

  Plan plan;
  BoundLaunch launch;
  std::unique_ptr<Device> host;
  std::unique_ptr<Provider> provider;
};

TEST_F(CandidateProvider, MachineCodeNeedsAGpu) {
  EXPECT_EQ(provider->getName(), "candidate");
  expectRefused("a cubin needs device cuda: cand.cubin");
}

TEST_F(CandidateProvider, KnowsWhatItServes) {
  launch.dtype = DType::F32;
  expectRefused("the candidate does not serve the element type");
  launch.dtype = DType::BF16;
  launch.axes[0].second = 128;
  expectRefused(
      "the candidate does not cover the shape: rms_norm:cand.cubin at "
      "model.norm");
  expectError([&] { provider->bind("other", launch); },
              "the plan has no candidate 'other'");
}

} // namespace
