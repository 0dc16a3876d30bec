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

TEST(CandidateProvider, NeedsAGpu) {
  Plan plan;
  plan.candidates.emplace_back();
  plan.candidates.back().name = "rms_norm:cand.ptx";
  std::unique_ptr<Device> host = createHostDevice();
  std::unique_ptr<Provider> provider = createCandidateProvider(*host, plan);
  EXPECT_EQ(provider->getName(), "candidate");
  BoundLaunch launch;
  launch.task = "rms_norm";
  launch.place = "model.norm";
  try {
    provider->bind("rms_norm:cand.ptx", launch);
    FAIL() << "a candidate was bound on the host";
  } catch (const Error &error) {
    EXPECT_EQ(error.getKind(), ErrorKind::Infrastructure);
    EXPECT_NE(std::string(error.what())
                  .find("a candidate needs device cuda: rms_norm:cand.ptx at "
                        "model.norm"),
              std::string::npos)
        << error.what();
  }
  expectError([&] { provider->bind("other", launch); },
              "the plan has no candidate 'other'");
}

} // namespace
