//===- CandidateErrorTest.cpp - Candidates that are wrong -----------------===//
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

#include <gtest/gtest.h>

#include <random>

using namespace fk;
namespace fs = std::filesystem;

namespace {

const fs::path inputs = fs::path(FK_SOURCE_DIR) / "test/Candidate/Inputs";

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

TEST(BadCandidate, Files) {
  Candidates folder;
  auto load = [&](const char *name) {
    return [&folder, name] {
      loadCandidate(folder.path / name, getRmsNorm(), getTarget());
    };
  };
  expectError(load("none.ptx"), "there is no such candidate");
  fs::create_directory(folder.path / "folder.ptx");
  expectError(load("folder.ptx"), "the candidate is no file");
  folder.write("empty.ptx", "");
  expectError(load("empty.ptx"), "the candidate is empty");
  folder.write("k.mlir", "module {}");
  expectError(load("k.mlir"), "a manifest cannot name an .mlir file");
  folder.write("k.so", "x");
  expectError(load("k.so"), "unknown kind of candidate");
  folder.write("k", "x");
  expectError(load("k"), "got no suffix");
  folder.write("text.ptx", "// fk.launch: grid=1 block=1\nhello");
  expectError(load("text.ptx"), "it has no .version");
  // 65 MiB, without writing them.
  folder.write("huge.ptx", "x");
  fs::resize_file(folder.path / "huge.ptx", uintmax_t(65) << 20);
  EXPECT_NE(getErrorOf(load("huge.ptx")), "(no error)");
}

//===----------------------------------------------------------------------===//
// CUDA source
//===----------------------------------------------------------------------===//

TEST(BadCandidate, Cuda) {
  if (findCudaTool("nvcc").empty())
    GTEST_SKIP() << "no nvcc";
  Candidates folder;
  std::string launch = "// fk.launch: grid=(tokens,1,1) block=(64,1,1)\n";
  expectError([&] { folder.load("a.cu", launch + "int x = ;"); },
              "nvcc refuses it");
  expectError([&] { folder.load("b.cu", launch + "#include \"b.h\"\n"); },
              "nvcc refuses it");
  folder.write("own.h", "static const int a = 1;\n");
  expectError(
      [&] {
        folder.load("c.cu", launch + "#include \"" +
                                (folder.path / "own.h").string() + "\"\n");
      },
      "includes what is not the toolkit's");
  expectError(
      [&] { folder.load("d.cu", launch + "__global__ void rms_norm() {}\n"); },
      "got '_Z8rms_normv'");
  expectError([&] { folder.load("e.cu", "__global__ void k() {}\n"); },
              "does not say how to launch it");
}

TEST(BadCandidate, NoCompiler) {
  NoCudaTools hidden;
  Candidates folder;
  std::string message = getErrorOf([&] {
    folder.load("a.cu", "// fk.launch: grid=(tokens,1,1) block=(64,1,1)\n");
  });
  EXPECT_NE(message.find("needs nvcc, which is not found"), std::string::npos)
      << message;
}

//===----------------------------------------------------------------------===//
// Machine code
//===----------------------------------------------------------------------===//

TEST(BadCandidate, Cubin) {
  std::string good = readBytes(inputs / "rms_norm.cubin");
  Candidates folder;
  expectError([&] { folder.load("k.cubin", good); },
              "the image has no manifest");
  folder.write("k.json", R"({"task": "rms_norm", "source": "k.cubin",
                             "launches": [{"grid": "tokens", "block": 256}]})");
  folder.load("k.cubin", good);
  expectError(
      [&] {
        folder.load("k.cubin", "\x7f"
                               "ELF");
      },
      "this is no cubin");
  expectError([&] { folder.load("k.cubin", PtxText().str()); },
              "this is no cubin");
  std::string other = good;
  other[18] = 62; // x86-64
  expectError([&] { folder.load("k.cubin", other); },
              "wanted ELF machine 190 (CUDA), got machine 62");
  expectError([&] { folder.load("k.cubin", good.substr(0, 2000)); }, "cut off");
  CandidateTarget target = getTarget();
  target.arch = "sm_100a";
  expectError([&] { folder.load("k.cubin", good, target); },
              "the cubin is for another GPU");
  folder.write("k.json", R"({"task": "rms_norm", "source": "k.cubin",
                             "launches": [{"grid": "tokens", "block": 512}]})");
  expectError([&] { folder.load("k.cubin", good); },
              "is larger than it was compiled for");
  folder.write("k.json",
               R"({"task": "rms_norm", "source": "k.cubin", "workspace": 4,
                   "launches": [{"grid": "tokens", "block": 256}]})");
  expectError([&] { folder.load("k.cubin", good); }, "too few parameters");
}

TEST(BadCandidate, Fatbin) {
  expectError([] { parseFatbin("no fat binary here", "sm_90a", "x"); },
              "this is no fat binary");
  std::string header("\x50\xed\x55\xba\x01\x00\x10\x00", 8);
  expectError(
      [&] { parseFatbin(header + std::string(8, '\xff'), "sm_90a", "x"); },
      "cut off");
  expectError(
      [&] { parseFatbin(header + std::string(8, '\0'), "sm_90a", "x"); },
      "got no member");
}

TEST(BadCandidate, MutatedCubins) {
  const std::string good = readBytes(inputs / "rms_norm.cubin");
  for (size_t size = 0; size < good.size(); size += 7)
    survive([&] { parseCubin(good.substr(0, size), "fuzz"); });
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = good;
    for (int change = 0; change < 1 + i % 8; ++change) {
      // Half of the changes hit the header and the tables behind it.
      size_t range = change % 2 ? 1500 : bytes.size();
      bytes[random() % range] = static_cast<char>(random());
    }
    survive([&] { parseCubin(bytes, "fuzz"); });
    survive([&] {
      parseFatbin(std::string("\x50\xed\x55\xba\x01\x00\x10\x00", 8) +
                      std::string("\x00\x10\x00\x00\x00\x00\x00\x00", 8) +
                      bytes,
                  "sm_90a", "fuzz");
    });
  }
}

} // namespace
