//===- CandidateManifestErrorTest.cpp - Manifests that are wrong ----------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every case is one clear error; none may crash, hang or pass.
//
//===----------------------------------------------------------------------===//

#include "CandidateCases.h"
#include "ExpectError.h"

#include <gtest/gtest.h>

using namespace fk;
namespace fs = std::filesystem;

namespace {

struct BadManifest {
  const char *name;
  const char *text;
  const char *fragment;
};

const BadManifest badManifests[] = {
    {"NoJson", "{", "not valid JSON"},
    {"NoObject", "[]", "'the manifest' has a wrong type"},
    {"NoTask", R"({"source": "k.ptx"})", "the manifest names no task"},
    {"OtherTask", R"({"task": "softmax"})", "the manifest is for another task"},
    {"TaskNoString", R"({"task": 3})", "'task' has a wrong type"},
    {"UnknownKey", R"({"task": "rms_norm", "tma": []})", "unknown key 'tma'"},
    {"KeyTwice", R"({"task": "rms_norm", "task": "rms_norm"})", "task"},
    {"NoLaunches", R"({"task": "rms_norm", "source": "k.ptx"})",
     "either launches or variants: "},
    {"EmptyLaunches",
     R"({"task": "rms_norm", "source": "k.ptx", "launches": []})",
     "a list that is not empty"},
    {"NoSource",
     R"({"task": "rms_norm", "launches": [{"grid": 1, "block": 1}]})",
     "the manifest names no source"},
    {"Both",
     R"({"task": "rms_norm", "source": "k.ptx", "variants": [], "launches": []})",
     "got both"},
    {"UnknownLaunchKey",
     R"({"task": "rms_norm", "source": "k.ptx",
         "launches": [{"grid": 1, "threads": 1}]})",
     "unknown key 'threads' in a launch"},
    {"NoGrid",
     R"({"task": "rms_norm", "source": "k.ptx", "launches": [{"block": 1}]})",
     "has no grid"},
    {"GridNoNumber",
     R"({"task": "rms_norm", "source": "k.ptx",
         "launches": [{"grid": [1.5], "block": 1}]})",
     "a whole number or an expression"},
    {"BadDType",
     R"({"task": "rms_norm", "dtypes": ["bfloat"], "source": "k.ptx",
         "launches": [{"grid": 1, "block": 1}]})",
     "unknown element type"},
    {"UnknownArg",
     R"({"task": "rms_norm", "source": "k.ptx",
         "launches": [{"grid": 1, "block": 1, "args": ["output"]}]})",
     "asks for an unknown argument 'output'"},
    {"WorkspaceNotDeclared",
     R"({"task": "rms_norm", "source": "k.ptx",
         "launches": [{"grid": 1, "block": 1, "args": ["workspace"]}]})",
     "declare the workspace's size"},
    {"ResultForgotten",
     R"({"task": "rms_norm", "source": "k.ptx",
         "launches": [{"grid": 1, "block": 1, "args":
           ["input", "input", "weight", "epsilon", "tokens", "hidden"]}]})",
     "no launch takes the result 'result'"},
    {"Leaves",
     R"({"task": "rms_norm", "source": "../k.ptx",
         "launches": [{"grid": 1, "block": 1}]})",
     "the source leaves the manifest's folder"},
    {"Absolute",
     R"({"task": "rms_norm", "source": "/etc/passwd",
         "launches": [{"grid": 1, "block": 1}]})",
     "the source leaves the manifest's folder"},
    {"LeavesByLink",
     R"({"task": "rms_norm", "source": "link/k.ptx",
         "launches": [{"grid": 1, "block": 1}]})",
     "the source leaves the manifest's folder"},
    {"NamesItself",
     R"({"task": "rms_norm", "source": "m.json",
         "launches": [{"grid": 1, "block": 1}]})",
     "a manifest names another manifest"},
    {"NoSuchSource",
     R"({"task": "rms_norm", "source": "none.ptx",
         "launches": [{"grid": 1, "block": 1}]})",
     "there is no such candidate"},
    {"NoSuchEntry",
     R"({"task": "rms_norm", "source": "k.ptx",
         "launches": [{"entry": "other", "grid": 1, "block": 1}]})",
     "it has no entry 'other'"},
    {"UnknownAxis",
     R"({"task": "rms_norm", "source": "k.ptx", "where": "rows > 3",
         "launches": [{"grid": 1, "block": 1}]})",
     "unknown axis 'rows'"},
    {"TritonMetadata", R"({"num_warps": 4, "name": "k"})",
     "this is Triton's metadata, not a candidate"},
};

class BadManifestTest : public testing::TestWithParam<BadManifest> {};

TEST_P(BadManifestTest, SaysWhy) {
  Candidates folder;
  folder.write("k.ptx", PtxText().str());
  fs::create_directory_symlink("/tmp", folder.path / "link");
  expectError([&] { folder.load("m.json", GetParam().text); },
              GetParam().fragment);
}

INSTANTIATE_TEST_SUITE_P(Candidate, BadManifestTest,
                         testing::ValuesIn(badManifests),
                         [](const auto &info) { return info.param.name; });

TEST(BadCandidate, DeepManifest) {
  Candidates folder;
  EXPECT_NE(
      getErrorOf([&] { folder.load("m.json", std::string(1000000, '[')); }),
      "(no error)");
}

TEST(BadCandidate, TritonMetadata) {
  Candidates folder;
  PtxText text;
  text.launch = "";
  folder.write("cand.json", R"({"name": "rms_norm", "num_warps": 4})");
  expectError([&] { folder.load(text); }, "names no grid");
  folder.write("cand.json", R"({"num_warps": 64, "fk.launch": "grid=tokens"})");
  expectError([&] { folder.load(text); }, "num_warps is out of range");
  folder.write("cand.json",
               R"({"num_warps": 4, "global_scratch_size": 64,
                   "fk.launch": "grid=tokens"})");
  expectError([&] { folder.load(text); }, "Triton's global scratch");
}

} // namespace
