//===- CandidateTest.cpp - Candidates that are right ----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "CandidateCases.h"
#include "ExpectError.h"
#include "lib/Candidate/Image.h"
#include "lib/Candidate/Toolchain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

using namespace fk;
namespace fs = std::filesystem;

namespace {

const fs::path examples = fs::path(FK_SOURCE_DIR) / "examples/candidates";
const fs::path inputs = fs::path(FK_SOURCE_DIR) / "test/Candidate/Inputs";

bool hasNvcc() { return !findCudaTool("nvcc").empty(); }

bool says(const LoadedCandidate &candidate, const std::string &fragment) {
  return std::any_of(candidate.remarks.begin(), candidate.remarks.end(),
                     [&](const std::string &remark) {
                       return remark.find(fragment) != std::string::npos;
                     });
}

TEST(SubstituteSpec, ReadsItsParts) {
  SubstituteSpec spec =
      SubstituteSpec::parse("rms_norm@model.layers.*.norm:dir/cand.ptx");
  EXPECT_EQ(spec.task, "rms_norm");
  EXPECT_EQ(spec.place, "model.layers.*.norm");
  EXPECT_EQ(spec.file, "dir/cand.ptx");
  EXPECT_EQ(spec.str(), "rms_norm@model.layers.*.norm:dir/cand.ptx");
  EXPECT_TRUE(spec.matchesPlace("model.layers.31.norm"));
  EXPECT_FALSE(spec.matchesPlace("model.norm"));
  EXPECT_TRUE(SubstituteSpec::parse("linear:c.cu").matchesPlace("anywhere"));
}

TEST(SubstituteSpec, RefusesOtherForms) {
  for (const char *text : {"", "rms_norm", "rms_norm:", ":c.ptx", "@x:c.ptx",
                           "rms_norm@:c.ptx", "RMS:c.ptx", "rms norm:c.ptx"})
    expectError([&] { SubstituteSpec::parse(text); },
                "<task>[@<place>]:<file>");
}

TEST(SubstituteSpec, GlobsCrossDots) {
  EXPECT_TRUE(matchesGlob("*", ""));
  EXPECT_TRUE(matchesGlob("*", "a.b"));
  EXPECT_TRUE(matchesGlob("model.*.norm", "model.layers.0.norm"));
  EXPECT_TRUE(matchesGlob("layers.?", "layers.7"));
  EXPECT_FALSE(matchesGlob("layers.?", "layers.17"));
  EXPECT_FALSE(matchesGlob("", "a"));
  EXPECT_TRUE(matchesGlob("**a**", "xax"));
  // No exponential time.
  EXPECT_FALSE(matchesGlob("*a*a*a*a*a*a*a*a*a*a*b", std::string(5000, 'a')));
}

TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(getSha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca49"
                           "5991b7852b855");
  EXPECT_EQ(getSha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9c"
                              "b410ff61f20015ad");
  EXPECT_EQ(getSha256(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Candidate, BarePtx) {
  LoadedCandidate candidate =
      loadCandidate(examples / "rms_norm.ptx", getRmsNorm(), getTarget());
  EXPECT_EQ(candidate.info.name, "rms_norm:rms_norm.ptx");
  ASSERT_EQ(candidate.info.variants.size(), 1u);
  const CandidateVariant &variant = candidate.info.variants[0];
  EXPECT_FALSE(bool(variant.where));
  ASSERT_EQ(variant.launches.size(), 1u);
  EXPECT_EQ(variant.launches[0].grid[0].str(), "tokens");
  EXPECT_EQ(variant.launches[0].block[0].str(), "256");
  std::vector<std::string> wanted = {"result",  "input",  "weight",
                                     "epsilon", "tokens", "hidden"};
  EXPECT_EQ(variant.launches[0].args, wanted);
  ASSERT_EQ(candidate.images.count(variant.image), 1u);
  EXPECT_EQ(candidate.images.at(variant.image).kind, "ptx");
  EXPECT_TRUE(says(candidate, "sm_80"));
  if (!findCudaTool("ptxas").empty())
    EXPECT_TRUE(says(candidate, "registers"));
}

TEST(Candidate, SaysThatItCouldNotAssemble) {
  NoCudaTools hidden;
  Candidates folder;
  LoadedCandidate candidate = folder.load(PtxText());
  EXPECT_TRUE(says(candidate, "not assembled: ptxas is not found"));
}

TEST(Candidate, DirectiveKeysInAnyOrderAndOverLines) {
  Candidates folder;
  PtxText text;
  text.launch =
      "// fk.launch: where=(hidden % 8 == 0 && hidden <= 16384) pdl=0\n"
      "  // fk.launch: smem=hidden * 4 block=((256), 2, 1)\n"
      "// fk.launch: grid=ceildiv(tokens, 2) cluster=(1,1,1)";
  LoadedCandidate candidate = folder.load(text);
  const CandidateVariant &variant = candidate.info.variants[0];
  EXPECT_TRUE(variant.where.holds({{"hidden", 4096}}));
  EXPECT_FALSE(variant.where.holds({{"hidden", 4097}}));
  EXPECT_EQ(variant.launches[0].block[1].str(), "2");
  EXPECT_EQ(variant.launches[0].grid[0].evaluate({{"tokens", 3}}), 2);
  EXPECT_EQ(variant.launches[0].sharedBytes.evaluate({{"hidden", 8}}), 32);
}

TEST(Candidate, BlockFromReqntid) {
  Candidates folder;
  PtxText text;
  text.launch = "// fk.launch: grid=(tokens)";
  text.directives = ".reqntid 128, 2, 1";
  LoadedCandidate candidate = folder.load(text);
  EXPECT_EQ(candidate.info.variants[0].launches[0].block[0].str(), "128");
  EXPECT_EQ(candidate.info.variants[0].launches[0].block[1].str(), "2");
}

TEST(Candidate, WorkspaceComesLast) {
  Candidates folder;
  PtxText text;
  text.launch += " workspace=tokens * 4";
  text.params += ", .param .u64 .ptr .global .align 16 ws";
  LoadedCandidate candidate = folder.load(text);
  const CandidateVariant &variant = candidate.info.variants[0];
  EXPECT_EQ(variant.launches[0].args.back(), "workspace");
  EXPECT_EQ(variant.workspaceBytes.evaluate({{"tokens", 5}}), 20);
}

TEST(Candidate, DTypeFromTheSuffix) {
  Candidates folder;
  CandidateTarget target = getTarget();
  target.dtype = DType::F32;
  LoadedCandidate candidate =
      folder.load("rms_norm.f32.ptx", PtxText().str(), target);
  EXPECT_EQ(candidate.info.dtypes, std::vector<DType>{DType::F32});
}

TEST(Candidate, OptionalOperandsAreLeftOutWhereAbsent) {
  Candidates folder;
  PtxText text;
  text.entry = "linear";
  std::string three = ".param .u64 a, .param .u64 b, .param .u64 c, ";
  std::string axes = ".param .u32 t, .param .u32 o, .param .u32 i";
  CandidateTarget target;
  text.params = three + axes;
  folder.load("a.ptx", text.str(), target, getLinear());
  text.params = three + ".param .u64 d, " + axes;
  target.presentOperands = {"bias"};
  LoadedCandidate with = folder.load("b.ptx", text.str(), target, getLinear());
  EXPECT_EQ(with.info.variants[0].launches[0].args[3], "bias");
}

TEST(Candidate, WhereDecidesWhatIsCovered) {
  Candidates folder;
  PtxText text;
  text.launch += " where=(hidden == 4096)";
  CandidateTarget target = getTarget();
  target.staticAxes.push_back({{"hidden", 128}});
  LoadedCandidate candidate = folder.load(text, target);
  EXPECT_TRUE(mayCover(candidate.info, {{"hidden", 4096}}));
  EXPECT_FALSE(mayCover(candidate.info, {{"hidden", 128}}));
  EXPECT_TRUE(mayCover(candidate.info, {}));
  EXPECT_EQ(getCoverage(candidate.info).str(), "hidden == 4096");
}

TEST(Candidate, ManifestTextRoundTrips) {
  Candidates folder;
  PtxText text;
  text.launch += " where=(hidden <= 8192) smem=hidden * 2 cluster=(1,1,1)";
  LoadedCandidate candidate = folder.load(text);
  std::string manifest = toManifestText(candidate);
  LoadedCandidate again = fromManifestText(manifest, "test");
  EXPECT_EQ(toManifestText(again), manifest);
  EXPECT_EQ(again.images.begin()->second.bytes,
            candidate.images.begin()->second.bytes);
  EXPECT_EQ(parseManifestText(manifest, "test").name, candidate.info.name);

  renameCandidate(again, "rms_norm:cand.ptx#2");
  EXPECT_EQ(again.info.variants[0].image, "candidate.rms_norm:cand.ptx#2");
  EXPECT_EQ(again.images.count("candidate.rms_norm:cand.ptx#2"), 1u);

  folder.write("cand.ptx", text.str() + "// changed\n");
  expectError([&] { fromManifestText(manifest, "test"); },
              "has changed since it was bound");
  expectError([&] { fromManifestText("{}", "test"); }, "not whole");
}

TEST(Candidate, Cubin) {
  LoadedCandidate candidate =
      loadCandidate(inputs / "rms_norm.cubin", getRmsNorm(), getTarget());
  EXPECT_EQ(candidate.images.begin()->second.kind, "cubin");
  EXPECT_TRUE(says(candidate, "sm_90, 16 registers"));
  EXPECT_TRUE(says(candidate, "32 bytes of static shared memory"));
}

TEST(Candidate, CubinShowsItsParameters) {
  ImageInfo info = parseCubin(readBytes(inputs / "rms_norm.cubin"), "cubin");
  ASSERT_EQ(info.entries.size(), 1u);
  const ImageEntry &entry = info.entries[0];
  EXPECT_EQ(entry.name, "rms_norm");
  ASSERT_EQ(entry.params.size(), 6u);
  EXPECT_EQ(entry.params[0].bytes, 8);
  EXPECT_EQ(entry.params[3].bytes, 4);
  EXPECT_EQ(entry.maxThreads, 256);
}

TEST(Candidate, PtxShowsWhatALaunchNeeds) {
  ImageInfo info = parsePtx(
      "/* .entry no() {} */ .version 8.7 .target sm_90a, debug\n"
      ".address_size 64 .shared .align 4 .b8 used[16][4];\n"
      ".shared .f32 unused[1000]; .extern .shared .align 16 .b8 dyn[];\n"
      ".func (.param .b32 r) helper(.param .b64 x) {\n"
      "  .reg .b32 %r<2>; .shared .v2 .f32 own[2];\n"
      "  mov.u32 %r1, used; griddepcontrol.wait; ret; }\n"
      ".visible.entry k(.param .align 8 .b8 s[24], .param .u64 .ptr p)\n"
      ".maxntid 32, 4\n.reqnctapercluster 2,1,1 .minnctapersm 1\n"
      "{ .reg .b32 %r<3>; .param .b32 r; .param .b64 a;\n"
      "  call (r), helper, (a); mov.u32 %r1, dyn; /* } */ { ret; } }",
      "test");
  EXPECT_EQ(info.target, "sm_90a");
  ASSERT_EQ(info.entries.size(), 1u);
  const ImageEntry &entry = info.entries[0];
  EXPECT_EQ(entry.staticShared, 64 + 16);
  EXPECT_EQ(entry.maxThreads, 128);
  EXPECT_EQ((*entry.requiredCluster)[0], 2);
  EXPECT_EQ(entry.waitsForDependents, true);
  ASSERT_EQ(entry.params.size(), 2u);
  EXPECT_TRUE(entry.params[0].isArray);
  EXPECT_EQ(entry.params[0].bytes, 24);
  EXPECT_EQ(entry.params[1].type, ".u64");
}

TEST(Candidate, FunctionsInTablesAreReached) {
  ImageInfo info =
      parsePtx(".version 8.7 .target sm_90a .address_size 64\n"
               ".func f { .shared .b32 own[4]; ret; }\n"
               ".global .u64 table[2] = {0, f};\n"
               ".entry calls { .reg .b64 %p; ld.global.u64 %p, [table+8];\n"
               "  none: .callprototype _ (); call %p, (), none; ret; }\n"
               ".entry calls_not { ret; }",
               "test");
  EXPECT_EQ(info.find("calls")->staticShared, 16);
  EXPECT_EQ(info.find("calls_not")->staticShared, 0);
  EXPECT_EQ(info.find("calls")->waitsForDependents, false);
}

TEST(Candidate, TargetsThatRunThere) {
  checkTarget("ptx", "sm_80", "sm_90a", "test");
  checkTarget("ptx", "sm_90", "sm_90a", "test");
  checkTarget("ptx", "sm_90a", "sm_90a", "test");
  checkTarget("cubin", "sm_90", "sm_90a", "test");
  checkTarget("ptx", "sm_100f", "sm_103a", "test");
}

TEST(Candidate, TritonMetadataGivesTheLaunch) {
  Candidates folder;
  PtxText text;
  text.launch = "// fk.launch: grid=(tokens,1,1)";
  text.entry = "norm_kernel";
  text.directives = ".reqntid 128";
  // Triton appends two scratch pointers.
  text.params += ", .param .u64 .ptr .global s, .param .u64 .ptr .global t";
  folder.write("cand.json",
               "{\"name\": \"norm_kernel\", \"num_warps\": 4, \"shared\": 512, "
               "\"cluster_dims\": [1, 1, 1], \"global_scratch_size\": 0, "
               "\"target\": {\"backend\": \"cuda\", \"arch\": 90}}");
  LoadedCandidate candidate = folder.load(text);
  const DeclaredLaunch &launch = candidate.info.variants[0].launches[0];
  EXPECT_EQ(launch.entry, "norm_kernel");
  EXPECT_EQ(launch.block[0].str(), "128");
  EXPECT_EQ(launch.sharedBytes.str(), "512");
  EXPECT_EQ(launch.args.size(), 8u);
  EXPECT_TRUE(says(candidate, "Triton"));
}

TEST(Candidate, ManifestWithVariants) {
  Candidates folder;
  folder.write("k.ptx", PtxText().str());
  LoadedCandidate candidate = folder.load(
      "m.json",
      R"({"task": "rms_norm", "dtypes": ["bf16", "f16"], "source": "k.ptx",
          "variants": [
           {"where": "tokens <= 8", "launches": [{"grid": "tokens", "block": 64}]},
           {"where": "hidden == 5", "launches": [{"grid": 1, "block": 64}]},
           {"workspace": "tokens * 4",
            "launches": [{"grid": ["tokens"], "block": [128],
                          "args": ["result", "workspace", "weight", "epsilon",
                                   "tokens", "hidden"]}]}]})");
  EXPECT_EQ(candidate.info.dtypes.size(), 2u);
  // The second serves no known shape.
  ASSERT_EQ(candidate.info.variants.size(), 2u);
  EXPECT_EQ(candidate.info.variants[0].where.str(), "tokens <= 8");
  EXPECT_EQ(candidate.info.variants[1].launches[0].args[1], "workspace");
  EXPECT_FALSE(bool(getCoverage(candidate.info)));
}

TEST(Candidate, CudaIsCompiledOncePerStaticShape) {
  if (!hasNvcc())
    GTEST_SKIP() << "no nvcc";
  Candidates folder;
  CandidateTarget target = getTarget();
  target.staticAxes.push_back({{"hidden", 128}});
  LoadedCandidate candidate = folder.load(
      "cand.cu",
      "// fk.launch: grid=(tokens,1,1) block=(64,1,1)\n"
      "extern \"C\" __global__ void rms_norm(void *r, const void *x, const "
      "void *w, float e, int t, int h) {\n"
      "  if (h != FK_HIDDEN) __trap();\n}\n",
      target);
  ASSERT_EQ(candidate.info.variants.size(), 2u);
  EXPECT_EQ(candidate.images.size(), 2u);
  EXPECT_EQ(candidate.info.variants[0].where.str(), "hidden == 128");
  EXPECT_EQ(candidate.info.variants[1].where.str(), "hidden == 4096");
  EXPECT_NE(candidate.info.variants[1].image.find("FK_HIDDEN=4096"),
            std::string::npos);
  // The same text gives the same images when the plan is written.
  LoadedCandidate again = fromManifestText(toManifestText(candidate), "test");
  for (const auto &[name, image] : candidate.images)
    EXPECT_EQ(again.images.at(name).bytes, image.bytes);
}

TEST(Candidate, ManifestOfTwoLaunches) {
  if (!hasNvcc())
    GTEST_SKIP() << "no nvcc";
  LoadedCandidate candidate =
      loadCandidate(examples / "two.json", getRmsNorm(), getTarget());
  const CandidateVariant &variant = candidate.info.variants.at(0);
  ASSERT_EQ(variant.launches.size(), 2u);
  EXPECT_EQ(variant.launches[0].entry, "row_rstd");
  EXPECT_EQ(variant.launches[1].args[1], "workspace");
  EXPECT_EQ(variant.workspaceBytes.str(), "tokens * 4");
}

TEST(Candidate, Fatbin) {
  fs::path nvcc = findCudaTool("nvcc");
  if (nvcc.empty() || !fs::exists(nvcc.parent_path() / "fatbinary"))
    GTEST_SKIP() << "no fatbinary";
  Candidates folder;
  fs::path fatbin = folder.path / "cand.fatbin";
  ProcessResult result = runProcess(
      {nvcc.parent_path() / "fatbinary", "--create=" + fatbin.string(),
       "--image3=kind=elf,sm=90,file=" + (inputs / "rms_norm.cubin").string()});
  ASSERT_EQ(result.exitCode, 0) << result.output;
  expectError([&] { loadCandidate(fatbin, getRmsNorm(), getTarget()); },
              "no manifest");
  folder.write("cand.json",
               R"({"task": "rms_norm", "source": "cand.fatbin",
                   "launches": [{"grid": "tokens", "block": 256}]})");
  LoadedCandidate candidate = loadCandidate(fatbin, getRmsNorm(), getTarget());
  EXPECT_EQ(candidate.images.begin()->second.kind, "fatbin");
}

TEST(Candidate, EveryShippedOneLoads) {
  for (const char *name :
       {"rms_norm.ptx", "rms_norm_slow.ptx", "rms_norm_fast.ptx"}) {
    LoadedCandidate candidate =
        loadCandidate(examples / name, getRmsNorm(), getTarget());
    EXPECT_TRUE(mayCover(candidate.info, {{"hidden", 4096}})) << name;
  }
}

} // namespace
