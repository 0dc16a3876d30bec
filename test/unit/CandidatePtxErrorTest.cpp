//===- CandidatePtxErrorTest.cpp - PTX that is wrong ----------------------===//
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
#include "lib/Candidate/Image.h"
#include "lib/Candidate/Toolchain.h"
#include "runtime/emulator/Ptx.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

using namespace fk;

namespace {

/// A change to a right PTX candidate and what must be said of it.
struct BadPtx {
  const char *name;
  std::function<void(PtxText &)> change;
  const char *fragment;
};

const BadPtx badPtx[] = {
    // The header.
    {"TooNew", [](PtxText &t) { t.version = "9.1"; },
     "cand.ptx:2:10: error: the PTX is too new: wanted a version up to 9.0 "
     "(CUDA 13.0), got version 9.1"},
    {"MuchTooNew", [](PtxText &t) { t.version = "10.0"; },
     "the PTX is too new"},
    {"TooOld", [](PtxText &t) { t.version = "5.0"; }, "the PTX is too old"},
    {"NoVersionNumber", [](PtxText &t) { t.version = "new"; },
     "the PTX version is not a version"},
    {"HugeVersion", [](PtxText &t) { t.version = "99999999999999999999.1"; },
     "the PTX version is not a version"},
    {"NewerTarget", [](PtxText &t) { t.target = "sm_100"; },
     "the ptx is for another GPU"},
    {"OtherExactTarget", [](PtxText &t) { t.target = "sm_100a"; },
     "wanted sm_90a, got sm_100a"},
    {"FamilyTarget", [](PtxText &t) { t.target = "sm_100f"; },
     "the ptx is for another GPU"},
    {"NoSuchTarget", [](PtxText &t) { t.target = "gfx90a"; },
     "cand.ptx:3:9: error: unknown target 'gfx90a'"},
    {"Addresses32", [](PtxText &t) { t.addressSize = "32"; },
     "wanted .address_size 64, got '32'"},
    {"OpenComment", [](PtxText &t) { t.module = "/* "; },
     "a comment is not closed"},
    {"OpenString", [](PtxText &t) { t.module = ".file 1 \"x"; },
     "a string is not closed"},
    {"OpenBody", [](PtxText &t) { t.body = "{ ret;"; },
     "the body of 'rms_norm' is not closed"},
    {"NulByte", [](PtxText &t) { t.body = std::string("ret;\0", 5); },
     "it holds a NUL byte"},

    // The entry and its parameters.
    {"WrongEntry", [](PtxText &t) { t.entry = "rmsnorm"; },
     "it has no entry 'rms_norm'"},
    {"WrongEntryIsNamed", [](PtxText &t) { t.entry = "rmsnorm"; },
     "got 'rmsnorm'"},
    {"EntryTwice", [](PtxText &t) { t.module = ".entry rms_norm() { ret; }"; },
     "cand.ptx:6:17: error: 'rms_norm' is defined twice: first at line 5"},
    {"TooFewParameters",
     [](PtxText &t) {
       t.params = ".param .u64 a, .param .u64 b, .param .u64 c, .param .f32 d, "
                  ".param .u32 e";
     },
     "'rms_norm' has too few parameters: cand.ptx: wanted 6 parameters, "
     "parameter 6 'hidden' (int32_t)"},
    {"NoParameters", [](PtxText &t) { t.params = ""; }, "too few parameters"},
    {"TooManyParameters", [](PtxText &t) { t.params += ", .param .u64 more"; },
     "wanted 6 parameters, got 7 parameters"},
    {"WrongParameter",
     [](PtxText &t) {
       t.params = ".param .u64 a, .param .u64 b, .param .u64 c, .param .u32 d, "
                  ".param .u32 e, .param .u32 f";
     },
     "wanted parameter 4 'epsilon' (float), got .u32"},
    {"PointerAs32Bits",
     [](PtxText &t) {
       t.params = ".param .u64 a, .param .u32 b, .param .u64 c, .param .f32 d, "
                  ".param .u32 e, .param .u32 f";
     },
     "wanted parameter 2 'input' (const bf16 *), got .u32"},
    {"AxisAs64Bits",
     [](PtxText &t) {
       t.params = ".param .u64 a, .param .u64 b, .param .u64 c, .param .f32 d, "
                  ".param .u64 e, .param .u32 f";
     },
     "wanted parameter 5 'tokens' (int32_t), got .u64"},
    {"StructureByValue",
     [](PtxText &t) {
       t.params = ".param .align 8 .b8 a[8], .param .u64 b, .param .u64 c, "
                  ".param .f32 d, .param .u32 e, .param .u32 f";
     },
     "got 8 bytes by value"},
    {"NoWorkspaceParameter", [](PtxText &t) { t.launch += " workspace=4"; },
     "parameter 7 'workspace' (void *)"},
    {"OpenParameters", [](PtxText &t) { t.params += ", .param .u32 x ["; },
     "wanted a number of elements"},
    {"HugeParameter", [](PtxText &t) { t.params = ".param .b8 x[9999999999]"; },
     "the parameter is too large"},
    {"UntypedParameter", [](PtxText &t) { t.params = ".param x"; },
     "wanted a type such as .b32, got 'x'"},
    {"UnresolvedLibdevice",
     [](PtxText &t) {
       t.module = ".extern .func (.param .b32 r) __nv_expf(.param .b32 x);";
       t.body = ".param .b32 r, x; call (r), __nv_expf, (x); ret;";
     },
     "cand.ptx:9:31: error: 'rms_norm' calls a function that the file does "
     "not define: wanted every function defined in the file, got "
     "'__nv_expf' (link libdevice when compiling it)"},

    // The directive.
    {"NoDirective", [](PtxText &t) { t.launch = "// hello"; },
     "the file does not say how to launch it"},
    {"NoGrid", [](PtxText &t) { t.launch = "// fk.launch: block=(32,1,1)"; },
     "the launch has no grid"},
    {"NoBlock", [](PtxText &t) { t.launch = "// fk.launch: grid=(1,1,1)"; },
     "has no block"},
    {"UnknownKey", [](PtxText &t) { t.launch += " threads=3"; },
     "unknown key 'threads'"},
    {"NoKey", [](PtxText &t) { t.launch = "// fk.launch: tokens"; },
     "the directive does not start with a key"},
    {"EmptyDirective", [](PtxText &t) { t.launch = "// fk.launch:"; },
     "the directive does not start with a key"},
    {"KeyTwice", [](PtxText &t) { t.launch += " grid=(1,1,1)"; },
     "'grid' is given twice"},
    {"NoValue", [](PtxText &t) { t.launch += " smem="; },
     "'smem' has no value"},
    {"BadPdl", [](PtxText &t) { t.launch += " pdl=2"; },
     "wanted pdl=1 or pdl=0, got '2'"},
    {"PdlWithoutWait", [](PtxText &t) { t.launch += " pdl=1"; },
     "never waits for the launch before it"},
    {"FourExtents",
     [](PtxText &t) { t.launch = "// fk.launch: grid=(1,1,1,1) block=1"; },
     "there are too many extents"},
    {"UnknownAxis", [](PtxText &t) { t.launch += " smem=width * 4"; },
     "unknown axis 'width': smem of fk.launch of cand.ptx: wanted an axis of "
     "rms_norm: tokens, hidden"},
    {"BadExpression", [](PtxText &t) { t.launch += " smem=hidden *"; },
     "is malformed at column"},
    {"OpenParenthesis", [](PtxText &t) { t.launch += " smem=(hidden"; },
     "is malformed at column"},
    {"ConditionAsValue", [](PtxText &t) { t.launch += " smem=(hidden == 3)"; },
     "a value, not a condition"},
    {"ValueAsCondition", [](PtxText &t) { t.launch += " where=hidden"; },
     "a condition"},
    {"DivisionByZero", [](PtxText &t) { t.launch += " smem=hidden / 0"; },
     "divi"},
    {"DivisionByZeroAtAnAxis",
     [](PtxText &t) { t.launch += " smem=hidden / (tokens - 1)"; },
     "has no value at hidden = 4096, tokens = 1"},
    {"Overflow",
     [](PtxText &t) {
       t.launch += " smem=hidden * 9000000000000000000 * hidden";
     },
     "has no value at hidden = 4096"},

    // Limits.
    {"SharedTooLarge", [](PtxText &t) { t.launch += " smem=hidden * 64"; },
     "asks for too much shared memory at hidden = 4096, tokens = 1: cand.ptx: "
     "wanted at most 232448 bytes on sm_90a, got 262144 + 0 static bytes"},
    {"SharedTooLargeTogether",
     [](PtxText &t) {
       t.launch += " smem=230000";
       t.body = ".shared .align 4 .b8 s[4096]; ret;";
     },
     "230000 + 4096 static bytes"},
    {"StaticSharedTooLarge",
     [](PtxText &t) { t.body = ".shared .align 4 .b8 s[65536]; ret;"; },
     "declares too much static shared memory"},
    {"StaticSharedAbsurd",
     [](PtxText &t) {
       t.body = ".shared .b8 s[4000000000][4000000000][4000000000]; ret;";
     },
     "the array is too large"},
    {"NegativeShared", [](PtxText &t) { t.launch += " smem=0 - hidden"; },
     "is negative"},
    {"NegativeWorkspace",
     [](PtxText &t) {
       t.launch += " workspace=0 - tokens";
       t.params += ", .param .u64 ws";
     },
     "the workspace is negative"},
    {"BlockTooLarge",
     [](PtxText &t) { t.launch = "// fk.launch: grid=tokens block=(64,32,1)"; },
     "wanted at most 1024 threads, got 2048"},
    {"BlockDimensionTooLarge",
     [](PtxText &t) {
       t.launch = "// fk.launch: grid=tokens block=(hidden,1,1)";
     },
     "block.x of 'rms_norm' is out of range"},
    {"BlockUnlikeReqntid",
     [](PtxText &t) { t.directives = ".reqntid 128, 1, 1"; },
     "is not what it was compiled for"},
    {"BlockOverMaxntid", [](PtxText &t) { t.directives = ".maxntid 128"; },
     "is larger than it was compiled for"},
    {"GridOfNone",
     [](PtxText &t) { t.launch = "// fk.launch: grid=(tokens / 8) block=32"; },
     "grid.x of 'rms_norm' is out of range at hidden = 4096, tokens = 1"},
    {"GridTooTall",
     [](PtxText &t) {
       t.launch = "// fk.launch: grid=(1, hidden * 16) block=32";
     },
     "grid.y of 'rms_norm' is out of range"},
    {"ClusterTooLarge",
     [](PtxText &t) {
       t.launch = "// fk.launch: grid=(tokens * 32) block=32 cluster=(8,4,1)";
     },
     "is too large"},
    {"ClusterDoesNotDivide", [](PtxText &t) { t.launch += " cluster=(2,1,1)"; },
     "is no multiple of its cluster"},
    {"ClusterUnlikeRequired",
     [](PtxText &t) {
       t.launch += " cluster=(1,1,1)";
       t.directives = ".reqnctapercluster 2, 1, 1";
     },
     "is not what it was compiled for"},
    {"BadReqntid", [](PtxText &t) { t.directives = ".reqntid x"; },
     ".reqntid is not a shape"},
    {"NothingCovered", [](PtxText &t) { t.launch += " where=(hidden == 5)"; },
     "the candidate serves none of the shapes"},
};

class BadPtxTest : public testing::TestWithParam<BadPtx> {};

TEST_P(BadPtxTest, SaysWhy) {
  Candidates folder;
  PtxText text;
  GetParam().change(text);
  std::string message = getErrorOf([&] { folder.load(text); });
  // Messages name the whole path; the cases name the file.
  for (std::string prefix = folder.path.string() + "/";;) {
    size_t at = message.find(prefix);
    if (at == std::string::npos)
      break;
    message.erase(at, prefix.size());
  }
  EXPECT_NE(message.find(GetParam().fragment), std::string::npos)
      << "wanted: " << GetParam().fragment << "\n   got: " << message;
  EXPECT_NE(message.find("cand.ptx"), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(Candidate, BadPtxTest, testing::ValuesIn(badPtx),
                         [](const auto &info) { return info.param.name; });

TEST(BadCandidate, PtxErrorsAreALineEach) {
  try {
    parsePtx(".version 9.0\n.target sm_90a\n.address_size 64\n"
             ".entry k {\n  mov.u32 %r1, 0;\n  bra L;\n}\n",
             "k.ptx");
    FAIL();
  } catch (const ptx::PtxError &error) {
    EXPECT_EQ(error.getLines(), (std::vector<std::string>{
                                    "k.ptx:5:11: error: unknown register '%r1'",
                                    "k.ptx:6:7: error: unknown label 'L'"}));
    EXPECT_EQ(error.getKind(), ErrorKind::BadInput);
  }
}

TEST(BadCandidate, OtherElementType) {
  Candidates folder;
  CandidateTarget target = getTarget();
  target.dtype = DType::F32;
  expectError([&] { folder.load(PtxText(), target); },
              "does not serve the op's element type");
  expectError([&] { folder.load("rms_norm.f16.ptx", PtxText().str(), target); },
              "wanted f32, got f16");
}

TEST(BadCandidate, Assembler) {
  if (findCudaTool("ptxas").empty())
    GTEST_SKIP() << "no ptxas";
  Candidates folder;
  PtxText text;
  text.body = ".reg .b32 %r1; frobnicate.u32 %r1;";
  expectError([&] { folder.load(text); }, "ptxas refuses it");
}

TEST(BadCandidate, Registers) {
  if (findCudaTool("ptxas").empty())
    GTEST_SKIP() << "no ptxas";
  // 200 values alive at once in a block of 1024.
  PtxText text;
  text.launch = "// fk.launch: grid=tokens block=1024";
  text.body = ".reg .b32 %r<201>; .reg .b64 %d; ld.param.u64 %d, [p1];\n";
  for (int i = 0; i < 200; ++i)
    text.body += "ld.volatile.global.u32 %r" + std::to_string(i) + ", [%d+" +
                 std::to_string(4 * i) + "];\n";
  for (int i = 199; i >= 0; --i)
    text.body += "st.volatile.global.u32 [%d+" + std::to_string(4 * i) +
                 "], %r" + std::to_string(i) + ";\n";
  text.body += "ret;";
  Candidates folder;
  expectError([&] { folder.load(text); },
              "needs more registers than a multiprocessor has");
}

TEST(BadCandidate, MutatedPtx) {
  PtxText text;
  text.module = ".extern .func (.param .b32 r) f(.param .b32 x);\n"
                ".shared .align 4 .v2 .b8 s[4][4], t; .func g() { ret; }\n";
  text.directives = ".reqntid 256, 1, 1 .reqnctapercluster 1";
  const std::string good = text.str();
  std::mt19937 random(1);
  const std::string alphabet = ".,;:()[]{}\"/*\\\n %$_0919xuentry";
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = good;
    for (int change = 0; change < 1 + i % 6; ++change) {
      size_t at = random() % bytes.size();
      char c = random() % 2 ? alphabet[random() % alphabet.size()]
                            : static_cast<char>(random());
      if (random() % 3 == 0)
        bytes.erase(at, random() % 40);
      else
        bytes[at] = c;
      if (bytes.empty())
        bytes = " ";
    }
    survive([&] { parsePtx(bytes, "fuzz"); });
  }
}

TEST(BadCandidate, MutatedDirectives) {
  Candidates folder;
  const std::string good = "// fk.launch: grid=(tokens,1,1) block=(256,1,1) "
                           "smem=hidden * 4 where=(hidden % 8 == 0)";
  std::mt19937 random(1);
  NoCudaTools hidden;
  for (int i = 0; i < 2000; ++i) {
    PtxText text;
    text.launch = good;
    for (int change = 0; change < 1 + i % 4; ++change)
      text.launch[3 + random() % (good.size() - 3)] =
          static_cast<char>(32 + random() % 95);
    survive([&] { folder.load(text); });
  }
}

} // namespace
